# mypyc: interpreted
"""MODULE: native modules, of which there are none; plugins are what extends this server."""

from typing import Final

from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.reply import ErrorReply, Reply, printable

_NOT_LOADED: Final = "ERR Error loading the extension. Please check the server logs."


@command(
    "MODULE LIST",
    container="MODULE",
    group="server",
    since="4.0.0",
    complexity="O(N) where N is the number of loaded modules.",
    flags="admin noscript",
    tips="nondeterministic_output_order",
    summary="List the loaded modules: none, for plugins are no modules.",
)
def module_list(context: Context, args: list[bytes]) -> Reply:
    return []


@command(
    "MODULE LOAD path [arg...]",
    container="MODULE",
    group="server",
    since="4.0.0",
    complexity="O(1)",
    flags="admin noscript no_async_loading protected",
    summary="Refuse to load a native module.",
)
def module_load(context: Context, args: list[bytes]) -> Reply:
    raise refusal(context, args[2])


@command(
    "MODULE LOADEX path [CONFIG configs=(name value)]... [ARGS args...]",
    container="MODULE",
    group="server",
    since="7.0.0",
    complexity="O(1)",
    flags="admin noscript no_async_loading protected",
    summary="Refuse to load a native module with settings.",
)
def module_loadex(context: Context, args: list[bytes]) -> Reply:
    raise refusal(context, args[2])


def refusal(context: Context, path: bytes) -> ErrorReply:
    """What Redis answers where a module does not load; the log says why."""
    reason = "native modules cannot be loaded here; plugins can"
    fields: dict[str, object] = {"path": printable(path), "reason": reason}
    context.engine.reporter.report("warning", "module_refused", fields)
    return ErrorReply(_NOT_LOADED)


@command(
    "MODULE UNLOAD name",
    container="MODULE",
    group="server",
    since="4.0.0",
    complexity="O(1)",
    flags="admin noscript no_async_loading protected",
    summary="Unload a module, had one been loaded.",
)
def module_unload(context: Context, args: list[bytes]) -> Reply:
    raise ErrorReply("ERR Error unloading module: no such module with that name")
