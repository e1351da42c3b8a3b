"""The measurements: each takes a running server and answers its figures by name.

The names are those of ``results.METRICS``. Times are in milliseconds or microseconds as
named, memory in bytes.
"""

from __future__ import annotations

import contextlib
import csv
import io
import random
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from .audience import CHANNEL, Audience, message_bytes
from .servers import HOST, BenchmarkError, Client, Server, encode

PROBE_INTERVAL = 0.001
INFO_INTERVAL = 0.25
#: Keys of a load, unless it says otherwise.
KEYS = 100_000

#: What the load ``eval`` sends: a script of three commands on one random key.
EVAL: Final = (
    "EVAL",
    "redis.call('SET', KEYS[1], ARGV[1]) redis.call('INCR', KEYS[1])"
    " return redis.call('GET', KEYS[1])",
    "1",
    "key:__rand_int__",
    "41",
)

Figures = dict[str, float]


@dataclass(frozen=True)
class Load:
    """One run of redis-benchmark: ``command`` is one of its tests, ``size`` is in bytes.

    With a ``policy`` it is for servers that sync by it. With ``listeners`` it publishes, and so
    many subscribers read all of it.
    """

    command: str
    requests: int
    pipeline: int = 1
    clients: int = 50
    size: int = 64
    keys: int = KEYS
    policy: str = ""
    listeners: int = 0

    @property
    def label(self) -> str:
        """How a report names the load."""
        size = "" if self.command in ("ping", "incr", "eval") else f" {byte_text(self.size)}"
        text = f"{self.command.upper()}{size}, pipeline {self.pipeline}, {self.clients:,} clients"
        text += f", {self.keys:,} keys" if self.keys > KEYS else ""
        text += f", {self.listeners:,} subscribers" if self.listeners else ""
        return f"sync {self.policy}: {text}" if self.policy else text

    def suits(self, server: str) -> bool:
        """Whether a server, by its name, takes part."""
        return not self.policy or server.endswith(f"-{self.policy}")

    def arguments(self, port: int, requests: int) -> list[str]:
        """Arguments of redis-benchmark; random keys out of ``keys``."""
        test = "ping_mbulk" if self.command == "ping" else self.command
        options = {
            "-h": HOST,
            "-p": port,
            "-t": test,
            "-n": requests,
            "-P": self.pipeline,
            "-c": self.clients,
            "-d": self.size,
            "-r": self.keys,
        }
        if self.listeners or self.command == "eval":
            del options["-t"]
        if self.listeners:
            del options["-r"]
        words = [*(str(part) for pair in options.items() for part in pair), "--csv"]
        if self.command == "eval":
            return [*words, *EVAL]
        return [*words, "PUBLISH", CHANNEL.decode(), "x" * self.size] if self.listeners else words


def byte_text(size: int) -> str:
    """16384 as ``16 KB``."""
    return f"{size // 1024} KB" if size >= 1024 and size % 1024 == 0 else f"{size} B"


class Runner:
    """Runs redis-benchmark, each run under a time limit in seconds."""

    def __init__(self, program: str, timeout: float) -> None:
        self.program = program
        self.timeout = timeout

    def run(self, server: Server, load: Load, requests: int) -> Figures:
        """Throughput, latency and the server's CPU time per request under one load.

        Raises:
            BenchmarkError: redis-benchmark failed or took longer than the time limit.
        """
        before = server.cpu_seconds()
        try:
            done = subprocess.run(
                [self.program, *load.arguments(server.port, requests)],
                capture_output=True,
                text=True,
                timeout=self.timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise BenchmarkError(f"took longer than {self.timeout:.0f} s") from None
        if done.returncode or not server.alive():
            raise BenchmarkError(f"failed: {(done.stderr or done.stdout).strip()[-300:]}")
        figures = parse_csv(done.stdout)
        figures["cpu_us"] = (server.cpu_seconds() - before) / requests * 1e6
        return figures

    def publish(self, server: Server, load: Load, requests: int) -> Figures:
        """What `run` answers, while subscribers read every message.

        Raises:
            BenchmarkError: as `run`, or not every message has reached everybody.
        """
        with Audience(server.port, load.listeners) as audience:
            before = server.cpu_seconds()
            figures = self.run(server, load, requests)
            audience.wait_for(requests * load.listeners * message_bytes(load.size))
            figures["cpu_us"] = (server.cpu_seconds() - before) / requests * 1e6
        return figures

    @contextlib.contextmanager
    def background(self, server: Server, load: Load, *, may_end: bool = False) -> Iterator[None]:
        """Keep ``load`` running for the length of a with block.

        Raises:
            BenchmarkError: it ended before the block did, and may not.
        """
        command = [self.program, *load.arguments(server.port, 1_000_000_000)]
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(command, stdout=quiet, stderr=quiet)
        try:
            yield
            if process.poll() is not None and not may_end:
                raise BenchmarkError("the load in the background ended early")
        finally:
            process.kill()
            process.wait()

    def pauses(self, server: Server, load: Load, seconds: float) -> Figures:
        """What one client sees that sends PING every millisecond while ``load`` runs."""
        ping = encode(b"PING")
        with self.background(server, load):
            time.sleep(min(0.5, seconds / 4))
            return waiting_times(probe(server.port, lasting(seconds), lambda: ping))

    def readers(self, server: Server, load: Load, seconds: float) -> Figures:
        """What one client sees that reads a key every millisecond while ``load`` writes.

        With the writers' throughput and, of a store that has them, the checkpoints meanwhile.
        """

        def read() -> bytes:
            return encode(b"GET", b"key:%012d" % random.randrange(load.keys))

        with self.background(server, load):
            time.sleep(min(0.5, seconds / 4))
            with Checkpoints(server) as checkpoints:
                waits = probe(server.port, lasting(seconds), read)
        return waiting_times(waits) | checkpoints.figures(seconds)


class Informed(Protocol):
    """Whatever answers INFO; a server."""

    def read_info(self) -> dict[str, str]:
        """INFO's fields, as text."""
        ...


class Checkpoints(threading.Thread):
    """Asks a server every now and then what it did; a context manager."""

    def __init__(self, server: Informed) -> None:
        super().__init__(daemon=True)
        self.server = server
        self.seen = [server.read_info()]
        self.ended = threading.Event()

    def __enter__(self) -> Checkpoints:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.join()

    def run(self) -> None:
        while not self.ended.wait(INFO_INTERVAL):
            with contextlib.suppress(OSError, BenchmarkError):  # whoever measures will notice
                self.seen.append(self.server.read_info())

    def figures(self, seconds: float) -> Figures:
        """Commands a second and, where the server tells, checkpoints and their longest."""
        first, last = self.seen[0], self.seen[-1]
        commands = "total_commands_processed"
        found = {"writes": (int(last[commands]) - int(first[commands])) / seconds}
        if "lmdb_checkpoints" in last:
            count = int(last["lmdb_checkpoints"]) - int(first["lmdb_checkpoints"])
            longest = max(int(info["lmdb_last_checkpoint_usec"]) for info in self.seen[1:])
            found["checkpoints"] = count
            found["checkpoint_ms"] = longest / 1e3 if count else 0.0
        return found


def parse_csv(text: str) -> Figures:
    """The figures of one test out of ``redis-benchmark --csv``."""
    rows = list(csv.DictReader(io.StringIO(text)))
    if len(rows) != 1:
        raise BenchmarkError(f"redis-benchmark answered {len(rows)} rows, not one: {text[:200]!r}")
    try:
        return {
            "rps": float(rows[0]["rps"]),
            "p50_ms": float(rows[0]["p50_latency_ms"]),
            "p99_ms": float(rows[0]["p99_latency_ms"]),
        }
    except (KeyError, ValueError) as error:
        raise BenchmarkError(f"redis-benchmark answered something else: {text[:200]!r}") from error


def lasting(seconds: float) -> Callable[[], bool]:
    """True for that long."""
    end = time.perf_counter() + seconds
    return lambda: time.perf_counter() < end


def probe(port: int, going: Callable[[], bool], request: Callable[[], bytes]) -> list[float]:
    """Seconds that each request waited for its reply, ascending; one every millisecond.

    A wait longer than the interval stands also for the requests that would have been sent
    meanwhile, as in HdrHistogram's correction of coordinated omission: otherwise one long
    pause would count as a single slow request.

    Raises:
        BenchmarkError: a reply is an error, or did not come in time.
    """
    waits: list[float] = []
    with Client(port) as client:
        while going() or not waits:
            sent = time.perf_counter()
            client.socket.sendall(request())
            try:
                client.skip_reply()
            except TimeoutError:
                raise BenchmarkError("a request was not answered in time") from None
            wait = time.perf_counter() - sent
            waits.append(wait)
            while (wait := wait - PROBE_INTERVAL) > PROBE_INTERVAL:
                waits.append(wait)
            time.sleep(PROBE_INTERVAL)
    return sorted(waits)


def waiting_times(waits: list[float]) -> Figures:
    """The figures of ascending waits in seconds."""
    return {
        "probe_p50_ms": percentile(waits, 0.5) * 1e3,
        "probe_p99_ms": percentile(waits, 0.99) * 1e3,
        "probe_p999_ms": percentile(waits, 0.999) * 1e3,
        "probe_max_ms": waits[-1] * 1e3,
    }


def percentile(ascending: list[float], share: float) -> float:
    """The smallest value that at least ``share`` of the values do not exceed (nearest rank)."""
    return ascending[max(0, -int(-share * len(ascending) // 1) - 1)]


def idle(server: Server, connections: int, seconds: float) -> Figures:
    """What idle connections cost: memory each, and CPU of the server while nothing happens."""
    ping = encode(b"PING")
    rss = server.rss_bytes()
    with contextlib.ExitStack() as stack:
        for _ in range(connections):
            one = stack.enter_context(socket.create_connection((HOST, server.port), 10.0))
            one.sendall(ping)
            if one.recv(64) != b"+PONG\r\n":
                raise BenchmarkError("a connection got no PONG")
        time.sleep(1.0)
        grown = server.rss_bytes() - rss
        before = server.cpu_seconds()
        time.sleep(seconds)
        used = server.cpu_seconds() - before
    return {"rss_per_connection": grown / connections, "idle_cpu_ms": used / seconds * 1e3}
