"""Lists, as the memory backend keeps them."""

import sys
from typing import Final

from librt.strings import BytesWriter
from mypy_extensions import i64, u8

from hypercache.backend import LIST, EncodingLimits, ListValue
from hypercache.listpack import OVERHEAD, fits_again, outgrows, string_size
from hypercache_memory.chunks import (
    EMPTY,
    content,
    extend,
    item_at,
    items_of,
    pack_chunk,
    packed_part,
)
from hypercache_memory.packed import put
from hypercache_memory.rows import Row, without
from hypercache_memory.sizes import block, bytes_block

# A list is small up to so many elements and bytes, and again from so few elements on.
_SMALL_COUNT: Final[i64] = 16
_SMALL_BYTES: Final[i64] = 512
_SMALL_AGAIN: Final[i64] = 6
# No list of more bytes (and of more than one element) is a listpack again, whatever the setting.
_MAX_LISTPACK: Final[i64] = 32768
# Elements that are looked at in one go when many are summed up.
_SLICE: Final[i64] = 1024


class MemoryList(ListValue):
    """A few elements in one packed chunk, which a change writes anew; more in a `Row`."""

    def __init__(self, limits: EncodingLimits) -> None:
        super().__init__(LIST)
        self._limits = limits
        self._few: bytes = EMPTY
        self._row: Row | None = None
        # What a listpack would take, and whether Redis would keep the list as one.
        self._listpack: i64 = OVERHEAD
        self._is_listpack = True

    def length(self) -> int:
        row = self._row
        return self._few[0] if row is None else row.length

    def memory(self) -> int:
        row = self._row
        return _FIXED_BYTES + (bytes_block(len(self._few)) if row is None else row.memory())

    def encoding(self) -> str:
        return "listpack" if self._is_listpack else "quicklist"

    # Both ends -----------------------------------------------------------------------------

    def push_left(self, element: bytes) -> None:
        self._grow(element)
        self.changes += 1
        row = self._row
        if row is not None:
            row.push_left(element)
            return
        few = self._few
        if few[0] < _SMALL_COUNT and len(few) + len(element) <= _SMALL_BYTES:
            out = BytesWriter()
            out.append(u8(few[0] + 1))
            put(out, element)
            out.write(few[1:])
            self._few = out.getvalue()
        else:
            self._spread().push_left(element)

    def push_right(self, element: bytes) -> None:
        self._grow(element)
        self.changes += 1
        row = self._row
        if row is not None:
            row.push_right(element)
            return
        few = self._few
        if few[0] < _SMALL_COUNT and len(few) + len(element) <= _SMALL_BYTES:
            out = BytesWriter()
            out.append(u8(few[0] + 1))
            out.write(few[1:])
            put(out, element)
            self._few = out.getvalue()
        else:
            self._spread().push_right(element)

    def pop_left(self) -> bytes:
        row = self._row
        if row is None:
            few = self._few
            element = item_at(few, 0)
            self._few = packed_part(few, 1, few[0])
        else:
            element = row.pop_left()
        self.changes += 1
        self._listpack -= string_size(element)
        self._shrunk()
        return element

    def pop_right(self) -> bytes:
        row = self._row
        if row is None:
            few = self._few
            last: i64 = few[0] - 1
            element = item_at(few, last)
            self._few = packed_part(few, 0, last)
        else:
            element = row.pop_right()
        self.changes += 1
        self._listpack -= string_size(element)
        self._shrunk()
        return element

    # Positions ------------------------------------------------------------------------------

    def get(self, index: i64) -> bytes:
        row = self._row
        return item_at(self._few, index) if row is None else row.get(index)

    def set(self, index: i64, element: bytes) -> None:
        old = self.get(index)
        self._grow(element)
        self._listpack -= string_size(old)
        self.changes += 1
        row = self._row
        if row is None:
            items = items_of(self._few)
            items[index] = element
            self._keep(items)
        else:
            row.set(index, element)
        self._shrunk()

    def range(self, start: i64, stop: i64) -> list[bytes]:
        row = self._row
        if row is not None:
            return row.range(start, stop)
        found: list[bytes] = []
        extend(found, self._few, start, stop)
        return found

    def insert(self, index: i64, element: bytes) -> None:
        self._grow(element)
        self.changes += 1
        row = self._row
        if row is None:
            items = items_of(self._few)
            items.insert(index, element)
            self._keep(items)
        else:
            row.insert(index, element)

    def remove_range(self, start: i64, stop: i64) -> None:
        if start == stop:
            return
        length: i64 = self.length()
        if stop - start < length // 2:
            self._listpack -= self._sum(start, stop)
        else:
            self._listpack = OVERHEAD + self._sum(0, start) + self._sum(stop, length)
        self.changes += stop - start
        row = self._row
        if row is None:
            items = items_of(self._few)
            del items[start:stop]
            self._keep(items)
        else:
            row.remove_range(start, stop)
        self._shrunk()

    # Equal elements ---------------------------------------------------------------------------

    def remove(self, element: bytes, limit: i64, backwards: bool) -> int:
        row = self._row
        removed: i64 = 0
        if row is None:
            items = items_of(self._few)
            removed = without(items, element, limit, backwards)
            if removed > 0:
                self._keep(items)
        else:
            removed = row.remove(element, limit, backwards)
        self.changes += removed
        self._listpack -= removed * string_size(element)
        self._shrunk()
        return removed

    def find(self, element: bytes, skip: i64, count: i64, depth: i64, backwards: bool) -> list[int]:
        row = self._row
        if row is None:
            row = Row(items_of(self._few))
        return row.find(element, skip, count, depth, backwards)

    # How it is kept ---------------------------------------------------------------------------

    def _grow(self, element: bytes) -> None:
        """Note that an element comes, before it does."""
        if self._is_listpack:
            size: i64 = self._listpack + len(element)
            self._is_listpack = not outgrows(self._limits.list_size, size, self.length() + 1)
        self._listpack += string_size(element)

    def _shrunk(self) -> None:
        """Note that elements have gone."""
        if not self._is_listpack and (self._listpack <= _MAX_LISTPACK or self.length() == 1):
            limit = self._limits.list_size
            self._is_listpack = fits_again(limit, self._listpack, self.length())
        row = self._row
        if row is not None and row.length <= _SMALL_AGAIN:
            items = row.range(0, row.length)
            if content(items) <= _SMALL_BYTES:
                self._few = pack_chunk(items)
                self._row = None

    def _sum(self, start: i64, stop: i64) -> i64:
        """What the elements at ``start <= i < stop`` take in a listpack."""
        total: i64 = 0
        while start < stop:
            following = min(start + _SLICE, stop)
            for element in self.range(start, following):
                total += string_size(element)
            start = following
        return total

    def _spread(self) -> Row:
        """Keep the elements in a row from now on."""
        row = Row(items_of(self._few))
        self._row = row
        self._few = EMPTY
        return row

    def _keep(self, items: list[bytes]) -> None:
        """Keep these elements in the place of the few that were there."""
        if len(items) <= _SMALL_COUNT and content(items) <= _SMALL_BYTES:
            self._few = pack_chunk(items)
        else:
            self._few = EMPTY
            self._row = Row(items)

    def copy(self) -> "MemoryList":
        """A list of its own with the same elements."""
        twin = MemoryList(self._limits)
        twin._few = self._few
        row = self._row
        twin._row = None if row is None else row.copy()
        twin._listpack = self._listpack
        twin._is_listpack = self._is_listpack
        return twin

    def check(self) -> list[str]:
        """What is inconsistent, in words."""
        row = self._row
        wrong = [] if row is None else row.check()
        size: i64 = OVERHEAD + self._sum(0, self.length())
        if size != self._listpack:
            wrong.append(f"a listpack would have {size} bytes, {self._listpack} are counted")
        return wrong

    def shed(self, budget: int) -> int:
        """Free about ``budget`` elements of a list that nobody can reach any more."""
        row = self._row
        return 0 if row is None else row.shed(budget)


def _fixed_bytes() -> i64:
    """What the object takes; an interpreted one has a dict of its attributes."""
    value = MemoryList(EncodingLimits())
    attributes: object = getattr(value, "__dict__", None)
    return block(sys.getsizeof(value)) + (0 if attributes is None else sys.getsizeof(attributes))


_FIXED_BYTES: Final[i64] = _fixed_bytes()
