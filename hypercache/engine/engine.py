"""The engine: every request of every client passes here, one at a time.

Contract of `Engine.serve`, the centre of the server (Redis: processCommand and call):

- guards are asked in Redis' order, the command function runs, and exactly one reply is
  written unless the client waits (`Wait`) or switched its replies off;
- what the command changed is settled before the next one runs: edited values are accounted
  for, watching clients are told, observers see the touched keys, the journal gets the
  effects and the client remembers their offset;
- an error of ours never reaches further than the client that caused it.

A *round* is what a transport executes between two looks at its sockets. Its end
(`Engine.end_round`) commits the backend's unit, hands the journal to its sinks and lets
every reply go whose gate has passed.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, cast

from mypy_extensions import i64, mypyc_attr

from hypercache.backend import Backend, BackendError
from hypercache.engine.command import FAST, SKIP_SLOWLOG, Command, Declaration
from hypercache.engine.context import (
    REPLY_ON,
    REPLY_SKIP,
    REPLY_SKIP_NEXT,
    Context,
    Queued,
)
from hypercache.engine.guards import (
    GUARDS,
    LOADING_BIT,
    MEMORY_BIT,
    PAUSE_BIT,
    PROTECTED_BIT,
    QUEUE_BIT,
    guards_of,
)
from hypercache.engine.journal import BEYOND, Journal, ReplyGate, Sink, SinkFailure
from hypercache.engine.latency import LatencyMonitor
from hypercache.engine.pause import Pause, Postponed
from hypercache.engine.registry import Registry
from hypercache.engine.session import Held, Outlet, Session
from hypercache.engine.slowlog import SlowLog, redact
from hypercache.engine.statistics import Statistics
from hypercache.engine.waiting import Parked, Timers, Wait
from hypercache.engine.watches import Watches
from hypercache.keyspace.changes import Changes, Effect, Touch
from hypercache.keyspace.clock import Chance, Clock
from hypercache.keyspace.keyspace import Keyspace
from hypercache.protocol.writer import ReplyWriter
from hypercache.reply import QUEUED, ErrorReply

if TYPE_CHECKING:
    from hypercache.config import Configuration

# No command takes as many microseconds.
NEVER: Final[i64] = 1 << 62
# Different error codes that INFO errorstats keeps apart.
MAX_ERROR_CODES: Final = 128
# Elements that are freed, and keys that expire, in one slice of background work.
SLICE: Final = 256


@mypyc_attr(allow_interpreted_subclasses=True)
class ChangeObserver:
    """Sees the keys that each command touched: notifications, tracking, filters."""

    def changed(self, touches: list[Touch]) -> None:
        """Called after the command; must neither block nor change data."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class Reporter:
    """Where the engine reports what operators should know; the server logs it."""

    def report(self, level: str, event: str, fields: dict[str, object]) -> None:
        """One log event: level ``debug | info | warning | error``."""


class Engine:
    """All state of a running server that commands and transports share.

    Times are Unix microseconds unless a name says otherwise. ``time`` is when the last
    command ended; one reading of the clock a command serves expiry, SLOWLOG and statistics.
    """

    def __init__(
        self,
        backend: Backend,
        databases: int,
        registry: Registry,
        configuration: "Configuration",
        clock: Clock,
        chance: Chance,
        reporter: Reporter,
    ) -> None:
        self.clock = clock
        self.chance = chance
        self.reporter = reporter
        self.registry = registry
        self.configuration = configuration
        self.backend = backend
        self.wants_units = backend.wants_units
        self.unit_open = False
        self.changes = Changes()
        self.keyspaces: list[Keyspace] = [
            Keyspace(index, store, self.changes, chance)
            for index, store in enumerate(backend.open(databases))
        ]
        self.journal = Journal()
        self.watches = Watches(self.keyspaces)
        self.observers: list[ChangeObserver] = []
        self.slowlog = SlowLog()
        self.latency = LatencyMonitor()
        self.pause = Pause()
        self.timers = Timers()
        self.parked: dict[int, Parked] = {}
        self.gate_waits: list[Parked] = []
        self.timers_changed: Callable[[], None] | None = None

        self.sessions: dict[int, Session] = {}
        self.next_session = 1
        self.writer = ReplyWriter()
        self.serving: Session | None = None
        self.outgoing: list[Session] = []
        self.pushes: list[object] = []
        self.resumed: list[Session] = []
        self.doomed: list[Session] = []
        # Sessions with held replies, and how far the gates had let go when last looked at.
        self.gated: dict[int, Session] = {}
        self.released: i64 = 0
        # The journal's offset at the last commit.
        self.round_offset: i64 = 0
        # Amid the end of a round, or background work that an end of a round follows.
        self.settling = False
        self.stopping = False

        # Bits of the guards in force for everybody, and what the guards look at.
        self.armed: i64 = PROTECTED_BIT
        self.password: list[str] = []
        self.max_memory: i64 = 0
        self.protected_commands: dict[str, str] = {}
        self.disk_error = ""
        self.limits_output = False
        self.hard_limit: i64 = 0
        self.soft_limit: i64 = 0
        self.soft_seconds: i64 = 0
        self.query_buffer_limit: i64 = 1 << 30
        self.max_bulk: i64 = 512 << 20
        # Set by the server: begins its ordered end.
        self.shutdown: Callable[[], None] | None = None
        self.active_expire = True
        self.background = True
        self.tracks_latency = True
        # Microseconds from which somebody wants to know of a command.
        self.slow: i64 = self.slowlog.threshold
        # Sections that plugins add to INFO, by name.
        self.information: dict[str, Callable[[], Mapping[str, object]]] = {}
        # What plugins share with their commands and with each other, by the plugin's name.
        self.shared: dict[str, object] = {}

        # Statistics.
        self.time: i64 = clock.microseconds()
        self.started: i64 = self.time
        self.commands: i64 = 0
        self._commands_seen: i64 = 0
        self.bytes_in: i64 = 0
        self.bytes_out: i64 = 0
        self.errors: dict[str, int] = {}
        self.error_replies: i64 = 0
        self.connections: i64 = 0
        self.rejected_connections: i64 = 0
        self.output_limit_disconnections: i64 = 0
        self.query_limit_disconnections: i64 = 0
        self.cycles: i64 = 0
        self.longest_cycle: i64 = 0
        self.busiest_cycle: i64 = 0
        self.cycle_began: i64 = 0
        self.cycle_commands: i64 = 0
        self.tick_microseconds: i64 = 0
        self.expire_microseconds: i64 = 0
        self.expire_time_caps: i64 = 0
        self.statistics = Statistics(self.time)
        for command in registry.every():
            command.guards = guards_of(command)
        self.tick(0)

    # Clients -----------------------------------------------------------------------------

    def connect(self, outlet: Outlet) -> Session:
        """A client has come."""
        session = Session(self, self.next_session, self.keyspaces[0], outlet)
        self.next_session += 1
        self.connections += 1
        self.sessions[session.id] = session
        self.time = self.clock.microseconds()
        session.created = self.time
        session.active = self.time
        session.authenticated = not self.password
        session.parser.max_bulk = self.max_bulk
        session.rearm()
        session.closing = self.stopping
        return session

    def disconnect(self, session: Session) -> None:
        """A client has gone: nothing of it remains."""
        if self.sessions.pop(session.id, None) is None:
            return
        session.closing = True
        if session.watched:
            self.unwatch(session)
        parked = self.parked.pop(session.id, None)
        if parked is not None:
            self.timers.end(parked)
        self.gated.pop(session.id, None)
        session.held = []
        session.queue = None

    def kill(self, session: Session) -> None:
        """Close a client's connection at the end of this round, without waiting for it."""
        session.closing = True
        self.doomed.append(session)

    def close_clients(self) -> None:
        """Serve no further request: close each client once its replies have left."""
        self.stopping = True
        for session in list(self.sessions.values()):
            session.closing = True
            self.schedule(session)
        self.end_round()

    def set_loading(self, loading: bool) -> None:
        """Tell clients, or no longer, that the data are not complete yet."""
        if loading:
            self.armed |= LOADING_BIT
        else:
            self.armed &= ~LOADING_BIT

    def set_password(self, password: str) -> None:
        """requirepass has changed; clients that are in stay in."""
        self.password = [password] if password else []

    def set_max_memory(self, limit: i64) -> None:
        """maxmemory has changed; 0 is no limit."""
        self.max_memory = limit
        if limit > 0:
            self.armed |= MEMORY_BIT
        else:
            self.armed &= ~MEMORY_BIT

    def set_slow(self, logged: i64, monitored: i64) -> None:
        """Log commands from so many microseconds on (-1: none), and monitor them (0: none)."""
        self.slowlog.threshold = logged
        self.latency.threshold = monitored
        self.slow = logged if logged >= 0 else NEVER
        if 0 < monitored < self.slow:
            self.slow = monitored

    def used_memory(self) -> int:
        """Bytes of all data, as the backend accounts for them."""
        total = 0
        for keyspace in self.keyspaces:
            total += keyspace.store.memory()
        return total

    def over_memory(self) -> bool:
        """Whether the data have reached maxmemory."""
        return self.max_memory > 0 and self.used_memory() >= self.max_memory

    # Commands ----------------------------------------------------------------------------

    def add_commands(self, declarations: list[Declaration], module: str = "") -> None:
        """Register commands; ``module`` names the plugin that contributes them."""
        self.registry.add(declarations, module)
        for command in self.registry.every():
            command.guards = guards_of(command)

    def enter(self, session: Session) -> None:
        """A client's batch begins."""
        self.serving = session
        self.writer.version = session.version
        self.time = self.clock.microseconds()
        session.active = self.time
        if self.cycle_began == 0:
            self.cycle_began = self.time
        self.changes.keep_access = session.no_touch
        self.open_unit()

    def open_unit(self) -> None:
        """Begin the round's unit, where the backend wants one."""
        if self.wants_units and not self.unit_open:
            self.backend.begin()
            self.unit_open = True

    def leave(self, session: Session) -> None:
        """A client's batch has ended."""
        self.serving = None
        if session.closing:
            self.schedule(session)
        elif session.parser.buffered() + session.queue_bytes > self.query_buffer_limit:
            self.query_limit_disconnections += 1
            self.reporter.report(
                "warning", "client_query_buffer_limit", {"client": session.address}
            )
            self.kill(session)

    def serve(self, session: Session, args: list[bytes]) -> None:
        """Execute one request and write its reply. See the contract above."""
        reply: object
        try:
            command = self.registry.find(args)
        except ErrorReply as error:
            session.queue_failed = True
            self.count_error(error)
            if args[0].lower() == b"exec":
                error = self.abort(session, error)
            self.answer(session, error)
            return
        session.last_command = command
        if (self.armed | session.armed) & command.guards:
            reply = self.admit(session, command, args)
        else:
            reply = self.call(session, command, args)
        if session.reply_mode == REPLY_ON:
            if isinstance(reply, Wait):
                self.park(session, reply)
            else:
                self.writer.write(reply)
        else:
            self.answer(session, reply)
        if self.pushes:
            self.write_pushes()

    def write_pushes(self) -> None:
        """Write what a command has pushed to its own client, behind the reply."""
        pushes = self.pushes
        self.pushes = []
        for value in pushes:
            self.writer.write(value)

    def answer(self, session: Session, reply: object) -> None:
        """Write a reply, or not, as CLIENT REPLY has it."""
        mode = session.reply_mode
        if isinstance(reply, Wait):
            self.park(session, reply)
            if isinstance(reply, Postponed):
                return
            self.parked[session.id].silent = mode != REPLY_ON
        elif mode == REPLY_ON:
            self.writer.write(reply)
        if mode == REPLY_SKIP_NEXT:
            session.reply_mode = REPLY_SKIP
        elif mode == REPLY_SKIP:
            session.reply_mode = REPLY_ON

    def admit(self, session: Session, command: Command, args: list[bytes]) -> object:
        """Ask the guards that concern this command now; then queue or execute it."""
        concerned: i64 = (self.armed | session.armed) & command.guards
        for guard in GUARDS:
            if guard.bit & concerned:
                try:
                    guard.check(self, session, command)
                except ErrorReply as error:
                    return self.reject(session, command, error)
        if concerned & PAUSE_BIT and self.is_paused(session, command):
            return Postponed(self.pause.until, args)
        if concerned & QUEUE_BIT:
            queue = session.queue
            if queue is not None:
                if not (session.queue_failed or session.watch_broken):
                    queue.append(Queued(command, args))
                    for arg in args:
                        session.queue_bytes += len(arg) + 33
                return QUEUED
        return self.call(session, command, args)

    def reject(self, context: Context, command: Command, error: ErrorReply) -> ErrorReply:
        """A guard has refused: count it, and let a transaction fail."""
        command.rejected_calls += 1
        self.count_error(error)
        if command.name == b"exec":
            return self.abort(context, error)
        context.queue_failed = True
        return error

    def abort(self, context: Context, error: ErrorReply) -> ErrorReply:
        """EXEC is refused: the transaction ends, if there is one."""
        context.set_queueing(False)
        self.unwatch(context)
        reason = error.text.removeprefix("ERR ")
        return ErrorReply(f"EXECABORT Transaction discarded because of: {reason}")

    def call(self, context: Context, command: Command, args: list[bytes]) -> object:
        """Run a command function, settle what it changed, and keep the statistics."""
        changes = self.changes
        started: i64 = self.time
        if not context.in_exec:
            changes.now = started // 1000
        reply: object
        try:
            reply = command.function(context, args)
        except ErrorReply as error:
            command.failed_calls += 1
            self.count_error(error)
            reply = error
        except BackendError as error:
            command.failed_calls += 1
            reply = self.backend_failed(error, command)
        except Exception as error:  # noqa: BLE001 - a bug must not take other clients down
            command.failed_calls += 1
            reply = self.crashed(error, command)
        if changes.edits:
            self.settle_edits()
        if changes.dirty != changes.settled or changes.touched or changes.effects:
            self.settle(context, args)
        now: i64 = self.clock.microseconds()
        elapsed: i64 = now - started
        if elapsed < 0:
            elapsed = 0
        self.time = now
        self.commands += 1
        if self.tracks_latency:
            command.record(elapsed)
        else:
            command.count(elapsed)
        if elapsed >= self.slow:
            self.note_slow(context, command, args, elapsed)
        return reply

    def settle_edits(self) -> None:
        """Account for the values that a command has edited in place."""
        edits = self.changes.edits
        self.changes.edits = []
        for edit in edits:
            self.keyspaces[edit.database].settle(edit)

    def settle(self, context: Context, args: list[bytes]) -> None:
        """Tell everybody concerned what a command has changed."""
        changes = self.changes
        changed = changes.dirty != changes.settled
        changes.settled = changes.dirty
        rewritten = changes.rewritten
        changes.rewritten = False
        if changed and not rewritten and changes.journalled:
            changes.effects.append(Effect(context.db.index, args))
        if changes.effects:
            if not context.in_exec:
                self.journal.append(changes.effects)
                changes.effects = []
        elif changed:
            self.journal.offset += 1
        if changed or rewritten:
            context.written = self.journal.offset
        touched = changes.touched
        if touched:
            changes.touched = []
            for touch in touched:
                self.watches.touched(touch)
            for observer in self.observers:
                observer.changed(touched)

    def settle_background(self) -> None:
        """Settle changes that no command made (active expiry)."""
        changes = self.changes
        if changes.effects:
            self.journal.append(changes.effects)
            changes.effects = []
        touched = changes.touched
        if touched:
            changes.touched = []
            for touch in touched:
                self.watches.touched(touch)
            for observer in self.observers:
                observer.changed(touched)

    def end_transaction(self, context: Context) -> None:
        """EXEC has run its queue: journal all effects as one step."""
        context.in_exec = False
        effects = self.changes.effects
        if effects:
            self.changes.effects = []
            self.journal.append(effects)
            context.written = self.journal.offset

    def count_error(self, error: ErrorReply) -> None:
        """Count an error reply under its code."""
        self.error_replies += 1
        code = error.code()
        if code in self.errors:
            self.errors[code] += 1
        elif len(self.errors) < MAX_ERROR_CODES:
            self.errors[code] = 1

    def backend_failed(self, error: BackendError, command: Command) -> ErrorReply:
        """The store has refused an operation."""
        self.reporter.report(
            "error", "backend_failed", {"command": command.name.decode(), "error": str(error)}
        )
        failure = ErrorReply(f"ERR {error}")
        self.count_error(failure)
        return failure

    def crashed(self, error: Exception, command: Command) -> ErrorReply:
        """A command function has a bug: the client is told, the operator sees the trace."""
        self.reporter.report(
            "error", "command_crashed", {"command": command.name.decode(), "exception": error}
        )
        failure = ErrorReply("ERR internal error, see the server's log")
        self.count_error(failure)
        return failure

    def note_slow(
        self, context: Context, command: Command, args: list[bytes], elapsed: i64
    ) -> None:
        """Log and monitor a slow command; the log leaves out those that stand for others (EXEC)."""
        event = b"fast-command" if command.flags & FAST else b"command"
        self.latency.add(event, self.time, elapsed)
        if 0 <= self.slowlog.threshold <= elapsed and not command.flags & SKIP_SLOWLOG:
            shown = redact(command, args, self.configuration.is_secret)
            self.slowlog.add(self.time // 1000000, elapsed, shown, context.address, context.name)

    def protocol_error(self, session: Session, text: str) -> None:
        """A client does not speak RESP: tell it, and close."""
        error = ErrorReply(text)
        self.count_error(error)
        self.writer.write(error)
        session.closing = True

    # WATCH and observers -------------------------------------------------------------------

    def watch(self, context: Context, key: bytes) -> None:
        """Let a client watch a key of its current database."""
        self.watches.watch(context, key)
        self.changes.observed = True

    def unwatch(self, context: Context) -> None:
        """Let a client watch nothing."""
        self.watches.unwatch(context)
        self.changes.observed = len(self.watches) > 0 or len(self.observers) > 0

    def observe(self, observer: ChangeObserver) -> None:
        """Show the touched keys of every command to an observer from now on."""
        self.observers.append(observer)
        self.changes.observed = True

    def unobserve(self, observer: ChangeObserver) -> None:
        """Show an observer nothing more."""
        self.observers.remove(observer)
        self.changes.observed = len(self.watches) > 0 or len(self.observers) > 0

    def add_sink(self, sink: Sink) -> None:
        """Send the journal's records to a sink from now on."""
        self.journal.attach(sink)
        self.changes.journalled = True

    def remove_sink(self, sink: Sink) -> None:
        """Send a sink nothing more; gates that need it let nothing more pass."""
        self.journal.detach(sink)
        self.changes.journalled = bool(self.journal.sinks)
        self.gates_moved()

    def add_gate(self, gate: ReplyGate) -> None:
        """Hold the replies to writes from now on back until a gate has passed them."""
        gate.let_pass(self.round_offset)
        self.journal.gates.append(gate)

    def remove_gate(self, gate: ReplyGate) -> None:
        """Lift a gate: what it alone has held may leave."""
        if gate in self.journal.gates:
            self.journal.gates.remove(gate)
        self.gates_moved()

    # Waiting -------------------------------------------------------------------------------

    def park(self, session: Session, wait: Wait) -> None:
        """Let a client wait; its reply follows from `complete`."""
        parked = Parked(session, wait)
        session.blocked = True
        self.parked[session.id] = parked
        if wait.on_gates:
            self.gate_waits.append(parked)
        if wait.deadline > 0 and self.timers.add(wait.deadline, parked):
            if self.timers_changed is not None:
                self.timers_changed()

    def complete(self, parked: Parked, error: ErrorReply | None = None) -> None:
        """A client's wait is over: answer, with an error if given, and go on with its requests.

        While another client is being served, going on is left to the end of the round.
        """
        session = parked.session
        self.timers.end(parked)
        del self.parked[session.id]
        session.blocked = False
        if error is not None:
            self.count_error(error)
        wait = parked.wait
        if error is None and isinstance(wait, Postponed):
            session.postponed = wait.args
        elif not parked.silent:
            session.push(wait.reply(self) if error is None else error)
        if self.serving is None:
            session.run()
        else:
            self.resumed.append(session)

    def resume(self) -> None:
        """Go on with the requests of the clients whose waits are over."""
        while self.resumed:
            resumed = self.resumed
            self.resumed = []
            for session in resumed:
                if not session.blocked and not session.closing:
                    session.run()

    def pause_clients(self, until: i64, writes_only: bool) -> None:
        """Postpone every request, or those that change data, and let nothing expire."""
        self.pause.begin(self.time, until, writes_only)
        self.armed |= PAUSE_BIT
        self.changes.frozen = True

    def end_pause(self) -> None:
        """Go on with what was postponed."""
        self.pause.until = 0
        self.armed &= ~PAUSE_BIT
        self.changes.frozen = False
        for parked in list(self.parked.values()):
            if isinstance(parked.wait, Postponed):
                self.complete(parked)

    def is_paused(self, context: Context, command: Command) -> bool:
        """Whether a request has to wait; ends a pause whose time has come."""
        if self.time >= self.pause.until:
            self.end_pause()
            return False
        return self.pause.concerns(context, command)

    def run_timers(self) -> None:
        """Complete every wait whose deadline has passed."""
        self.time = self.clock.microseconds()
        parked = self.timers.pop_due(self.time)
        while parked is not None:
            self.complete(parked)
            parked = self.timers.pop_due(self.time)

    def gates_moved(self) -> None:
        """A sink is safe further than before, or gates have changed: let replies go.

        May be called at any moment; within a round it is left to the round's end.
        """
        if self.serving is None:
            self.end_round()

    def end_gate_waits(self) -> bool:
        """Complete the waits for sinks that are over; True when there was one."""
        waiting = self.gate_waits
        self.gate_waits = []
        ended = False
        for parked in waiting:
            if parked.over:
                continue
            if parked.wait.is_over(self):
                self.complete(parked)
                ended = True
            else:
                self.gate_waits.append(parked)
        return ended

    # Rounds and delivery ---------------------------------------------------------------------

    def schedule(self, session: Session) -> None:
        """Have a session's output delivered at the end of the round."""
        if not session.outgoing:
            session.outgoing = True
            self.outgoing.append(session)

    def end_round(self) -> None:
        """Commit, journal, and deliver what may leave."""
        if self.settling:
            return
        self.settling = True
        try:
            self.count_cycle()
            self.resume()
            self.commit()
            while self.resumed or (self.gate_waits and self.end_gate_waits()):
                self.resume()
                self.commit()  # what the clients that waited have executed since
            self.deliver()
        finally:
            self.settling = False

    def count_cycle(self) -> None:
        """Count a round, and remember the longest and the busiest."""
        self.cycles += 1
        if self.cycle_began > 0:
            elapsed: i64 = self.time - self.cycle_began
            if elapsed > self.longest_cycle:
                self.longest_cycle = elapsed
            executed: i64 = self.commands - self.cycle_commands
            if executed > self.busiest_cycle:
                self.busiest_cycle = executed
            self.cycle_began = 0
            self.cycle_commands = self.commands

    def commit(self) -> None:
        """End the backend's unit and hand the journal to its sinks."""
        if self.unit_open:
            self.unit_open = False
            try:
                self.backend.commit()
            except BackendError as error:
                self.commit_failed(error)
        failures = self.journal.flush()
        if failures:
            self.sinks_failed(failures)
        self.round_offset = self.journal.offset

    def deliver(self) -> None:
        """Let the round's replies leave, but those of the doomed and those behind a gate."""
        passed: i64 = self.journal.passed() if self.journal.gates else BEYOND
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

    def commit_failed(self, error: BackendError) -> None:
        """The round is lost: undo it, and drop the clients that were told otherwise."""
        self.reporter.report("error", "commit_failed", {"error": str(error)})
        self.backend.rollback()
        self.journal.forget(self.round_offset)
        for session in self.sessions.values():
            if session.written > self.round_offset:
                session.written = self.round_offset
                if session.output:
                    session.take()
                    self.kill(session)

    def sinks_failed(self, failures: list[SinkFailure]) -> None:
        """Sinks have raised: they are out, and whoever added them has to know."""
        self.changes.journalled = bool(self.journal.sinks)
        for failure in failures:
            tell = failure.sink.failed
            if tell is None:
                self.reporter.report(
                    "error", "sink_failed", {"sink": failure.sink.name, "exception": failure.error}
                )
            else:
                tell(failure.error)

    def is_over_output_limit(self, session: Session) -> bool:
        """Whether a client has left more unread than client-output-buffer-limit allows."""
        size = session.output_bytes
        if self.hard_limit > 0 and size >= self.hard_limit:
            self.output_limit_reached(session)
            return True
        if self.soft_limit > 0 and size >= self.soft_limit:
            if session.soft_limit_since == 0:
                session.soft_limit_since = self.time
            elif self.time - session.soft_limit_since > self.soft_seconds * 1000000:
                self.output_limit_reached(session)
                return True
        else:
            session.soft_limit_since = 0
        return False

    def output_limit_reached(self, session: Session) -> None:
        """Count and report a client that does not read; its output is given up."""
        self.output_limit_disconnections += 1
        session.output = []
        self.reporter.report(
            "warning",
            "client_output_buffer_limit",
            {"client": session.address, "bytes": session.output_bytes},
        )
        self.doomed.append(session)

    # Background work ---------------------------------------------------------------------------

    def tick(self, budget: i64) -> bool:
        """Background work for about ``budget`` microseconds; True when more is to be done.

        Moves the access clock, removes keys past their deadline, frees what was unlinked.
        """
        self.time = self.clock.microseconds()
        until: i64 = self.time + budget
        self.changes.now = self.time // 1000
        self.changes.access = cast(int, (self.time - self.started) // 1000000)
        if not self.background:
            return False
        more = self.backend.reclaim(SLICE)
        while more and self.clock.microseconds() < until:
            more = self.backend.reclaim(SLICE)
        if self.changes.frozen and self.time >= self.pause.until:
            self.end_pause()
        self.settling = True
        try:
            if self.active_expire and not self.changes.frozen and self.expire_slices(until):
                more = True
            self.settle_background()
        finally:
            self.settling = False
        self.tick_microseconds += self.clock.microseconds() - self.time
        return more

    def sample(self) -> None:
        """Let the statistics take the counters; called about ten times a second."""
        self.statistics.sample(
            self.time,
            self.commands,
            self.bytes_in,
            self.bytes_out,
            self.cycles,
            self.used_memory(),
        )

    def reset_statistics(self) -> None:
        """CONFIG RESETSTAT: begin counting anew."""
        self.commands = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.errors = {}
        self.error_replies = 0
        self.connections = 0
        self.rejected_connections = 0
        self.output_limit_disconnections = 0
        self.query_limit_disconnections = 0
        self.cycles = 0
        self.longest_cycle = 0
        self.busiest_cycle = 0
        self.cycle_commands = 0
        self.tick_microseconds = 0
        self.expire_microseconds = 0
        self.expire_time_caps = 0
        self.changes.hits = 0
        self.changes.misses = 0
        self.changes.expired = 0
        self.registry.reset_statistics()
        self.statistics.restart()

    def expire_slices(self, until: i64) -> bool:
        """Remove due keys in slices until the time is up; True when some may be left."""
        more = False
        began: i64 = self.clock.microseconds()
        for keyspace in self.keyspaces:
            if keyspace.store.volatile() > 0:
                self.open_unit()
            # A backend may hand out fewer than it was asked for while more are due.
            while keyspace.expire_due(SLICE) > 0:
                if self.clock.microseconds() >= until:
                    self.expire_time_caps += 1
                    more = True
                    break
        elapsed: i64 = self.clock.microseconds() - began
        self.expire_microseconds += elapsed
        self.latency.add(b"expire-cycle", self.time, elapsed)
        return more

    def is_idle(self) -> bool:
        """Whether no command has run since this was last asked."""
        idle = self.commands == self._commands_seen
        self._commands_seen = self.commands
        return idle

    def close(self) -> None:
        """Release the backend; nothing is served afterwards."""
        self.commit()
        self.backend.close()
