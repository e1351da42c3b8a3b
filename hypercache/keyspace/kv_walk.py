"""The walk over a database's keys while they change, where names lie in the order of a hash."""

from hypercache.backend import Database, KeyWalk
from hypercache.keyspace.layout import Namer, position


class NameWalk(KeyWalk):
    """What lies before the cursor was handed out; what lies behind it and was claimed is kept.

    So its memory follows what changes, not what there is.
    """

    def __init__(self, database: Database, namer: Namer) -> None:
        super().__init__(database)
        self._namer = namer
        self._claimed: set[bytes] = set()

    def next(self, count: int) -> list[bytes]:
        found: list[bytes] = []
        claimed = self._claimed
        while not found and not self._ended:
            self._cursor, keys = self.database.scan(self._cursor, count)
            self._ended = self._cursor == 0
            if not claimed:
                found = keys
                continue
            for key in keys:
                if key in claimed:
                    claimed.remove(key)
                else:
                    found.append(key)
        return found

    def claim(self, key: bytes) -> bool:
        if self._ended or key in self._claimed:
            return False
        if position(self._namer.name(key)) < self._cursor:
            return False
        self._claimed.add(key)
        return self.database.find(key) is not None
