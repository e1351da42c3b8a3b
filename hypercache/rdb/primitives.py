"""Lengths, strings and numbers of the RDB format, read and written."""

from typing import Final

from librt.strings import (
    BytesWriter,
    read_f64_le,
    read_i16_le,
    read_i32_be,
    read_i32_le,
    read_i64_be,
    read_i64_le,
    write_f64_le,
    write_i16_be,
    write_i16_le,
    write_i32_be,
    write_i32_le,
    write_i64_be,
    write_i64_le,
)
from mypy_extensions import i16, i32, i64

from hypercache.rdb.errors import RdbError
from hypercache.rdb.lzf import Compressor, decompress

_ENCODED: Final[i64] = 3
_INT8: Final[i64] = 0
_INT16: Final[i64] = 1
_INT32: Final[i64] = 2
_LZF: Final[i64] = 3
_LENGTH_32: Final[i64] = 0x80
_LENGTH_64: Final[i64] = 0x81
# Longer texts are no 32-bit integers; shorter ones are not compressed.
_LONGEST_INTEGER: Final[i64] = 11
_SHORTEST_COMPRESSED: Final[i64] = 20
# Compressing this takes about 0.3 ms; and what is copied and compressed at all.
_LONGEST_AT_ONCE: Final[i64] = 1 << 16
LONGEST_COMPRESSED: Final[i64] = 1 << 24
_NO_INTEGER: Final[i64] = 1 << 62
_MINUS: Final[i64] = 45
_ZERO: Final[i64] = 48


class Writer:
    """Collects the bytes of values; long strings are compressed if there is a compressor.

    Strings of more than 64 KB are not compressed here, since that would delay everybody else: if
    ``apart``, they become ``pieces`` of their own, ``raw`` where they are to be compressed. What
    is in ``out`` follows the pieces.
    """

    def __init__(self, compressor: Compressor | None = None, apart: bool = False) -> None:
        self.out = BytesWriter()
        self.compressor = compressor
        self.apart = apart
        self.pieces: list[bytes] = []
        self.raw: list[bool] = []
        self._in_pieces: i64 = 0

    def size(self) -> i64:
        """Bytes so far."""
        return self._in_pieces + len(self.out)

    def cut(self) -> None:
        """Make a piece of what is in ``out``."""
        if len(self.out):
            self._add(self.out.getvalue(), False)
            self.out.truncate(0)

    def clear(self) -> None:
        """Forget everything."""
        self.out.truncate(0)
        self.pieces = []
        self.raw = []
        self._in_pieces = 0

    def extend(self, other: "Writer") -> None:
        """Put behind everything what another one has."""
        self.cut()
        for at, piece in enumerate(other.pieces):
            self._add(piece, other.raw[at])
        self.out.write(other.out.getvalue())

    def _add(self, piece: bytes, raw: bool) -> None:
        self.pieces.append(piece)
        self.raw.append(raw)
        self._in_pieces += len(piece)

    def length(self, number: i64) -> None:
        """A length, or any other number without sign: those from 2**63 on as negative ones."""
        out = self.out
        if number < 0 or number >= 1 << 32:
            out.append(_LENGTH_64)
            write_i64_be(out, number)
        elif number < 1 << 6:
            out.append(number)
        elif number < 1 << 14:
            write_i16_be(out, i16(0x4000 | number))
        else:
            out.append(_LENGTH_32)
            write_i32_be(out, i32(number if number < 1 << 31 else number - (1 << 32)))

    def string(self, text: bytes) -> None:
        """A byte string; a small integer takes 2 to 5 bytes."""
        size: i64 = len(text)
        if size <= _LONGEST_INTEGER:
            number = small_integer(text)
            if number != _NO_INTEGER:
                self._integer(number)
                return
        elif size > _SHORTEST_COMPRESSED:
            compressor = self.compressor
            if size > _LONGEST_AT_ONCE:
                if self.apart:
                    self._set_apart(text, size)
                    return
            elif compressor is not None:
                shorter = compressor.compress(text, size - 4)
                if shorter is not None:
                    self._write_compressed(shorter, size)
                    return
        self.length(size)
        self.out.write(text)

    def compress(self, text: bytes) -> None:
        """A byte string of any length, compressed if that makes it shorter."""
        size: i64 = len(text)
        shorter: bytes | None = None
        if self.compressor is not None:
            shorter = self.compressor.compress(text, size - 4)
        if shorter is not None:
            self._write_compressed(shorter, size)
            return
        self.length(size)
        self.out.write(text)

    def _set_apart(self, text: bytes, size: i64) -> None:
        raw = self.compressor is not None and size <= LONGEST_COMPRESSED
        if not raw:
            self.length(size)
        self.cut()
        self._add(text, raw)

    def _write_compressed(self, shorter: bytes, size: i64) -> None:
        self.out.append(_ENCODED << 6 | _LZF)
        self.length(len(shorter))
        self.length(size)
        self.out.write(shorter)

    def _integer(self, number: i64) -> None:
        out = self.out
        if -(1 << 7) <= number < 1 << 7:
            out.append(_ENCODED << 6 | _INT8)
            out.append(number & 0xFF)
        elif -(1 << 15) <= number < 1 << 15:
            out.append(_ENCODED << 6 | _INT16)
            write_i16_le(out, i16(number))
        else:
            out.append(_ENCODED << 6 | _INT32)
            write_i32_le(out, i32(number))

    def double(self, number: float) -> None:
        """Eight bytes."""
        write_f64_le(self.out, number)

    def time(self, milliseconds: i64) -> None:
        """Unix milliseconds, eight bytes; -1 for none."""
        write_i64_le(self.out, milliseconds)


def small_integer(text: bytes) -> i64:
    """The 32-bit integer whose only spelling a text of up to 11 bytes is; 2**62 if it is none."""
    size: i64 = len(text)
    if size == 0:
        return _NO_INTEGER
    first: i64 = text[0]
    at: i64 = 1 if first == _MINUS else 0
    if at == size or (text[at] == _ZERO and size > 1):
        return _NO_INTEGER
    number: i64 = 0
    while at < size:
        digit: i64 = i64(text[at]) - _ZERO
        if digit < 0 or digit > 9:
            return _NO_INTEGER
        number = number * 10 + digit
        at += 1
    if first == _MINUS:
        number = -number
    return number if -(1 << 31) <= number < 1 << 31 else _NO_INTEGER


class Reader:
    """Reads a value's bytes from front to back; RdbError where they are not as they should be.

    ``data`` is what is there up to ``end``, ``at`` what is read next.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at: i64 = 0
        self.end: i64 = len(data)

    def left(self) -> i64:
        """Bytes not read yet."""
        return self.end - self.at

    def fill(self, size: i64) -> None:
        """Have so many bytes in ``data`` from ``at`` on, which are not there."""
        raise RdbError("the value is cut")

    def take(self, size: i64) -> i64:
        """Pass over so many bytes, which are in ``data`` now; where they begin."""
        if size > self.end - self.at:
            self.fill(size)
        start = self.at
        self.at = start + size
        return start

    def byte(self) -> i64:
        """The next byte."""
        start = self.take(1)
        return self.data[start]

    def raw(self, size: i64) -> bytes:
        """The next bytes as they are."""
        start = self.take(size)
        return self.data[start : start + size]

    def length(self) -> i64:
        """A length, or any other number without sign: those from 2**63 on as negative ones."""
        head = self.byte()
        if head >= _ENCODED << 6:
            raise RdbError("a length is expected, and an encoded string is there")
        return self._length(head)

    def count(self) -> i64:
        """A number of elements: each takes a byte at least, so there cannot be more than bytes."""
        number = self.length()
        if not 0 <= number <= self.left():
            raise RdbError("the value claims more elements than it has bytes")
        return number

    def _length(self, head: i64) -> i64:
        if head < 1 << 6:
            return head
        if head < 1 << 7:
            return (head & 0x3F) << 8 | self.byte()
        if head == _LENGTH_32:
            start = self.take(4)
            return i64(read_i32_be(self.data, start)) & 0xFFFFFFFF
        if head == _LENGTH_64:
            start = self.take(8)
            return read_i64_be(self.data, start)
        raise RdbError(f"unknown length encoding {head:#x}")

    def string(self) -> bytes:
        """A byte string in any of its encodings."""
        head = self.byte()
        if head < _ENCODED << 6:
            size = self._length(head)
            if not 0 <= size <= self.left():
                raise RdbError("a string is longer than what is left")
            return self.raw(size)
        code = head & 0x3F
        if code == _INT8:
            number = self.byte()
            return b"%d" % (number if number < 1 << 7 else number - (1 << 8))
        if code == _INT16:
            start = self.take(2)
            return b"%d" % read_i16_le(self.data, start)
        if code == _INT32:
            start = self.take(4)
            return b"%d" % read_i32_le(self.data, start)
        if code == _LZF:
            return self._compressed()
        raise RdbError(f"unknown string encoding {code}")

    def _compressed(self) -> bytes:
        compressed = self.length()
        size = self.length()
        if not 0 <= compressed <= self.left():
            raise RdbError("a compressed string is longer than what is left")
        if size < 0:
            raise RdbError("a compressed string claims to be longer than it can be")
        return decompress(self.raw(compressed), size)

    def double(self) -> float:
        """Eight bytes; NaN is no score."""
        start = self.take(8)
        number = read_f64_le(self.data, start)
        if number != number:
            raise RdbError("a score is not a number")
        return number

    def text_double(self) -> float:
        """A number as text behind its length, as servers before 4.0 wrote it."""
        size = self.byte()
        if size >= 253:
            if size == 253:
                raise RdbError("a score is not a number")
            return float("inf") if size == 254 else float("-inf")
        try:
            number = float(self.raw(size))
        except ValueError as error:
            raise RdbError("a score is not a number") from error
        if number != number:
            raise RdbError("a score is not a number")
        return number

    def time(self) -> i64:
        """Unix milliseconds."""
        start = self.take(8)
        return read_i64_le(self.data, start)
