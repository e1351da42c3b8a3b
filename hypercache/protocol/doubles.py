"""How Redis 7.2 writes a double: shortest digits, and its own choice of notation."""

from typing import Final

_EXACT: Final = float(2**62)


def format_double(value: float) -> bytes:
    """The shortest decimal that reads back as ``value``, laid out as Redis 7.2 does.

    ``nan``, ``inf``, ``-inf``; whole numbers within 62 bits without point or exponent;
    others plain while short, else as ``1.5e+25`` (no padding in the exponent). Redis' own
    algorithm (Grisu2) writes one digit too many for some three values in a thousand.
    """
    if value != value:
        return b"nan"
    if -_EXACT <= value <= _EXACT:
        whole = int(value)
        if whole == value and whole != 0:
            return str(whole).encode()
    return format_shortest(value)


def format_shortest(value: float) -> bytes:
    """As `format_double`, but long whole numbers with an exponent too: ``1e+17``."""
    if value != value:
        return b"nan"
    text = repr(value)
    if "e" not in text and (0.001 <= value < 10_000 or -10_000 < value <= -0.001):
        return text.removesuffix(".0").encode()
    if text == "0.0":
        return b"0"
    if text == "-0.0":
        return b"-0"
    if text.endswith("inf"):
        return text.encode()
    return _layout(text).encode()


def _layout(text: str) -> str:
    """The digits of ``repr(float)`` in Redis' notation."""
    sign = "-" if text.startswith("-") else ""
    mantissa, _, exponent = text.removeprefix("-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    scale = int(exponent or "0") - len(fraction)
    stripped = digits.rstrip("0")
    scale += len(digits) - len(stripped)
    count = len(stripped)
    magnitude = abs(scale + count - 1)
    if scale >= 0 and magnitude < count + 7:
        return sign + stripped + "0" * scale
    if scale < 0 and (scale > -7 or magnitude < 4):
        point = count + scale
        if point > 0:
            return sign + stripped[:point] + "." + stripped[point:]
        return sign + "0." + "0" * -point + stripped
    tail = "." + stripped[1:] if count > 1 else ""
    return f"{sign}{stripped[0]}{tail}e{'-' if scale + count < 1 else '+'}{magnitude}"
