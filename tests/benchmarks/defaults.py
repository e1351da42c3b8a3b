"""The default list of redis-benchmark, with its default element size of 3 bytes.

Elements, members and fields are random out of 100,000,000, so that what is popped was pushed
before: the loads run in this order, each as often as the one before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log
from statistics import median

from .measure import Load
from .results import Measurement, Table, ratio
from .servers import Client, Server

COMMANDS = (
    "set",
    "get",
    "incr",
    "lpush",
    "rpush",
    "lpop",
    "rpop",
    "sadd",
    "hset",
    "spop",
    "zadd",
    "zpopmin",
    "lrange_100",
    "lrange_300",
    "lrange_500",
    "lrange_600",
    "mset",
    "ping",
)
#: Those whose geometric mean is the measure of the data types.
RATED = (*COMMANDS[3:12], *COMMANDS[12:17])
PIPELINES = (1, 16)

#: How far the ranges go (redis-benchmark's LRANGE_500 asks for 450).
_LAST = {"lrange_100": 99, "lrange_300": 299, "lrange_500": 449, "lrange_600": 599}
_ELEMENTS = 1_000


@dataclass(frozen=True)
class DefaultLoad(Load):
    """A run of redis-benchmark with its own defaults."""

    size: int = 3
    keys: int = 100_000_000

    @property
    def label(self) -> str:
        """How a report names the load."""
        return f"{self.command.upper()}, pipeline {self.pipeline}"

    def arguments(self, port: int, requests: int) -> list[str]:
        """Arguments of redis-benchmark; a range is asked for outright, of a list that is there."""
        words = super().arguments(port, requests)
        if self.command not in _LAST:
            return words
        test = words.index("-t")
        return [*words[:test], *words[test + 2 :], "lrange", "mylist", "0", str(self.last)]

    @property
    def last(self) -> int:
        """The last index that a range asks for."""
        return _LAST[self.command]


def default_loads(requests: int, clients: int) -> list[Load]:
    """All loads: first at pipeline 1, then at 16."""
    loads: list[Load] = []
    for pipeline in PIPELINES:
        for command in COMMANDS:
            count = requests * min(pipeline, 5)
            count //= 5 if command == "mset" else 10 if command in _LAST else 1
            whole = max(count // (pipeline * clients), 1) * pipeline * clients
            loads.append(DefaultLoad(command, whole, pipeline, clients))
    return loads


def prepare(server: Server, load: Load) -> None:
    """Begin a round of the list with no data, and its ranges with a list of known length."""
    with Client(server.port) as client:
        if load.command == COMMANDS[0]:
            client.call("FLUSHALL")
        if load.command in _LAST:
            client.call("DEL", "mylist")
            client.call("RPUSH", "mylist", *(["xxx"] * _ELEMENTS))


def mean_table(measurements: Sequence[Measurement], baseline: str) -> Table:
    """The geometric mean of the throughput ratios of `RATED`, by pipeline and server."""
    found: dict[tuple[int, str], list[float]] = {}
    throughput: dict[tuple[str, str], dict[int, float]] = {}
    for one in measurements:
        if one.part == "defaults":
            throughput.setdefault((one.load, one.server), {})[one.round] = one.figures["rps"]
    for (load, server), rounds in throughput.items():
        command, _, pipeline = load.partition(", pipeline ")
        compared = ratio(rounds, throughput.get((load, baseline), {}))
        if command.lower() in RATED and server != baseline and compared is not None:
            found.setdefault((int(pipeline), server), []).append(compared.middle)
    rows = [
        [f"pipeline {pipeline}", server, f"{geometric_mean(ratios):.3f}", f"{median(ratios):.3f}"]
        + [f"{min(ratios):.3f}", str(len(ratios))]
        for (pipeline, server), ratios in sorted(found.items())
    ]
    return Table(["load", "server", "geometric mean", "median", "least", "commands"], rows)


def geometric_mean(values: Sequence[float]) -> float:
    """The n-th root of the product of n values above zero."""
    return exp(sum(map(log, values)) / len(values))
