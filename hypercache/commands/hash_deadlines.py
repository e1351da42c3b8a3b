"""Times to live of the fields of hashes, as in Redis 7.4: HEXPIRE, HTTL, HPERSIST and theirs."""

from typing import Final, cast

from mypy_extensions import i64

from hypercache.backend import HASH, NO_EXPIRE, HashValue
from hypercache.commands.arguments import (
    MAX_I64,
    format_integer,
    parse_integer,
    parse_within,
)
from hypercache.commands.deadlines import EX, EXAT, PX, PXAT, invalid
from hypercache.commands.expiry import is_wanted
from hypercache.commands.hashes import view_hash
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.keyspace.changes import HDEL, HEXPIRE, HPERSIST
from hypercache.keyspace.keyspace import WRONG_TYPE, kind_of
from hypercache.reply import ErrorReply, Reply

# The latest deadline of a field, in Unix milliseconds.
_LATEST: Final[i64] = (1 << 46) - 1
_NO_FIELDS: Final = "ERR Mandatory argument FIELDS is missing or not at the right position"
_NO_NUMBER: Final = "ERR Parameter `numFields` should be greater than 0"
_NO_POSITIVE_NUMBER: Final = "ERR Number of fields must be a positive integer"
_OTHER_NUMBER: Final = "ERR The `numfields` parameter must match the number of arguments"

# Replies for a field. No such field; it has no deadline.
_ABSENT: Final = -2
_PERSISTENT: Final = -1
# The condition is not met; done; removed, as the time has passed.
_UNWANTED: Final = 0
_DONE: Final = 1
_REMOVED: Final = 2

# Conditions as `hypercache.commands.expiry.is_wanted` takes them.
_CONDITIONS: Final[dict[bytes, int]] = {b"nx": 1, b"xx": 2, b"gt": 4, b"lt": 8}


def fields_from(args: list[bytes], at: int, error: str) -> list[bytes]:
    """The fields named by ``FIELDS numfields field...`` at a position, to the end.

    ``error`` is for a number that is none, or not positive.
    """
    if args[at].lower() != b"fields":
        raise ErrorReply(_NO_FIELDS)
    number = parse_within(args[at + 1], 1, MAX_I64, error)
    if number != len(args) - at - 2:
        raise ErrorReply(_OTHER_NUMBER)
    return args[at + 2 :]


def field_deadline(text: bytes, unit: i64, now: i64, name: str) -> i64:
    """A time from a client as Unix milliseconds; ``unit`` is `EX`, `PX`, `EXAT` or `PXAT`."""
    time = parse_integer(text)
    if time < 0:
        raise ErrorReply("ERR invalid expire time, must be >= 0")
    if unit & (EX | EXAT):
        if time > _LATEST // 1000:
            raise invalid(name)
        time *= 1000
    base = now if unit & (EX | PX) else 0
    if time > _LATEST - base:
        raise invalid(name)
    return base + time


def expire_effect(key: bytes, deadline: i64, fields: list[bytes]) -> list[bytes]:
    """The command that gives fields this deadline, whenever it is repeated."""
    number = format_integer(len(fields))
    return [b"HPEXPIREAT", key, format_integer(deadline), b"FIELDS", number, *fields]


def expire(context: Context, args: list[bytes], unit: i64, name: str) -> Reply:
    """Run one of the HEXPIRE family; a time that has passed removes the fields."""
    db = context.db
    key = args[1]
    entry = db.find(key)
    if entry is not None and kind_of(entry) != HASH:
        raise ErrorReply(WRONG_TYPE)
    deadline = field_deadline(args[2], unit, db.changes.now, name)
    condition: i64 = _CONDITIONS.get(args[3].lower(), 0)
    names = fields_from(args, 4 if condition else 3, _NO_NUMBER)
    past = deadline <= db.changes.now
    fields = cast(HashValue | None, db.edit(key, HASH, HDEL if past else HEXPIRE))
    if fields is None:
        return [_ABSENT] * len(names)
    replies: list[object] = []
    changed: list[bytes] = []
    for field in names:
        if fields.get(field) is None:
            replies.append(_ABSENT)
        elif condition and not is_wanted(condition, fields.deadline(field), deadline):
            replies.append(_UNWANTED)
        else:
            changed.append(field)
            if past:
                fields.remove(field)
                replies.append(_REMOVED)
            else:
                fields.set_deadline(field, deadline)
                replies.append(_DONE)
    if changed and db.changes.journalled:
        effect = [b"HDEL", key, *changed] if past else expire_effect(key, deadline, changed)
        db.changes.rewrite(db.index, effect)
    return replies


def deadlines(context: Context, args: list[bytes]) -> list[i64]:
    """The deadline of each field in Unix milliseconds, or -1 or -2 as HTTL answers."""
    fields = view_hash(context, args[1])
    found: list[i64] = []
    for field in fields_from(args, 2, _NO_POSITIVE_NUMBER):
        if fields is None or fields.get(field) is None:
            found.append(_ABSENT)
        else:
            found.append(fields.deadline(field))
    return found


def in_seconds(milliseconds: i64) -> i64:
    """Seconds begun."""
    return (milliseconds + 999) // 1000


@command(
    "HEXPIRE key seconds:integer condition=[NX | XX | GT | LT]"
    " FIELDS fields=(numfields:integer field...)",
    group="hash",
    since="7.4.0",
    complexity="O(N) where N is the number of fields named",
    flags="write denyoom fast",
    keys="RW update",
    summary="Give fields of a hash a time to live in seconds.",
)
def hexpire(context: Context, args: list[bytes]) -> Reply:
    return expire(context, args, EX, "hexpire")


@command(
    "HPEXPIRE key milliseconds:integer condition=[NX | XX | GT | LT]"
    " FIELDS fields=(numfields:integer field...)",
    group="hash",
    since="7.4.0",
    complexity="O(N) where N is the number of fields named",
    flags="write denyoom fast",
    keys="RW update",
    summary="Give fields of a hash a time to live in milliseconds.",
)
def hpexpire(context: Context, args: list[bytes]) -> Reply:
    return expire(context, args, PX, "hpexpire")


@command(
    "HEXPIREAT key unix-time-seconds:unix-time condition=[NX | XX | GT | LT]"
    " FIELDS fields=(numfields:integer field...)",
    group="hash",
    since="7.4.0",
    complexity="O(N) where N is the number of fields named",
    flags="write denyoom fast",
    keys="RW update",
    summary="Let fields of a hash live until a Unix time in seconds.",
)
def hexpireat(context: Context, args: list[bytes]) -> Reply:
    return expire(context, args, EXAT, "hexpireat")


@command(
    "HPEXPIREAT key unix-time-milliseconds:unix-time condition=[NX | XX | GT | LT]"
    " FIELDS fields=(numfields:integer field...)",
    group="hash",
    since="7.4.0",
    complexity="O(N) where N is the number of fields named",
    flags="write denyoom fast",
    keys="RW update",
    summary="Let fields of a hash live until a Unix time in milliseconds.",
)
def hpexpireat(context: Context, args: list[bytes]) -> Reply:
    return expire(context, args, PXAT, "hpexpireat")


@command(
    "HTTL key FIELDS fields=(numfields:integer field...)",
    group="hash",
    since="7.4.0",
    complexity="O(N) where N is the number of fields named",
    flags="readonly fast",
    keys="RO access",
    tips="nondeterministic_output",
    summary="Return the time to live of fields in seconds; -1 if one has none, -2 without it.",
)
def httl(context: Context, args: list[bytes]) -> Reply:
    now = context.db.changes.now
    return [each if each < 0 else in_seconds(each - now) for each in deadlines(context, args)]


@command(
    "HPTTL key FIELDS fields=(numfields:integer field...)",
    group="hash",
    since="7.4.0",
    complexity="O(N) where N is the number of fields named",
    flags="readonly fast",
    keys="RO access",
    tips="nondeterministic_output",
    summary="Return the time to live of fields in milliseconds; -1 if one has none, -2 without it.",
)
def hpttl(context: Context, args: list[bytes]) -> Reply:
    now = context.db.changes.now
    return [each if each < 0 else each - now for each in deadlines(context, args)]


@command(
    "HEXPIRETIME key FIELDS fields=(numfields:integer field...)",
    group="hash",
    since="7.4.0",
    complexity="O(N) where N is the number of fields named",
    flags="readonly fast",
    keys="RO access",
    summary="Return the deadlines of fields as Unix time in seconds; -1 if one has none, -2"
    " without it.",
)
def hexpiretime(context: Context, args: list[bytes]) -> Reply:
    return [each if each < 0 else in_seconds(each) for each in deadlines(context, args)]


@command(
    "HPEXPIRETIME key FIELDS fields=(numfields:integer field...)",
    group="hash",
    since="7.4.0",
    complexity="O(N) where N is the number of fields named",
    flags="readonly fast",
    keys="RO access",
    summary="Return the deadlines of fields as Unix time in milliseconds; -1 if one has none,"
    " -2 without it.",
)
def hpexpiretime(context: Context, args: list[bytes]) -> Reply:
    return deadlines(context, args)


@command(
    "HPERSIST key FIELDS fields=(numfields:integer field...)",
    group="hash",
    since="7.4.0",
    complexity="O(N) where N is the number of fields named",
    flags="write fast",
    keys="RW update",
    summary="Take the times to live of fields away.",
)
def hpersist(context: Context, args: list[bytes]) -> Reply:
    fields = cast(HashValue | None, context.db.edit(args[1], HASH, HPERSIST))
    replies: list[object] = []
    for field in fields_from(args, 2, _NO_POSITIVE_NUMBER):
        if fields is None or fields.get(field) is None:
            replies.append(_ABSENT)
        elif fields.deadline(field) == NO_EXPIRE:
            replies.append(_PERSISTENT)
        else:
            fields.set_deadline(field, NO_EXPIRE)
            replies.append(_DONE)
    return replies
