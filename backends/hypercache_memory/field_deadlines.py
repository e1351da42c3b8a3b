"""Deadlines of a hash's fields: only a hash that has any pays for them.

A heap gives the earliest, a dict says which of the heap's items still count. What no longer
does is taken off as soon as it reaches the top, and the heap is made anew when most of it does
not: renewing a deadline for ever leaves nothing behind.
"""

from heapq import heapify, heappop, heappush
from typing import Final

from mypy_extensions import i64

from hypercache.backend import NO_EXPIRE

# Items of the heap that may be stale whatever the number of fields.
_STALE: Final = 64
# One field: an entry of the dict, an item of the heap, its number.
_FIELD_BYTES: Final[i64] = 200
_FIXED_BYTES: Final[i64] = 320


class FieldDeadlines:
    """Fields with their deadlines in Unix milliseconds."""

    def __init__(self) -> None:
        self._deadlines: dict[bytes, int] = {}
        self._heap: list[tuple[int, bytes]] = []
        #: The earliest deadline, `NO_EXPIRE` without fields.
        self.earliest: i64 = NO_EXPIRE

    def __len__(self) -> int:
        return len(self._deadlines)

    def get(self, field: bytes) -> i64:
        """A field's deadline, or `NO_EXPIRE`."""
        return self._deadlines.get(field, NO_EXPIRE)

    def fields(self) -> list[bytes]:
        """All fields that have a deadline, in any order."""
        return list(self._deadlines)

    def set(self, field: bytes, deadline: i64) -> None:
        """Give a field a deadline; O(log n) amortised."""
        number: int = deadline
        self._deadlines[field] = number
        heappush(self._heap, (number, field))
        self._tidy()

    def remove(self, field: bytes) -> bool:
        """Take a field's deadline away; False when it had none."""
        if self._deadlines.pop(field, None) is None:
            return False
        self._tidy()
        return True

    def due(self, now: i64, limit: int) -> list[bytes]:
        """Up to ``limit`` fields whose deadline is <= ``now``, the earliest first."""
        heap = self._heap
        found: list[tuple[int, bytes]] = []
        while heap and heap[0][0] <= now and len(found) < limit:
            item = heappop(heap)
            # The same deadline, set twice, left the same item twice.
            if self._deadlines.get(item[1]) == item[0] and (not found or found[-1] != item):
                found.append(item)
        for item in found:
            heappush(heap, item)
        return [field for _, field in found]

    def copy(self) -> "FieldDeadlines":
        """The same deadlines, sharing nothing."""
        twin = FieldDeadlines()
        twin._deadlines = self._deadlines.copy()
        twin._rebuild()
        return twin

    def memory(self) -> i64:
        """Bytes of the bookkeeping; the fields themselves are the hash's."""
        return _FIXED_BYTES + _FIELD_BYTES * len(self._deadlines)

    def _tidy(self) -> None:
        """Let a deadline that counts be on top, and few that do not be below."""
        heap = self._heap
        deadlines = self._deadlines
        if len(heap) > 2 * len(deadlines) + _STALE:
            self._rebuild()
            return
        while heap:
            number, field = heap[0]
            if deadlines.get(field) == number:
                break
            heappop(heap)
        self.earliest = heap[0][0] if heap else NO_EXPIRE

    def _rebuild(self) -> None:
        self._heap = [(number, field) for field, number in self._deadlines.items()]
        heapify(self._heap)
        self.earliest = self._heap[0][0] if self._heap else NO_EXPIRE
