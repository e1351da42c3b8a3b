"""Lists of a `KVBackend`: packed chunks of elements, in the order of their labels."""

from struct import Struct
from typing import Final

from mypy_extensions import i64

from hypercache.backend import LIST, BackendError, ListValue
from hypercache.keyspace.kv_chunk_row import FIRST_STEP, LONGEST_STEP, ChunkRow, beyond
from hypercache.keyspace.kv_chunks import (
    MOST_ELEMENTS,
    appended,
    count_of,
    decode_chunk,
    element_at,
    fits,
    prepended,
    without_first,
    without_last,
)
from hypercache.keyspace.kv_handle import Handle
from hypercache.keyspace.kv_labels import LABEL
from hypercache.keyspace.layout import COMPACT, WIDE, Namer, Record
from hypercache.listpack import OVERHEAD, fits_again, outgrows, string_size

_PACKED: Final = Struct(">Q")
#: The extra of an empty list's record.
EMPTY_LIST: Final = _PACKED.pack(0)


class KVList(ListValue):
    """A list: a change rewrites one chunk of up to 64 elements.

    The record holds how many bytes a listpack of the elements would take, for the encoding.
    """

    def __init__(self, handle: Handle, namer: Namer) -> None:
        super().__init__(LIST)
        self.handle = handle
        self.row = ChunkRow(handle, namer)

    def length(self) -> int:
        return self.handle.use().length

    def memory(self) -> int:
        return self.handle.use().used

    def encoding(self) -> str:
        return "listpack" if self.handle.use().encoding == COMPACT else "quicklist"

    # Both ends -----------------------------------------------------------------------------

    def push_left(self, element: bytes) -> None:
        self._push(element, False)

    def push_right(self, element: bytes) -> None:
        self._push(element, True)

    def _push(self, element: bytes, right: bool) -> None:
        handle = self.handle
        length = handle.use().length
        with handle.store:
            key, chunk = self.row.end(right)
            if key and fits(chunk, element):
                longer = appended(chunk, element) if right else prepended(chunk, element)
                handle.hold(key, longer, chunk)
            else:
                self.row.extend(key, element, right)
            self._grow(element)
            handle.settle(length + 1)
        self.changes += 1

    def pop_left(self) -> bytes:
        return self._pop(False)

    def pop_right(self) -> bytes:
        return self._pop(True)

    def _pop(self, right: bool) -> bytes:
        handle = self.handle
        length = handle.use().length
        with handle.store:
            key, chunk = self.row.end(right)
            if not key:
                raise BackendError("pop: the list is empty")
            element, rest = without_last(chunk) if right else without_first(chunk)
            if rest:
                handle.hold(key, rest, chunk)
            else:
                self.row.cut(key, chunk, right)
            self._shrink(string_size(element), length - 1)
            handle.settle(length - 1)
        self.changes += 1
        return element

    # Positions ------------------------------------------------------------------------------

    def get(self, index: i64) -> bytes:
        _, chunk, inside = self.row.seek(index)
        return element_at(chunk, inside)

    def set(self, index: i64, element: bytes) -> None:
        handle = self.handle
        length = handle.use().length
        with handle.store:
            key, chunk, inside = self.row.seek(index)
            elements = decode_chunk(chunk)
            old = elements[inside]
            elements[inside] = element
            self.row.rewrite(key, chunk, elements)
            self._grow(element)
            self._shrink(string_size(old), length)
            handle.settle(length)
        self.changes += 1

    def range(self, start: i64, stop: i64) -> list[bytes]:
        found: list[bytes] = []
        left = stop - start
        if left <= 0:
            return found
        key, chunk, inside = self.row.seek(start)
        found += decode_chunk(chunk)[inside : inside + left]
        while len(found) < stop - start:
            left = stop - start - len(found)
            count: int = min(left // MOST_ELEMENTS + 1, LONGEST_STEP)
            pairs = self.row.following(key, count)
            for _, chunk in pairs:
                found += decode_chunk(chunk)[: stop - start - len(found)]
            key = pairs[-1][0]
        return found

    def insert(self, index: i64, element: bytes) -> None:
        handle = self.handle
        length = handle.use().length
        if index == 0 or index == length:
            self._push(element, index == length)
            return
        with handle.store:
            key, chunk, inside = self.row.seek(index)
            elements = decode_chunk(chunk)
            elements.insert(inside, element)
            self.row.rewrite(key, chunk, elements)
            self._grow(element)
            handle.settle(length + 1)
        self.changes += 1

    def remove_range(self, start: i64, stop: i64) -> None:
        handle = self.handle
        length = handle.use().length
        left = stop - start
        if left <= 0:
            return
        with handle.store:
            key, chunk, inside = self.row.seek(start)
            low = key
            packed: i64 = 0
            pairs = [(key, chunk)]
            rest = b""
            is_whole = True
            while left > 0:
                for key, chunk in pairs:
                    elements = decode_chunk(chunk)
                    gone = elements[inside : inside + left]
                    for element in gone:
                        packed += string_size(element)
                    del elements[inside : inside + left]
                    left -= len(gone)
                    inside = 0
                    rest = self.row.keep(key, chunk, elements)
                    is_whole = is_whole and bool(elements)
                    if left == 0:
                        break
                if left > 0:
                    count: int = min(left // MOST_ELEMENTS + 1, LONGEST_STEP)
                    pairs = self.row.following(key, count)
            high = self.row.join(key, rest)
            if is_whole and low == high:
                self.row.index.shift(low[-LABEL:], start - stop)
            else:
                self.row.index.repair(low[-LABEL:], high[-LABEL:])
            self._shrink(packed, length - (stop - start))
            handle.settle(length - (stop - start))
        self.changes += stop - start

    # Equal elements ---------------------------------------------------------------------------

    def remove(self, element: bytes, limit: i64, backwards: bool) -> int:
        handle = self.handle
        length = handle.use().length
        removed: i64 = 0
        with handle.store:
            handle.release()
            start = handle.prefix
            stop = self.row.stop
            changed: list[tuple[bytes, bytes]] = []
            step = FIRST_STEP
            while removed < limit:
                pairs = handle.kv.range(start, stop, step, backwards)
                for key, chunk in pairs:
                    if removed < limit and chunk.find(element) >= 0:
                        rest, count = _without(chunk, element, limit - removed, backwards)
                        removed += count
                        if count > 0:
                            changed.append((key, self.row.keep(key, chunk, rest)))
                if len(pairs) < step:
                    break
                start, stop = beyond(pairs, start, stop, backwards)
                step = min(step * 2, LONGEST_STEP)
            if changed:
                high = b""
                for key, left in changed:
                    high = max(high, self.row.join(key, left))
                low, left = min(changed)
                if left and low == high:
                    self.row.index.shift(low[-LABEL:], -removed)
                else:
                    self.row.index.repair(low[-LABEL:], high[-LABEL:])
            self._shrink(removed * string_size(element), length - removed)
            handle.settle(length - removed)
        self.changes += removed
        return removed

    def find(self, element: bytes, skip: i64, count: i64, depth: i64, backwards: bool) -> list[int]:
        handle = self.handle
        length = handle.use().length
        found: list[int] = []
        handle.reveal()
        start = handle.prefix
        stop = self.row.stop
        seen: i64 = 0
        step = FIRST_STEP
        while seen < depth and len(found) < count:
            pairs = handle.kv.range(start, stop, step, backwards)
            for _, chunk in pairs:
                if chunk.find(element) < 0:
                    seen += count_of(chunk)
                    continue
                elements = decode_chunk(chunk)
                if backwards:
                    elements.reverse()
                for each in elements:
                    if seen < depth and len(found) < count and each == element:
                        if skip > 0:
                            skip -= 1
                        else:
                            found.append(length - 1 - seen if backwards else seen)
                    seen += 1
            if len(pairs) < step:
                break
            start, stop = beyond(pairs, start, stop, backwards)
            step = min(step * 2, LONGEST_STEP)
        return found

    # The encoding -----------------------------------------------------------------------------

    def _grow(self, element: bytes) -> None:
        """Account for an element that comes; the record's length is still without it."""
        handle = self.handle
        packed = packed_size(handle.record)
        if handle.record.encoding == COMPACT:
            limit = handle.store.limits.list_size
            size = OVERHEAD + packed + len(element)
            if outgrows(limit, size, handle.record.length + 1):
                handle.set_encoding(WIDE)
        handle.set_extra(_PACKED.pack(packed + string_size(element)))

    def _shrink(self, gone: i64, length: i64) -> None:
        """Account for elements that took so many bytes and have gone."""
        handle = self.handle
        packed = packed_size(handle.record) - gone
        handle.set_extra(_PACKED.pack(packed))
        if handle.record.encoding == WIDE:
            limit = handle.store.limits.list_size
            if fits_again(limit, OVERHEAD + packed, length):
                handle.set_encoding(COMPACT)


def _without(chunk: bytes, element: bytes, limit: i64, backwards: bool) -> tuple[list[bytes], i64]:
    """What a chunk holds without so many equal elements, and how many there were."""
    elements = decode_chunk(chunk)
    if backwards:
        elements.reverse()
    kept: list[bytes] = []
    left = limit
    for each in elements:
        if left > 0 and each == element:
            left -= 1
        else:
            kept.append(each)
    if backwards:
        kept.reverse()
    return kept, limit - left


def packed_size(record: Record) -> i64:
    """What a list's elements take in a listpack, as its record says."""
    return int(_PACKED.unpack(record.extra)[0])
