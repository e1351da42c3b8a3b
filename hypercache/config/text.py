"""Redis' notations for arguments, memory and numbers.

Text is ``str`` throughout; bytes that are not UTF-8 travel as surrogates
(``surrogateescape``), so a password of any bytes survives reading and writing.
"""

import json
import math
import re
from typing import Final

from hypercache.protocol.inline import split_words

_UNESCAPES: Final = {10: "\\n", 13: "\\r", 9: "\\t", 7: "\\a", 8: "\\b", 92: "\\\\", 34: '\\"'}
_MEMORY: Final = re.compile(r"([0-9]*)(b|k|kb|m|mb|g|gb)?", re.IGNORECASE | re.ASCII)
_UNITS: Final = {
    "": 1,
    "b": 1,
    "k": 1000,
    "kb": 1 << 10,
    "m": 1000**2,
    "mb": 1 << 20,
    "g": 1000**3,
    "gb": 1 << 30,
}
_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]*", re.ASCII)
_PLAIN: Final = re.compile(r"[A-Za-z0-9_./+=$][A-Za-z0-9_./+=$ -]*(?<! )|-[0-9]+", re.ASCII)
#: Texts that YAML reads as texts without quotes; names, mostly.
_WORD: Final = re.compile(r"(?!(?:true|false|yes|no|on|off|null|y|n)\Z)[a-z][a-z0-9_-]*")
_INT64: Final = 1 << 63


def split_arguments(line: str) -> list[str] | None:
    """The arguments of a line of redis.conf, None where quotes do not balance."""
    words = split_words(line.encode("utf-8", "surrogateescape"))
    if words is None:
        return None
    return [word.decode("utf-8", "surrogateescape") for word in words]


def quote(word: str) -> str:
    """A word in double quotes, so that `split_arguments` gives it back. ASCII only."""
    pieces = ['"']
    for byte in word.encode("utf-8", "surrogateescape"):
        if byte in _UNESCAPES:
            pieces.append(_UNESCAPES[byte])
        elif 32 <= byte < 127:
            pieces.append(chr(byte))
        else:
            pieces.append(f"\\x{byte:02x}")
    pieces.append('"')
    return "".join(pieces)


def quote_if_needed(word: str) -> str:
    """A word as a line of redis.conf shows it: quoted only where that changes its reading."""
    plain = word and all(33 <= ord(c) < 127 for c in word) and not set(word) & set("\"'\\#")
    return word if plain else quote(word)


def parse_integer(text: str) -> int | None:
    """A signed 64-bit integer as Redis reads one: no sign ``+``, no leading zeros, no blanks."""
    if not _INTEGER.fullmatch(text):
        return None
    value = int(text)
    return value if -_INT64 <= value < _INT64 else None


def parse_memory(text: str) -> int | None:
    """Bytes of ``100``, ``1k`` (1000), ``1kb`` (1024), ``1m``, ``1mb``, ``1g``, ``1gb``, ``1b``."""
    match = _MEMORY.fullmatch(text)
    if not match or not match[1]:
        return None
    return int(match[1]) * _UNITS[(match[2] or "").lower()]


def format_memory(value: int) -> str:
    """Bytes in the largest unit that divides them, as CONFIG REWRITE writes them."""
    for unit in ("gb", "mb", "kb"):
        if value and value % _UNITS[unit] == 0:
            return f"{value // _UNITS[unit]}{unit}"
    return str(value)


def yaml_scalar(text: str) -> str:
    """A text as a scalar of YAML, plain where it stays the same text in any place."""
    if _PLAIN.fullmatch(text) and text.lower() not in ("null", "~"):
        return text
    return '"' + "".join(map(_yaml_character, text)) + '"'


def _yaml_character(character: str) -> str:
    code = ord(character)
    if character in '"\\':
        return "\\" + character
    if 32 <= code < 127:
        return character
    if code < 0x10000:
        return f"\\u{code:04x}"
    return f"\\U{code:08x}"


def yaml_flow(value: object) -> str:
    """Any data of YAML on one line; its texts stay texts."""
    if isinstance(value, dict):
        pairs = (f"{yaml_flow(name)}: {yaml_flow(item)}" for name, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(yaml_flow, value)) + "]"
    if isinstance(value, float):
        return _yaml_float(value)
    if isinstance(value, bool | int) or value is None:
        return json.dumps(value)
    text = str(value)
    return text if _WORD.fullmatch(text) else '"' + "".join(map(_yaml_character, text)) + '"'


def _yaml_float(value: float) -> str:
    """A float that YAML 1.1 takes for one: with a point, and a sign in its exponent."""
    if not math.isfinite(value):
        return ".nan" if math.isnan(value) else f"{'-' if value < 0 else ''}.inf"
    digits, exponent, power = repr(value).partition("e")
    if not exponent:
        return digits
    return f"{digits}{'' if '.' in digits else '.0'}e{int(power):+d}"
