"""A load whose keys are not all alike: redis-benchmark can only draw them uniformly.

One thread and one request at a time on each connection. It makes some tens of thousands of
requests a second, which is enough for a store that has to read from the disk.
"""

from __future__ import annotations

import random
import select
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from .measure import Figures, percentile
from .servers import HOST, BenchmarkError, encode

#: The skew of YCSB's "zipfian" request distribution.
EXPONENT = 0.99
DRAWN = 4_096
WAIT_SECONDS = 30.0


def zipf_weights(keys: int, exponent: float = EXPONENT) -> list[float]:
    """Cumulative weights of ranks 1..keys: the n-th has ``1 / n ** exponent``."""
    return list(accumulate(n**-exponent for n in range(1, keys + 1)))


@dataclass(frozen=True)
class Traffic:
    """GET or SET of values of ``size`` bytes that are all there, as `Client.fill` names them.

    ``absent``: of as many keys of which none is there. ``weights`` are cumulative, by key; without
    them every key is as likely.
    """

    command: str
    keys: int
    size: int
    weights: list[float] | None = field(default=None, repr=False)
    clients: int = 50
    absent: bool = False

    @property
    def label(self) -> str:
        """How a report names it."""
        if self.absent:
            return f"{self.command}, absent keys"
        return f"{self.command}, {'uniform' if self.weights is None else 'zipf'} keys"

    def requests(self) -> Iterator[bytes]:
        """Endless requests, the same in every run."""
        source = random.Random(1)
        everything = range(self.keys)
        value = b"y" * self.size
        name = b"absent:%012d" if self.absent else b"key:%012d"
        while True:
            for n in source.choices(everything, cum_weights=self.weights, k=DRAWN):
                key = name % n
                yield encode(b"GET", key) if self.command == "GET" else encode(b"SET", key, value)

    def reply(self) -> tuple[bytes, int]:
        """How every right reply begins, and its length."""
        if self.absent:
            return b"$-1\r\n", 5
        if self.command == "SET":
            return b"+OK\r\n", 5
        head = b"$%d\r\n" % self.size
        return head, len(head) + self.size + 2


class Connection:
    """A connection that waits for the reply to the request it sent last."""

    def __init__(self, port: int, traffic: Traffic) -> None:
        self.socket = socket.create_connection((HOST, port), WAIT_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.head, self.length = traffic.reply()
        self.received = b""
        self.sent = 0.0

    def send(self, request: bytes) -> None:
        """Send a request and note when."""
        self.received = b""
        self.sent = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> bool:
        """Read what there is; whether the reply is complete.

        Raises:
            BenchmarkError: the reply is not the right one, or the connection ended.
        """
        data = self.socket.recv(1 << 16)
        self.received += data
        head = self.received[: len(self.head)]
        if not data or not self.head.startswith(head):
            raise BenchmarkError(f"a wrong reply: {self.received[:100]!r}")
        return len(self.received) >= self.length


def drive(port: int, traffic: Traffic, seconds: float) -> list[float]:
    """Seconds that each request took, ascending.

    Raises:
        BenchmarkError: a reply was wrong, or none came for `WAIT_SECONDS`.
    """
    took = []
    requests = traffic.requests()
    connections: dict[int, Connection] = {}
    with select.epoll() as ready:
        try:
            for _ in range(traffic.clients):
                connection = Connection(port, traffic)
                connections[connection.socket.fileno()] = connection
                ready.register(connection.socket, select.EPOLLIN)
                connection.send(next(requests))
            end = time.perf_counter() + seconds
            waiting = len(connections)
            while waiting:
                if not (events := ready.poll(WAIT_SECONDS)):
                    raise BenchmarkError(f"no reply within {WAIT_SECONDS:.0f} s")
                for descriptor, _ in events:
                    connection = connections[descriptor]
                    if connection.receive():
                        now = time.perf_counter()
                        took.append(now - connection.sent)
                        if now < end:
                            connection.send(next(requests))
                        else:
                            waiting -= 1
        finally:
            for connection in connections.values():
                connection.socket.close()
    return sorted(took)


def latencies(took: list[float], seconds: float) -> Figures:
    """The figures of ascending times of all requests in so many seconds."""
    return {
        "rps": len(took) / seconds,
        "p50_ms": percentile(took, 0.5) * 1e3,
        "p99_ms": percentile(took, 0.99) * 1e3,
        "longest_ms": took[-1] * 1e3,
    }
