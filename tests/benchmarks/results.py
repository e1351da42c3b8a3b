"""From figures to a report: medians, ratios to the baseline round by round, and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Measurement:
    """The figures of one server in one round under one load of a part."""

    part: str
    load: str
    server: str
    round: int
    figures: dict[str, float]


@dataclass(frozen=True)
class Metric:
    """A column of a report: the figure's name, its heading, its digits, and if a ratio is shown.

    The ratio's heading is ``short``, or the first word of the heading.
    """

    name: str
    heading: str
    digits: int
    ratio: bool = True
    short: str = ""


THROUGHPUT = (
    Metric("rps", "requests/s", 0),
    Metric("p50_ms", "p50 ms", 3),
    Metric("p99_ms", "p99 ms", 3),
    Metric("cpu_us", "CPU us/request", 2),
)
METRICS = {
    "commands": THROUGHPUT,
    "values": THROUGHPUT,
    "clients": THROUGHPUT,
    "latency": (
        Metric("probe_p99_ms", "p99 ms", 2),
        Metric("probe_p999_ms", "p99.9 ms", 2),
        Metric("probe_max_ms", "longest ms", 2),
    ),
    "pubsub": THROUGHPUT,
    "scripts": THROUGHPUT,
    "defaults": THROUGHPUT,
    "memory": (
        Metric("rss_per_key", "RSS B/key", 1),
        Metric("used_per_key", "used_memory B/key", 1),
        Metric("used_of_rss", "used_memory % of RSS", 1, ratio=False),
        Metric("used_left", "used_memory % left", 1, ratio=False),
        Metric("rss_left", "RSS % left", 1, ratio=False),
        Metric("seconds_to_shrink", "seconds to shrink", 1, ratio=False),
    ),
    "sizes": (),
    "backends": THROUGHPUT,
    "sync": THROUGHPUT,
    "readers": (
        Metric("probe_p50_ms", "p50 ms", 2),
        Metric("probe_p99_ms", "p99 ms", 2),
        Metric("probe_max_ms", "longest ms", 2),
        Metric("writes", "writes/s", 0),
        Metric("checkpoints", "checkpoints", 0, ratio=False),
        Metric("checkpoint_ms", "longest checkpoint ms", 2, ratio=False),
    ),
    "larger": (
        *THROUGHPUT,
        Metric("longest_ms", "longest ms", 2),
        Metric("faults", "faults/request", 3, ratio=False),
        Metric("rss_mb", "RSS MB", 0),
        Metric("anonymous_mb", "anonymous MB", 0, ratio=False),
        Metric("group_mb", "group MB", 0, ratio=False),
        Metric("file_mb", "files MB", 0, ratio=False),
    ),
    "durable": THROUGHPUT,
    "eviction": THROUGHPUT,
    "snapshot": (
        Metric("probe_max_ms", "longest ms", 2),
        Metric("probe_p999_ms", "p99.9 ms", 2),
        Metric("calm_max_ms", "longest before ms", 2, ratio=False),
        Metric("save_ms", "snapshot ms", 0),
        Metric("extra_mb", "extra memory MB", 1, ratio=False),
        Metric("extra_share", "% of the data", 1, ratio=False),
        Metric("file_mb", "file MB", 1),
    ),
    "restart": (
        Metric("start_ms", "first reply ms", 0, short="first reply"),
        Metric("start_cpu_ms", "CPU ms until then", 0),
        Metric("cold_ms", "first reply ms, files not cached", 0, short="not cached"),
        Metric("stop_ms", "stop ms", 0, ratio=False),
        Metric("log_mb", "log MB", 1, ratio=False),
        Metric("recovered", "operations recovered", 0, ratio=False),
    ),
    "idle": (
        Metric("rss_per_connection", "RSS B/connection", 0),
        Metric("idle_cpu_ms", "CPU ms per s", 2, ratio=False),
    ),
}


#: How a baseline's name ends for servers whose names end otherwise.
_LIKE = {"native": "rdb", "lmdb": "everysec"}


@dataclass(frozen=True)
class Ratio:
    """Ratios of a server to the baseline: their median, smallest and largest."""

    middle: float
    low: float
    high: float

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{self.middle:.2f}"
        return f"{self.middle:.2f} ({self.low:.2f}-{self.high:.2f})"


def ratio(values: dict[int, float], baseline: dict[int, float]) -> Ratio | None:
    """Ratios within each round that both servers completed; None where there is none.

    Rounds are compared one by one because the machine's speed drifts: what slows one round
    slows all servers in it.
    """
    found = [values[n] / baseline[n] for n in values if baseline.get(n)]
    return Ratio(median(found), min(found), max(found)) if found else None


@dataclass(frozen=True)
class Table:
    """Rows of text under a header; the first two columns are names, the others figures."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def render(self, title: str) -> str:
        """The table in aligned columns, which Markdown reads too; ``title`` is its first line."""
        widths = [max(map(len, column)) for column in zip(self.header, *self.rows, strict=True)]
        rule = [f"{'-' * (width - 1)}{'-' if n < 2 else ':'}" for n, width in enumerate(widths)]
        lines = [_line(row, widths) for row in (self.header, rule, *self.rows)]
        return "\n".join([title, "", *lines])


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    pairs = enumerate(zip(row, widths, strict=True))
    cells = (cell.ljust(width) if n < 2 else cell.rjust(width) for n, (cell, width) in pairs)
    return f"| {' | '.join(cells)} |"


def table(part: str, measurements: Sequence[Measurement], baseline: str) -> Table:
    """A row for each load and server of a part: medians, then ratios to the baseline.

    What a server has no figure for stays empty; without a baseline there are no ratios. The last
    column of part durable has ratios to the same server without an append-only file.
    """
    metrics = METRICS[part]
    rated = [metric for metric in metrics if metric.ratio and baseline]
    header = ["load", "server", *(metric.heading for metric in metrics)]
    header += [f"x {metric.short or metric.heading.split()[0]}" for metric in rated]
    header += ["x own without"] if part == "durable" else []
    grouped: dict[str, dict[str, list[Measurement]]] = {}
    for one in measurements:
        if one.part == part:
            grouped.setdefault(one.load, {}).setdefault(one.server, []).append(one)
    rows = []
    for load, servers in grouped.items():
        for number, (server, runs) in enumerate(servers.items()):
            row = ["" if number else load, server]
            for metric in metrics:
                found = _values(runs, metric).values()
                row.append(f"{median(found):,.{metric.digits}f}" if found else "")
            reference = find_baseline(list(servers), baseline, server)
            row += [_compared(servers, server, reference, metric) for metric in rated]
            if part == "durable":
                row.append(_compared(servers, server, server.rpartition("-")[0], metrics[0]))
            rows.append(row)
    return Table(header, rows)


def _compared(
    servers: Mapping[str, Sequence[Measurement]], server: str, reference: str | None, metric: Metric
) -> str:
    """The ratios of a server to another; empty where there are none."""
    if reference is None or server == reference:
        return ""
    base = _values(servers.get(reference, []), metric)
    return str(ratio(_values(servers[server], metric), base) or "")


def _values(runs: Sequence[Measurement], metric: Metric) -> dict[int, float]:
    return {run.round: run.figures[metric.name] for run in runs if metric.name in run.figures}


def find_baseline(servers: Sequence[str], baseline: str, server: str = "") -> str | None:
    """The one of the servers that ratios refer to, by its name or how that begins.

    ``redis-server`` stands for ``redis-server-always`` where ``server`` ends in the same way (all
    snapshots are compared with ``rdb``), or where there is nothing closer.
    """
    ending = server.rpartition("-")[2]
    same = f"{baseline}-{_LIKE.get(ending, ending)}"
    if same in servers:
        return same
    if baseline in servers:
        return baseline
    return next((name for name in servers if name.startswith(f"{baseline}-")), None)
