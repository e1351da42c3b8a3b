"""The backend's units: begun, bounded, committed, and undone when the backend fails.

A unit holds what the clients of a round have executed. Where a command of one of them fails
in the backend, nothing half-done may stay, and a backend can only undo all of a unit. So:

- a command that reads fails alone: what the unit had so far is committed at once;
- a command that writes is undone with all of the unit. Its client gets the error. If anybody
  has written in the unit before it, every client that was served in it since is dropped without
  a reply: what they wrote is gone, and what they read has never been;
- for a while after that each client's batch is a unit of its own, so that a client whose
  commands fail again and again loses nobody's work but its own.

Where the commit fails, all of the unit is undone likewise. No client is ever told of a
change that was not committed. docs/architecture.md has the whole.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from mypy_extensions import i64, mypyc_attr

from hypercache.backend import Backend, BackendError, BackendFull
from hypercache.engine.command import WRITE, Command
from hypercache.engine.context import Context
from hypercache.engine.guards import BACKEND_BIT
from hypercache.engine.session import Session
from hypercache.reply import ErrorReply

if TYPE_CHECKING:
    from hypercache.engine.engine import Engine

# Changes after which a unit takes no further client's batch.
LIMIT: Final[i64] = 10_000
# The same for a while (microseconds) after something was undone.
CAREFUL_LIMIT: Final[i64] = 1
CAREFUL: Final[i64] = 10_000_000


def attempt(action: Callable[[], object]) -> Exception | None:
    """Do something; what it has raised. Whatever a store raises, the server goes on."""
    try:
        action()
    except Exception as error:  # noqa: BLE001 - see above
        return error
    return None


@mypyc_attr(allow_interpreted_subclasses=True)
class Reversal:
    """What is to be done by hand when the unit is undone: on a backend that knows no units."""

    def run(self) -> None:
        """The unit was undone. Must not raise."""
        raise NotImplementedError


class Units:
    """The unit of the present round, and why none can be begun or nothing more be stored.

    ``witnesses`` are the sessions that were served in the open unit after its first write.
    ``reversals`` are run when it is undone.
    ``refusal`` is the backend's, empty as long as it has room; ``unavailable`` says why no unit
    could be begun. ``spoiled``: a command inside EXEC has failed, and EXEC is to undo all of it.
    """

    def __init__(self, engine: "Engine", backend: Backend) -> None:
        self.engine = engine
        self.backend = backend
        self.wanted = backend.wants_units
        self.is_open = False
        self.spoiled = False
        self.witnesses: list[Session] = []
        self.reversals: list[Reversal] = []
        self.limit: i64 = LIMIT
        self.refusal = ""
        self.unavailable = ""
        # Units that were undone since the start.
        self.undone: i64 = 0
        self._careful_until: i64 = 0
        # A rollback has failed: what the backend holds, nobody knows.
        self._lost = False

    # The usual way -------------------------------------------------------------------------

    def enter(self, session: Session) -> None:
        """A client's batch begins: in the open unit, unless that has become large."""
        engine = self.engine
        if self.is_open and engine.journal.offset - engine.round_offset >= self.limit:
            engine.commit()
        if not self.is_open:
            self.open()
        self.join(session)

    def join(self, session: Session) -> None:
        """A client is served in the open unit, in which others may have written."""
        if self.engine.journal.offset != self.engine.round_offset:
            self.witnesses.append(session)

    def open(self) -> None:
        """Begin the round's unit, where the backend wants one and none is open."""
        if self.is_open or self._lost or not self.wanted:
            return
        error = attempt(self.backend.begin)
        if error is not None:
            self._set_unavailable(str(error) or type(error).__name__)
            return
        self.is_open = True
        if self.unavailable:
            self._set_unavailable("")
        if self.limit != LIMIT and self.engine.time >= self._careful_until:
            self.limit = LIMIT
        if self.backend.refusal != self.refusal:
            self.heed_refusal()

    def end(self) -> None:
        """Commit the open unit; where that fails, it is undone."""
        self.is_open = False
        latency = self.engine.latency
        began: i64 = self.engine.clock.microseconds() if latency.threshold > 0 else 0
        error = attempt(self.backend.commit)
        if began > 0:
            now: i64 = self.engine.clock.microseconds()
            latency.add(b"backend-commit", now, now - began)
        if error is not None:
            self._report("commit_failed", error)
            self.undo(self.engine.journal.offset)
        self.witnesses.clear()
        if self.reversals:
            self.reversals = []

    # Failures ------------------------------------------------------------------------------

    def undo(self, before: i64) -> None:
        """Roll the unit back, and drop its clients if it had writes.

        ``before`` is the journal's offset before the command or transaction that has failed:
        that one's client gets an error, and is told of nothing that is undone here.
        """
        engine = self.engine
        self.is_open = False
        self.spoiled = False
        self.undone += 1
        error = attempt(self.backend.rollback)
        if error is not None:
            self._report("rollback_failed", error)
            self._lost = True
            self._set_unavailable(f"a write could not be undone ({error}): restart the server")
        told = before > engine.round_offset
        lasting = engine.stores.lasting
        kept = [effect for effect in engine.changes.effects if effect.database in lasting]
        engine.changes.forget()
        engine.eviction.begin_anew()
        engine.journal.forget(engine.round_offset, lasting)
        if kept:
            engine.journal.append(kept)
        reversals = self.reversals
        self.reversals = []
        for reversal in reversals:
            reversal.run()
        for session in list(engine.sessions.values()):
            if session.written > engine.round_offset:
                session.written = engine.round_offset
                if told:
                    engine.delivery.drop(session)
        if told:
            for session in self.witnesses:
                engine.delivery.drop(session)
        self.witnesses.clear()
        self.limit = CAREFUL_LIMIT
        self._careful_until = engine.time + CAREFUL

    def command_failed(self, context: Context, command: Command) -> None:
        """A command has failed in the backend, or with a bug: let nothing half-done stay."""
        if not self.is_open:
            return
        engine = self.engine
        changes = engine.changes
        if context.in_exec:
            self.spoiled = True
        elif command.flags & WRITE or changes.dirty != changes.settled or changes.edits:
            self.undo(engine.journal.offset)
            self.go_on()
        else:
            engine.commit()
            self.go_on()

    def backend_failed(self, error: BackendError, context: Context, command: Command) -> ErrorReply:
        """The store has refused an operation of a command; what its client is told."""
        name = command.name.decode()
        self.engine.reporter.report(
            "error", "backend_failed", {"command": name, "error": str(error)}
        )
        self.command_failed(context, command)
        failure = self.error_of(error)
        self.engine.counters.count_error(failure)
        return failure

    def crashed(self, error: Exception, context: Context, command: Command) -> ErrorReply:
        """A command function has a bug: the client is told, the operator sees the trace."""
        name = command.name.decode()
        self.engine.reporter.report(
            "error", "command_crashed", {"command": name, "exception": error}
        )
        self.command_failed(context, command)
        failure = ErrorReply("ERR internal error, see the server's log")
        self.engine.counters.count_error(failure)
        return failure

    def undo_transaction(self, context: Context, before: i64) -> None:
        """EXEC gives up: nothing of its queue stays. ``before`` is as in `undo`."""
        context.in_exec = False
        self.undo(before)
        self.go_on()

    def go_on(self) -> None:
        """Begin a new unit amid a round, for the client that is being served."""
        self.open()
        session = self.engine.serving
        if session is not None and not session.closing:
            self.join(session)

    def batch_failed(self, session: Session, error: Exception) -> None:
        """Something has failed beside a command: its client's replies can be trusted no more."""
        engine = self.engine
        self._report("batch_failed", error)
        if self.is_open:
            self.undo(engine.journal.offset)
        engine.changes.forget()
        engine.pushes = []
        engine.delivery.drop(session)

    def look_failed(self, error: BackendError) -> None:
        """The backend cannot tell what is under a key; nothing was changed."""
        self._report("backend_failed", error)

    def background_failed(self, error: Exception) -> None:
        """Work that no client asked for has failed: it is done anew, later."""
        self._report("background_failed", error)
        if self.is_open:
            self.undo(self.engine.journal.offset)

    def error_of(self, error: Exception) -> ErrorReply:
        """What a client is told of a failure."""
        if isinstance(error, BackendFull):
            return ErrorReply(self._no_room(str(error)))
        return ErrorReply(f"ERR {error}")

    # What clients are told beforehand ------------------------------------------------------

    def heed_refusal(self) -> None:
        """The backend has run out of room, or has room again."""
        refusal = self.backend.refusal
        if refusal == self.refusal:
            return
        if refusal:
            fields: dict[str, object] = {"backend": self.backend.name, "reason": refusal}
            self.engine.reporter.report("error", "writes_refused", fields)
        else:
            self.engine.reporter.report("info", "writes_accepted", {"backend": self.backend.name})
        self.refusal = refusal
        self.rearm()

    def _set_unavailable(self, reason: str) -> None:
        if reason == self.unavailable:
            return
        fields: dict[str, object] = {"backend": self.backend.name}
        if reason:
            fields["reason"] = reason
            self.engine.reporter.report("error", "backend_unavailable", fields)
        else:
            self.engine.reporter.report("info", "backend_available", fields)
        self.unavailable = reason
        self.rearm()

    def rearm(self) -> None:
        """Put the backend's guard in force as long as anything is refused."""
        in_force = bool(self.refusal or self.unavailable or self.engine.syncs.error)
        self.engine.arm(BACKEND_BIT, in_force)

    def trouble(self) -> str:
        """The error for every command that looks at data; empty while all is well."""
        if not self.unavailable:
            return ""
        return f"MISCONF The {self.backend.name} backend has failed: {self.unavailable}"

    def no_room(self) -> str:
        """The error for commands that may grow the data; empty while there is room."""
        return self._no_room(self.refusal) if self.refusal else ""

    def _no_room(self, reason: str) -> str:
        return (
            f"MISCONF The {self.backend.name} backend cannot take more data: {reason.rstrip('.')}."
            " Commands that may grow the data are refused; reads and deletions go on."
        )

    def _report(self, event: str, error: Exception) -> None:
        """An error of the backend, or with its trace one that it should not have raised."""
        fields: dict[str, object] = {"backend": self.backend.name, "error": str(error)}
        if not isinstance(error, BackendError):
            fields["exception"] = error
        self.engine.reporter.report("error", event, fields)
