# mypyc: interpreted
"""MONITOR: be shown what all clients do."""

from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.engine.session import Session
from hypercache.reply import NO_REPLY, OK, ErrorReply, Reply


@command(
    "MONITOR",
    group="server",
    since="1.0.0",
    flags="admin noscript loading stale",
    summary="Show every command that any client executes, as it happens, on this connection.",
)
def monitor(context: Context, args: list[bytes]) -> Reply:
    """Until RESET or the end of the connection. Redis answers only the first one, so do we."""
    if context.in_exec or not isinstance(context, Session):
        raise ErrorReply("ERR MONITOR isn't allowed for DENY BLOCKING client")
    if context.monitoring:
        return NO_REPLY
    context.engine.observation.monitors.add(context)
    return OK
