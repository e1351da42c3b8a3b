"""TLS: encrypted connections beside plain ones, with and without client certificates."""

import socket
import ssl
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
import trustme

from hypercache.testing.server import ServerProcess, free_port
from tests.support.resp import Client, Disconnected, connect
from tests.support.servers import StartServer, tool


@dataclass(frozen=True)
class Certificates:
    """Files of one authority: its own, and a certificate with key for server and client."""

    authority: Path
    certificate: Path
    key: Path


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    files = Certificates(folder / "ca.pem", folder / "cert.pem", folder / "key.pem")
    authority = trustme.CA()
    pair = authority.issue_cert("localhost", "127.0.0.1")
    authority.cert_pem.write_to_path(files.authority)
    files.certificate.write_bytes(b"".join(blob.bytes() for blob in pair.cert_chain_pems))
    pair.private_key_pem.write_to_path(files.key)
    return files


def settings(certificates: Certificates, port: int, auth_clients: str) -> dict[str, str]:
    return {
        "tls-port": str(port),
        "tls-cert-file": str(certificates.certificate),
        "tls-key-file": str(certificates.key),
        "tls-ca-cert-file": str(certificates.authority),
        "tls-auth-clients": auth_clients,
    }


@pytest.fixture
def tls_port() -> int:
    return free_port()


@pytest.fixture
def tls_server(
    start_server: StartServer, certificates: Certificates, tls_port: int
) -> ServerProcess:
    return start_server(settings(certificates, tls_port, "no"))


def tls_client(certificates: Certificates, port: int, protocol: int = 2) -> Client:
    context = ssl.create_default_context(cafile=str(certificates.authority))
    plain = socket.create_connection(("127.0.0.1", port), 5)
    return Client(context.wrap_socket(plain, server_hostname="localhost"), protocol)


def test_encrypted_and_plain_clients_share_the_keys(
    tls_server: ServerProcess, certificates: Certificates, tls_port: int
) -> None:
    with connect(tls_server) as plain, tls_client(certificates, tls_port, 3) as encrypted:
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
    with tls_client(certificates, tls_port) as good:
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
    server = start_server(settings(certificates, tls_port, "yes"))
    with (
        pytest.raises((ssl.SSLError, ConnectionError, Disconnected)),
        tls_client(certificates, tls_port) as stranger,
    ):
        stranger.call("PING")
    context = ssl.create_default_context(cafile=str(certificates.authority))
    context.load_cert_chain(certificates.certificate, certificates.key)
    plain = socket.create_connection(("127.0.0.1", tls_port), 5)
    with Client(context.wrap_socket(plain, server_hostname="localhost")) as known:
        assert known.call("PING") == "PONG"
    with connect(server) as client:
        assert client.call("PING") == "PONG"
