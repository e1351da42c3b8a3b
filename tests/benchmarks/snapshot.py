"""What clients notice of a snapshot of many keys, and what it takes: time, memory, disk."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from .measure import Figures, Load, Runner, lasting, probe, waiting_times
from .restart import VALUE_BYTES, store
from .servers import BenchmarkError, Client, Server, encode, parse_info

MB = 1 << 20
POLL_INTERVAL = 0.02
LONGEST_SECONDS = 120.0
#: How long clients are watched before, to tell their pauses from the snapshot's.
CALM_SECONDS = 1.0


class Watch(threading.Thread):
    """Watches from outside how much more memory a server and its children take."""

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self.process = process
        self.before = resident(process)
        self.most = 0
        self.ended = threading.Event()

    def __enter__(self) -> Watch:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.join()

    def run(self) -> None:
        while not self.ended.wait(POLL_INTERVAL):
            more = resident(self.process) - self.before
            more += sum(private(child) for child in children(self.process))
            self.most = max(self.most, more)


def resident(process: int) -> int:
    """Bytes that a process has in memory. (``smaps`` would be exact and would make it wait.)"""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def children(process: int) -> list[int]:
    """The processes that a process has started: a fork that saves."""
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{process}/task/{process}/children").read_text()
        return [int(word) for word in text.split()]
    return []


def private(process: int) -> int:
    """Bytes of a process that it shares with nobody: of a fork, what was copied on write."""
    with contextlib.suppress(OSError):  # it ended meanwhile
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))
    return 0


def snapshot(server: Server, keys: int, runner: Runner, writers: bool) -> Figures:
    """A BGSAVE of that many keys, with a client that pings every millisecond."""
    empty = resident(server.pid)
    store(server, keys)
    data = resident(server.pid) - empty
    ping = encode(b"PING")
    load = Load("set", 0, pipeline=1, size=VALUE_BYTES, keys=keys)
    with runner.background(server, load) if writers else contextlib.nullcontext():
        calm = probe(server.port, lasting(CALM_SECONDS), lambda: ping)
        with Watch(server.pid) as watch, Save(server) as save:
            waits = probe(server.port, lambda: not save.ended.is_set(), lambda: ping)
    if save.failure:
        raise BenchmarkError(save.failure)
    return waiting_times(waits) | {
        "calm_max_ms": calm[-1] * 1e3,
        "save_ms": save.seconds * 1e3,
        "extra_mb": watch.most / MB,
        "extra_share": watch.most / data * 100,
        "file_mb": file_bytes(server.home) / MB,
    }


class Save(threading.Thread):
    """A BGSAVE from its beginning to its end; a context manager."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self.port = server.port
        self.seconds = 0.0
        self.failure = ""
        self.ended = threading.Event()

    def __enter__(self) -> Save:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.join()

    def run(self) -> None:
        try:
            with Client(self.port) as client:
                began = time.monotonic()
                client.call("BGSAVE")
                for status in states(client):
                    self.seconds = time.monotonic() - began
                    if status.get("rdb_bgsave_in_progress") == "0":
                        if status.get("rdb_last_bgsave_status") != "ok":
                            self.failure = "BGSAVE failed"
                        return
                self.failure = f"BGSAVE took longer than {LONGEST_SECONDS:.0f} s"
        except (OSError, BenchmarkError) as error:
            self.failure = f"BGSAVE: {error}"
        finally:
            self.ended.set()


def states(client: Client) -> Iterator[dict[str, str]]:
    """INFO persistence, over and over."""
    end = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < end:
        time.sleep(POLL_INTERVAL)
        yield parse_info(client.call("INFO", "persistence").decode())


def file_bytes(folder: Path) -> int:
    """The size of the newest snapshot in a folder."""
    files = [path for path in folder.iterdir() if path.suffix in (".rdb", ".hcs")]
    if not files:
        raise BenchmarkError("BGSAVE has left no file")
    return max(files, key=lambda path: path.stat().st_mtime).stat().st_size
