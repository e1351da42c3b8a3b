"""The plugin in an engine without sockets, whose settings come as a server would give them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from hypercache_tally import Tally

from hypercache.supervision import PluginError, Supervisor, construct
from hypercache.testing.engine import EngineHarness
from hypercache.testing.resp import ReplyError

pytestmark = pytest.mark.trio


@asynccontextmanager
async def tally(**settings: object) -> AsyncIterator[EngineHarness]:
    """An engine in which the plugin has started; it is stopped with the block."""
    harness = EngineHarness()
    plugin = construct("tally", Tally, settings)
    supervisor = Supervisor(harness.engine, {"tally": plugin}, ".")
    async with trio.open_nursery() as nursery:
        try:
            await supervisor.start(nursery)
            yield harness
        finally:
            await supervisor.stop()
        nursery.cancel_scope.cancel()


async def test_changes_are_counted_by_group() -> None:
    async with tally() as harness:
        harness.command("SET", "user:1", "Ada")
        harness.command("MSET", "user:2", "Grace", "page:1", "text", "plain", "text")
        harness.command("GET", "user:1")
        harness.command("DEL", "user:1", "user:3")
        assert harness.command("TALLY.TOP") == [b"user", 3, b"page", 1, b"(others)", 1]
        assert harness.command("TALLY.TOP", 1) == [b"user", 3]
        assert harness.command("INFO", "tally") == (
            b"# Tally\r\ntally_changes:5\r\ntally_groups:3\r\n"
        )
        assert harness.command("TALLY.RESET") == "OK"
        assert harness.command("TALLY.TOP") == []


async def test_clearing_a_database_is_no_change_of_a_key() -> None:
    async with tally() as harness:
        harness.command("FLUSHALL")
        assert harness.command("TALLY.TOP") == []


@pytest.mark.parametrize("count", ["-1", "x", "1.5", "", "9" * 10])
async def test_wrong_count(count: str) -> None:
    async with tally() as harness:
        error = ReplyError("ERR value is out of range, must be positive")
        assert harness.command("TALLY.TOP", count) == error


async def test_memory_is_bounded_by_the_settings() -> None:
    async with tally(groups=2, separator="::") as harness:
        for number in range(5):
            harness.command("SET", f"group {number}::key", "value")
        assert harness.command("TALLY.TOP") == [b"(others)", 3, b"group 0", 1, b"group 1", 1]
        harness.command("SET", "x" * 1_000_000 + "::key", "value")
        assert harness.command("INFO", "tally").endswith(b"tally_groups:3\r\n")


async def test_wrong_settings() -> None:
    with pytest.raises(PluginError, match="plugin 'tally': 'groups' must be >= 1: 0"):
        construct("tally", Tally, {"groups": 0})
