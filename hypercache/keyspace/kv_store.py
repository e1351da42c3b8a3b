"""What the databases and values of a `KVBackend` share: the store, its unit, its counters."""

import struct
from types import TracebackType
from typing import Final

from mypy_extensions import i64

from hypercache.backend import BackendError, EncodingLimits, Value
from hypercache.keyspace import layout
from hypercache.keyspace.kv_filter import Filters
from hypercache.keyspace.kv_formats import WRITER, format_of
from hypercache.keyspace.kv_tally import Tally
from hypercache.keyspace.layout import Record
from hypercache.keyspace.ordered import SMALLEST_KEY_LIMIT, OrderedKV

# Objects with at most this many elements are removed at once; larger ones get a grave.
SMALL_OBJECT: Final = 16
# What belongs to them may be more pairs than that; up to so many are removed at once.
SMALL_OBJECT_PAIRS: Final = 64
# Where parts of an object lie, and beside the records, parts of a space.
OBJECT_PREFIXES: Final = (layout.ELEMENT, layout.FIELD_DEADLINE, layout.FIELD_DUE)
SPACE_PREFIXES: Final = (layout.DEADLINE, layout.HASH_DEADLINE)
# Pairs read at a time where a whole range is walked.
CHUNK: Final = 256
# More numbered databases than anybody has.
MOST_DATABASES: Final = 1 << 20
# Values in use that are remembered where no unit ends that would let them go.
LIVE_LIMIT: Final = 1024


class Lease:
    """The record of a value in use, until the value must not be used any more.

    It may be ahead of what is stored: see `Store.note`.
    """

    def __init__(self, record: Record, place: bytes) -> None:
        self.record = record
        #: Where the record is stored.
        self.place = place
        #: Whether it is to be written when the transaction is committed.
        self.noted = False
        #: False once the key is replaced or removed, or the unit over.
        self.valid = True

    def release(self) -> None:
        """Write what the value holds back of its elements."""


class Live:
    """A value in use and its lease."""

    __slots__ = ("lease", "value")

    def __init__(self, value: Value, lease: Lease) -> None:
        self.value = value
        self.lease = lease


class Store:
    """An `OrderedKV` in use: transactions, object numbers, counters and graves.

    ``with store:`` around writes makes them a transaction of their own where no unit is
    open; in a unit they are part of it. Counters live in memory, are written when a
    transaction is committed and taken back when one is undone. Where a write fails inside
    a unit, what it did before stays until the unit is rolled back: so the unit takes no more
    writes, and `commit` refuses.

    ``live`` has the values in use by the place of their record: until a unit ends, whoever
    asks for the value of a key gets the same object. The records of those that change are
    written once, with the counters: until then what is stored has their old length.
    """

    def __init__(self, kv: OrderedKV) -> None:
        self.kv = kv
        self.in_unit = False
        self._failure = ""
        self._undone = False
        self.depth: i64 = 0
        self.filters = Filters(kv)
        self.tallies: list[Tally] = []
        self.live: dict[bytes, Live] = {}
        self.limits = EncodingLimits()
        self.graves: i64 = 0
        self._next_object: i64 = 1
        self._next_space: i64 = 1
        self._ids_dirty = False
        self._noted: list[Lease] = []
        # Numbers and counters as they are stored: what the last commit has kept, and since.
        self._committed: list[bytes] = []
        self._written: list[bytes] = []

    # Opening -----------------------------------------------------------------------------

    def open(self, databases: int, salt: bytes) -> bytes:
        """Read, or write, what identifies the store; the salt that it uses."""
        kv = self.kv
        if kv.max_key_size < SMALLEST_KEY_LIMIT:
            raise BackendError(
                f"keys of this store can have {kv.max_key_size} bytes;"
                f" HyperCache needs {SMALLEST_KEY_LIMIT}"
            )
        kv.open()
        if kv.get(layout.META_FORMAT) is None:
            self._format(salt)
        format_of(kv)
        self._check_count(databases)
        self.tallies = [Tally(index, self.filters) for index in range(databases)]
        self._read()
        if any(tally.space == 0 for tally in self.tallies):
            with self:
                for tally in self.tallies:
                    if tally.space == 0:
                        tally.enter(self.new_space())
                        tally.dirty = True
        return self.must_get(layout.META_SALT)

    def view(self, databases: int) -> bytes:
        """Read what a snapshot holds; the salt that it uses. Nothing is written."""
        self.tallies = [Tally(index, self.filters) for index in range(databases)]
        self._read()
        return self.must_get(layout.META_SALT)

    def _format(self, salt: bytes) -> None:
        if self.kv.range(b"\x00", b"\xff", 1):
            raise BackendError(
                "the store holds keys, but HyperCache did not write them: use an empty one"
            )
        self.kv.begin()
        self.kv.put(layout.META_FORMAT, layout.format_text(layout.VERSION))
        self.kv.put(layout.META_VERSION, WRITER)
        self.kv.put(layout.META_SALT, salt)
        self.kv.put(layout.META_IDS, layout.encode_ids(1, 1, 0))
        self.kv.commit()

    def _check_count(self, databases: int) -> None:
        beyond = Tally(databases, self.filters)
        stop = layout.after(layout.META_TALLY)
        for key, raw in self.kv.range(beyond.key, stop, MOST_DATABASES):
            beyond.decode(raw)
            if beyond.size > 0:
                index = int.from_bytes(key[len(layout.META_TALLY) :], "big")
                raise BackendError(
                    f"database {index} holds {beyond.size} keys, but only {databases} databases"
                    f" are configured: set 'databases' to {index + 1} or more"
                )

    def must_get(self, key: bytes) -> bytes:
        """What the store holds for certain under a key."""
        raw = self.kv.get(key)
        if raw is None:
            raise BackendError(f"the store is damaged: {key!r} is missing")
        return raw

    def _read(self) -> None:
        """Take counters and numbers from the store."""
        stored = [self.must_get(layout.META_IDS)]
        for tally in self.tallies:
            raw = self.kv.get(tally.key)
            stored.append(tally.encode() if raw is None else raw)
        self._take(stored)

    def _take(self, stored: list[bytes]) -> None:
        """Use the numbers, and the counters of each database, that were committed."""
        self._next_object, self._next_space, self.graves = layout.decode_ids(stored[0])
        self._ids_dirty = False
        for tally in self.tallies:
            tally.decode(stored[1 + tally.index])
            tally.dirty = False
        self._committed = stored
        self._written = list(stored)

    # Transactions ------------------------------------------------------------------------

    def begin(self) -> None:
        """Begin a unit."""
        if self.in_unit:
            raise BackendError("begin: a unit is open already")
        self.kv.begin()
        self.in_unit = True
        self.forget_all()

    def commit(self) -> None:
        """End the unit. Where that fails, nothing of it is stored, and `rollback` ends it."""
        if not self.in_unit:
            raise BackendError("commit: no unit is open")
        self._refuse_after_failure()
        self._undone = True
        self._commit()
        self._undone = False
        self.in_unit = False
        self.forget_all()

    def rollback(self) -> None:
        """Undo the unit."""
        if not self.in_unit:
            raise BackendError("rollback: no unit is open")
        self.in_unit = False
        self._failure = ""
        if self._undone:
            self._undone = False  # by the commit that failed
        else:
            self._rollback()

    def _refuse_after_failure(self) -> None:
        if self._failure:
            raise BackendError(f"the unit has failed and is to be rolled back: {self._failure}")

    def _commit(self) -> None:
        try:
            self._write()
        except BaseException:
            self._rollback()
            raise
        try:
            self.kv.commit()
        except BaseException:
            self._restore()
            raise
        self._committed = list(self._written)
        if self.filters.in_use:
            self.filters.settle([tally.space for tally in self.tallies])

    def _rollback(self) -> None:
        self.kv.rollback()
        self._restore()

    def _restore(self) -> None:
        self._noted.clear()
        self.forget_all()
        self._take(self._committed)
        self.filters.undo()

    def _write(self) -> None:
        """Put records, counters and numbers into the store, those that changed."""
        self._write_records()
        if self._ids_dirty:
            ids = layout.encode_ids(self._next_object, self._next_space, self.graves)
            self.kv.put(layout.META_IDS, ids)
            self._written[0] = ids
            self._ids_dirty = False
        for tally in self.tallies:
            if tally.dirty:
                raw = tally.encode()
                self.kv.put(tally.key, raw)
                self._written[1 + tally.index] = raw
                tally.dirty = False

    def __enter__(self) -> None:
        if self.depth == 0:
            if not self.in_unit:
                self.kv.begin()
            else:
                self._refuse_after_failure()
        self.depth += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.depth -= 1
        if self.depth > 0:
            return
        if self.in_unit:
            if error is not None:
                self._failure = f"{type(error).__name__}: {error}"
        elif error is None:
            self._commit()
        else:
            self._rollback()
        if isinstance(error, struct.error):
            raise BackendError(f"the store is damaged: a value cannot be read ({error})") from error

    # Values in use -----------------------------------------------------------------------

    def note(self, lease: Lease) -> None:
        """The record of a value in use has changed: it is written when that is due."""
        lease.noted = True
        self._noted.append(lease)

    def write_records(self) -> None:
        """Write the records that have changed, for whoever looks at what is stored."""
        if self._noted:
            with self:
                self._write_records()

    def _write_records(self) -> None:
        if self._noted:
            for lease in self._noted:
                lease.noted = False
                if lease.valid:
                    lease.release()
                    self.kv.put(lease.place, lease.record.encode())
            self._noted.clear()

    def remember(self, place: bytes, live: Live) -> None:
        """Hand out the same value from now on."""
        if not self.in_unit and len(self.live) >= LIVE_LIMIT:
            self.forget_all()
        self.live[place] = live

    def forget(self, place: bytes) -> None:
        """The key is replaced or removed: its value is not used any more."""
        live = self.live.pop(place, None)
        if live is not None:
            live.lease.release()
            live.lease.valid = False

    def forget_space(self, prefix: bytes) -> None:
        """All keys of a space are removed, or another database's from now on."""
        self.write_records()
        for place in list(self.live):
            if place.startswith(prefix):
                self.forget(place)

    def forget_all(self) -> None:
        """No value that was handed out is used any more."""
        if self.live:
            for live in self.live.values():
                live.lease.valid = False
            self.live.clear()

    # Objects, spaces and what is left of them ------------------------------------------------

    def new_object(self) -> i64:
        """A number that no object ever had."""
        taken = self._next_object
        self._next_object += 1
        self._ids_dirty = True
        return taken

    def new_space(self) -> int:
        """A number that no database's keys ever had."""
        taken = self._next_space
        self._next_space += 1
        self._ids_dirty = True
        return taken

    def next_numbers(self) -> tuple[int, int]:
        """The numbers that the next object and the next space will get."""
        return self._next_object, self._next_space

    def drop_object(self, record: Record) -> None:
        """Leave the elements of a record's object to `reclaim`, unless they are few."""
        number = layout.number(record.object)
        if _elements_of(record) <= SMALL_OBJECT:
            left = SMALL_OBJECT_PAIRS
            for prefix in prefixes_of(record):
                left -= self._clear_range(prefix + number, left)
                if left == 0:
                    break
            if left > 0:
                return
        self._bury(layout.GRAVE_OBJECT + number)

    def drop_space(self, space: int) -> None:
        """Leave all that lies in a space to `reclaim`."""
        self._bury(layout.GRAVE_SPACE + layout.number(space))

    def _bury(self, grave: bytes) -> None:
        self.kv.put(grave, b"")
        self.graves += 1
        self._ids_dirty = True

    def reclaim(self, budget: int) -> bool:
        """Remove about ``budget`` pairs that nothing reaches any more; True if more are left."""
        if self.graves == 0:
            return False
        with self:
            while budget > 0 and self.graves > 0:
                grave = self.kv.range(layout.GRAVE, layout.after(layout.GRAVE), 1)[0][0]
                budget -= self._dig(grave, budget)
        return self.graves > 0

    def _dig(self, grave: bytes, budget: int) -> int:
        """Remove up to ``budget`` pairs of a grave, and at last itself; how many."""
        number = grave[len(layout.GRAVE_OBJECT) :]
        removed = 0
        if grave.startswith(layout.GRAVE_SPACE):
            removed = self._clear_records(layout.RECORD + number, budget)
            rest = [prefix + number for prefix in SPACE_PREFIXES]
        else:
            rest = [prefix + number for prefix in OBJECT_PREFIXES]
        for prefix in rest:
            if removed < budget:
                removed += self._clear_range(prefix, budget - removed)
        if removed < budget:
            self.kv.delete(grave)
            self.graves -= 1
            self._ids_dirty = True
            removed += 1
        return removed

    def _clear_range(self, prefix: bytes, budget: int) -> int:
        return self.kv.delete_range(prefix, layout.after(prefix), budget)

    def _clear_records(self, prefix: bytes, budget: int) -> int:
        """Remove records of a space that was cleared, with the objects that they own."""
        removed = 0
        for place, raw in self.kv.range(prefix, layout.after(prefix), budget):
            record = layout.decode(raw)
            self.kv.delete(place)
            removed += 1
            if record.form != layout.INLINE:
                self.drop_object(record)
        return removed


def prefixes_of(record: Record) -> tuple[bytes, ...]:
    """The prefixes under which parts of a record's object may lie."""
    if record.form == layout.FIELDS and record.extra:
        return OBJECT_PREFIXES
    return OBJECT_PREFIXES[:1]


def _elements_of(record: Record) -> i64:
    """How many elements a record's object has."""
    if record.form == layout.BLOB:
        return 1
    if record.form == layout.PAGED:
        return (record.length + layout.PAGE - 1) // layout.PAGE
    return record.length
