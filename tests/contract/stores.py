"""Stores that count, or fail, and how what they hold is written down."""

from hypercache.backend import BackendFull, Database
from hypercache.keyspace.kv_backend import KVBackend
from hypercache.testing import SortedDictKV

SALT = b"8 bytes!"


class CountingKV(SortedDictKV):
    """Counts the calls."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def get(self, key: bytes) -> bytes | None:
        self.calls.append("get")
        return super().get(key)

    def put(self, key: bytes, value: bytes) -> None:
        self.calls.append("put")
        super().put(key, value)

    def exchange(self, key: bytes, value: bytes) -> bytes | None:
        self.calls.append("exchange")
        old = super().get(key)
        super().put(key, value)
        return old

    def delete(self, key: bytes) -> bool:
        self.calls.append("delete")
        return super().delete(key)

    def range(
        self, start: bytes, stop: bytes, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        self.calls.append("range")
        return super().range(start, stop, limit, reverse)


class FullKV(SortedDictKV):
    """Has room for so many more writes; `commit` can fail, too."""

    room = 10**9
    commit_fails = False

    def put(self, key: bytes, value: bytes) -> None:
        if self.room <= 0:
            raise BackendFull("no room left in the test store: make it larger")
        self.room -= 1
        super().put(key, value)

    def commit(self) -> None:
        if self.commit_fails:
            super().rollback()
            raise BackendFull("no room left in the test store: make it larger")
        super().commit()


def opened(kv: SortedDictKV, databases: int = 2) -> tuple[KVBackend, list[Database]]:
    backend = KVBackend(kv, salt=SALT)
    return backend, backend.open(databases)


def shown(stored: bytes) -> str:
    """Hexadecimal, runs of one byte counted."""
    text = stored.hex()
    for byte in (b"v", b"k", b"f", b"m", b"\x00"):
        for length in (5_000, 3_000, 904, 600, 479):
            text = text.replace((byte * length).hex(), f"<{length} x {byte.hex()}>")
    return text
