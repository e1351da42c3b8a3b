# mypyc: interpreted
"""DEBUG: what tests and people who look for bugs need, and nobody else should use.

The sub-commands are Redis' where it has them; CHECK is ours. They are no sub-commands in
the sense of COMMAND: statistics and ACL know DEBUG as one command, as in Redis.
"""

import math
import time
from collections.abc import Callable
from typing import Final

from hypercache.backend import NO_EXPIRE
from hypercache.commands.arguments import misused
from hypercache.commands.debug_internals import (
    change_replication_id,
    rewrite_all_settings,
    show_tables,
    show_value_table,
    tune_reply_buffer,
)
from hypercache.commands.debug_reload import load_append_only, reload_all
from hypercache.commands.objects import encoding_of
from hypercache.config.text import parse_memory
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.engine.session import Session
from hypercache.keyspace import numbers
from hypercache.keyspace.changes import SET
from hypercache.keyspace.digest import NOTHING, digest_database, digest_value
from hypercache.keyspace.glob import matches
from hypercache.reply import OK, Attributed, ErrorReply, Members, Push, Reply, Verbatim, printable

_NO_SUCH_KEY: Final = "ERR no such key"
_NOT_POSITIVE: Final = "ERR value is out of range, must be positive"
_WRONG_TYPE_NAME: Final = (
    "ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|"
    "null|array|set|map|attrib|push|verbatim|true|false"
)
_WRONG_THRESHOLD: Final = "ERR argument must be a memory value bigger than 1 and smaller than 4gb"
# 4 GB less 1 MB; more characters than these say more.
_MAX_PACKED_THRESHOLD: Final = (1 << 32) - (1 << 20)
_LONGEST_SIZE: Final = 16
_BIG_NUMBER: Final = 1234567999999999999999999999999999999


@command(
    "DEBUG subcommand [argument...]",
    group="server",
    since="1.0.0",
    complexity="Depends on subcommand.",
    flags="admin noscript loading stale protected syscmd",
    summary="Look inside the server, or make it misbehave, for tests.",
)
def debug(context: Context, args: list[bytes]) -> Reply:
    subcommand = _SUBCOMMANDS.get(args[1].lower())
    if subcommand is not None and subcommand.takes(len(args) - 2):
        return subcommand.function(context, args[2:])
    raise misused(args)


class Subcommand:
    """One of DEBUG's: how many arguments it takes, its function, and what HELP says of it."""

    def __init__(
        self,
        function: Callable[[Context, list[bytes]], object],
        least: int,
        most: int,
        usage: str,
        summary: str,
    ) -> None:
        self.function = function
        self.least = least
        self.most = most
        self.usage = usage
        self.summary = summary

    def takes(self, count: int) -> bool:
        """Whether it can be called with so many arguments."""
        return self.least <= count <= self.most


def show_help(context: Context, args: list[bytes]) -> Reply:
    lines: list[object] = ["DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"]
    for subcommand in _SUBCOMMANDS.values():
        lines += [subcommand.usage, f"    {subcommand.summary}"]
    return lines


def sleep(context: Context, args: list[bytes]) -> Reply:
    """Stops the whole server, as a slow command would."""
    try:
        seconds = float(args[0])
    except ValueError:
        seconds = 0.0
    if not math.isfinite(seconds):
        raise ErrorReply("ERR value is not a valid float")
    if seconds > 0:
        time.sleep(seconds)
    return OK


def set_active_expire(context: Context, args: list[bytes]) -> Reply:
    context.engine.background.active_expire = is_set(args[0])
    return OK


def allow_scripts(context: Context, args: list[bytes]) -> Reply:
    context.engine.scripts.allows_all = is_set(args[0])
    return OK


def pause_cron(context: Context, args: list[bytes]) -> Reply:
    context.engine.background.enabled = not is_set(args[0])
    return OK


def is_set(word: bytes) -> bool:
    """Whether a switch is on: a number other than 0."""
    return (numbers.parse_integer(word) or 0) != 0


def set_packed_threshold(context: Context, args: list[bytes]) -> Reply:
    """Nothing depends on it: lists keep elements of any size in one way."""
    size = parse_memory(printable(args[0][:_LONGEST_SIZE]))
    if size is None or size > _MAX_PACKED_THRESHOLD:
        raise ErrorReply(_WRONG_THRESHOLD)
    return OK


def populate(context: Context, args: list[bytes]) -> Reply:
    """Keys that are there stay; each new one is journalled as the SET it is."""
    count = natural(args[0])
    prefix = args[1] if len(args) > 1 else b"key"
    size = natural(args[2]) if len(args) > 2 else 0
    db = context.db
    for number in range(count):
        key = b"%s:%d" % (prefix, number)
        if db.find(key) is not None:
            continue
        value = b"value:%d" % number
        if size:
            value = value[:size].ljust(size, b"\0")
        db.set(key, value, NO_EXPIRE, SET)
        db.changes.rewrite(db.index, [b"SET", key, value])
    return OK


def natural(word: bytes) -> int:
    """An integer that is not negative."""
    number = numbers.parse_integer(word)
    if number is None or number < 0:
        raise ErrorReply(_NOT_POSITIVE)
    return number


def show_object(context: Context, args: list[bytes]) -> Reply:
    """Length is that of the serialized value, nearly; the place is that of the key's entry."""
    db = context.db
    entry = db.store.find(args[0])
    if entry is None:
        raise ErrorReply(_NO_SUCH_KEY)
    idle: int = db.policy.idle(entry)
    if idle < 0:
        idle = db.changes.frequency.age(entry.access) * 60
    return (
        f"Value at:{hex(id(entry))} refcount:1 encoding:{encoding_of(entry)} "
        f"serializedlength:{db.store.memory_of(args[0])} lru:{entry.access} lru_seconds_idle:{idle}"
    )


def show_digest(context: Context, args: list[bytes]) -> Reply:
    digest = NOTHING
    for keyspace in context.engine.keyspaces:
        digest = digest_database(keyspace.index, keyspace.store, digest)
    return digest.hex()


def show_value_digests(context: Context, args: list[bytes]) -> Reply:
    reply: list[object] = []
    for key in args:
        entry = context.db.store.find(key)
        reply.append((NOTHING if entry is None else digest_value(entry)).hex())
    return reply


def check(context: Context, args: list[bytes]) -> Reply:
    """Empty when the stores are consistent; else what is wrong, in words."""
    problems: list[object] = []
    for keyspace in context.engine.keyspaces:
        for problem in keyspace.store.check():
            problems.append(f"db{keyspace.index}: {problem}".encode("utf-8", "surrogateescape"))
    return problems


def show_protocol(context: Context, args: list[bytes]) -> Reply:
    """A value of every type that a reply can have."""
    name = args[0].lower()
    if name == b"attrib":
        attributes: dict[object, object] = {b"key-popularity": [b"key:123", 90]}
        return Attributed(attributes, b"Some real reply following the attribute")
    if name == b"push":
        if context.version < 3 or not isinstance(context, Session):
            raise ErrorReply("ERR RESP2 is not supported by this command")
        context.push(Push([b"server-cpu-usage", 42]))
        return b"Some real reply following the push reply"
    if name not in _SAMPLES:
        raise ErrorReply(_WRONG_TYPE_NAME)
    return _SAMPLES[name]


_SAMPLES: Final[dict[bytes, object]] = {
    b"string": b"Hello World",
    b"integer": 12345,
    b"double": 3.141,
    b"bignum": _BIG_NUMBER,
    b"null": None,
    b"array": [0, 1, 2],
    b"set": Members([0, 1, 2]),
    b"map": {0: False, 1: True, 2: False},
    b"verbatim": Verbatim(b"This is a verbatim\nstring"),
    b"true": True,
    b"false": False,
}


def answer_error(context: Context, args: list[bytes]) -> Reply:
    raise ErrorReply(printable(args[0]).replace("\r", " ").replace("\n", " "))


def log(context: Context, args: list[bytes]) -> Reply:
    context.engine.reporter.report("warning", "debug_log", {"text": printable(args[0])})
    return OK


def match(context: Context, args: list[bytes]) -> Reply:
    return int(matches(args[0], args[1], False))


_SUBCOMMANDS: Final[dict[bytes, Subcommand]] = {
    b"check": Subcommand(check, 0, 0, "CHECK", "Verify the stores; list what is inconsistent."),
    b"change-repl-id": Subcommand(
        change_replication_id, 0, 0, "CHANGE-REPL-ID", "Take a new replication ID."
    ),
    b"config-rewrite-force-all": Subcommand(
        rewrite_all_settings,
        0,
        0,
        "CONFIG-REWRITE-FORCE-ALL",
        "Write every setting to the configuration file.",
    ),
    b"digest": Subcommand(show_digest, 0, 0, "DIGEST", "Show a digest of all data."),
    b"digest-value": Subcommand(
        show_value_digests,
        0,
        1 << 30,
        "DIGEST-VALUE [<key> ...]",
        "Show digests of the values under keys.",
    ),
    b"error": Subcommand(answer_error, 1, 1, "ERROR <string>", "Answer an error of this text."),
    b"htstats": Subcommand(
        show_tables, 1, 2, "HTSTATS <dbid> [full]", "Show how large the tables of a database are."
    ),
    b"htstats-key": Subcommand(
        show_value_table,
        1,
        2,
        "HTSTATS-KEY <key> [full]",
        "Always refused: values are no hash tables that can be looked into.",
    ),
    b"loadaof": Subcommand(
        load_append_only, 0, 0, "LOADAOF", "Drop all data and load the append-only file."
    ),
    b"log": Subcommand(log, 1, 1, "LOG <message>", "Write a message to the log."),
    b"object": Subcommand(show_object, 1, 1, "OBJECT <key>", "Show how a value is stored."),
    b"pause-cron": Subcommand(pause_cron, 1, 1, "PAUSE-CRON <0|1>", "Stop background work."),
    b"populate": Subcommand(
        populate,
        1,
        3,
        "POPULATE <count> [<prefix>] [<size>]",
        "Create strings named <prefix>:<number> of <size> bytes.",
    ),
    b"protocol": Subcommand(
        show_protocol,
        1,
        1,
        "PROTOCOL <type>",
        "Answer a value of a type: string, integer, double, bignum, null, array, set, map, "
        "attrib, push, verbatim, true or false.",
    ),
    b"quicklist-packed-threshold": Subcommand(
        set_packed_threshold,
        1,
        1,
        "QUICKLIST-PACKED-THRESHOLD <size>",
        "Accepted for the sake of tests; elements of lists are all kept in one way.",
    ),
    b"reload": Subcommand(
        reload_all,
        0,
        1 << 30,
        "RELOAD [MERGE] [NOFLUSH] [NOSAVE]",
        "Write an RDB file, remove all keys, and load it.",
    ),
    b"replybuffer": Subcommand(
        tune_reply_buffer,
        2,
        2,
        "REPLYBUFFER <peak-reset-time|resizing> <value>",
        "Accepted for the sake of tests; clients have no buffers of changing size.",
    ),
    b"set-active-expire": Subcommand(
        set_active_expire,
        1,
        1,
        "SET-ACTIVE-EXPIRE <0|1>",
        "Let keys expire in the background, or only when looked at.",
    ),
    b"set-disable-deny-scripts": Subcommand(
        allow_scripts,
        1,
        1,
        "SET-DISABLE-DENY-SCRIPTS <0|1>",
        "Let scripts call every command, or no longer.",
    ),
    b"sleep": Subcommand(sleep, 1, 1, "SLEEP <seconds>", "Stop the whole server for a while."),
    b"stringmatch-len": Subcommand(
        match, 2, 2, "STRINGMATCH-LEN <pattern> <string>", "Tell whether a pattern matches."
    ),
    b"help": Subcommand(show_help, 0, 0, "HELP", "Print this help."),
}
