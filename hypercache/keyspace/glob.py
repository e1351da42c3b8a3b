"""Glob patterns as KEYS, SCAN, PSUBSCRIBE and CONFIG GET know them.

``*`` any bytes, ``?`` one byte, ``[abc]``, ``[^abc]``, ``[a-z]`` one byte of a class, ``\\x``
the byte x. The corners are Redis' own: a class that is not closed ends with the pattern,
an escape inside a class keeps its case, bytes from 128 on sort below 0 in a range, an
empty text matches the empty pattern only, and a pattern whose text passes more than 1,000
groups of ``*`` matches nothing. Time is linear in pattern times text, since only the last
``*`` is ever tried again: what an earlier one could match longer, the last one can too.
"""

from typing import Final

from mypy_extensions import i64

_STAR: Final = 42
_QUESTION: Final = 63
_OPEN: Final = 91
_BACKSLASH: Final = 92
_CLOSE: Final = 93
_CARET: Final = 94
_DASH: Final = 45

_MOST_STARS: Final = 1000


def matches(pattern: bytes, text: bytes, nocase: bool) -> bool:
    """Whether ``text`` as a whole matches ``pattern``; ``nocase`` ignores the case of ASCII."""
    pattern_size: i64 = len(pattern)
    text_size: i64 = len(text)
    if text_size == 0:
        return pattern_size == 0
    at: i64 = 0
    here: i64 = 0
    after_star: i64 = -1
    star_text: i64 = 0
    stars: i64 = 0
    while True:
        if at < pattern_size and pattern[at] == _STAR:
            at = _skip_stars(pattern, at)
            if at == pattern_size:
                return True
            stars += 1
            if stars > _MOST_STARS:
                return False
            after_star = at
            star_text = here
            continue
        following: i64 = -1
        if at < pattern_size:
            following = _match_one(pattern, at, text[here], nocase)
        if following >= 0:
            at = following
            here += 1
            if here == text_size:
                # Every element but a star takes a byte: no other way to match is left.
                return _skip_stars(pattern, at) == pattern_size
            continue
        if after_star < 0:
            return False
        star_text += 1
        if star_text == text_size:
            return False
        here = star_text
        at = after_star


def _skip_stars(pattern: bytes, at: i64) -> i64:
    """The first position from ``at`` on that is no star."""
    size: i64 = len(pattern)
    while at < size and pattern[at] == _STAR:
        at += 1
    return at


def _match_one(pattern: bytes, at: i64, byte: i64, nocase: bool) -> i64:
    """Where the element at ``at`` ends if it matches that byte, else -1."""
    head: i64 = pattern[at]
    if head == _QUESTION:
        return at + 1
    if head == _OPEN:
        return _match_class(pattern, at + 1, byte, nocase)
    if head == _BACKSLASH and at + 1 < len(pattern):
        at += 1
        head = pattern[at]
    if head == byte or (nocase and _lower(head) == _lower(byte)):
        return at + 1
    return -1


def _match_class(pattern: bytes, at: i64, byte: i64, nocase: bool) -> i64:
    """Like `_match_one` for a class whose bracket is just before ``at``."""
    size: i64 = len(pattern)
    negated = at < size and pattern[at] == _CARET
    if negated:
        at += 1
    found = False
    while at < size:
        head: i64 = pattern[at]
        if head == _BACKSLASH and at + 1 < size:
            at += 1
            if pattern[at] == byte:
                found = True
        elif head == _CLOSE:
            break
        elif at + 2 < size and pattern[at + 1] == _DASH:
            if _in_range(byte, head, pattern[at + 2], nocase):
                found = True
            at += 2
        elif head == byte or (nocase and _lower(head) == _lower(byte)):
            found = True
        at += 1
    if found == negated:
        return -1
    return min(at + 1, size)


def _in_range(byte: i64, first: i64, last: i64, nocase: bool) -> bool:
    """Whether a byte lies between two others, in either order, as signed bytes."""
    low = _signed(first)
    high = _signed(last)
    if low > high:
        low, high = high, low
    middle = _signed(byte)
    if nocase:
        low = _lower(low)
        high = _lower(high)
        middle = _lower(middle)
    return low <= middle <= high


def _signed(byte: i64) -> i64:
    return byte - 256 if byte >= 128 else byte


def _lower(byte: i64) -> i64:
    """ASCII lower case."""
    return byte + 32 if 65 <= byte <= 90 else byte
