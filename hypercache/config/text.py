"""Redis' notations for arguments, memory and numbers.

Text is ``str`` throughout; bytes that are not UTF-8 travel as surrogates
(``surrogateescape``), so a password of any bytes survives reading and writing.
"""

import json
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
    return json.dumps(text)
