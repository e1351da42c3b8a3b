"""Sets, as the memory backend keeps them."""

import sys
from collections.abc import Iterator
from typing import Final

from mypy_extensions import i64

from hypercache.backend import SET, EncodingLimits, SetValue
from hypercache_memory.members import Members
from hypercache_memory.packed import is_at, unpack
from hypercache_memory.sizes import block, bytes_block

# What Redis calls the ways in which it keeps a set; a set only ever goes to a higher one.
_INTSET: Final[i64] = 0
_LISTPACK: Final[i64] = 1
_HASHTABLE: Final[i64] = 2
_ENCODINGS: Final = ("intset", "listpack", "hashtable")

# Bytes that a packed set may have: with its header one block of the allocator's largest size.
_PACKED: Final[i64] = 479
# Only members below this length are packed: their lengths take one byte each, ready made here.
_SHORT: Final[i64] = 128
_LENGTHS: Final = [bytes([length]) for length in range(_SHORT)]

_ZERO: Final = 48
_NINE: Final = 57
_MINUS: Final = 45
# Digits and sign of the longest 64-bit integer; so many digits never overflow.
_LONGEST: Final = 20
_SAFE_DIGITS: Final = 18


class MemorySet(SetValue):
    """Members packed into one byte string while they are few and short, then `Members`.

    A hundred thousand sets of ten members take a third of what objects for each member
    would. Once unpacked a set stays so.
    """

    def __init__(self, limits: EncodingLimits) -> None:
        super().__init__(SET)
        self._limits = limits
        self._encoding: i64 = _INTSET
        self._count: i64 = 0
        self._packed: bytes = b""
        # None while the set is packed.
        self._members: Members | None = None
        # Bytes of the members' objects in `_members`.
        self._content: i64 = 0

    def length(self) -> int:
        return self._count

    def memory(self) -> int:
        members = self._members
        if members is None:
            return _SET_BYTES + bytes_block(len(self._packed))
        return _SET_BYTES + members.memory() + self._content

    def encoding(self) -> str:
        return _ENCODINGS[self._encoding]

    def contains(self, member: bytes) -> bool:
        members = self._members
        if members is None:
            return self._place(member) >= 0
        return members.find(member) >= 0

    def add(self, member: bytes) -> bool:
        members = self._members
        if members is None:
            if self._place(member) >= 0:
                return False
            size: i64 = len(member)
            if size < _SHORT and len(self._packed) + size < _PACKED:
                self._packed = b"%b%b%b" % (self._packed, _LENGTHS[size], member)
            else:
                self._unpack().append(member)
                self._content += bytes_block(size)
        else:
            if members.find(member) >= 0:
                return False
            members.append(member)
            self._content += bytes_block(len(member))
        self._count += 1
        self.changes += 1
        if self._encoding != _HASHTABLE:
            self._follow(member)
        return True

    def remove(self, member: bytes) -> bool:
        members = self._members
        if members is None:
            at = self._place(member)
            if at < 0:
                return False
            self._packed = self._packed[:at] + self._packed[at + 1 + len(member) :]
        else:
            position = members.find(member)
            if position < 0:
                return False
            members.remove_at(position)
            self._content -= bytes_block(len(member))
        self._count -= 1
        self.changes += 1
        return True

    def members(self) -> Iterator[bytes]:
        return iter(self._in_order())

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        members = self._members
        if members is None or self._encoding != _HASHTABLE:
            return 0, list(self._in_order())  # at once, as Redis does with what is compact
        # The cursor is the number of members still to be scanned: see `Members`.
        stop = len(members.items)
        if 0 < cursor < stop:
            stop = cursor
        start = max(stop - max(count, 1), 0)
        found = members.items[start:stop]
        found.reverse()
        return start, found

    def sample(self, pick: i64) -> bytes:
        index = pick % self._count
        members = self._members
        if members is not None:
            return members.items[index]
        packed = self._packed
        at: i64 = 0
        while index > 0:
            at += i64(packed[at]) + 1
            index -= 1
        return packed[at + 1 : at + 1 + i64(packed[at])]

    def copy(self) -> "MemorySet":
        """A set of its own with the same members."""
        twin = MemorySet(self._limits)
        twin._encoding = self._encoding
        twin._count = self._count
        twin._packed = self._packed
        if self._members is not None:
            twin._members = self._members.copy()
        twin._content = self._content
        return twin

    def shed(self, budget: int) -> int:
        """Free up to ``budget`` members of a set that nobody can reach any more."""
        return 0 if self._members is None else self._members.shed(budget)

    def _items(self) -> list[bytes]:
        """All members; not to be changed."""
        members = self._members
        return unpack(self._packed) if members is None else members.items

    def _in_order(self) -> list[bytes]:
        """All members, integers by their value while Redis would; not to be changed."""
        items = self._items()
        return sorted(items, key=int) if self._encoding == _INTSET else items

    def _place(self, member: bytes) -> i64:
        """Where the length of a packed member stands, -1 when it is not there."""
        size: i64 = len(member)
        packed = self._packed
        end: i64 = len(packed)
        at: i64 = 0
        while at < end:
            length: i64 = packed[at]
            if length == size and is_at(packed, at + 1, member):
                return at
            at += length + 1
        return -1

    def _unpack(self) -> Members:
        members = Members()
        for item in unpack(self._packed):
            members.append(item)
            self._content += bytes_block(len(item))
        self._packed = b""
        self._members = members
        return members

    def _follow(self, member: bytes) -> None:
        """Let the encoding follow a new member."""
        limits = self._limits
        longest: i64 = len(member)
        if self._encoding == _INTSET:
            if _is_integer(member):
                if self._count > limits.set_integers:
                    self._encoding = _HASHTABLE
                return
            for item in self._items():
                longest = max(longest, len(item))
        fits = self._count <= limits.set_entries and longest <= limits.set_value
        self._encoding = _LISTPACK if fits else _HASHTABLE


def _is_integer(text: bytes) -> bool:
    """Whether this is a signed 64-bit integer in its only spelling."""
    size: i64 = len(text)
    if size == 0 or size > _LONGEST:
        return False
    at: i64 = 1 if text[0] == _MINUS else 0
    if at == size or text[at] == _ZERO:
        return text == b"0"
    start = at
    while at < size:
        if not _ZERO <= text[at] <= _NINE:
            return False
        at += 1
    return size - start <= _SAFE_DIGITS or -(2**63) <= int(text) < 2**63


#: One `MemorySet` without its members.
_SET_BYTES: Final[i64] = block(sys.getsizeof(MemorySet(EncodingLimits())))
