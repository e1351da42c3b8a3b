"""Start and end of a server process: readiness, signals, SHUTDOWN, what stops a start."""

import random
import signal
import socket
from pathlib import Path

import pytest

from hypercache.testing.server import ServerFailed
from tests.support.process import wait_until
from tests.support.resp import Client, Disconnected, ReplyError, connect, info
from tests.support.servers import StartServer, server_process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_server(start_server: StartServer, number: int) -> None:
    server = start_server()
    with connect(server) as client:
        assert client.call("SET", "key", "value") == "OK"
        server.send_signal(number)
        assert server.wait_ended() == 0
        assert client.read_to_end() == b""


def test_port_is_free_after_the_end(start_server: StartServer) -> None:
    first = start_server()
    with connect(first) as client:
        assert client.call("PING") == "PONG"
        first.stop()
    start_server(port=first.port)


@pytest.mark.parametrize(
    "options", [(), ("NOSAVE",), ("NOSAVE", "NOW"), ("NOSAVE", "NOW", "FORCE")]
)
def test_shutdown_ends_the_server(start_server: StartServer, options: tuple[str, ...]) -> None:
    server = start_server()
    with connect(server) as client, connect(server) as bystander:
        with pytest.raises((Disconnected, ConnectionError)):
            client.call("SHUTDOWN", *options)
        assert server.wait_ended() == 0
        assert bystander.read_to_end() == b""


def test_shutdown_in_a_transaction(start_server: StartServer) -> None:
    """SHUTDOWN is not allowed in MULTI, and the server goes on."""
    server = start_server()
    with connect(server) as client:
        client.call("MULTI")
        assert client.call("SHUTDOWN", "NOSAVE") == ReplyError(
            "ERR Command not allowed inside a transaction"
        )
        assert client.call("EXEC") == ReplyError(
            "EXECABORT Transaction discarded because of previous errors."
        )


def test_shutdown_errors(client: Client) -> None:
    assert client.call("SHUTDOWN", "ABORT") == ReplyError("ERR No shutdown in progress.")
    syntax = ReplyError("ERR syntax error")
    assert client.call("SHUTDOWN", "MAYBE") == syntax
    assert client.call("SHUTDOWN", "SAVE", "NOSAVE") == syntax
    assert client.call("SHUTDOWN", "ABORT", "NOW") == syntax
    assert client.call("PING") == "PONG"


def test_killed_server_starts_again(start_server: StartServer) -> None:
    """kill -9 leaves nothing behind that stops the next start on the same port."""
    server = start_server()
    clients = [connect(server) for _ in range(50)]
    assert all(client.call("PING") == "PONG" for client in clients)
    server.kill()
    assert server.returncode == -signal.SIGKILL
    server.start()
    with connect(server) as client:
        assert client.call("PING") == "PONG"
        assert info(client, "server")["process_id"] == str(server.pid)
    for old in clients:
        old.close()


def test_taken_port_stops_the_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = server_process(port=port)
        server.launch()
        assert server.wait_ended() != 0
    assert str(port) in server.output
    assert "in use" in server.output.lower()


def test_unreadable_config_stops_the_start(tmp_path: Path) -> None:
    missing = tmp_path / "missing.conf"
    with pytest.raises(ServerFailed, match="ended with status") as failure:
        server_process(config=missing).start()
    assert str(missing) in str(failure.value)


def test_config_of_random_bytes_stops_the_start(tmp_path: Path) -> None:
    config = tmp_path / "random.conf"
    config.write_bytes(random.Random(1).randbytes(2000))
    with pytest.raises(ServerFailed, match="ended with status") as failure:
        server_process(config=config).start()
    assert "line" in str(failure.value)


def test_bad_config_names_line_and_value(tmp_path: Path) -> None:
    """The message leads to the mistake: file, line, setting and value."""
    config = tmp_path / "bad.conf"
    config.write_text("# a comment\nmaxclients 100\nmaxmemory-policy most-recently-used\n")
    with pytest.raises(ServerFailed, match="ended with status") as failure:
        server_process(config=config).start()
    text = str(failure.value)
    assert "3" in text
    assert "maxmemory-policy" in text
    assert "most-recently-used" in text


def test_bad_setting_on_the_command_line_stops_the_start() -> None:
    with pytest.raises(ServerFailed, match="ended with status") as failure:
        server_process({"maxclients": "many"}).start()
    assert "maxclients" in str(failure.value)
    assert "many" in str(failure.value)


def test_redis_conf_is_read(start_server: StartServer, tmp_path: Path) -> None:
    """A redis.conf with quotes, repeated and unusual spellings; the command line wins."""
    config = tmp_path / "redis.conf"
    config.write_text(
        '# comment\n\nrequirepass "se\\x63ret"\ntimeout 77\nMAXCLIENTS 55\n'
        "save 900 1\nsave 300 10\nclient-output-buffer-limit pubsub 32mb 8mb 60\n"
    )
    server = start_server({"timeout": "78"}, config=config)
    with connect(server) as client:
        assert client.call("AUTH", "secret") == "OK"
        assert client.call("CONFIG", "GET", "timeout") == [b"timeout", b"78"]
        assert client.call("CONFIG", "GET", "maxclients") == [b"maxclients", b"55"]


def test_unix_socket(start_server: StartServer, tmp_path: Path) -> None:
    path = tmp_path / "server.sock"
    server = start_server({"unixsocket": str(path), "unixsocketperm": "700"}, port=0)
    assert path.stat().st_mode & 0o777 == 0o700
    with connect(server) as client:
        assert client.call("SET", "key", "value") == "OK"
        assert client.call("GET", "key") == b"value"
        reply = client.call("CLIENT", "INFO")
        assert isinstance(reply, bytes)
        assert f" addr={path}:0 " in reply.decode()
    server.stop()
    assert not path.exists()


def test_output_tells_when_it_is_ready(start_server: StartServer) -> None:
    server = start_server()
    wait_until(lambda: "ready to accept" in server.output.lower(), "a line about readiness")
