"""Long rows of byte strings: O(1) at both ends, packed inside.

The outermost strings of either end are objects in plain lists (the left one reversed, so that
pushing is appending); what lies between them are chunks (`hypercache_memory.chunks`). A plain
list that has grown to two batches hands the inner one to the chunks; one that is emptied gets
the next batch from them. So at least a batch of changes lies between any two such steps,
and a row of n short strings takes little more than their bytes.
"""

from typing import Final

from mypy_extensions import i64

from hypercache_memory.chunk_list import ChunkList
from hypercache_memory.chunks import blocks, needle
from hypercache_memory.sizes import bytes_block

#: Strings that go to the chunks, or come from them, at a time.
BATCH: Final[i64] = 32
# The row object and its two lists.
_FIXED_BYTES: Final[i64] = 80 + 2 * 64


class Row:
    """Byte strings in a row. Positions are valid when they are passed in.

    ``length`` is their number. `memory` is kept up to date by every change.
    """

    def __init__(self, items: list[bytes], batch: i64 = BATCH) -> None:
        self.length: i64 = len(items)
        self._batch = batch
        self._left: list[bytes] = []
        self._right = items
        self._inner = ChunkList(batch)
        # Bytes of the strings at both ends.
        self._content: i64 = blocks(items)

    def memory(self) -> i64:
        """Bytes that the row takes, its strings included."""
        pointers: i64 = len(self._left) + len(self._right)
        return _FIXED_BYTES + pointers * 9 + self._content + self._inner.memory()

    # Both ends -----------------------------------------------------------------------------

    def push_left(self, item: bytes) -> None:
        """Put a string before the first."""
        left = self._left
        left.append(item)
        self.length += 1
        self._content += bytes_block(len(item))
        if len(left) >= 2 * self._batch:
            self._spill_left()

    def push_right(self, item: bytes) -> None:
        """Put a string behind the last."""
        right = self._right
        right.append(item)
        self.length += 1
        self._content += bytes_block(len(item))
        if len(right) >= 2 * self._batch:
            self._spill_right()

    def pop_left(self) -> bytes:
        """Take the first string off; there is one."""
        left = self._left
        if not left:
            self._refill_left()
        item = left.pop()
        self.length -= 1
        self._content -= bytes_block(len(item))
        return item

    def pop_right(self) -> bytes:
        """Take the last string off; there is one."""
        right = self._right
        if not right:
            self._refill_right()
        item = right.pop()
        self.length -= 1
        self._content -= bytes_block(len(item))
        return item

    def _spill_left(self) -> None:
        """Hand the inner batches of the left end to the chunks."""
        left = self._left
        batch = self._batch
        while len(left) >= 2 * batch:
            items = left[:batch]
            del left[:batch]
            items.reverse()
            self._content -= blocks(items)
            self._inner.push_left(items)

    def _spill_right(self) -> None:
        """Hand the inner batches of the right end to the chunks."""
        right = self._right
        batch = self._batch
        while len(right) >= 2 * batch:
            items = right[:batch]
            del right[:batch]
            self._content -= blocks(items)
            self._inner.push_right(items)

    def _refill_left(self) -> None:
        """Take what the left end lacks from the chunks, or half of the right end."""
        if self._inner.length == 0:
            half = (len(self._right) + 1) // 2
            items = self._right[:half]
            del self._right[:half]
        else:
            items = self._inner.take_left()
            self._content += blocks(items)
        items.reverse()
        self._left.extend(items)

    def _refill_right(self) -> None:
        """Take what the right end lacks from the chunks, or half of the left end."""
        if self._inner.length == 0:
            half = (len(self._left) + 1) // 2
            items = self._left[:half]
            del self._left[:half]
            items.reverse()
        else:
            items = self._inner.take_right()
            self._content += blocks(items)
        self._right.extend(items)

    # Positions ------------------------------------------------------------------------------

    def get(self, index: i64) -> bytes:
        """The string at a position."""
        left: i64 = len(self._left)
        if index < left:
            return self._left[left - 1 - index]
        right = self.length - len(self._right)
        return self._inner.get(index - left) if index < right else self._right[index - right]

    def set(self, index: i64, item: bytes) -> None:
        """Replace the string at a position."""
        left: i64 = len(self._left)
        right = self.length - len(self._right)
        if left <= index < right:
            self._inner.set(index - left, item)
            return
        self._content += bytes_block(len(item)) - bytes_block(len(self.get(index)))
        if index < left:
            self._left[left - 1 - index] = item
        else:
            self._right[index - right] = item

    def insert(self, index: i64, item: bytes) -> None:
        """Put a string before the one at a position; ``length``: behind the last."""
        left: i64 = len(self._left)
        right = self.length - len(self._right)
        if left < index < right:
            self._inner.insert(index - left, item)
        else:
            self._content += bytes_block(len(item))
            if index >= right:
                self._right.insert(index - right, item)
            else:
                self._left.insert(left - index, item)
        self.length += 1
        self._spill_left()
        self._spill_right()

    def range(self, start: i64, stop: i64) -> list[bytes]:
        """The strings at ``start <= i < stop``."""
        left: i64 = len(self._left)
        right = self.length - len(self._right)
        found: list[bytes] = []
        if start < left:
            found = self._left[max(left - stop, 0) : left - start]
            found.reverse()
        self._inner.collect(found, max(start, left) - left, min(stop, right) - left)
        if stop > right:
            found.extend(self._right[max(start - right, 0) : stop - right])
        return found

    def remove_range(self, start: i64, stop: i64) -> None:
        """Remove the strings at ``start <= i < stop``."""
        left: i64 = len(self._left)
        right = self.length - len(self._right)
        self._inner.remove_range(max(start, left) - left, min(stop, right) - left)
        if stop > right:
            gone = self._right[max(start - right, 0) : stop - right]
            del self._right[max(start - right, 0) : stop - right]
            self._content -= blocks(gone)
        if start < left:
            gone = self._left[max(left - stop, 0) : left - start]
            del self._left[max(left - stop, 0) : left - start]
            self._content -= blocks(gone)
        self.length -= stop - start

    # Equal strings ----------------------------------------------------------------------------

    def _items(self, segment: i64) -> list[bytes]:
        """The strings of a segment: 0 is the left end, the chunks follow, the last is the right."""
        if segment == 0:
            items = self._left[:]
            items.reverse()
            return items
        if segment > self._inner.count():
            return self._right[:]
        return self._inner.items(segment - 1)

    def _lacks(self, segment: i64, item: bytes, packed_item: bytes) -> i64:
        """Number of strings in a chunk that certainly lacks a string; else, and at the ends, 0."""
        if segment == 0 or segment > self._inner.count():
            return 0
        return self._inner.lacks(segment - 1, item, packed_item)

    def find(self, item: bytes, skip: i64, count: i64, depth: i64, backwards: bool) -> list[int]:
        """Positions of equal strings, as `ListValue.find` has it."""
        found: list[int] = []
        packed_item = needle(item)
        segments = self._inner.count() + 2
        seen: i64 = 0
        step: i64 = 0
        while step < segments and seen < depth and len(found) < count:
            segment = segments - 1 - step if backwards else step
            step += 1
            passed = self._lacks(segment, item, packed_item)
            if passed > 0:
                seen += passed
                continue
            items = self._items(segment)
            if backwards:
                items.reverse()
            for each in items:
                if seen >= depth or len(found) >= count:
                    break
                if each == item:
                    if skip > 0:
                        skip -= 1
                    else:
                        found.append(self.length - 1 - seen if backwards else seen)
                seen += 1
        return found

    def remove(self, item: bytes, limit: i64, backwards: bool) -> i64:
        """Remove up to ``limit`` equal strings; how many."""
        packed_item = needle(item)
        segments = self._inner.count() + 2
        removed: i64 = 0
        step: i64 = 0
        while step < segments and removed < limit:
            segment = segments - 1 - step if backwards else step
            step += 1
            if self._lacks(segment, item, packed_item) > 0:
                continue
            items = self._items(segment)
            gone = without(items, item, limit - removed, backwards)
            if gone > 0:
                self._replace(segment, items)
                removed += gone
        self.length -= removed
        if removed > 0:
            self._inner.tidy()
        return removed

    def _replace(self, segment: i64, items: list[bytes]) -> None:
        """Put the strings of a segment back, some of which have gone."""
        if segment == 0:
            self._content += blocks(items) - blocks(self._left)
            items.reverse()
            self._left = items
        elif segment > self._inner.count():
            self._content += blocks(items) - blocks(self._right)
            self._right = items
        else:
            self._inner.replace(segment - 1, items)

    # All of it ---------------------------------------------------------------------------------

    def copy(self) -> "Row":
        """A row of its own with the same strings."""
        twin = Row([], self._batch)
        twin.length = self.length
        twin._left = self._left[:]
        twin._right = self._right[:]
        twin._inner = self._inner.copy()
        twin._content = self._content
        return twin

    def shed(self, budget: i64) -> i64:
        """Free about ``budget`` strings; how many."""
        freed: i64 = len(self._left) + len(self._right)
        self._left = []
        self._right = []
        while freed < budget and self._inner.length > 0:
            freed += self._inner.shed()
        self.length -= freed
        return freed

    def check(self) -> list[str]:
        """What is inconsistent, in words."""
        wrong = self._inner.check()
        length = self._inner.length + len(self._left) + len(self._right)
        used = blocks(self._left) + blocks(self._right)
        if length != self.length:
            wrong.append(f"{self.length} strings are counted, {length} are there")
        if used != self._content:
            wrong.append(f"{self._content} bytes are accounted at the ends, {used} are there")
        if max(len(self._left), len(self._right)) >= 2 * self._batch:
            wrong.append("an end has not handed its inner strings to the chunks")
        return wrong


def without(items: list[bytes], item: bytes, limit: i64, backwards: bool) -> i64:
    """Take up to ``limit`` equal strings out of a list; how many."""
    kept: list[bytes] = []
    gone: i64 = 0
    if backwards:
        items.reverse()
    for each in items:
        if gone < limit and each == item:
            gone += 1
        else:
            kept.append(each)
    if backwards:
        kept.reverse()
    items[:] = kept
    return gone
