"""Chunks: up to 255 byte strings of a list, packed into one ``bytes`` where that saves memory.

A packed chunk is the number of its strings in one byte, and the strings as
`hypercache_memory.packed` has them. Long strings gain nothing from that and would be copied
by every change nearby: a chunk of those is a plain list. Chunks are not changed in place.
"""

from typing import Final

from librt.strings import BytesWriter
from mypy_extensions import i64, u8

from hypercache_memory.packed import put, size_at, text_at
from hypercache_memory.sizes import bytes_block

Chunk = bytes | list[bytes]

#: A packed chunk without strings.
EMPTY: Final = b"\x00"
#: Strings of more bytes than this on average are not packed.
LONG_ON_AVERAGE: Final[i64] = 64
# A list object with its header for the collector.
_LIST_BYTES: Final[i64] = 64

_COUNTS: Final[list[bytes]] = [bytes([count]) for count in range(256)]


def content(items: list[bytes]) -> i64:
    """Bytes of all strings together."""
    total: i64 = 0
    for item in items:
        total += len(item)
    return total


def blocks(items: list[bytes]) -> i64:
    """Bytes that the strings take as objects of their own."""
    total: i64 = 0
    for item in items:
        total += bytes_block(len(item))
    return total


def pack_chunk(items: list[bytes]) -> bytes:
    """A packed chunk, whatever the lengths."""
    out = BytesWriter()
    out.append(u8(len(items)))
    for item in items:
        put(out, item)
    return out.getvalue()


def seal(items: list[bytes]) -> Chunk:
    """A chunk of these strings; the list becomes the chunk's."""
    count: i64 = len(items)
    return pack_chunk(items) if content(items) <= count * LONG_ON_AVERAGE else items


def count_of(chunk: Chunk) -> i64:
    """Number of strings."""
    if isinstance(chunk, bytes):
        return i64(chunk[0])
    return len(chunk)


def memory_of(chunk: Chunk) -> i64:
    """Bytes that a chunk takes, with the pointer to it."""
    if isinstance(chunk, bytes):
        return bytes_block(len(chunk)) + 8
    count: i64 = len(chunk)
    return _LIST_BYTES + 8 + count * 8 + blocks(chunk)


def unpack(data: bytes, at: i64, count: i64, out: list[bytes]) -> i64:
    """Append ``count`` strings from ``at`` on; where the next one begins."""
    while count > 0:
        size: i64 = data[at]
        at += 1
        if size > 127:
            at -= 1
            size = size_at(data, at)
            at += 4
        end = at + size
        out.append(data[at:end])
        at = end
        count -= 1
    return at


def skip(data: bytes, at: i64, count: i64) -> i64:
    """Where the string begins that is ``count`` behind the one at ``at``."""
    while count > 0:
        at = text_at(data, at) + size_at(data, at)
        count -= 1
    return at


def extend(out: list[bytes], chunk: Chunk, start: i64, stop: i64) -> None:
    """Append the strings at ``start <= i < stop``."""
    if isinstance(chunk, bytes):
        unpack(chunk, skip(chunk, 1, start), stop - start, out)
    else:
        out.extend(chunk[start:stop])


def items_of(chunk: Chunk) -> list[bytes]:
    """All strings, in a list that is the caller's."""
    items: list[bytes] = []
    extend(items, chunk, 0, count_of(chunk))
    return items


def item_at(chunk: Chunk, index: i64) -> bytes:
    """One string."""
    if isinstance(chunk, bytes):
        at = skip(chunk, 1, index)
        start = text_at(chunk, at)
        return chunk[start : start + size_at(chunk, at)]
    return chunk[index]


def part(chunk: Chunk, start: i64, stop: i64) -> Chunk:
    """A chunk of the strings at ``start <= i < stop``."""
    if isinstance(chunk, bytes):
        return packed_part(chunk, start, stop)
    return chunk[start:stop]


def packed_part(chunk: bytes, start: i64, stop: i64) -> bytes:
    """`part` of a packed chunk."""
    at = skip(chunk, 1, start)
    return _COUNTS[stop - start] + chunk[at : skip(chunk, at, stop - start)]


def take_front(chunk: Chunk, count: i64, out: list[bytes]) -> Chunk:
    """Append the first ``count`` strings to a list; the chunk of the others."""
    if isinstance(chunk, bytes):
        at = unpack(chunk, 1, count, out)
        return _COUNTS[i64(chunk[0]) - count] + chunk[at:]
    out.extend(chunk[:count])
    return chunk[count:]


def take_back(chunk: Chunk, count: i64, out: list[bytes]) -> Chunk:
    """Append the last ``count`` strings to a list; the chunk of the others."""
    if isinstance(chunk, bytes):
        rest = i64(chunk[0]) - count
        at = skip(chunk, 1, rest)
        unpack(chunk, at, count, out)
        return _COUNTS[rest] + chunk[1:at]
    out.extend(chunk[-count:])
    return chunk[:-count]


def joined(first: Chunk, second: Chunk) -> Chunk:
    """The strings of two chunks in one."""
    if isinstance(first, bytes) and isinstance(second, bytes):
        count: i64 = i64(first[0]) + i64(second[0])
        return _COUNTS[count] + first[1:] + second[1:]
    items = items_of(first)
    extend(items, second, 0, count_of(second))
    return seal(items)


def needle(item: bytes) -> bytes:
    """What a packed chunk contains if it holds this string."""
    out = BytesWriter()
    put(out, item)
    return out.getvalue()


def may_hold(chunk: Chunk, item: bytes, packed_item: bytes) -> bool:
    """Whether a chunk can hold a string, told without looking at each; never wrongly False."""
    if isinstance(chunk, bytes):
        return chunk.find(packed_item, 1) >= 0
    return item in chunk
