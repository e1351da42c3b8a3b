"""The compact encodings inside RDB strings: listpack, ziplist, intset.

Reading accepts all three and trusts nothing; writing makes listpacks. Integers come out as the
decimal text that they stand for. Source: Redis' listpack.c, ziplist.c, intset.c.
"""

from struct import Struct
from typing import Final

from hypercache.rdb.errors import RdbError

_LISTPACK_HEAD: Final = Struct("<IH")
_ZIPLIST_HEAD: Final = Struct("<IIH")
_INTSET_HEAD: Final = Struct("<II")
_END: Final = 0xFF
_I16: Final = Struct("<h")
_I32: Final = Struct("<i")
_I64: Final = Struct("<q")


def _signed(data: bytes) -> bytes:
    """A little-endian integer as text."""
    return b"%d" % int.from_bytes(data, "little", signed=True)


def _piece(data: bytes, at: int, size: int) -> bytes:
    """``size`` bytes, all of them there and before the closing byte."""
    if at + size >= len(data):
        raise RdbError("a compact encoding is cut")
    return data[at : at + size]


# Listpack ------------------------------------------------------------------------------------


def read_listpack(data: bytes) -> list[bytes]:
    """All elements of a listpack."""
    if len(data) < 7 or _LISTPACK_HEAD.unpack_from(data)[0] != len(data) or data[-1] != _END:
        raise RdbError("a listpack's size is wrong")
    items: list[bytes] = []
    at = 6
    last = len(data) - 1
    while at < last:
        item, size = _listpack_entry(data, at)
        items.append(item)
        at += size + _back_size(size)
    if at != last:
        raise RdbError("a listpack's elements do not end where it does")
    return items


def _listpack_entry(data: bytes, at: int) -> tuple[bytes, int]:
    """The element at a position, and its size with the encoding byte, without what is behind."""
    head = data[at]
    if head < 0x80:
        return b"%d" % head, 1
    if head < 0xC0:
        size = head & 0x3F
        return _piece(data, at + 1, size), 1 + size
    if head < 0xE0:
        number = (head & 0x1F) << 8 | _piece(data, at + 1, 1)[0]
        return b"%d" % (number - 8192 if number >= 4096 else number), 2
    if head < 0xF0:
        size = (head & 0x0F) << 8 | _piece(data, at + 1, 1)[0]
        return _piece(data, at + 2, size), 2 + size
    if head == 0xF0:
        size = int.from_bytes(_piece(data, at + 1, 4), "little")
        return _piece(data, at + 5, size), 5 + size
    width = {0xF1: 2, 0xF2: 3, 0xF3: 4, 0xF4: 8}.get(head)
    if width is None:
        raise RdbError(f"a listpack has an element of the unknown encoding {head:#x}")
    return _signed(_piece(data, at + 1, width)), 1 + width


def _back_size(size: int) -> int:
    """Bytes of the length behind an element, by which a listpack is walked backwards."""
    if size <= 127:
        return 1
    if size < 16383:
        return 2
    if size < 2097151:
        return 3
    return 4 if size < 268435455 else 5


def _back_length(size: int) -> bytes:
    count = _back_size(size)
    groups = [size >> 7 * place & 0x7F for place in reversed(range(count))]
    return bytes([groups[0], *(group | 0x80 for group in groups[1:])])


def write_listpack(items: list[bytes | int]) -> bytes:
    """A listpack of byte strings and 64-bit integers."""
    out = bytearray(6)
    for item in items:
        entry = _string_entry(item) if isinstance(item, bytes) else _integer_entry(item)
        out += entry
        out += _back_length(len(entry))
    out.append(_END)
    _LISTPACK_HEAD.pack_into(out, 0, len(out), min(len(items), 0xFFFF))
    return bytes(out)


def _string_entry(text: bytes) -> bytes:
    size = len(text)
    if size < 64:
        return bytes((0x80 | size,)) + text
    if size < 4096:
        return bytes((0xE0 | size >> 8, size & 0xFF)) + text
    return b"\xf0" + size.to_bytes(4, "little") + text


def _integer_entry(number: int) -> bytes:
    if 0 <= number < 128:
        return bytes((number,))
    if -4096 <= number < 4096:
        code = number & 0x1FFF
        return bytes((0xC0 | code >> 8, code & 0xFF))
    for head, width in ((0xF1, 2), (0xF2, 3), (0xF3, 4)):
        if -(1 << width * 8 - 1) <= number < 1 << width * 8 - 1:
            return bytes((head,)) + number.to_bytes(width, "little", signed=True)
    return b"\xf4" + number.to_bytes(8, "little", signed=True)


# Ziplist and intset: what servers before 7.0 wrote -------------------------------------------


def read_ziplist(data: bytes) -> list[bytes]:
    """All elements of a ziplist."""
    if len(data) < 11 or _ZIPLIST_HEAD.unpack_from(data)[0] != len(data) or data[-1] != _END:
        raise RdbError("a ziplist's size is wrong")
    items: list[bytes] = []
    at = 10
    last = len(data) - 1
    while at < last:
        at += 5 if data[at] == 0xFE else 1
        if at >= last:
            raise RdbError("a ziplist is cut")
        item, size = _ziplist_entry(data, at)
        items.append(item)
        at += size
    if at != last:
        raise RdbError("a ziplist's elements do not end where it does")
    return items


def _ziplist_entry(data: bytes, at: int) -> tuple[bytes, int]:
    """The element whose encoding stands at a position, and its size from there on."""
    head = data[at]
    if head < 0x40:
        return _piece(data, at + 1, head), 1 + head
    if head < 0x80:
        size = (head & 0x3F) << 8 | _piece(data, at + 1, 1)[0]
        return _piece(data, at + 2, size), 2 + size
    if head == 0x80:
        size = int.from_bytes(_piece(data, at + 1, 4), "big")
        return _piece(data, at + 5, size), 5 + size
    width = {0xC0: 2, 0xD0: 4, 0xE0: 8, 0xF0: 3, 0xFE: 1}.get(head)
    if width is not None:
        return _signed(_piece(data, at + 1, width)), 1 + width
    if 0xF1 <= head <= 0xFD:
        return b"%d" % ((head & 0x0F) - 1), 1
    raise RdbError(f"a ziplist has an element of the unknown encoding {head:#x}")


def read_intset(data: bytes) -> list[bytes]:
    """All members of an intset."""
    if len(data) < 8:
        raise RdbError("an intset is cut")
    width, count = _INTSET_HEAD.unpack_from(data)
    if width not in (2, 4, 8) or len(data) != 8 + width * count:
        raise RdbError("an intset's size is wrong")
    return [_signed(data[at : at + width]) for at in range(8, len(data), width)]
