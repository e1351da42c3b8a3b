"""Requests that are random, cut off or too large: an error or a closed connection, no more."""

import random

import pytest

from hypercache.testing.server import ServerProcess
from tests.support.health import MEGABYTE, stays_well
from tests.support.process import resident_bytes
from tests.support.resp import connect, encode
from tests.support.servers import StartServer


def send_and_leave(server: ServerProcess, data: bytes) -> bytes:
    """Send bytes, say that there are no more, and return what comes back."""
    with connect(server) as client:
        client.send_last(data)
        return client.read_to_end()


@pytest.mark.parametrize("seed", range(4))
def test_random_bytes(server: ServerProcess, seed: int) -> None:
    source = random.Random(seed)
    with stays_well(server):
        for _ in range(60):
            size = source.choice((1, 10, 1_000, 100_000))
            send_and_leave(server, source.randbytes(size))


def test_random_bytes_of_the_protocol(server: ServerProcess) -> None:
    """Noise that gets further: made of the protocol's own pieces."""
    source = random.Random(7)
    pieces = [b"*", b"$", b"\r\n", b"\n", b"\r", b"-1", b"0", b"1", b"3", b"99999999999999999999"]
    pieces += [b"GET", b"SET", b"key", b" ", b'"', b"'", b"\\x", b"\0", b"*1\r\n$4\r\nPING\r\n"]
    with stays_well(server):
        for _ in range(400):
            data = b"".join(source.choices(pieces, k=source.randrange(1, 40)))
            send_and_leave(server, data)


def test_mutated_requests(server: ServerProcess) -> None:
    """Valid pipelines with a byte changed, dropped or doubled."""
    source = random.Random(11)
    valid = encode("SET", "mutant", "x" * 50) + encode("APPEND", "mutant", "y") + b"PING\r\n"
    with stays_well(server):
        for _ in range(400):
            data = bytearray(valid)
            at = source.randrange(len(data))
            action = source.randrange(3)
            if action == 0:
                data[at] = source.randrange(256)
            elif action == 1:
                del data[at]
            else:
                data.insert(at, data[at])
            send_and_leave(server, bytes(data))


def test_requests_cut_off_anywhere(server: ServerProcess) -> None:
    """What is complete is executed and answered; the cut-off rest is forgotten."""
    first, second = encode("INCR", "first"), encode("INCR", "second")
    request = first + second
    with stays_well(server):
        for length in range(len(request)):
            answer = send_and_leave(server, request[:length])
            assert answer.count(b":") == (length >= len(first))
    with connect(server) as reader:
        assert reader.call("GET", "first") == b"%d" % len(second)
        assert reader.call("GET", "second") is None


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"*2147483648\r\n", b"invalid multibulk length"),
        (b"*1\r\n$536870913\r\n", b"invalid bulk length"),
        (b"*1\r\n$99999999999999999999\r\n", b"invalid bulk length"),
        (b"*1\r\n$-1\r\n", b"invalid bulk length"),
        (b"*1\r\n4\r\n", b"expected '$', got '4'"),
        (b"*" + b"1" * 70_000, b"too big mbulk count string"),
        (b"*1\r\n$" + b"1" * 70_000, b"too big bulk count string"),
        (b"x" * 70_000, b"too big inline request"),
        (b'SET key "unbalanced\r\n', b"unbalanced quotes in request"),
    ],
)
def test_oversized_and_malformed_requests(server: ServerProcess, data: bytes, error: bytes) -> None:
    """Redis' words, then the end of the connection; earlier requests are answered first."""
    with stays_well(server), connect(server) as client:
        client.send_last(encode("PING") + data)
        assert client.read_to_end() == b"+PONG\r\n-ERR Protocol error: " + error + b"\r\n"


def test_promised_sizes_are_not_allocated(server: ServerProcess) -> None:
    """Fifty clients announce half a gigabyte each and send a little of it."""
    with stays_well(server):
        before = resident_bytes(server.pid)
        clients = [connect(server) for _ in range(50)]
        for client in clients:
            client.send(b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$536870912\r\n" + b"x" * 10_000)
        for client in clients:
            assert client.silent(0.01)
        assert resident_bytes(server.pid) - before < 100 * MEGABYTE
        for client in clients:
            client.close()


def test_tighter_limits_before_authentication(start_server: StartServer) -> None:
    """A stranger can make the server hold no more than a few kilobytes."""
    server = start_server({"requirepass": "secret"})
    for data, error in [
        (b"*11\r\n", b"unauthenticated multibulk length"),
        (b"*2\r\n$4\r\nAUTH\r\n$16385\r\n", b"unauthenticated bulk length"),
    ]:
        with connect(server) as client:
            client.send(data)
            assert client.read_to_end() == b"-ERR Protocol error: " + error + b"\r\n"
    with connect(server) as client:
        assert client.call("AUTH", "secret") == "OK"
        assert client.call("MSET", *(["key", "x" * 20_000] * 10)) == "OK"


def test_query_buffer_limit(start_server: StartServer) -> None:
    """A request larger than client-query-buffer-limit ends its connection, not the server."""
    server = start_server({"client-query-buffer-limit": "1mb"})
    with connect(server) as client, connect(server) as other:
        client.send_last(b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$50000000\r\n" + b"x" * 20_000_000)
        assert client.read_to_end() == b""
        assert other.call("EXISTS", "key") == 0


def test_large_value_arrives(server: ServerProcess) -> None:
    """100 MB in one bulk string, in and out, while another client is served."""
    value = random.Random(3).randbytes(1_000_000) * 100
    with stays_well(server, memory=128 * MEGABYTE), connect(server, timeout=30.0) as client:
        assert client.call("SET", "large", value) == "OK"
        assert client.call("GET", "large") == value
        assert client.call("UNLINK", "large") == 1
