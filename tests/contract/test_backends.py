"""Our backends, and two made for the purpose, keep the Backend contract."""

import itertools
import sys
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from hypercache_memory import MemoryBackend

from hypercache.backend import Backend
from hypercache.keyspace.kv_backend import KVBackend
from hypercache.testing import Check, SortedDictKV, backend_checks, check_backend
from tests.contract.sqlite_kv import SQLiteKV
from tests.contract.tiny import TinyBackend


class WithoutUnits(KVBackend):
    """A `KVBackend` that is used outside units: every operation is a transaction."""

    def __init__(self, kv: SortedDictKV) -> None:
        super().__init__(kv, "kv without units")
        self.wants_units = False


@attrs.frozen
class Subject:
    """A backend to check: how to make one in an empty folder, and how to open it again."""

    name: str
    make: Callable[[Path], Backend]
    reopen: Callable[[Backend], Backend]


def same(backend: Backend) -> SortedDictKV:
    """A store over the data of a closed backend's."""
    assert isinstance(backend, KVBackend)
    assert isinstance(backend.kv, SortedDictKV)
    return SortedDictKV(backend.kv.data, max_key_size=backend.kv.max_key_size)


def same_file(backend: Backend) -> SQLiteKV:
    """A store over the file of a closed backend's."""
    assert isinstance(backend, KVBackend)
    assert isinstance(backend.kv, SQLiteKV)
    return SQLiteKV(backend.kv.path)


def same_disk(backend: Backend) -> TinyBackend:
    """A backend over what a closed one committed."""
    assert isinstance(backend, TinyBackend)
    return TinyBackend(backend.disk)


def never(backend: Backend) -> Backend:
    """Not called: the backend is not durable."""
    raise AssertionError(f"{backend.name} is not durable")


numbers = itertools.count()

SUBJECTS = (
    Subject("memory", lambda _: MemoryBackend(), never),
    Subject("kv", lambda _: KVBackend(SortedDictKV()), lambda old: KVBackend(same(old))),
    Subject(
        "kv-short-keys",
        lambda _: KVBackend(SortedDictKV(max_key_size=64)),
        lambda old: KVBackend(same(old)),
    ),
    Subject(
        "kv-without-units",
        lambda _: WithoutUnits(SortedDictKV()),
        lambda old: WithoutUnits(same(old)),
    ),
    Subject(
        "sqlite",
        lambda folder: KVBackend(SQLiteKV(folder / f"{next(numbers)}.db"), "sqlite"),
        lambda old: KVBackend(same_file(old), "sqlite"),
    ),
    Subject("tiny", lambda _: TinyBackend(), same_disk),
)


@pytest.mark.parametrize("check", backend_checks(), ids=lambda check: check.name)
@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_contract(subject: Subject, check: Check, tmp_path: Path) -> None:
    examples = 10 if subject.name == "sqlite" else 50
    check.run(lambda: subject.make(tmp_path), reopen=subject.reopen, examples=examples)


def test_all_at_once_with_another_seed() -> None:
    check_backend(MemoryBackend, seed=1, examples=100)


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
