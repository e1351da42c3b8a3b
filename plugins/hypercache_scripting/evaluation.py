"""EVAL, EVALSHA and their read-only forms; SCRIPT."""

from typing import Final

from hypercache.engine.scripts import COMPATIBLE
from hypercache.keyspace.numbers import parse_integer
from hypercache.plugin import OK, Context, ErrorReply, Reply, command
from hypercache_scripting.cache import CachedScript, ScriptCache
from hypercache_scripting.runtime import Failure, VirtualMachine
from hypercache_scripting.shared import scripts_of

_NO_SCRIPT: Final = "NOSCRIPT No matching script. Please use EVAL."
_DIGEST: Final = 40


def count_of_keys(args: list[bytes]) -> int:
    """How many of the arguments behind the third are keys; raises `ErrorReply`."""
    count = parse_integer(args[2])
    if count is None:
        raise ErrorReply("ERR value is not an integer or out of range")
    if count > len(args) - 3:
        raise ErrorReply("ERR Number of keys can't be greater than number of args")
    if count < 0:
        raise ErrorReply("ERR Number of keys can't be negative")
    return count


def evaluate(
    context: Context,
    args: list[bytes],
    name: bytes,
    vm: VirtualMachine,
    cached: CachedScript,
    keys: int,
    read_only: bool,
) -> Reply:
    """Run a script for a client."""
    scripts = context.engine.scripts
    script = scripts.begin(context, cached.sha, cached.flags, read_only, True)
    try:
        return vm.evaluate(cached.function, script, keys, args[3:])
    except Failure as failure:
        return answer(context, name, failure)
    finally:
        scripts.end(script)


def answer(context: Context, name: bytes, failure: Failure) -> ErrorReply:
    """What the client is told where a script fails; raised unless it is counted already."""
    error = ErrorReply(failure.text)
    if not failure.counted:
        raise error from failure
    called = context.engine.registry.original(name)
    if called is not None:
        called.failed_calls += 1
    return error


def announce(context: Context, name: bytes, args: list[bytes]) -> None:
    """Show monitors the call before the commands that it runs."""
    engine = context.engine
    if engine.observation.monitors.sessions:
        called = engine.registry.original(name)
        if called is not None:
            engine.observation.announce(context, called, args)


def by_text(context: Context, args: list[bytes], name: bytes, read_only: bool) -> Reply:
    """Run the script in the first argument."""
    announce(context, name, args)
    keys = count_of_keys(args)
    cache = scripts_of(context)
    return evaluate(context, args, name, cache.vm, cache.evaluated(args[1]), keys, read_only)


def by_digest(context: Context, args: list[bytes], name: bytes, read_only: bool) -> Reply:
    """Run the script of which the first argument is the digest."""
    announce(context, name, args)
    if len(args[1]) != _DIGEST:
        raise ErrorReply(_NO_SCRIPT)
    keys = count_of_keys(args)
    cache = scripts_of(context)
    cached = cache.get(args[1])
    if cached is None:
        raise ErrorReply(_NO_SCRIPT)
    return evaluate(context, args, name, cache.vm, cached, keys, read_only)


@command(
    "EVAL script numkeys:integer [key...] [arg...]",
    group="scripting",
    since="2.6.0",
    complexity="that of the script",
    flags="noscript skip_monitor may_replicate no_mandatory_keys stale",
    keys="RW access update",
    summary="Run a Lua script with some keys and other arguments.",
)
def eval_(context: Context, args: list[bytes]) -> Reply:
    return by_text(context, args, b"eval", False)


@command(
    "EVAL_RO script numkeys:integer [key...] [arg...]",
    group="scripting",
    since="7.0.0",
    complexity="that of the script",
    flags="noscript skip_monitor no_mandatory_keys stale readonly",
    keys="RO access",
    summary="Run a Lua script that may change nothing.",
)
def eval_ro(context: Context, args: list[bytes]) -> Reply:
    return by_text(context, args, b"eval_ro", True)


@command(
    "EVALSHA sha1 numkeys:integer [key...] [arg...]",
    group="scripting",
    since="2.6.0",
    complexity="that of the script",
    flags="noscript skip_monitor may_replicate no_mandatory_keys stale",
    keys="RW access update",
    summary="Run a script that the server knows already, by its SHA-1.",
)
def evalsha(context: Context, args: list[bytes]) -> Reply:
    return by_digest(context, args, b"evalsha", False)


@command(
    "EVALSHA_RO sha1 numkeys:integer [key...] [arg...]",
    group="scripting",
    since="7.0.0",
    complexity="that of the script",
    flags="noscript skip_monitor no_mandatory_keys stale readonly",
    keys="RO access",
    summary="Run a known script that may change nothing, by its SHA-1.",
)
def evalsha_ro(context: Context, args: list[bytes]) -> Reply:
    return by_digest(context, args, b"evalsha_ro", True)


@command(
    "SCRIPT LOAD script",
    container="SCRIPT",
    group="scripting",
    since="2.6.0",
    complexity="O(N) with N the length of the script",
    flags="noscript stale",
    tips="request_policy:all_nodes response_policy:all_succeeded",
    summary="Compile a script and keep it for EVALSHA; its SHA-1.",
)
def script_load(context: Context, args: list[bytes]) -> Reply:
    return scripts_of(context).load(args[2])


@command(
    "SCRIPT EXISTS sha1...",
    container="SCRIPT",
    group="scripting",
    since="2.6.0",
    complexity="O(N) with N the number of digests",
    flags="noscript",
    tips="request_policy:all_shards response_policy:agg_logical_and",
    summary="Tell which scripts the server knows, by their SHA-1.",
)
def script_exists(context: Context, args: list[bytes]) -> Reply:
    cache = scripts_of(context)
    return [int(cache.get(digest) is not None) for digest in args[2:]]


@command(
    "SCRIPT FLUSH [ASYNC | SYNC]",
    container="SCRIPT",
    group="scripting",
    since="2.6.0",
    complexity="O(N) with N the number of scripts",
    flags="noscript",
    tips="request_policy:all_nodes response_policy:all_succeeded",
    history=(("6.2.0", "Added the `ASYNC` and `SYNC` flushing mode modifiers."),),
    summary="Forget all scripts.",
)
def script_flush(context: Context, args: list[bytes]) -> Reply:
    if len(args) > 3 or (len(args) == 3 and args[2].lower() not in (b"async", b"sync")):
        raise ErrorReply("ERR SCRIPT FLUSH only support SYNC|ASYNC option")
    scripts_of(context).flush()
    return OK


@command(
    "SCRIPT KILL",
    container="SCRIPT",
    group="scripting",
    since="2.6.0",
    complexity="O(1)",
    flags="noscript allow_busy",
    tips="request_policy:all_shards response_policy:one_succeeded",
    summary="End the running script, if it has written nothing yet.",
)
def script_kill(context: Context, args: list[bytes]) -> Reply:
    context.engine.scripts.kill(True)
    return OK


@command(
    "SCRIPT DEBUG (YES | SYNC | NO)",
    container="SCRIPT",
    group="scripting",
    since="3.2.0",
    complexity="O(1)",
    flags="noscript",
    summary="Switch the debugger of scripts, which this server does not have, off.",
)
def script_debug(context: Context, args: list[bytes]) -> Reply:
    mode = args[2].lower()
    if mode in (b"yes", b"sync"):
        raise ErrorReply("ERR the Lua debugger is not available on this server")
    if mode != b"no":
        raise ErrorReply("ERR Use SCRIPT DEBUG YES/SYNC/NO")
    return OK


def flags_of_text(cache: ScriptCache, args: list[bytes]) -> int:
    """What the script of an EVAL declares."""
    return cache.flags_of(args[1]) if len(args) > 1 else COMPATIBLE


def flags_of_digest(cache: ScriptCache, args: list[bytes]) -> int:
    """What the script of an EVALSHA declares."""
    cached = cache.get(args[1]) if len(args) > 1 else None
    return COMPATIBLE if cached is None else cached.flags
