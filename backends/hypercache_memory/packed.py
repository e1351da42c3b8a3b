"""Short byte strings one behind the other in one ``bytes`` object: no object for each.

An object of its own takes a byte string 33 bytes more, rounded up to 16, and a pointer;
here it takes its length in front: one byte up to 127, else four with the top bit set. What is
packed is searched from the front and copied by a change, so it pays for a few dozen strings
that are looked at rarely or are short.
"""

from typing import Final

from librt.strings import BytesWriter
from mypy_extensions import i64, u8

# Lengths below this take one byte.
_LONG: Final[i64] = 128


def put_size(out: BytesWriter, size: i64) -> None:
    """Write the length of a string that follows."""
    if size < _LONG:
        out.append(u8(size))
    else:
        out.append(u8(128 | (size >> 24)))
        out.append(u8((size >> 16) & 255))
        out.append(u8((size >> 8) & 255))
        out.append(u8(size & 255))


def put(out: BytesWriter, item: bytes) -> None:
    """Write one string behind the others."""
    put_size(out, len(item))
    out.write(item)


def pack(items: list[bytes]) -> bytes:
    """All of them, one behind the other."""
    out = BytesWriter()
    for item in items:
        put(out, item)
    return out.getvalue()


def size_at(data: bytes, at: i64) -> i64:
    """Length of the string whose length stands at ``at``."""
    first: i64 = data[at]
    if first < _LONG:
        return first
    high = ((first & 127) << 24) | (i64(data[at + 1]) << 16)
    return high | (i64(data[at + 2]) << 8) | i64(data[at + 3])


def text_at(data: bytes, at: i64) -> i64:
    """Where the string begins whose length stands at ``at``."""
    return at + 1 if i64(data[at]) < _LONG else at + 4


def is_at(data: bytes, start: i64, item: bytes) -> bool:
    """Whether a string stands here. Those that lie together differ at their ends, so from there."""
    left: i64 = len(item)
    while left > 0:
        left -= 1
        if data[start + left] != item[left]:
            return False
    return True


def unpack(data: bytes) -> list[bytes]:
    """All strings."""
    items: list[bytes] = []
    at: i64 = 0
    end: i64 = len(data)
    while at < end:
        start = text_at(data, at)
        at = start + size_at(data, at)
        items.append(data[start:at])
    return items
