"""CONFIG SET port and bind: the server listens elsewhere, and those connected stay."""

import socket

from hypercache.testing.server import free_port
from tests.support.resp import ReplyError, connect
from tests.support.servers import StartServer


def answers(host: str, port: int) -> bool:
    """Whether a server there answers a PING."""
    try:
        with socket.create_connection((host, port), timeout=5) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64) == b"+PONG\r\n"
    except ConnectionRefusedError:
        return False


def test_another_port(start_server: StartServer) -> None:
    server = start_server()
    port = free_port()
    with connect(server) as client:
        assert client.call("CONFIG", "SET", "port", str(port)) == "OK"
        assert answers("127.0.0.1", port)
        assert not answers("127.0.0.1", server.port)
        assert client.call("PING") == "PONG"


def test_a_port_that_is_taken_changes_nothing(start_server: StartServer) -> None:
    server = start_server()
    with socket.create_server(("127.0.0.1", 0)) as taken, connect(server) as client:
        port = taken.getsockname()[1]
        reply = client.call("CONFIG", "SET", "port", str(port))
        assert isinstance(reply, ReplyError)
        assert "Unable to listen on this port" in str(reply)
        assert client.call("CONFIG", "GET", "port") == [b"port", str(server.port).encode()]
        assert answers("127.0.0.1", server.port)


def test_other_addresses(start_server: StartServer) -> None:
    server = start_server()
    with connect(server) as client:
        assert client.call("CONFIG", "SET", "bind", "127.0.0.2") == "OK"
        assert answers("127.0.0.2", server.port)
        assert not answers("127.0.0.1", server.port)


def test_an_address_that_is_not_ours_changes_nothing(start_server: StartServer) -> None:
    server = start_server()
    with connect(server) as client:
        reply = client.call("CONFIG", "SET", "bind", "192.0.2.1")
        assert isinstance(reply, ReplyError)
        assert "Failed to bind to specified addresses." in str(reply)
        assert answers("127.0.0.1", server.port)


def test_no_address_at_all(start_server: StartServer) -> None:
    server = start_server()
    with connect(server) as client:
        assert client.call("CONFIG", "SET", "bind", "") == "OK"
        assert not answers("127.0.0.1", server.port)
        assert client.call("CONFIG", "SET", "bind", "127.0.0.1") == "OK"
        assert answers("127.0.0.1", server.port)


def test_writes_need_replicas_if_told_so(start_server: StartServer) -> None:
    server = start_server()
    refused = "NOREPLICAS Not enough good replicas to write."
    with connect(server) as client:
        assert client.call("CONFIG", "SET", "min-replicas-to-write", "1") == "OK"
        assert client.call("SET", "key", "value") == ReplyError(refused)
        assert client.call("GET", "key") is None
        assert client.call("CONFIG", "SET", "min-replicas-to-write", "0") == "OK"
        assert client.call("MULTI") == "OK"
        assert client.call("SET", "key", "value") == "QUEUED"
        with connect(server) as other:
            assert other.call("CONFIG", "SET", "min-replicas-to-write", "1") == "OK"
        aborted = f"EXECABORT Transaction discarded because of: {refused}"
        assert client.call("EXEC") == ReplyError(aborted)
