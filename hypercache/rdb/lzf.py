"""LZF, by which Redis shortens long strings in RDB files.

A control byte below 32 begins a run of literals, another one a reference to what was
written before. Source: liblzf's format.
"""

from time import sleep
from typing import Final

from librt.strings import BytesWriter, read_i32_le, read_i64_le
from librt.vecs import vec
from mypy_extensions import i64, u8

from hypercache.rdb.errors import RdbError

_MAX_RUN: Final[i64] = 32
_MAX_LENGTH: Final[i64] = 264
_MAX_DISTANCE: Final[i64] = 8192
# A reference of this length has one more byte that adds to it.
_LONG: Final[i64] = 9
# What room for the decompressed grows by.
_ROOM: Final = bytes(4096)
_SMALL: Final[i64] = 128
_SMALL_ROOM: Final = bytes(512)
# Compiled code lets no other thread run by itself: so many bytes are 0.1 to 0.3 ms.
_SLICE: Final[i64] = 1 << 15
# Positions are found by a hash of three bytes.
_SLOTS: Final[i64] = 1 << 13
_MULTIPLIER: Final[i64] = 2654435761
# Where nothing repeats, more and more positions are left out.
_PATIENCE: Final[i64] = 6


class Compressor:
    """Compresses one string after the other.

    Where three bytes were seen last stands in a table that need not be cleared: positions go on
    from string to string, and those of strings before are too low to count. ``patient``:
    other threads may run amid a long string.
    """

    def __init__(self, patient: bool = False) -> None:
        self._patient = patient
        self._table = vec[i64]([-1] * int(_SLOTS))
        self._base: i64 = 0
        # What is being written, and behind it bytes of no meaning.
        self._out = BytesWriter()
        self._written: i64 = 0

    def compress(self, data: bytes, limit: i64) -> bytes | None:
        """The string in at most ``limit`` bytes, or None if it does not become so short."""
        table = self._table
        base = self._base
        end: i64 = len(data)
        self._base = base + end
        self._written = 0
        at: i64 = 0
        literals: i64 = 0
        # Four bytes are read at a time.
        last: i64 = end - 4
        until: i64 = _SLICE if self._patient else end
        while at <= last:
            if at >= until:
                until = at + _SLICE
                sleep(0)
            word: i64 = i64(read_i32_le(data, at)) & 0xFFFFFF
            slot: i64 = (word * _MULTIPLIER >> 19) & (_SLOTS - 1)
            seen: i64 = table[slot] - base
            table[slot] = base + at
            if (
                seen < 0
                or at - seen > _MAX_DISTANCE
                or i64(read_i32_le(data, seen)) & 0xFFFFFF != word
            ):
                at += 1 + (at - literals >> _PATIENCE)
                continue
            length = _common(data, seen, at, end)
            self._write_literals(data, literals, at)
            self._write_reference(at - seen - 1, length - 2)
            if self._written > limit:
                return None
            at += length
            literals = at
            if at <= last:
                # What follows often continues this match.
                word = i64(read_i32_le(data, at - 1)) & 0xFFFFFF
                table[(word * _MULTIPLIER >> 19) & (_SLOTS - 1)] = base + at - 1
        if self._written + (end - literals) > limit:
            return None
        self._write_literals(data, literals, end)
        if self._written > limit:
            return None
        self._out.truncate(self._written)
        return self._out.getvalue()

    def _write_literals(self, data: bytes, start: i64, end: i64) -> None:
        out = self._out
        # Each run of literals, and the reference behind them, has bytes of its own.
        written = self._written
        while written + (end - start) + (end - start >> 4) + _MAX_RUN > len(out):
            out.write(_ROOM)
        while start < end:
            run: i64 = end - start
            if run > _MAX_RUN:
                run = _MAX_RUN
            out[written] = u8(run - 1)
            written += 1
            for place in range(start, start + run):
                out[written] = u8(data[place])
                written += 1
            start += run
        self._written = written

    def _write_reference(self, distance: i64, length: i64) -> None:
        """Both count from one less, or two less, than they are; there is room for them."""
        out = self._out
        written = self._written
        if length < 7:
            out[written] = u8(length << 5 | distance >> 8)
        else:
            out[written] = u8(7 << 5 | distance >> 8)
            written += 1
            out[written] = u8(length - 7)
        out[written + 1] = u8(distance & 0xFF)
        self._written = written + 2


def _common(data: bytes, seen: i64, at: i64, end: i64) -> i64:
    """How many bytes are the same from two positions on; three are."""
    highest: i64 = end - at
    if highest > _MAX_LENGTH:
        highest = _MAX_LENGTH
    length: i64 = 3
    while length + 8 <= highest and read_i64_le(data, seen + length) == read_i64_le(
        data, at + length
    ):
        length += 8
    while length < highest and data[seen + length] == data[at + length]:
        length += 1
    return length


def decompress(data: bytes, size: i64) -> bytes:
    """The ``size`` bytes that were compressed; RdbError if they are not exactly that."""
    end: i64 = len(data)
    # A reference of three bytes yields 264 at most, so no few bytes can claim gigabytes.
    if size > end * _MAX_LENGTH:
        raise RdbError("a compressed string claims to be longer than it can be")
    out = BytesWriter()
    filled: i64 = 0
    at: i64 = 0
    while at < end:
        control: i64 = data[at]
        at += 1
        if filled + _MAX_LENGTH > len(out):
            out.write(_ROOM if size > _SMALL else _SMALL_ROOM)
        if control < _MAX_RUN:
            run: i64 = control + 1
            if at + run > end:
                raise RdbError("a compressed string is cut")
            for place in range(run):
                out[filled + place] = u8(data[at + place])
            at += run
            filled += run
        else:
            length: i64 = (control >> 5) + 2
            if length == _LONG and at < end:
                length += data[at]
                at += 1
            if at >= end:
                raise RdbError("a compressed string is cut")
            seen = filled - ((control & 31) << 8 | data[at]) - 1
            at += 1
            if seen < 0:
                raise RdbError("a compressed string refers to what is before it")
            # What is referred to may overlap what is being written.
            for place in range(length):
                out[filled + place] = out[seen + place]
            filled += length
        if filled > size:
            raise RdbError("a compressed string is longer than it says")
    if filled != size:
        raise RdbError("a compressed string is shorter than it says")
    out.truncate(size)
    return out.getvalue()
