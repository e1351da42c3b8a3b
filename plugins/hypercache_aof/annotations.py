r"""The lines that we put between the commands of a file; stock servers skip what begins with '#'.

``#HC:<offset>,<size>,<crc32>,<crc32>\r\n`` begins a batch: the journal's offset behind it, how
many bytes follow that belong to it, their CRC-32, and that of this line up to there. A batch
of no bytes begins a file. ``#HC:end,<offset>,<size>,<crc32>\r\n`` ends a file of ``size`` bytes
before this line: after it has come nothing that we have written. ``#TS:<seconds>\r\n`` tells
the time, as stock servers do.
"""

import re
from typing import Final
from zlib import crc32

from librt.strings import BytesWriter
from mypy_extensions import i64

#: What our lines begin with.
MARK: Final = b"#HC:"
#: Longer lines are no annotations: stock servers read up to 1,024 bytes.
LONGEST: Final = 1000
_COMMA: Final[i64] = 44
_ZERO: Final[i64] = 48
_NINE: Final[i64] = 57
_SMALL_A: Final[i64] = 97
_SMALL_F: Final[i64] = 102
_END: Final = b"#HC:end,"
# Digits of a number, and of a checksum with what ends its line.
_DIGITS: Final[i64] = 18
_CODE: Final[i64] = 8
_LAST: Final[i64] = 10
_FEW: Final[list[bytes]] = [b"%d" % n for n in range(1000)]
_GROUPS: Final[list[bytes]] = [b"%03d" % n for n in range(1000)]
_BYTES: Final[list[bytes]] = [b"%02x" % n for n in range(256)]
_BEGUN: Final = re.compile(
    rb"#(H(C(:(e(nd?)?)?)?)?)?"
    rb"|#HC:\d+(,\d*(,[0-9a-f]{0,8}(,[0-9a-f]{0,8}\r?)?)?)?"
    rb"|#HC:end,\d*(,\d*(,[0-9a-f]{0,8}\r?)?)?"
    rb"|#T(S(:\d*\r?)?)?"
)


def batch_line(offset: i64, size: i64, code: i64) -> bytes:
    """The line before a batch of ``size`` bytes with the CRC-32 ``code``."""
    out = BytesWriter()
    out.write(MARK)
    _write_number(out, offset)
    out.append(44)
    _write_number(out, size)
    out.append(44)
    _write_code(out, code)
    out.append(44)
    return _ended(out)


def opening_line(offset: i64) -> bytes:
    """What a new file begins with: the journal's offset before everything in it."""
    return batch_line(offset, 0, 0)


def end_line(offset: i64, size: i64) -> bytes:
    """The end of a file that has ``size`` bytes: at an ordered end, or before the next file."""
    out = BytesWriter()
    out.write(_END)
    _write_number(out, offset)
    out.append(44)
    _write_number(out, size)
    out.append(44)
    return _ended(out)


def _ended(out: BytesWriter) -> bytes:
    """The whole line, with its checksum."""
    _write_code(out, crc32(out.getvalue()))
    out.write(b"\r\n")
    return out.getvalue()


def _write_number(out: BytesWriter, number: i64) -> None:
    if number >= 1000:
        _write_number(out, number // 1000)
        out.write(_GROUPS[number % 1000])
    else:
        out.write(_FEW[number])


def _write_code(out: BytesWriter, code: i64) -> None:
    out.write(_BYTES[code >> 24 & 255])
    out.write(_BYTES[code >> 16 & 255])
    out.write(_BYTES[code >> 8 & 255])
    out.write(_BYTES[code & 255])


def time_line(seconds: i64) -> bytes:
    """The time in Unix seconds at which the commands behind it were executed."""
    return b"#TS:%d\r\n" % seconds


class Annotation:
    """One of our lines; ``ends`` tells an end from a batch."""

    __slots__ = ("code", "ends", "offset", "size")

    def __init__(self, offset: i64, size: i64, code: i64, ends: bool) -> None:
        self.offset = offset
        self.size = size
        self.code = code
        self.ends = ends


def parse(line: bytes) -> Annotation | None:
    """A line that begins with `MARK`, with its line break; None if it is damaged."""
    size: i64 = len(line)
    ends = line.startswith(_END)
    at: i64 = 8 if ends else 4
    offset = _number(line, at, size)
    at = _behind(line, at, size)
    number = _number(line, at, size)
    at = _behind(line, at, size)
    code: i64 = 0
    if not ends:
        code = _code(line, at, size)
        at += _CODE + 1
    if offset < 0 or number < 0 or code < 0 or at + _LAST != size:
        return None
    if not line.endswith(b"\r\n") or line[at - 1] != _COMMA:
        return None
    if _code(line, at, size) != crc32(line[:at]):
        return None
    return Annotation(offset, number, code, ends)


def _number(line: bytes, at: i64, size: i64) -> i64:
    """The number before the next comma; -1 where there is none."""
    number: i64 = 0
    begin: i64 = at
    while at < size and at - begin <= _DIGITS:
        char: i64 = line[at]
        if char == _COMMA:
            return number if at > begin and (line[begin] != _ZERO or at == begin + 1) else -1
        if not _ZERO <= char <= _NINE:
            return -1
        number = number * 10 + (char - _ZERO)
        at += 1
    return -1


def _behind(line: bytes, at: i64, size: i64) -> i64:
    """The index behind the next comma, or behind everything."""
    while at < size:
        if line[at] == _COMMA:
            return at + 1
        at += 1
    return size


def _code(line: bytes, at: i64, size: i64) -> i64:
    """The checksum of eight hexadecimal digits here; -1 where there is none."""
    if at + _CODE > size:
        return -1
    code: i64 = 0
    end: i64 = at + _CODE
    while at < end:
        char: i64 = line[at]
        if _ZERO <= char <= _NINE:
            code = code * 16 + (char - _ZERO)
        elif _SMALL_A <= char <= _SMALL_F:
            code = code * 16 + (char - _SMALL_A + 10)
        else:
            return -1
        at += 1
    return code


def may_become(line: bytes) -> bool:
    """Whether a line without its line break may be the beginning of one of ours, or a time."""
    return _BEGUN.fullmatch(line) is not None
