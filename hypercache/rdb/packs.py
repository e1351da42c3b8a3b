"""The compact encodings inside RDB strings: listpack, ziplist, intset.

Reading accepts all three and trusts nothing; writing makes listpacks and intsets. Integers come
out as the decimal text that they stand for. Source: Redis' listpack.c, ziplist.c, intset.c.
"""

from typing import Final

from librt.strings import (
    BytesWriter,
    read_i16_le,
    read_i32_be,
    read_i32_le,
    read_i64_le,
    write_i16_le,
    write_i32_le,
    write_i64_le,
)
from mypy_extensions import i16, i32, i64, u8

from hypercache.rdb.errors import RdbError

_END: Final[i64] = 0xFF
_HEAD: Final = bytes(6)
_HEAD_SIZE: Final[i64] = 6
# Where the number of elements does not fit, or where it is not kept up.
_UNCOUNTED: Final[i64] = 0xFFFF
_MINUS: Final[i64] = 45
_ZERO: Final[i64] = 48
# So many characters has the longest integer whose value certainly fits; longer ones are texts
# here, which readers do not tell apart.
_LONGEST_INTEGER: Final[i64] = 18


class ListpackWriter:
    """Makes a listpack, element by element."""

    def __init__(self) -> None:
        self.out = BytesWriter()
        self.out.write(_HEAD)
        self.count: i64 = 0

    def size(self) -> i64:
        """Bytes so far, its end among them."""
        return len(self.out) + 1

    def text(self, text: bytes) -> None:
        """A byte string; one that spells an integer becomes one."""
        size: i64 = len(text)
        if 0 < size <= _LONGEST_INTEGER and self._spelt(text, size):
            return
        out = self.out
        self.count += 1
        if size < 64:
            out.append(0x80 | size)
            size += 1
        elif size < 4096:
            out.append(0xE0 | size >> 8)
            out.append(size & 0xFF)
            size += 2
        else:
            out.append(0xF0)
            write_i32_le(out, i32(size))
            size += 5
        out.write(text)
        if size <= 127:
            out.append(size)
        else:
            self._end(size)

    def _spelt(self, text: bytes, size: i64) -> bool:
        """Write an integer if the text is the only spelling of one."""
        first: i64 = text[0]
        at: i64 = 1 if first == _MINUS else 0
        if at == size or (text[at] == _ZERO and size > 1):
            return False
        number: i64 = 0
        while at < size:
            digit: i64 = i64(text[at]) - _ZERO
            if digit < 0 or digit > 9:
                return False
            number = number * 10 + digit
            at += 1
        self.integer(-number if first == _MINUS else number)
        return True

    def integer(self, number: i64) -> None:
        """A 64-bit integer."""
        out = self.out
        self.count += 1
        if 0 <= number < 128:
            out.append(number)
            out.append(1)
        elif -4096 <= number < 4096:
            out.append(0xC0 | (number & 0x1FFF) >> 8)
            out.append(number & 0xFF)
            out.append(2)
        elif -(1 << 15) <= number < 1 << 15:
            out.append(0xF1)
            write_i16_le(out, i16(number))
            out.append(3)
        elif -(1 << 23) <= number < 1 << 23:
            out.append(0xF2)
            write_i16_le(out, i16((number & 0xFFFF) - ((number & 0x8000) << 1)))
            out.append((number >> 16) & 0xFF)
            out.append(4)
        elif -(1 << 31) <= number < 1 << 31:
            out.append(0xF3)
            write_i32_le(out, i32(number))
            out.append(5)
        else:
            out.append(0xF4)
            write_i64_le(out, number)
            out.append(9)

    def _end(self, size: i64) -> None:
        """The length behind an element, by which a listpack is walked backwards."""
        count = _back_size(size)
        self.out.append(size >> 7 * (count - 1) & 0x7F)
        for place in range(count - 2, -1, -1):
            self.out.append(size >> 7 * i64(place) & 0x7F | 0x80)

    def finish(self) -> bytes:
        """The listpack; nothing is added afterwards."""
        out = self.out
        out.append(_END)
        size: i64 = len(out)
        count = self.count if self.count < _UNCOUNTED else _UNCOUNTED
        for place in range(4):
            out[place] = u8(size >> 8 * i64(place) & 0xFF)
        out[4] = u8(count & 0xFF)
        out[5] = u8(count >> 8)
        return out.getvalue()


def _back_size(size: i64) -> i64:
    """Bytes of the length behind an element of so many bytes, its encoding among them."""
    if size <= 127:
        return 1
    if size < 16383:
        return 2
    if size < 2097151:
        return 3
    return 4 if size < 268435455 else 5


def write_listpack(items: list[bytes | int]) -> bytes:
    """A listpack of byte strings and 64-bit integers."""
    writer = ListpackWriter()
    for item in items:
        if isinstance(item, bytes):
            writer.text(item)
        else:
            writer.integer(item)
    return writer.finish()


class ListpackReader:
    """The elements of a listpack, one after the other."""

    def __init__(self, data: bytes) -> None:
        size: i64 = len(data)
        if size < 7 or i64(read_i32_le(data, 0)) & 0xFFFFFFFF != size or data[size - 1] != _END:
            raise RdbError("a listpack's size is wrong")
        self.data = data
        self._at: i64 = _HEAD_SIZE
        self._last: i64 = size - 1
        # Of the element that was read last: its integer, or where its text is.
        self._number: i64 = 0
        self._start: i64 = -1
        self._stop: i64 = 0
        self.count: i64 = 0

    def left(self) -> i64:
        """Bytes not read yet; each element takes two at least."""
        return self._last - self._at

    def text(self) -> bytes:
        """The next element, also an integer, as text."""
        self._next()
        if self._start < 0:
            return b"%d" % self._number
        return self.data[self._start : self._stop]

    def integer(self) -> i64:
        """The next element, which is an integer."""
        self._next()
        if self._start < 0:
            return self._number
        try:
            number = int(self.data[self._start : self._stop])
        except ValueError as error:
            raise RdbError("a text stands where a number belongs") from error
        if not -(1 << 63) <= number < 1 << 63:
            raise RdbError("a number has more than 64 bits")
        return number

    def number(self) -> float:
        """The next element, which is a score."""
        self._next()
        if self._start < 0:
            return float(self._number)
        try:
            number = float(self.data[self._start : self._stop])
        except ValueError as error:
            raise RdbError("a score is not a number") from error
        if number != number:
            raise RdbError("a score is not a number")
        return number

    def finish(self) -> None:
        """All elements were read: whether they are as many as it says."""
        counted: i64 = i64(read_i16_le(self.data, 4)) & 0xFFFF
        if self._at != self._last or counted not in (self.count, _UNCOUNTED):
            raise RdbError("a listpack has not as many elements as it says")

    def _next(self) -> None:
        data = self.data
        at = self._at
        if at >= self._last:
            raise RdbError("a listpack has too few elements")
        head: i64 = data[at]
        self.count += 1
        if head < 0x80:
            self._number = head
            self._start = -1
            self._at = at + 2
        elif head < 0xC0:
            self._text(at + 1, head & 0x3F, 1)
        elif head < 0xE0:
            self._check(at + 2)
            number: i64 = (head & 0x1F) << 8 | i64(data[at + 1])
            self._number = number if number < 4096 else number - 8192
            self._start = -1
            self._at = at + 3
        elif head < 0xF0:
            self._check(at + 2)
            self._text(at + 2, (head & 0x0F) << 8 | i64(data[at + 1]), 2)
        elif head == 0xF0:
            self._check(at + 5)
            self._text(at + 5, i64(read_i32_le(data, at + 1)) & 0xFFFFFFFF, 5)
        else:
            self._integer(at, head)
        if self._at > self._last:
            raise RdbError("a listpack is cut")

    def _text(self, start: i64, size: i64, head: i64) -> None:
        self._start = start
        self._stop = start + size
        self._check(self._stop)
        self._at = self._stop + _back_size(head + size)

    def _integer(self, at: i64, head: i64) -> None:
        data = self.data
        self._start = -1
        if head == 0xF1:
            self._check(at + 3)
            self._number = i64(read_i16_le(data, at + 1))
            self._at = at + 4
        elif head == 0xF2:
            self._check(at + 4)
            self._number = _three_bytes(data, at + 1)
            self._at = at + 5
        elif head == 0xF3:
            self._check(at + 5)
            self._number = i64(read_i32_le(data, at + 1))
            self._at = at + 6
        elif head == 0xF4:
            self._check(at + 9)
            self._number = read_i64_le(data, at + 1)
            self._at = at + 10
        else:
            raise RdbError(f"a listpack has an element of the unknown encoding {head:#x}")

    def _check(self, stop: i64) -> None:
        if stop > self._last:
            raise RdbError("a listpack is cut")


def _three_bytes(data: bytes, at: i64) -> i64:
    """A little-endian integer of 24 bits with sign."""
    low: i64 = i64(read_i16_le(data, at)) & 0xFFFF
    high: i64 = data[at + 2]
    return low | (high if high < 128 else high - 256) << 16


def read_listpack(data: bytes) -> list[bytes]:
    """All elements of a listpack."""
    reader = ListpackReader(data)
    items: list[bytes] = []
    while reader.left() > 0:
        items.append(reader.text())
    reader.finish()
    return items


# Ziplist: what servers before 7.0 wrote ------------------------------------------------------


def read_ziplist(data: bytes) -> list[bytes]:
    """All elements of a ziplist."""
    size: i64 = len(data)
    if size < 11 or i64(read_i32_le(data, 0)) & 0xFFFFFFFF != size or data[size - 1] != _END:
        raise RdbError("a ziplist's size is wrong")
    items: list[bytes] = []
    at: i64 = 10
    last: i64 = size - 1
    while at < last:
        at += 5 if data[at] == 0xFE else 1
        if at >= last:
            raise RdbError("a ziplist is cut")
        head: i64 = data[at]
        if head < 0xC0:
            start, length = _ziplist_text(data, at, head)
            if start + length > last:
                raise RdbError("a ziplist is cut")
            items.append(data[start : start + length])
            at = start + length
        else:
            width = _ziplist_width(head)
            if at + 1 + width > last:
                raise RdbError("a ziplist is cut")
            items.append(b"%d" % _ziplist_integer(data, at + 1, head))
            at += 1 + width
    counted: i64 = i64(read_i16_le(data, 8)) & 0xFFFF
    if at != last or counted not in (len(items), _UNCOUNTED):
        raise RdbError("a ziplist has not as many elements as it says")
    return items


def _ziplist_text(data: bytes, at: i64, head: i64) -> tuple[i64, i64]:
    """Where a text begins, and its length."""
    if head < 0x40:
        return at + 1, head
    if head < 0x80:
        return at + 2, (head & 0x3F) << 8 | i64(data[at + 1])
    if head != 0x80 or at + 5 > i64(len(data)):
        raise RdbError(f"a ziplist has an element of the unknown encoding {head:#x}")
    return at + 5, i64(read_i32_be(data, at + 1)) & 0xFFFFFFFF


def _ziplist_width(head: i64) -> i64:
    """Bytes of an integer behind its encoding."""
    if head == 0xC0:
        return 2
    if head == 0xD0:
        return 4
    if head == 0xE0:
        return 8
    if head == 0xF0:
        return 3
    if head == 0xFE:
        return 1
    if 0xF1 <= head <= 0xFD:
        return 0
    raise RdbError(f"a ziplist has an element of the unknown encoding {head:#x}")


def _ziplist_integer(data: bytes, at: i64, head: i64) -> i64:
    if head == 0xC0:
        return i64(read_i16_le(data, at))
    if head == 0xD0:
        return i64(read_i32_le(data, at))
    if head == 0xE0:
        return read_i64_le(data, at)
    if head == 0xF0:
        return _three_bytes(data, at)
    if head == 0xFE:
        number: i64 = data[at]
        return number if number < 128 else number - 256
    return (head & 0x0F) - 1


# Intset --------------------------------------------------------------------------------------


def read_intset(data: bytes) -> list[bytes]:
    """All members of an intset, which are in order."""
    size: i64 = len(data)
    if size < 8:
        raise RdbError("an intset is cut")
    width: i64 = i64(read_i32_le(data, 0))
    count: i64 = i64(read_i32_le(data, 4)) & 0xFFFFFFFF
    if width not in (2, 4, 8) or size != 8 + width * count:
        raise RdbError("an intset's size is wrong")
    items: list[bytes] = []
    previous: i64 = 0
    at: i64 = 8
    while at < size:
        number: i64
        if width == 2:
            number = i64(read_i16_le(data, at))
        elif width == 4:
            number = i64(read_i32_le(data, at))
        else:
            number = read_i64_le(data, at)
        if at > 8 and number <= previous:
            raise RdbError("an intset's members are not in order")
        previous = number
        items.append(b"%d" % number)
        at += width
    return items


def write_intset(numbers: list[int]) -> bytes:
    """An intset of distinct 64-bit integers in order."""
    lowest: i64 = numbers[0]
    highest: i64 = numbers[-1]
    width: i64 = 8
    if lowest >= -(1 << 15) and highest < 1 << 15:
        width = 2
    elif lowest >= -(1 << 31) and highest < 1 << 31:
        width = 4
    out = BytesWriter()
    write_i32_le(out, i32(width))
    write_i32_le(out, i32(len(numbers)))
    for each in numbers:
        number: i64 = each
        if width == 2:
            write_i16_le(out, i16(number))
        elif width == 4:
            write_i32_le(out, i32(number))
        else:
            write_i64_le(out, number)
    return out.getvalue()
