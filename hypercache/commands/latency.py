# mypyc: interpreted
"""LATENCY: how long commands take, and what took too long."""

from hypercache.engine.command import Command, command
from hypercache.engine.context import Context
from hypercache.engine.latency_reports import graph, report
from hypercache.reply import ErrorReply, Reply, Verbatim, quotable


@command(
    "LATENCY HISTOGRAM [command...]",
    container="LATENCY",
    group="server",
    since="7.0.0",
    complexity=("O(N) where N is the number of commands with latency information being retrieved."),
    flags="admin noscript loading stale",
    tips="nondeterministic_output request_policy:all_nodes response_policy:special",
    summary="Return how many calls took up to how many microseconds, of all or some commands.",
)
def latency_histogram(context: Context, args: list[bytes]) -> Reply:
    registry = context.engine.registry
    found: list[Command] = []
    for each in registry.commands() if len(args) == 2 else named(context, args[2:]):
        found.append(each)
        if each.subcommands is not None:
            found += each.subcommands.values()
    reply: dict[object, object] = {}
    for each in found:
        if each.has_latencies():
            reply[each.name] = distribution(each)
    return reply


def named(context: Context, names: list[bytes]) -> list[Command]:
    """The commands of these names; unknown ones are passed over."""
    found = [context.engine.registry.get(name) for name in names]
    return [each for each in found if each is not None]


def distribution(command: Command) -> dict[object, object]:
    """Calls up to each power of two microseconds, where any were added."""
    cumulative: dict[object, object] = {}
    calls = 0
    for octave, count in enumerate(command.histogram()):
        if count:
            calls += count
            cumulative[1 << octave] = calls
    return {b"calls": calls, b"histogram_usec": cumulative}


@command(
    "LATENCY LATEST",
    container="LATENCY",
    group="server",
    since="2.8.13",
    complexity="O(1)",
    flags="admin noscript loading stale",
    tips="nondeterministic_output request_policy:all_nodes response_policy:special",
    summary="Return the last and the worst sample of everything that took too long.",
)
def latency_latest(context: Context, args: list[bytes]) -> Reply:
    reply: list[object] = []
    for event, series in context.engine.latency.events.items():
        at, milliseconds = series.samples[-1]
        reply.append([event, at, milliseconds, series.worst])
    return reply


@command(
    "LATENCY HISTORY event",
    container="LATENCY",
    group="server",
    since="2.8.13",
    complexity="O(1)",
    flags="admin noscript loading stale",
    tips="nondeterministic_output request_policy:all_nodes response_policy:special",
    summary="Return the samples of one event: Unix time and milliseconds.",
)
def latency_history(context: Context, args: list[bytes]) -> Reply:
    series = context.engine.latency.events.get(args[2])
    return [] if series is None else [list(sample) for sample in series.samples]


@command(
    "LATENCY RESET [event...]",
    container="LATENCY",
    group="server",
    since="2.8.13",
    complexity="O(1)",
    flags="admin noscript loading stale",
    tips="request_policy:all_nodes response_policy:agg_sum",
    summary="Forget the samples of some events, or of all.",
)
def latency_reset(context: Context, args: list[bytes]) -> Reply:
    monitor = context.engine.latency
    events = args[2:] or list(monitor.events)
    return len([event for event in events if monitor.reset(event)])


@command(
    "LATENCY GRAPH event",
    container="LATENCY",
    group="server",
    since="2.8.13",
    complexity="O(1)",
    flags="admin noscript loading stale",
    tips="nondeterministic_output request_policy:all_nodes response_policy:special",
    summary="Draw the samples of one event.",
)
def latency_graph(context: Context, args: list[bytes]) -> Reply:
    series = context.engine.latency.events.get(args[2])
    if series is None:
        raise ErrorReply(f"ERR No samples available for event '{quotable(args[2])}'")
    now = context.engine.time // 1_000_000
    return Verbatim(graph(args[2], series, now).encode("utf-8", "surrogateescape"))


@command(
    "LATENCY DOCTOR",
    container="LATENCY",
    group="server",
    since="2.8.13",
    complexity="O(1)",
    flags="admin noscript loading stale",
    tips="nondeterministic_output request_policy:all_nodes response_policy:special",
    summary="Say in words what took too long, and what may help.",
)
def latency_doctor(context: Context, args: list[bytes]) -> Reply:
    return Verbatim(report(context.engine).encode("utf-8", "surrogateescape"))
