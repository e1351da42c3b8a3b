"""Backends that fail under the server: it answers errors, undoes, goes on, and keeps its word.

The clients keep account of what they were told. Whatever call of the store fails, everything
that was acknowledged is there afterwards, and nothing that was answered with an error.
"""

from collections.abc import Callable
from random import Random

import pytest

from hypercache.backend import Backend, BackendError, BackendFull
from hypercache.keyspace.kv_backend import KVBackend
from hypercache.testing import FaultPlan, FaultyBackend, FaultyKV, SortedDictKV
from hypercache.testing.engine import EngineHarness, HarnessClient, ManualClock
from hypercache.testing.resp import ReplyError, encode

ROUNDS = 12
CLIENTS = 4
#: Calls of the store that are made to fail, one a run.
PLACES = 30

Make = Callable[[FaultPlan], Backend]


def over_faulty_store(plan: FaultPlan) -> Backend:
    return KVBackend(FaultyKV(SortedDictKV(), plan))


def around_backend(plan: FaultPlan) -> Backend:
    return FaultyBackend(KVBackend(SortedDictKV()), plan)


BACKENDS = [over_faulty_store, around_backend]


class Account:
    """A client and what it was told: its own keys carry its name."""

    def __init__(self, harness: EngineHarness, name: int) -> None:
        self.harness = harness
        self.name = name
        self.client = harness.client()
        self.counter = 0
        self.pushed = 0
        self.pairs = 0
        self.fields = 0
        self.asked: list[str] = []

    def key(self, what: str) -> str:
        return f"{what}:{self.name}"

    def ask(self, chance: Random) -> None:
        """Send a few requests; the round is not over yet."""
        if self.client.closed:
            self.client = self.harness.client()
        for _ in range(1 + chance.randrange(3)):
            what = chance.choice(("counter", "list", "pair", "transaction", "hash", "read", "due"))
            self.asked.append(what)
            self.client.session.receive(self.request(what))

    def request(self, what: str) -> bytes:
        match what:
            case "counter":
                return encode("INCR", self.key("counter"))
            case "list":
                return encode("RPUSH", self.key("list"), "element" * 20)
            case "pair":
                number = str(self.pairs + len(self.asked)) + "." * 3000
                return encode("MSET", self.key("left"), number, self.key("right"), number)
            case "transaction":
                commands = [("MULTI",), *(("INCR", self.key(each)) for each in "ab"), ("EXEC",)]
                return b"".join(encode(*words) for words in commands)
            case "hash":
                key, field = self.key("hash"), str(len(self.asked))
                return encode("HSETNX", key, f"{self.fields}.{field}.{self.name}", "v")
            case "due":
                return encode("SET", self.key("due"), "v", "PX", 5)
        return encode("GET", self.key("left"))

    def listen(self) -> None:
        """Note what was answered; a client that was dropped was told nothing."""
        replies = self.client.replies()
        asked, self.asked = self.asked, []
        expected = sum(4 if what == "transaction" else 1 for what in asked)
        if self.client.closed:
            assert replies == []
            return
        assert len(replies) == expected, "every request has its reply"
        for what in asked:
            answer = replies.pop(0)
            if what == "transaction":
                answer = replies[2]
                del replies[:3]
            self.note(what, answer)

    def note(self, what: str, answer: object) -> None:
        failed = isinstance(answer, ReplyError)
        if what == "counter" and not failed:
            self.counter += 1
            assert answer == self.counter
        elif what == "list" and not failed:
            self.pushed += 1
            assert answer == self.pushed
        elif what == "pair":
            self.pairs += 1
        elif what == "hash" and not failed:
            assert answer == 1
            self.fields += 1

    def check(self) -> None:
        """What is there is what it was told."""
        client = self.harness.client()
        counted = client.command("GET", self.key("counter"))
        assert counted == (str(self.counter).encode() if self.counter else None)
        assert client.command("LLEN", self.key("list")) == self.pushed
        assert client.command("HLEN", self.key("hash")) == self.fields
        for first, second in (("left", "right"), ("a", "b")):
            pair = client.command("MGET", self.key(first), self.key(second))
            assert isinstance(pair, list)
            assert pair[0] == pair[1], "MSET and EXEC are all or nothing"


def play(harness: EngineHarness) -> list[Account]:
    """Some rounds of some clients; time passes, and the background has its turns."""
    chance = Random(5)
    accounts = [Account(harness, name) for name in range(CLIENTS)]
    for _ in range(ROUNDS):
        for account in accounts:
            account.ask(chance)
        harness.end_round()
        for account in accounts:
            account.listen()
        harness.clock.now += 3_000
        harness.engine.background.tick(1000)
        harness.end_round()
    return accounts


def check_all(harness: EngineHarness, accounts: list[Account]) -> None:
    for account in accounts:
        account.check()
    harness.advance(6_000)
    harness.tick()
    for keyspace in harness.engine.keyspaces:
        assert keyspace.store.check() == []
    assert harness.command("SET", "afterwards", "fine") == "OK"


def count_calls(make: Make) -> int:
    plan = FaultPlan()
    harness = EngineHarness(make(plan), databases=2)
    before = plan.calls
    accounts = play(harness)
    calls = plan.calls - before
    check_all(harness, accounts)
    return calls


def failures(harness: EngineHarness) -> list[str]:
    return [event for level, event, _ in harness.recorder.reports if level == "error"]


@pytest.mark.parametrize("make", BACKENDS, ids=lambda make: make.__name__)
@pytest.mark.parametrize("times", [1, 7])
def test_server_keeps_its_word_whatever_fails(make: Make, times: int) -> None:
    calls = count_calls(make)
    told = 0
    for number in range(0, calls // 2, max(calls // 2 // PLACES, 1)):
        plan = FaultPlan()
        harness = EngineHarness(make(plan), databases=2)
        kind = BackendFull if number % 2 else BackendError
        plan.raise_at(1 + number, kind("the store fails on purpose"), times=times)
        accounts = play(harness)
        assert plan.happened > 0
        plan.forget()
        check_all(harness, accounts)
        told += bool(failures(harness))
    assert told > PLACES // 2, "the operator is told"


@pytest.mark.parametrize("make", BACKENDS, ids=lambda make: make.__name__)
def test_stalls_lose_nothing(make: Make) -> None:
    """A call takes ten minutes: what was due meanwhile is gone, all else is as it was told."""
    calls = count_calls(make)
    for number in range(0, calls // 2, calls // 30):
        plan = FaultPlan()
        harness = EngineHarness(make(plan), databases=2)
        clock = harness.clock

        def sleep(clock: ManualClock = clock) -> None:
            clock.now += 600_000_000

        plan.stall_at(1 + number, sleep, times=3)
        accounts = play(harness)
        assert plan.happened == 3
        check_all(harness, accounts)
        assert failures(harness) == []


def test_full_backend_answers_errors_and_reads_go_on() -> None:
    plan = FaultPlan()
    harness = EngineHarness(around_backend(plan))
    harness.command("SET", "key", "value")
    harness.command("RPUSH", "list", "a", "b", "c")
    for call in ("put", "create"):
        plan.raise_at(1, BackendFull("the disk is full: free some"), call=call, times=1 << 30)
    bystander = harness.client()
    for _ in range(3):
        for words in (("SET", "key", "other"), ("SADD", "set", "member"), ("APPEND", "key", "!")):
            found = harness.command(*words)
            assert isinstance(found, ReplyError)
            assert "the disk is full: free some" in found.text
        assert harness.command("GET", "key") == b"value"
        assert bystander.command("LRANGE", "list", 0, -1) == [b"a", b"b", b"c"]
        assert bystander.command("EXISTS", "set") == 0
    assert bystander.command("LPOP", "list") == b"a"
    assert bystander.command("DEL", "key") == 1
    plan.forget()
    assert harness.command("SET", "key", "fits again") == "OK"


@pytest.mark.parametrize("call", ["find", "memory", "scan", "sample", "due"])
def test_call_that_always_fails_ends_nobody(call: str) -> None:
    """Only what needs it fails; the server, and clients that need it not, go on."""
    plan = FaultPlan()
    harness = EngineHarness(around_backend(plan))
    harness.command("SET", "key", "value", "EX", 100)
    plan.raise_at(1, BackendError("unreadable"), call=call, times=1 << 30)
    asked: list[HarnessClient] = []
    for words in (
        ("GET", "key"),
        ("INFO",),
        ("SCAN", 0),
        ("RANDOMKEY",),
        ("SET", "other", "value"),
        ("MEMORY", "USAGE", "key"),
        ("BLPOP", "list", 0),
    ):
        client = harness.client()
        asked.append(client)
        client.send(encode(*words))
        harness.engine.background.tick(100)
        harness.end_round()
        assert harness.client().command("PING") == "PONG"
    plan.forget()
    assert harness.client().command("GET", "key") == b"value"
    for keyspace in harness.engine.keyspaces:
        assert keyspace.store.check() == []
