"""Both transports behind reply gates: nothing held gets out, nothing let go stays."""

import select
import socket
from collections.abc import Iterator

import pytest
import trio
from trio.testing import MockClock, memory_stream_pair

from hypercache.engine.buffers import client_memory
from hypercache.engine.journal import ReplyGate
from hypercache.testing.engine import EngineHarness
from hypercache.testing.resp import encode
from hypercache.transport.connection import Connection, Poller
from hypercache.transport.streams import serve_stream
from tests.support.clients import described
from tests.support.sinks import MemorySink, acknowledge

INCREMENT = encode("INCR", "n")
PING = encode("PING")


class Gated:
    """An engine whose replies to writes wait for one sink."""

    def __init__(self) -> None:
        self.harness = EngineHarness()
        self.engine = self.harness.engine
        self.sink = MemorySink()
        self.engine.settlement.add_sink(self.sink)
        self.engine.delivery.add_gate(ReplyGate([self.sink]))

    def acknowledge(self, offset: int | None = None) -> None:
        acknowledge(self.harness, self.sink, offset)


@pytest.fixture
def gated() -> Gated:
    return Gated()


# The reactor's connections -------------------------------------------------------------------


class Pair:
    """A connection of the reactor, and the client's end of it."""

    def __init__(self, gated: Gated, poller: Poller | None = None) -> None:
        self.poller = poller or Poller(gated.engine)
        ours, self.client = socket.socketpair()
        ours.setblocking(False)
        self.client.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.connection: Connection = self.poller.adopt(ours)

    def round(self) -> None:
        self.poller.serve(self.poller.epoll.poll(0))

    def received(self) -> bytes | None:
        """What has come; None at the end of the connection."""
        data = b""
        while True:
            try:
                part = self.client.recv(1 << 20)
            except BlockingIOError:
                return data
            if not part:
                return data or None
            data += part


@pytest.fixture
def pair(gated: Gated) -> Iterator[Pair]:
    pair = Pair(gated)
    yield pair
    pair.client.close()
    pair.poller.close()


def test_connection_holds_and_delivers(gated: Gated, pair: Pair) -> None:
    pair.client.sendall(INCREMENT + PING)
    pair.round()
    assert pair.received() == b""
    gated.acknowledge()
    assert pair.received() == b":1\r\n+PONG\r\n"


def test_full_socket_lets_nothing_past_the_gate(gated: Gated, pair: Pair) -> None:
    """The socket becomes writable in the very round in which a reply is to be held."""
    big = b"x" * 200_000
    pair.client.sendall(encode("ECHO", big[:1000]))
    other = gated.harness.client()
    other.command("SET", "big", big)
    gated.acknowledge()
    pair.received()
    pair.client.sendall(encode("GET", "big"))
    pair.round()
    assert pair.connection.backlog
    pair.client.sendall(INCREMENT)
    received = b""
    for _ in range(1000):
        received += pair.received() or b""
        pair.round()
    assert received.endswith(b"x\r\n")
    assert not pair.connection.backlog
    gated.acknowledge()
    assert pair.received() == b":1\r\n"


def test_what_the_socket_does_not_take_is_shown_and_counted(gated: Gated, pair: Pair) -> None:
    eviction = gated.engine.delivery.eviction
    eviction.set_limit(1 << 20)
    gated.harness.command("SET", "big", b"x" * 200_000)
    gated.acknowledge()
    pair.client.sendall(encode("GET", "big"))
    pair.round()
    fields = described(gated.harness.command("CLIENT", "LIST", "ID", 2))[0]
    assert int(fields["oll"]) == len(pair.connection.backlog) > 0
    assert (fields["obl"], fields["events"]) == ("0", "rw")
    unsent = int(fields["omem"])
    assert 0 < unsent < int(fields["tot-mem"])
    while pair.connection.backlog:
        pair.received()
        pair.round()
    fields = described(gated.harness.command("CLIENT", "LIST", "ID", 2))[0]
    assert (fields["oll"], fields["omem"], fields["events"]) == ("0", "0", "r")
    assert eviction.total == sum(map(client_memory, gated.engine.sessions.values()))


def test_reply_of_this_round_is_not_sent_with_the_backlog(gated: Gated, pair: Pair) -> None:
    """One client ends another's wait, whose socket becomes writable in the same round."""
    other = Pair(gated, pair.poller)
    gated.harness.client().command("SET", "big", b"x" * 200_000)
    gated.acknowledge()
    pair.client.sendall(encode("GET", "big"))
    pair.round()
    pair.client.sendall(INCREMENT + encode("WAIT", 1, 0))
    pair.round()
    assert pair.connection.session.blocked
    other.client.sendall(encode("CLIENT", "UNBLOCK", pair.connection.session.id))
    pair.received()
    pair.poller.serve(
        [
            (other.connection.descriptor, select.EPOLLIN),
            (pair.connection.descriptor, select.EPOLLOUT),
        ]
    )
    assert other.received() == b":1\r\n"
    received = b""
    while pair.connection.backlog:
        received += pair.received() or b""
        pair.round()
    received += pair.received() or b""
    assert received.endswith(b"x\r\n")
    gated.acknowledge()
    assert pair.received() == b":1\r\n:0\r\n"
    other.client.close()


def test_quit_behind_a_gate_ends_the_connection_after_it(gated: Gated, pair: Pair) -> None:
    pair.client.sendall(INCREMENT + encode("QUIT"))
    pair.round()
    assert pair.received() == b""
    gated.acknowledge()
    assert pair.received() == b":1\r\n+OK\r\n"
    assert pair.received() is None


def test_part_of_the_held_replies_does_not_end_the_connection(gated: Gated, pair: Pair) -> None:
    for request in (INCREMENT, INCREMENT, encode("QUIT")):
        pair.client.sendall(request)
        pair.round()
    gated.acknowledge(1)
    assert pair.received() == b":1\r\n"
    assert pair.received() == b""
    gated.acknowledge()
    assert pair.received() == b":2\r\n+OK\r\n"
    assert pair.received() is None


def test_client_of_the_reactor_that_goes_while_held(gated: Gated, pair: Pair) -> None:
    pair.client.sendall(INCREMENT)
    pair.round()
    pair.client.close()
    pair.round()
    assert gated.engine.delivery.gated == {}
    gated.acknowledge()
    assert pair.poller.connections == {}


# Streams ---------------------------------------------------------------------------------------


async def receive(stream: trio.abc.ReceiveStream, size: int) -> bytes:
    """So many bytes."""
    data = b""
    with trio.fail_after(5):
        while len(data) < size:
            part = await stream.receive_some(size - len(data))
            assert part, data
            data += part
    return data


async def is_silent(stream: trio.abc.ReceiveStream) -> bool:
    with trio.move_on_after(1):
        await stream.receive_some(1)
        return False
    return True


@pytest.mark.trio
async def test_stream_holds_and_delivers(gated: Gated, autojump_clock: MockClock) -> None:
    client, ours = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_stream, gated.engine, ours)
        await client.send_all(PING + INCREMENT)
        assert await is_silent(client)
        gated.acknowledge()
        assert await receive(client, 11) == b"+PONG\r\n:1\r\n"
        await client.aclose()
    assert len(gated.engine.sessions) == 1


@pytest.mark.trio
async def test_stream_quit_behind_a_gate(gated: Gated, autojump_clock: MockClock) -> None:
    """However long the gate takes, the replies come, and then the end."""
    client, ours = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_stream, gated.engine, ours)
        await client.send_all(INCREMENT + encode("QUIT"))
        await trio.sleep(100)
        gated.acknowledge()
        assert await receive(client, 9) == b":1\r\n+OK\r\n"
        assert await client.receive_some(1) == b""


@pytest.mark.trio
async def test_stream_that_is_closed_by_the_client_gets_its_last_replies(
    gated: Gated, autojump_clock: MockClock
) -> None:
    client, ours = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_stream, gated.engine, ours)
        await client.send_all(PING)
        await client.send_eof()
        assert await receive(client, 7) == b"+PONG\r\n"
        assert await client.receive_some(1) == b""


@pytest.mark.trio
async def test_end_of_service_ends_streams(gated: Gated, autojump_clock: MockClock) -> None:
    pairs = [memory_stream_pair() for _ in range(2)]
    async with trio.open_nursery() as nursery:
        for _, ours in pairs:
            nursery.start_soon(serve_stream, gated.engine, ours)
        (idle, _), (busy, _) = pairs
        await busy.send_all(INCREMENT)
        await trio.sleep(1)
        gated.engine.close_clients()
        assert await idle.receive_some(1) == b""
        assert await is_silent(busy)
        gated.acknowledge()
        assert await receive(busy, 4) == b":1\r\n"
        assert await busy.receive_some(1) == b""
