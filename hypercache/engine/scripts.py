"""Scripts as the engine sees them: who runs one, what it may do, and what happens meanwhile.

A script is one step, as EXEC is: time stands still for it, what it changes is one record of
the journal, and where the backend fails nothing of it stays. Its commands run through
`Engine.call` in a `Script`, the context that stands for its caller (Redis: script.c).

A script that runs longer than ``busy-reply-threshold`` is *busy*: whoever executes it calls
`Script.tick` every millisecond or so, and there others are served in an *interlude*
(docs/scripting.md). They are told BUSY, but may end the script or the server.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from mypy_extensions import i64

from hypercache.engine.acl.access import LUA
from hypercache.engine.command import DENYOOM, MAY_REPLICATE, NOSCRIPT, WRITE, Command
from hypercache.engine.context import Context
from hypercache.engine.guards import (
    BACKEND_BIT,
    BUSY_BIT,
    DISK_BIT,
    GUARDS,
    MEMORY_BIT,
    NO_MEMORY,
    READONLY_BIT,
    REPLICAS_BIT,
    STALE_BIT,
    TRACKING_BIT,
)
from hypercache.engine.interlude import Interlude
from hypercache.engine.waiting import Wait
from hypercache.reply import ErrorReply

if TYPE_CHECKING:
    from hypercache.engine.engine import Engine

# What a script declares of itself (#!lua flags=...). COMPATIBLE: it has declared nothing.
NO_WRITES: Final = 1 << 0
ALLOW_OOM: Final = 1 << 1
ALLOW_STALE: Final = 1 << 2
NO_CLUSTER: Final = 1 << 3
COMPATIBLE: Final = 1 << 4
ALLOW_CROSS_SLOT_KEYS: Final = 1 << 5

FLAGS: Final = {
    b"no-writes": NO_WRITES,
    b"allow-oom": ALLOW_OOM,
    b"allow-stale": ALLOW_STALE,
    b"no-cluster": NO_CLUSTER,
    b"allow-cross-slot-keys": ALLOW_CROSS_SLOT_KEYS,
}

# What redis.set_repl may switch off: effects for the append-only file and for replicas.
REPL_AOF: Final = 1
REPL_REPLICA: Final = 2
REPL_ALL: Final = 3

# The guards that a script's commands meet until it has written, and one that they always meet.
_FIRST_WRITE: Final[i64] = DISK_BIT | REPLICAS_BIT | READONLY_BIT
_CONCERNED: Final[i64] = _FIRST_WRITE | MEMORY_BIT | BACKEND_BIT | STALE_BIT

_OUT_OF_MEMORY: Final = (
    "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'"
)
_STALE: Final = (
    "MASTERDOWN Link with MASTER is down, replica-serve-stale-data is set to 'no' and "
    "'allow-stale' flag is not set on the script."
)
_DIRTY: Final = (
    "UNKILLABLE Sorry the script already executed write commands against the dataset. You can "
    "either wait the script termination or kill the server in a hard way using the SHUTDOWN "
    "NOSAVE command."
)


class Script(Context):
    """A script that runs: what its commands have for a client.

    ``name`` is its SHA-1 or the function's name, ``is_eval`` tells which. ``ended``: it was
    killed, or the backend has failed, and it is to run no further instruction; ``failure``
    says why in the latter case. ``wrote``: it has called a command that writes. ``abandoned``:
    the server ends, and what it has changed is not to be kept.
    """

    def __init__(self, caller: Context, name: str, flags: int, read_only: bool, is_eval: bool):
        engine = caller.engine
        super().__init__(engine, caller.id, caller.db)
        self.caller = caller
        self.user = caller.user
        self.address = caller.address
        self.name = caller.name
        self.in_exec = True
        # What it reads, its caller has read.
        self.tracker = caller.tracker
        self.armed = caller.armed & TRACKING_BIT
        self.script_name = name
        self.is_eval = is_eval
        self.read_only = read_only or (flags & COMPATIBLE == 0 and flags & NO_WRITES != 0)
        self.allow_oom = flags & COMPATIBLE == 0 and flags & ALLOW_OOM != 0
        self.out_of_memory = engine.armed & MEMORY_BIT != 0 and engine.eviction.failed
        self.wrote = False
        self.ended = False
        self.abandoned = False
        self.failure: ErrorReply | None = None
        self.repl = REPL_ALL
        # The journal's offset, and Unix microseconds, when it began.
        self.before: i64 = engine.journal.offset
        self.began: i64 = engine.time

    def call(self, args: list[bytes]) -> object:
        """Run a command: its reply, or the error that it was refused or has failed with."""
        engine = self.engine
        try:
            command = engine.registry.find(args)
        except ErrorReply:
            return self._unknown(args)
        refusal: ErrorReply | None = None
        if command.flags & NOSCRIPT and not engine.scripts.allows_all:
            refusal = ErrorReply("ERR This Redis command is not allowed from script")
        elif not self.user.unrestricted:
            refusal = self._denied(command, args)
        if refusal is None:
            if self.read_only and command.flags & (WRITE | MAY_REPLICATE):
                refusal = ErrorReply("ERR Write commands are not allowed from read-only scripts.")
            elif engine.armed & command.guards & _CONCERNED:
                refusal = self._guarded(command, args)
        if refusal is not None:
            command.rejected_calls += 1
            engine.counters.count_error(refusal)
            return refusal
        if command.flags & WRITE:
            self.wrote = True
        self.last_command = command
        kept = len(engine.changes.effects)
        reply = engine.tracking.perform(self, command, args)
        if self.repl == 0:
            del engine.changes.effects[kept:]
        if engine.units.spoiled:
            self.ended = True
            if isinstance(reply, ErrorReply):
                self.failure = reply
        if isinstance(reply, Wait):
            return reply.reply(engine)  # nobody waits in a script: as if the time were up
        return reply

    def permits(self, args: list[bytes]) -> bool | None:
        """Whether the caller's user may make a call; None for an unknown command."""
        command = self.engine.registry.resolve(args)
        if command is None:
            return None
        return self.user.unrestricted or self.user.verdict(command, args) == 0

    def tick(self) -> bool:
        """Called now and then while the script runs: whether it is to end at once.

        Once it has run for too long, others are served here.
        """
        if not self.ended:
            self.engine.scripts.look(self)
        return self.ended

    def _unknown(self, args: list[bytes]) -> ErrorReply:
        """A request that calls no command, or one with a wrong number of arguments."""
        if self.engine.registry.resolve(args) is None:
            error = ErrorReply("ERR Unknown Redis command called from script")
        else:
            error = ErrorReply("ERR Wrong number of args calling Redis command from script")
        self.engine.counters.count_error(error)
        return error

    def _denied(self, command: Command, args: list[bytes]) -> ErrorReply | None:
        """What the rules of the caller's user say against a call."""
        refusal = self.engine.acl.refusal(self, command, args, LUA)
        if refusal is None:
            return None
        return ErrorReply(f"ERR ACL failure in script: {refusal.text()}")

    def _guarded(self, command: Command, args: list[bytes]) -> ErrorReply | None:
        """What the state of the server says against a call.

        A script that has written is let go on, where that is possible at all.
        """
        engine = self.engine
        concerned: i64 = engine.armed & command.guards & _CONCERNED
        if self.wrote:
            concerned &= ~(_FIRST_WRITE | MEMORY_BIT)
        short = self.out_of_memory or engine.eviction.is_exhausted(self.db)
        if self.allow_oom or not short or not command.flags & DENYOOM:
            concerned &= ~MEMORY_BIT
        if concerned == 0:
            return None
        for guard in GUARDS:
            if guard.bit & concerned:
                if guard.bit & MEMORY_BIT:
                    return ErrorReply(NO_MEMORY)
                if guard.bit == STALE_BIT:
                    return ErrorReply("ERR Can not execute the command on a stale replica")
                try:
                    guard.check(engine, self, command, args)
                except ErrorReply as error:
                    return error
        return None


class Scripts:
    """The running script of an engine, of which there is one at most, and its interludes.

    ``threshold`` is how long one may run before others are served, in milliseconds (0: for
    ever); ``serve_others`` serves them once, if the transport can.
    """

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self.running: Script | None = None
        self.threshold: i64 = 5000
        self.serve_others: Callable[[], None] | None = None
        self.is_busy = False
        # Whether scripts may call commands that are not for them (DEBUG).
        self.allows_all = False
        # What calls of a command declare of the script that they run, by the command's name.
        self.declared: dict[bytes, Callable[[list[bytes]], int]] = {}

    def writes_nothing(self, command: Command, args: list[bytes]) -> bool:
        """Whether a call runs a script that declares to write nothing: CLIENT PAUSE lets it be."""
        declared = self.declared.get(command.name)
        return declared is not None and declared(args) & NO_WRITES != 0

    def begin(
        self, caller: Context, name: str, flags: int, read_only: bool, is_eval: bool
    ) -> Script:
        """A script begins; raises `ErrorReply` where it may not run now. `end` must follow."""
        if self.engine.armed & _CONCERNED:
            self._admit(caller, flags)
        if read_only and flags & (COMPATIBLE | NO_WRITES) == 0:
            raise ErrorReply("ERR Can not execute a script with write flag using *_ro command.")
        script = Script(caller, name, flags, read_only, is_eval)
        self.running = script
        return script

    def _admit(self, caller: Context, flags: int) -> None:
        """Refuse what a script declares to do, if the state of the server forbids it."""
        engine = self.engine
        if engine.armed & STALE_BIT and not flags & ALLOW_STALE:
            if flags & COMPATIBLE:
                raise ErrorReply(
                    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set "
                    "to 'no'."
                )
            raise ErrorReply(_STALE)
        if flags & (COMPATIBLE | NO_WRITES):
            return
        if engine.armed & READONLY_BIT:
            raise ErrorReply("READONLY Can not run script with write flag on readonly replica")
        if engine.disk_errors:
            raise ErrorReply(next(iter(engine.disk_errors.values())))
        if engine.armed & REPLICAS_BIT:
            raise ErrorReply("NOREPLICAS Not enough good replicas to write.")
        if not flags & ALLOW_OOM and engine.armed & MEMORY_BIT and engine.eviction.failed:
            raise ErrorReply(_OUT_OF_MEMORY if caller.in_exec else NO_MEMORY)

    def end(self, script: Script) -> None:
        """The script is over: journal what it has changed as one step.

        Raises `ErrorReply` where the backend has failed, and nothing of it stays.
        """
        engine = self.engine
        self.running = None
        if self.is_busy:
            self.is_busy = False
            engine.arm(BUSY_BIT, False)
        caller = script.caller
        assert caller is not None
        caller.written = max(caller.written, script.written)
        if caller.in_exec:
            return  # EXEC journals it with all else, or undoes it
        if engine.units.spoiled:
            engine.units.undo_transaction(script, script.before)
            raise script.failure or ErrorReply("ERR the script was undone")
        effects = engine.changes.effects
        if effects:
            engine.changes.effects = []
        if effects and not script.abandoned:
            engine.journal.append(effects)
            caller.written = engine.journal.offset

    def kill(self, is_eval: bool) -> None:
        """SCRIPT KILL or FUNCTION KILL; raises `ErrorReply` where there is nothing to kill."""
        script = self.running
        if script is None:
            raise ErrorReply("NOTBUSY No scripts in execution right now.")
        if script.wrote:
            raise ErrorReply(_DIRTY)
        if is_eval != script.is_eval:
            raise ErrorReply(self.busy_text())
        script.ended = True

    def abandon(self) -> None:
        """The server ends (SHUTDOWN NOSAVE): a script that is under way goes no further.

        Of what it has changed nothing is kept on disk, as if the process had ended here.
        """
        script = self.running
        if script is None:
            return
        script.ended = True
        script.abandoned = True
        if self.engine.units.is_open:
            self.engine.units.spoiled = True

    def busy_text(self) -> str:
        """What others are told while a script is busy."""
        word = "SCRIPT" if self.running is None or self.running.is_eval else "FUNCTION"
        return (
            "BUSY Redis is busy running a script. You can only call "
            f"{word} KILL or SHUTDOWN NOSAVE."
        )

    # Long scripts ----------------------------------------------------------------------------

    def look(self, script: Script) -> None:
        """Serve others, if the script has run for too long."""
        engine = self.engine
        now: i64 = engine.clock.microseconds()
        if self.threshold <= 0 or now - script.began < self.threshold * 1000:
            return
        if not self.is_busy:
            self.is_busy = True
            engine.arm(BUSY_BIT, True)
            fields: dict[str, object] = {
                "milliseconds": (now - script.began) // 1000,
                "script": script.script_name,
            }
            engine.reporter.report("warning", "script_busy", fields)
        if self.serve_others is not None:
            Interlude(engine, script).run(self.serve_others)
