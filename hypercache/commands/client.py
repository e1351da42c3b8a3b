"""CLIENT: who is connected, what they are called, and how they want to be treated."""

from typing import Final

from hypercache.commands.arguments import SYNTAX_ERROR
from hypercache.commands.connection import check_name, is_plain
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
    "CLIENT LIST [TYPE client-type=(NORMAL | MASTER | REPLICA | PUBSUB)] [ID client-id:integer...]",
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
    "CLIENT SETINFO attr=(LIB-NAME libname | LIB-VER libver)",
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
