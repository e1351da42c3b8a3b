"""A database of a `KVBackend`: records under the names of keys, and an index of deadlines."""

from collections.abc import Iterator
from typing import Final, cast

from mypy_extensions import i64, mypyc_attr

from hypercache.backend import NO_EXPIRE, BackendError, Database, Entry, KeyWalk, Value
from hypercache.filters.segments import shape_for
from hypercache.keyspace import layout
from hypercache.keyspace.kv_check import inconsistencies
from hypercache.keyspace.kv_forms import new_record, open_value
from hypercache.keyspace.kv_handle import Handle
from hypercache.keyspace.kv_names import sample_name, scan_names
from hypercache.keyspace.kv_store import CHUNK, Live, Store, prefixes_of
from hypercache.keyspace.kv_tally import Tally
from hypercache.keyspace.kv_walk import NameWalk
from hypercache.keyspace.layout import (
    BLOB,
    FIELDS,
    INLINE,
    INLINE_LIMIT,
    NUMBER,
    Namer,
    Record,
    after,
    decode,
    is_digest,
    number,
    position,
)

NO_SLOT: Final = -1
INLINE_HEAD: Final = bytes((INLINE,))


@mypyc_attr(allow_interpreted_subclasses=True)
class KVDatabase(Database):
    """One numbered database over an ordered store."""

    def __init__(self, store: Store, tally: Tally, namer: Namer) -> None:
        self._store = store
        self._kv = store.kv
        self._tally = tally
        self._namer = namer
        # The key that was named last: a command looks for the same one again and again.
        self._named = b""
        self._last_name = namer.name(b"")
        self._last_position = position(self._last_name)

    def _name(self, key: bytes) -> bytes:
        """The name of a key."""
        if key == self._named:
            return self._last_name
        name = self._namer.name(key)
        self._named = key
        self._last_name = name
        self._last_position = position(name)
        return name

    def _is_absent(self) -> bool:
        """Whether the filter knows that the key that was named last is not there."""
        known = self._tally.filter
        return known is not None and not known.may_have(self._last_position)

    def _count_mistake(self) -> None:
        """The key that was named last is not there, though the filter did not deny it."""
        known = self._tally.filter
        if known is not None and known.knows(self._last_position):
            known.mistaken += 1

    # Records -----------------------------------------------------------------------------

    def _load(self, place: bytes) -> Record | None:
        """The record at a place, that of the value in use if there is one."""
        live = self._store.live.get(place)
        if live is not None:
            return live.lease.record
        raw = self._kv.get(place)
        return None if raw is None else decode(raw)

    def _present(self, key: bytes, place: bytes) -> Record:
        record = self._load(place)
        if record is None:
            raise BackendError(f"no such key: {key!r}")
        return record

    def _insert(self, name: bytes, record: Record) -> None:
        """Store a record under a name that is free."""
        place = self._tally.records + name
        raw = record.encode()
        self._kv.put(place, raw)
        self._enter(name, record, len(place) + len(raw))

    def _enter(self, name: bytes, record: Record, size: i64) -> None:
        """Account for a record that comes, of so many bytes with its place."""
        tally = self._tally
        if tally.filter is not None:
            tally.filter.add(position(name))
        tally.size += 1
        tally.used += size + self._kv.pair_overhead + record.used
        tally.volatile += record.expire != NO_EXPIRE
        tally.dirty = True
        self._add_deadline(tally.deadlines, name, record.expire)
        self._add_deadline(tally.field_deadlines, name, layout.noted_deadline(record))

    def _remove(self, name: bytes, record: Record) -> None:
        """Take a record away; its object is the caller's."""
        place = self._tally.records + name
        self._store.forget(place)
        self._kv.delete(place)
        tally = self._tally
        if tally.filter is not None:
            tally.filter.remove(position(name))
        tally.size -= 1
        tally.used -= len(place) + len(record.encode()) + self._kv.pair_overhead + record.used
        tally.dirty = True
        self._forsake(name, record)

    def _forsake(self, name: bytes, record: Record) -> None:
        """A record goes: so do its deadlines."""
        tally = self._tally
        tally.volatile -= record.expire != NO_EXPIRE
        self._drop_deadline(tally.deadlines, name, record.expire)
        self._drop_deadline(tally.field_deadlines, name, layout.noted_deadline(record))

    def _clear_name(self, name: bytes) -> None:
        """Make a name free: whatever is there goes."""
        known = self._tally.filter
        if known is not None and not known.may_have(position(name)):
            return
        record = self._load(self._tally.records + name)
        if record is not None:
            self._discard(name, record)

    def _discard(self, name: bytes, record: Record) -> None:
        self._remove(name, record)
        if record.form != INLINE:
            self._store.drop_object(record)

    def _add_deadline(self, prefix: bytes, name: bytes, deadline: i64) -> None:
        if deadline != NO_EXPIRE:
            key = prefix + layout.deadline_key(deadline, name)
            self._kv.put(key, b"")
            self._tally.used += len(key) + self._kv.pair_overhead

    def _drop_deadline(self, prefix: bytes, name: bytes, deadline: i64) -> None:
        if deadline != NO_EXPIRE:
            key = prefix + layout.deadline_key(deadline, name)
            self._kv.delete(key)
            self._tally.used -= len(key) + self._kv.pair_overhead

    def _entry(self, place: bytes, record: Record) -> Entry:
        """What `find` hands out for a record."""
        if record.form == INLINE:
            return Entry(record.value, record.expire, 0, NO_SLOT)
        if record.form == BLOB:
            blob = self._kv.get(layout.ELEMENT + number(record.object))
            if blob is None:
                raise BackendError(f"the store is damaged: object {record.object} is missing")
            return Entry(blob, record.expire, 0, NO_SLOT)
        return Entry(self._open(place, record), record.expire, 0, NO_SLOT)

    def _open(self, place: bytes, record: Record) -> Value:
        """The value of a record, to be edited in place."""
        handle = Handle(self._store, self._tally, place, record)
        value = open_value(handle, self._namer)
        self._store.remember(place, Live(value, handle))
        return value

    def _key(self, name: bytes, raw: bytes) -> bytes:
        """The key of a record."""
        return decode(raw).key if is_digest(name) else name[NUMBER:]

    def _long_key(self, key: bytes, name: bytes) -> bytes:
        """What the record has to hold of a key under that name."""
        return key if is_digest(name) else b""

    # One key -------------------------------------------------------------------------------

    def find(self, key: bytes) -> Entry | None:
        place = self._tally.records + self._name(key)
        if self._is_absent():
            return None
        if self._store.live:
            live = self._store.live.get(place)
            if live is not None:
                return Entry(live.value, live.lease.record.expire, 0, NO_SLOT)
        raw = self._kv.get(place)
        if raw is None:
            self._count_mistake()
            return None
        if raw[0] == INLINE:  # no deadline, no key: the common case
            return Entry(raw[1:], NO_EXPIRE, 0, NO_SLOT)
        return self._entry(place, decode(raw))

    def put(self, key: bytes, value: bytes, expire: i64) -> Entry:
        name = self._name(key)
        place = self._tally.records + name
        with self._store:
            if expire == NO_EXPIRE and len(value) <= INLINE_LIMIT and not is_digest(name):
                self._put_short(name, place, value)
            else:
                self._clear_name(name)
                self._insert_string(name, self._long_key(key, name), value, expire)
        return Entry(value, expire, 0, NO_SLOT)

    def _put_short(self, name: bytes, place: bytes, value: bytes) -> None:
        """Store a short string without a deadline: one search, what was there comes with it."""
        live = self._store.live.get(place)
        if live is not None:
            self._store.write_records()
        raw = INLINE_HEAD + value
        old = self._kv.exchange(place, raw)
        tally = self._tally
        tally.dirty = True
        if old is None:
            if tally.filter is not None:
                tally.filter.add(position(name))
            tally.size += 1
            tally.used += len(place) + len(raw) + self._kv.pair_overhead
        elif old[0] == INLINE:
            tally.used += len(raw) - len(old)
        else:
            record = decode(old)
            self._store.forget(place)
            self._forsake(name, record)
            tally.used += len(raw) - len(record.encode()) - record.used
            if record.form != INLINE:
                self._store.drop_object(record)

    def _insert_string(self, name: bytes, long_key: bytes, value: bytes, expire: i64) -> None:
        if len(value) <= INLINE_LIMIT:
            self._insert(name, Record(INLINE, expire, long_key, value))
            return
        record = Record(BLOB, expire, long_key, b"")
        record.object = self._store.new_object()
        record.length = len(value)
        blob = layout.ELEMENT + number(record.object)
        self._kv.put(blob, value)
        record.used = len(blob) + len(value) + self._kv.pair_overhead
        self._insert(name, record)

    def create(self, key: bytes, kind: int) -> Entry:
        name = self._name(key)
        place = self._tally.records + name
        record = new_record(kind, self._long_key(key, name))
        with self._store:
            self._clear_name(name)
            record.object = self._store.new_object()
            self._enter(name, record, len(place) + len(record.encode()))
            # Hardly anybody leaves it empty, so it is written with what it holds by then.
            value = self._open(place, record)
            self._store.note(self._store.live[place].lease)
        return Entry(value, record.expire, 0, NO_SLOT)

    def unlink(self, key: bytes) -> bool:
        name = self._name(key)
        if self._is_absent():
            return False
        record = self._load(self._tally.records + name)
        if record is None:
            self._count_mistake()
            return False
        with self._store:
            self._discard(name, record)
        return True

    def expire(self, key: bytes, deadline: i64) -> None:
        name = self._name(key)
        place = self._tally.records + name
        record = self._present(key, place)
        if record.expire == deadline:
            return
        tally = self._tally
        with self._store:
            before = len(record.encode())
            self._drop_deadline(tally.deadlines, name, record.expire)
            tally.volatile += (deadline != NO_EXPIRE) - (record.expire != NO_EXPIRE)
            record.expire = deadline
            self._rewrite(place, record, before)
            self._add_deadline(tally.deadlines, name, deadline)

    def _rewrite(self, place: bytes, record: Record, before: int) -> None:
        """Store a record that has changed; ``before`` are the bytes that it had."""
        raw = record.encode()
        self._kv.put(place, raw)
        self._tally.used += len(raw) - before
        self._tally.dirty = True

    def expire_fields(self, key: bytes, deadline: i64) -> None:
        name = self._name(key)
        place = self._tally.records + name
        record = self._present(key, place)
        noted = layout.noted_deadline(record)
        if record.form != FIELDS or noted == deadline:
            return
        with self._store:
            before = len(record.encode())
            self._drop_deadline(self._tally.field_deadlines, name, noted)
            earliest = layout.earliest_deadline(record)
            record.extra = layout.encode_field_deadlines(earliest, deadline)
            self._rewrite(place, record, before)
            self._add_deadline(self._tally.field_deadlines, name, deadline)

    def move(self, key: bytes, target: Database, new_key: bytes) -> None:
        destination = cast(KVDatabase, target)
        name = self._name(key)
        new_name = self._name(new_key)
        record = self._present(key, self._tally.records + name)
        with self._store:
            destination._clear_name(new_name)
            self._remove(name, record)
            record.key = self._long_key(new_key, new_name)
            destination._insert(new_name, record)

    def copy(self, key: bytes, target: Database, new_key: bytes) -> None:
        destination = cast(KVDatabase, target)
        new_name = self._name(new_key)
        record = self._present(key, self._tally.records + self._name(key))
        twin = Record(record.form, record.expire, self._long_key(new_key, new_name), record.value)
        twin.length = record.length
        twin.used = record.used
        twin.encoding = record.encoding
        twin.extra = record.extra
        with self._store:
            destination._clear_name(new_name)
            if record.form != INLINE:
                self._store.write_records()
                twin.object = self._store.new_object()
                for prefix in prefixes_of(record):
                    self._copy_pairs(prefix + number(record.object), prefix + number(twin.object))
            destination._insert(new_name, twin)

    def _copy_pairs(self, source: bytes, copy: bytes) -> None:
        """Copy all pairs under a prefix to another one."""
        start = source
        skipped = len(source)
        stop = after(source)
        while True:
            pairs = self._kv.range(start, stop, CHUNK)
            for key, value in pairs:
                self._kv.put(copy + key[skipped:], value)
            if len(pairs) < CHUNK:
                return
            start = pairs[-1][0] + b"\x00"

    def swap(self, other: Database) -> None:
        ours, theirs = self._tally, cast(KVDatabase, other)._tally
        with self._store:
            self._store.forget_space(ours.records)
            self._store.forget_space(theirs.records)
            ours.exchange(theirs)

    # The whole database --------------------------------------------------------------------

    def size(self) -> int:
        return self._tally.size

    def volatile(self) -> int:
        return self._tally.volatile

    def due(self, now: i64, limit: int) -> list[bytes]:
        if self._tally.volatile == 0:
            return []
        return self._due(self._tally.deadlines, now, limit)

    def due_fields(self, now: i64, limit: int) -> list[bytes]:
        return self._due(self._tally.field_deadlines, now, limit)

    def has_volatile_fields(self) -> bool:
        index = self._tally.field_deadlines
        return bool(self._kv.range(index, layout.after(index), 1))

    def _due(self, index: bytes, now: i64, limit: int) -> list[bytes]:
        """The keys that an index of deadlines has up to a time."""
        skipped = len(index) + 8
        stop = index + layout.deadline_key(now + 1, b"")
        found: list[bytes] = []
        for key, _ in self._kv.range(index, stop, limit):
            name = key[skipped:]
            if is_digest(name):
                found.append(self._key(name, self._must_get(self._tally.records + name)))
            else:
                found.append(name[NUMBER:])
        return found

    def _must_get(self, place: bytes) -> bytes:
        raw = self._kv.get(place)
        if raw is None:
            raise BackendError(f"the store is damaged: {place!r} is missing")
        return raw

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        self._store.write_records()
        prefix = self._tally.records
        following, pairs = scan_names(self._kv, prefix, self._tally.size, cursor, count)
        skipped = len(prefix)
        return following, [self._key(place[skipped:], raw) for place, raw in pairs]

    def sample(self, pick: i64) -> bytes | None:
        self._store.write_records()
        prefix = self._tally.records
        pair = sample_name(self._kv, prefix, self._tally.size, pick)
        return None if pair is None else self._key(pair[0][len(prefix) :], pair[1])

    def keys(self) -> Iterator[bytes]:
        self._store.write_records()
        start = prefix = self._tally.records
        stop = after(prefix)
        while True:
            pairs = self._kv.range(start, stop, CHUNK)
            for place, raw in pairs:
                yield self._key(place[len(prefix) :], raw)
            if len(pairs) < CHUNK:
                return
            start = pairs[-1][0] + b"\x00"

    def walk(self) -> KeyWalk:
        return NameWalk(self, self._namer)

    def clear(self) -> None:
        tally = self._tally
        if tally.size == 0:
            return
        with self._store:
            self._store.forget_space(tally.records)
            self._store.drop_space(tally.space)
            tally.size = 0
            tally.enter(self._store.new_space())
            tally.volatile = 0
            tally.used = 0
            tally.dirty = True

    def memory(self) -> int:
        return self._tally.used

    def memory_of(self, key: bytes) -> int:
        name = self._name(key)
        place = self._tally.records + name
        record = self._present(key, place)
        used = len(place) + len(record.encode()) + self._kv.pair_overhead + record.used
        for deadline in (record.expire, layout.noted_deadline(record)):
            if deadline != NO_EXPIRE:
                used += len(self._tally.deadlines) + 8 + len(name) + self._kv.pair_overhead
        return used

    def adjust(self, key: bytes, before: int, after: int) -> None:
        """Nothing: the values keep the account themselves."""

    def filter_lookups(self, error_rate: float) -> None:
        tally = self._tally
        if error_rate != tally.filter_rate:
            shape_for(error_rate if error_rate > 0 else 1.0)
            tally.filter_rate = error_rate
            self._store.filters.drop(tally.space)
            tally.follow_filter()

    def filter_statistics(self) -> dict[str, int]:
        known = self._tally.filter
        return {} if known is None else known.statistics()

    def check(self) -> list[str]:
        self._store.write_records()
        wrong = inconsistencies(self._store, self._tally, self._namer)
        known = self._tally.filter
        if known is not None:
            wrong += known.check()
            for key in self.keys():
                if not known.may_have(position(self._namer.name(key))):
                    wrong.append(f"the filter denies the key {key!r}")
        return wrong
