"""Numbers and options as commands take them from clients, with the errors Redis answers."""

from typing import Final

from mypy_extensions import i64

from hypercache.keyspace import numbers
from hypercache.reply import ErrorReply

NOT_AN_INTEGER: Final = "ERR value is not an integer or out of range"
SYNTAX_ERROR: Final = "ERR syntax error"
OVERFLOW: Final = "ERR increment or decrement would overflow"

MAX_I64: Final[i64] = 9223372036854775807
MIN_I64: Final[i64] = -9223372036854775808

_MINUS: Final = 45
_ZERO: Final = 48
# So many digits never overflow 64 bits.
_SAFE_DIGITS: Final = 18


def parse_integer(text: bytes) -> i64:
    """A signed 64-bit integer in its only spelling: what INCR would write.

    Raises `ErrorReply` for anything else, spaces, a plus sign and leading zeros included.
    """
    size: i64 = len(text)
    at: i64 = 0
    if size > 0 and text[0] == _MINUS:
        at = 1
    if at == size or size - at > _SAFE_DIGITS or text[at] == _ZERO:
        return _parse_unusual(text)
    value: i64 = 0
    negative = at == 1
    while at < size:
        digit: i64 = text[at] - _ZERO
        if digit < 0 or digit > 9:
            raise ErrorReply(NOT_AN_INTEGER)
        value = value * 10 + digit
        at += 1
    return -value if negative else value


def _parse_unusual(text: bytes) -> i64:
    """Zero, the longest integers, and much that is none."""
    number = numbers.parse_integer(text)
    if number is None:
        raise ErrorReply(NOT_AN_INTEGER)
    return number


def format_integer(value: i64) -> bytes:
    """The decimal digits of an integer."""
    return str(value).encode()


def add(value: i64, delta: i64) -> i64:
    """The sum, or the error of an increment that leaves 64 bits."""
    if delta > 0:
        if value > MAX_I64 - delta:
            raise ErrorReply(OVERFLOW)
    elif value < MIN_I64 - delta:
        raise ErrorReply(OVERFLOW)
    return value + delta
