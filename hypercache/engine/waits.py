"""The clients that wait: parked by a command, a pause or a gate, and how they go on."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from mypy_extensions import i64

from hypercache.engine.blocking import BlockedClients, KeyWait
from hypercache.engine.command import Command
from hypercache.engine.context import REPLY_ON, REPLY_SKIP, Context
from hypercache.engine.guards import PAUSE_BIT
from hypercache.engine.pause import Pause, Postponed
from hypercache.engine.session import Session
from hypercache.engine.waiting import Parked, Timers, Wait
from hypercache.reply import ErrorReply

if TYPE_CHECKING:
    from hypercache.engine.engine import Engine


class Waits:
    """All parked clients, by their id, with the timers that end their waiting.

    ``timers_changed`` is called when the earliest deadline has moved forward.
    """

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self.pause = Pause()
        self.timers = Timers()
        self.parked: dict[int, Parked] = {}
        self.blocked = BlockedClients(engine)
        self.gate_waits: list[Parked] = []
        self.resumed: list[Session] = []
        self.timers_changed: Callable[[], None] | None = None

    def forget(self, session: Session) -> None:
        """A client has gone: it waits for nothing."""
        parked = self.parked.pop(session.id, None)
        if parked is not None:
            self._end(parked)

    def _end(self, parked: Parked) -> None:
        """A client waits no longer, neither for a time nor for a key."""
        self.timers.end(parked)
        wait = parked.wait
        if isinstance(wait, KeyWait):
            self.blocked.remove(parked, wait)

    def park(self, session: Session, wait: Wait) -> None:
        """Let a client wait; its reply follows from `complete`."""
        parked = Parked(session, wait)
        session.blocked = True
        self.parked[session.id] = parked
        if isinstance(wait, KeyWait):
            self.blocked.add(parked, wait)
        elif wait.on_gates:
            self.gate_waits.append(parked)
        if wait.deadline > 0 and self.timers.add(wait.deadline, parked):
            if self.timers_changed is not None:
                self.timers_changed()

    def complete(self, parked: Parked, error: ErrorReply | None = None) -> None:
        """A client's wait is over: answer, with an error if given, and go on with its requests.

        While another client is being served, going on is left to the end of the round.
        """
        if parked.over:
            return  # another client, whose wait ended just before, has seen to it
        wait = parked.wait
        if isinstance(wait, KeyWait):
            self.blocked.count(wait, error is not None)
        if error is not None:
            self.engine.counters.count_error(error)
            self.complete_with(parked, error)
            return
        if isinstance(wait, Postponed):
            parked.session.postponed = wait.args
            parked.silent = True
            self.complete_with(parked, None)
        else:
            self.complete_with(parked, wait.reply(self.engine))

    def complete_with(self, parked: Parked, reply: object) -> None:
        """A client's wait is over, and this is the reply."""
        session = parked.session
        self._end(parked)
        del self.parked[session.id]
        session.blocked = False
        if not parked.silent:
            session.push(reply)
        if self.engine.serving is None and not self.engine.settling:
            session.run()
        else:
            self.resumed.append(session)

    def postpone(self, parked: Parked, wait: Wait) -> None:
        """Let a client wait for the end of a pause instead: what it sent then comes anew."""
        session = parked.session
        self._end(parked)
        if parked.silent and session.reply_mode == REPLY_ON:
            session.reply_mode = REPLY_SKIP
        self.park(session, wait)

    def resume(self) -> None:
        """Go on with the requests of the clients whose waits are over."""
        while self.resumed:
            resumed = self.resumed
            self.resumed = []
            for session in resumed:
                if not session.blocked and not session.closing:
                    session.run()

    def run_timers(self) -> None:
        """Complete every wait whose deadline has passed; what comes of them waits its turn."""
        now = self.engine.time = self.engine.clock.microseconds()
        parked = self.timers.pop_due(now)
        while parked is not None:
            self.complete(parked)
            parked = self.timers.pop_due(now)

    def end_gate_waits(self) -> bool:
        """Complete the waits for sinks that are over; True when there was one."""
        waiting = self.gate_waits
        self.gate_waits = []
        ended = False
        for parked in waiting:
            if parked.over:
                continue
            if parked.wait.is_over(self.engine):
                self.complete(parked)
                ended = True
            else:
                self.gate_waits.append(parked)
        return ended

    def pause_clients(self, until: i64, writes_only: bool) -> None:
        """Postpone every request, or those that change data, and let nothing expire."""
        self.pause.begin(self.engine.time, until, writes_only)
        self.engine.armed |= PAUSE_BIT
        self.engine.changes.frozen = True

    def hold_writes(self) -> None:
        """Postpone requests that change data until `release_writes`."""
        self.pause.held = True
        self.engine.armed |= PAUSE_BIT
        self.engine.changes.frozen = True

    def release_writes(self) -> None:
        """The server does not end after all."""
        self.pause.held = False
        if self.engine.time >= self.pause.until:
            self.end_pause()

    def end_pause(self) -> None:
        """Go on with what was postponed."""
        self.pause.until = 0
        if self.pause.held:
            return
        self.engine.armed &= ~PAUSE_BIT
        self.engine.changes.frozen = False
        for parked in list(self.parked.values()):
            if isinstance(parked.wait, Postponed):
                self.complete(parked)

    def is_paused(self, context: Context, command: Command, args: list[bytes]) -> bool:
        """Whether a request has to wait; ends a pause whose time has come."""
        now = self.engine.time
        if self.pause.is_over(now):
            self.end_pause()
            return False
        if self.pause.lets_reads(now) and self.engine.scripts.writes_nothing(command, args):
            return False
        return self.pause.concerns(context, command, now)
