"""What a value of a `KVBackend` works with: its pairs in the store, its record, the accounts."""

from collections.abc import Iterator

from mypy_extensions import i64

from hypercache.backend import BackendError
from hypercache.keyspace import layout
from hypercache.keyspace.kv_store import CHUNK, Lease, Store
from hypercache.keyspace.kv_tally import Tally
from hypercache.keyspace.layout import Record


class Handle(Lease):
    """The record of a value in use: where it lies, and the counters that go with it.

    `add`, `replace` and `drop` write the pairs of the value's object and keep account of the
    bytes; whoever calls them calls `settle` at the end, in the same transaction.

    A pair that is rewritten again and again, such as the last chunk of a list, can be held back
    with `hold` until the unit is committed or somebody calls `reveal` to see it in the store.
    """

    def __init__(self, store: Store, tally: Tally, place: bytes, record: Record) -> None:
        super().__init__(record, place)
        self.store = store
        self.kv = store.kv
        self.tally = tally
        #: What all elements' keys begin with.
        self.prefix = layout.ELEMENT + layout.number(record.object)
        #: The pair that is held back; no key if there is none.
        self.held_key = b""
        self.held_raw = b""
        self._grown: i64 = 0
        self._changed = False

    def use(self) -> Record:
        """The record, for reading; raises where the value is no longer its key's."""
        if not self.valid:
            raise BackendError(
                "a value was used after its key was replaced or removed, or its unit was over"
            )
        return self.record

    # Writing -----------------------------------------------------------------------------

    def add(self, key: bytes, raw: bytes) -> None:
        """Store a pair under a key that is free."""
        self.kv.put(key, raw)
        self._grown += len(key) + len(raw) + self.kv.pair_overhead

    def exchange(self, key: bytes, raw: bytes) -> bool:
        """Store a pair under a key, whether it is free or not; True when it was."""
        old = self.kv.exchange(key, raw)
        if old is None:
            self._grown += len(key) + len(raw) + self.kv.pair_overhead
            return True
        self._grown += len(raw) - len(old)
        return False

    def replace(self, key: bytes, raw: bytes, old: bytes) -> None:
        """Store another value under a key."""
        self.kv.put(key, raw)
        self._grown += len(raw) - len(old)

    def hold(self, key: bytes, raw: bytes, old: bytes) -> None:
        """`replace`, held back; what was held before must have been released."""
        self.held_key = key
        self.held_raw = raw
        self._grown += len(raw) - len(old)
        if not self.noted:
            self.store.note(self)

    def release(self) -> None:
        """Write the pair that is held back."""
        if self.held_key:
            self.kv.put(self.held_key, self.held_raw)
            self.held_key = b""
            self.held_raw = b""

    def reveal(self) -> None:
        """`release`, for whoever only reads: where it fails, the unit has failed."""
        if self.held_key:
            with self.store:
                self.release()

    def drop(self, key: bytes, raw: bytes) -> None:
        """Remove a pair, given its value."""
        self.kv.delete(key)
        self._grown -= len(key) + len(raw) + self.kv.pair_overhead

    def drop_all(self, prefix: bytes) -> None:
        """Remove all pairs whose keys begin with ``prefix``."""
        stop = layout.after(prefix)
        while True:
            pairs = self.kv.range(prefix, stop, CHUNK)
            for key, raw in pairs:
                self.drop(key, raw)
            if len(pairs) < CHUNK:
                return

    def set_encoding(self, encoding: i64) -> None:
        """Note another encoding in the record."""
        if encoding != self.record.encoding:
            self.record.encoding = encoding
            self._changed = True

    def set_extra(self, extra: bytes) -> None:
        """Note in the record what else belongs to the value."""
        old = self.record.extra
        if extra != old:
            self.tally.used += len(extra) - len(old)
            self.tally.dirty = True
            self.record.extra = extra
            self._changed = True

    def settle(self, length: i64) -> None:
        """The value has so many elements now: the record is written, unless it is as before."""
        record = self.record
        grown = self._grown
        if grown == 0 and length == record.length and not self._changed:
            return
        self._grown = 0
        self._changed = False
        self.tally.used += grown
        self.tally.dirty = True
        record.length = length
        record.used += grown
        if not self.noted:
            self.store.note(self)

    # Reading -----------------------------------------------------------------------------

    def pairs(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """All pairs whose keys begin with ``prefix``, in order; not to be used across a change."""
        start = prefix
        stop = layout.after(prefix)
        while True:
            self.use()
            pairs = self.kv.range(start, stop, CHUNK)
            yield from pairs
            if len(pairs) < CHUNK:
                return
            start = pairs[-1][0] + b"\x00"
