"""How many bytes elements take in Redis' listpacks.

Limits such as stream-node-max-bytes count these bytes, and where a node is full is seen from
outside: trimming with ``~`` removes whole nodes. Source: Redis' listpack.c, as its format
is described there: integers and short strings are stored in fewer bytes, each element
followed by its length, so that a listpack can be walked backwards.
"""

from typing import Final

from mypy_extensions import i64

#: Header and end mark of a listpack.
OVERHEAD: Final[i64] = 7

# No listpack of a list grows beyond, if its limit is a number of elements.
_SAFE_BYTES: Final[i64] = 8192

_MINUS: Final = 45
_ZERO: Final = 48
_NINE: Final = 57
# So many characters has the longest integer of 64 bits, its sign included.
_LONGEST: Final = 20
_SAFE_DIGITS: Final = 18
_HIGHEST: Final = b"9223372036854775807"
_LOWEST: Final = b"9223372036854775808"


def integer_size(value: i64) -> i64:
    """Bytes of an integer element."""
    if value < 0:
        value = ~value
    elif value < 128:
        return 2
    if value < 1 << 12:
        return 3
    if value < 1 << 15:
        return 4
    if value < 1 << 23:
        return 5
    return 6 if value < 1 << 31 else 10


def string_size(element: bytes) -> i64:
    """Bytes of a string element; one that is the spelling of an integer is stored as such."""
    size: i64 = len(element)
    if 0 < size <= _LONGEST and element[size - 1] <= _NINE:
        packed = _spelt_integer_size(element, size)
        if packed > 0:
            return packed
    if size < 64:
        size += 1
    elif size < 4096:
        size += 2
    else:
        size += 5
    return size + _length_size(size)


def _length_size(size: i64) -> i64:
    """Bytes of the length behind an element of so many bytes."""
    if size <= 127:
        return 1
    if size < 16383:
        return 2
    if size < 2097151:
        return 3
    return 4 if size < 268435455 else 5


def _spelt_integer_size(element: bytes, size: i64) -> i64:
    """Bytes of the integer that a string spells as Redis would, 0 if it spells none."""
    at: i64 = 1 if element[0] == _MINUS else 0
    digits = size - at
    if digits == 0 or (element[at] == _ZERO and size > 1):
        return 0
    negative = at == 1
    value: i64 = 0
    start = at
    while at < size:
        digit: i64 = element[at] - _ZERO
        if digit < 0 or digit > 9:
            return 0
        if digits <= _SAFE_DIGITS:
            value = value * 10 + digit
        at += 1
    if digits > _SAFE_DIGITS:
        highest = _LOWEST if negative else _HIGHEST
        fits = digits == len(highest) and element[start:] <= highest
        return 10 if fits else 0
    return integer_size(-value if negative else value)


def outgrows(limit: i64, size: i64, count: i64) -> bool:
    """Whether so many bytes and elements are too much for a list in one listpack.

    ``limit`` is list-max-listpack-size: elements, or below 0 one of the sizes of `_bytes`.
    """
    if limit < 0:
        return size > _bytes(limit)
    return size > _SAFE_BYTES or count > max(limit, 1)


def fits_again(limit: i64, size: i64, count: i64) -> bool:
    """Whether a list has shrunk so far that it becomes one listpack again: to half the limit.

    With a limit of elements it had been cut into nodes of bytes all the same.
    """
    if limit < 0:
        return size <= _bytes(limit) // 2
    return count <= limit // 2 and (size <= _SAFE_BYTES or count == 1)


def _bytes(limit: i64) -> i64:
    """The bytes that -1 to -5 stand for: 4 to 64 KB."""
    return 2048 << (-limit if limit > -5 else 5)
