# mypyc: interpreted
"""MIGRATE: move keys to another server."""

import socket
from io import BufferedReader
from typing import Final

from hypercache.backend import NO_EXPIRE
from hypercache.commands.arguments import SYNTAX_ERROR, parse_integer
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.engine.keys import ACCESS, DELETE, RW
from hypercache.keyspace.keyspace import Keyspace
from hypercache.rdb.dump import dump
from hypercache.reply import OK, ErrorReply, Reply, printable

_FIRST_OPTION: Final = 6
_KEY: Final = 3
_DEFAULT_TIMEOUT: Final = 1000
_KEY_WITH_KEYS: Final = (
    "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string"
)
_NO_CONNECTION: Final = "IOERR error or timeout connecting to the client"
_NOT_WRITTEN: Final = "IOERR error or timeout writing to target instance"
_NOT_READ: Final = "IOERR error or timeout reading to target instance"
# A status or an error of the other server is not longer.
_LONGEST_LINE: Final = 1024


class _Options:
    """What MIGRATE is told: the keys, and what to do with them."""

    def __init__(self, args: list[bytes]) -> None:
        self.copy = False
        self.replace = False
        self.credentials: list[bytes] = []
        self.keys = [args[_KEY]]
        at = _FIRST_OPTION
        while at < len(args):
            option = args[at].lower()
            more = len(args) - 1 - at
            if option == b"copy":
                self.copy = True
            elif option == b"replace":
                self.replace = True
            elif option == b"auth" and more >= 1:
                self.credentials = args[at + 1 : at + 2]
                at += 1
            elif option == b"auth2" and more >= 2:
                self.credentials = args[at + 1 : at + 3]
                at += 2
            elif option == b"keys":
                if args[_KEY]:
                    raise ErrorReply(_KEY_WITH_KEYS)
                self.keys = args[at + 1 :]
                break
            else:
                raise ErrorReply(SYNTAX_ERROR)
            at += 1


def migrate_keys(args: list[bytes]) -> list[tuple[int, int]] | None:
    """The index of each key: the third argument, or those behind KEYS."""
    flags = RW | ACCESS | DELETE
    at = _FIRST_OPTION
    while at < len(args):
        option = args[at].lower()
        if option == b"keys" and not args[_KEY]:
            return [(index, flags) for index in range(at + 1, len(args))]
        at += 1 + {b"auth": 1, b"auth2": 2}.get(option, 0)
    return [(_KEY, flags)]


@command(
    'MIGRATE host port:integer key-selector=(key | empty-string:"") destination-db:integer'
    " timeout:integer [COPY] [REPLACE]"
    " [authentication=(AUTH auth/password | AUTH2 auth2=(username password))]"
    " [KEYS keys/key:key...]",
    group="generic",
    since="2.6.0",
    complexity="as DUMP and DEL here and RESTORE there, and O(N) for N bytes on their way",
    flags="write",
    categories="dangerous",
    keys="RW access delete; RW access delete incomplete from:-2",
    key_finder=migrate_keys,
    tips="nondeterministic_output",
    history=(
        ("3.0.0", "Added the `COPY` and `REPLACE` options."),
        ("3.0.6", "Added the `KEYS` option."),
        ("4.0.7", "Added the `AUTH` option."),
        ("6.0.0", "Added the `AUTH2` option."),
    ),
    summary="Move keys to another server, or copy them there.",
)
def migrate(context: Context, args: list[bytes]) -> Reply:
    """As with Redis nobody else is served meanwhile: each step may take ``timeout`` ms at most.

    There is a connection for each call. What the other server has not confirmed stays here.
    """
    options = _Options(args)
    timeout = parse_integer(args[5])
    index = parse_integer(args[4])
    db = context.db
    keys = [key for key in options.keys if db.look(key) is not None]
    if not keys:
        return "NOKEY"
    requests = [restoring(db, key, options.replace) for key in keys]
    opening = [[b"AUTH", *options.credentials]] if options.credentials else []
    opening.append([b"SELECT", b"%d" % index])
    moved: list[bytes] = []
    try:
        with connect(args[1], args[2], timeout if timeout > 0 else _DEFAULT_TIMEOUT) as peer:
            send(peer, opening + requests)
            with peer.makefile("rb") as replies:
                transfer(replies, len(opening), keys, moved)
    finally:
        if not options.copy:
            drop(db, moved)
    return OK


def restoring(db: Keyspace, key: bytes, replace: bool) -> list[bytes]:
    """The command that makes a key anew on the other server."""
    entry = db.find(key)
    assert entry is not None
    ttl = 0 if entry.expire == NO_EXPIRE else max(int(entry.expire - db.changes.now), 1)
    request = [b"RESTORE", key, b"%d" % ttl, dump(entry)]
    return [*request, b"REPLACE"] if replace else request


def connect(host: bytes, port: bytes, timeout: int) -> socket.socket:
    """A connection whose every step may take so many milliseconds."""
    try:
        found = socket.getaddrinfo(
            printable(host), printable(port), type=socket.SOCK_STREAM, flags=socket.AI_NUMERICSERV
        )
        family, kind, protocol, _, address = found[0]
    except (OSError, UnicodeError) as error:
        raise ErrorReply(_NO_CONNECTION) from error
    peer = socket.socket(family, kind, protocol)
    peer.settimeout(timeout / 1000)
    try:
        peer.connect(address)
    except OSError as error:
        peer.close()
        late = isinstance(error, TimeoutError)
        raise ErrorReply(_NO_CONNECTION if late else _NOT_WRITTEN) from error
    return peer


def send(peer: socket.socket, requests: list[list[bytes]]) -> None:
    """Send requests as RESP."""
    chunks: list[bytes] = []
    for request in requests:
        chunks.append(b"*%d\r\n" % len(request))
        chunks += [b"$%d\r\n%b\r\n" % (len(arg), arg) for arg in request]
    try:
        peer.sendall(b"".join(chunks))
    except OSError as error:
        raise ErrorReply(_NOT_WRITTEN) from error


def transfer(replies: BufferedReader, opening: int, keys: list[bytes], moved: list[bytes]) -> None:
    """Read what becomes of the keys; those that have arrived are added to ``moved``.

    Raises the first error of the other server, when all replies have come.
    """
    refused = ""
    for _ in range(opening):
        refused = refused or error_in(replies)
    for key in keys:
        error = error_in(replies)
        refused = refused or error
        if not refused:
            moved.append(key)
    if refused:
        raise ErrorReply(f"ERR Target instance replied with error: {refused}")


def error_in(replies: BufferedReader) -> str:
    """The error that a reply is; empty for anything else."""
    try:
        line = replies.readline(_LONGEST_LINE)
    except OSError as error:
        raise ErrorReply(_NOT_READ) from error
    if not line:
        raise ErrorReply(_NOT_READ)
    return printable(line[1:].rstrip(b"\r\n")) if line.startswith(b"-") else ""


def drop(db: Keyspace, keys: list[bytes]) -> None:
    """Remove keys that are elsewhere now."""
    gone = [key for key in keys if db.delete(key)]
    if gone:
        db.changes.rewrite(db.index, [b"DEL", *gone])
