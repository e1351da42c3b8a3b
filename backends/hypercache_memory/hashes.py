"""Hashes, as the memory backend keeps them."""

import sys
from collections.abc import Iterator

from mypy_extensions import i64

from hypercache.backend import HASH, EncodingLimits, HashValue
from hypercache_memory.sizes import VALUE_BYTES, bytes_block


class MemoryHash(HashValue):
    """Fields in a dict."""

    def __init__(self, limits: EncodingLimits) -> None:
        super().__init__(HASH)
        self._limits = limits
        self._fields: dict[bytes, bytes] = {}
        self._content: i64 = 0
        self._listpack = True

    def length(self) -> int:
        return len(self._fields)

    def memory(self) -> int:
        return VALUE_BYTES + sys.getsizeof(self._fields) + self._content

    def encoding(self) -> str:
        return "listpack" if self._listpack else "hashtable"

    def get(self, field: bytes) -> bytes | None:
        return self._fields.get(field)

    def set(self, field: bytes, value: bytes) -> bool:
        old = self._fields.get(field)
        self._fields[field] = value
        self.changes += 1
        self._content += bytes_block(len(value))
        if old is not None:
            self._content -= bytes_block(len(old))
        else:
            self._content += bytes_block(len(field))
        if self._listpack and (
            len(field) > self._limits.hash_value
            or len(value) > self._limits.hash_value
            or len(self._fields) > self._limits.hash_entries
        ):
            self._listpack = False
        return old is None

    def remove(self, field: bytes) -> bool:
        old = self._fields.pop(field, None)
        if old is None:
            return False
        self.changes += 1
        self._content -= bytes_block(len(old)) + bytes_block(len(field))
        return True

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        return iter(self._fields.items())

    def copy(self) -> "MemoryHash":
        """A hash of its own with the same fields."""
        twin = MemoryHash(self._limits)
        twin._fields = dict(self._fields)
        twin._content = self._content
        twin._listpack = self._listpack
        return twin

    def shed(self, budget: int) -> int:
        """Free up to ``budget`` fields of a hash that nobody can reach any more."""
        freed = 0
        while self._fields and freed < budget:
            self._fields.popitem()
            freed += 1
        return freed
