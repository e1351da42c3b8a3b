"""Strings as numbers: INCR and its relatives."""

from mypy_extensions import i64

from hypercache.backend import NO_EXPIRE
from hypercache.commands.arguments import MIN_I64, add, format_integer, parse_integer
from hypercache.commands.extended import parse_extended
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.keyspace.changes import INCRBY, INCRBYFLOAT
from hypercache.reply import ErrorReply, Reply


def increment(context: Context, key: bytes, delta: i64) -> i64:
    """Add to the integer under a key, 0 if there is none, and return the sum."""
    db = context.db
    entry = db.find(key)
    value: i64 = 0
    deadline: i64 = NO_EXPIRE
    if entry is not None:
        value = parse_integer(db.text(entry))
        deadline = entry.expire
    value = add(value, delta)
    db.set(key, format_integer(value), deadline, INCRBY)
    return value


@command(
    "INCR key",
    group="string",
    since="1.0.0",
    complexity="O(1)",
    flags="write denyoom fast",
    keys="RW access update",
    summary="Add one to the integer under a key, which counts as 0 while there is none.",
)
def incr(context: Context, args: list[bytes]) -> Reply:
    return increment(context, args[1], 1)


@command(
    "DECR key",
    group="string",
    since="1.0.0",
    complexity="O(1)",
    flags="write denyoom fast",
    keys="RW access update",
    summary="Take one from the integer under a key, which counts as 0 while there is none.",
)
def decr(context: Context, args: list[bytes]) -> Reply:
    return increment(context, args[1], -1)


@command(
    "INCRBY key increment:integer",
    group="string",
    since="1.0.0",
    complexity="O(1)",
    flags="write denyoom fast",
    keys="RW access update",
    summary="Add to the integer under a key, which counts as 0 while there is none.",
)
def incrby(context: Context, args: list[bytes]) -> Reply:
    return increment(context, args[1], parse_integer(args[2]))


@command(
    "DECRBY key decrement:integer",
    group="string",
    since="1.0.0",
    complexity="O(1)",
    flags="write denyoom fast",
    keys="RW access update",
    summary="Take from the integer under a key, which counts as 0 while there is none.",
)
def decrby(context: Context, args: list[bytes]) -> Reply:
    delta = parse_integer(args[2])
    if delta == MIN_I64:
        raise ErrorReply("ERR decrement would overflow")
    return increment(context, args[1], -delta)


@command(
    "INCRBYFLOAT key increment:double",
    group="string",
    since="2.6.0",
    complexity="O(1)",
    flags="write denyoom fast",
    keys="RW access update",
    summary="Add to the number under a key, which counts as 0 while there is none.",
)
def incrbyfloat(context: Context, args: list[bytes]) -> Reply:
    """Its effect is the sum, so that nobody who replays it can round otherwise."""
    db = context.db
    key = args[1]
    entry = db.find(key)
    value = parse_extended(b"0" if entry is None else db.text(entry))
    total = value.plus(parse_extended(args[2])).format()
    db.set(key, total, NO_EXPIRE if entry is None else entry.expire, INCRBYFLOAT)
    if db.changes.journalled:
        db.changes.rewrite(db.index, [b"SET", key, total, b"KEEPTTL"])
    return total
