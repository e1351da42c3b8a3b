"""A snapshot: a read transaction of LMDB, which later commits do not reach."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import lmdb

from hypercache.backend import BackendError
from hypercache.keyspace.ordered import OrderedKV
from hypercache_lmdb.ranges import read_range

if TYPE_CHECKING:
    from hypercache_lmdb.store import LMDBKV


class SnapshotKV(OrderedKV):
    """What a store held at one moment, for reading.

    As long as it is open, LMDB cannot use again what the data have left since; so the store
    ends one at its ``deadline``, in the seconds of the store's clock.
    """

    def __init__(
        self,
        store: "LMDBKV",
        group: "Snapshots",
        transaction: "lmdb.Transaction[bytes]",
        deadline: float,
    ) -> None:
        super().__init__()
        self._group = group
        self.max_key_size = store.max_key_size
        self.pair_overhead = store.pair_overhead
        self.deadline = deadline
        self._store = store
        self._transaction = transaction
        self._cursor = transaction.cursor()
        self._closed = False

    def get(self, key: bytes) -> bytes | None:
        try:
            return self._transaction.get(key)
        except lmdb.Error as error:
            raise self._failure(error) from error

    def range(
        self, start: bytes, stop: bytes, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        try:
            return read_range(self._cursor, start, stop, limit, reverse)
        except lmdb.Error as error:
            raise self._failure(error) from error

    def _failure(self, error: lmdb.Error) -> BackendError:
        if self._closed:
            return BackendError("the snapshot was closed, or has grown older than snapshot_age")
        return BackendError(f"{self._store.folder}: {error}")

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._cursor.close()
            self._transaction.abort()
            self._group.remove(self)


class Snapshots:
    """The snapshots of a store that are open. ``seconds`` is the store's clock."""

    def __init__(self, age: float, seconds: Callable[[], float]) -> None:
        self._age = age
        self._seconds = seconds
        self._open: list[SnapshotKV] = []

    def __len__(self) -> int:
        return len(self._open)

    def add(self, store: "LMDBKV", transaction: "lmdb.Transaction[bytes]") -> SnapshotKV:
        """Another one, over a read transaction that has begun."""
        snapshot = SnapshotKV(store, self, transaction, self._seconds() + self._age)
        self._open.append(snapshot)
        return snapshot

    def remove(self, snapshot: SnapshotKV) -> None:
        """One was closed."""
        self._open.remove(snapshot)

    def end_old(self) -> None:
        """Close those whose time is over."""
        now = self._seconds()
        for snapshot in list(self._open):
            if now > snapshot.deadline:
                snapshot.close()

    def close(self) -> None:
        """Close all."""
        for snapshot in list(self._open):
            snapshot.close()
