"""What the commands of a round changed, kept once for all databases.

Every change of a key goes through `Keyspace`, which writes it down here; the engine settles
after each command: WATCH, notifications, blocked clients and the journal follow from this
ledger, so a command cannot forget any of them.
"""

from typing import Final

from mypy_extensions import i32, i64, mypyc_attr

from hypercache.backend import Entry, Value

# Classes of keyspace events, as notify-keyspace-events names them.
GENERIC: Final = "g"
STRING_CLASS: Final = "$"
HASH_CLASS: Final = "h"
EXPIRED_CLASS: Final = "x"
EVICTED_CLASS: Final = "e"


class Event:
    """A kind of change: the name that notifications carry, and the class it belongs to."""

    def __init__(self, name: str, kind: str) -> None:
        self.name = name
        self.kind = kind


SET: Final = Event("set", STRING_CLASS)
APPEND: Final = Event("append", STRING_CLASS)
SETRANGE: Final = Event("setrange", STRING_CLASS)
INCRBY: Final = Event("incrby", STRING_CLASS)
INCRBYFLOAT: Final = Event("incrbyfloat", STRING_CLASS)
HSET: Final = Event("hset", HASH_CLASS)
HDEL: Final = Event("hdel", HASH_CLASS)
HINCRBY: Final = Event("hincrby", HASH_CLASS)
DEL: Final = Event("del", GENERIC)
EXPIRE: Final = Event("expire", GENERIC)
PERSIST: Final = Event("persist", GENERIC)
RENAME_FROM: Final = Event("rename_from", GENERIC)
RENAME_TO: Final = Event("rename_to", GENERIC)
MOVE_FROM: Final = Event("move_from", GENERIC)
MOVE_TO: Final = Event("move_to", GENERIC)
COPY_TO: Final = Event("copy_to", GENERIC)
EXPIRED: Final = Event("expired", EXPIRED_CLASS)
EVICTED: Final = Event("evicted", EVICTED_CLASS)
FLUSH: Final = Event("flush", GENERIC)
SWAP: Final = Event("swap", GENERIC)


class Touch:
    """One changed key; ``key`` is None when all keys of the database changed (FLUSHDB)."""

    __slots__ = ("database", "event", "key")

    def __init__(self, database: int, key: bytes | None, event: Event) -> None:
        self.database = database
        self.key = key
        self.event = event


class Effect:
    """A command that repeats a change exactly: what journals, replicas and files get."""

    __slots__ = ("args", "database")

    def __init__(self, database: int, args: list[bytes]) -> None:
        self.database = database
        self.args = args


class Edit:
    """A value handed out to be changed in place, and how it was then."""

    __slots__ = ("changes", "database", "event", "key", "memory", "value")

    def __init__(self, database: int, key: bytes, value: Value, event: Event) -> None:
        self.database = database
        self.key = key
        self.value = value
        self.event = event
        self.changes: i64 = value.changes
        self.memory: i64 = value.memory()


@mypyc_attr(allow_interpreted_subclasses=True)
class BeforeChange:
    """Sees each key just before its first change in a command: what snapshots hook into."""

    def before_change(self, database: int, key: bytes, entry: Entry | None) -> None:
        """``entry`` is the key's present state, None when the key is about to appear."""
        raise NotImplementedError

    def before_clear(self, database: int) -> None:
        """All keys of the database are about to go."""
        raise NotImplementedError

    def before_swap(self, first: int, second: int) -> None:
        """Two databases are about to change places."""
        raise NotImplementedError


class Changes:
    """The ledger, and the time that all keyspaces share.

    ``now`` is the time of the present command in Unix milliseconds (it stands still inside a
    transaction); while ``frozen``, nothing is removed because of it (CLIENT PAUSE);
    ``access`` the access clock for idle times, in seconds. ``dirty`` counts
    changes, ``settled`` how many of them the engine has settled. ``observed`` tells
    whether anybody reads ``touched``, ``journalled`` whether anybody reads ``effects``:
    when nobody does, a change costs one addition.
    """

    def __init__(self) -> None:
        self.now: i64 = 0
        self.access: i32 = 0
        self.keep_access = False
        self.frozen = False
        self.dirty: i64 = 0
        self.settled: i64 = 0
        self.hits: i64 = 0
        self.misses: i64 = 0
        self.expired: i64 = 0
        self.observed = False
        self.journalled = False
        self.rewritten = False
        self.touched: list[Touch] = []
        self.effects: list[Effect] = []
        self.edits: list[Edit] = []
        self.hooks: list[BeforeChange] = []

    def touch(self, database: int, key: bytes, event: Event) -> None:
        """Count a change and, if anybody looks, write it down."""
        self.dirty += 1
        if self.observed:
            self.touched.append(Touch(database, key, event))

    def notify(self, database: int, key: bytes, event: Event) -> None:
        """Name one more event of a change that is counted already (SET EX: set, expire)."""
        if self.observed:
            self.touched.append(Touch(database, key, event))

    def rewrite(self, database: int, args: list[bytes]) -> None:
        """Journal these arguments instead of the command's own; any number of times."""
        if self.journalled:
            self.rewritten = True
            self.effects.append(Effect(database, args))
