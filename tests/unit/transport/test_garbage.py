"""A client that has gone leaves nothing behind, without the cyclic collector's help."""

import gc
import select
import socket
from collections.abc import Iterator

import pytest
import trio
import trio.testing

from hypercache.engine.session import Session
from hypercache.testing.engine import EngineHarness
from hypercache.transport.connection import Connection, Poller
from hypercache.transport.streams import StreamOutlet, serve_stream


@pytest.fixture
def garbage() -> Iterator[list[object]]:
    """Afterwards: what only the cyclic collector could have freed. The collector is off."""
    found: list[object] = []
    gc.collect()
    gc.disable()
    try:
        yield found
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def collect(found: list[object]) -> None:
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.collect()
    gc.set_debug(0)
    kinds = (Session, Connection, StreamOutlet)
    found += [each for each in gc.garbage if isinstance(each, kinds)]


@pytest.mark.parametrize("sent", [b"PING\r\n", b"*2\r\n$3\r\nGET\r\n$100000\r\n" + b"x" * 500])
def test_connection_of_the_reactor(garbage: list[object], sent: bytes) -> None:
    harness = EngineHarness()
    poller = Poller(harness.engine)
    for _ in range(3):
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        connection = poller.adopt(ours)
        theirs.sendall(sent)
        poller.serve([(connection.descriptor, select.EPOLLIN)])
        theirs.close()
        poller.serve([(connection.descriptor, select.EPOLLIN)])
        assert connection.socket is None
        del connection
    collect(garbage)
    assert garbage == []
    poller.close()


def test_connection_over_a_stream(garbage: list[object]) -> None:
    harness = EngineHarness()

    async def visit() -> None:
        theirs, ours = trio.testing.memory_stream_pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve_stream, harness.engine, ours)
            await theirs.send_all(b"PING\r\n")
            assert await theirs.receive_some(100) == b"+PONG\r\n"
            await theirs.aclose()

    trio.run(visit)
    collect(garbage)
    assert garbage == []
