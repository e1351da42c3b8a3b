"""Numbers of INCRBYFLOAT and HINCRBYFLOAT: Redis' ``long double``, 64 bits of mantissa.

Python has no such float, so a finite number is kept as the integers of ``mantissa * 2**exponent``
and rounded to 64 bits, ties to even, as the 80-bit format of x86 rounds.

Source: Redis, string2ld and ld2string; ISO C, strtold.
"""

import re
from typing import Final

from hypercache.reply import ErrorReply

NOT_A_FLOAT: Final = "ERR value is not a valid float"
NOT_FINITE: Final = "ERR increment would produce NaN or Infinity"

_BITS: Final = 64
# Of the lowest bit: of the smallest denormal number, and of the greatest number.
_LOWEST: Final = -16445
_HIGHEST: Final = 16320
# Digits behind the decimal point.
_PLACES: Final = 17
_LONGEST: Final = 5 * 1024
_HALF: Final = _LONGEST // 2
# No number in range has a decimal exponent beyond this, however many digits come with it.
_MOST_TENS: Final = 2 * _LONGEST

_DECIMAL: Final = re.compile(rb"([+-]?)(?:(\d+)\.?(\d*)|\.(\d+))(?:[eE]([+-]?\d+))?")
_HEX: Final = re.compile(
    rb"([+-]?)0[xX](?:([0-9a-fA-F]+)\.?([0-9a-fA-F]*)|\.([0-9a-fA-F]+))(?:[pP]([+-]?\d+))?"
)
_INFINITY: Final = re.compile(rb"[+-]?inf(?:inity)?", re.IGNORECASE)


class Extended:
    """A number of 80 bits: ``mantissa * 2**exponent``, or not finite."""

    def __init__(self, mantissa: int, exponent: int, finite: bool = True) -> None:
        self.mantissa = mantissa
        self.exponent = exponent
        self.finite = finite

    def plus(self, other: "Extended") -> "Extended":
        """The sum, rounded; raises `ErrorReply` unless it is finite."""
        if self.finite and other.finite:
            low = min(self.exponent, other.exponent)
            total = (self.mantissa << (self.exponent - low)) + (
                other.mantissa << (other.exponent - low)
            )
            result = _rounded(total << max(low, 0), 1 << max(-low, 0))
            if result is not None:
                return result
        raise ErrorReply(NOT_FINITE)

    def times(self, factor: int) -> "Extended":
        """The product of a finite number, rounded; not finite when it is too great."""
        product = self.mantissa * factor
        result = _rounded(product << max(self.exponent, 0), 1 << max(-self.exponent, 0))
        return Extended(1 if product > 0 else -1, 0, finite=False) if result is None else result

    def format(self) -> bytes:
        """Plain decimal digits, at most 17 of them behind the point, without trailing zeros."""
        scaled = abs(self.mantissa) * 10**_PLACES
        if self.exponent >= 0:
            scaled <<= self.exponent
        else:
            scaled = _divided(scaled, 1 << -self.exponent)
        digits = _digits(scaled).rjust(_PLACES + 1, "0")
        text = f"{digits[:-_PLACES]}.{digits[-_PLACES:]}".rstrip("0").rstrip(".")
        if self.mantissa < 0 and text != "0":
            text = "-" + text
        return text.encode()


def parse_extended(text: bytes, error: str = NOT_A_FLOAT) -> Extended:
    """What strtold reads, the whole of it: decimal, hexadecimal or infinite, but not NaN.

    Raises `ErrorReply` with ``error`` for anything else, and for numbers out of range.
    """
    if len(text) >= _LONGEST:
        raise ErrorReply(error)
    base, per_digit = 10, 1
    match = _DECIMAL.fullmatch(text)
    if match is None:
        match = _HEX.fullmatch(text)
        base, per_digit = 2, 4
    if match is None:
        if _INFINITY.fullmatch(text):
            return Extended(-1 if text.startswith(b"-") else 1, 0, finite=False)
        raise ErrorReply(error)
    fraction = match.group(3) or match.group(4) or b""
    digits = (match.group(2) or b"") + fraction
    mantissa = _integer(digits) if base == 10 else int(digits, 16)
    power = _exponent(match.group(5)) - per_digit * len(fraction)
    if mantissa == 0:
        return Extended(0, 0)
    # Bounds the work; what lies beyond is out of range, whatever its digits.
    most = per_digit * _MOST_TENS
    power = max(min(power, most), -most)
    result = _rounded(mantissa * base ** max(power, 0), base ** max(-power, 0))
    if result is None or result.mantissa == 0:
        raise ErrorReply(error)
    if match.group(1) == b"-":
        result.mantissa = -result.mantissa
    return result


def _exponent(text: bytes | None) -> int:
    """A written exponent; one of absurd length is cut, which changes nothing."""
    if not text:
        return 0
    digits = text.lstrip(b"+-").lstrip(b"0")
    value = int(digits or b"0") if len(digits) < 9 else 10**9
    return -value if text.startswith(b"-") else value


def _rounded(numerator: int, denominator: int) -> Extended | None:
    """The quotient, to 64 bits; None when it is too great."""
    if numerator == 0:
        return Extended(0, 0)
    magnitude = abs(numerator)
    exponent = magnitude.bit_length() - denominator.bit_length() - _BITS
    # The quotient has 64 bits now, or 65.
    if magnitude << max(-exponent, 0) >= denominator << (_BITS + max(exponent, 0)):
        exponent += 1
    exponent = max(exponent, _LOWEST)
    if exponent >= 0:
        mantissa = _divided(magnitude, denominator << exponent)
    else:
        mantissa = _divided(magnitude << -exponent, denominator)
    if mantissa == 1 << _BITS:
        mantissa >>= 1
        exponent += 1
    if exponent > _HIGHEST:
        return None
    return Extended(-mantissa if numerator < 0 else mantissa, exponent)


def _divided(numerator: int, denominator: int) -> int:
    """The quotient of integers that are not negative, to the nearest, ties to even."""
    quotient, rest = divmod(numerator, denominator)
    twice = 2 * rest
    if twice > denominator or (twice == denominator and quotient & 1):
        quotient += 1
    return quotient


def _integer(digits: bytes) -> int:
    """Decimal digits as an integer, in halves: Python refuses to convert long ones at once."""
    half = len(digits) // 2
    if half < _HALF:
        return int(digits)
    scale: int = 10 ** (len(digits) - half)
    return int(digits[:half]) * scale + int(digits[half:])


def _digits(number: int) -> str:
    """The decimal digits of an integer, in halves likewise."""
    high, low = divmod(number, 10**_HALF)
    return str(high) + str(low).rjust(_HALF, "0") if high else str(low)
