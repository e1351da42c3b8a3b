"""Typed values: the part of the Backend contract that says what each type can do.

A `Value` is a container (or a large string) that is changed in place. Commands know only
these classes; a backend implements them as it stores things. The rules for all of them:

- every method is synchronous, and costs no more than what its docstring says;
- a method that changes something adds the number of elements it changed to ``changes``;
- lists handed out are the caller's own; what `items` or `members` iterate over is not used
  across a change;
- positions are counted from 0 and are valid when they are passed in: commands translate
  negative and excessive ones first.

`hypercache.streams` has the streams.
"""

from collections.abc import Iterator
from typing import Final

from mypy_extensions import i64, mypyc_attr

# Kinds of values. Backends persist these numbers: append only.
STRING: Final = 0
LIST: Final = 1
SET: Final = 2
ZSET: Final = 3
HASH: Final = 4
STREAM: Final = 5

#: Names of the kinds as TYPE answers them, by number.
KIND_NAMES: Final = ("string", "list", "set", "zset", "hash", "stream")

NO_EXPIRE: Final = -1


class EncodingLimits:
    """Up to where values have the encodings that Redis calls compact (hash-max-listpack-...).

    One object for each backend, shared by all of its values: when a setting changes, the
    next change of a value follows it. A value that outgrew them once stays as it is.
    Numbers of elements, and bytes of the longest; `list_size` as list-max-listpack-size
    (below 0: -1 to -5 for 4 to 64 KB), `stream_bytes` and `stream_entries` of a node.
    """

    def __init__(self) -> None:
        self.hash_entries: i64 = 512
        self.hash_value: i64 = 64
        self.list_size: i64 = -2
        self.set_integers: i64 = 512
        self.set_entries: i64 = 128
        self.set_value: i64 = 64
        self.zset_entries: i64 = 128
        self.zset_value: i64 = 64
        self.stream_bytes: i64 = 4096
        self.stream_entries: i64 = 100


@mypyc_attr(allow_interpreted_subclasses=True, acyclic=True)
class Value:
    """A value that is changed in place: a container, or a large string.

    ``kind`` is one of the numbers above. ``changes`` counts the changes made so far: every
    method that changes something adds the number of elements it changed (a string write
    adds 1), and one that changes nothing leaves it alone. The keyspace compares it before
    and after a command: WATCH, notifications and the journal follow from it.
    """

    kind: int
    changes: i64

    def __init__(self, kind: int) -> None:
        self.kind = kind
        self.changes = 0

    def length(self) -> int:
        """Number of elements (bytes, for a string). A container of length 0 is removed."""
        raise NotImplementedError

    def memory(self) -> int:
        """Bytes that this value takes in this process, its elements included."""
        raise NotImplementedError

    def encoding(self) -> str:
        """The name that OBJECT ENCODING answers."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class StringValue(Value):
    """A string that is edited in place (APPEND, SETRANGE): no write copies the whole."""

    def read(self, start: int, stop: int) -> bytes:
        """Bytes ``start <= i < stop``, 0 <= start <= stop; beyond the end there are none."""
        raise NotImplementedError

    def write(self, offset: int, data: bytes) -> None:
        """Overwrite from ``offset``; a gap after the old end is filled with zero bytes."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True, acyclic=True)
class HashValue(Value):
    """Fields and their values."""

    def get(self, field: bytes) -> bytes | None:
        """The value of a field, or None."""
        raise NotImplementedError

    def set(self, field: bytes, value: bytes) -> bool:
        """Set a field; True when it is new. Setting counts as a change even if equal."""
        raise NotImplementedError

    def remove(self, field: bytes) -> bool:
        """Remove a field; True when it was there."""
        raise NotImplementedError

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All fields and values, in any order; not to be used across a change."""
        raise NotImplementedError

    def scan(self, cursor: int, count: int) -> tuple[int, list[tuple[bytes, bytes]]]:
        """About ``count`` fields with their values, and the next cursor: see `Database.scan`.

        Of up to 128 fields, all may come at once.
        """
        raise NotImplementedError

    def sample(self, pick: i64) -> tuple[bytes, bytes]:
        """A field and its value, chosen by ``pick`` in [0, 2**62); the hash is not empty.

        As uniform as the store allows, at the cost of a few lookups.
        """
        raise NotImplementedError

    def deadline(self, field: bytes) -> i64:
        """When a present field expires, in Unix milliseconds, or ``NO_EXPIRE``."""
        raise NotImplementedError

    def set_deadline(self, field: bytes, deadline: i64) -> None:
        """Give a present field a deadline, or with ``NO_EXPIRE`` take it away.

        Giving one counts as a change even if equal; `set` and `remove` take it away as well.
        O(log n) of the fields that have one.
        """
        raise NotImplementedError

    def next_deadline(self) -> i64:
        """The earliest deadline of any field, or ``NO_EXPIRE``; O(1), asked for every access."""
        raise NotImplementedError

    def due(self, now: i64, limit: int) -> list[bytes]:
        """Up to ``limit`` fields whose deadline is <= ``now``, the earliest first."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class ListValue(Value):
    """Elements in a row. Both ends are reached in O(1)."""

    def push_left(self, element: bytes) -> None:
        """Put an element before the first; O(1) amortised."""
        raise NotImplementedError

    def push_right(self, element: bytes) -> None:
        """Put an element behind the last; O(1) amortised."""
        raise NotImplementedError

    def pop_left(self) -> bytes:
        """Take the first element off; the list is not empty. O(1) amortised."""
        raise NotImplementedError

    def pop_right(self) -> bytes:
        """Take the last element off; the list is not empty. O(1) amortised."""
        raise NotImplementedError

    def get(self, index: i64) -> bytes:
        """The element at a position; at most O(n), O(1) near both ends."""
        raise NotImplementedError

    def set(self, index: i64, element: bytes) -> None:
        """Replace the element at a position; at the cost of `get`."""
        raise NotImplementedError

    def range(self, start: i64, stop: i64) -> list[bytes]:
        """Elements at ``start <= i < stop``, 0 <= start <= stop <= length().

        O(s + m) for m elements at a distance s from the nearer end.
        """
        raise NotImplementedError

    def insert(self, index: i64, element: bytes) -> None:
        """Put an element before the one at a position (``length()``: behind the last).

        Elements are not all moved for it: at most O(n) to find the place.
        """
        raise NotImplementedError

    def remove_range(self, start: i64, stop: i64) -> None:
        """Remove the elements at ``start <= i < stop``; LTRIM removes at both ends. O(s + m)."""
        raise NotImplementedError

    def remove(self, element: bytes, limit: i64, backwards: bool) -> int:
        """Remove up to ``limit`` equal elements, from the first or the last on; how many. O(n)."""
        raise NotImplementedError

    def find(self, element: bytes, skip: i64, count: i64, depth: i64, backwards: bool) -> list[int]:
        """Positions of equal elements: ``count`` at most after leaving out ``skip``.

        Compares ``depth`` elements at most (LPOS), from the last on if ``backwards``. O(n).
        """
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class SetValue(Value):
    """Distinct members."""

    def add(self, member: bytes) -> bool:
        """Add a member; False when it was there. O(1) amortised."""
        raise NotImplementedError

    def remove(self, member: bytes) -> bool:
        """Remove a member; False when it was not there. O(1) amortised."""
        raise NotImplementedError

    def contains(self, member: bytes) -> bool:
        """Whether this is a member; O(1)."""
        raise NotImplementedError

    def members(self) -> Iterator[bytes]:
        """All members, in any order; not to be used across a change."""
        raise NotImplementedError

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """About ``count`` members, and the next cursor: see `Database.scan`."""
        raise NotImplementedError

    def sample(self, pick: i64) -> bytes:
        """A member chosen by ``pick`` in [0, 2**62); the set is not empty.

        As uniform as the store allows, at the cost of a few lookups.
        """
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class ZSetValue(Value):
    """Distinct members with scores, in the order of (score, member).

    Scores are doubles, never NaN; 0.0 and -0.0 are equal in the order, and while its encoding
    is ``listpack`` a value keeps 0.0 for both. Members compare bytewise. A rank is a position
    in this order, from the lowest.
    """

    def score(self, member: bytes) -> float | None:
        """The score of a member, or None; O(1)."""
        raise NotImplementedError

    def set(self, member: bytes, score: float) -> bool:
        """Give a member a score; True when it is new. O(log n).

        A member that has this very score already is no change.
        """
        raise NotImplementedError

    def remove(self, member: bytes) -> bool:
        """Remove a member; False when it was not there. O(log n)."""
        raise NotImplementedError

    def rank(self, member: bytes) -> int:
        """The rank of a member, -1 when it is not there. O(log n)."""
        raise NotImplementedError

    def rank_of_score(self, score: float, after: bool) -> int:
        """How many members have a score below (``after``: or equal to) this one. O(log n)."""
        raise NotImplementedError

    def rank_of_lex(self, member: bytes, after: bool) -> int:
        """How many members are bytewise below (``after``: or equal to) this one. O(log n).

        For values whose members all have the same score; any result, but no failure, for
        others (as with Redis' lexicographic ranges).
        """
        raise NotImplementedError

    def range(self, start: i64, stop: i64) -> list[tuple[bytes, float]]:
        """Members and scores at ranks ``start <= i < stop``, from the lowest. O(log n + m).

        0 <= start <= stop <= length().
        """
        raise NotImplementedError

    def remove_range(self, start: i64, stop: i64) -> None:
        """Remove the members at ranks ``start <= i < stop``. O(log n + m)."""
        raise NotImplementedError

    def items(self) -> Iterator[tuple[bytes, float]]:
        """All members and scores, in any order; not to be used across a change."""
        raise NotImplementedError

    def scan(self, cursor: int, count: int) -> tuple[int, list[tuple[bytes, float]]]:
        """About ``count`` members with scores, and the next cursor: see `Database.scan`."""
        raise NotImplementedError

    def sample(self, pick: i64) -> tuple[bytes, float]:
        """A member and its score, chosen by ``pick`` in [0, 2**62); the value is not empty.

        As uniform as the store allows.
        """
        raise NotImplementedError
