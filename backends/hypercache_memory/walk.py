"""The walk over a database's keys while they change: behind snapshots and rewrites."""

from mypy_extensions import i32

from hypercache.backend import Database, Entry, KeyWalk


class PoolWalk(KeyWalk):
    """Parts the pool in two: the keys below the slot ``todo`` are still to be handed out.

    Those above were, or are new: the walk goes downwards, as SCAN does. A key of the lower part
    that is claimed stays where it is, for a key must never move upwards (a SCAN would miss it),
    and is marked by its slot. So the walk takes a byte a key, once, whatever changes meanwhile.
    """

    def __init__(
        self,
        database: Database,
        entries: dict[bytes, Entry],
        pool: list[bytes],
        graveyard: list[object],
    ) -> None:
        super().__init__(database)
        self.todo: i32 = len(pool)
        self.is_open = True
        self._entries = entries
        self._pool = pool
        self._graveyard = graveyard
        self._claimed = bytearray(len(pool))
        # The database was cleared: nobody but the walk has its entries.
        self._owns = False

    def next(self, count: int) -> list[bytes]:
        claimed = self._claimed
        # Skips any number of claimed keys at once.
        self.todo = claimed.rfind(0, 0, self.todo) + 1
        stop = self.todo
        start = max(stop - max(count, 1), 0)
        self.todo = start
        if claimed.find(1, start, stop) < 0:
            return self._pool[start:stop]
        return [self._pool[slot] for slot in range(start, stop) if not claimed[slot]]

    def find(self, key: bytes) -> Entry | None:
        return self._entries.get(key)

    def claim(self, key: bytes) -> bool:
        entry = self._entries.get(key)
        if entry is None:
            return False
        slot = entry.slot
        if slot >= self.todo or self._claimed[slot]:
            return False
        self._claimed[slot] = 1
        return True

    def fill(self, hole: i32) -> i32:
        """A key of the lower part goes: put the last of that part in its place.

        Returns the slot that is free now, the first of the upper part.
        """
        self.todo -= 1
        top = self.todo
        if hole != top:
            key = self._pool[top]
            self._pool[hole] = key
            self._entries[key].slot = hole
            self._claimed[hole] = self._claimed[top]
        return top

    def leave(self) -> bool:
        return True

    def own(self) -> None:
        """The database begins anew: what it had is the walk's, and freed at its end."""
        self._owns = True

    def close(self) -> None:
        if self._owns and self._entries:
            self._graveyard.append(self._entries)
        self.is_open = False
        self.todo = 0
        self._entries = {}
        self._pool = []
        self._claimed = bytearray()
