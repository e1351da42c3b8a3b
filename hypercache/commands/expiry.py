"""Times to live: the EXPIRE family sets them, the TTL family reads them, PERSIST removes them."""

from typing import Final

from mypy_extensions import i64

from hypercache.backend import NO_EXPIRE
from hypercache.commands.arguments import parse_integer
from hypercache.commands.deadlines import EX, EXAT, PX, PXAT, absolute, change_deadline
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.reply import ErrorReply, Reply, quotable

_HISTORY: Final = (("7.0.0", "The options NX, XX, GT and LT."),)
_TTL_HISTORY: Final = (("2.8.0", "The reply -2."),)

_NX: Final[i64] = 1
_XX: Final[i64] = 2
_GT: Final[i64] = 4
_LT: Final[i64] = 8
_OPTIONS: Final[dict[bytes, int]] = {b"nx": 1, b"xx": 2, b"gt": 4, b"lt": 8}


@command(
    "EXPIRE key seconds:integer [NX | XX | GT | LT]",
    group="generic",
    since="1.0.0",
    complexity="O(1)",
    flags="write fast",
    keys="RW update",
    history=_HISTORY,
    summary="Give a key a time to live in seconds.",
)
def expire(context: Context, args: list[bytes]) -> Reply:
    return expire_key(context, args, EX, "expire")


@command(
    "PEXPIRE key milliseconds:integer [NX | XX | GT | LT]",
    group="generic",
    since="2.6.0",
    complexity="O(1)",
    flags="write fast",
    keys="RW update",
    history=_HISTORY,
    summary="Give a key a time to live in milliseconds.",
)
def pexpire(context: Context, args: list[bytes]) -> Reply:
    return expire_key(context, args, PX, "pexpire")


@command(
    "EXPIREAT key unix-time-seconds:unix-time [NX | XX | GT | LT]",
    group="generic",
    since="1.2.0",
    complexity="O(1)",
    flags="write fast",
    keys="RW update",
    history=_HISTORY,
    summary="Let a key live until a Unix time in seconds.",
)
def expireat(context: Context, args: list[bytes]) -> Reply:
    return expire_key(context, args, EXAT, "expireat")


@command(
    "PEXPIREAT key unix-time-milliseconds:unix-time [NX | XX | GT | LT]",
    group="generic",
    since="2.6.0",
    complexity="O(1)",
    flags="write fast",
    keys="RW update",
    history=_HISTORY,
    summary="Let a key live until a Unix time in milliseconds.",
)
def pexpireat(context: Context, args: list[bytes]) -> Reply:
    return expire_key(context, args, PXAT, "pexpireat")


def expire_key(context: Context, args: list[bytes], unit: i64, name: str) -> int:
    """Run one of the EXPIRE family: 1 if the key has a new deadline or is gone, else 0."""
    options: i64 = parse_options(args) if len(args) > 3 else 0
    db = context.db
    key = args[1]
    deadline = absolute(parse_integer(args[2]), unit, db.changes.now, name)
    entry = db.find(key)
    if entry is None or (options and not is_wanted(options, entry.expire, deadline)):
        return 0
    change_deadline(db, key, deadline)
    return 1


def parse_options(args: list[bytes]) -> i64:
    """The options behind the time, as bits."""
    options: i64 = 0
    for word in args[3:]:
        option: i64 = _OPTIONS.get(word.lower(), 0)
        if option == 0:
            raise ErrorReply(f"ERR Unsupported option {quotable(word)}")
        options |= option
    if options & _NX and options != _NX:
        raise ErrorReply("ERR NX and XX, GT or LT options at the same time are not compatible")
    if options & _GT and options & _LT:
        raise ErrorReply("ERR GT and LT options at the same time are not compatible")
    return options


def is_wanted(options: i64, present: i64, deadline: i64) -> bool:
    """Whether a deadline may replace the present one; none at all counts as infinite."""
    if present == NO_EXPIRE:
        return not options & (_XX | _GT)
    if options & _NX:
        return False
    if options & _GT:
        return deadline > present
    return not options & _LT or deadline < present


@command(
    "TTL key",
    group="generic",
    since="1.0.0",
    complexity="O(1)",
    flags="readonly fast",
    keys="RO access",
    tips="nondeterministic_output",
    history=_TTL_HISTORY,
    summary="Return a key's time to live in seconds; -1 if it has none, -2 without the key.",
)
def ttl(context: Context, args: list[bytes]) -> Reply:
    return in_seconds(time_left(context, args[1]))


@command(
    "PTTL key",
    group="generic",
    since="2.6.0",
    complexity="O(1)",
    flags="readonly fast",
    keys="RO access",
    tips="nondeterministic_output",
    history=_TTL_HISTORY,
    summary="Return a key's time to live in milliseconds; -1 if it has none, -2 without the key.",
)
def pttl(context: Context, args: list[bytes]) -> Reply:
    return time_left(context, args[1])


@command(
    "EXPIRETIME key",
    group="generic",
    since="7.0.0",
    complexity="O(1)",
    flags="readonly fast",
    keys="RO access",
    summary="Return a key's deadline as Unix time in seconds; -1 if it has none, -2 without"
    " the key.",
)
def expiretime(context: Context, args: list[bytes]) -> Reply:
    return in_seconds(deadline_under(context, args[1]))


@command(
    "PEXPIRETIME key",
    group="generic",
    since="7.0.0",
    complexity="O(1)",
    flags="readonly fast",
    keys="RO access",
    summary="Return a key's deadline as Unix time in milliseconds; -1 if it has none, -2"
    " without the key.",
)
def pexpiretime(context: Context, args: list[bytes]) -> Reply:
    return deadline_under(context, args[1])


def deadline_under(context: Context, key: bytes) -> i64:
    """A key's deadline in Unix milliseconds; -1 if it has none, -2 without the key."""
    entry = context.db.look(key)
    return -2 if entry is None else entry.expire


def time_left(context: Context, key: bytes) -> i64:
    """The milliseconds until a key's deadline, or -1 or -2 as above."""
    deadline = deadline_under(context, key)
    return deadline if deadline < 0 else max(deadline - context.db.changes.now, 0)


def in_seconds(milliseconds: i64) -> i64:
    """Seconds, rounded; -1 and -2 as they are."""
    return milliseconds if milliseconds < 0 else (milliseconds + 500) // 1000


@command(
    "PERSIST key",
    group="generic",
    since="2.2.0",
    complexity="O(1)",
    flags="write fast",
    keys="RW update",
    summary="Take a key's time to live away.",
)
def persist(context: Context, args: list[bytes]) -> Reply:
    entry = context.db.find(args[1])
    if entry is None or entry.expire == NO_EXPIRE:
        return 0
    context.db.persist(args[1])
    return 1
