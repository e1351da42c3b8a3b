"""A HyperCache server in a process of its own, for test suites.

    with ServerProcess(settings={"maxclients": "50"}) as server:
        client = redis.Redis(port=server.port)

The server listens on a free port of the loopback address, keeps its files in a temporary
folder and ends with the ``with`` block, at the latest with the process that started it.
Everything here is synchronous and needs nothing but the standard library;
`hypercache.testing.pytest_plugin` has the same as fixtures.
"""

import atexit
import ctypes
import functools
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

#: Ports to choose from, as "first-last". The default lies below the range that Linux gives
#: to outgoing connections, which could take a port between our choice and the server's bind.
PORTS_VARIABLE: Final = "HYPERCACHE_TEST_PORTS"
DEFAULT_PORTS: Final = "20000-32000"

_PR_SET_PDEATHSIG: Final = 1
_POLL_SECONDS: Final = 0.01
# What ours and Redis' log of a start, unless they are told to be quiet.
_STARTING: Final = " is starting"
_READY: Final = "Ready to accept connections"


class ServerFailed(Exception):
    """A server did not start, stop or answer as it should; the text ends with its output."""


class ServerProcess:
    """One server process: started by `start` or ``with``, ended by `stop` or `kill`.

    ``settings`` are configuration settings by name, ``config`` is a configuration file; where
    neither says when to ``save`` there are no snapshots but those that are asked for.
    ``arguments`` are added to the command line as they are. ``port`` is chosen when None;
    0 means no TCP at all (give the setting ``unixsocket``). ``directory`` is the server's
    working folder and stays; without one it gets a temporary folder that is removed.
    ``command`` replaces the command line up to the arguments. Times are in seconds.
    """

    def __init__(
        self,
        *,
        settings: Mapping[str, str] | None = None,
        config: Path | None = None,
        arguments: Sequence[str] = (),
        host: str = "127.0.0.1",
        port: int | None = None,
        directory: Path | None = None,
        command: Sequence[str] | None = None,
        start_timeout: float = 20.0,
        stop_timeout: float = 10.0,
    ) -> None:
        self.settings = dict(settings or {})
        self.config = config
        self.arguments = list(arguments)
        self.host = host
        self.port = free_port(host) if port is None else port
        self.start_timeout = start_timeout
        self.stop_timeout = stop_timeout
        self._command = list(command) if command is not None else self.default_command()
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        if directory is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="hypercache-test-")
            directory = Path(self._temporary.name)
        self.directory = directory
        self._output_path = directory / "server.output"
        self._last_output = ""
        self._process: subprocess.Popen[bytes] | None = None

    # -- how it is started ---------------------------------------------------------------

    @classmethod
    def default_command(cls) -> list[str]:
        """The command that serves: this interpreter's hypercache, whatever the folder."""
        return [sys.executable, "-P", "-m", "hypercache", "serve"]

    def command_line(self) -> list[str]:
        """The whole command line."""
        line = list(self._command)
        if self.config is not None:
            line.append(str(self.config))
        line += ["--port", str(self.port), "--bind", self.host, "--dir", str(self.directory)]
        defaults = {} if self.config is not None else {"save": ""}
        for name, value in (defaults | self.settings).items():
            line += ["--set", f"{name}={value}"]
        return line + self.arguments

    def launch(self) -> None:
        """Start the process without waiting until it serves (see `wait_ready`)."""
        if self.running:
            raise ServerFailed(f"already running as process {self.pid}")
        with self._output_path.open("ab") as output:
            self._process = subprocess.Popen(
                self.command_line(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=_environment(),
                preexec_fn=_end_with_parent(),
            )
        atexit.register(self.kill)

    def wait_ready(self) -> None:
        """Wait until the server answers PING; ServerFailed when it ends or takes too long."""
        deadline = time.monotonic() + self.start_timeout
        while not self._answers():
            code = self._the_process().poll()
            if code is not None:
                raise ServerFailed(f"the server ended with status {code} at start\n{self.output}")
            if time.monotonic() > deadline:
                self.kill()
                raise ServerFailed(f"not ready within {self.start_timeout} s\n{self.output}")
            time.sleep(_POLL_SECONDS)

    def start(self) -> Self:
        """Start the process and wait until it serves."""
        self.launch()
        self.wait_ready()
        return self

    # -- how it ends ---------------------------------------------------------------------

    def stop(self) -> int:
        """End the server with SIGTERM; its exit status. ServerFailed if it does not end."""
        process = self._the_process()
        if process.poll() is None:
            process.terminate()
        return self.wait_ended()

    def wait_ended(self) -> int:
        """Wait until the process has ended by itself; its exit status."""
        process = self._the_process()
        try:
            code = process.wait(self.stop_timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServerFailed(f"still there after {self.stop_timeout} s\n{self.output}") from None
        atexit.unregister(self.kill)
        return code

    def kill(self) -> None:
        """End the process at once, if there is one (SIGKILL)."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            atexit.unregister(self.kill)

    def send_signal(self, number: int) -> None:
        """Send a signal to the process."""
        self._the_process().send_signal(number)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except ServerFailed:
            self._close()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if self.running:
                self.stop()
        finally:
            self._close()

    def _close(self) -> None:
        self.kill()
        self._last_output = self.output
        if self._temporary is not None:
            self._temporary.cleanup()

    # -- what is known about it ----------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id."""
        return self._the_process().pid

    @property
    def returncode(self) -> int | None:
        """The exit status, negative for a signal; None while the process runs."""
        return self._the_process().poll()

    @property
    def output(self) -> str:
        """Everything that the server wrote to its standard output and error so far."""
        if not self._output_path.exists():
            return self._last_output
        return self._output_path.read_text("utf-8", "replace")

    @property
    def unix_socket(self) -> str | None:
        """The path of the Unix socket that the settings ask for."""
        return self.settings.get("unixsocket")

    @property
    def url(self) -> str:
        """The server's address as client libraries take it."""
        return f"redis://{self.host}:{self.port}/0"

    # -- talking to it -------------------------------------------------------------------

    def connect(self, timeout: float = 5.0) -> socket.socket:
        """A new plain connection (TCP, or the Unix socket where there is no TCP port)."""
        if self.port == 0 and self.unix_socket is not None:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(timeout)
            try:
                connection.connect(self.unix_socket)
            except OSError:
                connection.close()
                raise
            return connection
        return socket.create_connection((self.host, self.port), timeout)

    def flush(self) -> None:
        """Remove all keys of all databases (FLUSHALL), with the password of the settings."""
        requests: list[tuple[str, ...]] = [("FLUSHALL",)]
        if "requirepass" in self.settings:
            requests.insert(0, ("AUTH", self.settings["requirepass"]))
        with self.connect() as connection, connection.makefile("rb") as stream:
            for request in requests:
                connection.sendall(_encode(request))
                if (line := stream.readline()) != b"+OK\r\n":
                    raise ServerFailed(f"{request[0]} answered {line!r}\n{self.output}")

    def _answers(self) -> bool:
        """Whether the server takes commands (an error such as DENIED will do, LOADING not)."""
        try:
            with self.connect(1.0) as connection:
                connection.sendall(b"PING\r\n")
                reply = connection.recv(64)
        except OSError:
            return False
        if reply.startswith(b"-NOAUTH") and _STARTING in self.output and _READY not in self.output:
            return False  # whoever knows the password would be told LOADING
        return reply[:1] in (b"+", b"-") and not reply.startswith(b"-LOADING") and self.running

    def _the_process(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise ServerFailed("the server was not started")
        return self._process


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port that nobody listens on, from the range that `PORTS_VARIABLE` names."""
    first, last = map(int, os.environ.get(PORTS_VARIABLE, DEFAULT_PORTS).split("-"))
    ports = range(first, last + 1)
    for port in random.sample(ports, len(ports)):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise ServerFailed(f"no free port between {first} and {last}")


def _environment() -> dict[str, str]:
    """Our environment without settings for a server: a test says what it wants itself."""
    return {name: value for name, value in os.environ.items() if not name.startswith("HYPERCACHE_")}


def _encode(arguments: Sequence[str]) -> bytes:
    parts = [f"*{len(arguments)}\r\n".encode()]
    for argument in arguments:
        data = argument.encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)


def _end_with_parent() -> Callable[[], object] | None:
    """What makes a child die with us, even when we are killed: Linux only.

    The kernel watches the *thread* that started the child, so only the main thread, which
    lives as long as the process, asks for it.
    """
    if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
        return None
    return functools.partial(ctypes.CDLL(None).prctl, _PR_SET_PDEATHSIG, signal.SIGKILL)
