"""Bringing LMDB's transaction up to date with the log, many pairs at a time."""

from typing import Final

import lmdb

from hypercache_lmdb.room import Room

# Pairs that are handed to LMDB in one call.
MANY: Final = 1000


class Refill:
    """Takes the operations of a log in order; `finish` comes after the last one."""

    def __init__(self, transaction: "lmdb.Transaction[bytes]", room: Room) -> None:
        self._transaction = transaction
        self._cursor = transaction.cursor()
        self._room = room
        self._pairs: list[tuple[bytes, bytes]] = []

    def apply(self, key: bytes, value: bytes | None) -> None:
        """An operation: a key gets a value, or none."""
        if value is None:
            self._flush()
            self._room.count(len(key), 0)
            self._room.cover()
            self._transaction.delete(key)
            return
        self._room.count(len(key), len(value))
        self._pairs.append((key, value))
        if len(self._pairs) >= MANY:
            self._flush()

    def _flush(self) -> None:
        if self._pairs:
            # When this was written it had its room, and no more may be left now.
            self._room.cover()
            self._cursor.putmulti(self._pairs)
            self._pairs = []

    def finish(self) -> None:
        """There are no more operations."""
        self._flush()
        self._cursor.close()
