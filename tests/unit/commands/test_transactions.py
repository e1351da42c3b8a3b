"""Transactions and time; what the transcripts cannot show."""

import pytest

from hypercache.keyspace.changes import SET
from hypercache.testing.engine import EngineHarness
from hypercache.testing.resp import ReplyError


def test_time_stands_still_inside(harness: EngineHarness) -> None:
    now = harness.now
    harness.command("SET", "k", "v", "PX", 10)
    harness.script("MULTI\nPEXPIRETIME k")
    harness.advance(5)
    harness.script("SET l v PX 100\nPEXPIRETIME l\nGET k")
    assert harness.command("EXEC") == [now + 10, "OK", now + 105, b"v"]


def test_a_watched_key_that_expires_breaks_the_transaction(harness: EngineHarness) -> None:
    harness.command("SET", "k", "v", "PX", 10)
    for removal in ("nothing", "GET k", "tick"):
        harness.command("SET", "k", "v", "PX", 10)
        harness.command("WATCH", "k")
        harness.advance(100)
        if removal == "tick":
            harness.tick()
        elif removal != "nothing":
            harness.client().command(*removal.split())
        harness.command("MULTI")
        assert harness.command("EXEC") is None, removal


def test_a_key_that_had_expired_when_it_was_watched_does_not(harness: EngineHarness) -> None:
    other = harness.client()
    for removal in (["PING"], ["GET", "k"], ["DEL", "k"], ["FLUSHALL"], ["PERSIST", "k"]):
        harness.command("SET", "k", "v", "PX", 10)
        harness.advance(100)
        harness.command("WATCH", "k")
        other.command(*removal)
        harness.command("MULTI")
        assert harness.command("EXEC") == [], removal


def test_a_key_that_comes_back_breaks_it(harness: EngineHarness) -> None:
    other = harness.client()
    harness.command("SET", "k", "v", "PX", 10)
    harness.advance(100)
    harness.command("WATCH", "k")
    other.command("SET", "k", "w")
    harness.command("MULTI")
    assert harness.command("EXEC") is None


@pytest.mark.parametrize(
    ("here", "there", "broken"),
    [
        ("absent", "absent", False),
        ("absent", "expired", False),
        ("absent", "present", True),
        ("expired", "absent", False),
        ("expired", "expired", False),
        ("expired", "present", True),
        ("present", "absent", True),
        ("present", "expired", True),
        ("present", "present", True),
    ],
)
def test_swapdb_breaks_what_now_finds_something_else(
    harness: EngineHarness, here: str, there: str, broken: bool
) -> None:
    other = harness.client()
    for database, state in ((0, here), (1, there)):
        other.command("SELECT", database)
        if state != "absent":
            other.command("SET", "k", "v", *(["PX", 10] if state == "expired" else []))
    harness.advance(100)
    harness.command("WATCH", "k")
    other.command("SWAPDB", 0, 1)
    harness.command("MULTI")
    assert harness.command("EXEC") == (None if broken else [])


def test_a_client_that_goes_watches_nothing_more(harness: EngineHarness) -> None:
    client = harness.client()
    client.command("WATCH", "k", "l")
    assert harness.engine.changes.observed
    client.disconnect()
    assert len(harness.engine.settlement.watches) == 0
    assert not harness.engine.changes.observed


def test_replies_of_resp3(harness: EngineHarness) -> None:
    client = harness.client(3)
    client.command("MULTI")
    client.command("HSET", "h", "f", "v")
    client.command("HGETALL", "h")
    client.command("GET", "none")
    client.command("INCR", "h")
    wrong = ReplyError("WRONGTYPE Operation against a key holding the wrong kind of value")
    assert client.command("EXEC") == [1, {b"f": b"v"}, None, wrong]
    client.command("WATCH", "h")
    harness.command("DEL", "h")
    client.send(b"MULTI\r\nEXEC\r\n")
    assert client.received() == b"+OK\r\n_\r\n"


def test_an_aborted_transaction_is_a_null_array(harness: EngineHarness) -> None:
    harness.command("WATCH", "k")
    harness.client().command("SET", "k", "v")
    harness.first.send(b"MULTI\r\nEXEC\r\n")
    assert harness.first.received() == b"+OK\r\n*-1\r\n"


def test_a_refused_exec_ends_the_transaction(harness: EngineHarness) -> None:
    harness.script("MULTI\nSET k v")
    harness.engine.memory.set_limit(1)
    harness.engine.keyspaces[0].set(b"big", bytes(100), -1, SET)
    assert harness.command("EXEC") == ReplyError(
        "EXECABORT Transaction discarded because of: OOM command not allowed when used memory"
        " > 'maxmemory'."
    )
    assert harness.command("EXEC") == ReplyError("ERR EXEC without MULTI")


def test_statistics_count_every_command(harness: EngineHarness) -> None:
    harness.script("MULTI\nSET k v\nGET k\nINCR k\nEXEC")
    registry = harness.engine.registry
    calls = {
        name: command.calls
        for name in ("multi", "exec", "set", "get", "incr")
        if (command := registry.get(name.encode())) is not None
    }
    assert calls == {"multi": 1, "exec": 1, "set": 1, "get": 1, "incr": 1}


def test_a_transaction_that_must_fail_keeps_nothing(harness: EngineHarness) -> None:
    other = harness.client()
    harness.script("MULTI\nSET k v\nNONE\nSET k v")
    assert len(harness.first.session.queue or []) == 1
    harness.script("DISCARD\nWATCH k\nMULTI\nSET k v")
    other.command("SET", "k", "w")
    harness.command("SET", "k", "v")
    assert len(harness.first.session.queue or []) == 1
    assert harness.command("EXEC") is None


def test_a_queue_is_bounded_like_a_request(harness: EngineHarness) -> None:
    harness.engine.query_buffer_limit = 10_000
    harness.command("MULTI")
    for _ in range(8):
        assert harness.command("SET", "k", bytes(1000)) == "QUEUED"
    assert not harness.first.closed
    for _ in range(2):
        harness.command("SET", "k", bytes(1000))
    assert harness.first.closed
