"""LATENCY GRAPH and DOCTOR, the events of the backend, and MODULE."""

import pytest

from hypercache.engine.latency import SAMPLES, Series
from hypercache.engine.latency_reports import COLUMNS, ago, graph
from hypercache.keyspace.kv_backend import KVBackend
from hypercache.testing import SortedDictKV
from hypercache.testing.engine import START, EngineHarness, ManualClock
from hypercache.testing.resp import ReplyError

SECONDS = START // 1_000_000


def sampled(*milliseconds: int, apart: int = 1) -> Series:
    """A series whose last sample is a second old at 1,000,000."""
    series = Series()
    first = 1_000_000 - len(milliseconds) * apart
    for number, each in enumerate(milliseconds):
        series.add(first + number * apart, each)
    return series


def test_graph_is_the_one_of_redis() -> None:
    assert graph(b"command", sampled(5, 20, 13, 9, 2), 1_000_000).splitlines() == [
        "command - high 20 ms, low 2 ms (all time high 20 ms)",
        "-" * 80,
        " #   ",
        " |o  ",
        " ||o ",
        "#|||_",
        "     ",
        "54321",
        "sssss",
    ]


def test_graph_of_one_height_and_of_more_than_fits() -> None:
    assert graph(b"x", sampled(7), 1_000_000).splitlines()[2:] == [
        " ",
        " ",
        " ",
        "_",
        " ",
        "1",
        "s",
    ]
    lines = graph(b"x", sampled(*range(1, SAMPLES + 1)), 1_000_000).splitlines()
    widths = [len(line) for line in lines[2:]]
    assert set(widths) == {COLUMNS, 0}
    assert widths.count(0) == 1


@pytest.mark.parametrize(
    ("seconds", "label"), [(0, "0s"), (59, "59s"), (60, "1m"), (7199, "1h"), (200_000, "2d")]
)
def test_labels_tell_how_long_ago(seconds: int, label: str) -> None:
    assert ago(seconds) == label


def note(harness: EngineHarness, name: bytes, microseconds: int) -> None:
    """A command took so long."""
    command = harness.engine.registry.get(name)
    assert command is not None
    harness.engine.observation.note(harness.first.session, command, [name], microseconds)


def doctor(harness: EngineHarness) -> str:
    reply = harness.command("LATENCY", "DOCTOR")
    assert isinstance(reply, bytes)
    return reply.decode()


def test_doctor_describes_and_advises() -> None:
    harness = EngineHarness()
    assert "Latency monitoring is off" in doctor(harness)
    harness.engine.observation.set_slow(-1, 1000)
    assert "Nothing has taken too long" in doctor(harness)
    note(harness, b"keys", 4000)
    harness.advance(10_000)
    harness.command("PING")
    note(harness, b"keys", 8000)
    note(harness, b"get", 1000)
    told = doctor(harness)
    assert (
        "1. command: 2 latency spikes (average 6ms, mean deviation 2ms, period 5.00 sec). "
        "Worst all time event 8ms." in told
    )
    assert "2. fast-command: 1 latency spikes" in told
    assert "SLOWLOG is off: CONFIG SET slowlog-log-slower-than 1000" in told
    harness.engine.observation.set_slow(5000, 1000)
    assert "SLOWLOG leaves out some" in doctor(harness)
    harness.engine.observation.set_slow(1000, 1000)
    assert "slowlog-log-slower-than" not in doctor(harness)


def test_graph_and_reset_find_events_as_redis_does() -> None:
    harness = EngineHarness()
    harness.engine.observation.set_slow(-1, 1000)
    note(harness, b"keys", 4000)
    drawn = harness.command("LATENCY", "GRAPH", "command")
    assert isinstance(drawn, bytes)
    assert drawn.startswith(b"command - high 4 ms, low 4 ms (all time high 4 ms)\n")
    missing = ReplyError("ERR No samples available for event 'COMMAND'")
    assert harness.command("LATENCY", "GRAPH", "COMMAND") == missing
    assert harness.command("LATENCY", "RESET", "COMMAND") == 1


def test_commits_of_the_backend_are_monitored() -> None:
    class Slow(SortedDictKV):
        clock: ManualClock | None = None

        def commit(self) -> None:
            super().commit()
            if self.clock is not None:
                self.clock.now += 3000

    store = Slow()
    harness = EngineHarness(KVBackend(store))
    store.clock = harness.clock
    harness.command("SET", "key", "x")
    assert harness.command("LATENCY", "LATEST") == []
    harness.engine.observation.set_slow(-1, 2000)
    harness.command("SET", "key", "x")
    assert harness.command("LATENCY", "LATEST") == [[b"backend-commit", SECONDS, 3, 3]]


def test_no_module_is_there_or_can_be() -> None:
    harness = EngineHarness()
    assert harness.command("MODULE", "LIST") == []
    refused = harness.command("MODULE", "LOAD", "/lib/x.so")
    assert isinstance(refused, ReplyError)
    assert refused.text.startswith("ERR MODULE command not allowed")
    harness.engine.protected_commands["MODULE"] = "yes"
    error = ReplyError("ERR Error loading the extension. Please check the server logs.")
    assert harness.command("MODULE", "LOAD", "/lib/x.so") == error
    assert harness.command("MODULE", "LOADEX", "/lib/x.so", "CONFIG", "a", "b") == error
    assert harness.command("MODULE", "UNLOAD", "x") == ReplyError(
        "ERR Error unloading module: no such module with that name"
    )
    assert [event for _, event, _ in harness.recorder.reports] == ["module_refused"] * 2
