"""LZF, by which Redis shortens long strings in RDB files: only the way back.

A control byte below 32 begins a run of literals, another one a reference to what was
written before. Source: liblzf's format.
"""

from hypercache.rdb.errors import RdbError


def decompress(data: bytes, size: int) -> bytes:
    """The ``size`` bytes that were compressed; RdbError if they are not exactly that."""
    out = bytearray()
    at = 0
    end = len(data)
    # A reference of three bytes yields 264 at most, so no few bytes can claim gigabytes.
    if size > end * 264:
        raise RdbError("a compressed string claims to be longer than it can be")
    while at < end:
        control = data[at]
        at += 1
        if control < 32:
            run = control + 1
            if at + run > end:
                raise RdbError("a compressed string is cut")
            out += data[at : at + run]
            at += run
        else:
            length = control >> 5
            if length == 7:
                if at >= end:
                    raise RdbError("a compressed string is cut")
                length += data[at]
                at += 1
            if at >= end:
                raise RdbError("a compressed string is cut")
            distance = ((control & 31) << 8 | data[at]) + 1
            at += 1
            _repeat(out, distance, length + 2)
        if len(out) > size:
            raise RdbError("a compressed string is longer than it says")
    if len(out) != size:
        raise RdbError("a compressed string is shorter than it says")
    return bytes(out)


def _repeat(out: bytearray, distance: int, length: int) -> None:
    """Append what was written ``distance`` bytes ago; it may overlap what is being written."""
    start = len(out) - distance
    if start < 0:
        raise RdbError("a compressed string refers to what is before it")
    piece = bytes(out[start : start + min(distance, length)])
    times = -(-length // len(piece))
    out += (piece * times)[:length]
