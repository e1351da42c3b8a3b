"""What may stand between a command and its execution, in Redis' order (processCommand).

A guard has a bit. A command carries the bits of the guards that could concern it, fixed when
it is registered; the server and each client carry the bits of the guards now in force. In
the usual case no bit is in both, and all guards together cost one test. Otherwise the
guards whose bits meet are asked in turn; the first that raises decides.

Two guards have no bit because they always apply and come first: the lookup
(`Registry.find`) and the number of arguments.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from mypy_extensions import i64

from hypercache.engine.command import (
    ALLOW_BUSY,
    DENYOOM,
    LOADING,
    MAY_REPLICATE,
    NO_AUTH,
    NO_MULTI,
    PROTECTED,
    READONLY,
    STALE,
    WRITE,
    Command,
)
from hypercache.reply import ErrorReply

if TYPE_CHECKING:
    from hypercache.engine.context import Context
    from hypercache.engine.engine import Engine

Check = Callable[["Engine", "Context", Command, list[bytes]], None]

PROTECTED_BIT: Final[i64] = 1 << 0
AUTH_BIT: Final[i64] = 1 << 1
NO_MULTI_BIT: Final[i64] = 1 << 2
MEMORY_BIT: Final[i64] = 1 << 3
DISK_BIT: Final[i64] = 1 << 4
REPLICAS_BIT: Final[i64] = 1 << 5
READONLY_BIT: Final[i64] = 1 << 6
SUBSCRIBED_BIT: Final[i64] = 1 << 7
STALE_BIT: Final[i64] = 1 << 8
LOADING_BIT: Final[i64] = 1 << 9
BUSY_BIT: Final[i64] = 1 << 10
QUEUE_BIT: Final[i64] = 1 << 11
PAUSE_BIT: Final[i64] = 1 << 12
BACKEND_BIT: Final[i64] = 1 << 13
MONITOR_BIT: Final[i64] = 1 << 14
ACL_BIT: Final[i64] = 1 << 15
# Client-side caching: the keys of this command are remembered; CLIENT CACHING ends with it;
# the table of keys is too large.
TRACKING_BIT: Final[i64] = 1 << 16
CACHING_BIT: Final[i64] = 1 << 17
TABLE_BIT: Final[i64] = 1 << 18
# MEMORY_BIT for commands that only read: in force until a limit was found to be kept, and from the
# next command on that may let the data grow.
ROOM_BIT: Final[i64] = 1 << 19

# What looks at data; DEBUG, which is protected, may.
_DATA: Final = WRITE | READONLY | PROTECTED

# Commands that RESP2 allows between SUBSCRIBE and UNSUBSCRIBE.
_SUBSCRIBER_COMMANDS: Final = frozenset(
    (
        b"ping",
        b"quit",
        b"reset",
        b"subscribe",
        b"unsubscribe",
        b"psubscribe",
        b"punsubscribe",
        b"ssubscribe",
        b"sunsubscribe",
    )
)
# Commands that a client inside MULTI runs at once.
_UNQUEUED_COMMANDS: Final = frozenset((b"exec", b"discard", b"multi", b"watch", b"quit", b"reset"))
# Those that it may send while memory is short.
_QUEUE_COMMANDS: Final = frozenset((b"exec", b"discard", b"quit", b"reset"))

#: What commands are told that need more memory than there is.
NO_MEMORY: Final = "OOM command not allowed when used memory > 'maxmemory'."


class Guard:
    """One rule: its bit, and the check that raises `ErrorReply` where the rule forbids."""

    def __init__(self, bit: i64, check: Check) -> None:
        self.bit: i64 = bit
        self.check = check


def protected(engine: "Engine", context: "Context", command: Command, args: list[bytes]) -> None:
    """DEBUG and MODULE need the operator's leave, in general or for local clients."""
    word = command.name.split(b"|")[0].decode().upper()
    allowed = engine.protected_commands.get(word, "no")
    if allowed == "yes" or (allowed == "local" and context.is_local):
        return
    raise ErrorReply(
        f"ERR {word} command not allowed. If the enable-{word.lower()}-command option is set to "
        f'"local", you can run it from a local connection, otherwise you need to set this option '
        f"in the configuration file, and then restart the server."
    )


def authentication(
    engine: "Engine", context: "Context", command: Command, args: list[bytes]
) -> None:
    """Strangers may only log in, as long as the default user has a password or is disabled."""
    if engine.acl.needs_login():
        raise ErrorReply("NOAUTH Authentication required.")


def not_in_transaction(
    engine: "Engine", context: "Context", command: Command, args: list[bytes]
) -> None:
    """Some commands cannot wait for EXEC."""
    raise ErrorReply("ERR Command not allowed inside a transaction")


def permission(engine: "Engine", context: "Context", command: Command, args: list[bytes]) -> None:
    """Users may only do what their rules allow."""
    engine.acl.admit(context, command, args)


def stands_for(context: "Context", command: Command, flag: i64) -> bool:
    """Whether a guard for a flag concerns a call: EXEC's when a command in its queue has it."""
    if command.name != b"exec":
        return True
    return any(queued.command.flags & flag for queued in context.queue or [])


def memory(engine: "Engine", context: "Context", command: Command, args: list[bytes]) -> None:
    """Make room first; where that fails, no command that may grow the data, and none is queued."""
    has_room = engine.eviction.make_room(context.db, command.guards & MEMORY_BIT != 0)
    if not has_room and needs_room(context, command):
        raise ErrorReply(NO_MEMORY)


def needs_room(context: "Context", command: Command) -> bool:
    """Whether a command is refused while a limit to the memory is exceeded."""
    if context.queue is not None and command.name not in _QUEUE_COMMANDS:
        return True
    return concerns(context, command, DENYOOM)


def tracking_table(
    engine: "Engine", context: "Context", command: Command, args: list[bytes]
) -> None:
    """Forbids nothing, but each command first makes room in the table of tracked keys."""
    engine.tracking.forget_some()


def disk(engine: "Engine", context: "Context", command: Command, args: list[bytes]) -> None:
    """No writes while persistence fails and the settings say that this matters; PING tells it."""
    if command.name == b"ping" or stands_for(context, command, WRITE):
        raise ErrorReply(next(iter(engine.disk_errors.values())))


def backend(engine: "Engine", context: "Context", command: Command, args: list[bytes]) -> None:
    """Nothing that the backend could not keep: as long as it has failed, or has no room."""
    error = engine.units.trouble()
    if error and concerns(context, command, _DATA):
        raise ErrorReply(error)
    error = engine.syncs.refusal()
    if error and concerns(context, command, WRITE):
        raise ErrorReply(error)
    error = engine.units.no_room()
    if error and concerns(context, command, DENYOOM) and engine.stores.is_full(context.db, command):
        raise ErrorReply(error)


def concerns(context: "Context", command: Command, flags: int) -> bool:
    """Whether a command, or one in EXEC's queue, has one of some flags."""
    if command.name == b"exec":
        return stands_for(context, command, flags)
    return command.flags & flags != 0


def replicas(engine: "Engine", context: "Context", command: Command, args: list[bytes]) -> None:
    """No writes with fewer good replicas than min-replicas-to-write."""
    if stands_for(context, command, WRITE):
        raise ErrorReply("NOREPLICAS Not enough good replicas to write.")


def readonly(engine: "Engine", context: "Context", command: Command, args: list[bytes]) -> None:
    """A replica takes writes from its primary only."""
    if stands_for(context, command, WRITE):
        raise ErrorReply("READONLY You can't write against a read only replica.")


def subscribed(engine: "Engine", context: "Context", command: Command, args: list[bytes]) -> None:
    """A RESP2 subscriber could not tell a reply from a message."""
    raise ErrorReply(
        f"ERR Can't execute '{command.name.decode()}': only (P|S)SUBSCRIBE / "
        "(P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"
    )


def stale(engine: "Engine", context: "Context", command: Command, args: list[bytes]) -> None:
    """A replica without its primary serves old data only if told to."""
    raise ErrorReply(
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."
    )


def loading(engine: "Engine", context: "Context", command: Command, args: list[bytes]) -> None:
    """Nothing is served from data that are not complete yet."""
    raise ErrorReply("LOADING Redis is loading the dataset in memory")


def busy(engine: "Engine", context: "Context", command: Command, args: list[bytes]) -> None:
    """A script that runs too long: only what may stop it."""
    raise ErrorReply(engine.scripts.busy_text())


def monitoring(engine: "Engine", context: "Context", command: Command, args: list[bytes]) -> None:
    """Who is shown all commands works on no data; Redis has it as a kind of replica."""
    if concerns(context, command, WRITE | READONLY | MAY_REPLICATE):
        raise ErrorReply("ERR Replica can't interact with the keyspace")


#: The guards in the order in which they are asked. CLIENT PAUSE and MULTI's queue, which
#: refuse nothing, come after them all.
GUARDS: Final = [
    Guard(PROTECTED_BIT, protected),
    Guard(AUTH_BIT, authentication),
    Guard(NO_MULTI_BIT, not_in_transaction),
    Guard(ACL_BIT, permission),
    Guard(MEMORY_BIT | ROOM_BIT, memory),
    Guard(TABLE_BIT, tracking_table),
    Guard(DISK_BIT, disk),
    Guard(BACKEND_BIT, backend),
    Guard(REPLICAS_BIT, replicas),
    Guard(READONLY_BIT, readonly),
    Guard(SUBSCRIBED_BIT, subscribed),
    Guard(STALE_BIT, stale),
    Guard(LOADING_BIT, loading),
    Guard(BUSY_BIT, busy),
    Guard(MONITOR_BIT, monitoring),
]


def guards_of(command: Command) -> i64:
    """The bits of all guards that could concern a command, from its declared flags."""
    bits: i64 = PAUSE_BIT | TABLE_BIT
    bits |= ROOM_BIT if command.flags & (READONLY | MAY_REPLICATE) == READONLY else MEMORY_BIT
    if command.flags & PROTECTED:
        bits |= PROTECTED_BIT
    if not command.flags & NO_AUTH:
        bits |= AUTH_BIT | ACL_BIT
    if command.flags & NO_MULTI:
        bits |= NO_MULTI_BIT
    is_exec = command.name == b"exec"
    if command.flags & WRITE or is_exec:
        bits |= DISK_BIT | REPLICAS_BIT | READONLY_BIT
    if command.flags & _DATA or is_exec:
        bits |= BACKEND_BIT
    if command.flags & (WRITE | READONLY | MAY_REPLICATE) or is_exec:
        bits |= MONITOR_BIT
    if command.name == b"ping":
        bits |= DISK_BIT
    if command.name not in _SUBSCRIBER_COMMANDS:
        bits |= SUBSCRIBED_BIT
    if not command.flags & STALE:
        bits |= STALE_BIT
    if not command.flags & LOADING:
        bits |= LOADING_BIT
    if not command.flags & ALLOW_BUSY:
        bits |= BUSY_BIT
    if command.name not in _UNQUEUED_COMMANDS:
        bits |= QUEUE_BIT
    return bits | _tracking_bits(command)


def _tracking_bits(command: Command) -> i64:
    """What client-side caching has to do with a command.

    Of a script the keys that its commands read are remembered, not its own.
    """
    bits: i64 = 0
    has_keys = len(command.key_specs) > 0 or command.key_finder is not None
    if command.flags & READONLY and has_keys and command.declaration.group != "scripting":
        bits |= TRACKING_BIT
    if command.parent is None or command.parent.name != b"client" or command.word == b"setinfo":
        bits |= CACHING_BIT
    return bits
