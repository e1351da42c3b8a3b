"""Strings of many keys in one step: MGET, MSET and MSETNX."""

from mypy_extensions import i64

from hypercache.backend import NO_EXPIRE
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.keyspace.changes import SET
from hypercache.reply import OK, ErrorReply, Reply


@command(
    "MGET key...",
    group="string",
    since="1.0.0",
    complexity="O(N) where N is the number of keys",
    flags="readonly fast",
    keys="RO access",
    tips="request_policy:multi_shard",
    summary="Return the strings under many keys; null where there is none or another type.",
)
def mget(context: Context, args: list[bytes]) -> Reply:
    db = context.db
    values: list[object] = []
    count: i64 = len(args)
    at: i64 = 1
    while at < count:
        values.append(db.peek(args[at]))
        at += 1
    return values


@command(
    "MSET data=(key value)...",
    group="string",
    since="1.0.1",
    complexity="O(N) where N is the number of keys",
    flags="write denyoom",
    keys="OW update",
    tips="request_policy:multi_shard response_policy:all_succeeded",
    summary="Store many strings in one step.",
)
def mset(context: Context, args: list[bytes]) -> Reply:
    require_pairs(args, "mset")
    store_pairs(context, args)
    return OK


@command(
    "MSETNX data=(key value)...",
    group="string",
    since="1.0.1",
    complexity="O(N) where N is the number of keys",
    flags="write denyoom",
    keys="OW insert",
    summary="Store many strings in one step, unless one of their keys exists.",
)
def msetnx(context: Context, args: list[bytes]) -> Reply:
    require_pairs(args, "msetnx")
    for at in range(1, len(args), 2):
        if context.db.find(args[at]) is not None:
            return 0
    store_pairs(context, args)
    return 1


def require_pairs(args: list[bytes], name: str) -> None:
    """Every key needs a value."""
    if len(args) % 2 == 0:
        raise ErrorReply(f"ERR wrong number of arguments for '{name}' command")


def store_pairs(context: Context, args: list[bytes]) -> None:
    """Store the strings of MSET or MSETNX."""
    db = context.db
    count: i64 = len(args)
    at: i64 = 1
    while at < count:
        db.set(args[at], args[at + 1], NO_EXPIRE, SET)
        at += 2
