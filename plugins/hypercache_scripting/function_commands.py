"""FUNCTION, FCALL and FCALL_RO."""

from typing import Final

from hypercache.keyspace.glob import matches
from hypercache.keyspace.numbers import parse_integer
from hypercache.plugin import OK, Context, ErrorReply, Reply, command
from hypercache.reply import Members, printable
from hypercache_scripting.evaluation import announce, answer
from hypercache_scripting.functions import (
    APPEND,
    ENGINE,
    FLUSH,
    REPLACE,
    Functions,
    Library,
    dump,
    undump,
)
from hypercache_scripting.library_loading import Function
from hypercache_scripting.runtime import Failure
from hypercache_scripting.shared import functions_of

_TO_ALL: Final = "request_policy:all_shards response_policy:all_succeeded"


def call(context: Context, args: list[bytes], name: bytes, read_only: bool) -> Reply:
    """Run a function for a client."""
    announce(context, name, args)
    functions = functions_of(context)
    function = functions.find(args[1])
    if function is None:
        raise ErrorReply("ERR Function not found")
    keys = parse_integer(args[2])
    if keys is None:
        raise ErrorReply("ERR Bad number of keys provided")
    if keys > len(args) - 3:
        raise ErrorReply("ERR Number of keys can't be greater than number of args")
    if keys < 0:
        raise ErrorReply("ERR Number of keys can't be negative")
    scripts = context.engine.scripts
    script = scripts.begin(context, function.name.decode(), function.flags, read_only, False)
    functions.running = args
    try:
        return function.run(script, keys, args[3:])
    except Failure as failure:
        return answer(context, name, failure)
    finally:
        functions.running = []
        scripts.end(script)


@command(
    "FCALL function numkeys:integer [key...] [arg...]",
    group="scripting",
    since="7.0.0",
    complexity="that of the function",
    flags="noscript skip_monitor may_replicate no_mandatory_keys stale",
    keys="RW access update",
    summary="Call a function of a library with some keys and other arguments.",
)
def fcall(context: Context, args: list[bytes]) -> Reply:
    return call(context, args, b"fcall", False)


@command(
    "FCALL_RO function numkeys:integer [key...] [arg...]",
    group="scripting",
    since="7.0.0",
    complexity="that of the function",
    flags="noscript skip_monitor no_mandatory_keys stale readonly",
    keys="RO access",
    summary="Call a function that changes nothing.",
)
def fcall_ro(context: Context, args: list[bytes]) -> Reply:
    return call(context, args, b"fcall_ro", True)


def changed(context: Context, args: list[bytes]) -> None:
    """The libraries have changed, which belong to no database: files have them from any."""
    context.engine.changes.dirty += 1
    kept = context.engine.stores.kept(context.db.index)
    if kept != context.db.index:
        context.engine.changes.rewrite(kept, args)


@command(
    "FUNCTION LOAD [REPLACE] function-code",
    container="FUNCTION",
    group="scripting",
    since="7.0.0",
    complexity="that of the library's code, for which half a second is given",
    flags="noscript write denyoom",
    tips=_TO_ALL,
    summary="Load a library of functions; its name.",
)
def function_load(context: Context, args: list[bytes]) -> Reply:
    for option in args[2:-1]:
        if option.lower() != b"replace":
            raise ErrorReply(f"ERR Unknown option given: {printable(option)}")
    name = functions_of(context).load(args[-1], len(args) > 3)
    changed(context, args)
    return name


@command(
    "FUNCTION DELETE library-name",
    container="FUNCTION",
    group="scripting",
    since="7.0.0",
    complexity="O(N) with N the number of functions",
    flags="noscript write",
    tips=_TO_ALL,
    summary="Delete a library with its functions.",
)
def function_delete(context: Context, args: list[bytes]) -> Reply:
    if not functions_of(context).delete(args[2]):
        raise ErrorReply("ERR Library not found")
    changed(context, args)
    return OK


@command(
    "FUNCTION FLUSH flush-type=[ASYNC | SYNC]",
    container="FUNCTION",
    group="scripting",
    since="7.0.0",
    complexity="O(N) with N the number of functions",
    flags="noscript write",
    tips=_TO_ALL,
    summary="Delete all libraries.",
)
def function_flush(context: Context, args: list[bytes]) -> Reply:
    if len(args) > 3:
        raise _syntax_error(args)
    if len(args) == 3 and args[2].lower() not in (b"sync", b"async"):
        raise ErrorReply("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")
    functions_of(context).flush()
    changed(context, args)
    return OK


@command(
    "FUNCTION DUMP",
    container="FUNCTION",
    group="scripting",
    since="7.0.0",
    complexity="O(N) with N the size of all libraries",
    flags="noscript",
    summary="All libraries, serialized for FUNCTION RESTORE.",
)
def function_dump(context: Context, args: list[bytes]) -> Reply:
    return dump(functions_of(context).sources())


@command(
    "FUNCTION RESTORE serialized-value policy=[FLUSH | APPEND | REPLACE]",
    container="FUNCTION",
    group="scripting",
    since="7.0.0",
    complexity="O(N) with N the size of the libraries",
    flags="noscript write denyoom",
    tips=_TO_ALL,
    summary="Load the libraries of a FUNCTION DUMP, beside or instead of those that are there.",
)
def function_restore(context: Context, args: list[bytes]) -> Reply:
    if len(args) > 4:
        raise _syntax_error(args)
    policy = args[3].lower() if len(args) == 4 else APPEND
    if policy not in (APPEND, REPLACE, FLUSH):
        raise ErrorReply(
            "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE."
        )
    functions_of(context).restore(undump(args[2]), policy)
    changed(context, args)
    return OK


@command(
    "FUNCTION LIST [LIBRARYNAME library-name-pattern] [WITHCODE]",
    container="FUNCTION",
    group="scripting",
    since="7.0.0",
    complexity="O(N) with N the number of functions",
    flags="noscript",
    tips="nondeterministic_output_order",
    summary="Describe all libraries, or those whose names match a pattern.",
)
def function_list(context: Context, args: list[bytes]) -> Reply:
    pattern: bytes | None = None
    with_code = False
    words = iter(args[2:])
    for word in words:
        if not with_code and word.lower() == b"withcode":
            with_code = True
        elif pattern is None and word.lower() == b"libraryname":
            pattern = next(words, None)
            if pattern is None:
                raise ErrorReply("ERR library name argument was not given")
        else:
            raise ErrorReply(f"ERR Unknown argument {printable(word)}")
    libraries = functions_of(context).libraries.by_name.values()
    return [
        _described(library, with_code)
        for library in libraries
        if pattern is None or matches(pattern, library.name, True)
    ]


@command(
    "FUNCTION STATS",
    container="FUNCTION",
    group="scripting",
    since="7.0.0",
    complexity="O(1)",
    flags="noscript allow_busy",
    tips="nondeterministic_output request_policy:all_shards response_policy:special",
    summary="Tell which function runs, and how many libraries and functions there are.",
)
def function_stats(context: Context, args: list[bytes]) -> Reply:
    engine = context.engine
    functions = functions_of(context)
    script = engine.scripts.running
    running: Reply = None
    if script is not None:
        if script.is_eval:
            raise ErrorReply(engine.scripts.busy_text())
        running = {
            b"name": script.script_name.encode(),
            b"command": list(functions.running),
            b"duration_ms": (engine.clock.microseconds() - script.began) // 1000,
        }
    counts = {
        b"libraries_count": len(functions.libraries.by_name),
        b"functions_count": len(functions.libraries.functions),
    }
    return {b"running_script": running, b"engines": {ENGINE: counts}}


@command(
    "FUNCTION KILL",
    container="FUNCTION",
    group="scripting",
    since="7.0.0",
    complexity="O(1)",
    flags="noscript allow_busy",
    tips="request_policy:all_shards response_policy:one_succeeded",
    summary="End the running function, if it has written nothing yet.",
)
def function_kill(context: Context, args: list[bytes]) -> Reply:
    context.engine.scripts.kill(False)
    return OK


def flags_of_function(functions: Functions, args: list[bytes]) -> int:
    """What the function that a call is for declares."""
    function = functions.find(args[1]) if len(args) > 1 else None
    return 0 if function is None else function.flags


def _described(library: Library, with_code: bool) -> Reply:
    described: dict[bytes, object] = {
        b"library_name": library.name,
        b"engine": ENGINE,
        b"functions": [_described_function(each) for each in library.functions.values()],
    }
    if with_code:
        described[b"library_code"] = library.source
    return described


def _described_function(function: Function) -> Reply:
    return {
        b"name": function.name,
        b"description": function.description,
        b"flags": Members(function.flag_names()),
    }


def _syntax_error(args: list[bytes]) -> ErrorReply:
    return ErrorReply(
        f"ERR unknown subcommand or wrong number of arguments for '{printable(args[1])}'."
        " Try FUNCTION HELP."
    )
