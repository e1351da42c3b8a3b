"""Reply gates: replies to writes stay until sinks have what was written, and nobody else waits."""

import pytest

from hypercache.engine.journal import REPLICA, Record, ReplyGate, Sink
from hypercache.testing.engine import NOTHING, EngineHarness, HarnessClient
from hypercache.testing.resp import ReplyError, encode
from tests.support.sinks import MemorySink, acknowledge


class Gated:
    """An engine whose replies to writes wait for one sink."""

    def __init__(self) -> None:
        self.harness = EngineHarness()
        self.engine = self.harness.engine
        self.sink = MemorySink()
        self.gate = ReplyGate([self.sink])
        self.engine.settlement.add_sink(self.sink)
        self.engine.delivery.add_gate(self.gate)
        self.client = self.harness.first

    def acknowledge(self, offset: int | None = None) -> None:
        acknowledge(self.harness, self.sink, offset)


@pytest.fixture
def gated() -> Gated:
    return Gated()


def pipeline(client: HarnessClient, *commands: tuple[str, ...]) -> None:
    """Send several commands in one piece."""
    client.send(b"".join(encode(*words) for words in commands))


def test_reply_waits_until_the_sink_is_safe(gated: Gated) -> None:
    assert gated.client.command("SET", "key", "value") is NOTHING
    assert gated.sink.commands() == [[b"SET", b"key", b"value"]]
    gated.harness.end_round()
    assert gated.client.replies() == []
    gated.acknowledge()
    assert gated.client.replies() == ["OK"]


def test_prompt_sink_delays_nothing(gated: Gated) -> None:
    gated.sink.prompt = True
    assert gated.client.command("SET", "key", "value") == "OK"


def test_partial_progress_lets_only_so_much_go(gated: Gated) -> None:
    for value in "123":
        gated.client.command("SET", "key", value)
    gated.acknowledge(2)
    assert gated.client.replies() == ["OK", "OK"]
    gated.acknowledge(3)
    assert gated.client.replies() == ["OK"]


def test_replies_of_one_batch_leave_together(gated: Gated) -> None:
    pipeline(gated.client, ("ECHO", "a"), ("INCR", "n"), ("INCR", "n"))
    gated.acknowledge(1)
    assert gated.client.replies() == []
    gated.acknowledge(2)
    assert gated.client.replies() == [b"a", 1, 2]


def test_reads_behind_a_held_write_wait_and_others_go_on(gated: Gated) -> None:
    other = gated.harness.client()
    gated.client.command("SET", "key", "value")
    assert gated.client.command("GET", "key") is NOTHING
    assert gated.client.command("PING") is NOTHING
    assert other.command("GET", "key") == b"value"
    assert other.command("PING") == "PONG"
    gated.acknowledge()
    assert gated.client.replies() == ["OK", b"value", "PONG"]
    assert gated.client.command("GET", "key") == b"value"


def test_write_that_changes_nothing_waits_for_nothing(gated: Gated) -> None:
    assert gated.client.command("DEL", "missing") == 0
    assert gated.client.command("SET", "key", "value", "XX") is None
    assert gated.sink.records == []


def test_failed_write_waits_for_nothing(gated: Gated) -> None:
    gated.client.command("SET", "key", "text")
    gated.acknowledge()
    expected = ReplyError("ERR value is not an integer or out of range")
    assert gated.client.command("INCR", "key") == expected


def test_silent_write_holds_the_next_reply(gated: Gated) -> None:
    """A client that wanted no reply to its write gets none to later requests before its time."""
    gated.client.send(encode("CLIENT", "REPLY", "SKIP") + encode("SET", "key", "value"))
    assert gated.client.command("PING") is NOTHING
    gated.acknowledge()
    assert gated.client.replies() == ["PONG"]


def test_transaction_is_one_record(gated: Gated) -> None:
    pipeline(
        gated.client,
        ("SET", "before", "1"),
        ("MULTI",),
        ("SET", "a", "1"),
        ("GET", "a"),
        ("INCR", "a"),
        ("EXEC",),
    )
    assert [len(record.effects) for record in gated.sink.records] == [1, 2]
    assert [record.offset for record in gated.sink.records] == [1, 3]
    gated.acknowledge(2)
    assert gated.client.replies() == []
    gated.acknowledge(3)
    assert gated.client.replies() == ["OK", "OK", "QUEUED", "QUEUED", "QUEUED", ["OK", b"1", 2]]


def test_transaction_that_only_reads_waits_for_nothing(gated: Gated) -> None:
    pipeline(gated.client, ("MULTI",), ("GET", "a"), ("EXEC",))
    assert gated.client.replies() == ["OK", "QUEUED", [None]]
    assert gated.sink.records == []


def test_every_gate_has_to_pass(gated: Gated) -> None:
    second = MemorySink("second")
    gated.engine.settlement.add_sink(second)
    gated.engine.delivery.add_gate(ReplyGate([second]))
    gated.client.command("SET", "key", "value")
    gated.acknowledge()
    assert gated.client.replies() == []
    acknowledge(gated.harness, second)
    assert gated.client.replies() == ["OK"]


def quorum(count: int, needed: int) -> tuple[EngineHarness, list[MemorySink]]:
    """An engine whose writes need some of its sinks."""
    harness = EngineHarness()
    sinks = [MemorySink(f"replica {number}", REPLICA) for number in range(count)]
    for sink in sinks:
        harness.engine.settlement.add_sink(sink)
    harness.engine.delivery.add_gate(ReplyGate(list(sinks), needed))
    return harness, sinks


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_quorum_of_two_of_three(order: tuple[int, int, int]) -> None:
    harness, sinks = quorum(3, 2)
    assert harness.command("SET", "key", "value") is NOTHING
    acknowledge(harness, sinks[order[0]])
    assert harness.first.replies() == []
    acknowledge(harness, sinks[order[1]])
    assert harness.first.replies() == ["OK"]
    acknowledge(harness, sinks[order[2]])
    assert harness.first.replies() == []


def test_quorum_survives_the_loss_of_a_sink_but_not_of_two() -> None:
    harness, sinks = quorum(3, 2)
    harness.engine.settlement.remove_sink(sinks[0])
    assert harness.command("INCR", "n") is NOTHING
    acknowledge(harness, sinks[1])
    acknowledge(harness, sinks[2])
    assert harness.first.replies() == [1]
    harness.engine.settlement.remove_sink(sinks[1])
    assert harness.command("INCR", "n") is NOTHING
    acknowledge(harness, sinks[2])
    assert harness.first.replies() == []
    harness.engine.settlement.remove_sink(sinks[2])
    assert harness.first.replies() == [], "with no sink left, nothing is safe"


def test_new_sink_has_not_what_came_before_it() -> None:
    """A replica that comes while a write is held does not count for that write."""
    harness, sinks = quorum(2, 2)
    harness.command("INCR", "n")
    acknowledge(harness, sinks[0])
    late = MemorySink("late", REPLICA)
    harness.engine.settlement.add_sink(late)
    harness.engine.journal.gates[0].sinks.append(late)
    harness.end_round()
    assert harness.first.replies() == []
    harness.command("INCR", "n")
    assert late.commands() == [[b"INCR", b"n"]]
    acknowledge(harness, late)
    assert harness.first.replies() == [1]
    acknowledge(harness, sinks[0])
    assert harness.first.replies() == [2]


def test_lifted_gate_lets_all_go(gated: Gated) -> None:
    gated.client.command("INCR", "n")
    gated.client.command("INCR", "n")
    gated.engine.delivery.remove_gate(gated.gate)
    assert gated.client.replies() == [1, 2]
    assert gated.client.command("INCR", "n") == 3
    gated.engine.delivery.remove_gate(gated.gate)


def test_gate_of_a_removed_sink_stays_until_it_is_lifted(gated: Gated) -> None:
    gated.client.command("INCR", "n")
    gated.engine.settlement.remove_sink(gated.sink)
    assert gated.client.replies() == []
    assert gated.harness.client().command("GET", "n") == b"1"
    gated.engine.delivery.remove_gate(gated.gate)
    assert gated.client.replies() == [1]
    assert not gated.engine.changes.journalled


def test_gate_concerns_only_writes_after_it() -> None:
    harness = EngineHarness()
    assert harness.command("INCR", "n") == 1
    sink = MemorySink()
    harness.engine.settlement.add_sink(sink)
    harness.engine.delivery.add_gate(ReplyGate([sink]))
    assert harness.command("GET", "n") == b"1", "the write before the gate has been told"
    assert harness.command("INCR", "n") is NOTHING


def test_what_has_passed_stays_passed(gated: Gated) -> None:
    gated.client.command("INCR", "n")
    gated.acknowledge()
    gated.engine.settlement.remove_sink(gated.sink)
    gated.client.replies()
    assert gated.client.command("GET", "n") == b"1"


def test_round_in_which_the_gate_passes_keeps_the_order(gated: Gated) -> None:
    """What is held leaves before what the round has brought."""
    gated.client.command("INCR", "n")
    gated.client.session.receive(encode("PING"))
    gated.sink.safe = 1
    gated.harness.end_round()
    assert gated.client.replies() == [1, "PONG"]


def test_gate_without_need_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        ReplyGate([], 0)


def test_client_that_goes_while_held_leaves_nothing(gated: Gated) -> None:
    other = gated.harness.client()
    other.command("INCR", "n")
    other.disconnect()
    assert gated.engine.delivery.gated == {}
    gated.client.command("INCR", "n")
    gated.acknowledge()
    assert other.replies() == []
    assert gated.client.replies() == [2]


def test_held_replies_are_kept_once_however_long_they_wait(gated: Gated) -> None:
    for _ in range(100):
        gated.client.command("INCR", "n")
    assert list(gated.engine.delivery.gated) == [gated.client.session.id]
    gated.acknowledge(99)
    assert gated.client.replies() == list(range(1, 100))
    assert len(gated.client.session.held) == 1


def test_output_limit_counts_held_bytes(gated: Gated) -> None:
    gated.engine.delivery.limit("normal", 1000, 0, 0)
    other = gated.harness.client()
    gated.client.command("SET", "key", "x" * 400)
    gated.client.command("GET", "key")
    assert gated.client.session.output_bytes > 400
    gated.client.command("GET", "key")
    gated.client.command("GET", "key")
    assert gated.client.closed
    assert gated.engine.counters.output_limit_disconnections == 1
    gated.acknowledge()
    assert gated.client.replies() == []
    assert other.command("PING") == "PONG"


def test_quit_behind_a_held_write_closes_after_its_reply(gated: Gated) -> None:
    gated.client.command("INCR", "n")
    gated.client.command("QUIT")
    assert not gated.client.closed
    gated.acknowledge()
    assert gated.client.replies() == [1, "OK"]
    assert gated.client.closed


def test_protocol_error_behind_a_held_write(gated: Gated) -> None:
    gated.client.send(encode("INCR", "n") + b"*1\r\n$-5\r\n")
    gated.client.send(encode("PING"))
    assert not gated.client.closed
    gated.acknowledge()
    assert gated.client.replies() == [1, ReplyError("ERR Protocol error: invalid bulk length")]
    assert gated.client.closed


def test_silent_client_that_quits_is_closed(gated: Gated) -> None:
    """Nothing is held for it, so nothing lets it go later."""
    gated.client.send(encode("CLIENT", "REPLY", "OFF") + encode("INCR", "n") + encode("QUIT"))
    assert gated.client.closed


def test_killed_client_is_closed_at_once(gated: Gated) -> None:
    gated.client.command("INCR", "n")
    other = gated.harness.client()
    assert other.command("CLIENT", "KILL", "ID", gated.client.session.id) == 1
    assert gated.client.closed
    gated.acknowledge()
    assert gated.client.replies() == []


def test_sink_that_moves_amid_a_command_does_no_harm(gated: Gated) -> None:
    """`gates_moved` within a round must neither end it nor let anything go too soon."""

    class Eager(Sink):
        def write(self, records: list[Record]) -> None:
            self.safe = records[-1].offset
            gated.engine.gates_moved()

    eager = Eager("eager")
    gated.engine.settlement.add_sink(eager)
    gated.engine.delivery.add_gate(ReplyGate([eager]))
    pipeline(gated.client, ("INCR", "n"), ("PING",), ("INCR", "n"))
    assert gated.client.replies() == []
    gated.acknowledge()
    assert gated.client.replies() == [1, "PONG", 2]


def test_sink_that_raises_is_out_and_its_gate_stays_shut(gated: Gated) -> None:
    class Broken(Sink):
        def write(self, records: list[Record]) -> None:
            raise OSError("disk on fire")

    broken = Broken("broken")
    gated.engine.settlement.add_sink(broken)
    gated.engine.delivery.add_gate(ReplyGate([broken]))
    with pytest.raises(OSError, match="disk on fire"):
        gated.client.command("INCR", "n")
    assert [report[1] for report in gated.harness.recorder.reports] == ["sink_failed"]
    assert gated.engine.journal.sinks == [gated.sink]
    gated.client.command("INCR", "n")
    gated.acknowledge()
    assert gated.client.replies() == []
    assert gated.sink.commands() == [[b"INCR", b"n"]] * 2


def test_owner_is_told_when_its_sink_raises(gated: Gated) -> None:
    class Broken(Sink):
        def write(self, records: list[Record]) -> None:
            raise OSError("disk on fire")

    told: list[Exception] = []
    broken = Broken("broken")
    broken.failed = told.append
    gated.engine.settlement.add_sink(broken)
    gated.client.command("INCR", "n")
    assert [str(error) for error in told] == ["disk on fire"]
    assert gated.harness.recorder.reports == []


def test_sink_added_amid_a_round_gets_only_what_follows(gated: Gated) -> None:
    late = MemorySink("late")
    gated.client.session.receive(encode("INCR", "n"))
    gated.engine.settlement.add_sink(late)
    gated.client.session.receive(encode("INCR", "n"))
    gated.harness.end_round()
    assert [record.offset for record in gated.sink.records] == [1, 2]
    assert [record.offset for record in late.records] == [2]


def test_offset_counts_changes_without_sinks() -> None:
    harness = EngineHarness()
    harness.command("SET", "a", "1")
    harness.command("GET", "a")
    harness.command("MSET", "b", "1", "c", "2")
    assert harness.engine.journal.offset == 2


def test_expiry_is_journalled_and_holds_nobody(gated: Gated) -> None:
    gated.client.command("SET", "key", "value", "PX", "10")
    gated.acknowledge()
    gated.client.replies()
    gated.harness.advance(11)
    assert gated.client.command("GET", "key") is None
    assert gated.sink.commands()[-1] == [b"DEL", b"key"]
