# mypyc: interpreted
"""Whether what a `KVBackend` stored is consistent; for `Database.check`, so not fast."""

from collections.abc import Iterator

from hypercache.backend import NO_EXPIRE
from hypercache.keyspace import layout
from hypercache.keyspace.kv_store import CHUNK, Store
from hypercache.keyspace.kv_tally import Tally


def inconsistencies(store: Store, tally: Tally) -> list[str]:
    """What is wrong in a database (in the first one also: with the store), in words."""
    wrong = _Audit(store, tally).run()
    if tally.index == 0:
        wrong += _orphans(store)
    return wrong


class _Audit:
    """A walk through one database, adding up what its counters should say."""

    def __init__(self, store: Store, tally: Tally) -> None:
        self.store = store
        self.tally = tally
        self.wrong: list[str] = []
        self.size = 0
        self.volatile = 0
        self.used = 0

    def run(self) -> list[str]:
        overhead = self.store.kv.pair_overhead
        prefix = self.tally.records
        for place, raw in _walk(self.store, prefix):
            self.size += 1
            self.used += len(place) + len(raw) + overhead
            self._record(place[len(prefix) :], layout.decode(raw))
        self._deadlines(overhead)
        tally = self.tally
        self._compare("keys", tally.size, self.size)
        self._compare("keys with a deadline", tally.volatile, self.volatile)
        self._compare("bytes", tally.used, self.used)
        return self.wrong

    def _compare(self, what: str, counted: int, found: int) -> None:
        if counted != found:
            self.wrong.append(f"database {self.tally.index} counts {counted} {what}, has {found}")

    def _record(self, name: bytes, record: layout.Record) -> None:
        if record.expire != NO_EXPIRE:
            self.volatile += 1
            index = self.tally.deadlines + layout.deadline_key(record.expire, name)
            if self.store.kv.get(index) is None:
                self.wrong.append(f"{name!r} has a deadline that the index does not hold")
        if record.form == layout.INLINE:
            return
        elements = 0
        used = 0
        for key, value in _walk(self.store, layout.ELEMENT + layout.number(record.object)):
            elements += 1
            used += len(key) + len(value) + self.store.kv.pair_overhead
        self.used += used
        if used != record.used:
            self.wrong.append(f"{name!r} counts {record.used} bytes of elements, has {used}")
        if record.form == layout.FIELDS and elements != record.length:
            self.wrong.append(f"{name!r} counts {record.length} fields, has {elements}")

    def _deadlines(self, overhead: int) -> None:
        prefix = self.tally.deadlines
        for key, _ in _walk(self.store, prefix):
            self.used += len(key) + overhead
            name = key[len(prefix) + 8 :]
            raw = self.store.kv.get(self.tally.records + name)
            due = None if raw is None else layout.deadline_key(layout.decode(raw).expire, name)
            if due != key[len(prefix) :]:
                self.wrong.append(f"the index of deadlines holds {name!r}, which has another")


def _orphans(store: Store) -> list[str]:
    """Objects that neither a record owns nor `reclaim` will find."""
    known: set[bytes] = set()
    graves = 0
    spaces = {tally.records for tally in store.tallies}
    for grave, _ in _walk(store, layout.GRAVE):
        graves += 1
        number = grave[len(layout.GRAVE_OBJECT) :]
        if grave.startswith(layout.GRAVE_OBJECT):
            known.add(number)
        else:
            spaces.add(layout.RECORD + number)
    wrong: list[str] = []
    if graves != store.graves:
        wrong.append(f"the store counts {store.graves} graves, has {graves}")
    for place, raw in _walk(store, layout.RECORD):
        if place[: 1 + layout.NUMBER] not in spaces:
            wrong.append(f"{place!r} lies in a space that no database uses")
        record = layout.decode(raw)
        if record.form != layout.INLINE:
            known.add(layout.number(record.object))
    lost: set[bytes] = set()
    for key, _ in _walk(store, layout.ELEMENT):
        number = key[1 : 1 + layout.NUMBER]
        if number not in known and number not in lost:
            lost.add(number)
            wrong.append(f"object {int.from_bytes(number, 'big')} belongs to no key")
    return wrong


def _walk(store: Store, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
    """All pairs whose keys begin with ``prefix``, in order."""
    start = prefix
    stop = layout.after(prefix)
    while True:
        pairs = store.kv.range(start, stop, CHUNK)
        yield from pairs
        if len(pairs) < CHUNK:
            return
        start = pairs[-1][0] + b"\x00"
