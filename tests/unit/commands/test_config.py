"""CONFIG: reading, changing, writing back, and resetting the statistics."""

from pathlib import Path

import pytest

from hypercache.config import ConfigError, load
from hypercache.engine.guards import LOADING_BIT
from hypercache.testing.engine import EngineHarness
from hypercache.testing.resp import ReplyError

WRONG_GET = ReplyError("ERR wrong number of arguments for 'config|get' command")


def test_get_by_names_and_patterns() -> None:
    harness = EngineHarness()
    reply = harness.command("CONFIG", "GET", "maxmemory", "MAXMEMORY-pol*", "nosuch")
    assert reply == [b"maxmemory", b"0", b"maxmemory-policy", b"noeviction"]
    assert harness.client(3).command("config", "get", "databases") == {b"databases": b"16"}
    assert harness.command("CONFIG", "GET") == WRONG_GET
    everything = harness.command("CONFIG", "GET", "*")
    assert isinstance(everything, list)
    assert len(everything) > 200


def test_set_changes_all_or_nothing() -> None:
    harness = EngineHarness()
    assert harness.command("CONFIG", "SET", "hz", 20, "timeout", 5) == "OK"
    assert harness.command("CONFIG", "GET", "hz", "timeout") == [b"hz", b"20", b"timeout", b"5"]
    refused = harness.command("CONFIG", "SET", "hz", 30, "timeout", "soon")
    assert refused == ReplyError(
        "ERR CONFIG SET failed (possibly related to argument 'timeout') - "
        "argument couldn't be parsed into an integer"
    )
    assert harness.command("CONFIG", "GET", "hz") == [b"hz", b"20"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["hz"], "ERR wrong number of arguments for 'config|set' command"),
        (["hz", "10", "timeout"], "ERR syntax error"),
        (
            ["nosuch", "1"],
            "ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'",
        ),
        (
            ["databases", "4"],
            "ERR CONFIG SET failed (possibly related to argument 'databases') - "
            "can't set immutable config",
        ),
    ],
)
def test_set_refuses(words: list[str], expected: str) -> None:
    assert EngineHarness().command("CONFIG", "SET", *words) == ReplyError(expected)


def test_set_knows_who_is_local() -> None:
    harness = EngineHarness()
    harness.engine.configuration.settings.enable_protected_configs = "local"
    refused = ReplyError(
        "ERR CONFIG SET failed (possibly related to argument 'dir') - can't set protected config"
    )
    harness.first.session.is_local = False
    assert harness.command("CONFIG", "SET", "dir", "/") == refused
    harness.first.session.is_local = True
    assert harness.command("CONFIG", "SET", "dir", str(Path.cwd())) == "OK"


def test_some_settings_stay_while_data_are_loaded() -> None:
    harness = EngineHarness()
    harness.engine.armed |= LOADING_BIT
    refused = harness.command("CONFIG", "SET", "appendonly", "yes")
    assert refused == ReplyError("LOADING Redis is loading the dataset in memory")
    assert harness.command("CONFIG", "SET", "hz", 20) == "OK"


def test_set_undoes_what_a_subscriber_refuses() -> None:
    harness = EngineHarness()

    def refuse(old: int, new: int) -> None:
        if new == 6380:
            raise ConfigError("Unable to listen on this port")

    harness.engine.configuration.subscribe("port", refuse)
    assert harness.command("CONFIG", "SET", "port", 6380) == ReplyError(
        "ERR CONFIG SET failed (possibly related to argument 'port') - "
        "Unable to listen on this port"
    )
    assert harness.command("CONFIG", "GET", "port") == [b"port", b"6379"]


def test_values_are_bytes() -> None:
    harness = EngineHarness()
    assert harness.command("CONFIG", "SET", "requirepass", b"p\xff") == "OK"
    assert harness.command("CONFIG", "GET", "requirepass") == [b"requirepass", b"p\xff"]


def test_rewrite_writes_the_file_or_says_that_there_is_none(tmp_path: Path) -> None:
    harness = EngineHarness()
    without = ReplyError("ERR The server is running without a config file")
    assert harness.command("CONFIG", "REWRITE") == without
    file = tmp_path / "redis.conf"
    file.write_text("# mine\nhz 20\n")
    harness.engine.configuration = load([str(file)])
    harness.command("CONFIG", "SET", "hz", 30)
    assert harness.command("CONFIG", "REWRITE") == "OK"
    assert file.read_text().splitlines()[:2] == ["# mine", "hz 30"]


def test_resetstat_begins_counting_anew() -> None:
    harness = EngineHarness()
    harness.command("GET", "key")
    harness.command("NOSUCH")
    harness.command("SET", "key")
    engine = harness.engine
    assert engine.counters.commands == 1
    assert engine.counters.errors == {"ERR": 2}
    assert harness.command("CONFIG", "RESETSTAT") == "OK"
    counters = (
        engine.counters.error_replies,
        engine.counters.connections,
        engine.counters.bytes_in,
        engine.changes.misses,
    )
    assert counters == (0, 0, 0, 0)
    assert engine.counters.errors == {}
    found = {each.name for each in engine.registry.every() if each.calls or each.rejected_calls}
    assert found == {b"config|resetstat"}, "which itself ran after the reset"
