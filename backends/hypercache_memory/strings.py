"""Strings that are edited in place, as the memory backend keeps them."""

import sys

from hypercache.backend import STRING, StringValue
from hypercache_memory.sizes import VALUE_BYTES


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
