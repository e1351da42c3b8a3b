"""Bad manners over TLS: another transport, the same promises."""

import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from hypercache.testing.server import ServerProcess
from tests.support.health import MEGABYTE, stays_well
from tests.support.process import wait_until
from tests.support.resp import Client, connect, encode, info
from tests.support.servers import StartServer
from tests.support.tls import Certificates

Connect = Callable[[], Client]


@pytest.fixture
def server(start_server: StartServer, certificates: Certificates, tls_port: int) -> ServerProcess:
    """A server with a TLS port and a limit on what waits for a client."""
    limit = {"client-output-buffer-limit": "normal 40mb 0 0"}
    return start_server(certificates.settings(tls_port) | limit)


@pytest.fixture
def connect_tls(certificates: Certificates, tls_port: int, server: ServerProcess) -> Connect:
    """Makes encrypted connections to `server`."""
    return lambda: certificates.connect(tls_port, timeout=20.0)


def test_reader_that_pauses_gets_everything(server: ServerProcess, connect_tls: Connect) -> None:
    value = b"x" * 1000
    with stays_well(server, memory=96 * MEGABYTE), connect_tls() as slow:
        slow.call("SET", "key", value)
        slow.send((encode("GET", "key") + encode("INCR", "n")) * 20_000)
        time.sleep(0.5)
        for number in range(1, 20_001):
            assert slow.read() == value
            assert slow.read() == number


def test_output_limit_ends_a_client_that_never_reads(
    server: ServerProcess, connect_tls: Connect
) -> None:
    with connect(server) as client:
        client.call("SET", "key", b"x" * MEGABYTE)
    with (
        stays_well(server, memory=96 * MEGABYTE),
        connect_tls() as deaf,
        connect(server) as observer,
    ):
        deaf.send(encode("GET", "key") * 200)
        wait_until(
            lambda: info(observer, "clients")["connected_clients"] == "3",
            "the client is disconnected",
        )


def test_disconnects_in_the_middle_of_a_reply(server: ServerProcess, connect_tls: Connect) -> None:
    with connect(server) as client:
        client.call("SET", "big", b"x" * 2 * MEGABYTE)
    with stays_well(server):
        for number in range(20):
            client = connect_tls()
            client.send(encode("GET", "big") * 3)
            assert client.socket.recv(10)
            if number % 2:
                client.reset()
            else:
                client.close()


def test_halted_and_broken_handshakes(
    server: ServerProcess, connect_tls: Connect, tls_port: int
) -> None:
    """A hundred strangers that say nothing, half a hello or noise disturb nobody."""
    with stays_well(server):
        strangers = [socket.create_connection(("127.0.0.1", tls_port), 5) for _ in range(100)]
        for number, stranger in enumerate(strangers):
            with suppress(ConnectionError):
                stranger.sendall((b"", b"\x16\x03\x01\x02\x00\x01", os.urandom(200))[number % 3])
        with connect_tls() as client:
            assert client.call("PING") == "PONG"
        for stranger in strangers:
            stranger.close()
