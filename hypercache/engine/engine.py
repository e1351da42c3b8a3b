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
from typing import TYPE_CHECKING

from mypy_extensions import i64, mypyc_attr

from hypercache.backend import Backend, BackendError
from hypercache.engine.acl.access import AccessControl
from hypercache.engine.background import Background
from hypercache.engine.blocking import KeyWait
from hypercache.engine.command import Command, Declaration
from hypercache.engine.context import (
    REPLY_ON,
    REPLY_SKIP,
    REPLY_SKIP_NEXT,
    Context,
    Queued,
)
from hypercache.engine.counters import Counters
from hypercache.engine.delivery import Delivery
from hypercache.engine.ending import Shutdown
from hypercache.engine.eviction import Eviction
from hypercache.engine.guards import (
    CACHING_BIT,
    DISK_BIT,
    GUARDS,
    LOADING_BIT,
    MEMORY_BIT,
    NO_MEMORY,
    PAUSE_BIT,
    PROTECTED_BIT,
    QUEUE_BIT,
    REPLICAS_BIT,
    ROOM_BIT,
    TRACKING_BIT,
    guards_of,
    needs_room,
)
from hypercache.engine.journal import Journal
from hypercache.engine.libraries import Libraries
from hypercache.engine.memory import Memory
from hypercache.engine.observation import Observation
from hypercache.engine.pause import Postponed
from hypercache.engine.pressure import Pressure
from hypercache.engine.pubsub import PubSub, pushes_in
from hypercache.engine.recovery import Recovery
from hypercache.engine.registry import Registry
from hypercache.engine.scripts import Scripts
from hypercache.engine.session import Outlet, Session
from hypercache.engine.settlement import Settlement
from hypercache.engine.statistics import Statistics
from hypercache.engine.stores import Stores
from hypercache.engine.syncs import Syncs
from hypercache.engine.tracking import Tracking
from hypercache.engine.units import Units
from hypercache.engine.waiting import Wait
from hypercache.engine.waits import Waits
from hypercache.keyspace.changes import Changes
from hypercache.keyspace.clock import Chance, Clock
from hypercache.keyspace.keyspace import Keyspace
from hypercache.protocol.writer import ReplyWriter
from hypercache.reply import QUEUED, ErrorReply

if TYPE_CHECKING:
    from hypercache.config import Configuration
    from hypercache.persistence.capture import Capture


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
        self.changes = Changes()
        self.keyspaces: list[Keyspace] = [
            Keyspace(index, store, self.changes, chance)
            for index, store in enumerate(backend.open(databases))
        ]
        self.stores = Stores(self)
        self.journal = Journal()
        self.recovery = Recovery(self)
        self.observation = Observation(self)
        self.slowlog = self.observation.slowlog
        self.latency = self.observation.latency

        self.sessions: dict[int, Session] = {}
        self.acl = AccessControl(self)
        self.next_session = 1
        self.writer = ReplyWriter()
        self.serving: Session | None = None
        self.pushes: list[object] = []
        # The journal's offset at the last commit.
        self.round_offset: i64 = 0
        # Amid the end of a round, or background work that an end of a round follows.
        self.settling = False
        self.stopping = False

        # Bits of the guards in force for everybody, and what the guards look at.
        self.armed: i64 = PROTECTED_BIT
        self.memory = Memory(self)
        self.eviction = Eviction(self)
        self.protected_commands: dict[str, str] = {}
        # Why commands that change data are refused, by who cannot write them to disk.
        self.disk_errors: dict[str, str] = {}
        self.query_buffer_limit: i64 = 1 << 30
        self.max_bulk: i64 = 512 << 20
        # The server puts its own in this one's place.
        self.shutdown = Shutdown()
        # Told of FLUSHALL, once everything is gone; they answer what its client is to wait for.
        self.flushed: list[Callable[[], Wait | None]] = []
        self.libraries = Libraries()
        self.capture: Capture | None = None  # the walk over all keys that is under way
        self.tracks_latency = True
        # Microseconds from which somebody wants to know of a command: see `Observation`.
        self.noted: i64 = self.slowlog.threshold
        # What plugins add to INFO, by section.
        self.information: dict[str, list[Callable[[], Mapping[str, object]]]] = {}
        # What plugins share with their commands and with each other, by the plugin's name.
        self.shared: dict[str, object] = {}
        self.time: i64 = clock.microseconds()
        self.started: i64 = self.time
        self.counters = Counters()
        self.statistics = Statistics(self.time)
        self.pressure = Pressure(self)
        self.waits = Waits(self)
        self.blocked = self.waits.blocked
        self.delivery = Delivery(self)
        self.pubsub = PubSub(self)
        self.tracking = Tracking(self)
        self.units = Units(self, backend)
        self.syncs = Syncs(self, backend)
        self.settlement = Settlement(self)
        self.scripts = Scripts(self)
        self.background = Background(self)
        self.add_commands([])
        self.background.keep_time()

    # Clients -----------------------------------------------------------------------------

    def connect(self, outlet: Outlet) -> Session:
        """A client has come."""
        session = Session(self, self.next_session, self.keyspaces[0], outlet)
        self.next_session += 1
        self.counters.connections += 1
        self.sessions[session.id] = session
        self.time = self.clock.microseconds()
        session.created = self.time
        session.active = self.time
        session.parser.max_bulk = self.max_bulk
        self.acl.greet(session)
        self.delivery.classify(session)
        self.delivery.eviction.join(session)
        session.closing = self.stopping
        return session

    def disconnect(self, session: Session) -> None:
        """A client has gone: nothing of it remains."""
        if self.sessions.pop(session.id, None) is None:
            return
        if session.watched:
            self.settlement.unwatch(session)
        self.waits.forget(session)
        self.pubsub.forget(session)
        self.tracking.disable(session)
        self.delivery.eviction.leave(session)
        self.observation.monitors.remove(session)
        self.delivery.gated.pop(session.id, None)
        session.end()

    def close_clients(self) -> None:
        """Serve no further request: close each client once its replies have left."""
        self.stopping = True
        for session in list(self.sessions.values()):
            session.closing = True
            self.delivery.schedule(session)
        self.end_round()

    def arm(self, bit: i64, in_force: bool) -> None:
        """Put a guard in force for everybody, or no longer."""
        if in_force:
            self.armed |= bit
        else:
            self.armed &= ~bit

    def set_loading(self, loading: bool) -> None:
        """Tell clients, or no longer, that the data are not complete yet."""
        self.arm(LOADING_BIT, loading)

    def refuse_writes(self, name: str, reason: str) -> None:
        """Answer commands that change data with an error line, or with "" no longer."""
        if reason:
            self.disk_errors[name] = reason
        else:
            self.disk_errors.pop(name, None)
        self.arm(DISK_BIT, bool(self.disk_errors))

    def set_enough_replicas(self, enough: bool) -> None:
        """Whether as many good replicas are connected as min-replicas-to-write asks for."""
        self.arm(REPLICAS_BIT, not enough)

    # Commands ----------------------------------------------------------------------------

    def add_commands(self, declarations: list[Declaration], module: str = "") -> None:
        """Register commands; ``module`` names the plugin that contributes them."""
        self.registry.add(declarations, module)
        for command in self.registry.every():
            command.guards = guards_of(command)
        self.acl.commands_changed()

    def remove_commands(self, module: str) -> None:
        """Remove the commands of a plugin."""
        self.registry.remove(module)
        self.acl.commands_changed()

    def enter(self, session: Session) -> None:
        """A client's batch begins."""
        self.serving = session
        self.writer.version = session.version
        self.time = self.clock.microseconds()
        session.active = self.time
        if self.counters.cycle_began == 0:
            self.counters.cycle_began = self.time
        if self.changes.no_touch != session.no_touch:
            self.changes.set_no_touch(session.no_touch)
        if self.delivery.eviction.due:
            self.delivery.eviction.evict()
        if self.units.wanted:
            self.units.enter(session)

    def leave(self, session: Session) -> None:
        """A client's batch has ended."""
        self.serving = None
        if session.closing:
            self.delivery.schedule(session)
        else:
            session.bound_input()

    def serve(self, session: Session, args: list[bytes]) -> None:
        """Execute one request and write its reply. See the contract above."""
        reply: object
        try:
            command = self.registry.find(args)
        except ErrorReply as error:
            session.refuse()
            self.counters.count_error(error)
            if args[0].lower() == b"exec":
                error = self.abort(session, error, args)
            self.answer(session, error)
            return
        session.last_command = command
        if (self.armed | session.armed) & command.guards:
            reply = self.admit(session, command, args)
        else:
            reply = self.call(session, command, args)
        if session.reply_mode == REPLY_ON:
            if isinstance(reply, Wait):
                self.waits.park(session, reply)
            else:
                self.writer.write(reply)
        else:
            self.answer(session, reply)
        if self.pushes:
            self.write_pushes()
        if self.blocked.ready:
            self.blocked.serve()

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
            self.waits.park(session, reply)
            if isinstance(reply, Postponed):
                return
            self.waits.parked[session.id].silent = mode != REPLY_ON
        else:  # pushes leave in any case
            self.writer.write(reply if mode == REPLY_ON else pushes_in(reply))
        if mode == REPLY_SKIP_NEXT:
            session.reply_mode = REPLY_SKIP
        elif mode == REPLY_SKIP:
            session.reply_mode = REPLY_ON

    def admit(self, session: Session, command: Command, args: list[bytes]) -> object:
        """Ask the guards that concern this command now; then queue or execute it."""
        concerned: i64 = (self.armed | session.armed) & command.guards
        if concerned & ~(MEMORY_BIT | ROOM_BIT) == 0:  # nothing but a limit to the memory
            has_room = self.eviction.make_room(session.db, concerned == MEMORY_BIT)
            if has_room or not needs_room(session, command):
                return self.call(session, command, args)
            return self.reject(session, command, ErrorReply(NO_MEMORY), args)
        for guard in GUARDS:
            if guard.bit & concerned:
                try:
                    guard.check(self, session, command, args)
                except ErrorReply as error:
                    return self.reject(session, command, error, args)
                if guard.bit == concerned:
                    break  # most often one guard is asked, and it is nearly the first (ACL rules)
        if concerned & PAUSE_BIT and self.waits.is_paused(session, command, args):
            return Postponed(self.waits.pause.deadline(), args)
        if concerned & QUEUE_BIT:
            queue = session.queue
            if queue is not None:
                if not (session.queue_failed or session.watch_broken):
                    queue.append(Queued(command, args))
                    for arg in args:
                        session.queue_bytes += len(arg) + 33
                return QUEUED
        if concerned & (TRACKING_BIT | CACHING_BIT):
            return self.tracking.call(session, command, args)
        return self.call(session, command, args)

    def reject(
        self, context: Context, command: Command, error: ErrorReply, args: list[bytes]
    ) -> ErrorReply:
        """A guard has refused: count it, and let a transaction fail."""
        command.rejected_calls += 1
        self.counters.count_error(error)
        if command.name == b"exec":
            return self.abort(context, error, args)
        context.refuse()
        return error

    def abort(self, context: Context, error: ErrorReply, args: list[bytes]) -> ErrorReply:
        """EXEC is refused: the transaction ends, if there is one."""
        context.set_queueing(False)
        self.settlement.unwatch(context)
        self.observation.monitors.show(context, args)
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
            self.counters.count_error(error)
            reply = error
        # Names of their own: compiled, a variable has the type of its first assignment.
        except BackendError as failure:
            command.failed_calls += 1
            reply = self.units.backend_failed(failure, context, command)
        except Exception as bug:  # noqa: BLE001 - a bug must not take other clients down
            command.failed_calls += 1
            reply = self.units.crashed(bug, context, command)
        if changes.edits:
            reply = self.settle_edits(context, command, reply)
        if changes.dirty != changes.settled or changes.touched or changes.effects:
            self.settlement.settle(context, args)
        now: i64 = self.clock.microseconds()
        elapsed: i64 = now - started
        if elapsed < 0:
            elapsed = 0
        self.time = now
        if isinstance(reply, KeyWait) and not context.in_exec:
            if self.noted < 0 and not context.blocked:
                self.observation.show(context, command, args)
            return reply  # counted when it has what it waits for
        self.counters.commands += 1
        if self.tracks_latency:
            command.record(elapsed)
        else:
            command.count(elapsed)
        if elapsed >= self.noted:
            self.observation.note(context, command, args, elapsed)
        return reply

    def settle_edits(self, context: Context, command: Command, reply: object) -> object:
        """Account for what a command has edited in place; its reply, or that this has failed."""
        try:
            self.settlement.settle_edits()
        except BackendError as failure:
            reply = self.units.backend_failed(failure, context, command)
            self.changes.forget()
        return reply

    def protocol_error(self, session: Session, text: str) -> None:
        """A client does not speak RESP: tell it, and close."""
        error = ErrorReply(text)
        self.counters.count_error(error)
        self.writer.write(error)
        session.closing = True

    def gates_moved(self) -> None:
        """A sink is safe further than before, or gates have changed: let replies go.

        May be called at any moment; within a round it is left to the round's end.
        """
        if self.serving is None:
            self.end_round()

    # Rounds and delivery ---------------------------------------------------------------------

    def end_round(self) -> None:
        """Commit, journal, and deliver what may leave."""
        if self.settling:
            return
        self.settling = True
        try:
            self.counters.count_cycle(self.time)
            if self.blocked.ready:  # what expired in the background, or was left
                self.units.open()
                self.blocked.serve()
            self.waits.resume()
            self.commit()
            while self.waits.resumed or (self.waits.gate_waits and self.waits.end_gate_waits()):
                self.waits.resume()
                self.commit()  # what the clients that waited have executed since
            self.delivery.deliver()
            if self.syncs.due:
                self.syncs.request()
        finally:
            self.settling = False

    def commit(self) -> None:
        """End the backend's unit and hand the journal to its sinks."""
        if self.units.is_open:
            self.units.end()
        if self.journal.records:
            failures = self.journal.flush()
            if failures:
                self.settlement.sinks_failed(failures)
        if self.journal.offset != self.round_offset:
            self.round_offset = self.journal.offset
            self.syncs.due = self.syncs.prompt or len(self.syncs.followers) > 0

    # Background work ---------------------------------------------------------------------------

    def reset_statistics(self) -> None:
        """CONFIG RESETSTAT: begin counting anew."""
        began = self.counters.cycle_began
        self.counters = Counters()
        self.counters.cycle_began = began
        self.changes.hits = 0
        self.changes.misses = 0
        self.changes.expired = 0
        self.changes.expired_fields = 0
        self.eviction.restart()
        self.pressure.restart()
        self.registry.reset_statistics()
        self.statistics.restart(self.backend.statistics().get("lazyfreed_objects", 0))

    def close(self) -> None:
        """Release the backend; nothing is served afterwards."""
        self.commit()
        self.backend.close()
