"""Distinct byte strings, each at a position: what sets, sorted sets and large hashes stand on.

The members lie in a list without gaps; beside it an open-addressing table says at which
position a member is. So a random member is one index away, an iteration walks a list, and a
scan walks it *downwards*: removing moves the last member into the gap, from a position that
was scanned to one that will be, so a member may be seen twice but never missed. What belongs
to a member (a value, a score) lies at its position in a list of the owner.

A slot of the table holds 31 bits of the member's hash and its position plus 1; 0 is free.
Linear probing, deletion by shifting back (Knuth, TAOCP 6.4, algorithm R). CPython salts the
hashes of byte strings, so outsiders cannot make members that collide. A table costs 8 bytes a
slot at a load of 0.35 to 0.7; a ``dict`` with a number object for each position three times
as much.
"""

from typing import Final

from librt.vecs import vec
from mypy_extensions import i64

from hypercache_memory.sizes import block

# Up to so many members are compared one by one: no table.
_FEW: Final[i64] = 8
# Slots of the first table.
_SMALLEST: Final[i64] = 32
_HASH_BITS: Final[i64] = 0x7FFFFFFF
_POSITION_BITS: Final[i64] = 0xFFFFFFFF
# What the object and its empty list take, and what stands before the slots of a table.
_FIXED_BYTES: Final[i64] = 144
_VEC_BYTES: Final[i64] = 32


def _hash(member: bytes) -> i64:
    return hash(member) & _HASH_BITS


class Members:
    """A set of byte strings with positions ``0 <= i < len(items)``; read ``items`` freely."""

    def __init__(self) -> None:
        self.items: list[bytes] = []
        self._table: vec[i64] = vec[i64]()
        # Size of the table less 1; -1 without a table.
        self._mask: i64 = -1

    def find(self, member: bytes) -> i64:
        """The position of a member, -1 when it is not there."""
        items = self.items
        mask = self._mask
        if mask < 0:
            count: i64 = len(items)
            position: i64 = 0
            while position < count:
                if items[position] == member:
                    return position
                position += 1
            return -1
        table = self._table
        code = _hash(member)
        at = code & mask
        slot = table[at]
        while slot != 0:
            if slot >> 32 == code:
                found = (slot & _POSITION_BITS) - 1
                if items[found] == member:
                    return found
            at = (at + 1) & mask
            slot = table[at]
        return -1

    def append(self, member: bytes) -> None:
        """Add a member that is not there yet, at the position ``len(items)``."""
        items = self.items
        items.append(member)
        count: i64 = len(items)
        mask = self._mask
        if mask < 0:
            if count > _FEW:
                self._first_table()
            return
        if count * 10 > (mask + 1) * 7:
            self._resize((mask + 1) * 2)
        self._enter(_hash(member), count - 1)

    def remove_at(self, position: i64) -> None:
        """Remove the member at a position; the last one takes its place."""
        items = self.items
        last: i64 = len(items) - 1
        mask = self._mask
        if mask >= 0:
            self._leave(_hash(items[position]), position)
            if position != last:
                at = self._slot_of(_hash(items[last]), last)
                self._table[at] = (self._table[at] & ~_POSITION_BITS) | (position + 1)
        moved = items.pop()
        if position != last:
            items[position] = moved
        if mask >= _SMALLEST and last * 8 < mask:
            self._resize((mask + 1) // 4)

    def memory(self) -> int:
        """Bytes of the list and of the table, without the members themselves.

        Asked twice a write, and asking the list (sys.getsizeof) costs as much as the write:
        it over-allocates by an eighth at most.
        """
        count: i64 = len(self.items)
        slots = self._mask + 1
        pointers = block((count + (count >> 3)) * 8) if count else 0
        return _FIXED_BYTES + pointers + (block(_VEC_BYTES + slots * 8) if slots else 0)

    def copy(self) -> "Members":
        """The same members at the same positions."""
        twin = Members()
        twin.items = self.items.copy()
        twin._mask = self._mask
        twin._table = vec[i64](self._table)
        return twin

    def shed(self, budget: int) -> int:
        """Free up to ``budget`` members, how many; nothing but this may be called any more."""
        items = self.items
        count = min(budget, len(items))
        del items[len(items) - count :]
        return count

    def _slot_of(self, code: i64, position: i64) -> i64:
        """Where in the table a present position stands."""
        mask = self._mask
        table = self._table
        at = code & mask
        while table[at] & _POSITION_BITS != position + 1:
            at = (at + 1) & mask
        return at

    def _enter(self, code: i64, position: i64) -> None:
        mask = self._mask
        table = self._table
        at = code & mask
        while table[at] != 0:
            at = (at + 1) & mask
        table[at] = (code << 32) | (position + 1)

    def _leave(self, code: i64, position: i64) -> None:
        """Free a slot, and shift back what probed past it."""
        mask = self._mask
        table = self._table
        gap = self._slot_of(code, position)
        at = gap
        while True:
            at = (at + 1) & mask
            slot = table[at]
            if slot == 0:
                break
            # What lies cyclically in (gap, at] from its home on stays where it is.
            if (at - (slot >> 32)) & mask >= (at - gap) & mask:
                table[gap] = slot
                gap = at
        table[gap] = 0

    def _first_table(self) -> None:
        """Make the smallest table, and enter all members."""
        self._mask = _SMALLEST - 1
        self._table = vec[i64]([0] * _SMALLEST)
        for position, member in enumerate(self.items):
            self._enter(_hash(member), position)

    def _resize(self, size: i64) -> None:
        """Move all slots to a table of another power of two.

        A slot knows enough of its hash: the members themselves, which lie anywhere in memory,
        are not looked at.
        """
        table = vec[i64]([0] * size)
        mask = size - 1
        for slot in self._table:
            if slot != 0:
                at = (slot >> 32) & mask
                while table[at] != 0:
                    at = (at + 1) & mask
                table[at] = slot
        self._table = table
        self._mask = mask
