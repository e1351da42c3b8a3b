"""CLIENT: who is connected, what they are called, and getting rid of them."""

from typing import Final

from hypercache.commands.arguments import SYNTAX_ERROR
from hypercache.commands.connection import check_name, is_plain
from hypercache.engine.acl.users import User
from hypercache.engine.command import command
from hypercache.engine.context import (
    NORMAL,
    PUBSUB,
    REPLY_OFF,
    REPLY_ON,
    REPLY_SKIP_NEXT,
    Context,
    client_type,
)
from hypercache.engine.description import describe_client
from hypercache.engine.engine import Engine
from hypercache.engine.session import Session
from hypercache.keyspace import numbers
from hypercache.reply import NO_REPLY, OK, ErrorReply, Reply, Verbatim, printable

_TYPES: Final = {
    b"normal": NORMAL,
    b"master": "master",
    b"slave": "replica",
    b"replica": "replica",
    b"pubsub": PUBSUB,
}


@command(
    "CLIENT ID",
    container="CLIENT",
    group="connection",
    since="5.0.0",
    complexity="O(1)",
    flags="noscript loading stale",
    summary="Return the number of this connection, which no later one gets.",
)
def client_id(context: Context, args: list[bytes]) -> Reply:
    return context.id


@command(
    "CLIENT INFO",
    container="CLIENT",
    group="connection",
    since="6.2.0",
    complexity="O(1)",
    flags="noscript loading stale",
    tips="nondeterministic_output",
    summary="Describe this connection as CLIENT LIST does.",
)
def client_info(context: Context, args: list[bytes]) -> Reply:
    return Verbatim(describe_client(context, args) + b"\n")


@command(
    'CLIENT LIST [TYPE client-type=("normal" | "master" | "replica" | "pubsub")]'
    " [ID client-id:integer...]",
    container="CLIENT",
    group="connection",
    since="2.4.0",
    complexity="O(N) where N is the number of client connections",
    flags="admin noscript loading stale",
    tips="nondeterministic_output",
    history=(
        ("2.8.12", "Added unique client `id` field."),
        ("5.0.0", "Added optional `TYPE` filter."),
        ("6.0.0", "Added `user` field."),
        (
            "6.2.0",
            "Added `argv-mem`, `tot-mem`, `laddr` and `redir` fields and the optional `ID` filter.",
        ),
        ("7.0.0", "Added `resp`, `multi-mem`, `rbs` and `rbp` fields."),
        ("7.0.3", "Added `ssub` field."),
    ),
    summary="Describe the connections, all or some, a line each.",
)
def client_list(context: Context, args: list[bytes]) -> Reply:
    engine = context.engine
    found = living(engine)
    option = args[2].lower() if len(args) > 2 else b""
    if len(args) == 4 and option == b"type":
        wanted = type_named(args[3])
        found = [session for session in found if client_type(session) == wanted]
    elif len(args) > 3 and option == b"id":
        by_number = {session.id: session for session in found}
        found = []
        for arg in args[3:]:
            number = numbers.parse_integer(arg)
            if number is None:
                raise ErrorReply("ERR Invalid client ID")
            if number in by_number:
                found.append(by_number[number])
    elif len(args) != 2:
        raise ErrorReply(SYNTAX_ERROR)
    lines = [describe_client(each, args if each is context else []) + b"\n" for each in found]
    return Verbatim(b"".join(lines))


def living(engine: Engine) -> list[Session]:
    """The connected clients, without those just killed or evicted."""
    sessions = dict(engine.sessions)
    for session in engine.delivery.doomed + engine.delivery.dropped:
        sessions.pop(session.id, None)
    return list(sessions.values())


def type_named(name: bytes) -> str:
    """A client type by its name in any case."""
    found = _TYPES.get(name.lower())
    if found is None:
        raise ErrorReply(f"ERR Unknown client type '{printable(name)}'")
    return found


@command(
    "CLIENT SETNAME connection-name",
    container="CLIENT",
    group="connection",
    since="2.6.9",
    complexity="O(1)",
    flags="noscript loading stale",
    tips="request_policy:all_nodes response_policy:all_succeeded",
    summary="Give this connection a name, or none with an empty one.",
)
def client_setname(context: Context, args: list[bytes]) -> Reply:
    check_name(args[2])
    context.name = args[2]
    return OK


@command(
    "CLIENT GETNAME",
    container="CLIENT",
    group="connection",
    since="2.6.9",
    complexity="O(1)",
    flags="noscript loading stale",
    summary="Return the name of this connection.",
)
def client_getname(context: Context, args: list[bytes]) -> Reply:
    return context.name or None


@command(
    'CLIENT SETINFO attr=("lib-name" libname | "lib-ver" libver)',
    container="CLIENT",
    group="connection",
    since="7.2.0",
    complexity="O(1)",
    flags="noscript loading stale",
    tips="request_policy:all_nodes response_policy:all_succeeded",
    summary="Tell which library is behind this connection.",
)
def client_setinfo(context: Context, args: list[bytes]) -> Reply:
    attribute = args[2].lower()
    if attribute not in (b"lib-name", b"lib-ver"):
        raise ErrorReply(f"ERR Unrecognized option '{printable(args[2])}'")
    if not is_plain(args[3]):
        raise ErrorReply(
            f"ERR {printable(args[2])} cannot contain spaces, newlines or special characters."
        )
    if attribute == b"lib-name":
        context.library_name = args[3]
    else:
        context.library_version = args[3]
    return OK


@command(
    "CLIENT REPLY action=(ON | OFF | SKIP)",
    container="CLIENT",
    group="connection",
    since="3.2.0",
    complexity="O(1)",
    flags="noscript loading stale",
    summary="Switch the replies to this connection off, on, or off for one command.",
)
def client_reply(context: Context, args: list[bytes]) -> Reply:
    mode = args[2].lower()
    if mode == b"on":
        context.reply_mode = REPLY_ON
        return OK
    if mode == b"off":
        context.reply_mode = REPLY_OFF
    elif mode == b"skip":
        if context.reply_mode != REPLY_OFF:
            context.reply_mode = REPLY_SKIP_NEXT
    else:
        raise ErrorReply(SYNTAX_ERROR)
    return NO_REPLY


@command(
    "CLIENT NO-EVICT enabled=(ON | OFF)",
    container="CLIENT",
    group="connection",
    since="7.0.0",
    complexity="O(1)",
    flags="admin noscript loading stale",
    summary="Spare this connection when clients are cut off to save memory, or no longer.",
)
def client_no_evict(context: Context, args: list[bytes]) -> Reply:
    context.no_evict = is_on(args[2])
    return OK


@command(
    "CLIENT NO-TOUCH enabled=(ON | OFF)",
    container="CLIENT",
    group="connection",
    since="7.2.0",
    complexity="O(1)",
    flags="noscript loading stale",
    summary="Leave the idle times of the keys that this connection reads alone, or no longer.",
)
def client_no_touch(context: Context, args: list[bytes]) -> Reply:
    context.set_no_touch(is_on(args[2]))
    return OK


def is_on(word: bytes) -> bool:
    """Whether a switch says ON; raises unless it says OFF."""
    switch = word.lower()
    if switch not in (b"on", b"off"):
        raise ErrorReply(SYNTAX_ERROR)
    return switch == b"on"


class Filter:
    """Which clients CLIENT KILL means: those that every given option fits."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.id = 0
        self.type = ""
        self.user: User | None = None
        self.address = ""
        self.local_address = ""
        self.oldest = 0
        self.spares_self = True

    def read(self, option: bytes, value: bytes) -> None:
        """Take one option of CLIENT KILL."""
        name = option.lower()
        if name == b"id":
            self.id = positive(value, "client-id")
        elif name == b"type":
            self.type = type_named(value)
        elif name == b"addr":
            self.address = printable(value)
        elif name == b"laddr":
            self.local_address = printable(value)
        elif name == b"user":
            self.user = self.engine.acl.users.get(value)
            if self.user is None:
                raise ErrorReply(f"ERR No such user '{printable(value)}'")
        elif name == b"skipme" and value.lower() in (b"yes", b"no"):
            self.spares_self = value.lower() == b"yes"
        elif name == b"maxage":
            self.oldest = positive(value, "maxage")
        else:
            raise ErrorReply(SYNTAX_ERROR)

    def fits(self, session: Session) -> bool:
        """Whether a client is meant."""
        age = (self.engine.time - session.created) // 1_000_000
        return not (
            (self.address and session.address != self.address)
            or (self.local_address and session.local_address != self.local_address)
            or (self.type and client_type(session) != self.type)
            or (self.id and session.id != self.id)
            or (self.user is not None and session.user is not self.user)
            or (self.oldest and age < self.oldest)
        )


def positive(value: bytes, name: str) -> int:
    """A number greater than 0."""
    number = numbers.parse_integer(value)
    if number is None or number <= 0:
        raise ErrorReply(f"ERR {name} should be greater than 0")
    return number


@command(
    'CLIENT KILL filter=(old-format/"ip:port" | new-format=([ID client-id:integer]'
    ' | [TYPE client-type=("normal" | "master" | "slave" | "replica" | "pubsub")]'
    ' | [USER username] | [ADDR addr/"ip:port"] | [LADDR laddr/"ip:port"]'
    " | [SKIPME skipme=(YES | NO)] | [MAXAGE maxage:integer])...)",
    container="CLIENT",
    group="connection",
    since="2.4.0",
    complexity="O(N) where N is the number of client connections",
    flags="admin noscript loading stale",
    history=(
        ("2.8.12", "Added new filter format."),
        ("2.8.12", "`ID` option."),
        ("3.2.0", "Added `master` type in for `TYPE` option."),
        (
            "5.0.0",
            "Replaced `slave` `TYPE` with `replica`. `slave` still supported for backward"
            " compatibility.",
        ),
        ("6.2.0", "`LADDR` option."),
        ("7.4.0", "`MAXAGE` option."),
    ),
    summary="Close connections: the one at an address, or all that the filters fit.",
)
def client_kill(context: Context, args: list[bytes]) -> Reply:
    """Killing oneself lets the reply through first."""
    meant = Filter(context.engine)
    if len(args) == 3:
        meant.address = printable(args[2])
        meant.spares_self = False
    else:
        for at in range(2, len(args), 2):
            if at + 1 == len(args):
                raise ErrorReply(SYNTAX_ERROR)
            meant.read(args[at], args[at + 1])
    killed = 0
    for session in living(context.engine):
        if not meant.fits(session):
            continue
        if session is not context:
            context.engine.delivery.kill(session)
        elif meant.spares_self:
            continue
        else:
            context.closing = True
        killed += 1
    if len(args) > 3:
        return killed
    if killed == 0:
        raise ErrorReply("ERR No such client")
    return OK
