# mypyc: interpreted
"""The COMMAND family: what this server's commands are, from their declarations."""

from hypercache.engine.command import CATEGORIES, NO_MANDATORY_KEYS, Command, command
from hypercache.engine.context import Context
from hypercache.engine.documentation import command_docs, command_info, key_flag_names
from hypercache.engine.keys import NOT_KEY, find_keys
from hypercache.engine.registry import Registry
from hypercache.keyspace.glob import matches
from hypercache.reply import ErrorReply, Reply


@command(
    "COMMAND",
    group="server",
    since="2.8.13",
    complexity="O(N) where N is the number of commands",
    flags="loading stale",
    categories="connection",
    tips="nondeterministic_output_order",
    arity=-1,
    summary="Describe every command.",
)
def command_(context: Context, args: list[bytes]) -> Reply:
    """COMMAND alone is COMMAND INFO of everything."""
    return [command_info(each) for each in context.engine.registry.commands()]


@command(
    "COMMAND COUNT",
    container="COMMAND",
    group="server",
    since="2.8.13",
    complexity="O(1)",
    flags="loading stale",
    categories="connection",
    summary="Return the number of commands, containers counted once.",
)
def command_count(context: Context, args: list[bytes]) -> Reply:
    return len(context.engine.registry)


@command(
    "COMMAND INFO [command-name...]",
    container="COMMAND",
    group="server",
    since="2.8.13",
    complexity="O(N) where N is the number of commands asked for",
    flags="loading stale",
    categories="connection",
    tips="nondeterministic_output_order",
    history=(("7.0.0", "Allowed to be called with no argument to get info on all commands."),),
    summary="Describe some commands, or all: arity, flags, key positions, categories.",
)
def command_info_(context: Context, args: list[bytes]) -> Reply:
    registry = context.engine.registry
    if len(args) == 2:
        return [command_info(each) for each in registry.commands()]
    reply: list[object] = []
    for name in args[2:]:
        found = registry.get(name)
        reply.append(None if found is None else command_info(found))
    return reply


@command(
    "COMMAND DOCS [command-name...]",
    container="COMMAND",
    group="server",
    since="7.0.0",
    complexity="O(N) where N is the number of commands asked for",
    flags="loading stale",
    categories="connection",
    tips="nondeterministic_output_order",
    summary="Document some commands, or all: summary, arguments, history.",
)
def command_docs_(context: Context, args: list[bytes]) -> Reply:
    registry = context.engine.registry
    reply: dict[object, object] = {}
    if len(args) == 2:
        for each in registry.commands():
            reply[each.name] = command_docs(each)
    for name in args[2:]:
        found = registry.get(name)
        if found is not None:
            reply[found.name] = command_docs(found)
    return reply


@command(
    "COMMAND LIST [FILTERBY filterby=(MODULE module-name | ACLCAT category"
    " | PATTERN pattern:pattern)]",
    container="COMMAND",
    group="server",
    since="7.0.0",
    complexity="O(N) where N is the number of commands",
    flags="loading stale",
    categories="connection",
    tips="nondeterministic_output_order",
    summary="List the names of commands and sub-commands: all, or those that a filter lets pass.",
)
def command_list(context: Context, args: list[bytes]) -> Reply:
    every = context.engine.registry.every()
    if len(args) == 2:
        return [each.name for each in every]
    if len(args) != 5 or args[2].lower() != b"filterby":
        raise ErrorReply("ERR syntax error")
    kind = args[3].lower()
    wanted = args[4]
    if kind == b"module":
        module = wanted.lower().decode("utf-8", "surrogateescape")
        return [each.name for each in every if each.module and each.module.lower() == module]
    if kind == b"aclcat":
        category = wanted.lower().decode("utf-8", "surrogateescape")
        if category not in CATEGORIES:
            return []
        bit = 1 << CATEGORIES.index(category)
        return [each.name for each in every if each.categories & bit]
    if kind == b"pattern":
        return [each.name for each in every if matches(wanted, each.name, True)]
    raise ErrorReply("ERR syntax error")


@command(
    "COMMAND GETKEYS command [arg...]",
    container="COMMAND",
    group="server",
    since="2.8.13",
    complexity="O(N) where N is the number of arguments",
    flags="loading stale",
    categories="connection",
    summary="Return the keys of a whole command.",
)
def command_getkeys(context: Context, args: list[bytes]) -> Reply:
    found = keys_of_call(context.engine.registry, args[2:])
    return [args[2 + position] for position, _ in found]


@command(
    "COMMAND GETKEYSANDFLAGS command [arg...]",
    container="COMMAND",
    group="server",
    since="7.0.0",
    complexity="O(N) where N is the number of arguments",
    flags="loading stale",
    categories="connection",
    summary="Return the keys of a whole command, and how it uses each.",
)
def command_getkeysandflags(context: Context, args: list[bytes]) -> Reply:
    found = keys_of_call(context.engine.registry, args[2:])
    return [[args[2 + position], key_flag_names(flags)] for position, flags in found]


def keys_of_call(registry: Registry, call: list[bytes]) -> list[tuple[int, int]]:
    """Index and flags of a call's keys; raises `ErrorReply` as COMMAND GETKEYS does."""
    target = registry.resolve(call)
    if target is None:
        raise ErrorReply("ERR Invalid command specified")
    if not has_keys(target):
        raise ErrorReply("ERR The command has no key arguments")
    count = len(call)
    if count < target.minimum or (target.maximum >= 0 and count > target.maximum):
        raise ErrorReply("ERR Invalid number of arguments specified for command")
    found = find_keys(target, call)
    if found:
        return found
    if target.flags & NO_MANDATORY_KEYS:
        return []
    raise ErrorReply("ERR Invalid arguments specified for command")


def has_keys(target: Command) -> bool:
    """Whether a command takes keys at all."""
    for spec in target.key_specs:
        if not spec.flags & NOT_KEY:
            return True
    return target.key_finder is not None
