"""Reply gates under random interleavings, compared with what they promise.

Invariant: a reply to a write leaves only when its offset has passed every gate, a client's
replies leave in the order of its requests, all that may leave has left, and nothing is lost.

The writes are ``INCR n`` by all clients: the reply is the journal's offset of that very write.
"""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from hypercache.engine.journal import ReplyGate
from hypercache.testing.engine import EngineHarness, HarnessClient
from hypercache.testing.resp import encode
from tests.support.sinks import MemorySink, acknowledge

CLIENTS = 3
SINKS = 3

Kind = st.sampled_from(("write", "read", "transaction"))
Send = st.tuples(
    st.just("send"), st.integers(0, CLIENTS - 1), st.lists(Kind, min_size=1, max_size=4)
)
# A sink acknowledges a share of what it has, in eighths.
Acknowledge = st.tuples(st.just("acknowledge"), st.integers(0, SINKS - 1), st.integers(1, 8))
Leave = st.tuples(st.just("leave"), st.integers(0, CLIENTS - 1), st.just(0))
Step = st.one_of(Send, Send, Send, Acknowledge, Acknowledge, Leave)


@dataclass
class Expected:
    """What a client has to get: replies in order, each with the offset that it waits for."""

    client: HarnessClient
    replies: list[tuple[object, int]] = field(default_factory=list)
    received: int = 0
    written: int = 0


class Model:
    """The engine under test and the rules of its gates, in the simplest terms."""

    def __init__(self, needed: int) -> None:
        self.harness = EngineHarness()
        self.needed = needed
        self.sinks = [MemorySink(str(number)) for number in range(SINKS)]
        for sink in self.sinks:
            self.harness.engine.settlement.add_sink(sink)
        # One gate of all sinks, and one of the first sink alone.
        self.harness.engine.delivery.add_gate(ReplyGate(list(self.sinks), needed))
        self.harness.engine.delivery.add_gate(ReplyGate(self.sinks[:1]))
        self.offset = 0
        self.echoes = 0
        self.clients = [Expected(self.harness.client()) for _ in range(CLIENTS)]

    def passed(self) -> int:
        quorum = sorted((sink.safe for sink in self.sinks), reverse=True)[self.needed - 1]
        return min(quorum, self.sinks[0].safe)

    def send(self, who: Expected, kinds: list[str]) -> None:
        data = b""
        replies: list[object] = []
        for kind in kinds:
            if kind == "read":
                self.echoes += 1
                data += encode("ECHO", self.echoes)
                replies.append(b"%d" % self.echoes)
                continue
            self.offset += 1
            who.written = self.offset
            if kind == "write":
                data += encode("INCR", "n")
                replies.append(self.offset)
            else:
                data += encode("MULTI") + encode("INCR", "n") + encode("EXEC")
                replies += ["OK", "QUEUED", [self.offset]]
        # Replies of one batch leave together, with its last write.
        who.replies += [(reply, who.written) for reply in replies]
        who.client.send(data)

    def check(self) -> None:
        """Compare what has arrived with what was to arrive by now."""
        passed = self.passed()
        for who in self.clients:
            due = who.received
            while due < len(who.replies) and who.replies[due][1] <= passed:
                due += 1
            expected = [reply for reply, _ in who.replies[who.received : due]]
            assert who.client.replies() == expected
            who.received = due


@settings(max_examples=150, deadline=None)
@given(st.lists(Step, min_size=5, max_size=40), st.integers(1, SINKS))
def test_replies_leave_in_order_and_not_too_soon(
    steps: list[tuple[str, int, object]], needed: int
) -> None:
    model = Model(needed)
    for action, index, detail in steps:
        if action == "send":
            assert isinstance(detail, list)
            model.send(model.clients[index], detail)
        elif action == "acknowledge":
            assert isinstance(detail, int)
            sink = model.sinks[index]
            acknowledge(model.harness, sink, max(sink.safe, sink.last() * detail // 8))
        else:
            model.clients[index].client.disconnect()
            model.clients[index] = Expected(model.harness.client())
        model.check()
    for sink in model.sinks:
        assert sink.commands() == [[b"INCR", b"n"]] * model.offset
        acknowledge(model.harness, sink)
    model.check()
    assert all(who.received == len(who.replies) for who in model.clients)
    assert model.harness.engine.delivery.gated == {}
