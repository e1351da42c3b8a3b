"""CLIENT UNBLOCK, PAUSE and UNPAUSE: who must wait, and who no longer."""

from typing import Final

from hypercache.commands.arguments import misused, parse_integer
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.keyspace import numbers
from hypercache.reply import OK, ErrorReply, Reply

# Milliseconds that as microseconds since 1970 still fit in 64 bits.
_LONGEST_PAUSE: Final = 1 << 52
_UNBLOCKED: Final = "UNBLOCKED client unblocked via CLIENT UNBLOCK"


@command(
    "CLIENT UNBLOCK client-id:integer [unblock-type=(TIMEOUT | ERROR)]",
    container="CLIENT",
    group="connection",
    since="5.0.0",
    complexity="O(log N) where N is the number of client connections",
    flags="admin noscript loading stale",
    summary="End the waiting of another connection, as if its time were up or with an error.",
)
def client_unblock(context: Context, args: list[bytes]) -> Reply:
    error: ErrorReply | None = None
    if len(args) > 4:
        raise misused(args)
    if len(args) == 4:
        reason = args[3].lower()
        if reason == b"error":
            error = ErrorReply(_UNBLOCKED)
        elif reason != b"timeout":
            raise ErrorReply("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
    parked = context.engine.waits.parked.get(parse_integer(args[2]))
    if parked is None:
        return 0
    context.engine.waits.complete(parked, error)
    return 1


@command(
    "CLIENT PAUSE timeout:integer [mode=(WRITE | ALL)]",
    container="CLIENT",
    group="connection",
    since="3.0.0",
    complexity="O(1)",
    flags="admin noscript loading stale",
    history=(("6.2.0", "`CLIENT PAUSE WRITE` mode added along with the `mode` option."),),
    summary="Postpone all requests, or those that change data, for some milliseconds.",
)
def client_pause(context: Context, args: list[bytes]) -> Reply:
    if len(args) > 4:
        raise misused(args)
    mode = args[3].lower() if len(args) == 4 else b"all"
    if mode not in (b"all", b"write"):
        raise ErrorReply("ERR CLIENT PAUSE mode must be WRITE or ALL")
    timeout = numbers.parse_integer(args[2])
    if timeout is None:
        raise ErrorReply("ERR timeout is not an integer or out of range")
    if timeout < 0:
        raise ErrorReply("ERR timeout is negative")
    engine = context.engine
    if timeout > _LONGEST_PAUSE:
        raise ErrorReply("ERR timeout is out of range")
    engine.waits.pause_clients(engine.time + timeout * 1000, mode == b"write")
    return OK


@command(
    "CLIENT UNPAUSE",
    container="CLIENT",
    group="connection",
    since="6.2.0",
    complexity="O(N) Where N is the number of paused clients",
    flags="admin noscript loading stale",
    summary="Go on with the requests that CLIENT PAUSE has postponed.",
)
def client_unpause(context: Context, args: list[bytes]) -> Reply:
    context.engine.waits.end_pause()
    return OK
