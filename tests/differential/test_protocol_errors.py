"""Bytes that are no requests, to our parser and to redis-server: the same words, the same end.

Invariant: redis-server answers as many requests as our parser finds, then tells the same
protocol error and closes, or tells none. NUL bytes are left out: redis-server's search for
the end of a line stops at them, so that it waits for ever where we answer.
"""

import random
from collections.abc import Iterator
from io import BytesIO

import pytest

from hypercache.protocol.errors import ProtocolError
from hypercache.protocol.parser import RequestParser
from hypercache.testing.server import ServerProcess
from tests.support.resp import Disconnected, Reader, ReplyError, connect, encode
from tests.support.servers import RedisProcess

VALID = encode("ECHO", "one") + b"ECHO 'a b' \r\n" + encode("PING") + encode("ECHO", "x" * 120)
PIECES = (
    [b"*", b"$", b"\r\n", b"\n", b"\r", b"-1", b"0", b"1", b"2", b"4", b"12", b" ", b'"', b"'"]
    + [b"+", b"*1\r\n", b"*2\r\n", b"$4\r\nECHO\r\n", b"$3\r\nabc\r\n", b"PING\r\n", b"\\x4"]
    + [b"99999999999999999999", b"536870913", b"2147483648", b"\xff", b"*-1\r\n", b"$-1\r\n"]
)
MALFORMED = [
    b"*x\r\n",
    b"*01\r\n",
    b"*+1\r\n",
    b"*\r\n",
    b"*-0\r\n",
    b"*2147483648\r\n",
    b"*9223372036854775808\r\n",
    b"*-9223372036854775808\r\n*-9223372036854775809\r\n",
    b"*1\r\n$x\r\n",
    b"*1\r\n$-1\r\n",
    b"*1\r\n$04\r\nPING\r\n",
    b"*1\r\n$\r\n",
    b"*1\r\n$536870913\r\n",
    b"*1\r\n:4\r\n",
    b"*1\r\n\r\n",
    b"*1\r\n\n\r\n",
    b"*1\r\n\xfe\r\n",
    b"*1\r\n*1\r\n",
    b"*1\rx$4\rxPINGxx*1\r\n+PING\r\n",
    b'ECHO "\r\n',
    b"ECHO 'a'b\r\n",
    b'ECHO "a"b\r\n',
    rb"ECHO '\'" + b"\r\n",
    b"\r\n\n*0\r\n*-1\r\n*x\r\n",
    b"x" * 65_537,
    b"*" + b"1" * 65_537,
    b"*1\r\n$" + b"1" * 65_537,
    b"*1\r\n" + b"1" * 65_537,
]
FOR_GUESTS = [b"*11\r\n", b"*1\r\n$16385\r\n", b"*10\r\n$16384\r\n", b"*11\r\n$16385\r\n"]


@pytest.fixture(scope="module")
def locked() -> Iterator[ServerProcess]:
    """A redis-server that asks for a password."""
    with RedisProcess(settings={"requirepass": "secret"}) as server:
        yield server


def ours(data: bytes, *, guest: bool) -> tuple[list[list[bytes]], str | None]:
    """The requests that our parser finds, and what it tells in the end."""
    parser = RequestParser(authenticated=not guest)
    parser.feed(data)
    requests = []
    try:
        while (request := parser.next()) is not None:
            requests.append(request)
    except ProtocolError as error:
        return requests, error.text
    return requests, None


def theirs(server: ServerProcess, data: bytes) -> tuple[list[object], str | None]:
    """The replies of redis-server, and the protocol error after them."""
    with connect(server) as client:
        client.send_last(data)
        reader = Reader(BytesIO(client.read_to_end()))
    replies: list[object] = []
    while True:
        try:
            reply = reader.read([])
        except Disconnected:
            return replies, None
        if isinstance(reply, ReplyError) and reply.text.startswith("ERR Protocol error"):
            with pytest.raises(Disconnected):
                reader.read([])
            return replies, reply.text
        replies.append(reply)


def check(server: ServerProcess, data: bytes, *, guest: bool = False) -> None:
    """Both make the same of the data."""
    requests, told = ours(data, guest=guest)
    replies, expected = theirs(server, data)
    assert told == expected, data
    assert len(requests) == len(replies), (data, requests, replies)
    for request, reply in zip(requests, replies, strict=True):
        if guest:
            assert isinstance(reply, ReplyError)
        elif request[0].upper() == b"ECHO" and len(request) == 2:
            assert reply == request[1], data
        elif request == [b"PING"]:
            assert reply == "PONG", data


@pytest.mark.parametrize("before", [b"", VALID])
@pytest.mark.parametrize("data", MALFORMED)
def test_malformed(peer: ServerProcess, before: bytes, data: bytes) -> None:
    check(peer, before + data)


@pytest.mark.parametrize("data", MALFORMED + FOR_GUESTS)
def test_malformed_from_a_guest(locked: ServerProcess, data: bytes) -> None:
    check(locked, encode("PING") + data, guest=True)


@pytest.mark.parametrize("seed", range(3))
def test_mutated(peer: ServerProcess, seed: int) -> None:
    """Valid requests with one byte replaced, dropped or doubled."""
    source = random.Random(seed)
    for _ in range(300):
        data = bytearray(VALID)
        at = source.randrange(len(data))
        action = source.randrange(3)
        if action == 0:
            data[at] = source.randrange(1, 256)
        elif action == 1:
            del data[at]
        else:
            data.insert(at, data[at])
        check(peer, bytes(data))


@pytest.mark.parametrize("seed", range(3))
def test_noise(peer: ServerProcess, seed: int) -> None:
    """The protocol's own pieces in random order."""
    source = random.Random(seed)
    for _ in range(300):
        check(peer, b"".join(source.choices(PIECES, k=source.randrange(1, 25))))
