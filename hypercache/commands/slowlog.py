# mypyc: interpreted
"""SLOWLOG: the commands that took long."""

from hypercache.commands.arguments import misused
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.keyspace import numbers
from hypercache.reply import OK, ErrorReply, Reply


@command(
    "SLOWLOG GET [count:integer]",
    container="SLOWLOG",
    group="server",
    since="2.2.12",
    complexity="O(N) where N is the number of entries returned",
    flags="admin loading stale",
    tips="request_policy:all_nodes nondeterministic_output",
    history=(("4.0.0", "Added client IP address, port and name to the reply."),),
    summary="Return the latest slow commands, ten unless told otherwise; -1 for all.",
)
def slowlog_get(context: Context, args: list[bytes]) -> Reply:
    """Of each: its number, Unix time, microseconds, arguments, the client's address and name."""
    if len(args) > 3:
        raise misused(args)
    count: int | None = 10
    if len(args) == 3:
        count = numbers.parse_integer(args[2])
    if count is None or count < -1:
        raise ErrorReply("ERR count should be greater than or equal to -1")
    reply: list[object] = []
    for entry in context.engine.slowlog.latest(count):
        shown: list[object] = [entry.number, entry.at, entry.duration, entry.args]
        reply.append([*shown, entry.client.encode("utf-8", "surrogateescape"), entry.name])
    return reply


@command(
    "SLOWLOG LEN",
    container="SLOWLOG",
    group="server",
    since="2.2.12",
    complexity="O(1)",
    flags="admin loading stale",
    tips="request_policy:all_nodes response_policy:agg_sum nondeterministic_output",
    summary="Return how many slow commands are remembered.",
)
def slowlog_len(context: Context, args: list[bytes]) -> Reply:
    return context.engine.slowlog.length()


@command(
    "SLOWLOG RESET",
    container="SLOWLOG",
    group="server",
    since="2.2.12",
    complexity="O(N) where N is the number of entries in the slowlog",
    flags="admin loading stale",
    tips="request_policy:all_nodes response_policy:all_succeeded",
    summary="Forget the slow commands.",
)
def slowlog_reset(context: Context, args: list[bytes]) -> Reply:
    context.engine.slowlog.reset()
    return OK
