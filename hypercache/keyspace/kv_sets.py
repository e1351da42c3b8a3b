"""Sets of a `KVBackend`: a pair for each member, in the order of names."""

from collections.abc import Iterator
from typing import Final

from mypy_extensions import i64

from hypercache.backend import SET, BackendError, SetValue
from hypercache.keyspace.kv_handle import Handle
from hypercache.keyspace.kv_names import sample_name, scan_names
from hypercache.keyspace.layout import (
    COMPACT,
    INTEGERS,
    WIDE,
    Namer,
    Record,
    decode_field,
    encode_field,
)
from hypercache.keyspace.numbers import parse_integer

_ENCODINGS: Final = {COMPACT: "listpack", WIDE: "hashtable", INTEGERS: "intset"}


class KVSet(SetValue):
    """A set: a pair of the store for each member, without a value."""

    def __init__(self, handle: Handle, namer: Namer) -> None:
        super().__init__(SET)
        self.handle = handle
        self.namer = namer

    def length(self) -> int:
        return self.handle.use().length

    def memory(self) -> int:
        return self.handle.use().used

    def encoding(self) -> str:
        return _ENCODINGS[self.handle.use().encoding]

    def contains(self, member: bytes) -> bool:
        self.handle.use()
        return self.handle.kv.get(self.handle.prefix + self.namer.name(member)) is not None

    def add(self, member: bytes) -> bool:
        handle = self.handle
        record = handle.use()
        name = self.namer.name(member)
        key = handle.prefix + name
        if handle.kv.get(key) is not None:
            return False
        with handle.store:
            if record.encoding != WIDE:
                handle.set_encoding(self._encoding_with(record, member))
            handle.add(key, encode_field(name, member, b""))
            handle.settle(record.length + 1)
        self.changes += 1
        return True

    def _encoding_with(self, record: Record, member: bytes) -> i64:
        """The encoding once a member was added to a set that is not `WIDE`."""
        limits = self.handle.store.limits
        length = record.length + 1
        longest: i64 = len(member)
        if record.encoding == INTEGERS:
            if parse_integer(member) is not None:
                return INTEGERS if length <= limits.set_integers else WIDE
            if length > limits.set_entries:
                return WIDE
            for item in self._stored():
                longest = max(longest, len(item))
        if length <= limits.set_entries and longest <= limits.set_value:
            return COMPACT
        return WIDE

    def remove(self, member: bytes) -> bool:
        handle = self.handle
        record = handle.use()
        key = handle.prefix + self.namer.name(member)
        old = handle.kv.get(key)
        if old is None:
            return False
        with handle.store:
            handle.drop(key, old)
            handle.settle(record.length - 1)
        self.changes += 1
        return True

    def members(self) -> Iterator[bytes]:
        """All members; integers by their value while Redis would have them so."""
        stored = self._stored()
        return iter(sorted(stored, key=int)) if self.handle.use().encoding == INTEGERS else stored

    def _stored(self) -> Iterator[bytes]:
        prefix = self.handle.prefix
        for key, raw in self.handle.pairs(prefix):
            yield decode_field(key[len(prefix) :], raw)[0]

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        handle = self.handle
        record = handle.use()
        if record.encoding == INTEGERS:
            return 0, list(self.members())  # at once, as Redis does with what is compact
        following, pairs = scan_names(handle.kv, handle.prefix, record.length, cursor, count)
        skipped = len(handle.prefix)
        return following, [decode_field(key[skipped:], raw)[0] for key, raw in pairs]

    def sample(self, pick: i64) -> bytes:
        handle = self.handle
        record = handle.use()
        pair = sample_name(handle.kv, handle.prefix, record.length, pick)
        if pair is None:
            raise BackendError("sample: the set is empty")
        return decode_field(pair[0][len(handle.prefix) :], pair[1])[0]
