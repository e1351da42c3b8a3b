"""Fields and values in turn, packed into one ``bytes`` object: what small hashes are.

Ten short pairs take 256 bytes so, against 1,300 as objects in a ``dict``. Finding a field
costs about 4 ns a pair that is passed over, a change one copy of the whole; so this pays up to
some dozens of pairs (`hypercache_memory.packed` has the format).
"""

from typing import Final

from mypy_extensions import i64

from hypercache_memory.packed import is_at, size_at, text_at

# Lengths below this take one byte.
_LONG: Final[i64] = 128
_HEADS: Final[list[bytes]] = [bytes([size]) for size in range(_LONG)]


def find(pairs: bytes, field: bytes) -> i64:
    """Where a field's length stands, -1 when it is not there."""
    size: i64 = len(field)
    end: i64 = len(pairs)
    at: i64 = 0
    while at < end:
        length: i64 = pairs[at]
        start = at + 1
        if length >= _LONG:
            length = size_at(pairs, at)
            start = at + 4
        if length == size and is_at(pairs, start, field):
            return at
        at = start + length
        length = pairs[at]
        if length < _LONG:
            at += length + 1
        else:
            at = following(pairs, at)
    return -1


def following(pairs: bytes, at: i64) -> i64:
    """Where the length of the next string stands."""
    return text_at(pairs, at) + size_at(pairs, at)


def text(pairs: bytes, at: i64) -> bytes:
    """The string whose length stands here."""
    start = text_at(pairs, at)
    return pairs[start : start + size_at(pairs, at)]


def _head(size: i64) -> bytes:
    """The length in front of a string of that size."""
    if size < _LONG:
        return _HEADS[size]
    number: int = size | (1 << 31)
    return number.to_bytes(4, "big")


def added(pairs: bytes, field: bytes, value: bytes) -> bytes:
    """With one more pair, whose field is not there yet."""
    return b"%b%b%b%b%b" % (pairs, _head(len(field)), field, _head(len(value)), value)


def replaced(pairs: bytes, at: i64, value: bytes) -> bytes:
    """With another value for the field whose length stands here."""
    old = following(pairs, at)
    start = text_at(pairs, old)
    length = size_at(pairs, old)
    size: i64 = len(value)
    if size == length:  # the usual counter, flag or time: no new length to be written
        if start + length == len(pairs):
            return pairs[:start] + value
        return b"%b%b%b" % (pairs[:start], value, pairs[start + length :])
    return b"%b%b%b%b" % (pairs[:old], _head(size), value, pairs[start + length :])


def without(pairs: bytes, at: i64) -> bytes:
    """Without the pair of the field whose length stands here."""
    return pairs[:at] + pairs[following(pairs, following(pairs, at)) :]


def unpacked(pairs: bytes) -> list[tuple[bytes, bytes]]:
    """All pairs, in the order in which they came."""
    found: list[tuple[bytes, bytes]] = []
    at: i64 = 0
    end: i64 = len(pairs)
    while at < end:
        value_at = following(pairs, at)
        found.append((text(pairs, at), text(pairs, value_at)))
        at = following(pairs, value_at)
    return found


def nth(pairs: bytes, index: i64) -> tuple[bytes, bytes]:
    """The pair at a position below their number."""
    at: i64 = 0
    while index > 0:
        at = following(pairs, following(pairs, at))
        index -= 1
    return text(pairs, at), text(pairs, following(pairs, at))
