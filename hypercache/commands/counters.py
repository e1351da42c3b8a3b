"""Strings as numbers: INCR and its relatives."""

from mypy_extensions import i64

from hypercache.backend import NO_EXPIRE
from hypercache.commands.arguments import add, format_integer, parse_integer
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.keyspace.changes import INCRBY
from hypercache.reply import Reply


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
