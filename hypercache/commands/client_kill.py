"""CLIENT KILL: getting rid of clients."""

from hypercache.commands.arguments import SYNTAX_ERROR
from hypercache.commands.client import living, type_named
from hypercache.engine.acl.users import User
from hypercache.engine.command import command
from hypercache.engine.context import Context, client_type
from hypercache.engine.engine import Engine
from hypercache.engine.session import Session
from hypercache.keyspace import numbers
from hypercache.reply import OK, ErrorReply, Reply, printable


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
    " | [TYPE client-type=(NORMAL | MASTER | SLAVE | REPLICA | PUBSUB)]"
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
