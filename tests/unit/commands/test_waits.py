"""WAIT, WAITAOF and reply gates, with sinks that a test moves by hand."""

import pytest

from hypercache.engine.journal import LOCAL_FILE, OTHER, REPLICA, Record, ReplyGate, Sink
from hypercache.testing.engine import NOTHING, EngineHarness


class ManualSink(Sink):
    """Takes records; they are safe when the test says so, or at once."""

    def __init__(self, role: int = OTHER, at_once: bool = False) -> None:
        super().__init__("manual", role)
        self.at_once = at_once
        self.offset = 0

    def write(self, records: list[Record]) -> None:
        self.offset = records[-1].offset
        if self.at_once:
            self.safe = self.offset

    def acknowledge(self, harness: EngineHarness, synced: bool = False) -> None:
        """Everything so far is safe; a replica has it on its disk too if ``synced``."""
        self.safe = self.offset
        if synced:
            self.synced = self.offset
        harness.engine.gates_moved()


def add_sink(harness: EngineHarness, role: int = OTHER, at_once: bool = False) -> ManualSink:
    """A new sink of an engine."""
    sink = ManualSink(role, at_once)
    harness.engine.settlement.add_sink(sink)
    return sink


def test_wait_counts_the_replicas_that_have_the_last_write(harness: EngineHarness) -> None:
    first = add_sink(harness, REPLICA)
    second = add_sink(harness, REPLICA)
    add_sink(harness, LOCAL_FILE, at_once=True)
    assert harness.command("WAIT", 2, 0) == 2
    harness.command("SET", "k", "v")
    assert harness.command("WAIT", 0, 0) == 0
    assert harness.command("WAIT", 2, 1000) is NOTHING
    first.acknowledge(harness)
    assert harness.first.replies() == []
    second.acknowledge(harness)
    assert harness.first.replies() == [2]


def test_wait_ends_when_its_time_is_up(harness: EngineHarness) -> None:
    first = add_sink(harness, REPLICA)
    add_sink(harness, REPLICA)
    harness.command("SET", "k", "v")
    assert harness.command("WAIT", 2, 1000) is NOTHING
    first.acknowledge(harness)
    harness.advance(999)
    assert harness.first.replies() == []
    harness.advance(1)
    assert harness.first.replies() == [1]
    assert harness.command("WAIT", 3, 0) is NOTHING
    harness.advance(10**9)
    assert harness.first.replies() == []


def test_a_timeout_beyond_all_clocks_is_none(harness: EngineHarness) -> None:
    assert harness.command("WAIT", 1, 2**62) is NOTHING
    harness.advance(10**9)
    assert harness.first.replies() == []


def test_wait_looks_at_what_this_client_has_written(harness: EngineHarness) -> None:
    replica = add_sink(harness, REPLICA)
    reader = harness.client()
    harness.command("SET", "k", "v")
    assert reader.command("WAIT", 1, 0) == 1
    assert harness.command("WAIT", 1, 0) is NOTHING
    replica.acknowledge(harness)
    assert harness.first.replies() == [1]


def test_requests_behind_a_wait_follow_it(harness: EngineHarness) -> None:
    replica = add_sink(harness, REPLICA)
    harness.first.send(b"SET k v\r\nWAIT 1 0\r\nINCR n\r\nWAIT 1 0\r\nGET n\r\n")
    assert harness.first.replies() == ["OK"]
    replica.acknowledge(harness)
    assert harness.first.replies() == [1, 1]
    replica.acknowledge(harness)
    assert harness.first.replies() == [1, b"1"]


def test_a_sink_that_is_safe_at_once_ends_the_wait_in_the_same_round(
    harness: EngineHarness,
) -> None:
    add_sink(harness, REPLICA, at_once=True)
    file = add_sink(harness, LOCAL_FILE, at_once=True)
    harness.first.send(b"SET k v\r\nWAIT 1 0\r\nINCR n\r\nWAITAOF 1 0 0\r\nINCR n\r\n")
    assert harness.first.replies() == ["OK", 1, 1, [1, 0], 2]
    assert file.offset == harness.engine.journal.offset


def test_waitaof_looks_at_disks(harness: EngineHarness) -> None:
    replica = add_sink(harness, REPLICA)
    file = add_sink(harness, LOCAL_FILE)
    harness.command("SET", "k", "v")
    assert harness.command("WAITAOF", 0, 0, 0) == [0, 0]
    assert harness.command("WAITAOF", 1, 1, 0) is NOTHING
    file.acknowledge(harness)
    replica.acknowledge(harness)
    assert harness.first.replies() == []
    replica.acknowledge(harness, synced=True)
    assert harness.first.replies() == [[1, 1]]
    harness.command("SET", "k", "v")
    assert harness.command("WAITAOF", 1, 0, 10) is NOTHING
    harness.advance(10)
    assert harness.first.replies() == [[0, 0]]


def test_nobody_waits_in_a_transaction(harness: EngineHarness) -> None:
    add_sink(harness, REPLICA)
    harness.script("SET k v\nMULTI\nSET k w\nWAIT 1 0")
    assert harness.command("EXEC") == ["OK", 0]


def test_a_client_that_goes_while_it_waits(harness: EngineHarness) -> None:
    replica = add_sink(harness, REPLICA)
    client = harness.client()
    client.command("SET", "k", "v")
    assert client.command("WAIT", 1, 10) is NOTHING
    client.disconnect()
    replica.acknowledge(harness)
    harness.advance(10)
    assert client.replies() == []
    assert not harness.engine.waits.parked


@pytest.mark.parametrize("write", ["SET k v", "FLUSHALL", "INCR n"])
def test_a_gate_holds_back_the_replies_to_writes(harness: EngineHarness, write: str) -> None:
    sink = add_sink(harness)
    harness.engine.delivery.add_gate(ReplyGate([sink], 1))
    other = harness.client()
    assert harness.command(*write.split()) is NOTHING
    assert other.command("PING") == "PONG"
    assert harness.command("PING") is NOTHING
    sink.acknowledge(harness)
    assert len(harness.first.replies()) == 2
    assert harness.command("PING") == "PONG"


def test_a_gate_holds_back_a_transaction(harness: EngineHarness) -> None:
    sink = add_sink(harness)
    harness.engine.delivery.add_gate(ReplyGate([sink], 1))
    harness.first.send(b"MULTI\r\nSET k v\r\nGET k\r\nEXEC\r\n")
    assert harness.first.replies() == []
    sink.acknowledge(harness)
    assert harness.first.replies() == ["OK", "QUEUED", "QUEUED", ["OK", b"v"]]
    assert harness.command("EXISTS", "k") == 1


def test_a_gate_that_is_passed_at_once_holds_nothing_back(harness: EngineHarness) -> None:
    sink = add_sink(harness, at_once=True)
    harness.engine.delivery.add_gate(ReplyGate([sink], 1))
    assert harness.script("SET k v\nMULTI\nSET k w\nEXEC\nFLUSHALL\nSET k v")[-1] == "OK"
