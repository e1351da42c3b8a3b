"""Very many connections: at once, one after the other, idle, more than there are files for."""

import errno
import resource
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from hypercache.testing.server import ServerProcess
from tests.support.health import stays_well
from tests.support.process import cpu_seconds, resident_bytes, wait_until
from tests.support.resp import Client, connect, info
from tests.support.servers import StartServer

IDLE_CONNECTION_BYTES = 20_000


@pytest.fixture
def file_limit() -> Iterator[int]:
    """As many open files as this process may have, while the test runs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def start_connecting(server: ServerProcess, count: int) -> list[socket.socket]:
    """Begin that many connections without waiting for any."""
    sockets = []
    for _ in range(count):
        connection = socket.socket()
        connection.setblocking(False)
        assert connection.connect_ex((server.host, server.port)) in (0, errno.EINPROGRESS)
        sockets.append(connection)
    return sockets


def all_answer(sockets: list[socket.socket], seconds: float) -> None:
    """Send PING on every socket as soon as it is connected, and wait for all replies."""
    poll = select.epoll(len(sockets))
    waiting = {connection.fileno(): connection for connection in sockets}
    for number in waiting:
        poll.register(number, select.EPOLLOUT)
    deadline = time.monotonic() + seconds
    while waiting:
        assert time.monotonic() < deadline, f"{len(waiting)} of {len(sockets)} have no answer"
        for number, events in poll.poll(0.1):
            connection = waiting[number]
            if events & select.EPOLLOUT:
                connection.send(b"PING\r\n")
                poll.modify(number, select.EPOLLIN)
            else:
                assert connection.recv(100) == b"+PONG\r\n"
                poll.unregister(number)
                del waiting[number]
    poll.close()


def reset_all(sockets: list[socket.socket]) -> None:
    """Close all without leaving ports behind that wait for stray packets."""
    for connection in sockets:
        Client(connection).reset()


def test_ten_thousand_connections_at_once(
    start_server: StartServer, file_limit: int, record_property: Callable[[str, object], None]
) -> None:
    """As many as the limit on open files allows, 10,000 at most; then idle; then gone."""
    count = min(10_000, file_limit - 1_000)
    server = start_server({"maxclients": str(count + 100)})
    with connect(server) as observer:
        observer.call("PING")
        before = resident_bytes(server.pid)
        sockets = start_connecting(server, count)
        all_answer(sockets, 60.0)
        assert int(info(observer, "clients")["connected_clients"]) == count + 1
        per_connection = (resident_bytes(server.pid) - before) / count
        time.sleep(0.5)
        used = cpu_seconds(server.pid)
        time.sleep(1.0)
        used = cpu_seconds(server.pid) - used
        record_property("bytes_per_idle_connection", round(per_connection))
        record_property("cpu_of_idle_connections", used)
        print(f"{count} idle connections: {per_connection:.0f} bytes each, {used:.2f} s CPU a s")
        assert per_connection <= IDLE_CONNECTION_BYTES
        assert used <= 0.1
        reset_all(sockets)
        wait_until(
            lambda: info(observer, "clients")["connected_clients"] == "1", "all are gone", 20.0
        )


def test_full_backlog(start_server: StartServer) -> None:
    """More clients knock than the backlog holds while the server is halted: all come in later."""
    server = start_server({"tcp-backlog": "16"})
    server.send_signal(signal.SIGSTOP)
    sockets = start_connecting(server, 100)
    time.sleep(0.2)
    server.send_signal(signal.SIGCONT)
    all_answer(sockets, 30.0)
    reset_all(sockets)


def test_connections_that_come_and_go(server: ServerProcess) -> None:
    """Two thousand short visits leave nothing behind."""
    with stays_well(server, memory=16_000_000):
        for number in range(2_000):
            client = connect(server)
            if number % 3:
                assert client.call("PING") == "PONG"
            client.reset()


def test_fewer_files_than_maxclients(start_server: StartServer) -> None:
    """The server fits maxclients to the limit on open files and refuses the rest politely."""
    wrapper = ("sh", "-c", 'ulimit -n 200; exec "$@"', "sh")
    server = start_server({"maxclients": "1000"}, wrapper=wrapper)
    with stays_well(server):
        clients = [connect(server) for _ in range(250)]
        for client in clients:
            client.send_last(b"PING\r\n")
        answers = [client.read_to_end() for client in clients]
        assert answers.count(b"+PONG\r\n") > 50
        refused = b"-ERR max number of clients reached\r\n"
        assert set(answers) <= {b"+PONG\r\n", refused}
        assert refused in answers
        for client in clients:
            client.close()
