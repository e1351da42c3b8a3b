"""Our backends, and two made for the purpose, keep the Backend contract."""

import itertools
import sys
from pathlib import Path

import pytest
from hypercache_lmdb import LMDBKV, LMDBBackend, LMDBSettings
from hypercache_memory import MemoryBackend

from hypercache.backend import Backend, Database
from hypercache.keyspace.kv_backend import KVBackend
from hypercache.keyspace.ordered import OrderedKV
from hypercache.testing import (
    Check,
    FaultPlan,
    FaultyKV,
    SortedDictKV,
    backend_checks,
    check_backend,
)
from tests.contract.tiny import TinyBackend
from tests.support.folders import copy_sparse


class WithoutUnits(KVBackend):
    """A `KVBackend` that is used outside units: every operation is a transaction."""

    def __init__(self, kv: OrderedKV) -> None:
        super().__init__(kv, "kv without units")
        self.wants_units = False


class Subject:
    """A backend to check: how to make one in an empty folder, and another over its store."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.numbers = itertools.count()

    def make(self) -> Backend:
        """A new one."""
        raise NotImplementedError

    def reopen(self, backend: Backend) -> Backend:
        """Another one over the store of a closed one."""
        raise AssertionError(f"{backend.name} is not durable")

    def crash(self, backend: Backend) -> Backend:
        """Another one over the store of one that was not closed."""
        return self.reopen(backend)

    def faulty(self, plan: FaultPlan) -> Backend | None:
        """A new one whose store follows a plan; None if there is no such store."""
        return None

    def run(self, check: Check, examples: int) -> None:
        """Try a rule."""

        def faulty(plan: FaultPlan) -> Backend:
            backend = self.faulty(plan)
            assert backend is not None
            return backend

        check.run(
            self.make,
            reopen=self.reopen,
            crash=self.crash,
            faulty=None if self.faulty(FaultPlan()) is None else faulty,
            examples=examples,
        )


class Memory(Subject):
    def make(self) -> Backend:
        return MemoryBackend()


class Filtered(KVBackend):
    """A `KVBackend` that is spared lookups from the beginning, as a server has it."""

    def open(self, databases: int) -> list[Database]:
        opened = super().open(databases)
        for database in opened:
            database.filter_lookups(0.01)
        return opened


class Sorted(Subject):
    """`KVBackend` over sorted dicts."""

    def backend(self, kv: OrderedKV) -> KVBackend:
        if self.name == "kv-without-units":
            return WithoutUnits(kv)
        return KVBackend(kv) if self.name == "kv-short-keys" else Filtered(kv)

    def make(self) -> Backend:
        return self.backend(self.store())

    def store(self) -> SortedDictKV:
        """A new store."""
        return SortedDictKV(max_key_size=64 if self.name == "kv-short-keys" else 511)

    def reopen(self, backend: Backend) -> Backend:
        assert isinstance(backend, KVBackend)
        assert isinstance(backend.kv, SortedDictKV)
        data, longest = backend.kv.data, backend.kv.max_key_size
        return self.backend(SortedDictKV(data, max_key_size=longest))

    def crash(self, backend: Backend) -> Backend:
        assert isinstance(backend, KVBackend)
        assert isinstance(backend.kv, SortedDictKV)
        return self.backend(backend.kv.after_crash())

    def faulty(self, plan: FaultPlan) -> Backend:
        return self.backend(FaultyKV(self.store(), plan))


class LMDB(Subject):
    def store(self, path: Path | None = None) -> LMDBKV:
        """A store in a folder, a new one if not given."""
        path = path or self.folder / f"{next(self.numbers)}"
        return LMDBKV(LMDBSettings(path=str(path)))

    def make(self) -> Backend:
        return LMDBBackend(self.store().settings)

    def reopen(self, backend: Backend) -> Backend:
        assert isinstance(backend, LMDBBackend)
        assert isinstance(backend.kv, LMDBKV)
        return LMDBBackend(backend.kv.settings)

    def crash(self, backend: Backend) -> Backend:
        assert isinstance(backend, LMDBBackend)
        assert isinstance(backend.kv, LMDBKV)
        # A copy: only the end of this process would unlock the folder. What is left is closed:
        # a thread that collected it as garbage could not give back the writer's lock.
        left = self.store().settings
        copy_sparse(Path(backend.kv.settings.path), Path(left.path))
        backend.rollback()
        backend.close()
        return LMDBBackend(left)

    def faulty(self, plan: FaultPlan) -> Backend:
        return KVBackend(FaultyKV(self.store(), plan), "lmdb")


class Tiny(Subject):
    def make(self) -> Backend:
        return TinyBackend()

    def reopen(self, backend: Backend) -> Backend:
        assert isinstance(backend, TinyBackend)
        return TinyBackend(backend.disk)

    def faulty(self, plan: FaultPlan) -> Backend:
        return TinyBackend(plan=plan)


SUBJECTS: dict[str, type[Subject]] = {
    "memory": Memory,
    "kv": Sorted,
    "kv-short-keys": Sorted,
    "kv-without-units": Sorted,
    "lmdb": LMDB,
    "tiny": Tiny,
}


@pytest.mark.parametrize("check", backend_checks(), ids=lambda check: check.name)
@pytest.mark.parametrize("name", SUBJECTS)
def test_contract(name: str, check: Check, tmp_path: Path) -> None:
    SUBJECTS[name](name, tmp_path).run(check, examples=10 if name == "lmdb" else 50)


def test_all_at_once_with_another_seed() -> None:
    check_backend(MemoryBackend, seed=1, examples=50)


def test_the_kit_needs_no_pytest() -> None:
    kit = [name for name in sys.modules if name.startswith("hypercache.testing.checks")]
    assert kit
    for name in kit:
        assert not hasattr(sys.modules[name], "pytest")


def test_every_rule_is_a_sentence_of_its_own() -> None:
    rules = [check.rule for check in backend_checks()]
    assert len(set(rules)) == len(rules)
    assert all(rule.endswith(".") and len(rule) > 40 for rule in rules)
    names = [check.name for check in backend_checks()]
    assert len(set(names)) == len(names)
