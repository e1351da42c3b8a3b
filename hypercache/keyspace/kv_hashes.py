"""Hashes of a `KVBackend`: a pair for each field, in the order of names.

Fields that expire have two pairs more, away from the others: the deadline by the field's
name, and the name by the deadline. The record holds the earliest.
"""

from collections.abc import Iterator

from mypy_extensions import i64

from hypercache.backend import HASH, NO_EXPIRE, BackendError, HashValue
from hypercache.keyspace import layout
from hypercache.keyspace.kv_handle import Handle
from hypercache.keyspace.kv_names import sample_name, scan_names
from hypercache.keyspace.layout import COMPACT, NUMBER, WIDE, Namer, decode_field, encode_field


class KVHash(HashValue):
    """A hash: a pair of the store for each field."""

    def __init__(self, handle: Handle, namer: Namer) -> None:
        super().__init__(HASH)
        self.handle = handle
        self.namer = namer

    def length(self) -> int:
        return self.handle.use().length

    def memory(self) -> int:
        return self.handle.use().used

    def encoding(self) -> str:
        return "listpack" if self.handle.use().encoding == COMPACT else "hashtable"

    def get(self, field: bytes) -> bytes | None:
        self.handle.use()
        name = self.namer.name(field)
        raw = self.handle.kv.get(self.handle.prefix + name)
        return None if raw is None else decode_field(name, raw)[1]

    def set(self, field: bytes, value: bytes) -> bool:
        handle = self.handle
        record = handle.use()
        name = self.namer.name(field)
        key = handle.prefix + name
        raw = encode_field(name, field, value)
        length = record.length
        with handle.store:
            is_new = handle.exchange(key, raw)
            if is_new:
                length += 1
            elif record.extra:
                self._move_deadline(name, b"", NO_EXPIRE)
            limits = handle.store.limits
            longest = limits.hash_value
            if len(field) > longest or len(value) > longest or length > limits.hash_entries:
                handle.set_encoding(WIDE)
            handle.settle(length)
        self.changes += 1
        return is_new

    def remove(self, field: bytes) -> bool:
        handle = self.handle
        record = handle.use()
        name = self.namer.name(field)
        key = handle.prefix + name
        old = handle.kv.get(key)
        if old is None:
            return False
        with handle.store:
            handle.drop(key, old)
            if record.extra:
                self._move_deadline(name, b"", NO_EXPIRE)
            handle.settle(record.length - 1)
        self.changes += 1
        return True

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        skipped = len(self.handle.prefix)
        for key, raw in self.handle.pairs(self.handle.prefix):
            yield decode_field(key[skipped:], raw)

    def scan(self, cursor: int, count: int) -> tuple[int, list[tuple[bytes, bytes]]]:
        handle = self.handle
        record = handle.use()
        following, pairs = scan_names(handle.kv, handle.prefix, record.length, cursor, count)
        skipped = len(handle.prefix)
        return following, [decode_field(key[skipped:], raw) for key, raw in pairs]

    def sample(self, pick: i64) -> tuple[bytes, bytes]:
        handle = self.handle
        record = handle.use()
        pair = sample_name(handle.kv, handle.prefix, record.length, pick)
        if pair is None:
            raise BackendError("sample: the hash is empty")
        return decode_field(pair[0][len(handle.prefix) :], pair[1])

    # Deadlines ---------------------------------------------------------------------------

    def deadline(self, field: bytes) -> i64:
        if not self.handle.use().extra:
            return NO_EXPIRE
        raw = self.handle.kv.get(self._deadline_key(self.namer.name(field)))
        return NO_EXPIRE if raw is None else layout.decode_deadline(raw)

    def set_deadline(self, field: bytes, deadline: i64) -> None:
        handle = self.handle
        record = handle.use()
        if deadline == NO_EXPIRE and not record.extra:
            return
        with handle.store:
            moved = self._move_deadline(self.namer.name(field), field, deadline)
            if moved or deadline != NO_EXPIRE:
                self.changes += 1
            handle.settle(record.length)

    def next_deadline(self) -> i64:
        return layout.earliest_deadline(self.handle.use())

    def due(self, now: i64, limit: int) -> list[bytes]:
        earliest = self.next_deadline()
        if earliest == NO_EXPIRE or earliest > now:
            return []
        prefix = self._due_prefix()
        skipped = len(prefix) + 8
        stop = prefix + layout.encode_deadline(now + 1)
        found: list[bytes] = []
        for key, raw in self.handle.kv.range(prefix, stop, limit):
            found.append(raw if raw else key[skipped + NUMBER :])
        return found

    def _deadline_key(self, name: bytes) -> bytes:
        return layout.FIELD_DEADLINE + self.handle.prefix[1:] + name

    def _due_prefix(self) -> bytes:
        return layout.FIELD_DUE + self.handle.prefix[1:]

    def _move_deadline(self, name: bytes, field: bytes, deadline: i64) -> bool:
        """Set or remove the deadline of a field; False when it has this one already."""
        handle = self.handle
        key = self._deadline_key(name)
        prefix = self._due_prefix()
        old = handle.kv.get(key)
        new = b"" if deadline == NO_EXPIRE else layout.encode_deadline(deadline)
        if new == (old or b""):
            return False
        if old is not None:
            index = prefix + old + name
            handle.drop(key, old)
            handle.drop(index, handle.kv.get(index) or b"")
        if new:
            handle.add(key, new)
            handle.add(prefix + new + name, field if layout.is_digest(name) else b"")
        first = handle.kv.range(prefix, layout.after(prefix), 1)
        earliest: i64 = NO_EXPIRE
        if first:
            earliest = layout.decode_deadline(first[0][0][len(prefix) :])
        noted = layout.noted_deadline(handle.record)
        handle.set_extra(layout.encode_field_deadlines(earliest, noted))
        return True
