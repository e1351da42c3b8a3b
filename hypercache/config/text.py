"""Redis' notations for arguments, memory and numbers.

Text is ``str`` throughout; bytes that are not UTF-8 travel as surrogates
(``surrogateescape``), so a password of any bytes survives reading and writing.
"""

import re
from typing import Final

_BLANK: Final = b" \t\n\r\v\f"
_WORD_END: Final = b" \t\n\r\0"
_ESCAPES: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"a": b"\a"}
_UNESCAPES: Final = {10: "\\n", 13: "\\r", 9: "\\t", 7: "\\a", 8: "\\b", 92: "\\\\", 34: '\\"'}
_HEX: Final = re.compile(rb"\\x([0-9a-fA-F]{2})")
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
_INT64: Final = 1 << 63


def split_arguments(line: str) -> list[str] | None:
    """The arguments of a line of redis.conf, None where quotes do not balance.

    Double quotes know ``\\n \\r \\t \\b \\a \\xHH`` and an escaped anything, single quotes
    only ``\\'``; a closing quote ends its argument. Source: redis.conf, inline commands.
    """
    data = line.encode("utf-8", "surrogateescape")
    words: list[str] = []
    at = 0
    while True:
        while at < len(data) and data[at] in _BLANK:
            at += 1
        if at >= len(data) or data[at] == 0:
            return words
        taken = _take_word(data, at)
        if taken is None:
            return None
        word, at = taken
        words.append(word.decode("utf-8", "surrogateescape"))


def _take_word(data: bytes, at: int) -> tuple[bytes, int] | None:
    """One argument from ``at`` on and where it ends."""
    word = bytearray()
    while at < len(data) and data[at] not in _WORD_END:
        quote = data[at : at + 1]
        if quote not in (b'"', b"'"):
            word += quote
            at += 1
            continue
        at += 1
        while data[at : at + 1] != quote:
            if at >= len(data):
                return None
            piece, at = _take_character(data, at, quote)
            word += piece
        at += 1
        if at < len(data) and data[at] not in _BLANK:
            return None
        break
    return bytes(word), at


def _take_character(data: bytes, at: int, quote: bytes) -> tuple[bytes, int]:
    """One character inside quotes, its escape resolved, and where it ends."""
    following = data[at + 1 : at + 2]
    if data[at] != 0x5C or not following:
        return data[at : at + 1], at + 1
    if quote == b"'":
        return (b"'", at + 2) if following == b"'" else (b"\\", at + 1)
    match = _HEX.match(data, at)
    if match:
        return bytes.fromhex(match[1].decode()), at + 4
    return _ESCAPES.get(following, following), at + 2


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
