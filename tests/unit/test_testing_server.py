"""The harness itself: servers that do not start, do not stop or hang, and what is left of them."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hypercache.testing import server as harness
from hypercache.testing.server import ServerFailed, ServerProcess, free_port

#: Behaves as a server as far as the harness looks, and writes down its arguments.
PROGRAM = """
import json, signal, socket, sys
port = int(sys.argv[sys.argv.index("--port") + 1])
print(json.dumps(sys.argv[1:]), flush=True)
if "deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
listener = socket.create_server(("127.0.0.1", port))
while True:
    connection, _ = listener.accept()
    try:
        while data := connection.recv(1000):
            if "loading" in sys.argv:
                connection.sendall(b"-LOADING\\r\\n")
            connection.sendall(b"+OK\\r\\n" * data.count(b"*"))
            if data.startswith(b"PING"):
                connection.sendall(b"+PONG\\r\\n")
    except ConnectionError:
        pass  # a client that closes with unread replies resets the connection
    connection.close()
"""


def fake(*arguments: str, **options: object) -> ServerProcess:
    command = [sys.executable, "-c", PROGRAM]
    return ServerProcess(command=command, arguments=arguments, **options)  # type: ignore[arg-type]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_serves_within_the_block() -> None:
    with fake(settings={"maxclients": "7"}) as server:
        assert server.running
        assert server.returncode is None
        with server.connect() as connection:
            assert connection.getpeername() == ("127.0.0.1", server.port)
        server.flush()
        assert server.url == f"redis://127.0.0.1:{server.port}/0"
        assert '"--set", "maxclients=7"' in server.output
        assert server.directory.is_dir()
        pid = server.pid
    assert not alive(pid)
    assert not server.directory.exists()
    assert "maxclients" in server.output


def test_given_directory_stays(tmp_path: Path) -> None:
    with fake(directory=tmp_path) as server:
        assert server.directory == tmp_path
    assert tmp_path.exists()


def test_start_that_fails_shows_the_output() -> None:
    command = [sys.executable, "-c", "print('no such luck'); raise SystemExit(3)"]
    with pytest.raises(ServerFailed, match="status 3") as failure:
        ServerProcess(command=command).start()
    assert "no such luck" in str(failure.value)


def test_start_that_takes_too_long_is_ended() -> None:
    server = fake("loading", start_timeout=0.3)
    with pytest.raises(ServerFailed, match=r"not ready within 0\.3 s"), server:
        raise AssertionError("not reached")
    assert not server.running


def test_server_that_does_not_stop_is_killed() -> None:
    server = fake("deaf", stop_timeout=0.3).start()
    with pytest.raises(ServerFailed, match=r"still there after 0\.3 s"):
        server.stop()
    assert not server.running


def test_use_before_start() -> None:
    server = fake()
    assert not server.running
    with pytest.raises(ServerFailed, match="not started"):
        server.stop()


def test_second_start_is_refused() -> None:
    with fake() as server, pytest.raises(ServerFailed, match="already running"):
        server.start()


def test_dies_with_the_process_that_started_it() -> None:
    """Even one that is killed leaves no server behind."""
    program = f"""
import sys, time
from hypercache.testing.server import ServerProcess
server = ServerProcess(command=[sys.executable, "-c", {PROGRAM!r}]).start()
print(server.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.kill()
    deadline = time.monotonic() + 10
    while alive(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.01)


def test_environment_does_not_configure_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYPERCACHE_MAXCLIENTS", "3")
    program = (
        "import os; print(sorted(n for n in os.environ if 'HYPERCACHE' in n)); raise SystemExit"
    )
    with pytest.raises(ServerFailed) as failure:
        ServerProcess(command=[sys.executable, "-c", program]).start()
    assert str(failure.value).endswith("[]\n")


def test_free_port_keeps_to_its_range(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv(harness.PORTS_VARIABLE, f"{port}-{port}")
        with pytest.raises(ServerFailed, match="no free port"):
            free_port()
    assert free_port() == port
