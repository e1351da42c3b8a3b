"""The plugin contract, kept by a plugin that does all of it (tests/support/sample_plugin.py)."""

import json
from pathlib import Path

import attrs
import pytest
import trio

from hypercache.supervision import PluginError, construct
from hypercache.testing.engine import NOTHING, EngineHarness
from hypercache.testing.resp import ReplyError
from tests.support.plugins import supervised
from tests.support.sample_plugin import Ledger, Settings

pytestmark = pytest.mark.trio


async def until_reply(harness: EngineHarness) -> object:
    """The first client's next reply."""
    with trio.fail_after(10):
        while not (replies := harness.first.replies()):
            await trio.sleep(0.002)
    [reply] = replies
    return reply


def lines(folder: Path, file: str = "ledger.jsonl") -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / file).read_text("utf-8").splitlines()]


async def test_everything_at_once(tmp_path: Path) -> None:
    harness = EngineHarness()
    plugin = construct("ledger", Ledger, {"file": "changes"})
    async with supervised(harness, {"ledger": plugin}, str(tmp_path)):
        assert harness.command("SET", "key", "one") is NOTHING
        assert harness.client().command("GET", "key") == b"one"
        assert await until_reply(harness) == "OK"
        assert harness.command("LEDGER.MARK", "key", "two") is NOTHING
        assert await until_reply(harness) == "OK"
        assert harness.command("LEDGER.COUNT") == 2
        assert harness.command("INFO", "ledger") == (
            b"# Ledger\r\nledger_records:2\r\nledger_overwritten:1\r\nledger_pressure:\r\n"
            b"ledger_events:ledger.mark=1,set=1\r\n"
        )
    assert lines(tmp_path, "changes") == [
        {"offset": 1, "effects": [[0, "SET", "key", "one"]]},
        {"offset": 2, "effects": [[0, "SET", "key", "two"]]},
    ]
    assert isinstance(harness.command("LEDGER.COUNT"), ReplyError)
    assert harness.command("INFO", "ledger") == b""


async def test_the_ledger_feels_the_pressure_of_memory(tmp_path: Path) -> None:
    harness = EngineHarness()
    harness.command("CONFIG", "SET", "maxmemory", 1 << 20)
    plugin = construct("ledger", Ledger, {"gate": False})
    async with supervised(harness, {"ledger": plugin}, str(tmp_path)):
        harness.command("SET", "key", "x" * 1_000_000)
        for request in (("PING",), ("DEL", "key")):
            harness.command(*request)
            harness.advance(100)
            harness.tick()
        reply = harness.command("INFO", "ledger")
        assert isinstance(reply, bytes)
        assert b"ledger_pressure:data=panic,data=normal\r\n" in reply


async def test_last_writes_are_kept_when_it_stops(tmp_path: Path) -> None:
    """The end comes while a write is held: it is written, synced, and then answered."""
    harness = EngineHarness()
    plugin = construct("ledger", Ledger, {"delay": 60})
    async with supervised(harness, {"ledger": plugin}, str(tmp_path)):
        assert harness.command("INCR", "n") is NOTHING
        await trio.sleep(0.01)
        assert harness.first.replies() == []
    assert harness.first.replies() == [1]
    assert lines(tmp_path) == [{"offset": 1, "effects": [[0, "INCR", "n"]]}]


async def test_without_gate_nobody_waits(tmp_path: Path) -> None:
    harness = EngineHarness()
    plugin = construct("ledger", Ledger, {"gate": False})
    async with supervised(harness, {"ledger": plugin}, str(tmp_path)):
        assert harness.command("INCR", "n") == 1
    assert len(lines(tmp_path)) == 1


async def test_full_disk_fails_the_plugin_and_no_reply_leaves(tmp_path: Path) -> None:
    (tmp_path / "full").symlink_to("/dev/full")
    harness = EngineHarness()
    plugin = construct("ledger", Ledger, {"file": "full"})
    async with supervised(harness, {"ledger": plugin}, str(tmp_path)) as supervisor:
        assert harness.command("INCR", "n") is NOTHING
        with trio.fail_after(10):
            await supervisor.failed.wait()
    assert "No space left on device" in str(supervisor.failure)
    assert harness.first.replies() == []


async def test_two_servers_in_a_process_do_not_mix(tmp_path: Path) -> None:
    first, second = EngineHarness(), EngineHarness()
    plugins = {name: construct("ledger", Ledger, {"file": name}) for name in ("one", "two")}
    async with (
        supervised(first, {"ledger": plugins["one"]}, str(tmp_path)),
        supervised(second, {"ledger": plugins["two"]}, str(tmp_path)),
    ):
        first.command("INCR", "n")
        assert await until_reply(first) == 1
        assert first.command("LEDGER.COUNT") == 1
        assert second.command("LEDGER.COUNT") == 0


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (
            {"fil": "x"},
            "plugin 'ledger': there is no setting 'fil' (allowed: file, gate, delay).",
        ),
        ({"gate": 1}, "plugin 'ledger': setting 'gate' must be yes or no, is 1."),
        ({"delay": -1.0}, "plugin 'ledger': 'delay' must be >= 0: -1.0."),
    ],
)
async def test_settings_are_validated(settings: dict[str, object], text: str) -> None:
    with pytest.raises(PluginError) as caught:
        construct("ledger", Ledger, settings)
    assert str(caught.value) == text
    assert attrs.fields(Settings).file.default == "ledger.jsonl"
