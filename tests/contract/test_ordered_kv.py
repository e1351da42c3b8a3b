"""The kit for ordered stores: ours pass, and what is wrong on purpose is found."""

import itertools
from pathlib import Path

import pytest

from hypercache.keyspace.kv_backend import KVBackend
from hypercache.keyspace.ordered import OrderedKV
from hypercache.testing import (
    ConformanceError,
    SortedDictKV,
    check_backend,
    check_ordered_kv,
)
from tests.contract.sqlite_kv import SQLiteKV


def same(kv: OrderedKV) -> SortedDictKV:
    assert isinstance(kv, SortedDictKV)
    return type(kv)(kv.data)


@pytest.mark.parametrize("seed", range(5))
def test_sorted_dict(seed: int) -> None:
    check_ordered_kv(SortedDictKV, reopen=same, seed=seed)


def test_sqlite(tmp_path: Path) -> None:
    numbers = itertools.count()

    def reopen(kv: OrderedKV) -> OrderedKV:
        assert isinstance(kv, SQLiteKV)
        return SQLiteKV(kv.path)

    check_ordered_kv(lambda: SQLiteKV(tmp_path / f"{next(numbers)}.db"), reopen=reopen)


class ShortKeys(SortedDictKV):
    def __init__(self) -> None:
        super().__init__(max_key_size=63)


class CutsValues(SortedDictKV):
    def put(self, key: bytes, value: bytes) -> None:
        super().put(key, value[:65_535])


class NoEmptyValues(SortedDictKV):
    def get(self, key: bytes) -> bytes | None:
        return super().get(key) or None


class ReadsCommittedOnly(SortedDictKV):
    def get(self, key: bytes) -> bytes | None:
        for changed, value in self._undo or []:
            if changed == key:
                return value
        return super().get(key)


class DeleteSaysYes(SortedDictKV):
    def delete(self, key: bytes) -> bool:
        super().delete(key)
        return True


class StopIncluded(SortedDictKV):
    def range(
        self, start: bytes, stop: bytes, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        return super().range(start, stop + b"\x00", limit, reverse)


class LimitBeforeReverse(SortedDictKV):
    def range(
        self, start: bytes, stop: bytes, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        pairs = super().range(start, stop, limit)
        return pairs[::-1] if reverse else pairs


class LimitIgnored(SortedDictKV):
    def delete_range(self, start: bytes, stop: bytes, limit: int) -> int:
        return super().delete_range(start, stop, 1_000_000)


class SignedOrder(SortedDictKV):
    def range(
        self, start: bytes, stop: bytes, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        pairs = super().range(start, stop, 1_000_000, reverse)
        pairs.sort(key=lambda pair: [(byte + 128) % 256 for byte in pair[0]], reverse=reverse)
        return pairs[:limit]


class RollbackForgetsDeletions(SortedDictKV):
    def rollback(self) -> None:
        self._undo = [(k, old) for k, old in self._undo or [] if k in self.data]
        super().rollback()


class RollbackDoesNothing(SortedDictKV):
    def rollback(self) -> None:
        self.commit()


class LosesTheData(SortedDictKV):
    def close(self) -> None:
        self.data.clear()


BROKEN = (
    ("traits", ShortKeys),
    ("keys_and_values", CutsValues),
    ("keys_and_values", NoEmptyValues),
    ("keys_and_values", ReadsCommittedOnly),
    ("keys_and_values", DeleteSaysYes),
    ("order", StopIncluded),
    ("order", LimitBeforeReverse),
    ("order", LimitIgnored),
    ("order", SignedOrder),
    ("transactions", RollbackForgetsDeletions),
    ("transactions", RollbackDoesNothing),
    ("durability", LosesTheData),
)


@pytest.mark.parametrize(("name", "broken"), BROKEN, ids=[broken.__name__ for _, broken in BROKEN])
def test_bug_is_found_by_its_rule(name: str, broken: type[SortedDictKV]) -> None:
    with pytest.raises(ConformanceError) as caught:
        check_ordered_kv(broken, reopen=same)
    found = {"order", "transactions"} if broken is RollbackDoesNothing else {name}
    assert caught.value.check in found


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
