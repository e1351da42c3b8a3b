"""Messages on their way out of both transports: whole, in order, and shared until they leave."""

import contextlib
import random
import socket

import pytest
import trio
from trio.testing import memory_stream_pair

from hypercache.testing.engine import EngineHarness
from hypercache.testing.resp import encode
from hypercache.transport.connection import SEND_CHUNKS, Poller
from hypercache.transport.streams import serve_stream

MESSAGES = 3_000


def payloads() -> list[bytes]:
    """Mostly small ones, a few beyond what is sent in one piece."""
    source = random.Random(7)
    return [
        b"%d:" % n + b"x" * (100_000 if source.random() < 0.003 else source.randrange(80))
        for n in range(MESSAGES)
    ]


def message(payload: bytes) -> bytes:
    return encode("message", "news", payload)


def test_a_full_socket_gets_every_message_once() -> None:
    harness = EngineHarness()
    poller = Poller(harness.engine)
    ours, client = socket.socketpair()
    ours.setblocking(False)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    connection = poller.adopt(ours)
    client.sendall(encode("SUBSCRIBE", "news"))
    poller.serve(poller.epoll.poll(1))
    client.recv(1000)
    client.setblocking(False)
    shared = harness.client()
    shared.session.receive(encode("SUBSCRIBE", "news"))
    longest = 0
    received = bytearray()

    def read(most: int) -> None:
        with contextlib.suppress(BlockingIOError):
            received.extend(client.recv(most))
        poller.serve(poller.epoll.poll(0))

    sent = payloads()
    for number, payload in enumerate(sent):
        harness.command("PUBLISH", "news", payload)
        longest = max(longest, len(connection.backlog))
        if number % 50 == 0:
            read(7001)
    assert longest > SEND_CHUNKS
    while connection.backlog:
        read(70_001)
    read(1 << 20)
    assert bytes(received) == b"".join(map(message, sent))
    assert connection.session.output_bytes == 0
    assert connection.taken == 0
    client.close()
    poller.close()


@pytest.mark.trio
async def test_a_stream_gets_every_message_once() -> None:
    harness = EngineHarness()
    client, server = memory_stream_pair()
    sent = payloads()
    expected = b"".join(map(message, sent))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_stream, harness.engine, server)
        await client.send_all(encode("SUBSCRIBE", "news"))
        await client.receive_some()
        for payload in sent:
            harness.command("PUBLISH", "news", payload)
        received = b""
        with trio.fail_after(5):
            while len(received) < len(expected):
                received += await client.receive_some()
        assert received == expected
        await client.aclose()
