"""CLIENT UNBLOCK, PAUSE and UNPAUSE, and clients that wait."""

import pytest

from hypercache.engine.engine import Engine
from hypercache.engine.session import Session
from hypercache.engine.waiting import Wait
from hypercache.testing.engine import NOTHING, EngineHarness, HarnessClient
from hypercache.testing.resp import ReplyError


class Forever(Wait):
    """A wait that only its deadline ends."""

    def is_over(self, engine: Engine) -> bool:
        return False

    def reply(self, engine: Engine) -> object:
        return b"time is up"


def park(harness: EngineHarness, client: HarnessClient, deadline: int = 0) -> Session:
    harness.engine.waits.park(client.session, Forever(deadline))
    return client.session


def test_unblock_ends_a_wait_as_its_deadline_would() -> None:
    harness = EngineHarness()
    waiting = harness.client()
    park(harness, waiting)
    assert waiting.command("SET", "key", "value") is NOTHING
    assert harness.command("CLIENT", "UNBLOCK", 2) == 1
    assert waiting.replies() == [b"time is up", "OK"]
    assert harness.command("CLIENT", "UNBLOCK", 2) == 0
    assert harness.command("GET", "key") == b"value"


def test_unblock_with_an_error_is_counted() -> None:
    harness = EngineHarness()
    waiting = harness.client()
    park(harness, waiting)
    assert harness.command("CLIENT", "UNBLOCK", 2, "error") == 1
    assert waiting.replies() == [ReplyError("UNBLOCKED client unblocked via CLIENT UNBLOCK")]
    assert harness.engine.counters.errors == {"UNBLOCKED": 1}


def test_replies_of_the_two_clients_do_not_mix() -> None:
    harness = EngineHarness()
    waiting = harness.client(3)
    park(harness, waiting)
    waiting.send(b"HELLO 3\r\nECHO later\r\n")
    harness.first.send(b"ECHO before\r\nCLIENT UNBLOCK 2 TIMEOUT\r\nECHO after\r\n")
    assert harness.first.replies() == [b"before", 1, b"after"]
    replies = waiting.replies()
    assert replies[0] == b"time is up"
    assert isinstance(replies[1], dict)
    assert replies[2] == b"later"


def test_a_client_that_skips_the_reply_gets_none_when_its_wait_ends() -> None:
    harness = EngineHarness()
    waiting = harness.client()
    waiting.command("CLIENT", "REPLY", "SKIP")
    harness.engine.answer(waiting.session, Forever(0))
    harness.command("CLIENT", "UNBLOCK", 2)
    assert waiting.replies() == []
    assert waiting.command("PING") == "PONG"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["x"], "ERR value is not an integer or out of range"),
        (["2", "SOON"], "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"),
        (
            ["2", "ERROR", "x"],
            "ERR unknown subcommand or wrong number of arguments for 'UNBLOCK'. Try CLIENT HELP.",
        ),
    ],
)
def test_unblock_refuses(words: list[str], expected: str) -> None:
    assert EngineHarness().command("CLIENT", "UNBLOCK", *words) == ReplyError(expected)


def test_pause_postpones_everything_until_its_time_has_come() -> None:
    harness = EngineHarness()
    other = harness.client()
    assert harness.command("CLIENT", "PAUSE", 100) == "OK"
    other.send(b"SET key value\r\nGET key\r\n")
    assert other.replies() == []
    assert harness.command("PING") is NOTHING
    harness.advance(99)
    assert other.replies() == []
    harness.advance(1)
    assert other.replies() == ["OK", b"value"]
    assert harness.first.replies() == ["PONG"]
    assert harness.command("PING") == "PONG"


def test_pause_write_lets_reading_go_on() -> None:
    harness = EngineHarness()
    harness.command("SET", "key", "old")
    writer = harness.client()
    assert harness.command("CLIENT", "PAUSE", 60_000, "WRITE") == "OK"
    assert writer.command("SET", "key", "new") is NOTHING
    assert harness.command("GET", "key") == b"old"
    assert harness.command("CLIENT", "UNPAUSE") == "OK"
    assert writer.replies() == ["OK"]
    assert harness.command("GET", "key") == b"new"


def test_pause_write_postpones_transactions_that_write() -> None:
    harness = EngineHarness()
    reader, writer = harness.client(), harness.client()
    for client, word in ((reader, "GET"), (writer, "INCR")):
        client.command("MULTI")
        assert client.command(word, "key") == "QUEUED"
    harness.command("CLIENT", "PAUSE", 60_000, "write")
    assert reader.command("EXEC") == [None]
    assert writer.command("EXEC") is NOTHING
    harness.command("CLIENT", "UNPAUSE")
    assert writer.replies() == [[1]]


def test_a_pause_is_never_shortened_nor_loosened() -> None:
    harness = EngineHarness()
    harness.command("CLIENT", "PAUSE", 500, "WRITE")
    harness.command("CLIENT", "PAUSE", 100, "WRITE")
    writer = harness.client()
    writer.command("SET", "key", "value")
    harness.advance(400)
    assert writer.replies() == []
    harness.command("CLIENT", "PAUSE", 1000, "ALL")
    assert harness.command("PING") is NOTHING
    harness.advance(100)
    assert writer.replies() == [], "woken by its first deadline, it waits again"
    harness.advance(900)
    assert writer.replies() == ["OK"]
    assert harness.first.replies() == ["PONG"]


def test_nothing_is_removed_because_of_time_during_a_pause() -> None:
    harness = EngineHarness()
    for key in ("a", "b"):
        harness.command("SET", key, "value", "PX", 50)
    harness.command("CLIENT", "PAUSE", 200, "WRITE")
    harness.advance(100)
    harness.tick()
    assert harness.command("GET", "a") is None
    assert harness.command("DBSIZE") == 2
    harness.advance(100)
    harness.tick()
    assert harness.command("DBSIZE") == 0


def test_a_postponed_client_is_shown_as_blocked_and_may_go_away() -> None:
    harness = EngineHarness()
    other = harness.client()
    harness.command("CLIENT", "PAUSE", 100, "WRITE")
    other.command("SET", "key", "value")
    reply = harness.command("CLIENT", "LIST", "ID", 2)
    assert isinstance(reply, bytes)
    assert b" flags=b " in reply
    other.disconnect()
    harness.command("CLIENT", "UNPAUSE")
    assert harness.command("EXISTS", "key") == 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["x"], "ERR timeout is not an integer or out of range"),
        (["-1"], "ERR timeout is negative"),
        (["9223372036854775807"], "ERR timeout is out of range"),
        (["10", "READ"], "ERR CLIENT PAUSE mode must be WRITE or ALL"),
    ],
)
def test_pause_refuses(words: list[str], expected: str) -> None:
    harness = EngineHarness()
    assert harness.command("CLIENT", "PAUSE", *words) == ReplyError(expected)
    assert harness.command("PING") == "PONG"
