"""Floating-point numbers as clients write them: scores, increments, the ends of ranges.

Source: Redis, string2d and zslParseRange; ISO C, strtod.
"""

import re
from typing import Final

from mypy_extensions import i64

from hypercache.reply import ErrorReply

NOT_A_FLOAT: Final = "ERR value is not a valid float"
NOT_A_BORDER: Final = "ERR min or max is not a float"

_MINUS: Final = 45
_ZERO: Final = 48
_POINT: Final = 46
# Integers of so many digits are doubles exactly, and nothing so short overflows.
_EXACT_DIGITS: Final = 15

_DECIMAL: Final = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_HEX: Final = re.compile(rb"[+-]?0[xX]([0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)([pP][+-]?\d+)?")
_INFINITY: Final = re.compile(rb"[+-]?inf(?:inity)?", re.IGNORECASE)
_INF: Final = float("inf")
_NAN: Final = float("nan")
# The usual spellings.
_INFINITIES: Final = {b"-inf": -_INF, b"+inf": _INF, b"inf": _INF}
# What strtod skips.
_SPACES: Final = b" \t\n\v\f\r"


def parse_double(text: bytes, error: str = NOT_A_FLOAT) -> float:
    """The double that is nearest to a number: decimal, hexadecimal or infinite.

    Raises `ErrorReply` for anything else: NaN, spaces, and numbers that are too great for a
    double or so small that nothing is left of them.
    """
    value = _read_plain(text)
    if value == value:
        return value
    value = _read(text)
    if value - value == 0.0:
        if value != 0.0 or _is_zero(text):
            return value
    elif value == value and _INFINITY.fullmatch(text) is not None:
        return value
    raise ErrorReply(error)


def parse_border(text: bytes) -> tuple[float, bool]:
    """An end of a range of scores, and whether ``(`` in front excludes it.

    As lenient as strtod: spaces in front, nothing at all for 0, and numbers of any size. What
    stands behind a zero byte is not looked at. Raises `ErrorReply` for NaN and other words.
    """
    excluded = text.startswith(b"(")
    if excluded:
        text = text[1:]
    value = _read_plain(text)
    if value != value:
        end = text.find(b"\0")
        if end >= 0:
            text = text[:end]
        if not text:
            return 0.0, excluded
        value = _read(text.lstrip(_SPACES))
        if value != value:
            raise ErrorReply(NOT_A_BORDER)
    return value, excluded


def _read_plain(text: bytes) -> float:
    """A number of few digits, perhaps with a point; NaN for all that is written otherwise."""
    size: i64 = len(text)
    at: i64 = 0
    if size > 0 and text[0] == _MINUS:
        at = 1
    if at == size or size > _EXACT_DIGITS:
        return _NAN
    negative = at == 1
    dotted = False
    value: i64 = 0
    while at < size:
        digit: i64 = text[at] - _ZERO
        if 0 <= digit <= 9:
            value = value * 10 + digit
        elif digit == _POINT - _ZERO and not dotted and size > 1 + int(negative):
            dotted = True
        else:
            return _NAN
        at += 1
    if dotted:
        return float(text)
    return -float(value) if negative else float(value)


def _read(text: bytes) -> float:
    """A number, rounded, which may make it infinite or zero; NaN if it is none."""
    infinity = _INFINITIES.get(text)
    if infinity is not None:
        return infinity
    if _DECIMAL.fullmatch(text) is not None:
        return float(text)
    if _HEX.fullmatch(text) is not None:
        try:
            return float.fromhex(text.decode())
        except OverflowError:
            return -_INF if text.startswith(b"-") else _INF
    if _INFINITY.fullmatch(text) is not None:
        return -_INF if text.startswith(b"-") else _INF
    return _NAN


def _is_zero(text: bytes) -> bool:
    """Whether a number that became zero was written as one."""
    body = text.lstrip(b"+-").lower()
    if body.startswith(b"0x"):
        return not body[2:].partition(b"p")[0].strip(b"0.")
    return not body.partition(b"e")[0].strip(b"0.")
