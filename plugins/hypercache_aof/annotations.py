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

from mypy_extensions import i64

#: What our lines begin with.
MARK: Final = b"#HC:"
_END: Final = b"end"
#: Longer lines are no annotations: stock servers read up to 1,024 bytes.
LONGEST: Final = 1000
_CODE: Final = 8
_HEXADECIMAL: Final = b"0123456789abcdef"
_BEGUN: Final = re.compile(
    rb"#(H(C(:(e(nd?)?)?)?)?)?"
    rb"|#HC:\d+(,\d*(,[0-9a-f]{0,8}(,[0-9a-f]{0,8}\r?)?)?)?"
    rb"|#HC:end,\d*(,\d*(,[0-9a-f]{0,8}\r?)?)?"
    rb"|#T(S(:\d*\r?)?)?"
)


def batch_line(offset: i64, size: i64, code: i64) -> bytes:
    """The line before a batch of ``size`` bytes with the CRC-32 ``code``."""
    line = b"#HC:%d,%d,%08x," % (offset, size, code)
    return line + b"%08x\r\n" % crc32(line)


def opening_line(offset: i64) -> bytes:
    """What a new file begins with: the journal's offset before everything in it."""
    return batch_line(offset, 0, 0)


def end_line(offset: i64, size: i64) -> bytes:
    """The end of a file that has ``size`` bytes: at an ordered end, or before the next file."""
    line = b"#HC:end,%d,%d," % (offset, size)
    return line + b"%08x\r\n" % crc32(line)


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
    parts = line[len(MARK) : -2].split(b",")
    if len(parts) != 4:
        return None
    ends = parts[0] == _END
    at = 1 if ends else 0
    if not (parts[at].isdigit() and parts[at + 1].isdigit()):
        return None
    if len(parts[at]) > 18 or len(parts[at + 1]) > 18:
        return None
    offset = int(parts[at])
    size = int(parts[at + 1])
    if ends:
        expected = end_line(offset, size)
        code = 0
    else:
        code = _code(parts[2])
        expected = batch_line(offset, size, code)
    return Annotation(offset, size, code, ends) if line == expected else None


def _code(text: bytes) -> i64:
    """Eight hexadecimal digits; 0 for anything else, which no line with it repeats."""
    return int(text, 16) if len(text) == _CODE and not text.strip(_HEXADECIMAL) else 0


def may_become(line: bytes) -> bool:
    """Whether a line without its line break may be the beginning of one of ours, or a time."""
    return _BEGUN.fullmatch(line) is not None
