"""How long blocking commands wait, as clients write it: seconds with a fraction."""

from typing import Final

from mypy_extensions import i64

from hypercache.commands.arguments import MAX_I64
from hypercache.commands.extended import parse_extended
from hypercache.reply import ErrorReply

_NOT_A_FLOAT: Final = "ERR timeout is not a float or out of range"
_NEGATIVE: Final = "ERR timeout is negative"
_OUT_OF_RANGE: Final = "ERR timeout is out of range"
# A deadline beyond this many milliseconds is none: as microseconds it would not fit.
_NEVER: Final[i64] = 1 << 52
# Seconds below this, without a fraction, are the usual case.
_USUAL_DIGITS: Final = 6


def deadline_in_seconds(text: bytes, now: i64) -> i64:
    """The deadline of a `Wait`, in Unix microseconds; 0, for the text ``0`` too, is none.

    ``now`` is in Unix milliseconds; what the text says is rounded up to those.
    """
    milliseconds = _milliseconds(text)
    if milliseconds < 0:
        raise ErrorReply(_NEGATIVE)
    if milliseconds > MAX_I64 - now:
        raise ErrorReply(_OUT_OF_RANGE)
    if milliseconds == 0 or milliseconds > _NEVER:
        return 0
    return (now + milliseconds) * 1000


def _milliseconds(text: bytes) -> int:
    if len(text) <= _USUAL_DIGITS and text.isdigit():
        return int(text) * 1000
    seconds = parse_extended(text, _NOT_A_FLOAT)
    if not seconds.finite:
        raise ErrorReply(_NEGATIVE if seconds.mantissa < 0 else _OUT_OF_RANGE)
    exact = seconds.times(1000)
    if not exact.finite or exact.mantissa.bit_length() + exact.exponent > 63:
        raise ErrorReply(_NEGATIVE if seconds.mantissa < 0 else _OUT_OF_RANGE)
    if exact.exponent >= 0:
        return exact.mantissa << exact.exponent
    return -(-exact.mantissa >> -exact.exponent)
