"""A backend that fails where a test says so, and remembers what was asked of it."""

from hypercache.backend import NO, BackendError, BackendFull
from hypercache.keyspace import layout
from hypercache.keyspace.kv_backend import KVBackend
from hypercache.testing.sorted_kv import SortedDictKV

FULL = "no room left in the test store: make it larger"


class FragileKV(SortedDictKV):
    """A store in memory whose operations raise on demand.

    ``failing`` has exceptions by the name of the operation; reading fails for keys of clients
    alone. A put also fails when the value
    contains ``b"poison"``, or the key begins with ``poisoned``: then only what is written is
    at fault. ``ended`` lists how units ended.
    """

    def __init__(self) -> None:
        super().__init__()
        self.failing: dict[str, Exception] = {}
        self.poisoned = b"\xff"
        self.ended: list[str] = []
        self.is_open = False

    def fail(self, *operations: str) -> None:
        """Let operations raise from now on."""
        for operation in operations:
            self.failing[operation] = BackendError(f"{operation}: disk on fire")

    def _perhaps(self, operation: str) -> None:
        if operation in self.failing:
            raise self.failing[operation]

    def get(self, key: bytes) -> bytes | None:
        if key.startswith(layout.RECORD):
            self._perhaps("get")
        return super().get(key)

    def put(self, key: bytes, value: bytes) -> None:
        self._perhaps("put")
        if b"poison" in value or key.startswith(self.poisoned):
            raise BackendFull(FULL)
        super().put(key, value)

    def delete(self, key: bytes) -> bool:
        self._perhaps("delete")
        return super().delete(key)

    def begin(self) -> None:
        self._perhaps("begin")
        super().begin()
        self.is_open = True

    def commit(self) -> None:
        if "commit" in self.failing:
            self.rollback()
        self._perhaps("commit")
        super().commit()
        self._end("commit")

    def rollback(self) -> None:
        self._perhaps("rollback")
        super().rollback()
        self._end("rollback")

    def _end(self, how: str) -> None:
        self.is_open = False
        self.ended.append(how)

    def sync(self) -> None:
        self._perhaps("sync")

    def maintain(self) -> None:
        self._perhaps("maintain")


class FragileBackend(KVBackend):
    """A backend over a `FragileKV`."""

    def __init__(self, sync_policy: str = NO) -> None:
        self.fragile = FragileKV()
        self.fragile.sync_policy = sync_policy
        super().__init__(self.fragile, "fragile")
