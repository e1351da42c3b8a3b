"""What a loader says where the backend fails."""

import pytest

from hypercache.keyspace.kv_backend import KVBackend
from hypercache.persistence.capture import Capture
from hypercache.persistence.errors import LoadError
from hypercache.persistence.loader import Loader
from hypercache.persistence.rdb_writer import RdbEncoder
from hypercache.rdb.content import Content
from hypercache.testing.engine import EngineHarness
from hypercache.values import LIST
from tests.contract.stores import FullKV


def loading(kv: FullKV) -> tuple[EngineHarness, Loader]:
    harness = EngineHarness(KVBackend(kv))
    loader = Loader(harness.engine)
    loader.begin()
    return harness, loader


def test_a_store_that_is_full() -> None:
    kv = FullKV()
    _, loader = loading(kv)
    content = Content(LIST)
    content.items = [b"a", b"b"]
    loader.content(0, b"list", content, -1)
    kv.room = 0
    with pytest.raises(LoadError, match="the kv backend cannot take the data: no room left"):
        loader.string(0, b"key", b"value", -1)
    with pytest.raises(LoadError, match="no room left"):
        loader.content(1, b"list", content, -1)
    with pytest.raises(LoadError, match="no room left"):
        loader.more(0, b"list", content)


def test_a_commit_that_fails_leaves_nothing_half_done() -> None:
    kv = FullKV()
    harness, loader = loading(kv)
    loader.string(0, b"kept", b"value", -1)
    loader.pause()
    loader.string(0, b"lost", b"value", -1)
    kv.commit_fails = True
    with pytest.raises(LoadError, match="no room left"):
        loader.end()
    kv.commit_fails = False
    assert harness.command("GET", "kept") == b"value"
    assert harness.command("GET", "lost") is None


def test_many_changes_are_several_units() -> None:
    harness, loader = loading(FullKV())
    for number in range(10_001):
        loader.string(0, b"%d" % number, b"v", -1)
    harness.engine.backend.rollback()
    assert harness.engine.keyspaces[0].store.size() == 9_999


def test_not_while_all_data_are_captured() -> None:
    harness = EngineHarness()
    capture = Capture(harness.engine, RdbEncoder())
    with pytest.raises(LoadError, match="while a snapshot or rewrite is under way"):
        Loader(harness.engine).begin()
    capture.close()
    Loader(harness.engine).begin()
