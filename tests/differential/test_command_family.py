"""COMMAND and its sub-commands answer as redis-server does, byte for byte where they can."""

from collections.abc import Iterator

import pytest

from hypercache.testing.server import ServerProcess
from tests.support.resp import Client, ReplyError, connect, encode

PONG = b"+PONG\r\n"


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def clients(
    request: pytest.FixtureRequest, _session_server: ServerProcess, _session_peer: ServerProcess
) -> Iterator[tuple[Client, Client]]:
    """Connections to our server and to redis-server; no test here touches data."""
    version = request.param
    with connect(_session_server, version) as ours, connect(_session_peer, version) as theirs:
        yield ours, theirs


@pytest.fixture
def client(_session_server: ServerProcess) -> Iterator[Client]:
    """A RESP2 connection to our server."""
    with connect(_session_server) as connection:
        yield connection


def answer(client: Client, *words: str) -> bytes:
    """The very bytes that a server answers: what comes before the answer to a PING."""
    client.send(encode("COMMAND", *words) + encode("PING"))
    data = b""
    while not data.endswith(PONG):
        received = client.socket.recv(1 << 16)
        assert received, "the server has closed the connection"
        data += received
    return data.removesuffix(PONG)


@pytest.mark.parametrize(
    "words",
    [
        "INFO get",
        "INFO Incr mset del ping",
        "INFO config|get Config|Set",
        "INFO nothing get|key config|get|key config| |",
        "GETKEYS get k",
        "GETKEYS mset a 1 b 2",
        "GETKEYS nothing x",
        "GETKEYS config nothing",
        "GETKEYS ping x",
        "GETKEYS get a b",
        "GETKEYS mset a",
        "GETKEYSANDFLAGS mset a 1 b 2",
        "GETKEYSANDFLAGS set k v",
        "GETKEYSANDFLAGS set k v EX 10 gEt",
        "GETKEYSANDFLAGS del a b",
        "LIST nothing",
        "LIST FILTERBY",
        "LIST FILTERBY PATTERN",
        "LIST FILTERBY NOTHING x",
        "LIST FILTERBY PATTERN get x",
        "LIST filterby pattern GET",
        "LIST FILTERBY PATTERN nothing*",
        "LIST FILTERBY ACLCAT nothing",
        "LIST FILTERBY MODULE nothing",
        "DOCS nothing",
        "DOCS nothing get|key",
        "COUNT x",
        "GETKEYS",
        "NOTHING",
        "HELP me",
    ],
)
def test_the_same_bytes(clients: tuple[Client, Client], words: str) -> None:
    ours, theirs = (answer(client, *words.split()) for client in clients)
    assert ours == theirs


def test_documentation_of_a_command(clients: tuple[Client, Client]) -> None:
    """It is the same but for the summary, which is our own."""
    ours, theirs = (answer(client, "DOCS", "config|resetstat").split(b"\r\n") for client in clients)
    assert (ours[:6], ours[8:]) == (theirs[:6], theirs[8:])


def test_lists_agree_with_each_other(client: Client) -> None:
    names = client.call("COMMAND", "LIST")
    assert isinstance(names, list)
    assert b"get" in names
    assert b"config|get" in names
    infos = client.call("COMMAND")
    assert isinstance(infos, list)
    assert client.call("COMMAND", "COUNT") == len(infos)
    assert client.call("COMMAND", "INFO") == infos
    assert len([name for name in names if b"|" not in name]) == len(infos)
    docs = client.call("COMMAND", "DOCS")
    assert isinstance(docs, list)
    assert docs[::2] == [info[0] for info in infos]
    reads = client.call("COMMAND", "LIST", "FILTERBY", "ACLCAT", "READ")
    assert isinstance(reads, list)
    assert b"get" in reads
    assert b"set" not in reads
    configs = client.call("COMMAND", "LIST", "FILTERBY", "PATTERN", "config*")
    assert configs == [name for name in names if name.startswith(b"config")]


def test_help(client: Client) -> None:
    lines = client.call("command", "help")
    assert isinstance(lines, list)
    assert lines[:2] == [
        "COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "(no subcommand)",
    ]
    assert "INFO [<command-name> ...]" in lines
    assert lines[-2:] == ["HELP", "    Print this help."]


def test_a_call_without_an_option_argument_is_an_arity_error(client: Client) -> None:
    """7.0 counts one word more here; 7.2's answer."""
    assert client.call("COMMAND", "GETKEYS", "get") == ReplyError(
        "ERR Invalid number of arguments specified for command"
    )
