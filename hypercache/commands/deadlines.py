"""Deadlines of keys: read from a client's words, and changed with the effect that this has."""

from typing import Final

from mypy_extensions import i64

from hypercache.commands.arguments import MAX_I64, format_integer, parse_integer
from hypercache.keyspace.keyspace import Keyspace
from hypercache.reply import ErrorReply

# How a time is given: from now on or since 1970, in seconds or milliseconds.
EX: Final[i64] = 1 << 0
PX: Final[i64] = 1 << 1
EXAT: Final[i64] = 1 << 2
PXAT: Final[i64] = 1 << 3

_MAX_SECONDS: Final[i64] = 9223372036854775
_MIN_SECONDS: Final[i64] = -9223372036854775


def deadline_of(text: bytes, unit: i64, now: i64, name: str) -> i64:
    """A time that is still to come, as Unix milliseconds like ``now``.

    ``unit`` is one of `EX`, `PX`, `EXAT` and `PXAT`, ``name`` the command's in an error.
    """
    time = parse_integer(text)
    if time <= 0:
        raise invalid(name)
    return absolute(time, unit, now, name)


def absolute(time: i64, unit: i64, now: i64, name: str) -> i64:
    """Any time, past ones too, as Unix milliseconds."""
    if unit & (EX | EXAT):
        if time > _MAX_SECONDS or time < _MIN_SECONDS:
            raise invalid(name)
        time *= 1000
    if unit & (EX | PX):
        if time > MAX_I64 - now:
            raise invalid(name)
        time += now
    return time


def invalid(name: str) -> ErrorReply:
    """The error of a time that does not fit."""
    return ErrorReply(f"ERR invalid expire time in '{name}' command")


def change_deadline(db: Keyspace, key: bytes, deadline: i64) -> None:
    """Give a live key a deadline; one that has passed already removes it."""
    changes = db.changes
    if deadline <= changes.now:
        db.delete(key)
        if changes.journalled:
            changes.rewrite(db.index, [b"DEL", key])
        return
    db.set_expire(key, deadline)
    if changes.journalled:
        changes.rewrite(db.index, [b"PEXPIREAT", key, format_integer(deadline)])
