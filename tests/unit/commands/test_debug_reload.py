"""DEBUG RELOAD: all data through an RDB file and back."""

from pathlib import Path

import pytest

from hypercache.config import Settings
from hypercache.testing.engine import EngineHarness
from hypercache.testing.resp import ReplyError
from tests.unit.commands.conftest import make_backend

CANNOT_LOAD = ReplyError("ERR Error trying to load the RDB dump, check server logs.")


@pytest.fixture
def filled(backend: str, tmp_path: Path) -> EngineHarness:
    """Values of all types in two databases, some with deadlines."""
    harness = EngineHarness(make_backend(backend), settings=Settings(dir=str(tmp_path)))
    harness.engine.protected_commands["DEBUG"] = "yes"
    harness.script(
        """
        SET text hello PX 100000
        RPUSH list a b c
        SADD set 1 2 x
        ZADD zset 1 one 2.5 two
        HSET hash field value
        XADD stream 1-1 field value
        XGROUP CREATE stream group 0
        XREADGROUP GROUP group consumer STREAMS stream >
        PFADD log a b c
        SELECT 9
        SET other 12345
        SELECT 0
        """
    )
    return harness


def test_everything_is_as_before(filled: EngineHarness, tmp_path: Path) -> None:
    digest = filled.command("DEBUG", "DIGEST")
    assert filled.command("DEBUG", "RELOAD") == "OK"
    assert filled.command("DEBUG", "DIGEST") == digest
    assert filled.command("PTTL", "text") == 100000
    assert (tmp_path / "dump.rdb").read_bytes().startswith(b"REDIS0011")
    assert filled.command("DEBUG", "CHECK") == []
    assert filled.command("SET", "text", "more") == "OK"


def test_what_was_not_saved_is_gone(filled: EngineHarness) -> None:
    filled.command("DEBUG", "RELOAD")
    filled.command("SET", "text", "later")
    filled.command("SET", "new", "key")
    assert filled.command("DEBUG", "RELOAD", "NOSAVE") == "OK"
    assert filled.command("GET", "text") == b"hello"
    assert filled.command("EXISTS", "new") == 0


def test_merging_keeps_what_the_file_does_not_have(filled: EngineHarness) -> None:
    filled.command("DEBUG", "RELOAD")
    filled.command("RPUSH", "list", "d")
    filled.command("SET", "new", "key")
    assert filled.command("DEBUG", "RELOAD", "NOSAVE", "NOFLUSH", "MERGE") == "OK"
    assert filled.command("LRANGE", "list", 0, -1) == [b"a", b"b", b"c"]
    assert filled.command("GET", "new") == b"key"


def test_nothing_is_replaced_without_leave(filled: EngineHarness) -> None:
    assert filled.command("DEBUG", "RELOAD", "NOFLUSH") == CANNOT_LOAD
    assert filled.command("DBSIZE") == 7


def test_a_file_that_is_damaged_or_missing(filled: EngineHarness, tmp_path: Path) -> None:
    assert filled.command("DEBUG", "RELOAD", "NOSAVE") == CANNOT_LOAD
    (tmp_path / "dump.rdb").write_bytes(b"REDIS0011\xff")
    assert filled.command("DEBUG", "RELOAD", "NOSAVE") == CANNOT_LOAD
    assert filled.command("SET", "key", "value") == "OK"


def test_a_folder_that_is_not_there(filled: EngineHarness, tmp_path: Path) -> None:
    filled.engine.configuration.settings.dir = str(tmp_path / "none")
    assert filled.command("DEBUG", "RELOAD") == ReplyError("ERR")
    assert filled.command("DBSIZE") == 7


def test_watched_keys_have_changed(filled: EngineHarness) -> None:
    watcher = filled.client()
    watcher.command("WATCH", "text")
    filled.command("DEBUG", "RELOAD")
    watcher.command("MULTI")
    assert watcher.command("EXEC") is None


def test_what_is_refused(filled: EngineHarness) -> None:
    refused = ReplyError("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.")
    assert filled.command("DEBUG", "RELOAD", "NOW") == refused
    filled.command("MULTI")
    filled.command("SET", "text", "kept")
    filled.command("DEBUG", "RELOAD")
    inside = ReplyError("ERR DEBUG RELOAD isn't allowed inside a transaction")
    assert filled.command("EXEC") == ["OK", inside]
    assert filled.command("GET", "text") == b"kept"
