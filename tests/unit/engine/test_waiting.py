"""Parked clients: WAIT and WAITAOF, deadlines to the millisecond, who goes, what follows."""

import pytest

from hypercache.backend import BackendError
from hypercache.engine.journal import LOCAL_FILE, REPLICA, ReplyGate
from hypercache.engine.waiting import Parked, Timers, Wait
from hypercache.keyspace.kv_backend import KVBackend
from hypercache.testing.engine import NOTHING, EngineHarness
from hypercache.testing.resp import ReplyError, encode
from hypercache.testing.sorted_kv import SortedDictKV
from tests.support.sinks import MemorySink, acknowledge


class Replicated:
    """An engine with two replicas that acknowledge by hand."""

    def __init__(self) -> None:
        self.harness = EngineHarness()
        self.engine = self.harness.engine
        self.client = self.harness.first
        self.replicas = [MemorySink(f"replica {number}", REPLICA) for number in (1, 2)]
        for sink in self.replicas:
            self.engine.settlement.add_sink(sink)


@pytest.fixture
def replicated() -> Replicated:
    return Replicated()


def test_wait_ends_when_enough_replicas_have_it(replicated: Replicated) -> None:
    replicated.client.command("INCR", "n")
    assert replicated.client.command("WAIT", 2, 0) is NOTHING
    acknowledge(replicated.harness, replicated.replicas[0])
    assert replicated.client.replies() == []
    acknowledge(replicated.harness, replicated.replicas[1])
    assert replicated.client.replies() == [2]
    assert replicated.engine.waits.parked == {}


def test_wait_sees_a_replica_that_acknowledges_in_the_same_round(replicated: Replicated) -> None:
    replicated.replicas[0].prompt = True
    replicated.client.send(encode("INCR", "n") + encode("WAIT", 1, 0) + encode("PING"))
    assert replicated.client.replies() == [1, 1, "PONG"]


def test_wait_counts_only_replicas(replicated: Replicated) -> None:
    file = MemorySink("file", LOCAL_FILE, prompt=True)
    replicated.engine.settlement.add_sink(file)
    replicated.client.command("INCR", "n")
    assert replicated.client.command("WAIT", 1, 20) is NOTHING
    replicated.harness.advance(20)
    assert replicated.client.replies() == [0]


def test_wait_of_a_client_that_wrote_nothing_ends_at_once(replicated: Replicated) -> None:
    assert replicated.client.command("WAIT", 2, 0) == 2


def test_new_replica_has_nothing_yet(replicated: Replicated) -> None:
    """What the client wrote before the replica came is with it only when it says so."""
    replicated.client.command("INCR", "n")
    late = MemorySink("late", REPLICA)
    replicated.engine.settlement.add_sink(late)
    assert replicated.client.command("WAIT", 1, 0) is NOTHING
    acknowledge(replicated.harness, late)
    assert replicated.client.replies() == [1]


@pytest.mark.parametrize("milliseconds", [1, 2, 999, 60_000])
def test_deadline_to_the_millisecond(replicated: Replicated, milliseconds: int) -> None:
    replicated.client.command("INCR", "n")
    assert replicated.client.command("WAIT", 1, milliseconds) is NOTHING
    started = replicated.harness.clock.now
    if milliseconds > 1:
        replicated.harness.advance(milliseconds - 1)
        assert replicated.client.replies() == []
    assert replicated.engine.waits.timers.next_deadline() <= started + milliseconds * 1000
    replicated.harness.advance(1)
    assert replicated.client.replies() == [0]
    assert replicated.engine.waits.timers.next_deadline() == -1


def test_deadlines_end_in_their_order(replicated: Replicated) -> None:
    clients = {wait: replicated.harness.client() for wait in (30, 10, 20)}
    for wait, client in clients.items():
        client.command("INCR", "n")
        client.command("WAIT", 1, wait)
    for now in (10, 20, 30):
        replicated.harness.advance(10)
        done = [wait for wait, client in clients.items() if client.replies()]
        assert done == [now]


def test_nothing_behind_a_parked_request_runs_before_its_end(replicated: Replicated) -> None:
    client, other = replicated.client, replicated.harness.client()
    client.send(encode("INCR", "n") + encode("WAIT", 1, 50) + encode("INCR", "n"))
    client.send(encode("ECHO", "later"))
    assert client.replies() == [1]
    assert other.command("GET", "n") == b"1"
    replicated.harness.advance(50)
    assert client.replies() == [0, 2, b"later"]
    assert other.command("GET", "n") == b"2"


def test_parked_client_cannot_pile_up_requests(replicated: Replicated) -> None:
    replicated.engine.query_buffer_limit = 100_000
    replicated.client.command("INCR", "n")
    assert replicated.client.command("WAIT", 2, 0) is NOTHING
    for _ in range(99):
        replicated.client.send(b"x" * 1000)
    assert not replicated.client.closed
    replicated.client.send(b"x" * 2000)
    assert replicated.client.closed
    assert replicated.engine.counters.query_limit_disconnections == 1


def test_client_that_goes_while_parked_is_forgotten(replicated: Replicated) -> None:
    replicated.client.send(encode("INCR", "n") + encode("WAIT", 1, 50) + encode("INCR", "n"))
    replicated.client.disconnect()
    assert replicated.engine.waits.parked == {}
    assert replicated.engine.waits.timers.next_deadline() == -1
    acknowledge(replicated.harness, replicated.replicas[0])
    replicated.harness.advance(100)
    assert replicated.engine.waits.gate_waits == []
    assert replicated.harness.client().command("GET", "n") == b"1"


def test_killed_client_does_not_run_what_is_behind(replicated: Replicated) -> None:
    replicated.client.send(encode("INCR", "n") + encode("WAIT", 1, 0) + encode("INCR", "n"))
    other = replicated.harness.client()
    other.command("CLIENT", "KILL", "ID", replicated.client.session.id)
    acknowledge(replicated.harness, replicated.replicas[0])
    assert other.command("GET", "n") == b"1"


def test_paused_write_of_a_killed_client_is_not_run(replicated: Replicated) -> None:
    other = replicated.harness.client()
    other.command("CLIENT", "PAUSE", 1000, "WRITE")
    assert replicated.client.command("INCR", "n") is NOTHING
    other.send(
        encode("CLIENT", "KILL", "ID", replicated.client.session.id) + encode("CLIENT", "UNPAUSE")
    )
    assert other.command("GET", "n") is None


def test_paused_write_is_not_run_after_the_end_of_service(replicated: Replicated) -> None:
    """Not even when the client is still there, because a reply to it is held."""
    replicated.engine.delivery.add_gate(ReplyGate(replicated.replicas))
    replicated.client.command("INCR", "n")
    replicated.harness.client().command("CLIENT", "PAUSE", 1000, "WRITE")
    replicated.client.command("INCR", "n")
    replicated.engine.close_clients()
    replicated.harness.advance(2000)
    assert replicated.engine.journal.offset == 1


def test_waits_that_end_each_other_end_in_one_round(replicated: Replicated) -> None:
    first, second = replicated.client, replicated.harness.client()
    for client in (first, second):
        client.send(encode("INCR", "n") + encode("WAIT", 2, 0))
        client.replies()
    first.send(encode("CLIENT", "UNBLOCK", second.session.id))
    second.send(encode("PING"))
    for sink in replicated.replicas:
        acknowledge(replicated.harness, sink, 1)
    assert first.replies() == [2, 1]
    assert second.replies() == [0, "PONG"]


def test_postponed_clients_may_unblock_each_other(replicated: Replicated) -> None:
    first, second = replicated.client, replicated.harness.client()
    replicated.harness.client().command("CLIENT", "PAUSE", 1000)
    first.send(encode("CLIENT", "UNBLOCK", second.session.id))
    second.send(encode("PING"))
    replicated.harness.clock.now += 1_000_000
    replicated.harness.tick()
    assert first.replies() == [1]
    assert second.replies() == ["PONG"]


@pytest.mark.parametrize(
    ("reason", "reply"),
    [("TIMEOUT", 0), ("ERROR", ReplyError("UNBLOCKED client unblocked via CLIENT UNBLOCK"))],
)
def test_unblocked_client_goes_on(replicated: Replicated, reason: str, reply: object) -> None:
    replicated.client.send(encode("INCR", "n") + encode("WAIT", 1, 50) + encode("PING"))
    replicated.client.replies()
    other = replicated.harness.client()
    assert other.command("CLIENT", "UNBLOCK", replicated.client.session.id, reason) == 1
    assert replicated.client.replies() == [reply, "PONG"]
    replicated.harness.advance(100)
    assert replicated.client.replies() == []


def test_client_that_is_unblocked_may_park_again_at_once(replicated: Replicated) -> None:
    replicated.client.send(encode("INCR", "n") + encode("WAIT", 1, 10) + encode("WAIT", 1, 10))
    replicated.harness.advance(10)
    assert replicated.client.replies() == [1, 0]
    replicated.harness.advance(9)
    assert replicated.client.replies() == []
    replicated.harness.advance(1)
    assert replicated.client.replies() == [0]


def test_wait_in_a_transaction_does_not_wait(replicated: Replicated) -> None:
    client = replicated.client
    client.send(encode("MULTI") + encode("INCR", "n") + encode("WAIT", 2, 0) + encode("EXEC"))
    replies = client.replies()
    assert replies[-1] == [1, 2], "as many as have what was written before EXEC"
    assert replicated.engine.waits.parked == {}


def test_wait_behind_a_gate_keeps_the_order(replicated: Replicated) -> None:
    """The sink that ends the WAIT and lets the write go does so in one step."""
    sink = replicated.replicas[0]
    replicated.engine.delivery.add_gate(ReplyGate([sink]))
    client = replicated.client
    client.send(encode("INCR", "n") + encode("WAIT", 1, 0) + encode("PING") + encode("INCR", "n"))
    assert client.replies() == []
    acknowledge(replicated.harness, sink, 1)
    assert client.replies() == [1]
    acknowledge(replicated.harness, sink, 2)
    assert client.replies() == [1, "PONG", 2]


def test_waitaof_needs_the_local_file(replicated: Replicated) -> None:
    client = replicated.client
    assert client.command("WAITAOF", 1, 0, 0) == ReplyError(
        "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."
    )
    file = MemorySink("file", LOCAL_FILE)
    replicated.engine.settlement.add_sink(file)
    client.command("INCR", "n")
    assert client.command("WAITAOF", 1, 1, 0) is NOTHING
    acknowledge(replicated.harness, file)
    assert client.replies() == []
    replicated.replicas[1].synced = 1
    replicated.engine.gates_moved()
    assert client.replies() == [[1, 1]]


def test_end_of_service_closes_parked_clients_and_runs_nothing_more(
    replicated: Replicated,
) -> None:
    client, other = replicated.client, replicated.harness.client()
    client.send(encode("INCR", "n") + encode("WAIT", 1, 0) + encode("INCR", "n"))
    replicated.engine.close_clients()
    assert client.replies() == [1]
    assert client.closed
    assert other.closed
    assert replicated.engine.journal.offset == 1
    assert replicated.engine.sessions == {}


def test_end_of_service_keeps_clients_with_held_replies(replicated: Replicated) -> None:
    sink = replicated.replicas[0]
    replicated.engine.delivery.add_gate(ReplyGate([sink]))
    replicated.client.command("INCR", "n")
    replicated.engine.close_clients()
    assert not replicated.client.closed
    replicated.client.send(encode("INCR", "n"))
    assert replicated.engine.journal.offset == 1
    acknowledge(replicated.harness, sink)
    assert replicated.client.replies() == [1]
    assert replicated.client.closed


def test_who_comes_during_the_end_is_not_served(replicated: Replicated) -> None:
    replicated.engine.close_clients()
    late = replicated.harness.client()
    late.send(encode("INCR", "n"))
    assert late.replies() == []
    assert replicated.engine.journal.offset == 0


class Idle(Wait):
    """Waits for nothing but its deadline."""


def test_timers_forget_what_is_over() -> None:
    """Clients that block with a long deadline, and get their reply at once, leave no trace."""
    session = EngineHarness().first.session
    timers = Timers()
    kept = Parked(session, Idle(5_000_000))
    assert timers.add(5_000_000, kept)
    for count in range(10_000):
        parked = Parked(session, Idle(0))
        timers.add(9_000_000 + count, parked)
        timers.end(parked)
        assert len(timers) < 200
    assert timers.next_deadline() == 5_000_000
    assert timers.pop_due(4_999_999) is None
    assert timers.pop_due(5_000_000) is kept
    timers.end(kept)
    assert timers.pop_due(10**12) is None
    assert timers.next_deadline() == -1


def test_timers_give_what_is_due_in_order() -> None:
    session = EngineHarness().first.session
    timers = Timers()
    waits = [Parked(session, Idle(deadline)) for deadline in (30, 10, 20, 10)]
    assert [timers.add(each.wait.deadline, each) for each in waits] == [True, True, False, False]
    timers.end(waits[2])
    found = []
    while (parked := timers.pop_due(30)) is not None:
        found.append(waits.index(parked))
        timers.end(parked)
    assert found == [1, 3, 0]


class FullBackend(KVBackend):
    """A backend that refuses to commit on demand."""

    def __init__(self) -> None:
        super().__init__(SortedDictKV())
        self.refuses = False

    def commit(self) -> None:
        if self.refuses:
            raise BackendError("no space left on device")
        super().commit()


def test_refused_round_reaches_no_sink_and_whoever_saw_it_is_dropped() -> None:
    """Also a client that wants no replies: it would not learn otherwise that its write is lost."""
    backend = FullBackend()
    harness = EngineHarness(backend)
    sink = MemorySink(prompt=True)
    harness.engine.settlement.add_sink(sink)
    writer, reader, silent = harness.first, harness.client(), harness.client()
    early = harness.client()
    silent.send(encode("CLIENT", "REPLY", "OFF"))
    assert writer.command("INCR", "n") == 1
    backend.refuses = True
    early.session.receive(encode("GET", "n"))
    silent.session.receive(encode("INCR", "n"))
    writer.session.receive(encode("INCR", "n"))
    reader.session.receive(encode("GET", "n"))
    harness.end_round()
    for client in (writer, reader, silent):
        assert client.replies() == []
        assert client.closed
    assert early.replies() == [b"1"]
    assert harness.engine.journal.offset == 1
    backend.refuses = False
    assert early.command("GET", "n") == b"1"
    assert early.command("INCR", "m") == 1
    assert sink.commands() == [[b"INCR", b"n"], [b"INCR", b"m"]]
    assert [record.offset for record in sink.records] == [1, 2]
