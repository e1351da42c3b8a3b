# mypyc: interpreted
"""CONFIG: the settings of a running server."""

from hypercache.commands.arguments import SYNTAX_ERROR
from hypercache.config import ConfigError
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.engine.guards import LOADING_BIT
from hypercache.reply import OK, ErrorReply, Reply, printable


@command(
    "CONFIG GET parameter...",
    container="CONFIG",
    group="server",
    since="2.0.0",
    complexity="O(N) when N is the number of configuration parameters provided",
    flags="admin noscript loading stale",
    history=(("7.0.0", "Added the ability to pass multiple pattern parameters in one call"),),
    summary="Return the settings whose names match.",
)
def config_get(context: Context, args: list[bytes]) -> Reply:
    patterns = [printable(each) for each in args[2:]]
    found: dict[object, object] = {}
    for name, value in context.engine.configuration.get(*patterns):
        found[to_bytes(name)] = to_bytes(value)
    return found


def to_bytes(text: str) -> bytes:
    """The bytes of a setting's text."""
    return text.encode("utf-8", "surrogateescape")


@command(
    "CONFIG SET data=(parameter value)...",
    container="CONFIG",
    group="server",
    since="2.0.0",
    complexity="O(N) when N is the number of configuration parameters provided",
    flags="admin noscript loading stale",
    tips="request_policy:all_nodes response_policy:all_succeeded",
    history=(("7.0.0", "Added the ability to set multiple parameters in one call."),),
    summary="Change settings, all of them or none.",
)
def config_set(context: Context, args: list[bytes]) -> Reply:
    if len(args) % 2:
        raise ErrorReply(SYNTAX_ERROR)
    pairs = [(printable(args[at]), printable(args[at + 1])) for at in range(2, len(args), 2)]
    engine = context.engine
    loading = engine.armed & LOADING_BIT != 0
    try:
        engine.configuration.set(pairs, local=context.is_local, loading=loading)
    except ConfigError as error:
        raise ErrorReply(str(error)) from None
    return OK


@command(
    "CONFIG RESETSTAT",
    container="CONFIG",
    group="server",
    since="2.0.0",
    complexity="O(1)",
    flags="admin noscript loading stale",
    tips="request_policy:all_nodes response_policy:all_succeeded",
    summary="Set the statistics of INFO back to zero.",
)
def config_resetstat(context: Context, args: list[bytes]) -> Reply:
    context.engine.reset_statistics()
    return OK


@command(
    "CONFIG REWRITE",
    container="CONFIG",
    group="server",
    since="2.8.0",
    complexity="O(1)",
    flags="admin noscript loading stale",
    tips="request_policy:all_nodes response_policy:all_succeeded",
    summary="Write the settings in force to the configuration file.",
)
def config_rewrite(context: Context, args: list[bytes]) -> Reply:
    try:
        context.engine.configuration.rewrite()
    except ConfigError as error:
        raise ErrorReply(str(error)) from None
    return OK
