"""The LMDB backend beside the memory backend: reopened, killed, rolled back, checkpointed amid all.

``pytest -m soak`` plays until HYPERCACHE_SOAK_SECONDS (600) are over, from the seed
HYPERCACHE_SOAK_SEED or one of its own.
"""

import os
import random
import time
from pathlib import Path
from typing import Final, cast

import pytest
from hypercache_lmdb import LMDBKV, LMDBBackend, LMDBSettings
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from hypercache.backend import NO_EXPIRE, Database, Snapshot
from hypercache.keyspace.kv_backend import KVBackend
from tests.contract.beside_memory import DATABASES, BesideMemory, databases, seen
from tests.support.folders import copy_sparse, quick_folder
from tests.support.once import share_of

SOAK_SECONDS: Final = int(os.environ.get("HYPERCACHE_SOAK_SECONDS", "600"))
SOAK_SEED: Final = os.environ.get("HYPERCACHE_SOAK_SEED", "")
#: How many values at once, and their bytes: what fills the log, and what the map.
FILLINGS: Final = ((60, 2_000), (10, 60_000), (3, 200_000))


def settings_in(folder: Path) -> LMDBSettings:
    """The smallest sizes, so that checkpoints and enlargements come soon."""
    return LMDBSettings(path=str(folder), log_size=64 << 10, map_size=1 << 20)


def picture(databases: list[Database]) -> list[dict[bytes, object]]:
    """All that databases hold."""
    return [{key: seen(each.find(key)) for key in list(each.keys())} for each in databases]


class OnDisk(BesideMemory):
    def fresh(self) -> KVBackend:
        self.temporary = quick_folder()
        self.folder = Path(self.temporary.name) / "0"
        self.crashes = 0
        self.snapshot: tuple[Snapshot, list[dict[bytes, object]]] | None = None
        return LMDBBackend(settings_in(self.folder))

    def again(self) -> KVBackend:
        self.snapshot = None  # closed with the backend
        return LMDBBackend(settings_in(self.folder))

    @rule()
    def maintain(self) -> None:
        self.kv.maintain()

    @rule()
    def sync(self) -> None:
        self.kv.sync()

    @rule(index=databases, filling=st.sampled_from(FILLINGS))
    def fill(self, index: int, filling: tuple[int, int]) -> None:
        count, size = filling

        def operation(dbs: list[Database]) -> None:
            for number in range(count):
                dbs[index].put(b"filling %d" % number, b"%d" % number * size, NO_EXPIRE)

        self.both(operation)

    @rule()
    def crash(self) -> None:
        """Go on with what a process that is killed here would leave."""
        old, self.folder = self.folder, self.folder.with_name(f"{self.crashes + 1}")
        self.crashes += 1
        copy_sparse(old, self.folder)
        if self.unit is not None:
            self.kv.rollback()
            self.unit = None
        self.kv.close()
        self.kv = self.again()
        self.kv_databases = self.kv.open(DATABASES)
        self.consistent()

    @precondition(lambda self: self.unit is None and self.snapshot is None)
    @rule()
    def take_snapshot(self) -> None:
        self.snapshot = self.kv.snapshot(), picture(self.memory_databases)

    @precondition(lambda self: self.snapshot is not None)
    @rule()
    def look_at_snapshot(self) -> None:
        snapshot, then = cast(tuple[Snapshot, list[dict[bytes, object]]], self.snapshot)
        self.snapshot = None
        assert picture(snapshot.databases) == then
        snapshot.close()

    def teardown(self) -> None:
        super().teardown()
        if self.unit is not None:
            self.rollback()
        self.crash()
        self.same()
        self.kv.close()
        self.temporary.cleanup()


TestOnDisk = OnDisk.TestCase
TestOnDisk.settings = settings(
    max_examples=share_of(18), stateful_step_count=40, deadline=None, derandomize=True
)


def test_map_is_enlarged_while_in_use(tmp_path: Path) -> None:
    """Also where the process is killed just then, and where the log goes beyond the old map."""
    backend = LMDBBackend(settings_in(tmp_path / "0"))
    (database, *_) = backend.open(DATABASES)
    smallest = backend.statistics()["lmdb_map_bytes"]
    value = b"v" * 1_000_000
    for number in range(40):
        backend.begin()
        database.put(b"key %d" % number, value, NO_EXPIRE)
        backend.commit()
        if number % 7 == 0:
            backend.maintain()
    assert backend.statistics()["lmdb_map_bytes"] > smallest
    copy_sparse(tmp_path / "0", tmp_path / "1")
    backend.close()
    killed = LMDBBackend(settings_in(tmp_path / "1"))
    (database, *_) = killed.open(DATABASES)
    assert cast(LMDBKV, killed.kv).recovery.operations > 0
    assert database.size() == 40
    assert database.check() == []
    killed.close()


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_soak() -> None:
    start = int(SOAK_SEED or random.SystemRandom().randrange(10**9))
    print(f"\nHYPERCACHE_SOAK_SEED={start}, {SOAK_SECONDS} seconds", flush=True)
    bounds = settings(
        max_examples=100,
        stateful_step_count=200,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    deadline = time.monotonic() + SOAK_SECONDS
    round_ = 0
    while time.monotonic() < deadline:
        run_state_machine_as_test(seed(start + round_)(OnDisk), settings=bounds)
        round_ += 1
        print(f"{100 * round_} machines", flush=True)
