"""The kit for ordered stores: ours pass, and what is wrong on purpose is found."""

import itertools
from pathlib import Path
from typing import Literal

import pytest
from hypercache_lmdb import LMDBKV, LMDBSettings

from hypercache.keyspace.kv_backend import KVBackend
from hypercache.keyspace.ordered import OrderedKV
from hypercache.testing import (
    ConformanceError,
    SortedDictKV,
    check_backend,
    check_ordered_kv,
    ordered_checks,
)
from tests.contract.broken_ordered import (
    BROKEN_KV,
    NoEmptyValues,
    RollbackDoesNothing,
    StopIncluded,
)
from tests.support.folders import copy_sparse


def same(kv: OrderedKV) -> SortedDictKV:
    assert isinstance(kv, SortedDictKV)
    return type(kv)(kv.data)


def crashed(kv: OrderedKV) -> SortedDictKV:
    assert isinstance(kv, SortedDictKV)
    return kv.after_crash()


@pytest.mark.parametrize("seed", range(5))
def test_sorted_dict(seed: int) -> None:
    check_ordered_kv(SortedDictKV, reopen=same, crash=crashed, seed=seed)


@pytest.mark.parametrize("policy", ["always", "everysec", "no"])
def test_lmdb(policy: Literal["always", "everysec", "no"], tmp_path: Path) -> None:
    numbers = itertools.count()

    def make() -> LMDBKV:
        return LMDBKV(LMDBSettings(path=str(tmp_path / f"{next(numbers)}"), sync=policy))

    def reopen(kv: OrderedKV) -> OrderedKV:
        assert isinstance(kv, LMDBKV)
        return LMDBKV(kv.settings)

    def crash(kv: OrderedKV) -> OrderedKV:
        assert isinstance(kv, LMDBKV)
        left = make()
        copy_sparse(Path(kv.settings.path), Path(left.settings.path))
        kv.rollback()
        kv.close()  # a thread that collected it as garbage could not give back the writer's lock
        return left

    check_ordered_kv(make, reopen=reopen, crash=crash)


CHECKS = {check.name: check for check in ordered_checks()}


@pytest.mark.parametrize(
    ("name", "broken", "words"), BROKEN_KV, ids=[each[1].__name__ for each in BROKEN_KV]
)
def test_bug_is_found_by_its_rule(name: str, broken: type[SortedDictKV], words: str) -> None:
    with pytest.raises(ConformanceError) as caught:
        CHECKS[name].run(broken, reopen=same, crash=crashed)
    error = caught.value
    assert error.check == name
    assert error.rule == CHECKS[name].rule
    assert words in f"{error.expected} | {error.got}"


def test_every_rule_finds_something() -> None:
    assert {name for name, _, _ in BROKEN_KV} == set(CHECKS)


def test_all_at_once_stops_at_the_first_broken_rule() -> None:
    with pytest.raises(ConformanceError) as caught:
        check_ordered_kv(NoEmptyValues, reopen=same)
    assert caught.value.check == "keys_and_values"


def test_durable_store_needs_reopen() -> None:
    with pytest.raises(ConformanceError, match="a reopen= argument"):
        check_ordered_kv(SortedDictKV)


@pytest.mark.parametrize("broken", [RollbackDoesNothing, StopIncluded, NoEmptyValues])
def test_backend_kit_notices_what_is_wrong_underneath(broken: type[SortedDictKV]) -> None:
    with pytest.raises(ConformanceError):
        check_backend(
            lambda: KVBackend(broken()),
            reopen=lambda old: KVBackend(broken(old.kv.data)),  # type: ignore[attr-defined]
        )
