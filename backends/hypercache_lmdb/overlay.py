# mypyc: interpreted
"""LMDB's pairs with the changes of a log laid over them, for reading."""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import islice
from typing import Final

import lmdb

from hypercache.backend import BackendError
from hypercache.keyspace.ordered import OrderedKV
from hypercache_lmdb.ranges import read_range

# Pairs of LMDB read at a time, at most.
_SLICE: Final = 256


class Overlay(OrderedKV):
    """What a store holds once its log is folded in, while LMDB stays as it is.

    ``changes`` has what the log says of each key: its value, or None where it was removed. They
    are held in memory; a checkpoint bounds them.
    """

    def __init__(
        self,
        transaction: "lmdb.Transaction[bytes]",
        database: "lmdb._Database",
        changes: dict[bytes, bytes | None],
    ) -> None:
        super().__init__()
        self._transaction = transaction
        self._database = database
        self._cursor = transaction.cursor(database)
        self._changes = changes
        self._keys = sorted(changes)

    def get(self, key: bytes) -> bytes | None:
        if key in self._changes:
            return self._changes[key]
        try:
            return self._transaction.get(key, db=self._database)
        except lmdb.Error as error:
            raise BackendError(f"{key!r} cannot be read: {error}") from error

    def range(
        self, start: bytes, stop: bytes, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        first = bisect_left(self._keys, start)
        behind = bisect_left(self._keys, stop)
        if first >= behind:
            return self._stored(start, stop, limit, reverse)
        stored = self._walk(start, stop, min(limit, _SLICE), reverse)
        return list(islice(self._merged(stored, first, behind, reverse), limit))

    def _merged(
        self, stored: Iterator[tuple[bytes, bytes]], first: int, behind: int, reverse: bool
    ) -> Iterator[tuple[bytes, bytes]]:
        places = iter(range(behind - 1, first - 1, -1) if reverse else range(first, behind))
        changed = self._key(next(places, None))
        for key, value in stored:
            while changed is not None and (changed > key if reverse else changed < key):
                yield from self._change(changed)
                changed = self._key(next(places, None))
            if changed == key:
                yield from self._change(key)
                changed = self._key(next(places, None))
            else:
                yield key, value
        while changed is not None:
            yield from self._change(changed)
            changed = self._key(next(places, None))

    def _key(self, place: int | None) -> bytes | None:
        return None if place is None else self._keys[place]

    def _change(self, key: bytes) -> Iterator[tuple[bytes, bytes]]:
        value = self._changes[key]
        if value is not None:
            yield key, value

    def _walk(
        self, start: bytes, stop: bytes, size: int, reverse: bool
    ) -> Iterator[tuple[bytes, bytes]]:
        """All pairs of LMDB in the range, read so many at a time."""
        while True:
            pairs = self._stored(start, stop, size, reverse)
            yield from pairs
            if len(pairs) < size:
                return
            if reverse:
                stop = pairs[-1][0]
            else:
                start = pairs[-1][0] + b"\x00"

    def _stored(
        self, start: bytes, stop: bytes, limit: int, reverse: bool
    ) -> list[tuple[bytes, bytes]]:
        try:
            return read_range(self._cursor, start, stop, limit, reverse)
        except lmdb.Error as error:
            raise BackendError(f"the keys from {start!r} on cannot be read: {error}") from error
