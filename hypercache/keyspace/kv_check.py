# mypyc: interpreted
"""Whether what a `KVBackend` stored is consistent.

For `Database.check` of one that is open, and `store_problems` of a store that is only read; so
not fast, but it holds no more than eight bytes for each value, and one value's names at a time.
"""

import struct
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from hypercache.backend import NO_EXPIRE, BackendError
from hypercache.backend_tools import Progress, unheard
from hypercache.keyspace import layout
from hypercache.keyspace.kv_check_values import ValueAudit, walk
from hypercache.keyspace.kv_formats import format_of
from hypercache.keyspace.kv_store import OBJECT_PREFIXES, SPACE_PREFIXES, Store
from hypercache.keyspace.kv_tally import Tally
from hypercache.keyspace.ordered import OrderedKV

_PREFIXES: Final = (
    layout.META,
    layout.GRAVE,
    layout.RECORD,
    *SPACE_PREFIXES,
    *OBJECT_PREFIXES,
)
# Records between two reports.
_STRIDE: Final = 1000

# What comes of reading bytes that were not written so.
UNREADABLE = (struct.error, IndexError, ValueError, BackendError)


def store_problems(kv: OrderedKV, progress: Progress) -> list[str]:
    """What is wrong in all of a store that is only read, in words.

    Raises `BackendError` for one that this version does not know, or that is to be migrated.
    """
    if not kv.range(b"\x00", b"\xff", 1):
        return []  # it was never opened
    version = format_of(kv)
    if version < layout.VERSION or kv.get(layout.META_MIGRATION) is not None:
        raise BackendError(
            f"the store has the format {version}: start the server with it once, which brings it"
            f" to format {layout.VERSION}"
        )
    store = Store(kv)
    tallies = kv.range(layout.META_TALLY, layout.after(layout.META_TALLY), 1, reverse=True)
    databases = 0
    if tallies:
        databases = 1 + int.from_bytes(tallies[0][0][len(layout.META_TALLY) :], "big")
    namer = layout.Namer(store.view(databases), kv.max_key_size)
    wrong: list[str] = []
    for tally in store.tallies:
        wrong += inconsistencies(store, tally, namer, progress)
    return wrong


def inconsistencies(
    store: Store, tally: Tally, namer: layout.Namer, progress: Progress = unheard
) -> list[str]:
    """What is wrong in a database (in the first one also: with the store), in words."""
    wrong = _Audit(store, tally, namer, progress).run()
    if tally.index == 0:
        wrong += _Ownership(store, progress).run()
    return wrong


class _Audit:
    """A walk through one database, adding up what its counters should say."""

    def __init__(self, store: Store, tally: Tally, namer: layout.Namer, progress: Progress) -> None:
        self.store = store
        self.tally = tally
        self.namer = namer
        self.progress = progress
        self.wrong: list[str] = []
        self.size = 0
        self.volatile = 0
        self.used = 0

    def run(self) -> list[str]:
        overhead = self.store.kv.pair_overhead
        tally = self.tally
        prefix = tally.records
        what = f"checking database {tally.index}"
        for place, raw in walk(self.store.kv, prefix):
            self.size += 1
            if self.size % _STRIDE == 0:
                self.progress(what, self.size, max(tally.size, self.size))
            self.used += len(place) + len(raw) + overhead
            self._record(place[len(prefix) :], raw)
        self._index(tally.deadlines, overhead)
        self._index(tally.field_deadlines, overhead)
        if self.size > 0:
            self.progress(what, self.size, self.size)
        self._compare("keys", tally.size, self.size)
        self._compare("keys with a deadline", tally.volatile, self.volatile)
        self._compare("bytes", tally.used, self.used)
        return self.wrong

    def _compare(self, what: str, counted: int, found: int) -> None:
        if counted != found:
            self.wrong.append(f"database {self.tally.index} counts {counted} {what}, has {found}")

    def _record(self, name: bytes, raw: bytes) -> None:
        try:
            self._value(name, layout.decode(raw))
        except UNREADABLE as error:
            self.wrong.append(f"{name!r} cannot be read: {error}")

    def _value(self, name: bytes, record: layout.Record) -> None:
        self.volatile += record.expire != NO_EXPIRE
        for index, deadline in (
            (self.tally.deadlines, record.expire),
            (self.tally.field_deadlines, layout.noted_deadline(record)),
        ):
            if deadline == NO_EXPIRE:
                continue
            if self.store.kv.get(index + layout.deadline_key(deadline, name)) is None:
                self.wrong.append(f"{name!r} has a deadline that the index does not hold")
        if record.form == layout.INLINE:
            return
        audit = ValueAudit(self.store.kv, self.namer, record)
        self.used += audit.used()
        self.wrong += [f"{name!r} {found}" for found in audit.run()]

    def _index(self, prefix: bytes, overhead: int) -> None:
        """Compare an index of deadlines with the records."""
        for key, value in walk(self.store.kv, prefix):
            self.used += len(key) + len(value) + overhead
            name = key[len(prefix) + 8 :]
            record = _readable(self.store.kv.get(self.tally.records + name))
            due = NO_EXPIRE
            if record is not None:
                fields = prefix == self.tally.field_deadlines
                due = layout.noted_deadline(record) if fields else record.expire
            if due == NO_EXPIRE or layout.deadline_key(due, name) != key[len(prefix) :]:
                self.wrong.append(f"an index of deadlines holds {name!r}, which has another")


class _Ownership:
    """A walk through all objects and spaces: each has one owner, or `reclaim` will find it."""

    def __init__(self, store: Store, progress: Progress) -> None:
        self.kv = store.kv
        self.store = store
        self.progress = progress
        self.wrong: list[str] = []
        self.spaces = {tally.space for tally in store.tallies}
        # Numbers of objects that have an owner; in order once all are there.
        self.owned = array("Q")

    def run(self) -> list[str]:
        """What is wrong, in words."""
        self._graves()
        self._records()
        self._numbers()
        for prefix in (layout.RECORD, *SPACE_PREFIXES):
            for number in self._places(prefix):
                if number not in self.spaces:
                    self.wrong.append(f"space {number} has {prefix!r}, but no database uses it")
        lost: set[int] = set()
        for done, prefix in enumerate(OBJECT_PREFIXES):
            self.progress("looking for orphans", done, len(OBJECT_PREFIXES))
            lost.update(number for number in self._places(prefix) if not self._is_owned(number))
        self.progress("looking for orphans", len(OBJECT_PREFIXES), len(OBJECT_PREFIXES))
        self.wrong += [f"object {number} belongs to no key" for number in sorted(lost)]
        start = b"\x00"
        for prefix in (*sorted(_PREFIXES), b"\xff"):
            if pairs := self.kv.range(start, prefix, 1):
                self.wrong.append(f"{pairs[0][0]!r} is nothing that HyperCache stores")
            start = layout.after(prefix) if prefix != b"\xff" else prefix
        return self.wrong

    def _graves(self) -> None:
        graves = 0
        for grave, _ in walk(self.kv, layout.GRAVE):
            graves += 1
            number = int.from_bytes(grave[len(layout.GRAVE_OBJECT) :], "big")
            if grave.startswith(layout.GRAVE_OBJECT):
                self.owned.append(number)
            else:
                self.spaces.add(number)
        if graves != self.store.graves:
            self.wrong.append(f"the store counts {self.store.graves} graves, has {graves}")

    def _records(self) -> None:
        """Whose object is whose; of spaces that were cleared, too."""
        total = sum([tally.size for tally in self.store.tallies])
        for done, (_, raw) in enumerate(walk(self.kv, layout.RECORD), 1):
            if done % _STRIDE == 0:
                self.progress("looking for owners", done, max(done, total))
            record = _readable(raw)
            if record is not None and record.form != layout.INLINE:
                self.owned.append(record.object)
        self.owned = array("Q", sorted(self.owned))
        for one, following in zip(self.owned, self.owned[1:], strict=False):
            if one == following:
                self.wrong.append(f"object {one} belongs to two keys")

    def _numbers(self) -> None:
        """The next numbers are above all others."""
        next_object, next_space = self.store.next_numbers()
        if self.owned and self.owned[-1] >= next_object:
            self.wrong.append(f"would give the number of object {next_object} twice")
        if max(self.spaces, default=0) >= next_space:
            self.wrong.append(f"would give the number of space {next_space} twice")

    def _places(self, prefix: bytes) -> Iterator[int]:
        """The numbers of objects, or spaces, of which there is something under a prefix."""
        start = prefix
        stop = layout.after(prefix)
        while pairs := self.kv.range(start, stop, 1):
            number = pairs[0][0][len(prefix) : len(prefix) + layout.NUMBER]
            yield int.from_bytes(number, "big")
            start = layout.after(prefix + number)

    def _is_owned(self, number: int) -> bool:
        place = bisect_left(self.owned, number)
        return place < len(self.owned) and self.owned[place] == number


def _readable(raw: bytes | None) -> layout.Record | None:
    """A record if it can be read with what belongs to it; what cannot is told elsewhere."""
    try:
        record = None if raw is None else layout.decode(raw)
        if record is not None:
            layout.noted_deadline(record)
    except UNREADABLE:
        return None
    return record
