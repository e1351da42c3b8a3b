"""Clients that wait for keys: who is served, by what, and in which order."""

import pytest

from hypercache.testing.costs import seconds, within
from hypercache.testing.engine import NOTHING, EngineHarness, ManualClock
from hypercache.testing.resp import ReplyError, encode
from tests.support.sinks import MemorySink
from tests.support.waiting import blocked, info, stats

WRONG_TYPE = ReplyError("WRONGTYPE Operation against a key holding the wrong kind of value")


@pytest.fixture
def harness() -> EngineHarness:
    return EngineHarness()


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
    def measure() -> float:
        return seconds(lambda: harness.command("RPUSH", "k", "1"), 50)

    few = [blocked(harness, "BLPOP", "k", 0) for _ in range(150)]
    alone = min(measure() for _ in range(3))
    assert all(client.replies() == [[b"k", b"1"]] for client in few)
    many = [blocked(harness, "BLPOP", "k", 0) for _ in range(1500)]
    assert within(alone * 4, measure) <= alone * 4
    served = [len(client.replies()) for client in many]
    assert served == [1] * sum(served) + [0] * (1500 - sum(served))
