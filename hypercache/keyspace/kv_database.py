"""A database of a `KVBackend`: records under the names of keys, and an index of deadlines."""

from collections.abc import Iterator
from typing import Final, cast

from mypy_extensions import i64, mypyc_attr

from hypercache.backend import HASH, NO_EXPIRE, STRING, BackendError, Database, Entry, Value
from hypercache.keyspace import layout
from hypercache.keyspace.kv_check import inconsistencies
from hypercache.keyspace.kv_store import CHUNK, Handle, Live, Store, elements_of
from hypercache.keyspace.kv_tally import Tally
from hypercache.keyspace.kv_values import KVHash, KVString
from hypercache.keyspace.layout import (
    BLOB,
    FIELDS,
    INLINE,
    INLINE_LIMIT,
    NUMBER,
    PAGED,
    Namer,
    Record,
    after,
    decode,
    is_digest,
    number,
    position,
)

NO_SLOT: Final = -1
# A random key is one of this many neighbours, to even out the gaps between hashes.
SAMPLE_WINDOW: Final = 8
# `sample` gets 62 random bits: the upper ones choose a place among 2**48, all of them the
# neighbour.
SAMPLE_SHIFT: Final = 62 - 8 * NUMBER


@mypyc_attr(allow_interpreted_subclasses=True)
class KVDatabase(Database):
    """One numbered database over an ordered store."""

    def __init__(self, store: Store, tally: Tally, namer: Namer) -> None:
        self._store = store
        self._kv = store.kv
        self._tally = tally
        self._namer = namer

    # Records -----------------------------------------------------------------------------

    def _load(self, place: bytes) -> Record | None:
        """The record at a place, that of the value in use if there is one."""
        live = self._store.live.get(place)
        if live is not None:
            return live.handle.record
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
        tally = self._tally
        tally.size += 1
        tally.used += len(place) + len(raw) + self._kv.pair_overhead + record.used
        tally.dirty = True
        self._add_deadline(name, record.expire)

    def _remove(self, name: bytes, record: Record) -> None:
        """Take a record away; its object is the caller's."""
        place = self._tally.records + name
        self._store.forget(place)
        self._kv.delete(place)
        tally = self._tally
        tally.size -= 1
        tally.used -= len(place) + len(record.encode()) + self._kv.pair_overhead + record.used
        tally.dirty = True
        self._drop_deadline(name, record.expire)

    def _clear_name(self, name: bytes) -> None:
        """Make a name free: whatever is there goes."""
        record = self._load(self._tally.records + name)
        if record is not None:
            self._discard(name, record)

    def _discard(self, name: bytes, record: Record) -> None:
        self._remove(name, record)
        if record.form != INLINE and record.length > 0:
            self._store.drop_object(record.object, elements_of(record))

    def _add_deadline(self, name: bytes, deadline: i64) -> None:
        if deadline != NO_EXPIRE:
            key = self._tally.deadlines + layout.deadline_key(deadline, name)
            self._kv.put(key, b"")
            self._tally.volatile += 1
            self._tally.used += len(key) + self._kv.pair_overhead

    def _drop_deadline(self, name: bytes, deadline: i64) -> None:
        if deadline != NO_EXPIRE:
            key = self._tally.deadlines + layout.deadline_key(deadline, name)
            self._kv.delete(key)
            self._tally.volatile -= 1
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
        value: Value
        if record.form == FIELDS:
            value = KVHash(handle, self._namer)
        elif record.form == PAGED:
            value = KVString(handle)
        else:
            raise BackendError(
                f"a record has the form {record.form}, which this version does not know:"
                " open the store with the version that wrote it"
            )
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
        place = self._tally.records + self._namer.name(key)
        if self._store.live:
            live = self._store.live.get(place)
            if live is not None:
                return Entry(live.value, live.handle.record.expire, 0, NO_SLOT)
        raw = self._kv.get(place)
        if raw is None:
            return None
        if raw[0] == INLINE:  # no deadline, no key: the common case
            return Entry(raw[1:], NO_EXPIRE, 0, NO_SLOT)
        return self._entry(place, decode(raw))

    def put(self, key: bytes, value: bytes, expire: i64) -> Entry:
        name = self._namer.name(key)
        place = self._tally.records + name
        with self._store:
            old = self._kv.get(place)
            if old is not None and not self._overwrite(place, old, value, expire):
                self._clear_name(name)
                old = None
            if old is None:
                self._insert_string(name, self._long_key(key, name), value, expire)
        return Entry(value, expire, 0, NO_SLOT)

    def _overwrite(self, place: bytes, old: bytes, value: bytes, expire: i64) -> bool:
        """Replace a short string by another, both without a deadline; False if it is not so."""
        if old[0] != INLINE or expire != NO_EXPIRE or len(value) > INLINE_LIMIT:
            return False
        self._kv.put(place, old[:1] + value)
        self._tally.used += 1 + len(value) - len(old)
        self._tally.dirty = True
        return True

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
        if kind == STRING:
            form = PAGED
        elif kind == HASH:
            form = FIELDS
        else:
            raise BackendError(f"create: this backend does not know values of kind {kind}")
        name = self._namer.name(key)
        record = Record(form, NO_EXPIRE, self._long_key(key, name), b"")
        with self._store:
            self._clear_name(name)
            record.object = self._store.new_object()
            self._insert(name, record)
        return self._entry(self._tally.records + name, record)

    def unlink(self, key: bytes) -> bool:
        name = self._namer.name(key)
        record = self._load(self._tally.records + name)
        if record is None:
            return False
        with self._store:
            self._discard(name, record)
        return True

    def expire(self, key: bytes, deadline: i64) -> None:
        name = self._namer.name(key)
        place = self._tally.records + name
        record = self._present(key, place)
        if record.expire == deadline:
            return
        with self._store:
            before = len(record.encode())
            self._drop_deadline(name, record.expire)
            record.expire = deadline
            raw = record.encode()
            self._kv.put(place, raw)
            self._add_deadline(name, deadline)
            self._tally.used += len(raw) - before
            self._tally.dirty = True

    def move(self, key: bytes, target: Database, new_key: bytes) -> None:
        destination = cast(KVDatabase, target)
        name = self._namer.name(key)
        new_name = self._namer.name(new_key)
        record = self._present(key, self._tally.records + name)
        with self._store:
            destination._clear_name(new_name)
            self._remove(name, record)
            record.key = self._long_key(new_key, new_name)
            destination._insert(new_name, record)

    def copy(self, key: bytes, target: Database, new_key: bytes) -> None:
        destination = cast(KVDatabase, target)
        new_name = self._namer.name(new_key)
        record = self._present(key, self._tally.records + self._namer.name(key))
        twin = Record(record.form, record.expire, self._long_key(new_key, new_name), record.value)
        twin.length = record.length
        twin.used = record.used
        twin.wide = record.wide
        with self._store:
            destination._clear_name(new_name)
            if record.form != INLINE:
                twin.object = self._store.new_object()
                self._copy_elements(record.object, twin.object)
            destination._insert(new_name, twin)

    def _copy_elements(self, source: i64, copy: i64) -> None:
        start = layout.ELEMENT + number(source)
        prefix = layout.ELEMENT + number(copy)
        skipped = len(start)
        stop = after(start)
        while True:
            pairs = self._kv.range(start, stop, CHUNK)
            for key, value in pairs:
                self._kv.put(prefix + key[skipped:], value)
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
        tally = self._tally
        if tally.volatile == 0:
            return []
        skipped = len(tally.deadlines) + 8
        stop = tally.deadlines + layout.deadline_key(now + 1, b"")
        found: list[bytes] = []
        for key, _ in self._kv.range(tally.deadlines, stop, limit):
            name = key[skipped:]
            if is_digest(name):
                found.append(self._key(name, self._must_get(tally.records + name)))
            else:
                found.append(name[NUMBER:])
        return found

    def _must_get(self, place: bytes) -> bytes:
        raw = self._kv.get(place)
        if raw is None:
            raise BackendError(f"the store is damaged: {place!r} is missing")
        return raw

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        # A step ends between two hashes: what shares one must not be split.
        if cursor >> (8 * NUMBER):
            return 0, []
        prefix = self._tally.records
        skipped = len(prefix)
        limit: int = max(min(count, self._tally.size), 1)
        while True:
            pairs = self._kv.range(prefix + number(cursor), after(prefix), limit + 1)
            following = 0
            cut = len(pairs)
            if cut > limit:
                cut = limit
                following = position(pairs[limit][0][skipped:])
                while cut > 0 and position(pairs[cut - 1][0][skipped:]) == following:
                    cut -= 1
            if cut > 0 or not pairs:
                return following, [self._key(place[skipped:], raw) for place, raw in pairs[:cut]]
            limit *= 2

    def sample(self, pick: i64) -> bytes | None:
        prefix = self._tally.records
        stop = after(prefix)
        start = prefix
        if self._tally.size > SAMPLE_WINDOW:
            start = prefix + number(pick >> SAMPLE_SHIFT)
        pairs = self._kv.range(start, stop, SAMPLE_WINDOW)
        if len(pairs) < SAMPLE_WINDOW and start != prefix:
            pairs += self._kv.range(prefix, start, SAMPLE_WINDOW - len(pairs))
        if not pairs:
            return None
        place, raw = pairs[pick % len(pairs)]
        return self._key(place[len(prefix) :], raw)

    def keys(self) -> Iterator[bytes]:
        start = prefix = self._tally.records
        stop = after(prefix)
        while True:
            pairs = self._kv.range(start, stop, CHUNK)
            for place, raw in pairs:
                yield self._key(place[len(prefix) :], raw)
            if len(pairs) < CHUNK:
                return
            start = pairs[-1][0] + b"\x00"

    def clear(self) -> None:
        tally = self._tally
        if tally.size == 0:
            return
        with self._store:
            self._store.forget_space(tally.records)
            self._store.drop_space(tally.space)
            tally.enter(self._store.new_space())
            tally.size = 0
            tally.volatile = 0
            tally.used = 0
            tally.dirty = True

    def memory(self) -> int:
        return self._tally.used

    def memory_of(self, key: bytes) -> int:
        name = self._namer.name(key)
        place = self._tally.records + name
        record = self._present(key, place)
        used = len(place) + len(record.encode()) + self._kv.pair_overhead + record.used
        if record.expire != NO_EXPIRE:
            used += len(self._tally.deadlines) + 8 + len(name) + self._kv.pair_overhead
        return used

    def adjust(self, key: bytes, before: int, after: int) -> None:
        """Nothing: the values keep the account themselves."""

    def check(self) -> list[str]:
        return inconsistencies(self._store, self._tally)
