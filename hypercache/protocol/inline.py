"""Inline commands: requests typed as a line of words, and their quoting rules."""

from typing import Final

from mypy_extensions import i64

_TAB: Final = 9
_LF: Final = 10
_CR: Final = 13
_SPACE: Final = 32
_DOUBLE: Final = 34
_SINGLE: Final = 39
_BACKSLASH: Final = 92
_HEX_MARK: Final = 120
_ESCAPES: Final[dict[int, int]] = {110: 10, 114: 13, 116: 9, 98: 8, 97: 7}


def split_words(line: bytes) -> list[bytes] | None:
    r"""The words of an inline command; None when its quotes are unbalanced.

    Words are parted by white space. ``"..."`` may hold ``\n \r \t \b \a``, ``\xHH`` and any
    other character behind a backslash; ``'...'`` only ``\'``. A closing quote must be followed
    by white space or the end, and ends the word. A vertical tab or form feed parts words but
    does not end one. Source: the behaviour of redis-server 7.2.
    """
    words: list[bytes] = []
    size: i64 = len(line)
    at: i64 = 0
    while True:
        while at < size and _is_space(line[at]):
            at += 1
        if at == size:
            return words
        start = at
        char: i64 = 0
        while at < size:
            char = line[at]
            if _ends_plain(char):
                break
            at += 1
        if at == size or (char != _DOUBLE and char != _SINGLE):
            words.append(line[start:at])
            continue
        word = bytearray(line[start:at])
        at = (
            _double_quoted(line, at + 1, word)
            if char == _DOUBLE
            else _single_quoted(line, at + 1, word)
        )
        if at < 0 or (at < size and not _is_space(line[at])):
            return None
        words.append(bytes(word))


def _double_quoted(line: bytes, at: i64, word: bytearray) -> i64:
    """Collects up to the closing quote; the index behind it, or -1 when there is none."""
    size: i64 = len(line)
    while at < size:
        char: i64 = line[at]
        if char == _DOUBLE:
            return at + 1
        if char == _BACKSLASH and at + 1 < size:
            escaped: i64 = line[at + 1]
            if escaped == _HEX_MARK and at + 3 < size:
                high = _hex_digit(line[at + 2])
                low = _hex_digit(line[at + 3])
                if high >= 0 and low >= 0:
                    word.append(high * 16 + low)
                    at += 4
                    continue
            word.append(_ESCAPES.get(escaped, escaped))
            at += 2
            continue
        word.append(char)
        at += 1
    return -1


def _single_quoted(line: bytes, at: i64, word: bytearray) -> i64:
    """Like ``_double_quoted``; the only escape is that of the quote itself."""
    size: i64 = len(line)
    while at < size:
        char: i64 = line[at]
        if char == _SINGLE:
            return at + 1
        if char == _BACKSLASH and at + 1 < size and line[at + 1] == _SINGLE:
            char = _SINGLE
            at += 1
        word.append(char)
        at += 1
    return -1


def _is_space(char: i64) -> bool:
    return char == _SPACE or _TAB <= char <= _CR


def _ends_plain(char: i64) -> bool:
    """Whether a word outside of quotes ends before it, or its quoted part begins."""
    return char in (_SPACE, _DOUBLE, _SINGLE, _TAB, _LF, _CR)


def _hex_digit(char: i64) -> i64:
    """The value of a hexadecimal digit, -1 for anything else."""
    if 48 <= char <= 57:
        return char - 48
    if 97 <= char <= 102:
        return char - 87
    if 65 <= char <= 70:
        return char - 55
    return -1
