"""Long rows of byte strings: O(1) at both ends, packed inside.

The outermost strings of either end are objects in plain lists (the left one reversed, so that
pushing is appending); what lies between them are chunks (`hypercache_memory.chunks`). A plain
list that has grown to two batches hands the inner one to the chunks; one that is emptied gets
the next batch from them. So at least a batch of changes lies between any two such steps,
and a row of n short strings takes little more than their bytes.
"""

from typing import Final

from mypy_extensions import i64

from hypercache_memory.chunks import (
    Chunk,
    blocks,
    count_of,
    extend,
    item_at,
    items_of,
    joined,
    may_hold,
    memory_of,
    needle,
    part,
    seal,
)
from hypercache_memory.sizes import bytes_block

#: Strings that go to the chunks, or come from them, at a time; a chunk has four times as many.
BATCH: Final[i64] = 32
# The row object and its three lists.
_ROW_BYTES: Final[i64] = 96 + 3 * 64


class Row:
    """Byte strings in a row. Positions are valid when they are passed in.

    ``length`` is their number. `memory` is kept up to date by every change.
    """

    def __init__(self, items: list[bytes], batch: i64 = BATCH) -> None:
        self.length: i64 = len(items)
        self._batch = batch
        self._left: list[bytes] = []
        self._right = items
        # Chunks begin at `_head`: what lies before is room for more on the left.
        self._chunks: list[Chunk] = []
        self._head: i64 = 0
        # Bytes of all strings and chunks.
        self._content: i64 = blocks(items)

    def memory(self) -> i64:
        """Bytes that the row takes, its strings included."""
        pointers: i64 = len(self._left) + len(self._right) + len(self._chunks)
        return _ROW_BYTES + pointers * 9 + self._content

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
            chunk = seal(items)
            if self._count() > 0 and self._can_join(chunk, self._chunks[self._head]):
                first = self._chunks[self._head]
                self._content -= memory_of(first)
                chunk = joined(chunk, first)
                self._chunks[self._head] = chunk
            else:
                if self._head == 0:
                    self._head = len(self._chunks) // 4 + 4
                    self._chunks[:0] = [b""] * self._head
                self._head -= 1
                self._chunks[self._head] = chunk
            self._content += memory_of(chunk)

    def _spill_right(self) -> None:
        """Hand the inner batches of the right end to the chunks."""
        right = self._right
        batch = self._batch
        while len(right) >= 2 * batch:
            items = right[:batch]
            del right[:batch]
            self._content -= blocks(items)
            chunk = seal(items)
            if self._count() > 0 and self._can_join(self._chunks[-1], chunk):
                last = self._chunks[-1]
                self._content -= memory_of(last)
                chunk = joined(last, chunk)
                self._chunks[-1] = chunk
            else:
                self._chunks.append(chunk)
            self._content += memory_of(chunk)

    def _refill_left(self) -> None:
        """Take what the left end lacks from the first chunk, or from the right end."""
        if self._count() == 0:
            half = (len(self._right) + 1) // 2
            items = self._right[:half]
            del self._right[:half]
        else:
            chunk = self._chunks[self._head]
            count = min(self._batch, count_of(chunk))
            items = []
            extend(items, chunk, 0, count)
            self._shorten(self._head, chunk, count, count_of(chunk))
            self._content += blocks(items)
        items.reverse()
        self._left.extend(items)

    def _refill_right(self) -> None:
        """Take what the right end lacks from the last chunk, or from the left end."""
        if self._count() == 0:
            half = (len(self._left) + 1) // 2
            items = self._left[:half]
            del self._left[:half]
            items.reverse()
        else:
            last: i64 = len(self._chunks) - 1
            chunk = self._chunks[last]
            start = max(count_of(chunk) - self._batch, 0)
            items = []
            extend(items, chunk, start, count_of(chunk))
            self._shorten(last, chunk, 0, start)
            self._content += blocks(items)
        self._right.extend(items)

    def _shorten(self, place: i64, chunk: Chunk, start: i64, stop: i64) -> None:
        """Leave of a chunk at either end ``start <= i < stop``; drop it if that is nothing."""
        self._content -= memory_of(chunk)
        if start < stop:
            rest = part(chunk, start, stop)
            self._chunks[place] = rest
            self._content += memory_of(rest)
        elif place == self._head:
            self._chunks[place] = b""
            self._head += 1
            if self._head * 2 > len(self._chunks) + 8:
                del self._chunks[: self._head]
                self._head = 0
        else:
            self._chunks.pop()

    def _count(self) -> i64:
        """Number of chunks."""
        return len(self._chunks) - self._head

    def _can_join(self, first: Chunk, second: Chunk) -> bool:
        return count_of(first) + count_of(second) <= 4 * self._batch

    # Positions ------------------------------------------------------------------------------

    def _inside(self) -> i64:
        """Position of the first string behind those of the chunks."""
        return self.length - len(self._right)

    def _find(self, index: i64) -> tuple[i64, i64]:
        """Where a position within the chunks is: the chunk's place, the position in it.

        The end of all is the place behind the last chunk.
        """
        before: i64 = index - len(self._left)
        behind: i64 = self._inside() - index
        place: i64 = 0
        if before <= behind:
            place = self._head
            while place < len(self._chunks):
                count = count_of(self._chunks[place])
                if before < count:
                    break
                before -= count
                place += 1
            return place, before
        place = len(self._chunks)
        while behind > 0:
            place -= 1
            behind -= count_of(self._chunks[place])
        return place, -behind

    def get(self, index: i64) -> bytes:
        """The string at a position."""
        left: i64 = len(self._left)
        if index < left:
            return self._left[left - 1 - index]
        inside = self._inside()
        if index >= inside:
            return self._right[index - inside]
        place, at = self._find(index)
        return item_at(self._chunks[place], at)

    def set(self, index: i64, item: bytes) -> None:
        """Replace the string at a position."""
        left: i64 = len(self._left)
        inside = self._inside()
        if left <= index < inside:
            place, at = self._find(index)
            items = items_of(self._chunks[place])
            items[at] = item
            self._put(place, items)
            return
        self._content += bytes_block(len(item)) - bytes_block(len(self.get(index)))
        if index < left:
            self._left[left - 1 - index] = item
        else:
            self._right[index - inside] = item

    def insert(self, index: i64, item: bytes) -> None:
        """Put a string before the one at a position; ``length``: behind the last."""
        left: i64 = len(self._left)
        inside = self._inside()
        if left < index < inside:
            place, at = self._find(index)
            items = items_of(self._chunks[place])
            items.insert(at, item)
            self._put(place, items)
        else:
            self._content += bytes_block(len(item))
            if index >= inside:
                self._right.insert(index - inside, item)
            else:
                self._left.insert(left - index, item)
        self.length += 1
        self._spill_left()
        self._spill_right()

    def _put(self, place: i64, items: list[bytes]) -> None:
        """Put changed strings back in the place of a chunk: none, one, or two chunks."""
        chunks: list[Chunk] = []
        half: i64 = len(items)
        if half > 4 * self._batch:
            half //= 2
            chunks.append(seal(items[half:]))
            items = items[:half]
        if items:
            chunks.insert(0, seal(items))
        self._content -= memory_of(self._chunks[place])
        for chunk in chunks:
            self._content += memory_of(chunk)
        self._chunks[place : place + 1] = chunks

    def range(self, start: i64, stop: i64) -> list[bytes]:
        """The strings at ``start <= i < stop``."""
        left: i64 = len(self._left)
        inside = self._inside()
        found: list[bytes] = []
        if start < left:
            found = self._left[max(left - stop, 0) : left - start]
            found.reverse()
            start = left
        if start < min(stop, inside):
            place, at = self._find(start)
            while start < stop and start < inside:
                chunk = self._chunks[place]
                end = min(count_of(chunk), at + stop - start)
                extend(found, chunk, at, end)
                start += end - at
                place += 1
                at = 0
        if start < stop:
            found.extend(self._right[start - inside : stop - inside])
        return found

    def remove_range(self, start: i64, stop: i64) -> None:
        """Remove the strings at ``start <= i < stop``."""
        left: i64 = len(self._left)
        inside = self._inside()
        if max(start, left) < min(stop, inside):
            self._remove_chunks(max(start, left), min(stop, inside))
        if stop > inside:
            gone = self._right[max(start - inside, 0) : stop - inside]
            del self._right[max(start - inside, 0) : stop - inside]
            self._content -= blocks(gone)
        if start < left:
            gone = self._left[max(left - stop, 0) : left - start]
            del self._left[max(left - stop, 0) : left - start]
            self._content -= blocks(gone)
        self.length -= stop - start

    def _remove_chunks(self, start: i64, stop: i64) -> None:
        """Remove positions that all lie within the chunks."""
        first, at = self._find(start)
        last, end = self._find(stop)
        rest: list[Chunk] = [part(self._chunks[first], 0, at)]
        if end > 0:
            chunk = self._chunks[last]
            rest.append(part(chunk, end, count_of(chunk)))
            last += 1
        for place in range(first, last):
            self._content -= memory_of(self._chunks[place])
        for chunk in rest:
            self._content += memory_of(chunk)
        self._chunks[first:last] = rest
        self._tidy(max(first - 1, self._head), first + 3)

    def _tidy(self, start: i64, stop: i64) -> None:
        """Join neighbours of which one is small, and drop empty chunks, within these places."""
        place = start
        stop = min(stop, len(self._chunks))
        tidied: list[Chunk] = []
        while place < stop:
            chunk = self._chunks[place]
            place += 1
            if tidied and self._belong_together(tidied[-1], chunk):
                before = tidied.pop()
                self._content -= memory_of(before) + memory_of(chunk)
                chunk = joined(before, chunk)
                self._content += memory_of(chunk)
            if count_of(chunk) > 0:
                tidied.append(chunk)
            else:
                self._content -= memory_of(chunk)
        self._chunks[start:stop] = tidied

    def _belong_together(self, first: Chunk, second: Chunk) -> bool:
        smaller = min(count_of(first), count_of(second))
        return smaller < self._batch and self._can_join(first, second)

    # Equal strings ----------------------------------------------------------------------------

    def _items(self, segment: i64) -> list[bytes]:
        """The strings of a segment: 0 is the left end, the chunks follow, the last is the right."""
        if segment == 0:
            items = self._left[:]
            items.reverse()
            return items
        if segment > self._count():
            return self._right[:]
        return items_of(self._chunks[self._head + segment - 1])

    def _lacks(self, segment: i64, item: bytes, packed_item: bytes) -> i64:
        """Number of strings in a chunk that certainly lacks a string; else, and at the ends, 0."""
        if segment == 0 or segment > self._count():
            return 0
        chunk = self._chunks[self._head + segment - 1]
        return 0 if may_hold(chunk, item, packed_item) else count_of(chunk)

    def find(self, item: bytes, skip: i64, count: i64, depth: i64, backwards: bool) -> list[int]:
        """Positions of equal strings, as `ListValue.find` has it."""
        found: list[int] = []
        if count == 0:
            return found
        packed_item = needle(item)
        segments = self._count() + 2
        seen: i64 = 0
        step: i64 = 0
        while step < segments and seen < depth:
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
                if seen >= depth:
                    break
                if each == item:
                    if skip > 0:
                        skip -= 1
                    else:
                        found.append(self.length - 1 - seen if backwards else seen)
                        if len(found) == count:
                            return found
                seen += 1
        return found

    def remove(self, item: bytes, limit: i64, backwards: bool) -> i64:
        """Remove up to ``limit`` equal strings; how many."""
        packed_item = needle(item)
        segments = self._count() + 2
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
            self._tidy(self._head, len(self._chunks))
        return removed

    def _replace(self, segment: i64, items: list[bytes]) -> None:
        """Put the strings of a segment back, some of which are gone; a chunk may become empty."""
        if segment == 0:
            self._content += blocks(items) - blocks(self._left)
            items.reverse()
            self._left = items
        elif segment > self._count():
            self._content += blocks(items) - blocks(self._right)
            self._right = items
        else:
            place = self._head + segment - 1
            chunk = seal(items)
            self._content += memory_of(chunk) - memory_of(self._chunks[place])
            self._chunks[place] = chunk

    # All of it ---------------------------------------------------------------------------------

    def copy(self) -> "Row":
        """A row of its own with the same strings."""
        twin = Row([], self._batch)
        twin.length = self.length
        twin._left = self._left[:]
        twin._right = self._right[:]
        twin._chunks = self._chunks[self._head :]
        twin._content = self._content
        return twin

    def check(self) -> list[str]:
        """What is inconsistent, in words."""
        wrong: list[str] = []
        chunks = self._chunks[self._head :]
        length: i64 = len(self._left) + len(self._right)
        used: i64 = blocks(self._left) + blocks(self._right)
        for chunk in chunks:
            length += count_of(chunk)
            used += memory_of(chunk)
            if not 1 <= count_of(chunk) <= 4 * self._batch:
                wrong.append(f"a chunk has {count_of(chunk)} strings")
        if length != self.length:
            wrong.append(f"{self.length} strings are counted, {length} are there")
        if used != self._content:
            wrong.append(f"{self._content} bytes are accounted, {used} are there")
        if max(len(self._left), len(self._right)) >= 2 * self._batch:
            wrong.append("an end has not handed its inner strings to the chunks")
        return wrong

    def shed(self, budget: i64) -> i64:
        """Free about ``budget`` strings from the right; how many."""
        freed: i64 = 0
        while freed < budget and self.length > 0:
            count: i64 = len(self._right)
            if count > 0:
                self._right = []
            elif self._count() > 0:
                count = count_of(self._chunks.pop())
            else:
                count = len(self._left)
                self._left = []
            freed += count
            self.length -= count
        return freed


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
