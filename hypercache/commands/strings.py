"""Whole strings: SET and GET with their relatives, one key or many."""

from typing import Final

from mypy_extensions import i64

from hypercache.backend import NO_EXPIRE
from hypercache.commands.arguments import MAX_I64, SYNTAX_ERROR, format_integer, parse_integer
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.engine.keys import ACCESS, OW, RW, UPDATE
from hypercache.keyspace.changes import EXPIRE, SET
from hypercache.reply import OK, ErrorReply, Reply

# Options of SET and GETEX.
NX: Final[i64] = 1 << 0
XX: Final[i64] = 1 << 1
GET: Final[i64] = 1 << 2
KEEPTTL: Final[i64] = 1 << 3
PERSIST: Final[i64] = 1 << 4
EX: Final[i64] = 1 << 5
PX: Final[i64] = 1 << 6
EXAT: Final[i64] = 1 << 7
PXAT: Final[i64] = 1 << 8

_TIME: Final[i64] = EX | PX | EXAT | PXAT
# Of each of these groups a call may have one, though as often as it likes.
_CONDITION: Final[i64] = NX | XX
_LIFETIME: Final[i64] = _TIME | KEEPTTL | PERSIST
_OF_SET: Final[i64] = _CONDITION | GET | KEEPTTL | _TIME
_OF_GETEX: Final[i64] = PERSIST | _TIME

_OPTIONS: Final[dict[bytes, int]] = {
    b"nx": 1 << 0,
    b"xx": 1 << 1,
    b"get": 1 << 2,
    b"keepttl": 1 << 3,
    b"persist": 1 << 4,
    b"ex": 1 << 5,
    b"px": 1 << 6,
    b"exat": 1 << 7,
    b"pxat": 1 << 8,
}


class Options:
    """What follows key and value: the option bits, and the last time given."""

    def __init__(self, args: list[bytes], at: i64, allowed: i64) -> None:
        self.given: i64 = 0
        self.time = b""
        count: i64 = len(args)
        while at < count:
            option: i64 = _OPTIONS.get(args[at].lower(), 0) & allowed
            group = _CONDITION if option & _CONDITION else _LIFETIME if option & _LIFETIME else 0
            if option == 0 or self.given & group & ~option:
                raise ErrorReply(SYNTAX_ERROR)
            self.given |= option
            at += 1
            if option & _TIME:
                if at == count:
                    raise ErrorReply(SYNTAX_ERROR)
                self.time = args[at]
                at += 1

    def deadline(self, now: i64, name: str) -> i64:
        """The time given as Unix milliseconds, `NO_EXPIRE` without one; ``name`` for the error."""
        if not self.given & _TIME:
            return NO_EXPIRE
        return deadline_of(self.time, self.given & _TIME, now, name)


def deadline_of(text: bytes, unit: i64, now: i64, name: str) -> i64:
    """A client's time as Unix milliseconds; ``unit`` is one of EX, PX, EXAT and PXAT."""
    time = parse_integer(text)
    if time <= 0:
        raise ErrorReply(f"ERR invalid expire time in '{name}' command")
    if unit & (EX | EXAT):
        if time > MAX_I64 // 1000:
            raise ErrorReply(f"ERR invalid expire time in '{name}' command")
        time *= 1000
    if unit & (EX | PX):
        if time > MAX_I64 - now:
            raise ErrorReply(f"ERR invalid expire time in '{name}' command")
        time += now
    return time


@command(
    "GET key",
    group="string",
    since="1.0.0",
    complexity="O(1)",
    flags="readonly fast",
    keys="RO access",
    summary="Return the string under a key.",
)
def get(context: Context, args: list[bytes]) -> Reply:
    return context.db.get(args[1])


def keys_of_set(args: list[bytes]) -> list[tuple[int, int]]:
    """SET reads its key only where GET asks for the old value."""
    for word in args[3:]:
        if word.lower() == b"get":
            return [(1, RW | ACCESS | UPDATE)]
    return [(1, OW | UPDATE)]


@command(
    "SET key value [NX | XX] [GET] [EX seconds:integer | PX milliseconds:integer"
    " | EXAT unix-time-seconds:unix-time | PXAT unix-time-milliseconds:unix-time | KEEPTTL]",
    group="string",
    since="1.0.0",
    complexity="O(1)",
    flags="write denyoom",
    keys="RW access update variable_flags",
    key_finder=keys_of_set,
    history=(
        ("2.6.12", "The options EX, PX, NX and XX."),
        ("6.0.0", "The option KEEPTTL."),
        ("6.2.0", "The options GET, EXAT and PXAT."),
        ("7.0.0", "NX and GET go together."),
    ),
    summary="Store a string under a key, with conditions and a time to live.",
)
def set_(context: Context, args: list[bytes]) -> Reply:
    if len(args) == 3:
        context.db.set(args[1], args[2], NO_EXPIRE, SET)
        return OK
    return set_with_options(context, args)


def set_with_options(context: Context, args: list[bytes]) -> Reply:
    """SET beyond key and value. Its effect has neither conditions nor relative times."""
    db = context.db
    key = args[1]
    options = Options(args, 3, _OF_SET)
    given = options.given
    deadline = options.deadline(db.changes.now, "set")
    previous: bytes | None = None
    if given & GET:
        previous = db.get(key)
    if given & (_CONDITION | KEEPTTL):
        entry = db.find(key)
        if given & (XX if entry is None else NX):
            return previous
        if given & KEEPTTL and entry is not None:
            deadline = entry.expire
    store(context, key, args[2], deadline, given & _TIME != 0)
    if given & GET and not given & _TIME and db.changes.journalled:
        effect = [b"SET", key, args[2]]
        if given & KEEPTTL:
            effect.append(b"KEEPTTL")
        db.changes.rewrite(db.index, effect)
    return previous if given & GET else OK


def store(context: Context, key: bytes, value: bytes, deadline: i64, timed: bool) -> None:
    """Store a string; if ``timed``, its deadline is new, and so part of the effect."""
    db = context.db
    db.set(key, value, deadline, SET)
    if timed:
        db.changes.notify(db.index, key, EXPIRE)
        if db.changes.journalled:
            db.changes.rewrite(db.index, [b"SET", key, value, b"PXAT", format_integer(deadline)])


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
    store_pairs(context, args, "mset")
    return OK


def store_pairs(context: Context, args: list[bytes], name: str) -> None:
    """Store the strings of MSET or MSETNX; ``name`` for the error of a key without a value."""
    db = context.db
    count: i64 = len(args)
    if count % 2 == 0:
        raise ErrorReply(f"ERR wrong number of arguments for '{name}' command")
    at: i64 = 1
    while at < count:
        db.set(args[at], args[at + 1], NO_EXPIRE, SET)
        at += 2
