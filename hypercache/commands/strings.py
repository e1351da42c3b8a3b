"""Whole strings: SET and GET with their relatives, one key or many."""

from typing import Final

from mypy_extensions import i64

from hypercache.backend import NO_EXPIRE
from hypercache.commands.arguments import SYNTAX_ERROR, format_integer
from hypercache.commands.deadlines import EX, EXAT, PX, PXAT, change_deadline, deadline_of
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.engine.keys import ACCESS, OW, RW, UPDATE
from hypercache.keyspace.changes import EXPIRE, SET, SET_KEPT, Event
from hypercache.reply import OK, ErrorReply, Reply

# Options of SET and GETEX, beside those of `deadlines`.
NX: Final[i64] = 1 << 4
XX: Final[i64] = 1 << 5
GET: Final[i64] = 1 << 6
KEEPTTL: Final[i64] = 1 << 7
PERSIST: Final[i64] = 1 << 8

_TIME: Final[i64] = EX | PX | EXAT | PXAT
# Of each of these groups a call may have one, though as often as it likes.
_CONDITION: Final[i64] = NX | XX
_LIFETIME: Final[i64] = _TIME | KEEPTTL | PERSIST
_OF_SET: Final[i64] = _CONDITION | GET | KEEPTTL | _TIME
_OF_GETEX: Final[i64] = PERSIST | _TIME

_OPTIONS: Final[dict[bytes, int]] = {
    b"nx": int(NX),
    b"xx": int(XX),
    b"get": int(GET),
    b"keepttl": int(KEEPTTL),
    b"persist": int(PERSIST),
    b"ex": int(EX),
    b"px": int(PX),
    b"exat": int(EXAT),
    b"pxat": int(PXAT),
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


_KEY_OF_SET: Final = [(1, OW | UPDATE)]


def keys_of_set(args: list[bytes]) -> list[tuple[int, int]]:
    """SET reads its key only where GET asks for the old value."""
    if len(args) == 3:
        return _KEY_OF_SET
    for word in args[3:]:
        if word.lower() == b"get":
            return [(1, RW | ACCESS | UPDATE)]
    return _KEY_OF_SET


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
    event = SET
    previous: bytes | None = None
    if given & GET:
        previous = db.get(key)
    if given & (_CONDITION | KEEPTTL):
        entry = db.find(key)
        if given & (XX if entry is None else NX):
            return previous
        if given & KEEPTTL and entry is not None:
            deadline = entry.expire
            event = SET_KEPT
    store(context, key, args[2], deadline, given & _TIME != 0, event)
    if given & GET and not given & _TIME and db.changes.journalled:
        effect = [b"SET", key, args[2]]
        if given & KEEPTTL:
            effect.append(b"KEEPTTL")
        db.changes.rewrite(db.index, effect)
    return previous if given & GET else OK


def store(
    context: Context, key: bytes, value: bytes, deadline: i64, timed: bool, event: Event = SET
) -> None:
    """Store a string; if ``timed``, its deadline is new, and so part of the effect."""
    db = context.db
    db.set(key, value, deadline, event)
    if timed:
        db.changes.notify(db.index, key, EXPIRE)
        if db.changes.journalled:
            db.changes.rewrite(db.index, [b"SET", key, value, b"PXAT", format_integer(deadline)])


@command(
    "GETSET key value",
    group="string",
    since="1.0.0",
    complexity="O(1)",
    flags="write denyoom fast",
    keys="RW access update",
    deprecated_since="6.2.0",
    replaced_by="`SET` with the option `GET`",
    summary="Store a string and return the one that it replaces.",
)
def getset(context: Context, args: list[bytes]) -> Reply:
    db = context.db
    previous = db.get(args[1])
    db.set(args[1], args[2], NO_EXPIRE, SET)
    if db.changes.journalled:
        db.changes.rewrite(db.index, [b"SET", args[1], args[2]])
    return previous


@command(
    "GETDEL key",
    group="string",
    since="6.2.0",
    complexity="O(1)",
    flags="write fast",
    keys="RW access delete",
    summary="Return a string and remove its key.",
)
def getdel(context: Context, args: list[bytes]) -> Reply:
    db = context.db
    value = db.get(args[1])
    if value is not None:
        db.delete(args[1])
        if db.changes.journalled:
            db.changes.rewrite(db.index, [b"DEL", args[1]])
    return value


@command(
    "GETEX key [EX seconds:integer | PX milliseconds:integer | EXAT unix-time-seconds:unix-time"
    " | PXAT unix-time-milliseconds:unix-time | PERSIST]",
    group="string",
    since="6.2.0",
    complexity="O(1)",
    flags="write fast",
    keys="RW access update",
    summary="Return a string and change or remove its key's time to live.",
)
def getex(context: Context, args: list[bytes]) -> Reply:
    db = context.db
    key = args[1]
    options = Options(args, 2, _OF_GETEX)
    entry = db.view_any(key)
    if entry is None:
        return None
    value = db.text(entry)
    if options.given & _TIME:
        change_deadline(db, key, options.deadline(db.changes.now, "getex"))
    elif options.given & PERSIST and entry.expire != NO_EXPIRE:
        db.persist(key)
        if db.changes.journalled:
            db.changes.rewrite(db.index, [b"PERSIST", key])
    return value


@command(
    "SETNX key value",
    group="string",
    since="1.0.0",
    complexity="O(1)",
    flags="write denyoom fast",
    keys="OW insert",
    deprecated_since="2.6.12",
    replaced_by="`SET` with the option `NX`",
    summary="Store a string if its key does not exist yet.",
)
def setnx(context: Context, args: list[bytes]) -> Reply:
    db = context.db
    if db.find(args[1]) is not None:
        return 0
    db.set(args[1], args[2], NO_EXPIRE, SET)
    return 1


@command(
    "SETEX key seconds:integer value",
    group="string",
    since="2.0.0",
    complexity="O(1)",
    flags="write denyoom",
    keys="OW update",
    deprecated_since="2.6.12",
    replaced_by="`SET` with the option `EX`",
    summary="Store a string with a time to live in seconds.",
)
def setex(context: Context, args: list[bytes]) -> Reply:
    deadline = deadline_of(args[2], EX, context.db.changes.now, "setex")
    store(context, args[1], args[3], deadline, True)
    return OK


@command(
    "PSETEX key milliseconds:integer value",
    group="string",
    since="2.6.0",
    complexity="O(1)",
    flags="write denyoom",
    keys="OW update",
    deprecated_since="2.6.12",
    replaced_by="`SET` with the option `PX`",
    summary="Store a string with a time to live in milliseconds.",
)
def psetex(context: Context, args: list[bytes]) -> Reply:
    deadline = deadline_of(args[2], PX, context.db.changes.now, "psetex")
    store(context, args[1], args[3], deadline, True)
    return OK
