"""Chunks in a row: the inside of a long list. See `hypercache_memory.rows`."""

from typing import Final

from mypy_extensions import i64

from hypercache_memory.chunks import (
    Chunk,
    count_of,
    extend,
    item_at,
    items_of,
    joined,
    may_hold,
    memory_of,
    part,
    seal,
    take_back,
    take_front,
)

# The object and its list.
_FIXED_BYTES: Final[i64] = 64 + 64


class ChunkList:
    """Strings in chunks of up to four batches. Positions count strings, places count chunks.

    ``length`` is the number of strings. Neighbours of which one has less than a batch are
    joined where that is seen.
    """

    def __init__(self, batch: i64) -> None:
        self.length: i64 = 0
        self._batch = batch
        # Chunks begin at `_head`: what lies before is room for more on the left.
        self._chunks: list[Chunk] = []
        self._head: i64 = 0
        # Bytes of all chunks.
        self._content: i64 = 0

    def memory(self) -> i64:
        """Bytes that the chunks take, and the row of them."""
        return _FIXED_BYTES + self._head * 8 + self._content

    def count(self) -> i64:
        """Number of chunks."""
        return len(self._chunks) - self._head

    def _can_join(self, first: Chunk, second: Chunk) -> bool:
        return count_of(first) + count_of(second) <= 4 * self._batch

    # Both ends -----------------------------------------------------------------------------

    def push_left(self, items: list[bytes]) -> None:
        """Put strings, up to a batch, before the first; the list becomes ours."""
        self.length += len(items)
        chunk = seal(items)
        if self.count() > 0 and self._can_join(chunk, self._chunks[self._head]):
            first = self._chunks[self._head]
            self._content -= memory_of(first)
            chunk = joined(chunk, first)
        else:
            if self._head == 0:
                self._head = len(self._chunks) // 4 + 4
                self._chunks[:0] = [b""] * self._head
            self._head -= 1
        self._chunks[self._head] = chunk
        self._content += memory_of(chunk)

    def push_right(self, items: list[bytes]) -> None:
        """Put strings, up to a batch, behind the last; the list becomes ours."""
        self.length += len(items)
        chunk = seal(items)
        if self.count() > 0 and self._can_join(self._chunks[-1], chunk):
            last = self._chunks.pop()
            self._content -= memory_of(last)
            chunk = joined(last, chunk)
        self._chunks.append(chunk)
        self._content += memory_of(chunk)

    def take_left(self) -> list[bytes]:
        """Take up to a batch of strings off the left end; there are some."""
        place = self._head
        chunk = self._chunks[place]
        items: list[bytes] = []
        rest = take_front(chunk, min(self._batch, count_of(chunk)), items)
        self._chunks[place] = rest
        self._content += memory_of(rest) - memory_of(chunk)
        self.length -= len(items)
        if count_of(rest) == 0:
            self._content -= memory_of(rest)
            self._chunks[place] = b""
            self._head += 1
            if self._head * 2 > len(self._chunks) + 8:
                del self._chunks[: self._head]
                self._head = 0
        return items

    def take_right(self) -> list[bytes]:
        """Take up to a batch of strings off the right end; there are some."""
        chunk = self._chunks.pop()
        items: list[bytes] = []
        rest = take_back(chunk, min(self._batch, count_of(chunk)), items)
        self._content -= memory_of(chunk)
        self.length -= len(items)
        if count_of(rest) > 0:
            self._chunks.append(rest)
            self._content += memory_of(rest)
        return items

    # Positions ------------------------------------------------------------------------------

    def _find(self, index: i64) -> tuple[i64, i64]:
        """Where a position is: the place of its chunk, and the position within.

        The end of all is the place behind the last chunk.
        """
        place: i64 = 0
        if index <= self.length - index:
            place = self._head
            while place < len(self._chunks):
                count = count_of(self._chunks[place])
                if index < count:
                    break
                index -= count
                place += 1
            return place, index
        behind = self.length - index
        place = len(self._chunks)
        while behind > 0:
            place -= 1
            behind -= count_of(self._chunks[place])
        return place, -behind

    def get(self, index: i64) -> bytes:
        """The string at a position."""
        place, at = self._find(index)
        return item_at(self._chunks[place], at)

    def set(self, index: i64, item: bytes) -> None:
        """Replace the string at a position."""
        place, at = self._find(index)
        items = items_of(self._chunks[place])
        items[at] = item
        self._put(place, items)

    def insert(self, index: i64, item: bytes) -> None:
        """Put a string before the one at a position."""
        place, at = self._find(index)
        items = items_of(self._chunks[place])
        items.insert(at, item)
        self._put(place, items)
        self.length += 1

    def _put(self, place: i64, items: list[bytes]) -> None:
        """Put changed strings back in the place of a chunk, as one chunk or as two."""
        self._content -= memory_of(self._chunks[place])
        half: i64 = len(items)
        if half > 4 * self._batch:
            half //= 2
            behind = seal(items[half:])
            self._chunks.insert(place + 1, behind)
            self._content += memory_of(behind)
            items = items[:half]
        chunk = seal(items)
        self._chunks[place] = chunk
        self._content += memory_of(chunk)

    def collect(self, out: list[bytes], start: i64, stop: i64) -> None:
        """Append the strings at ``start <= i < stop`` to a list."""
        if start >= stop:
            return
        place, at = self._find(start)
        while start < stop:
            chunk = self._chunks[place]
            end = min(count_of(chunk), at + stop - start)
            extend(out, chunk, at, end)
            start += end - at
            place += 1
            at = 0

    def remove_range(self, start: i64, stop: i64) -> None:
        """Remove the strings at ``start <= i < stop``."""
        if start >= stop:
            return
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
        self.length -= stop - start
        self._tidy(max(first - 1, self._head), first + 3)

    def _tidy(self, start: i64, stop: i64) -> None:
        """Join small neighbours, and drop empty chunks, within these places."""
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

    # Chunk by chunk ---------------------------------------------------------------------------

    def items(self, number: i64) -> list[bytes]:
        """The strings of a chunk, counted from 0."""
        return items_of(self._chunks[self._head + number])

    def lacks(self, number: i64, item: bytes, packed_item: bytes) -> i64:
        """The number of a chunk's strings if it certainly lacks one, else 0."""
        chunk = self._chunks[self._head + number]
        return 0 if may_hold(chunk, item, packed_item) else count_of(chunk)

    def replace(self, number: i64, items: list[bytes]) -> None:
        """Put the strings of a chunk back, some of which have gone; then `tidy` is due."""
        place = self._head + number
        chunk = self._chunks[place]
        self._content -= memory_of(chunk)
        self.length -= count_of(chunk)
        chunk = seal(items)
        self._chunks[place] = chunk
        self._content += memory_of(chunk)
        self.length += count_of(chunk)

    def tidy(self) -> None:
        """Join small neighbours everywhere."""
        self._tidy(self._head, len(self._chunks))

    def copy(self) -> "ChunkList":
        """A row of its own with the same chunks, which never change."""
        twin = ChunkList(self._batch)
        twin.length = self.length
        twin._chunks = self._chunks[self._head :]
        twin._content = self._content
        return twin

    def shed(self) -> i64:
        """Free the last chunk; there is one. The number of its strings."""
        count = count_of(self._chunks.pop())
        self.length -= count
        return count

    def check(self) -> list[str]:
        """What is inconsistent, in words."""
        wrong: list[str] = []
        length: i64 = 0
        used: i64 = 0
        for chunk in self._chunks[self._head :]:
            length += count_of(chunk)
            used += memory_of(chunk)
            if not 1 <= count_of(chunk) <= 4 * self._batch:
                wrong.append(f"a chunk has {count_of(chunk)} strings")
        if length != self.length:
            wrong.append(f"{self.length} strings are counted in chunks, {length} are there")
        if used != self._content:
            wrong.append(f"{self._content} bytes are accounted for chunks, {used} are there")
        return wrong
