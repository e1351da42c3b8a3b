"""The measurements: each takes a running server and answers its figures by name.

The names are those of ``results.METRICS``. Times are in milliseconds or microseconds as
named, memory in bytes.
"""

from __future__ import annotations

import contextlib
import csv
import io
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .servers import HOST, BenchmarkError, Client, Server, encode

PROBE_INTERVAL = 0.001

Figures = dict[str, float]


@dataclass(frozen=True)
class Load:
    """One run of redis-benchmark: ``command`` is one of its tests, ``size`` is in bytes."""

    command: str
    requests: int
    pipeline: int = 1
    clients: int = 50
    size: int = 64
    keys: int = 100_000

    @property
    def label(self) -> str:
        """How a report names the load."""
        size = "" if self.command in ("ping", "incr") else f" {byte_text(self.size)}"
        return f"{self.command.upper()}{size}, pipeline {self.pipeline}, {self.clients:,} clients"

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
        return [*(str(part) for pair in options.items() for part in pair), "--csv"]


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

    @contextlib.contextmanager
    def background(self, server: Server, load: Load) -> Iterator[None]:
        """Keep ``load`` running for the length of a with block.

        Raises:
            BenchmarkError: it ended before the block did.
        """
        command = [self.program, *load.arguments(server.port, 1_000_000_000)]
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(command, stdout=quiet, stderr=quiet)
        try:
            yield
            if process.poll() is not None:
                raise BenchmarkError("the load in the background ended early")
        finally:
            process.kill()
            process.wait()

    def pauses(self, server: Server, load: Load, seconds: float) -> Figures:
        """What one client sees that sends PING every millisecond while ``load`` runs."""
        with self.background(server, load):
            time.sleep(min(0.5, seconds / 4))
            try:
                waits = probe(server.port, seconds)
            except TimeoutError:
                raise BenchmarkError("a PING was not answered in time") from None
        return {
            "probe_p99_ms": percentile(waits, 0.99) * 1e3,
            "probe_p999_ms": percentile(waits, 0.999) * 1e3,
            "probe_max_ms": waits[-1] * 1e3,
        }


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


def probe(port: int, seconds: float) -> list[float]:
    """Seconds that each PING waited, ascending.

    A wait longer than the interval stands also for the requests that would have been sent
    meanwhile, as in HdrHistogram's correction of coordinated omission: otherwise one long
    pause would count as a single slow request.
    """
    waits = []
    ping = encode(b"PING")
    with Client(port) as client:
        end = time.perf_counter() + seconds
        while (sent := time.perf_counter()) < end:
            client.socket.sendall(ping)
            if client.replies.readline() != b"+PONG\r\n":
                raise BenchmarkError("the probe got no PONG")
            wait = time.perf_counter() - sent
            waits.append(wait)
            while (wait := wait - PROBE_INTERVAL) > PROBE_INTERVAL:
                waits.append(wait)
            time.sleep(PROBE_INTERVAL)
    return sorted(waits)


def percentile(ascending: list[float], share: float) -> float:
    """The smallest value that at least ``share`` of the values do not exceed (nearest rank)."""
    return ascending[max(0, -int(-share * len(ascending) // 1) - 1)]


def memory(server: Server, keys: int, fill: Callable[[Client], None]) -> Figures:
    """Bytes per key of an empty server that is then filled: resident, and as it says itself."""
    rss, used = server.rss_bytes(), int(server.read_info()["used_memory"])
    with Client(server.port) as client:
        fill(client)
        stored = int(client.call("DBSIZE"))
    if stored != keys:
        raise BenchmarkError(f"{stored} keys after {keys} were stored")
    time.sleep(1.0)  # the tables of redis-server grow step by step, also in its cron
    rss_growth = server.rss_bytes() - rss
    used_growth = int(server.read_info()["used_memory"]) - used
    return {
        "rss_per_key": rss_growth / keys,
        "used_per_key": used_growth / keys,
        "used_of_rss": used_growth / rss_growth * 100,
    }


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
