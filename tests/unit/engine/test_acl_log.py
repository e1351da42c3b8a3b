"""ACL LOG and the counters of refusals in INFO."""

import pytest

from hypercache.testing.engine import EngineHarness, HarnessClient
from hypercache.testing.resp import ReplyError


@pytest.fixture
def harness() -> EngineHarness:
    harness = EngineHarness()
    rules = "on >pw resetkeys ~a* resetchannels &news +@all -set -acl|cat"
    assert harness.command("ACL", "SETUSER", "alice", *rules.split()) == "OK"
    return harness


def logged_in(harness: EngineHarness) -> HarnessClient:
    client = harness.client()
    assert client.command("AUTH", "alice", "pw") == "OK"
    return client


def entries(harness: EngineHarness, *count: object) -> list[dict[str, object]]:
    words = [str(each) for each in count]
    reply = harness.command("ACL", "LOG", *words)
    assert isinstance(reply, list)
    return [
        {bytes(entry[at]).decode(): entry[at + 1] for at in range(0, len(entry), 2)}
        for entry in reply
    ]


def info(harness: EngineHarness, section: str) -> bytes:
    text = harness.command("INFO", section)
    assert isinstance(text, bytes)
    return text


def brief(harness: EngineHarness) -> list[tuple[object, ...]]:
    names = ("count", "reason", "context", "object", "username")
    return [tuple(entry[name] for name in names) for entry in entries(harness)]


def test_every_reason_has_its_object(harness: EngineHarness) -> None:
    alice = logged_in(harness)
    alice.command("SET", "a", "1")
    alice.command("ACL", "CAT")
    alice.command("MGET", "a1", "b1", "c1")
    alice.command("PUBLISH", "gossip", "m")
    alice.command("auth", "alice", "guess")
    alice.command("Hello", "3", "AUTH", "nobody", "guess")
    assert brief(harness) == [
        (1, b"auth", b"toplevel", b"Hello", b"nobody"),
        (1, b"auth", b"toplevel", b"auth", b"alice"),
        (1, b"channel", b"toplevel", b"gossip", b"alice"),
        (1, b"key", b"toplevel", b"b1", b"alice"),
        (1, b"command", b"toplevel", b"acl|cat", b"alice"),
        (1, b"command", b"toplevel", b"set", b"alice"),
    ]
    information = info(harness, "stats")
    for line in (b"auth:2", b"cmd:2", b"key:1", b"channel:1"):
        assert b"acl_access_denied_%b\r\n" % line in information
    harness.command("CONFIG", "RESETSTAT")
    assert b"acl_access_denied_cmd:0\r\n" in info(harness, "stats")


def test_where_it_was_refused(harness: EngineHarness) -> None:
    alice = logged_in(harness)
    alice.command("MULTI")
    alice.command("SET", "a", "1")
    alice.command("DISCARD")
    alice.command("MULTI")
    alice.command("GET", "a")
    alice.command("GET", "ab")
    harness.command("ACL", "SETUSER", "alice", "resetkeys", "~ab")
    alice.command("EXEC")
    assert brief(harness) == [
        (1, b"key", b"multi", b"a", b"alice"),
        (1, b"command", b"multi", b"set", b"alice"),
    ]


def test_alike_entries_are_one_for_a_minute(harness: EngineHarness) -> None:
    alice = logged_in(harness)
    began = harness.now
    alice.command("GET", "x")
    alice.command("GET", "y")
    harness.advance(60_000)
    alice.command("GET", "x")
    harness.advance(1_500)
    first, second = entries(harness)
    assert (first["object"], first["count"], first["entry-id"]) == (b"x", 2, 0)
    assert first["timestamp-created"] == began
    assert first["timestamp-last-updated"] == began + 60_000
    assert first["age-seconds"] == b"1.5"
    assert (second["object"], second["count"], second["entry-id"]) == (b"y", 1, 1)
    harness.advance(60_000)
    alice.command("GET", "x")
    assert [each["entry-id"] for each in entries(harness)] == [2, 0, 1]


def test_only_the_latest_ten_are_searched_for_alike_ones(harness: EngineHarness) -> None:
    alice = logged_in(harness)
    for number in range(11):
        alice.command("GET", f"x{number}")
    alice.command("GET", "x1")
    alice.command("GET", "x0")
    shown = entries(harness, 100)
    assert [each["object"] for each in shown[:3]] == [b"x0", b"x1", b"x10"]
    assert [each["count"] for each in shown[:3]] == [1, 2, 1]
    assert len(shown) == 12
    assert len(entries(harness)) == 10
    assert entries(harness, 0) == []
    assert entries(harness, -5) == []


def test_it_is_bounded_and_can_be_forgotten(harness: EngineHarness) -> None:
    alice = logged_in(harness)
    harness.command("CONFIG", "SET", "acllog-max-len", "2")
    for number in range(5):
        alice.command("GET", f"x{number}")
    assert [each["object"] for each in entries(harness)] == [b"x4", b"x3"]
    assert harness.command("ACL", "LOG", "RESET") == "OK"
    assert entries(harness) == []
    alice.command("GET", "y")
    assert entries(harness)[0]["entry-id"] == 5
    harness.command("CONFIG", "SET", "acllog-max-len", "0")
    alice.command("GET", "z")
    assert entries(harness) == []


def test_it_tells_the_client(harness: EngineHarness) -> None:
    alice = logged_in(harness)
    alice.command("CLIENT", "SETNAME", "worker-7")
    alice.command("GET", "x")
    (entry,) = entries(harness)
    line = entry["client-info"]
    assert isinstance(line, bytes)
    assert b"name=worker-7" in line
    assert b"cmd=get" in line
    assert b"user=alice" in line


def test_a_refusal_counts_as_a_rejected_call(harness: EngineHarness) -> None:
    alice = logged_in(harness)
    assert isinstance(alice.command("GET", "x"), ReplyError)
    counted = b"cmdstat_get:calls=0,usec=0,usec_per_call=0.00,rejected_calls=1"
    assert counted in info(harness, "commandstats")
    assert b"errorstat_NOPERM:count=1" in info(harness, "errorstats")


def test_it_keeps_the_beginning_of_what_is_long(harness: EngineHarness) -> None:
    alice = logged_in(harness)
    alice.command("GET", b"x" * 3000)
    alice.command("AUTH", b"n" * 2000, "guess")
    login, key = entries(harness)
    assert login["username"] == b"n" * 1024 + b"... (976 more bytes)"
    assert key["object"] == b"x" * 1024 + b"... (1976 more bytes)"
