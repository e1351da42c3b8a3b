"""Numbers as clients write them."""

from typing import Final

MAX_INTEGER: Final = 2**63 - 1
MIN_INTEGER: Final = -(2**63)
# Digits and sign of the longest 64-bit integer.
_LONGEST: Final = 20


def parse_integer(text: bytes) -> int | None:
    """A signed 64-bit integer in its only spelling, or None.

    No spaces, no plus sign, no leading zeros, no ``-0``: what INCR would write (Redis: string2ll).
    """
    if len(text) > _LONGEST:
        return None
    digits = text[1:] if text.startswith(b"-") else text
    if not digits.isdigit() or (digits[0] == 0x30 and text != b"0"):
        return None
    number = int(text)
    return number if MIN_INTEGER <= number <= MAX_INTEGER else None
