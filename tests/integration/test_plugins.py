"""Plugins in a real server process, found through the entry point of an installed distribution."""

import json
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from hypercache.testing.server import ServerProcess
from tests.support import sample_plugin
from tests.support.process import wait_until
from tests.support.resp import ReplyError, connect, info

# Plugins that go wrong in ways that only a process shows.
TROUBLE = """
import trio
from hypercache.plugin import Plugin


class Crashing(Plugin):
    critical = True

    async def run(self, host, task_status):
        task_status.started()
        await trio.sleep(0.3)
        raise OSError("the disk has gone")


class Unready(Plugin):
    async def run(self, host, task_status):
        raise OSError("no such device")


class Loading(Plugin):
    async def run(self, host, task_status):
        await trio.sleep(3600)


class Patient(Plugin):
    async def run(self, host, task_status):
        task_status.started()
        with trio.CancelScope(shield=True):
            await trio.sleep_forever()


class Stuck(Plugin):
    stop_deadline = 0.2

    async def run(self, host, task_status):
        task_status.started()
        with trio.CancelScope(shield=True):
            await trio.sleep_forever()
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on PYTHONPATH, as pip would leave it, with the sample and with trouble."""
    folder = tmp_path / "site"
    info = folder / "hypercache_samples-1.0.dist-info"
    info.mkdir(parents=True)
    info.joinpath("METADATA").write_text(
        "Metadata-Version: 2.1\nName: hypercache-samples\nVersion: 1.0\n"
    )
    info.joinpath("entry_points.txt").write_text(
        "[hypercache.plugins]\nledger = sample_plugin:Ledger\n"
        "crashing = trouble:Crashing\nunready = trouble:Unready\n"
        "loading = trouble:Loading\nstuck = trouble:Stuck\n"
        "patient = trouble:Patient\n"
    )
    shutil.copy(str(sample_plugin.__file__), folder / "sample_plugin.py")
    (folder / "trouble.py").write_text(TROUBLE)
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=":")
    return folder


Server = Callable[..., ServerProcess]


@pytest.fixture
def server_of(installed: Path) -> Iterator[Server]:
    """Makes a server process with plugins, not yet started; it ends with the test."""
    with ExitStack() as stack:

        def make(plugins: str = "", **options: Any) -> ServerProcess:
            settings = {"plugins": plugins} if plugins else {}
            server = ServerProcess(settings=settings, **options)
            stack.callback(lambda: print(server.output))
            stack.callback(server.kill)
            return server

        yield make


def events(server: ServerProcess, *names: str) -> list[dict[str, object]]:
    """The events of these names in the server's log."""
    lines = [json.loads(line) for line in server.output.splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] in names]


def starts(server: ServerProcess, names: Sequence[str]) -> list[str]:
    """The order of these events in the server's log."""
    return [str(event["event"]) for event in events(server, *names)]


def test_everything_at_once(server_of: Server, tmp_path: Path) -> None:
    config = tmp_path / "server.yaml"
    config.write_text("plugins:\n  ledger:\n    file: changes\n")
    folder = tmp_path / "data"
    folder.mkdir()
    server = server_of(config=config, directory=folder).start()
    with connect(server) as client:
        assert client.call("SET", "key", "one") == "OK"
        assert client.call("LEDGER.MARK", "key", "two") == "OK"
        assert client.call("LEDGER.COUNT") == 2
        assert info(client, "ledger")["ledger_overwritten"] == "1"
        assert client.pipeline(("INCR", "n"), ("PING",), ("INCR", "n")) == [1, "PONG", 2]
        reply = client.call("COMMAND", "INFO", "LEDGER.COUNT")
        assert isinstance(reply, list)
        assert "module" in reply[0][2]
    assert server.stop() == 0
    lines = [json.loads(line) for line in (folder / "changes").read_text().splitlines()]
    assert [line["offset"] for line in lines] == [1, 2, 3, 4]
    [open_event] = events(server, "ledger_open")
    assert open_event["component"] == "plugin.ledger"
    order = ("plugin_started", "ready", "stopping", "plugin_stopped", "stopped")
    assert starts(server, order) == list(order)


def test_write_that_is_held_when_the_server_stops(server_of: Server, tmp_path: Path) -> None:
    """SIGTERM while the reply waits: nothing more is served, the reply comes, then the end."""
    folder = tmp_path / "data"
    folder.mkdir()
    server = server_of("ledger ledger.delay=60", directory=folder).start()
    with connect(server) as client:
        client.send(b"*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n")
        wait_until(lambda: bool((folder / "ledger.jsonl").exists()), "the file is open")
        with connect(server) as other:
            wait_until(lambda: other.call("GET", "n") == b"1", "the write is done")
        server.send_signal(signal.SIGTERM)
        assert client.read_to_end() == b":1\r\n"
    assert server.wait_ended() == 0
    assert len((folder / "ledger.jsonl").read_text().splitlines()) == 1


def test_bad_settings_stop_the_start_in_one_line(server_of: Server) -> None:
    server = server_of("ledger ledger.delay=soon")
    server.launch()
    assert server.wait_ended() == 1
    [event] = events(server, "start_failed")
    assert event["error"] == "plugin 'ledger': setting 'delay' must be a number, is 'soon'."
    assert "Traceback" not in server.output


def test_unknown_plugin_stops_the_start(server_of: Server) -> None:
    server = server_of("leger")
    server.launch()
    assert server.wait_ended() == 1
    [event] = events(server, "start_failed")
    assert str(event["error"]).startswith("plugin 'leger' is not installed (installed: ")


def test_plugin_that_cannot_start_stops_the_start_in_one_line(server_of: Server) -> None:
    server = server_of("ledger unready")
    server.launch()
    assert server.wait_ended() == 1
    [event] = events(server, "start_failed")
    assert event["error"] == "plugin 'unready' cannot start: OSError: no such device."
    assert "Traceback" not in server.output
    assert [each["plugin"] for each in events(server, "plugin_stopped")] == ["ledger"]


def test_critical_plugin_ends_the_server(server_of: Server) -> None:
    server = server_of("ledger crashing").start()
    with connect(server) as client:
        assert client.read_to_end() == b""
    assert server.wait_ended() == 1
    [event] = events(server, "server_failed")
    assert event["error"] == (
        "plugin 'crashing', which is critical, has failed: OSError: the disk has gone."
    )
    [failure] = events(server, "plugin_failed")
    assert "trouble.py" in str(failure["exception"])
    order = ("ready", "plugin_failed", "stopping", "plugin_stopped", "stopped", "server_failed")
    assert starts(server, order) == [*order[:4], *order[3:]]


def test_clients_are_told_loading_and_the_start_can_be_interrupted(server_of: Server) -> None:
    server = server_of("ledger loading")
    server.launch()
    wait_until(lambda: bool(events(server, "plugin_started")), "the first plugin has started")
    with connect(server) as client:
        loading = ReplyError("LOADING Redis is loading the dataset in memory")
        assert client.call("GET", "key") == loading
        assert info(client, "persistence")["loading"] == "1"
        server.send_signal(signal.SIGTERM)
        assert client.read_to_end() == b""
    assert server.wait_ended() == 0
    assert [each["plugin"] for each in events(server, "plugin_stopped")] == ["ledger"]
    assert events(server, "ready") == []


def test_second_signal_ends_at_once(server_of: Server) -> None:
    """However long a plugin may take to stop."""
    server = server_of("patient").start()
    server.send_signal(signal.SIGTERM)
    wait_until(lambda: bool(events(server, "stopping")), "the end has begun")
    server.send_signal(signal.SIGTERM)
    assert server.wait_ended() == 130


def test_stuck_plugin_does_not_keep_the_process(server_of: Server) -> None:
    server = server_of("ledger stuck").start()
    begun = time.monotonic()
    server.send_signal(signal.SIGTERM)
    assert server.wait_ended() == 1
    assert time.monotonic() - begun < 8
    order = ("plugin_stop_timeout", "plugin_stopped", "stopped")
    assert starts(server, order) == list(order)
