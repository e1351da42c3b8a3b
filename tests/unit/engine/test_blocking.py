"""Clients that wait for keys: in which order they are served, by what, and what ends it."""

import time

import pytest

from hypercache.engine.journal import REPLICA
from hypercache.testing.engine import NOTHING, EngineHarness, HarnessClient, ManualClock
from hypercache.testing.resp import Argument, ReplyError, encode
from tests.support.sinks import MemorySink

WRONG_TYPE = ReplyError("WRONGTYPE Operation against a key holding the wrong kind of value")


@pytest.fixture
def harness() -> EngineHarness:
    return EngineHarness()


def blocked(harness: EngineHarness, *arguments: Argument, version: int = 2) -> HarnessClient:
    """A new client that waits."""
    client = harness.client(version)
    assert client.command(*arguments) is NOTHING
    return client


def info(harness: EngineHarness, section: str, name: str) -> str:
    """A field of INFO."""
    reply = harness.command("INFO", section)
    assert isinstance(reply, bytes)
    fields = dict(line.split(":", 1) for line in reply.decode().split("\r\n") if ":" in line)
    return fields[name]


def stats(harness: EngineHarness, command: str) -> dict[str, str]:
    """What INFO commandstats says of a command; empty if it was never called."""
    reply = harness.command("INFO", "commandstats")
    assert isinstance(reply, bytes)
    for line in reply.decode().split("\r\n"):
        if line.startswith(f"cmdstat_{command}:"):
            return dict(field.split("=") for field in line.partition(":")[2].split(","))
    return {}


# Who is served --------------------------------------------------------------------------


def test_first_come_first_served(harness: EngineHarness) -> None:
    clients = [blocked(harness, "BLPOP", "k", 0) for _ in range(3)]
    assert harness.command("RPUSH", "k", "1", "2") == 2
    assert [client.replies() for client in clients] == [[[b"k", b"1"]], [[b"k", b"2"]], []]
    assert harness.command("EXISTS", "k") == 0
    assert harness.command("RPUSH", "k", "3") == 1
    assert clients[2].replies() == [[b"k", b"3"]]
    assert len(harness.engine.blocked) == 0


def test_different_commands_wait_in_one_queue(harness: EngineHarness) -> None:
    first = blocked(harness, "BRPOP", "k", 0)
    second = blocked(harness, "BLMPOP", 0, 2, "x", "k", "LEFT", "COUNT", 2)
    third = blocked(harness, "BLMOVE", "k", "to", "RIGHT", "LEFT", 0)
    harness.command("RPUSH", "k", "1", "2", "3", "4", "5")
    assert first.replies() == [[b"k", b"5"]]
    assert second.replies() == [[b"k", [b"1", b"2"]]]
    assert third.replies() == [b"4"]
    assert harness.command("LRANGE", "k", 0, -1) == [b"3"]
    assert harness.command("LRANGE", "to", 0, -1) == [b"4"]


def test_what_follows_a_request_runs_after_it_is_served(harness: EngineHarness) -> None:
    client = harness.client()
    client.send(encode("BLPOP", "k", 0) + encode("RPUSH", "k", "mine") + encode("PING"))
    assert client.replies() == []
    harness.command("RPUSH", "k", "1")
    assert client.replies() == [[b"k", b"1"], 1, "PONG"]
    assert harness.command("LRANGE", "k", 0, -1) == [b"mine"]


def test_elements_are_there_when_the_pushing_client_looks(harness: EngineHarness) -> None:
    """The push is answered with the length that it made, and what follows it sees the pop."""
    client = blocked(harness, "BLPOP", "k", 0)
    harness.first.send(encode("RPUSH", "k", "1") + encode("LLEN", "k") + encode("RPUSH", "k", "2"))
    assert harness.first.replies() == [1, 0, 1]
    assert client.replies() == [[b"k", b"1"]]


def test_key_order_decides_among_keys_that_are_ready_together(harness: EngineHarness) -> None:
    client = blocked(harness, "BLPOP", "a", "b", "c", 0)
    harness.first.send(
        b"".join(encode(*words) for words in (["MULTI"], ["RPUSH", "c", "1"], ["RPUSH", "b", "2"]))
        + encode("EXEC")
    )
    assert client.replies() == [[b"b", b"2"]]
    assert harness.command("LLEN", "c") == 1


def test_keys_are_served_in_the_order_in_which_they_became_ready(harness: EngineHarness) -> None:
    """A key that held something else for a moment is not ready before it is a list."""
    to_a = blocked(harness, "BLMOVE", "a", "all", "LEFT", "RIGHT", 0)
    to_b = blocked(harness, "BLMOVE", "b", "all", "LEFT", "RIGHT", 0)
    for words in (["MULTI"], ["SET", "a", "x"], ["RPUSH", "b", "1"], ["DEL", "a"]):
        harness.command(*words)
    harness.command("RPUSH", "a", "2")
    harness.command("EXEC")
    assert to_a.replies() == [b"2"]
    assert to_b.replies() == [b"1"]
    assert harness.command("LRANGE", "all", 0, -1) == [b"1", b"2"]


def test_the_same_key_twice(harness: EngineHarness) -> None:
    client = blocked(harness, "BLPOP", "k", "k", 0)
    assert info(harness, "clients", "total_blocking_keys") == "1"
    harness.command("RPUSH", "k", "1", "2")
    assert client.replies() == [[b"k", b"1"]]
    assert harness.command("LLEN", "k") == 1
    assert len(harness.engine.blocked) == 0


def test_served_by_one_key_a_client_waits_for_no_other(harness: EngineHarness) -> None:
    client = blocked(harness, "BLPOP", "a", "b", 0)
    harness.command("RPUSH", "b", "1")
    assert client.replies() == [[b"b", b"1"]]
    harness.command("RPUSH", "a", "2")
    assert client.replies() == []
    assert harness.command("LLEN", "a") == 1


def test_waiting_is_for_keys_of_the_own_database(harness: EngineHarness) -> None:
    client = harness.client()
    client.command("SELECT", 3)
    assert client.command("BLPOP", "k", 0) is NOTHING
    harness.command("RPUSH", "k", "in 0")
    assert client.replies() == []
    harness.command("SELECT", 3)
    harness.command("RPUSH", "k", "in 3")
    assert client.replies() == [[b"k", b"in 3"]]


# What makes a key ready -----------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        "RENAME other k",
        "RENAMENX other k",
        "COPY other k",
        "COPY other k DB 0 REPLACE",
        "RPOPLPUSH other k",
        "LMOVE other k LEFT LEFT",
        "SORT other ALPHA STORE k",
    ],
)
def test_a_list_that_arrives_is_served(harness: EngineHarness, words: str) -> None:
    client = blocked(harness, "BLPOP", "k", 0)
    harness.command("RPUSH", "other", "1")
    harness.command(*words.split())
    assert client.replies() == [[b"k", b"1"]]
    assert harness.command("EXISTS", "k") == 0


def test_a_list_that_comes_from_another_database_is_served(harness: EngineHarness) -> None:
    moved, swapped, copied = (blocked(harness, "BLPOP", key, 0) for key in ("m", "s", "c"))
    harness.command("SELECT", 1)
    for key in ("m", "s", "c"):
        harness.command("RPUSH", key, key)
    harness.command("MOVE", "m", 0)
    assert moved.replies() == [[b"m", b"m"]]
    harness.command("COPY", "c", "c", "DB", 0)
    assert copied.replies() == [[b"c", b"c"]]
    harness.command("DEL", "c")
    harness.command("SWAPDB", 0, 1)
    assert swapped.replies() == [[b"s", b"s"]]
    assert copied.replies() == []


def test_a_dumped_list_that_is_restored_is_served(harness: EngineHarness) -> None:
    harness.command("RPUSH", "other", "1")
    dumped = harness.command("DUMP", "other")
    assert isinstance(dumped, bytes)
    client = blocked(harness, "BLPOP", "k", 0)
    assert harness.command("RESTORE", "k", 0, dumped) == "OK"
    assert client.replies() == [[b"k", b"1"]]


def test_a_list_that_is_gone_again_serves_nobody(harness: EngineHarness) -> None:
    client = blocked(harness, "BLPOP", "k", 0)
    for words in (["MULTI"], ["RPUSH", "k", "1"], ["DEL", "k"], ["EXEC"]):
        harness.command(*words)
    assert client.replies() == []
    for words in (["MULTI"], ["RPUSH", "k", "1"], ["DEL", "k"], ["RPUSH", "k", "2"], ["EXEC"]):
        harness.command(*words)
    assert client.replies() == [[b"k", b"2"]]


def test_a_transaction_is_served_as_a_whole(harness: EngineHarness) -> None:
    client = blocked(harness, "BLPOP", "k", 0)
    for words in (["MULTI"], ["RPUSH", "k", "1"], ["RPUSH", "k", "2"], ["LPUSH", "k", "0"]):
        harness.command(*words)
    assert harness.command("EXEC") == [1, 2, 3]
    assert client.replies() == [[b"k", b"0"]]
    assert harness.command("LRANGE", "k", 0, -1) == [b"1", b"2"]


def test_a_value_of_another_kind_is_no_end(harness: EngineHarness) -> None:
    client = blocked(harness, "BLPOP", "k", 0)
    harness.command("SET", "k", "string")
    harness.command("DEL", "k")
    harness.command("HSET", "k", "f", "v")
    assert client.replies() == []
    harness.command("DEL", "k")
    harness.command("RPUSH", "k", "1")
    assert client.replies() == [[b"k", b"1"]]


def test_a_wrong_kind_before_the_list_is_an_error_when_served(harness: EngineHarness) -> None:
    client = blocked(harness, "BLPOP", "a", "b", 0)
    harness.command("SET", "a", "string")
    assert client.replies() == []
    harness.command("RPUSH", "b", "1")
    assert client.replies() == [WRONG_TYPE]
    assert harness.command("LLEN", "b") == 1
    assert stats(harness, "blpop")["failed_calls"] == "1"


def test_a_target_of_the_wrong_kind_lets_the_next_client_have_it(harness: EngineHarness) -> None:
    harness.command("SET", "to", "string")
    first = blocked(harness, "BLMOVE", "k", "to", "LEFT", "LEFT", 0)
    second = blocked(harness, "BLPOP", "k", 0)
    harness.command("RPUSH", "k", "1")
    assert first.replies() == [WRONG_TYPE]
    assert second.replies() == [[b"k", b"1"]]


def test_a_list_past_its_deadline_serves_nobody(harness: EngineHarness) -> None:
    harness.command("RPUSH", "other", "1")
    harness.command("PEXPIRE", "other", 5)
    client = blocked(harness, "BLPOP", "k", 0)
    harness.command("RENAME", "other", "k")
    assert client.replies() == [[b"k", b"1"]]
    again = blocked(harness, "BLPOP", "k", 0)
    harness.command("RPUSH", "other", "1")
    harness.command("PEXPIRE", "other", 5)
    harness.clock.now += 6000
    assert harness.command("RENAME", "other", "k") == ReplyError("ERR no such key")
    assert again.replies() == []


class TickingClock(ManualClock):
    """Ten milliseconds pass whenever somebody looks."""

    def microseconds(self) -> int:
        self.now += 10_000
        return self.now


def test_a_list_that_expires_while_its_transaction_runs_serves_nobody() -> None:
    harness = EngineHarness()
    sink = MemorySink()
    harness.engine.settlement.add_sink(sink)
    client = blocked(harness, "BRPOP", "k", 0)
    for words in (["MULTI"], ["RPUSH", "k", "hello"], ["PEXPIRE", "k", "15"], ["PING"], ["PING"]):
        harness.command(*words)
    harness.engine.clock = TickingClock(harness.clock.now)
    harness.command("EXEC")
    assert client.replies() == []
    assert [args[0] for args in sink.commands()] == [b"RPUSH", b"PEXPIREAT"]
    assert harness.command("EXISTS", "k") == 0
    assert sink.commands()[-1] == [b"DEL", b"k"]


def test_a_swapped_list_past_its_deadline_stays_until_somebody_looks(
    harness: EngineHarness,
) -> None:
    sink = MemorySink()
    harness.engine.settlement.add_sink(sink)
    harness.command("SELECT", 1)
    harness.command("RPUSH", "k", "hello")
    harness.command("PEXPIRE", "k", 100)
    client = harness.client()
    client.command("SELECT", 9)
    assert client.command("BRPOP", "k", 1) is NOTHING
    harness.clock.now += 101_000
    harness.command("SWAPDB", 1, 9)
    assert client.replies() == []
    assert sink.commands()[-1] == [b"SWAPDB", b"1", b"9"]
    harness.command("CLIENT", "UNBLOCK", client.session.id)
    assert client.command("EXISTS", "k") == 0
    assert sink.commands()[-1] == [b"DEL", b"k"]


# Chains ---------------------------------------------------------------------------------


def test_a_chain_of_moves_is_followed_to_its_end(harness: EngineHarness) -> None:
    last = blocked(harness, "BLPOP", "c", 0)
    second = blocked(harness, "BRPOPLPUSH", "b", "c", 0)
    first = blocked(harness, "BLMOVE", "a", "b", "LEFT", "RIGHT", 0)
    harness.command("RPUSH", "a", "1")
    assert first.replies() == [b"1"]
    assert second.replies() == [b"1"]
    assert last.replies() == [[b"c", b"1"]]
    assert harness.command("DBSIZE") == 0


def test_moves_in_a_circle_end(harness: EngineHarness) -> None:
    self_serving = blocked(harness, "BLMOVE", "a", "a", "LEFT", "RIGHT", 0)
    there = blocked(harness, "BLMOVE", "a", "b", "LEFT", "RIGHT", 0)
    back = blocked(harness, "BLMOVE", "b", "a", "LEFT", "RIGHT", 0)
    harness.command("RPUSH", "a", "1")
    for client in (self_serving, there, back):
        assert client.replies() == [b"1"]
    assert harness.command("LRANGE", "a", 0, -1) == [b"1"]


def test_nothing_comes_between_a_push_and_all_that_follows(harness: EngineHarness) -> None:
    sink = MemorySink()
    harness.engine.settlement.add_sink(sink)
    blocked(harness, "BLMOVE", "src", "dst", "LEFT", "RIGHT", 0)
    blocked(harness, "BLMOVE", "dst", "src", "RIGHT", "LEFT", 0)
    pipeline = (["SET", "key1", "v"], ["LPUSH", "src", "e"], ["SET", "key2", "v"])
    harness.first.send(b"".join(encode(*words) for words in pipeline))
    assert [b" ".join(args) for args in sink.commands()] == [
        b"SET key1 v",
        b"LPUSH src e",
        b"LMOVE src dst LEFT RIGHT",
        b"LMOVE dst src RIGHT LEFT",
        b"SET key2 v",
    ]


def test_who_pushes_after_a_wait_serves_others(harness: EngineHarness) -> None:
    client = harness.client()
    client.send(encode("BLPOP", "a", 0) + encode("RPUSH", "b", "2") + encode("BLPOP", "a", 0))
    other = blocked(harness, "BLPOP", "b", 0)
    harness.command("RPUSH", "a", "1")
    assert client.replies() == [[b"a", b"1"], 1]
    assert other.replies() == [[b"b", b"2"]]
    harness.command("RPUSH", "a", "3")
    assert client.replies() == [[b"a", b"3"]]


# Many -----------------------------------------------------------------------------------


def test_many_clients_on_one_key_cost_each_push_nothing(harness: EngineHarness) -> None:
    def seconds() -> float:
        best = 1e9
        for _ in range(3):
            began = time.perf_counter()
            for _ in range(50):
                harness.command("RPUSH", "k", "1")
            best = min(best, time.perf_counter() - began)
        return best

    few = [blocked(harness, "BLPOP", "k", 0) for _ in range(150)]
    alone = seconds()
    assert all(client.replies() == [[b"k", b"1"]] for client in few)
    many = [blocked(harness, "BLPOP", "k", 0) for _ in range(1500)]
    assert seconds() < alone * 4
    assert [len(client.replies()) for client in many] == [1] * 150 + [0] * 1350


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
    harness.engine.set_max_memory(harness.engine.used_memory() + 1)
    assert harness.command("RPUSH", "k", "1") == 1
    assert client.replies() == [
        ReplyError("OOM command not allowed when used memory > 'maxmemory'.")
    ]
    assert other.replies() == [[b"k", b"1"]]
    assert stats(harness, "blmove")["rejected_calls"] == "1"
