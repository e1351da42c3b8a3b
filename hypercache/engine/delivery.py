"""Replies on their way out: what leaves, what a gate holds back, and who does not read."""

from typing import TYPE_CHECKING

from mypy_extensions import i64

from hypercache.engine.journal import BEYOND, ReplyGate
from hypercache.engine.session import Held, Session

if TYPE_CHECKING:
    from hypercache.engine.engine import Engine


class Delivery:
    """The output of all sessions, let go at the end of each round.

    ``hard_limit`` and ``soft_limit`` are bytes of unread output at which a client is cut off,
    at once or after ``soft_seconds``; 0 is no limit. ``limits_output`` tells whether there is any.
    """

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self.outgoing: list[Session] = []
        self.doomed: list[Session] = []
        self.dropped: list[Session] = []
        # Sessions with held replies, and how far the gates had let go when last looked at.
        self.gated: dict[int, Session] = {}
        self.released: i64 = 0
        self.limits_output = False
        self.hard_limit: i64 = 0
        self.soft_limit: i64 = 0
        self.soft_seconds: i64 = 0

    def schedule(self, session: Session) -> None:
        """Have a session's output delivered at the end of the round."""
        if not session.outgoing:
            session.outgoing = True
            self.outgoing.append(session)

    def kill(self, session: Session) -> None:
        """Close a client's connection at the end of this round, without waiting for it."""
        session.closing = True
        self.doomed.append(session)

    def drop(self, session: Session) -> None:
        """Close a client's connection at the end of this round without another word.

        What it was told in the round is not true any more.
        """
        session.closing = True
        self.dropped.append(session)

    def drop_held(self, passed: i64) -> None:
        """Drop the clients whose replies wait for more than ``passed``, which never comes."""
        for session in list(self.gated.values()):
            if session.held and session.held[-1].offset > passed:
                self.drop(session)
        self.engine.gates_moved()

    def deliver(self) -> None:
        """Let the round's replies leave, but those of the doomed and those behind a gate."""
        while self.dropped:
            session = self.dropped.pop()
            session.take()
            session.held = []
            session.outlet.close()
        passed: i64 = self.engine.journal.passed() if self.engine.journal.gates else BEYOND
        outgoing = self.outgoing
        if outgoing:
            self.outgoing = []
            for session in outgoing:
                session.outgoing = False
                if session.held or (session.written > passed and session.output):
                    self.hold(session)
                else:
                    session.outlet.deliver()
        if self.gated and passed != self.released:
            self.release(passed)
        self.released = passed
        if self.doomed:
            doomed = self.doomed
            self.doomed = []
            for session in doomed:
                session.outlet.close()

    def hold(self, session: Session) -> None:
        """Keep a session's output back until the gates pass its last write."""
        chunks = session.take()
        if chunks:
            session.held.append(Held(session.written, chunks))
            self.gated[session.id] = session

    def release(self, passed: i64) -> None:
        """Let go what the gates have passed, in each session's order."""
        for session in list(self.gated.values()):
            held = session.held
            count = 0
            while count < len(held) and held[count].offset <= passed:
                session.output.extend(held[count].chunks)
                count += 1
            if count:
                session.held = held[count:]
                if not session.held:
                    del self.gated[session.id]
                session.outlet.deliver()

    def is_over_output_limit(self, session: Session) -> bool:
        """Whether a client has left more unread than client-output-buffer-limit allows."""
        size = session.output_bytes
        if self.hard_limit > 0 and size >= self.hard_limit:
            self.output_limit_reached(session)
            return True
        if self.soft_limit > 0 and size >= self.soft_limit:
            if session.soft_limit_since == 0:
                session.soft_limit_since = self.engine.time
            elif self.engine.time - session.soft_limit_since > self.soft_seconds * 1000000:
                self.output_limit_reached(session)
                return True
        else:
            session.soft_limit_since = 0
        return False

    def output_limit_reached(self, session: Session) -> None:
        """Count and report a client that does not read; its output is given up."""
        self.engine.counters.output_limit_disconnections += 1
        session.output = []
        self.engine.reporter.report(
            "warning",
            "client_output_buffer_limit",
            {"client": session.address, "bytes": session.output_bytes},
        )
        self.doomed.append(session)

    def add_gate(self, gate: ReplyGate) -> None:
        """Hold the replies to writes from now on back until a gate has passed them."""
        gate.let_pass(self.engine.round_offset)
        self.engine.journal.gates.append(gate)

    def remove_gate(self, gate: ReplyGate) -> None:
        """Lift a gate: what it alone has held may leave."""
        if gate in self.engine.journal.gates:
            self.engine.journal.gates.remove(gate)
        self.engine.gates_moved()
