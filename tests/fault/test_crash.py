"""kill -9 in the middle of work, and what a half-dead server leaves behind."""

import signal
import socket
import threading
from pathlib import Path

import pytest

from tests.support.process import wait_until
from tests.support.resp import Client, Disconnected, connect
from tests.support.servers import StartServer


def test_killed_under_load_and_started_again(start_server: StartServer) -> None:
    """Every client learns of the end at once; the next server serves them all."""
    server = start_server()
    ended: list[int] = []

    def work(client: Client) -> None:
        count = 0
        with client:
            try:
                while True:
                    client.pipeline(*[("INCR", "n")] * 10)
                    count += 1
            except (Disconnected, ConnectionError):
                ended.append(count)

    threads = [threading.Thread(target=work, args=(connect(server),)) for _ in range(10)]
    for thread in threads:
        thread.start()
    with connect(server) as observer:
        wait_until(lambda: int(str(observer.call("STRLEN", "n"))) >= 3, "work is going on")
        server.kill()
    for thread in threads:
        thread.join(10)
    assert len(ended) == len(threads)
    server.start()
    with connect(server) as client:
        assert client.call("EXISTS", "n") == 0
        assert client.call("INCR", "n") == 1


def test_socket_file_of_a_killed_server_does_not_stop_the_next(
    start_server: StartServer, tmp_path: Path
) -> None:
    path = tmp_path / "server.sock"
    server = start_server({"unixsocket": str(path)}, port=0)
    server.kill()
    assert path.is_socket()
    server.start()
    with connect(server) as client:
        assert client.call("PING") == "PONG"


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGPIPE])
def test_signals_that_do_not_end_it(start_server: StartServer, number: int) -> None:
    """The end of a terminal session and of a reader of its output leave the server alone."""
    server = start_server()
    server.send_signal(number)
    with connect(server) as client:
        assert client.call("PING") == "PONG"
    assert server.running


def test_halted_server_goes_on(start_server: StartServer) -> None:
    """A server that stood still for a second answers what came in meanwhile."""
    server = start_server()
    with connect(server) as client:
        client.call("SET", "short", "x", "PX", "300")
        server.send_signal(signal.SIGSTOP)
        with socket.create_connection((server.host, server.port), 5) as newcomer:
            newcomer.sendall(b"PING\r\nGET short\r\n")
            client.send(b"GET short\r\n")
            assert client.silent(0.6)
            server.send_signal(signal.SIGCONT)
            assert client.read() is None
            assert newcomer.makefile("rb").read(12) == b"+PONG\r\n$-1\r\n"
