"""Keys between databases of different backends: taken out as a whole, and put in there.

The journal gets one effect for each of the two databases, so that whoever repeats or keeps only
one of them needs nothing of the other: DEL in the one, RESTORE in the other.
"""

from hypercache.backend import NO_EXPIRE, BackendError
from hypercache.commands.arguments import format_integer
from hypercache.engine.context import Context
from hypercache.engine.engine import Engine
from hypercache.engine.units import Reversal, attempt
from hypercache.keyspace.changes import COPY_TO, MOVE_FROM, MOVE_TO, RESTORE, Effect, Event
from hypercache.keyspace.keyspace import Keyspace
from hypercache.rdb.content import store
from hypercache.rdb.dump import dump
from hypercache.rdb.restore import restore


class _Parcel:
    """A key on its way: its deadline, and its value as DUMP has it."""

    def __init__(self, db: Keyspace, key: bytes) -> None:
        entry = db.find(key)
        assert entry is not None
        self.deadline = entry.expire
        self.payload = dump(entry)

    def put(self, engine: Engine, db: Keyspace, key: bytes, event: Event) -> None:
        """Store it, in the place of what is there."""
        store(db, key, restore(self.payload), event)
        engine.settlement.settle_edits()
        if self.deadline != NO_EXPIRE:
            db.store.expire(key, self.deadline)
        db.count()

    def effect(self, key: bytes) -> list[bytes]:
        """The command that stores it."""
        deadline = 0 if self.deadline == NO_EXPIRE else self.deadline
        return [b"RESTORE", key, format_integer(deadline), self.payload, b"REPLACE", b"ABSTTL"]


class _PutBack(Reversal):
    """Puts a key back that was moved into a unit that is undone."""

    def __init__(self, engine: Engine, db: Keyspace, key: bytes, parcel: _Parcel) -> None:
        self.engine = engine
        self.db = db
        self.key = key
        self.parcel = parcel

    def run(self) -> None:
        engine = self.engine
        self.parcel.put(engine, self.db, self.key, RESTORE)
        engine.changes.forget()
        engine.journal.append([Effect(self.db.index, self.parcel.effect(self.key))])


def carry_copy(context: Context, key: bytes, target: Keyspace, new_key: bytes) -> None:
    """COPY to a database of another backend; the key is there."""
    parcel = _Parcel(context.db, key)
    parcel.put(context.engine, target, new_key, COPY_TO)
    context.db.changes.rewrite(target.index, parcel.effect(new_key))


def carry(context: Context, key: bytes, target: Keyspace) -> None:
    """MOVE to a database of another backend; the key is there, and not in that one.

    It is stored before it is deleted: what fails on the way leaves it where it was.
    """
    db = context.db
    engine = context.engine
    parcel = _Parcel(db, key)
    parcel.put(engine, target, key, MOVE_TO)
    try:
        db.delete(key, MOVE_FROM)
    except BackendError:
        attempt(lambda: target.delete(key))
        raise
    stores = engine.stores
    if db.index in stores.lasting and target.index not in stores.lasting:
        engine.units.reversals.append(_PutBack(engine, db, key, parcel))
    db.changes.rewrite(target.index, parcel.effect(key))
    db.changes.rewrite(db.index, [b"DEL", key])
