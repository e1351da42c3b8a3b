"""Numbers and options as commands take them from clients, with the errors Redis answers."""

from typing import Final

from mypy_extensions import i64

from hypercache.keyspace import numbers
from hypercache.reply import ErrorReply, printable

NEGATIVE: Final = "ERR value is out of range, must be positive"
NOT_AN_INTEGER: Final = "ERR value is not an integer or out of range"
SYNTAX_ERROR: Final = "ERR syntax error"
OVERFLOW: Final = "ERR increment or decrement would overflow"
NO_SUCH_KEY: Final = "ERR no such key"
NO_SUCH_DATABASE: Final = "ERR DB index is out of range"

MAX_I64: Final[i64] = 9223372036854775807
MIN_I64: Final[i64] = -9223372036854775808
MAX_INT: Final[i64] = 2147483647
MIN_INT: Final[i64] = -2147483648

# Integers below this are the same bytes wherever they are stored (Redis: OBJ_SHARED_INTEGERS).
SHARED_INTEGERS: Final = 10000
_SHARED: Final[list[bytes]] = [b"%d" % number for number in range(SHARED_INTEGERS)]

# How much of an argument an error repeats.
_SHOWN: Final = 128

_MINUS: Final = 45
_ZERO: Final = 48
# So many digits never overflow 64 bits.
_SAFE_DIGITS: Final = 18


def parse_integer(text: bytes, error: str = NOT_AN_INTEGER) -> i64:
    """A signed 64-bit integer in its only spelling: what INCR would write.

    Raises `ErrorReply` for anything else, spaces, a plus sign and leading zeros included.
    """
    size: i64 = len(text)
    at: i64 = 0
    if size > 0 and text[0] == _MINUS:
        at = 1
    if at == size or size - at > _SAFE_DIGITS or text[at] == _ZERO:
        return _parse_unusual(text, error)
    value: i64 = 0
    negative = at == 1
    while at < size:
        digit: i64 = text[at] - _ZERO
        if digit < 0 or digit > 9:
            raise ErrorReply(error)
        value = value * 10 + digit
        at += 1
    return -value if negative else value


def _parse_unusual(text: bytes, error: str) -> i64:
    """Zero, the longest integers, and much that is none."""
    number = numbers.parse_integer(text)
    if number is None:
        raise ErrorReply(error)
    return number


def parse_between(text: bytes, low: i64, high: i64) -> i64:
    """An integer within bounds, or Redis' error that names them."""
    number = parse_integer(text)
    if low <= number <= high:
        return number
    raise ErrorReply(f"ERR value is out of range, value must between {low} and {high}")


def parse_within(text: bytes, low: i64, high: i64, error: str) -> i64:
    """An integer within bounds; for anything else the error that is given."""
    number = parse_integer(text, error)
    if low <= number <= high:
        return number
    raise ErrorReply(error)


def parse_not_negative(text: bytes) -> i64:
    """An integer from 0 on; what is none at all gets the same error, as in Redis."""
    number = parse_integer(text, NEGATIVE)
    if number < 0:
        raise ErrorReply(NEGATIVE)
    return number


def parse_database(text: bytes, databases: i64) -> i64:
    """The number of an existing database."""
    index = parse_between(text, MIN_INT, MAX_INT)
    if not 0 <= index < databases:
        raise ErrorReply(NO_SUCH_DATABASE)
    return index


def parse_timeout(text: bytes, now: i64) -> i64:
    """A time to wait in milliseconds, as a deadline like ``now``; 0 is for ever.

    Both are Unix milliseconds.
    """
    timeout = parse_integer(text, "ERR timeout is not an integer or out of range")
    if timeout < 0:
        raise ErrorReply("ERR timeout is negative")
    if timeout > MAX_I64 - now:
        raise ErrorReply("ERR timeout is out of range")
    return timeout + now if timeout > 0 else 0


def misused(args: list[bytes]) -> ErrorReply:
    """The error of a sub-command that takes fewer arguments than it got, whatever its arity."""
    word = printable(args[1][:_SHOWN])
    container = printable(args[0].upper())
    return ErrorReply(
        f"ERR unknown subcommand or wrong number of arguments for '{word}'. Try {container} HELP."
    )


def format_integer(value: i64) -> bytes:
    """The decimal digits of an integer; small ones share their bytes, as in Redis."""
    if 0 <= value < SHARED_INTEGERS:
        return _SHARED[value]
    return str(value).encode()


def add(value: i64, delta: i64) -> i64:
    """The sum, or the error of an increment that leaves 64 bits."""
    if delta > 0:
        if value > MAX_I64 - delta:
            raise ErrorReply(OVERFLOW)
    elif value < MIN_I64 - delta:
        raise ErrorReply(OVERFLOW)
    return value + delta
