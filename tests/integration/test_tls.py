"""TLS: encrypted connections beside plain ones, with and without client certificates."""

import socket
import ssl
import subprocess
from contextlib import suppress

import pytest
import redis

from hypercache.testing.server import ServerProcess
from tests.support.resp import Client, Disconnected, connect
from tests.support.servers import StartServer, tool
from tests.support.tls import Certificates


@pytest.fixture
def tls_server(
    start_server: StartServer, certificates: Certificates, tls_port: int
) -> ServerProcess:
    return start_server(certificates.settings(tls_port))


def test_encrypted_and_plain_clients_share_the_keys(
    tls_server: ServerProcess, certificates: Certificates, tls_port: int
) -> None:
    with connect(tls_server) as plain, certificates.connect(tls_port, 3) as encrypted:
        assert plain.call("SET", "key", "value") == "OK"
        assert encrypted.call("GET", "key") == b"value"
        assert encrypted.pipeline(*[("INCR", "n")] * 500) == list(range(1, 501))
        big = b"x" * 3_000_000
        assert encrypted.call("SET", "big", big) == "OK"
        assert plain.call("GET", "big") == big
        assert encrypted.call("GET", "big") == big


def test_redis_cli_over_tls(
    tls_server: ServerProcess, certificates: Certificates, tls_port: int
) -> None:
    line = [
        tool("redis-cli"),
        "-p",
        str(tls_port),
        "--tls",
        "--cacert",
        str(certificates.authority),
    ]
    answer = subprocess.run([*line, "PING"], capture_output=True, timeout=20, check=True)
    assert answer.stdout == b"PONG\n"


def test_redis_py_over_tls(
    tls_server: ServerProcess, certificates: Certificates, tls_port: int
) -> None:
    with redis.Redis(port=tls_port, ssl=True, ssl_ca_certs=str(certificates.authority)) as client:
        assert client.set("key", "value") is True
        assert client.get("key") == b"value"


def test_plain_text_and_broken_handshakes_hurt_nobody(
    tls_server: ServerProcess, certificates: Certificates, tls_port: int
) -> None:
    with certificates.connect(tls_port) as good:
        for data in (
            b"PING\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 50,
            b"",
        ):
            with socket.create_connection(("127.0.0.1", tls_port), 5) as bad:
                with suppress(OSError):  # the server may have closed it already
                    bad.sendall(data)
                    bad.shutdown(socket.SHUT_WR)
                answer = Client(bad).read_to_end()
                assert b"PONG" not in answer
        assert good.call("PING") == "PONG"


def test_clients_without_certificate_are_refused(
    start_server: StartServer, certificates: Certificates, tls_port: int
) -> None:
    server = start_server(certificates.settings(tls_port, "yes"))
    with (
        pytest.raises((ssl.SSLError, ConnectionError, Disconnected)),
        certificates.connect(tls_port) as stranger,
    ):
        stranger.call("PING")
    with certificates.connect(tls_port, own=True) as known:
        assert known.call("PING") == "PONG"
    with connect(server) as client:
        assert client.call("PING") == "PONG"
