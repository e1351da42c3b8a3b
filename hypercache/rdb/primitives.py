"""Lengths, strings and numbers of the RDB format, read and written."""

from struct import Struct
from typing import Final

from mypy_extensions import i64

from hypercache.keyspace.numbers import parse_integer
from hypercache.rdb.errors import RdbError
from hypercache.rdb.lzf import decompress

_DOUBLE: Final = Struct("<d")
_TIME: Final = Struct("<q")
_ENCODED: Final = 0xC0
_INT8: Final = 0
_INT16: Final = 1
_INT32: Final = 2
_LZF: Final = 3
# Longer texts are no 32-bit integers.
_LONGEST_INTEGER: Final = 11


class Writer:
    """Collects the bytes of a value."""

    def __init__(self) -> None:
        self.out = bytearray()

    def length(self, number: int) -> None:
        """A length, or any other number without sign up to 64 bits."""
        if number < 1 << 6:
            self.out.append(number)
        elif number < 1 << 14:
            self.out += (0x4000 | number).to_bytes(2, "big")
        elif number < 1 << 32:
            self.out += b"\x80" + number.to_bytes(4, "big")
        else:
            self.out += b"\x81" + number.to_bytes(8, "big")

    def string(self, text: bytes) -> None:
        """A byte string; a small integer takes 2 to 5 bytes."""
        if 0 < len(text) <= _LONGEST_INTEGER:
            number = parse_integer(text)
            if number is not None and -(1 << 31) <= number < 1 << 31:
                for code, width in ((_INT8, 1), (_INT16, 2), (_INT32, 4)):
                    if -(1 << width * 8 - 1) <= number < 1 << width * 8 - 1:
                        self.out.append(_ENCODED | code)
                        self.out += int(number).to_bytes(width, "little", signed=True)
                        return
        self.length(len(text))
        self.out += text

    def double(self, number: float) -> None:
        """Eight bytes."""
        self.out += _DOUBLE.pack(number)

    def time(self, milliseconds: int) -> None:
        """Unix milliseconds, eight bytes; -1 for none."""
        self.out += _TIME.pack(milliseconds)


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

    def byte(self) -> i64:
        """The next byte."""
        if self.at >= self.end:
            self.fill(1)
        self.at += 1
        return self.data[self.at - 1]

    def raw(self, size: i64) -> bytes:
        """The next bytes as they are."""
        if size > self.end - self.at:
            self.fill(size)
        start = self.at
        self.at += size
        return self.data[start : start + size]

    def length(self) -> int:
        """A length, or any other number without sign."""
        number, encoded = self._length()
        if encoded:
            raise RdbError("a length is expected, and an encoded string is there")
        return number

    def count(self) -> int:
        """A number of elements: each takes a byte at least, so there cannot be more than bytes."""
        number = self.length()
        if number > self.left():
            raise RdbError("the value claims more elements than it has bytes")
        return number

    def _length(self) -> tuple[int, bool]:
        head = self.raw(1)[0]
        kind = head >> 6
        if kind == 0:
            return head, False
        if kind == 1:
            return (head & 0x3F) << 8 | self.raw(1)[0], False
        if kind == 3:
            return head & 0x3F, True
        if head == 0x80:
            return int.from_bytes(self.raw(4), "big"), False
        if head == 0x81:
            return int.from_bytes(self.raw(8), "big"), False
        raise RdbError(f"unknown length encoding {head:#x}")

    def string(self) -> bytes:
        """A byte string in any of its encodings."""
        number, encoded = self._length()
        if not encoded:
            return self.raw(number)
        if number in (_INT8, _INT16, _INT32):
            return b"%d" % int.from_bytes(self.raw(1 << number), "little", signed=True)
        if number == _LZF:
            compressed = self.length()
            size = self.length()
            return decompress(self.raw(compressed), size)
        raise RdbError(f"unknown string encoding {number}")

    def double(self) -> float:
        """Eight bytes; NaN is no score."""
        number = float(_DOUBLE.unpack(self.raw(8))[0])
        if number != number:
            raise RdbError("a score is not a number")
        return number

    def text_double(self) -> float:
        """A number as text behind its length, as servers before 4.0 wrote it."""
        size = self.raw(1)[0]
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

    def time(self) -> int:
        """Unix milliseconds."""
        return int(_TIME.unpack(self.raw(8))[0])
