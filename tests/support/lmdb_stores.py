"""Stores of the LMDB backend to test with: filling them, killing their process, reading them."""

import subprocess
from pathlib import Path

from hypercache_lmdb import LMDBBackend, LMDBSettings

from hypercache.backend import HASH, NO_EXPIRE, Database, HashValue

Contents = list[dict[bytes, object]]


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


def left_behind(path: Path, target: Path) -> None:
    """Copy a store's files as they are now: what a process that is killed leaves behind."""
    subprocess.run(["cp", "-r", "--sparse=always", path, target], check=True)


def names(path: Path) -> set[str]:
    """The files of a folder."""
    return {each.name for each in path.iterdir()}
