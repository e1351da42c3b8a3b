# mypyc: interpreted
"""Whether what a `KVBackend` stored is consistent; for `Database.check`, so not fast."""

import struct

from hypercache.backend import NO_EXPIRE
from hypercache.keyspace import layout
from hypercache.keyspace.kv_check_values import ValueAudit, walk
from hypercache.keyspace.kv_store import OBJECT_PREFIXES, Store
from hypercache.keyspace.kv_tally import Tally

# What comes of reading bytes that were not written so.
UNREADABLE = (struct.error, IndexError, ValueError)


def inconsistencies(store: Store, tally: Tally, namer: layout.Namer) -> list[str]:
    """What is wrong in a database (in the first one also: with the store), in words."""
    wrong = _Audit(store, tally, namer).run()
    if tally.index == 0:
        wrong += _orphans(store)
    return wrong


class _Audit:
    """A walk through one database, adding up what its counters should say."""

    def __init__(self, store: Store, tally: Tally, namer: layout.Namer) -> None:
        self.store = store
        self.tally = tally
        self.namer = namer
        self.wrong: list[str] = []
        self.size = 0
        self.volatile = 0
        self.used = 0

    def run(self) -> list[str]:
        overhead = self.store.kv.pair_overhead
        tally = self.tally
        prefix = tally.records
        for place, raw in walk(self.store.kv, prefix):
            self.size += 1
            self.used += len(place) + len(raw) + overhead
            self._record(place[len(prefix) :], raw)
        self._index(tally.deadlines, overhead)
        self._index(tally.field_deadlines, overhead)
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


def _orphans(store: Store) -> list[str]:
    """Objects that neither a record owns nor `reclaim` will find."""
    known: set[bytes] = set()
    graves = 0
    spaces = {tally.records for tally in store.tallies}
    for grave, _ in walk(store.kv, layout.GRAVE):
        graves += 1
        number = grave[len(layout.GRAVE_OBJECT) :]
        if grave.startswith(layout.GRAVE_OBJECT):
            known.add(number)
        else:
            spaces.add(layout.RECORD + number)
    wrong: list[str] = []
    if graves != store.graves:
        wrong.append(f"the store counts {store.graves} graves, has {graves}")
    for place, raw in walk(store.kv, layout.RECORD):
        if place[: 1 + layout.NUMBER] not in spaces:
            wrong.append(f"{place!r} lies in a space that no database uses")
        record = _readable(raw)
        if record is not None and record.form != layout.INLINE:
            known.add(layout.number(record.object))
    lost: set[bytes] = set()
    for prefix in OBJECT_PREFIXES:
        for key, _ in walk(store.kv, prefix):
            number = key[1 : 1 + layout.NUMBER]
            if number not in known and number not in lost:
                lost.add(number)
                wrong.append(f"object {int.from_bytes(number, 'big')} belongs to no key")
    return wrong


def _readable(raw: bytes | None) -> layout.Record | None:
    """A record if it can be read with what belongs to it; what cannot is told elsewhere."""
    try:
        record = None if raw is None else layout.decode(raw)
        if record is not None:
            layout.noted_deadline(record)
    except UNREADABLE:
        return None
    return record
