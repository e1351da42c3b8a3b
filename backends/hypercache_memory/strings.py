"""Strings that are edited in place, as the memory backend keeps them."""

import sys
from typing import Final

from mypy_extensions import i64

from hypercache.backend import STRING, StringValue
from hypercache_memory.sizes import VALUE_BYTES

# Up to so many bytes, two copies are cheaper than a view and a copy.
_SHORT: Final = 512


class MemoryString(StringValue):
    """A string in a ``bytearray``: appending is amortised O(1), as in Redis' sds."""

    def __init__(self) -> None:
        super().__init__(STRING)
        self._data = bytearray()
        self._length: i64 = 0
        self._memory: i64 = VALUE_BYTES + sys.getsizeof(self._data)

    def length(self) -> int:
        return self._length

    def memory(self) -> int:
        return self._memory

    def encoding(self) -> str:
        return "raw"

    def read(self, start: int, stop: int) -> bytes:
        if stop - start <= _SHORT:
            return bytes(self._data[start:stop])
        return bytes(memoryview(self._data)[start:stop])

    def write(self, offset: int, data: bytes) -> None:
        size = len(data)
        length: i64 = self._length
        if size == 1 and offset < length:
            self._data[offset] = data[0]  # SETBIT
        else:
            if offset > length:
                self._data.extend(bytes(offset - length))
            self._data[offset : offset + size] = data
            if offset + size > length:
                self._length = offset + size
                self._memory = VALUE_BYTES + sys.getsizeof(self._data)
        self.changes += 1
