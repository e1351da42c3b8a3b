"""Filters before a store: what they spare it, and where they belong."""

import pytest

from hypercache.backend import NO_EXPIRE, Database
from hypercache.keyspace.kv_backend import KVBackend
from hypercache.testing import SortedDictKV
from hypercache.testing.engine import EngineHarness


class CountingKV(SortedDictKV):
    """Counts the lookups of records."""

    gets = 0

    def get(self, key: bytes) -> bytes | None:
        self.gets += key.startswith(b"k")
        return super().get(key)


def opened(kv: SortedDictKV) -> tuple[KVBackend, list[Database]]:
    """A backend in a unit, with a filter before its first database."""
    backend = KVBackend(kv)
    databases = backend.open(2)
    databases[0].filter_lookups(0.01)
    backend.begin()
    return backend, databases


def lookups(kv: CountingKV, database: Database, count: int = 1000) -> int:
    """How many lookups of absent keys reach the store."""
    before = kv.gets
    for number in range(count):
        assert database.find(b"absent %d" % number) is None
        assert not database.unlink(b"absent %d" % number)
    return kv.gets - before


def fill(database: Database, count: int = 1000) -> None:
    for number in range(count):
        database.put(b"key %d" % number, b"value", NO_EXPIRE)


def test_absent_keys_cost_no_lookup_and_mistakes_are_counted() -> None:
    kv = CountingKV()
    backend, databases = opened(kv)
    fill(databases[0])
    let_through = lookups(kv, databases[0])
    assert let_through < 40
    numbers = databases[0].filter_statistics()
    assert numbers["lookup_filter_keys"] == 1000
    assert numbers["lookup_filter_spared"] == 2000 - let_through
    assert numbers["lookup_filter_false_positives"] == let_through
    assert backend.statistics()["lookup_filter_keys"] == 1000
    databases[0].filter_lookups(0.0)
    assert lookups(kv, databases[0]) == 2000
    assert databases[0].filter_statistics() == {}
    fill(databases[1])
    assert lookups(kv, databases[1]) == 2000


def test_filters_are_built_again_when_a_store_is_opened() -> None:
    kv = CountingKV()
    backend, databases = opened(kv)
    fill(databases[0])
    backend.commit()
    kv = CountingKV(kv.data)
    backend, databases = opened(kv)
    assert lookups(kv, databases[0]) == 2000
    while backend.reclaim(100):
        pass
    assert lookups(kv, databases[0]) < 40
    assert databases[0].check() == []


def test_filters_stay_with_databases_that_have_them_when_keys_are_swapped() -> None:
    kv = CountingKV()
    backend, databases = opened(kv)
    fill(databases[0])
    databases[0].swap(databases[1])
    assert lookups(kv, databases[1]) == 2000
    assert lookups(kv, databases[0]) == 0
    backend.rollback()
    backend.begin()
    assert databases[0].size() == 0
    fill(databases[0])
    backend.commit()
    backend.begin()
    databases[0].clear()
    assert lookups(kv, databases[0]) == 0
    backend.rollback()
    backend.begin()
    assert databases[0].find(b"key 1") is not None
    assert databases[0].check() == []


@pytest.mark.parametrize("rule", ["default", "yes", "no"])
def test_stores_say_whether_they_have_one(rule: str) -> None:
    harness = EngineHarness(KVBackend(SortedDictKV()))
    harness.command("STORES", "CREATE", "this", "lookup-filter", rule)
    harness.command("SELECT", "this")
    harness.command("SET", "key", "value")
    information = harness.client(3).command("STORES", "INFO", "this")
    assert isinstance(information, dict)
    assert information[b"lookup_filter"] == rule.encode()
    assert information.get(b"lookup_filter_keys") == (None if rule == "no" else 1)
    harness.engine.stores.filters.set_rate(0.0)
    information = harness.client(3).command("STORES", "INFO", "this")
    assert isinstance(information, dict)
    assert information.get(b"lookup_filter_keys") == (1 if rule == "yes" else None)


def test_the_memory_backend_has_none() -> None:
    harness = EngineHarness()
    reply = harness.command("STORES", "CREATE", "this", "lookup-filter", "yes")
    assert "ERR the backend 'memory' has no lookup filters" in str(reply)
    assert harness.command("STORES", "LIST") == []


def test_filter_does_not_wait_where_nobody_keeps_it_up_to_date() -> None:
    """Databases are swapped with one that has no filter, and back."""
    _, databases = opened(CountingKV())
    databases[0].put(b"old", b"value", NO_EXPIRE)
    databases[0].swap(databases[1])
    databases[1].put(b"new", b"value", NO_EXPIRE)
    databases[0].swap(databases[1])
    for key in (b"old", b"new"):
        assert databases[0].find(key) is not None


def test_filter_of_a_database_that_was_empty_in_a_unit_that_is_undone() -> None:
    backend, databases = opened(CountingKV())
    databases[1].put(b"key", b"value", NO_EXPIRE)
    backend.commit()
    backend.begin()
    databases[1].unlink(b"key")
    databases[1].filter_lookups(0.01)
    backend.rollback()
    backend.begin()
    assert databases[1].find(b"key") is not None
