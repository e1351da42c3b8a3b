"""Values that are edited in place, as the memory backend keeps them."""

import sys
from collections.abc import Iterator
from typing import Final

from mypy_extensions import i64

from hypercache.backend import HASH, STRING, HashValue, StringValue
from hypercache_memory.sizes import bytes_block

# A value object, its counters and the empty container inside.
VALUE_BYTES: Final = 160
# The longest field or value that Redis keeps in a listpack, and the most of them.
LISTPACK_VALUE: Final = 64
LISTPACK_ENTRIES: Final = 128


class MemoryString(StringValue):
    """A string in a ``bytearray``: appending is amortised O(1), as in Redis' sds."""

    def __init__(self) -> None:
        super().__init__(STRING)
        self._data = bytearray()

    def length(self) -> int:
        return len(self._data)

    def memory(self) -> int:
        return VALUE_BYTES + sys.getsizeof(self._data)

    def encoding(self) -> str:
        return "raw"

    def read(self, start: int, stop: int) -> bytes:
        return bytes(memoryview(self._data)[start:stop])

    def write(self, offset: int, data: bytes) -> None:
        gap = offset - len(self._data)
        if gap > 0:
            self._data.extend(bytes(gap))
        self._data[offset : offset + len(data)] = data
        self.changes += 1


class MemoryHash(HashValue):
    """Fields in a dict."""

    def __init__(self) -> None:
        super().__init__(HASH)
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
            len(field) > LISTPACK_VALUE
            or len(value) > LISTPACK_VALUE
            or len(self._fields) > LISTPACK_ENTRIES
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

    def shed(self, budget: int) -> int:
        """Free up to ``budget`` fields of a hash that nobody can reach any more."""
        freed = 0
        while self._fields and freed < budget:
            self._fields.popitem()
            freed += 1
        return freed
