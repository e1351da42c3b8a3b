"""The servers that are measured: how they start, what they claim to be, what they use.

Everything is read from outside (``/proc``, the process CPU clock and ``INFO``), in the same way
for every server, so that no server can look better by counting for itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

HOST = "127.0.0.1"
START_SECONDS = 30.0
STOP_SECONDS = 30.0
POLL_SECONDS = 0.002
SETTLE_SECONDS = 120.0
FILL_BATCH = 1_000


class BenchmarkError(Exception):
    """Something outside the tool prevents a measurement; the text says what."""


@dataclass(frozen=True)
class ServerSpec:
    """How to start a server; ``{port}`` in the command stands for its port.

    ``claims`` are INFO fields that must have these values, so that a figure never stands
    under the wrong name.
    """

    name: str
    command: tuple[str, ...]
    claims: Mapping[str, str] = field(default_factory=dict)

    def command_line(self, port: int) -> list[str]:
        """The argument list for one start; without ``{port}``, ``--port N`` is added."""
        if any("{port}" in word for word in self.command):
            return [word.replace("{port}", str(port)) for word in self.command]
        return [*self.command, "--port", str(port)]


class Client:
    """A blocking RESP2 client, just enough to prepare and to question a server."""

    def __init__(self, port: int, timeout: float = 60.0) -> None:
        self.socket = socket.create_connection((HOST, port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.replies = self.socket.makefile("rb")

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.replies.close()
        self.socket.close()

    def call(self, *words: str) -> bytes:
        """Send one command; answers the text of a status, an integer or a bulk string.

        Raises:
            BenchmarkError: the reply is an error, or the connection ended.
        """
        self.socket.sendall(encode(*(word.encode() for word in words)))
        line = self.replies.readline()
        if line[:1] == b"$":
            return self.replies.read(int(line[1:]) + 2)[:-2]
        if line[:1] not in (b"+", b":"):
            raise BenchmarkError(
                f"{' '.join(words)}: {line.decode().strip() or 'connection ended'}"
            )
        return line[1:].rstrip()

    def skip_reply(self) -> None:
        """Read past one reply.

        Raises:
            BenchmarkError: it, or a part of it, is an error, or the connection ended.
        """
        left = 1
        while left:
            line = self.replies.readline()
            left -= 1
            if line[:1] == b"*":
                left += max(int(line[1:]), 0)
            elif line[:1] == b"$" and line[1:2] != b"-":
                self.replies.read(int(line[1:]) + 2)
            elif line[:1] not in (b"+", b":", b"$"):
                raise BenchmarkError(line.decode(errors="replace").strip() or "connection ended")

    def fill(self, keys: int, size: int) -> None:
        """Store ``keys`` values of ``size`` bytes under the key names that redis-benchmark uses.

        The keys are 16 bytes long: ``key:`` and twelve digits.
        """
        value = b"x" * size
        for start in range(0, keys, FILL_BATCH):
            batch = range(start, min(start + FILL_BATCH, keys))
            self.socket.sendall(b"".join(encode(b"SET", b"key:%012d" % n, value) for n in batch))
            expected = b"+OK\r\n" * len(batch)
            if self.replies.read(len(expected)) != expected:
                raise BenchmarkError("SET was refused while the keys were stored")


def encode(*words: bytes) -> bytes:
    """A command as an array of bulk strings."""
    parts = [b"*%d\r\n" % len(words)]
    parts += [b"$%d\r\n%b\r\n" % (len(word), word) for word in words]
    return b"".join(parts)


class Server:
    """A running server with a folder of its own; a context manager that stops it.

    It can be stopped and started again, and finds its folder as it was.
    """

    def __init__(self, spec: ServerSpec, port: int, folder: Path) -> None:
        self.spec = spec
        self.port = port
        self.home = Path(tempfile.mkdtemp(prefix=f"{spec.name.replace('/', '-')}-", dir=folder))
        self.log = folder / f"{self.home.name}.log"
        #: From the start of the process to its first reply.
        self.start_seconds = 0.0
        self.start()

    def start(self) -> None:
        """Start the process and wait until it serves.

        Raises:
            BenchmarkError: it does not start, ends, or is not what its name says.
        """
        began = time.monotonic()
        with self.log.open("ab") as log:
            try:
                # A session of its own: what a wrapper script starts is stopped with it.
                self.process = subprocess.Popen(
                    self.spec.command_line(self.port),
                    cwd=self.home,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise BenchmarkError(f"{self.spec.name} does not start: {error}") from error
        try:
            self._wait_until_ready()
            self.start_seconds = time.monotonic() - began
            self.info = self.read_info()
            self._check_claims()
        except BaseException:
            self.stop()
            raise
        # The process that serves, even where the command is a script that started it.
        self.pid = int(self.info.get("process_id", self.process.pid))

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if not self.alive():
                raise BenchmarkError(f"{self.spec.name} ended at start:\n{self.log_tail()}")
            with contextlib.suppress(OSError, BenchmarkError), Client(self.port, 1.0) as client:
                if client.call("PING") == b"PONG":
                    return
            time.sleep(POLL_SECONDS)
        raise BenchmarkError(f"{self.spec.name} gave no PONG within {START_SECONDS:.0f} s")

    def _check_claims(self) -> None:
        for name, value in self.spec.claims.items():
            found = self.info.get(name, "nothing")
            if found != value:
                raise BenchmarkError(
                    f"{self.spec.name} is not what its name says: INFO {name} is {found}, "
                    f"not {value} ({' '.join(self.spec.command)})"
                )

    def description(self) -> str:
        """What the server says it is, for the heading of a report."""
        version = self.info.get("hypercache_version") or self.info.get("valkey_version")
        text = version or self.info.get("redis_version", "unknown version")
        compiled = {"1": ", compiled", "0": ", interpreted"}
        return text + compiled.get(self.info.get("hypercache_compiled", ""), "")

    def alive(self) -> bool:
        """Whether the process that was started still runs."""
        return self.process.poll() is None

    def log_tail(self) -> str:
        """The last lines that the server wrote."""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-15:])

    def read_info(self) -> dict[str, str]:
        """INFO's fields, as text."""
        with Client(self.port) as client:
            return parse_info(client.call("INFO").decode("utf-8", "replace"))

    def cpu_seconds(self) -> float:
        """CPU time used so far by every thread of the process, ended ones included.

        The process CPU clock (POSIX clock_getcpuclockid) counts nanoseconds, where
        ``/proc/PID/stat`` counts ticks of 10 ms.
        """
        clock = ctypes.c_int()
        failed = ctypes.CDLL(None).clock_getcpuclockid(self.pid, ctypes.byref(clock))
        if failed:
            raise BenchmarkError(f"{self.spec.name}: no CPU clock: {os.strerror(failed)}")
        return time.clock_gettime(clock.value)

    def rss_bytes(self) -> int:
        """Resident memory; exact, where ``statm`` may lag behind by some pages per CPU."""
        for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Rss:"):
                return int(line.split()[1]) * 1024
        raise BenchmarkError(f"{self.spec.name}: the kernel does not tell its resident memory")

    def settle(self) -> None:
        """Wait until the server does nothing any more: what it puts off must not count elsewhere.

        Raises:
            BenchmarkError: it does not come to rest.
        """
        deadline = time.monotonic() + SETTLE_SECONDS
        before = self.cpu_seconds()
        while time.monotonic() < deadline:
            time.sleep(0.2)
            if (now := self.cpu_seconds()) - before < 0.01:
                return
            before = now
        raise BenchmarkError(f"{self.spec.name} is still busy after {SETTLE_SECONDS:.0f} s")

    def kill(self) -> None:
        """End the process group at once (SIGKILL)."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """End the process group: SIGTERM, then SIGKILL for what remains."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()


def parse_info(text: str) -> dict[str, str]:
    """The ``name:value`` lines of an INFO reply."""
    pairs = (line.partition(":") for line in text.splitlines() if not line.startswith("#"))
    return {name: value for name, colon, value in pairs if colon}


def free_port(base: int) -> int:
    """The first free port from ``base`` on; any that the system gives where ``base`` is 0."""
    for port in range(base, base + 100) if base else (0,):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            return int(probe.getsockname()[1])
    raise BenchmarkError(f"no free port between {base} and {base + 99}")


@contextlib.contextmanager
def running(specs: list[ServerSpec], base: int, folder: Path) -> Iterator[list[Server]]:
    """All of these servers at once, each on a port of its own; all stopped at the end."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Server(spec, free_port(base), folder)) for spec in specs]
