"""Stores of the LMDB backend to test with: filling them, killing their process, reading them."""

from pathlib import Path
from typing import Literal

from hypercache_lmdb import LMDBKV, LMDBBackend, LMDBSettings

from hypercache.backend import HASH, NO_EXPIRE, Database, HashValue

MB = 1 << 20
State = dict[bytes, bytes]
Contents = list[dict[bytes, object]]


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def seconds(self) -> float:
        return self.now


def opened_kv(
    path: Path,
    clock: Clock | None = None,
    *,
    max_size: int = 0,
    sync: Literal["always", "everysec", "no"] = "everysec",
) -> LMDBKV:
    settings = LMDBSettings(
        path=str(path), map_size=MB, log_size=1 << 16, max_size=max_size, sync=sync
    )
    kv = LMDBKV(settings, (clock or Clock()).seconds)
    kv.open()
    return kv


def put(kv: LMDBKV, first: int, count: int, size: int = 100) -> State:
    """Put pairs in a transaction; what was put."""
    pairs = {
        b"%08d" % number: b"%d" % number * (size // 4) for number in range(first, first + count)
    }
    kv.begin()
    for key, value in pairs.items():
        kv.put(key, value)
    kv.commit()
    return pairs


def state(kv: LMDBKV) -> State:
    return dict(kv.range(b"", b"\xff", 1 << 30))


class Filled:
    """A backend that is open, with two databases: one for strings, one for hashes."""

    def __init__(self, path: Path, log_size: int = 1 << 16) -> None:
        settings = LMDBSettings(path=str(path), map_size=1 << 20, log_size=log_size)
        self.backend = LMDBBackend(settings)
        self.databases: list[Database] = self.backend.open(2)

    def fill(self, first: int, count: int) -> None:
        """Put strings, and a hash for each hundred of them, which are a unit."""
        strings, hashes = self.databases
        for start in range(first, first + count, 100):
            self.backend.begin()
            for number in range(start, start + 100):
                strings.put(b"%d" % number, b"value %d" % number, NO_EXPIRE)
            value = hashes.create(b"%d" % start, HASH).value
            assert isinstance(value, HashValue)
            for number in range(30):
                value.set(b"%d" % number, b"v" * 50)
            self.backend.commit()

    def contents(self) -> Contents:
        """All keys and values of both databases."""
        found: Contents = []
        for database in self.databases:
            values: dict[bytes, object] = {}
            keys = list(database.keys())
            for key in keys:
                entry = database.find(key)
                assert entry is not None
                value = entry.value
                values[key] = sorted(value.items()) if isinstance(value, HashValue) else value
            found.append(values)
        return found


def contents(path: Path) -> Contents:
    """What a store holds, which is opened and closed."""
    store = Filled(path)
    found = store.contents()
    store.backend.close()
    return found


def names(path: Path) -> set[str]:
    """The files of a folder."""
    return {each.name for each in path.iterdir()}
