"""Data larger than the memory: a server with a memory limit, filled far beyond it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from .limits import MemoryGroup
from .measure import Figures
from .servers import Client, Server
from .traffic import Traffic, drive, latencies, zipf_weights

#: How often the limit goes into the data.
TIMES = 4
VALUE_BYTES = 1_000
KEY_BYTES = 16
MB = 1 << 20

#: Without a filter before the store, and with it.
FILTER_RATES = ("no", "0.01")

Phase = tuple[str, Callable[[Server], Figures]]


class Residence(threading.Thread):
    """Watches what a server keeps in memory, from outside; a context manager."""

    INTERVAL = 0.05

    def __init__(self, server: Server, group: MemoryGroup) -> None:
        super().__init__(daemon=True)
        self.status = Path(f"/proc/{server.pid}/status")
        self.group = group
        self.most = {"rss_mb": 0.0, "anonymous_mb": 0.0, "group_mb": 0.0}
        self.ended = threading.Event()

    def __enter__(self) -> Residence:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.join()

    def run(self) -> None:
        while not self.ended.wait(self.INTERVAL):
            with contextlib.suppress(OSError):  # the process ended: its client will say so
                sizes = parse_status(self.status.read_text())
                sizes["group_mb"] = self.group.usage() / MB
                self.most = {name: max(size, self.most[name]) for name, size in sizes.items()}


def parse_status(text: str) -> Figures:
    """Resident and anonymous memory in MB out of ``/proc/PID/status``."""
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    names = {"rss_mb": "VmRSS", "anonymous_mb": "RssAnon"}
    return {name: int(fields[source].split()[0]) / 1024 for name, source in names.items()}


def major_faults(process: int) -> int:
    """How often a process had to wait for a page from the disk (proc(5), field 12 of stat)."""
    after_name = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2]
    return int(after_name.split()[9])


def disk_bytes(folder: Path) -> int:
    """What the files in a folder take on the disk, holes not counted."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def phases(group: MemoryGroup, limit: int, seconds: float) -> Iterator[Phase]:
    """What is measured, in order, on a server that was just started: each with its label."""
    keys = TIMES * limit // (KEY_BYTES + VALUE_BYTES)
    label = f"fill: {keys:,} keys of {KEY_BYTES} B, values of {VALUE_BYTES:,} B"
    yield label, partial(watched, group=group, load=partial(fill, keys=keys))
    for weights in (None, zipf_weights(keys)):
        for command in ("GET", "SET"):
            traffic = Traffic(command, keys, VALUE_BYTES, weights)
            load = partial(run, traffic=traffic, seconds=seconds)
            yield traffic.label, partial(watched, group=group, load=load)
    for rate in FILTER_RATES:
        traffic = Traffic("GET", keys, VALUE_BYTES, absent=True)
        load = partial(run_filtered, traffic=traffic, seconds=seconds, rate=rate)
        label = f"{traffic.label}, lookup-filter-error-rate {rate}"
        yield label, partial(watched, group=group, load=load)


def fill(server: Server, keys: int) -> tuple[int, Figures]:
    """Store all keys; how many, and how fast."""
    began = time.perf_counter()
    with Client(server.port) as client:
        client.fill(keys, VALUE_BYTES)
    return keys, {"rps": keys / (time.perf_counter() - began)}


def run(server: Server, traffic: Traffic, seconds: float) -> tuple[int, Figures]:
    """Send traffic; how many requests, and how they fared."""
    took = drive(server.port, traffic, seconds)
    return len(took), latencies(took, seconds)


def run_filtered(
    server: Server, traffic: Traffic, seconds: float, rate: str
) -> tuple[int, Figures]:
    """Send traffic once the filter before the store is as it should be."""
    with Client(server.port) as client:
        client.call("CONFIG", "SET", "lookup-filter-error-rate", rate)
    while building(server):
        time.sleep(0.5)
    return run(server, traffic, seconds)


def building(server: Server) -> bool:
    """Whether there is a filter that does not know all keys yet."""
    known = server.read_info()
    parts = "lookup_filter_segments"
    return known.get(f"{parts}_built", "0") != known.get(parts, "0")


def watched(
    server: Server, group: MemoryGroup, load: Callable[[Server], tuple[int, Figures]]
) -> Figures:
    """The figures of a load, with what the server took meanwhile."""
    cpu, faults = server.cpu_seconds(), major_faults(server.pid)
    with Residence(server, group) as residence:
        requests, figures = load(server)
    figures["cpu_us"] = (server.cpu_seconds() - cpu) / requests * 1e6
    figures["faults"] = (major_faults(server.pid) - faults) / requests
    figures["file_mb"] = disk_bytes(server.home) / MB
    return figures | residence.most
