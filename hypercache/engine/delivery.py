"""Replies on their way out: what leaves, what a gate holds back, and who does not read."""

from typing import TYPE_CHECKING

from mypy_extensions import i64

from hypercache.engine.client_eviction import ClientEviction
from hypercache.engine.context import Context, client_type
from hypercache.engine.journal import BEYOND, ReplyGate
from hypercache.engine.session import Held, Session
from hypercache.reply import ErrorReply

if TYPE_CHECKING:
    from hypercache.engine.engine import Engine


class OutputLimit:
    """Bytes of unread output at which a client is cut off: ``hard`` at once, ``soft`` where it
    stays so for more than ``seconds``. 0 is no limit.
    """

    def __init__(self, hard: i64, soft: i64, seconds: i64) -> None:
        self.hard: i64 = hard
        self.soft: i64 = soft
        self.seconds: i64 = seconds


class Delivery:
    """The output of all sessions, let go at the end of each round."""

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self.eviction = ClientEviction(engine)
        self.outgoing: list[Session] = []
        self.doomed: list[Session] = []
        self.dropped: list[Session] = []
        # Sessions with held replies, and how far the gates had let go when last looked at.
        self.gated: dict[int, Session] = {}
        self.released: i64 = 0
        # By class of client (`client_type`); one without a limit is not among them.
        self._limits: dict[str, OutputLimit] = {}

    def schedule(self, session: Session) -> None:
        """Have a session's output delivered at the end of the round."""
        if not session.outgoing:
            session.outgoing = True
            self.outgoing.append(session)

    def kill(self, session: Session) -> None:
        """Close a client's connection at the end of this round, without waiting for it."""
        session.closing = True
        self.eviction.leave(session)
        self.doomed.append(session)

    def drop(self, session: Session) -> None:
        """Close a client's connection at the end of this round without another word.

        What it was told in the round is not true any more.
        """
        session.closing = True
        self.eviction.leave(session)
        self.dropped.append(session)

    def drop_held(self, passed: i64) -> None:
        """Drop the clients whose replies wait for more than ``passed``, which never comes."""
        for session in list(self.gated.values()):
            if session.held and session.held[-1].offset > passed:
                self.drop(session)
        self.engine.gates_moved()

    def deliver(self) -> None:
        """Let the round's replies leave, but those of the doomed and those behind a gate."""
        engine = self.engine
        if engine.tracking.pending:
            engine.tracking.broadcast()
        self._deliver()
        if self.eviction.due:
            self.eviction.evict()
            self._deliver()

    def _deliver(self) -> None:
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

    def limit(self, name: str, hard: i64, soft: i64, seconds: i64) -> None:
        """Limit the unread output of a class of clients (`client_type`); see `OutputLimit`."""
        if hard > 0 or soft > 0:
            self._limits[name] = OutputLimit(hard, soft, seconds)
        else:
            self._limits.pop(name, None)
        for session in self.engine.sessions.values():
            self.classify(session)

    def classify(self, context: Context) -> None:
        """Let the limit of its class apply to a client that has just come, or changed class."""
        if isinstance(context, Session):
            context.limit = self._limits.get(client_type(context))

    def bound_output(self, session: Session, limit: OutputLimit) -> None:
        """Cut a client off that leaves too much unread (client-output-buffer-limit)."""
        size = session.output_bytes
        if limit.hard > 0 and size >= limit.hard:
            self._cut_off(session, size)
        elif limit.soft > 0 and size >= limit.soft:
            now = self.engine.time
            if session.soft_limit_since == 0:
                session.soft_limit_since = now
            elif now - session.soft_limit_since > limit.seconds * 1_000_000:
                self._cut_off(session, size)
        else:
            session.soft_limit_since = 0

    def refuse_reply(self, context: Context, size: i64) -> ErrorReply:
        """The error for a reply of about that many bytes, more than the server makes.

        A client that may not have as much unread is cut off instead, as Redis does amid it.
        """
        if isinstance(context, Session):
            limit = context.limit
            if limit is not None and 0 < limit.hard <= size:
                self._cut_off(context, size)
                self.drop(context)
        return ErrorReply("ERR value is out of range")

    def _cut_off(self, session: Session, size: i64) -> None:
        """Count and report a client that does not read; its output is given up."""
        if session.closing:
            return
        self.engine.counters.output_limit_disconnections += 1
        session.output = []
        fields: dict[str, object] = {
            "client": session.address,
            "class": client_type(session),
            "bytes": size,
        }
        self.engine.reporter.report("warning", "client_output_buffer_limit", fields)
        self.kill(session)

    def sweep(self) -> None:
        """Look at the limits of clients that nothing is sent to; about once a second."""
        for session in list(self.engine.sessions.values()):
            if session.limit is not None and session.output_bytes > 0:
                self.bound_output(session, session.limit)
        if self.doomed:
            self.engine.end_round()

    def add_gate(self, gate: ReplyGate) -> None:
        """Hold the replies to writes from now on back until a gate has passed them."""
        gate.let_pass(self.engine.round_offset)
        self.engine.journal.gates.append(gate)

    def remove_gate(self, gate: ReplyGate) -> None:
        """Lift a gate: what it alone has held may leave."""
        if gate in self.engine.journal.gates:
            self.engine.journal.gates.remove(gate)
        self.engine.gates_moved()
