"""Numbers in the fields of hashes: HINCRBY and HINCRBYFLOAT."""

from typing import Final

from mypy_extensions import i64

from hypercache.backend import NO_EXPIRE, HashValue
from hypercache.commands.arguments import add, format_integer, parse_integer
from hypercache.commands.extended import Extended, parse_extended
from hypercache.commands.hash_deadlines import expire_effect
from hypercache.commands.hashes import make_hash
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.keyspace.changes import HINCRBY, HINCRBYFLOAT
from hypercache.reply import ErrorReply, Reply

_NOT_AN_INTEGER: Final = "ERR hash value is not an integer"
_NOT_A_FLOAT: Final = "ERR hash value is not a float"


def change_field(fields: HashValue, field: bytes, value: bytes) -> i64:
    """Set a field that keeps its deadline, which is returned (`NO_EXPIRE` without one)."""
    deadline: i64 = NO_EXPIRE
    if fields.next_deadline() != NO_EXPIRE:
        deadline = fields.deadline(field)
    fields.set(field, value)
    if deadline != NO_EXPIRE:
        fields.set_deadline(field, deadline)
    return deadline


@command(
    "HINCRBY key field increment:integer",
    group="hash",
    since="2.0.0",
    complexity="O(1)",
    flags="write denyoom fast",
    keys="RW access update",
    summary="Add to the integer in a field, which counts as 0 while there is none.",
)
def hincrby(context: Context, args: list[bytes]) -> Reply:
    delta = parse_integer(args[3])
    fields = make_hash(context, args[1], HINCRBY)
    present = fields.get(args[2])
    value = add(0 if present is None else parse_integer(present, _NOT_AN_INTEGER), delta)
    change_field(fields, args[2], format_integer(value))
    return value


@command(
    "HINCRBYFLOAT key field increment:double",
    group="hash",
    since="2.6.0",
    complexity="O(1)",
    flags="write denyoom fast",
    keys="RW access update",
    summary="Add to the number in a field, which counts as 0 while there is none.",
)
def hincrbyfloat(context: Context, args: list[bytes]) -> Reply:
    """Its effect is the sum, so that nobody who replays it can round otherwise."""
    db = context.db
    key = args[1]
    field = args[2]
    delta = parse_extended(args[3])
    if not delta.finite:
        raise ErrorReply("ERR value is NaN or Infinity")
    fields = make_hash(context, key, HINCRBYFLOAT)
    present = fields.get(field)
    value = Extended(0, 0) if present is None else parse_extended(present, _NOT_A_FLOAT)
    total = value.plus(delta).format()
    deadline = change_field(fields, field, total)
    if db.changes.journalled:
        db.changes.rewrite(db.index, [b"HSET", key, field, total])
        if deadline != NO_EXPIRE:
            db.changes.rewrite(db.index, expire_effect(key, deadline, [field]))
    return total
