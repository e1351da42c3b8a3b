"""Emptying arenas: how what is left of a database comes together in few of them.

CPython serves small objects from arenas of a megabyte and gives one back to the system once nothing
is left in it. After keys have gone here and there, something is left in every arena, and copying
it does not help by itself: a copy goes to the pool that was freed into last, wherever that lies.

So all holes are *plugged* first, with strings that nobody needs. Then the plugs in the arenas that
are to stay are dropped, and the rest is copied: now there is room in no other place. At last the
plugs and the old objects go, and with them whole arenas. The holes take no memory that the process
does not have; plugging ends when it would begin to.

Arenas at high addresses stay: the system maps memory from the top down, so these are the oldest,
with the objects of the server itself.
"""

from typing import Final

from mypy_extensions import i64

#: The largest block that comes from arenas.
SMALL: Final[i64] = 512
# Arenas are told apart by this part of an address; it need not be exact.
_ARENA_BITS: Final[i64] = 20
_ARENA: Final[i64] = 1 << 20
# Bytes of a `bytes` object besides its content.
_OVERHEAD: Final[i64] = 33
# A block in which a plug can be; shorter strings are never copies.
_LEAST: Final[i64] = 48
# So many plugs in a row outside of the arenas in question: there are no holes left.
_STRAY: Final[i64] = 1024
# Plugs at most, each with a pointer to it: 512 MB, a sixth of the holes at the very most.
_MOST_PLUGS: Final[i64] = 1 << 26
# Of the plugs that are dropped, so many in sixteen are counted on.
_SURE: Final[i64] = 15


class Arenas:
    """The arenas in which some objects lie. The steps are made in this order, with `note`, `plug`
    and `open` in slices; objects at addresses below ``limit`` are to be copied then, and each old
    one handed to `hold`; `release`, in slices, ends it. There are about ``most`` plugs at most.
    """

    def __init__(self, most: i64 = _MOST_PLUGS) -> None:
        self.limit: i64 = 0
        self._most = most
        self._count: i64 = 0
        # Bytes of the objects, and of holes, by arena, for each size of blocks.
        self._occupied: dict[int, dict[int, int]] = {}
        self._free: dict[int, dict[int, int]] = {}
        self._arenas: set[int] = set()
        self._bytes: i64 = 0
        self._room: i64 = 0
        self._stray: i64 = 0
        self._blocks: list[int] = []
        # One list each: small lists, once freed, stay with CPython, and an arena with each.
        self._plugs: list[bytes] = []
        self._opened: i64 = 0
        self._held: list[object] = []

    def note(self, thing: object, block: i64) -> None:
        """One of the objects, and the block that it takes."""
        if block > SMALL:
            return
        occupied = self._occupied.get(block)
        if occupied is None:
            occupied = {}
            self._occupied[block] = occupied
            self._free[block] = {}
            if block >= _LEAST:
                self._blocks.append(block)
        arena = id(thing) >> _ARENA_BITS
        occupied[arena] = occupied.get(arena, 0) + block
        self._arenas.add(arena)
        self._bytes += block
        self._count += 1

    def are_sparse(self) -> bool:
        """Whether the objects would fit into half of their arenas, else it is not worth it; and
        the holes, of the same size as the objects, are not too many."""
        self._room = len(self._arenas) * _ARENA - self._bytes
        if self._room <= self._bytes or self._count == 0:
            return False
        return self._room // (self._bytes // self._count) < self._most

    def plug(self, budget: i64) -> bool:
        """Fill about so many holes; False once there are none."""
        if not self._blocks:
            return False
        block: i64 = self._blocks[-1]
        length = block - _OVERHEAD
        free = self._free[block]
        while budget > 0 and self._room > 0 and self._stray < _STRAY:
            plug = bytes(length)
            self._plugs.append(plug)
            arena = id(plug) >> _ARENA_BITS
            if arena in self._arenas:
                free[arena] = free.get(arena, 0) + block
                self._stray = 0
                self._room -= block
            else:
                self._stray += 1
            budget -= 1
        if budget > 0:
            self._blocks.pop()
            self._stray = 0
        return True

    def choose(self) -> None:
        """Find the fewest arenas from the top that have room for what lies in all the others."""
        arenas = sorted(self._arenas, reverse=True)
        self.limit = arenas[0] << _ARENA_BITS
        for block, occupied in self._occupied.items():
            free = self._free[block]
            outside: i64 = sum(occupied.values())
            room: i64 = 0
            for arena in arenas:
                outside -= occupied.get(arena, 0)
                room += free.get(arena, 0)
                if room * _SURE >= outside << 4:
                    limit: i64 = arena << _ARENA_BITS
                    if limit < self.limit:
                        self.limit = limit
                    break

    def open(self, budget: i64) -> bool:
        """Drop the next plugs, those in the arenas that stay; False after the last."""
        size: i64 = len(self._plugs)
        stop = self._opened + budget
        if stop > size:
            stop = size
        while self._opened < stop:
            address: i64 = id(self._plugs[self._opened])
            if address >= self.limit:
                self._plugs[self._opened] = b""
            self._opened += 1
        return stop < size

    def is_outside(self, thing: object) -> bool:
        """Whether an object lies in an arena that is to be emptied."""
        address: i64 = id(thing)
        return address < self.limit

    def hold(self, thing: object) -> None:
        """Old objects are kept until the end, else copies would take their places."""
        self._held.append(thing)

    def release(self, budget: i64) -> bool:
        """Let the next of plugs and old objects go; False after the last."""
        while budget > 0 and self._plugs:
            self._plugs.pop()
            budget -= 1
        while budget > 0 and self._held:
            self._held.pop()
            budget -= 1
        return budget == 0
