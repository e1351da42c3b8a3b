"""Uses of a key as a few bits beside the time of the last: cheap enough for every read.

`Entry.access` then holds the access clock (seconds, 24 bits, as Redis keeps it) and above it how
often the key was used since a policy looked at it last: 0 to 3, or up to 127 where more count.
"""

from typing import Final

from mypy_extensions import i32, i64

from hypercache.backend import Entry

_SHIFT: Final[i32] = 24
_SECONDS: Final[i32] = 0xFFFFFF
_ONE: Final[i32] = 1 << 24
#: The most uses that are counted, where nobody says how many.
MOST: Final[i32] = 3


def begin(entry: Entry, seconds: i64) -> None:
    """A new key: not used since it came."""
    entry.access = i32(seconds) & _SECONDS


def use(entry: Entry, seconds: i64, most: i32 = MOST) -> None:
    """One more use, now; ``most`` are counted."""
    marks: i32 = entry.access >> _SHIFT
    if marks < most:
        marks += 1
    entry.access = marks << _SHIFT | (i32(seconds) & _SECONDS)


def uses(entry: Entry) -> i32:
    """How often it was used."""
    return entry.access >> _SHIFT


def forget(entry: Entry) -> None:
    """Count its uses anew."""
    entry.access &= _SECONDS


def forget_one(entry: Entry) -> None:
    """Count one use less; there is one."""
    entry.access -= _ONE


def idle(entry: Entry, seconds: i64) -> i64:
    """Seconds since the last use, modulo 194 days."""
    return i64((i32(seconds) - entry.access) & _SECONDS)
