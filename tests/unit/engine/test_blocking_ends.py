"""Clients that wait for keys: what ends it without an element, and what others see of it."""

import pytest

from hypercache.engine.journal import REPLICA
from hypercache.testing.engine import EngineHarness
from hypercache.testing.resp import Argument, ReplyError, encode
from tests.support.sinks import MemorySink
from tests.support.waiting import blocked, info, stats


@pytest.fixture
def harness() -> EngineHarness:
    return EngineHarness()


# What ends a wait without an element ----------------------------------------------------


@pytest.mark.parametrize(
    ("words", "milliseconds"),
    [
        ("BLPOP k 0.001", 1),
        ("BRPOP a b 0.0001", 1),
        ("BLMOVE k l LEFT LEFT 1.5", 1500),
        ("BRPOPLPUSH k l 0.0101", 11),
        ("BLMPOP 2e-2 2 a b RIGHT COUNT 3", 20),
    ],
)
@pytest.mark.parametrize("version", [2, 3])
def test_time_is_up_to_the_millisecond(
    harness: EngineHarness, words: str, milliseconds: int, version: int
) -> None:
    client = blocked(harness, *words.split(), version=version)
    if milliseconds > 1:
        harness.advance(milliseconds - 1)
        assert client.received() == b""
    harness.advance(1)
    assert client.received() == (b"*-1\r\n" if version == 2 else b"_\r\n")
    harness.command("RPUSH", "k", "1")
    assert harness.command("LLEN", "k") == 1
    assert len(harness.engine.blocked) == 0


def test_a_wrong_kind_at_the_end_of_time_is_no_error(harness: EngineHarness) -> None:
    client = blocked(harness, "BLPOP", "k", 1)
    harness.command("SET", "k", "string")
    harness.advance(1000)
    assert client.replies() == [None]


@pytest.mark.parametrize("words", [["TIMEOUT"], [], ["ERROR"]])
def test_client_unblock(harness: EngineHarness, words: list[str]) -> None:
    client = blocked(harness, "BLPOP", "k", 0)
    number = client.session.id
    assert harness.command("CLIENT", "UNBLOCK", number, *words) == 1
    error = ReplyError("UNBLOCKED client unblocked via CLIENT UNBLOCK")
    assert client.replies() == [error if words == ["ERROR"] else None]
    assert harness.command("CLIENT", "UNBLOCK", number) == 0
    harness.command("RPUSH", "k", "1")
    assert client.replies() == []
    assert client.command("LLEN", "k") == 1


def test_who_has_gone_is_not_served(harness: EngineHarness) -> None:
    gone, killed, there = (blocked(harness, "BLPOP", "k", 0) for _ in range(3))
    gone.disconnect()
    harness.first.send(
        encode("CLIENT", "KILL", "ID", killed.session.id) + encode("RPUSH", "k", "1")
    )
    assert harness.first.replies() == [1, 1]
    assert there.replies() == [[b"k", b"1"]]
    assert killed.closed
    assert len(harness.engine.blocked) == 0


def test_flushall_ends_no_wait(harness: EngineHarness) -> None:
    client = blocked(harness, "BLPOP", "k", 0)
    harness.command("FLUSHALL")
    harness.command("FLUSHDB")
    assert client.replies() == []
    harness.command("RPUSH", "k", "1")
    assert client.replies() == [[b"k", b"1"]]


# Where nobody waits ---------------------------------------------------------------------


def test_inside_a_transaction_nobody_waits(harness: EngineHarness) -> None:
    requests: list[list[Argument]] = [
        ["BLPOP", "k", 0],
        ["BRPOP", "k", 0],
        ["BLMOVE", "k", "l", "LEFT", "LEFT", 0],
        ["BRPOPLPUSH", "k", "l", 0],
        ["BLMPOP", 0, 1, "k", "LEFT"],
    ]
    harness.first.send(b"".join(encode(*words) for words in [["MULTI"], *requests, ["EXEC"]]))
    assert harness.first.received().endswith(b"*5\r\n*-1\r\n*-1\r\n$-1\r\n$-1\r\n*-1\r\n")
    assert stats(harness, "blpop")["calls"] == "1"


def test_a_served_wait_in_a_transaction_sees_its_own_pushes(harness: EngineHarness) -> None:
    for words in (["MULTI"], ["RPUSH", "k", "1"], ["BLPOP", "k", "0"], ["BLPOP", "k", "0"]):
        harness.command(*words)
    assert harness.command("EXEC") == [1, [b"k", b"1"], None]


# What clients and operators see ---------------------------------------------------------


@pytest.mark.parametrize("mode", ["OFF", "SKIP"])
def test_without_replies_the_element_is_taken_all_the_same(
    harness: EngineHarness, mode: str
) -> None:
    client = harness.client()
    client.send(encode("CLIENT", "REPLY", mode) + encode("BLPOP", "k", 0))
    harness.command("RPUSH", "k", "1")
    assert client.replies() == []
    assert harness.command("EXISTS", "k") == 0
    if mode == "SKIP":
        assert client.command("PING") == "PONG"


def test_information(harness: EngineHarness) -> None:
    first = blocked(harness, "BLPOP", "a", "b", 0)
    blocked(harness, "BLPOP", "b", 5)
    assert info(harness, "clients", "blocked_clients") == "2"
    assert info(harness, "clients", "total_blocking_keys") == "2"
    assert info(harness, "clients", "total_blocking_keys_on_nokey") == "0"
    assert info(harness, "clients", "clients_in_timeout_table") == "1"
    listed = harness.command("CLIENT", "LIST", "ID", first.session.id)
    assert isinstance(listed, bytes)
    assert b" flags=b " in listed
    assert b" cmd=blpop " in listed
    harness.command("RPUSH", "b", "1", "2")
    assert info(harness, "clients", "blocked_clients") == "0"
    assert info(harness, "clients", "total_blocking_keys") == "0"


def test_a_call_is_counted_once_and_when_it_ends(harness: EngineHarness) -> None:
    blocked(harness, "BLPOP", "k", 0)
    assert stats(harness, "blpop") == {}
    before = int(info(harness, "stats", "total_commands_processed"))
    harness.command("RPUSH", "k", "1")
    assert stats(harness, "blpop")["calls"] == "1"
    # Two INFO, the push, the pop.
    assert int(info(harness, "stats", "total_commands_processed")) == before + 4
    blocked(harness, "BLPOP", "k", 1)
    harness.advance(1000)
    assert stats(harness, "blpop")["calls"] == "2"
    client = blocked(harness, "BLPOP", "k", 1)
    harness.command("CLIENT", "UNBLOCK", client.session.id, "ERROR")
    assert stats(harness, "blpop")["calls"] == "3"
    assert stats(harness, "blpop")["failed_calls"] == "1"
    assert stats(harness, "blpop")["rejected_calls"] == "0"


def test_a_wait_changes_nothing(harness: EngineHarness) -> None:
    watcher = harness.client()
    watcher.command("WATCH", "k", "to")
    client = blocked(harness, "BLMOVE", "k", "to", "LEFT", "LEFT", 0)
    watcher.command("MULTI")
    watcher.command("PING")
    assert watcher.command("EXEC") == ["PONG"]
    watcher.command("WATCH", "to")
    harness.command("RPUSH", "k", "1")
    assert client.replies() == [b"1"]
    watcher.command("MULTI")
    assert watcher.command("EXEC") is None


def test_the_journal_has_what_happened_in_order(harness: EngineHarness) -> None:
    sink = MemorySink("sink", REPLICA)
    harness.engine.settlement.add_sink(sink)
    blocked(harness, "BLPOP", "none", "k", 0)
    blocked(harness, "BRPOP", "k", 0)
    blocked(harness, "BLMOVE", "k", "to", "LEFT", "RIGHT", 0)
    blocked(harness, "BRPOPLPUSH", "k", "to", 0)
    blocked(harness, "BLMPOP", 0, 1, "k", "RIGHT", "COUNT", 9)
    harness.command("RPUSH", "k", "1", "2", "3", "4", "5", "6")
    assert sink.commands() == [
        [b"RPUSH", b"k", b"1", b"2", b"3", b"4", b"5", b"6"],
        [b"LPOP", b"k"],
        [b"RPOP", b"k"],
        [b"LMOVE", b"k", b"to", b"LEFT", b"RIGHT"],
        [b"RPOPLPUSH", b"k", b"to"],
        [b"RPOP", b"k", b"2"],
    ]


# Guards, which are asked again ----------------------------------------------------------


def test_a_pause_postpones_who_would_be_served(harness: EngineHarness) -> None:
    """A pause that begins with the push: the waiting command comes anew when it is over."""
    client = blocked(harness, "BLPOP", "k", 0)
    silent = harness.client()
    silent.send(encode("CLIENT", "REPLY", "SKIP") + encode("BLPOP", "k", 0))
    for words in (["MULTI"], ["CLIENT", "PAUSE", "100", "WRITE"], ["RPUSH", "k", "1", "2"]):
        harness.command(*words)
    assert harness.command("EXEC") == ["OK", 2]
    assert client.replies() == []
    assert harness.command("LLEN", "k") == 2
    harness.advance(100)
    assert client.replies() == [[b"k", b"1"]]
    assert silent.replies() == []
    assert harness.command("EXISTS", "k") == 0
    assert silent.command("PING") == "PONG"


def test_a_pause_does_not_keep_a_time_from_being_up(harness: EngineHarness) -> None:
    client = blocked(harness, "BLPOP", "k", 1)
    harness.command("CLIENT", "PAUSE", 5000, "ALL")
    harness.advance(1000)
    assert client.replies() == [None]


def test_no_move_beyond_the_memory_limit(harness: EngineHarness) -> None:
    client = blocked(harness, "BLMOVE", "k", "to", "LEFT", "LEFT", 0)
    other = blocked(harness, "BLPOP", "k", 0)
    harness.engine.memory.set_limit(harness.engine.memory.used() + 1)
    assert harness.command("RPUSH", "k", "1") == 1
    assert client.replies() == [
        ReplyError("OOM command not allowed when used memory > 'maxmemory'.")
    ]
    assert other.replies() == [[b"k", b"1"]]
    assert stats(harness, "blmove")["rejected_calls"] == "1"
