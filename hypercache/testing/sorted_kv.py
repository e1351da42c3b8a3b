"""The smallest honest `OrderedKV`: a sorted dict and what undoes it. For tests, as an example."""

from typing import Final

from sortedcontainers import SortedDict

from hypercache.backend import BackendError
from hypercache.keyspace.ordered import OrderedKV


class SortedDictKV(OrderedKV):
    """Ordered keys and values in this process's memory.

    ``data`` plays the disk: a second `SortedDictKV` with the same ``data`` finds what the
    first one committed. Breaking the contract's rules (a write outside a transaction, a key
    that is too long) raises at once, so that it is also a test of whoever uses it.
    """

    def __init__(
        self, data: "SortedDict[bytes, bytes] | None" = None, *, max_key_size: int = 511
    ) -> None:
        super().__init__()
        self.data: Final[SortedDict[bytes, bytes]] = SortedDict() if data is None else data
        self.max_key_size = max_key_size
        self.durable = True
        self.snapshots = True
        self._undo: list[tuple[bytes, bytes | None]] | None = None

    def get(self, key: bytes) -> bytes | None:
        return self.data.get(key)

    def range(
        self, start: bytes, stop: bytes, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        if limit < 1:
            raise BackendError(f"range: a limit of {limit}")
        found: list[tuple[bytes, bytes]] = []
        if start < stop:
            for key in self.data.irange(start, stop, (True, False), reverse):
                found.append((key, self.data[key]))
                if len(found) == limit:
                    break
        return found

    def put(self, key: bytes, value: bytes) -> None:
        if not 1 <= len(key) <= self.max_key_size:
            raise BackendError(f"put: a key of {len(key)} bytes, allowed are {self.max_key_size}")
        self._remember("put", key)
        self.data[key] = value

    def delete(self, key: bytes) -> bool:
        self._remember("delete", key)
        return self.data.pop(key, None) is not None

    def _remember(self, action: str, key: bytes) -> None:
        if self._undo is None:
            raise BackendError(f"{action}: no transaction is open")
        self._undo.append((key, self.data.get(key)))

    def begin(self) -> None:
        if self._undo is not None:
            raise BackendError("begin: a transaction is open already")
        self._undo = []

    def commit(self) -> None:
        self._ended("commit")

    def rollback(self) -> None:
        for key, value in reversed(self._ended("rollback")):
            if value is None:
                self.data.pop(key, None)
            else:
                self.data[key] = value

    def snapshot(self) -> OrderedKV:
        """A copy of everything, which costs as much as there is."""
        if self._undo is not None:
            raise BackendError("snapshot: a transaction is open")
        return SortedDictKV(SortedDict(self.data), max_key_size=self.max_key_size)

    def after_crash(self) -> "SortedDictKV":
        """What is found after this process was killed: all that was committed, nothing more."""
        found = SortedDictKV(SortedDict(self.data), max_key_size=self.max_key_size)
        found._undo = None if self._undo is None else list(self._undo)
        if found._undo is not None:
            found.rollback()
        return found

    def _ended(self, action: str) -> list[tuple[bytes, bytes | None]]:
        undo = self._undo
        if undo is None:
            raise BackendError(f"{action}: no transaction is open")
        self._undo = None
        return undo
