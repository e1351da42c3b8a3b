"""Connections: who a client is, which database and which protocol it speaks."""

from typing import Final

from hypercache.engine.command import command
from hypercache.engine.context import REPLY_ON, Context
from hypercache.engine.guards import SUBSCRIBED_BIT
from hypercache.engine.information import REDIS_VERSION
from hypercache.engine.stores import Store
from hypercache.keyspace.numbers import parse_integer
from hypercache.reply import OK, ErrorReply, Reply, printable

_NO_PASSWORD: Final = (
    "ERR AUTH <password> called without any password configured for the default user. "
    "Are you sure your configuration is correct?"
)
_HELLO_STRANGER: Final = (
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
    "<proto> AUTH <user> <pass> option can be used to authenticate the client and select the "
    "RESP protocol version at the same time"
)
_BAD_NAME: Final = "ERR Client names cannot contain spaces, newlines or special characters."
_INT_MIN: Final = -(2**31)
_INT_MAX: Final = 2**31 - 1


@command(
    "PING [message]",
    group="connection",
    since="1.0.0",
    complexity="O(1)",
    flags="fast",
    tips="request_policy:all_shards response_policy:all_succeeded",
    summary="Answer PONG, or the message: the server is alive.",
)
def ping(context: Context, args: list[bytes]) -> Reply:
    """A RESP2 subscriber gets a message's shape, so that it can tell it from a reply."""
    if len(args) > 2:
        raise ErrorReply("ERR wrong number of arguments for 'ping' command")
    if context.armed & SUBSCRIBED_BIT and context.version == 2:
        return [b"pong", args[1] if len(args) == 2 else b""]
    return "PONG" if len(args) == 1 else args[1]


@command(
    "ECHO message",
    group="connection",
    since="1.0.0",
    complexity="O(1)",
    flags="loading stale fast",
    summary="Return the message.",
)
def echo(context: Context, args: list[bytes]) -> Reply:
    return args[1]


@command(
    "QUIT",
    group="connection",
    since="1.0.0",
    complexity="O(1)",
    flags="allow_busy noscript loading stale fast no_auth",
    arity=-1,
    deprecated_since="7.2.0",
    replaced_by="just closing the connection",
    summary="Close the connection once everything before is answered.",
)
def quit_(context: Context, args: list[bytes]) -> Reply:
    context.closing = True
    return OK


@command(
    "SELECT index:integer",
    group="connection",
    since="1.0.0",
    complexity="O(1)",
    flags="loading stale fast",
    summary="Make another database the current one.",
)
def select(context: Context, args: list[bytes]) -> Reply:
    """A store is selected by its number, or by its name, which is none."""
    index = parse_integer(args[1])
    if index is None:
        context.select(named_store(context, args[1]).index)
        return OK
    if not _INT_MIN <= index <= _INT_MAX:
        raise ErrorReply(f"ERR value is out of range, value must between {_INT_MIN} and {_INT_MAX}")
    if not 0 <= index < len(context.engine.keyspaces):
        raise ErrorReply("ERR DB index is out of range")
    context.select(index)
    return OK


def named_store(context: Context, name: bytes) -> Store:
    """The store of a name; an error as Redis has it as long as no store has one."""
    stores = context.engine.stores
    store = stores.find(printable(name))
    if store is None and stores.named():
        raise ErrorReply(f"ERR there is no store '{printable(name)}'")
    if store is None:
        raise ErrorReply("ERR value is not an integer or out of range")
    return store


@command(
    "AUTH [username] password",
    group="connection",
    since="1.0.0",
    complexity="O(N) where N is the number of passwords of the user",
    flags="noscript loading stale fast no_auth allow_busy",
    history=(("6.0.0", "Added ACL style (username and password)."),),
    summary="Prove who the client is.",
)
def auth(context: Context, args: list[bytes]) -> Reply:
    if len(args) > 3:
        raise ErrorReply("ERR syntax error")
    if len(args) == 3:
        context.engine.acl.log_in(context, args[1], args[2], args[0])
        return OK
    if context.engine.acl.default.needs_no_password:
        raise ErrorReply(_NO_PASSWORD)
    context.engine.acl.log_in(context, b"default", args[1], args[0])
    return OK


@command(
    "HELLO [arguments=(protover:integer [AUTH auth=(username password)] [SETNAME clientname])]",
    group="connection",
    since="6.0.0",
    complexity="O(1)",
    flags="noscript loading stale fast no_auth allow_busy",
    history=(
        (
            "6.2.0",
            "`protover` made optional; when called without arguments the command reports the "
            "current connection's context.",
        ),
    ),
    summary="Agree on a protocol version, log in and set a name; describe the server.",
)
def hello(context: Context, args: list[bytes]) -> Reply:
    version = context.version
    if len(args) > 1:
        wanted = parse_integer(args[1])
        if wanted is None:
            raise ErrorReply("ERR Protocol version is not an integer or out of range")
        if wanted not in (2, 3):
            raise ErrorReply("NOPROTO unsupported protocol version")
        version = wanted
    user: bytes | None = None
    password = b""
    name: bytes | None = None
    at = 2
    while at < len(args):
        option = args[at].lower()
        if option == b"auth" and at + 2 < len(args):
            user = args[at + 1]
            password = args[at + 2]
            at += 3
        elif option == b"setname" and at + 1 < len(args):
            name = args[at + 1]
            check_name(name)
            at += 2
        else:
            raise ErrorReply(f"ERR Syntax error in HELLO option '{printable(args[at])}'")
    if user is not None:
        context.engine.acl.log_in(context, user, password, args[0])
    if not context.authenticated:
        raise ErrorReply(_HELLO_STRANGER)
    if name is not None:
        context.name = name
    context.set_version(version)
    return {
        b"server": b"redis",
        b"version": REDIS_VERSION.encode(),
        b"proto": version,
        b"id": context.id,
        b"mode": b"standalone",
        b"role": b"master",
        b"modules": [],
    }


def check_name(name: bytes) -> None:
    """Raise unless a client's name keeps CLIENT LIST readable: printable, without spaces."""
    if not is_plain(name):
        raise ErrorReply(_BAD_NAME)


def is_plain(text: bytes) -> bool:
    """Whether it has printable ASCII characters only, and no space."""
    return all(0x21 <= byte <= 0x7E for byte in text)


@command(
    "RESET",
    group="connection",
    since="6.2.0",
    complexity="O(1)",
    flags="noscript loading stale fast no_auth allow_busy",
    summary="Make the connection as good as new.",
)
def reset(context: Context, args: list[bytes]) -> Reply:
    """What names the client's library stays: it is the same library behind the connection."""
    engine = context.engine
    context.set_queueing(False)
    engine.settlement.unwatch(context)
    engine.pubsub.forget(context)
    engine.tracking.disable(context)
    engine.observation.monitors.remove(context)
    context.select(0)
    context.set_version(2)
    engine.acl.greet(context)
    context.name = b""
    context.reply_mode = REPLY_ON
    context.no_evict = False
    context.set_no_touch(False)
    return "RESET"
