"""SLOWLOG, LATENCY and MEMORY."""

import pytest

from hypercache.engine.observation import NEVER
from hypercache.testing.engine import START, EngineHarness
from hypercache.testing.resp import ReplyError

SECONDS = START // 1_000_000


def logging_everything() -> EngineHarness:
    harness = EngineHarness()
    harness.engine.observation.set_slow(0, 0)
    return harness


def commands_logged(harness: EngineHarness) -> list[list[bytes]]:
    harness.engine.observation.set_slow(-1, 0)
    entries = harness.command("SLOWLOG", "GET", -1)
    assert isinstance(entries, list)
    return [entry[3] for entry in reversed(entries)]


def test_slowlog_tells_who_what_and_when() -> None:
    harness = logging_everything()
    harness.first.session.address = "127.0.0.1:5000"
    harness.command("CLIENT", "SETNAME", "worker")
    harness.clock.now += 3_000_000
    harness.command("GET", "key")
    assert harness.command("SLOWLOG", "GET", 1) == [
        [1, SECONDS + 3, 0, [b"GET", b"key"], b"127.0.0.1:5000", b"worker"]
    ]


def test_slowlog_holds_what_took_long_enough() -> None:
    harness = EngineHarness()
    engine = harness.engine
    command = engine.registry.get(b"get")
    assert command is not None
    for logged, monitored, slow in ((1000, 0, 1000), (-1, 0, NEVER), (-1, 500, 500), (9, 500, 9)):
        engine.observation.set_slow(logged, monitored)
        assert engine.noted == slow
    engine.observation.set_slow(1000, 0)
    engine.observation.note(harness.first.session, command, [b"GET", b"fast"], 999)
    engine.observation.note(harness.first.session, command, [b"GET", b"slow"], 1000)
    assert commands_logged(harness) == [[b"GET", b"slow"]]


def test_slowlog_get_ten_or_as_many_as_wanted() -> None:
    harness = logging_everything()
    for number in range(12):
        harness.command("GET", number)
    harness.engine.observation.set_slow(-1, 0)

    def count(*words: int) -> int:
        entries = harness.command("SLOWLOG", "GET", *words)
        assert isinstance(entries, list)
        return len(entries)

    assert (count(), count(3), count(-1), count(0), count(100)) == (10, 3, 12, 0, 12)
    assert harness.command("SLOWLOG", "LEN") == 12
    assert harness.command("SLOWLOG", "RESET") == "OK"
    assert harness.command("SLOWLOG", "LEN") == 0


@pytest.mark.parametrize("count", ["-2", "many"])
def test_slowlog_get_refuses(count: str) -> None:
    expected = ReplyError("ERR count should be greater than or equal to -1")
    assert EngineHarness().command("SLOWLOG", "GET", count) == expected


def test_slowlog_shortens_what_is_long() -> None:
    harness = logging_everything()
    harness.command("ECHO", "x" * 200)
    harness.command("MGET", *range(40))
    first, second = commands_logged(harness)
    assert first == [b"ECHO", b"x" * 128 + b"... (72 more bytes)"]
    assert len(second) == 32
    assert second[-1] == b"... (10 more arguments)"


def test_slowlog_holds_no_passwords() -> None:
    harness = logging_everything()
    harness.command("AUTH", "secret")
    harness.command("AUTH", "user", "secret")
    harness.command("HELLO", 2, "SETNAME", "me", "AUTH", "default", "secret")
    harness.command("CONFIG", "SET", "hz", 10, "requirepass", "secret")
    harness.command("CONFIG", "SET", "requirepass")
    hidden = b"(redacted)"
    assert commands_logged(harness) == [
        [b"AUTH", hidden],
        [b"AUTH", hidden, hidden],
        [b"HELLO", b"2", b"SETNAME", b"me", b"AUTH", hidden, hidden],
        [b"CONFIG", b"SET", b"hz", b"10", b"requirepass", hidden],
    ]


def test_slowlog_leaves_out_exec_and_shows_what_it_ran() -> None:
    harness = logging_everything()
    for words in (["MULTI"], ["GET", "key"], ["EXEC"]):
        harness.command(*words)
    assert commands_logged(harness) == [[b"MULTI"], [b"GET", b"key"]]


def test_latency_histogram_is_cumulative() -> None:
    harness = EngineHarness()
    get, config = (harness.engine.registry.get(name) for name in (b"get", b"config|get"))
    assert get is not None
    assert config is not None
    for microseconds in (0, 3, 3, 100, 100_000):
        get.record(microseconds)
    config.record(7)
    client = harness.client(3)
    of_get = {b"calls": 5, b"histogram_usec": {1: 1, 4: 3, 128: 4, 131072: 5}}
    of_config = {b"calls": 1, b"histogram_usec": {8: 1}}
    assert client.command("LATENCY", "HISTOGRAM", "GET", "nosuch", "set") == {b"get": of_get}
    assert client.command("LATENCY", "HISTOGRAM", "config") == {b"config|get": of_config}
    everything = client.command("LATENCY", "HISTOGRAM")
    assert isinstance(everything, dict)
    assert everything[b"get"] == of_get
    assert b"latency|histogram" in everything
    assert b"set" not in everything


def test_the_latency_monitor_keeps_the_worst_of_each_second() -> None:
    harness = EngineHarness()
    engine = harness.engine
    assert harness.command("LATENCY", "LATEST") == []
    engine.observation.set_slow(-1, 2000)
    fast, slow = (engine.registry.get(name) for name in (b"get", b"keys"))
    assert fast is not None
    assert slow is not None
    session = harness.first.session
    for elapsed in (1999, 3000, 9000, 5000):
        engine.observation.note(session, fast, [], elapsed)
    harness.clock.now += 1_000_000
    harness.command("PING")
    engine.observation.note(session, fast, [], 4000)
    engine.observation.note(session, slow, [], 7000)
    assert harness.command("LATENCY", "LATEST") == [
        [b"fast-command", SECONDS + 1, 4, 9],
        [b"command", SECONDS + 1, 7, 7],
    ]
    history = [[SECONDS, 9], [SECONDS + 1, 4]]
    assert harness.command("LATENCY", "HISTORY", "fast-command") == history
    assert harness.command("LATENCY", "HISTORY", "nosuch") == []
    assert harness.command("LATENCY", "RESET", "command", "nosuch") == 1
    assert harness.command("LATENCY", "RESET") == 1
    assert harness.command("LATENCY", "LATEST") == []


def test_memory_usage_of_a_key() -> None:
    harness = EngineHarness()
    harness.command("SET", "small", "x")
    harness.command("SET", "large", "x" * 10_000)
    small, large = (harness.command("MEMORY", "USAGE", key) for key in ("small", "large"))
    assert isinstance(small, int)
    assert isinstance(large, int)
    assert 50 < small < 500
    assert 9_990 < large - small < 10_100
    assert harness.command("MEMORY", "USAGE", "large", "SAMPLES", 0) == large
    assert harness.command("MEMORY", "USAGE", "missing") is None


def test_memory_usage_counts_as_no_access() -> None:
    harness = EngineHarness()
    harness.command("MEMORY", "USAGE", "missing")
    assert (harness.engine.changes.hits, harness.engine.changes.misses) == (0, 0)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["SAMPLES"], "ERR syntax error"),
        (["SAMPLES", "-1"], "ERR syntax error"),
        (["ALL"], "ERR syntax error"),
        (["SAMPLES", "x"], "ERR value is not an integer or out of range"),
    ],
)
def test_memory_usage_refuses(options: list[str], expected: str) -> None:
    assert EngineHarness().command("MEMORY", "USAGE", "key", *options) == ReplyError(expected)


def test_memory_stats() -> None:
    harness = EngineHarness()
    for number in range(10):
        harness.command("SET", number, "x" * 100)
    stats = harness.client(3).command("MEMORY", "STATS")
    assert isinstance(stats, dict)
    assert stats[b"keys.count"] == 10
    assert stats[b"total.allocated"] == harness.engine.memory.used()
    assert stats[b"total.allocated"] == stats[b"dataset.bytes"] + stats[b"overhead.total"]
    assert stats[b"keys.bytes-per-key"] == stats[b"total.allocated"] // 10
    assert 10 * 100 < stats[b"dataset.bytes"] < stats[b"total.allocated"]
    assert stats[b"lua.caches"] == stats[b"functions.caches"] == 0
    assert stats[b"peak.percentage"] == 100.0
    assert list(stats[b"db.0"]) == [
        b"overhead.hashtable.main",
        b"overhead.hashtable.expires",
        b"overhead.hashtable.slot-to-keys",
    ]
    assert 0 < stats[b"db.0"][b"overhead.hashtable.main"] <= stats[b"overhead.total"]
    assert b"db.1" not in stats


def test_memory_stats_tell_what_deadlines_and_plugins_take() -> None:
    harness = EngineHarness()
    harness.command("SET", "key", "x", "EX", 100)
    caches = {"used_memory_scripts_eval": 700, "used_memory_functions": 900}
    harness.engine.information["memory"] = [lambda: caches]
    stats = harness.client(3).command("MEMORY", "STATS")
    assert isinstance(stats, dict)
    assert stats[b"db.0"][b"overhead.hashtable.expires"] > 0
    assert (stats[b"lua.caches"], stats[b"functions.caches"]) == (700, 900)


def doctor(harness: EngineHarness) -> bytes:
    reply = harness.command("MEMORY", "DOCTOR")
    assert isinstance(reply, bytes)
    return reply


def test_memory_doctor() -> None:
    harness = EngineHarness()
    assert b"too little data" in doctor(harness)
    harness.command("SET", "key", b"x" * 6_000_000)
    assert doctor(harness) == b"Memory is used as it should be.\n"
    harness.first.session.output_bytes = 1_000_000
    assert b"Clients: " in doctor(harness)
    harness.engine.statistics.peak_memory = 60_000_000
    assert b"Peak: " in doctor(harness)


def test_memory_purge_frees_what_was_removed() -> None:
    harness = EngineHarness()
    for number in range(5000):
        harness.command("HSET", "hash", number, "x")
    harness.command("UNLINK", "hash")
    assert harness.engine.backend.statistics()["lazyfree_pending_objects"] > 0
    assert harness.command("MEMORY", "PURGE") == "OK"
    assert harness.engine.backend.statistics()["lazyfree_pending_objects"] == 0
    assert "lazyfreed_objects:1" in told(harness)
    harness.command("CONFIG", "RESETSTAT")
    assert "lazyfreed_objects:0" in told(harness)
    harness.command("MSET", *range(20))
    harness.command("FLUSHALL")
    harness.command("MEMORY", "PURGE")
    assert "lazyfreed_objects:10" in told(harness)


def told(harness: EngineHarness) -> list[str]:
    """The lines of INFO memory."""
    reply = harness.command("INFO", "memory")
    assert isinstance(reply, bytes)
    return reply.decode().splitlines()


def test_memory_malloc_stats() -> None:
    reply = EngineHarness().command("MEMORY", "MALLOC-STATS")
    assert reply == b"Stats not supported for the current allocator"
