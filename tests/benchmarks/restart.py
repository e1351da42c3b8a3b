"""How long a server that has data takes from its start to its first reply."""

from __future__ import annotations

import os
import time
from pathlib import Path

from .measure import Figures, Load, Runner
from .servers import BenchmarkError, Client, Server

VALUE_BYTES = 64
MB = 1 << 20
#: A log counts as full when it is as long as this share of the longest it has been.
FULL = 0.9
WATCH_SECONDS = 20.0
WATCH_INTERVAL = 0.01


def after_stop(server: Server, keys: int) -> Figures:
    """Fill, stop in order, start."""
    store(server, keys)
    began = time.perf_counter()
    server.stop()
    took = time.perf_counter() - began
    return start_again(server, keys) | {"stop_ms": took * 1e3}


def after_kill(server: Server, keys: int, runner: Runner) -> Figures:
    """Fill, kill in the middle of writing, with as long a log as it gets; start."""
    store(server, keys)
    load = Load("set", 0, pipeline=16, size=VALUE_BYTES, keys=keys)
    with runner.background(server, load, may_end=True):
        size = wait_for_full_log(server)
        server.kill()
    return start_again(server, keys) | {"log_mb": size / MB}


def store(server: Server, keys: int) -> None:
    """Fill an empty server, and let it finish what it puts off."""
    with Client(server.port) as client:
        client.fill(keys, VALUE_BYTES)
    server.settle()


def log_bytes(server: Server) -> int:
    """The length of what a crash would leave to be read; 0 if the server does not tell."""
    info = server.read_info()
    return int(info.get("lmdb_log_bytes") or info.get("aof_current_size") or 0)


def wait_for_full_log(server: Server) -> int:
    """Watch the log grow until it has shrunk once and is nearly as long again; its length.

    A log that does not shrink in `WATCH_SECONDS` is as full as it gets.
    """
    longest = before = 0
    shrunk = False
    deadline = time.monotonic() + WATCH_SECONDS
    while time.monotonic() < deadline:
        size = log_bytes(server)
        shrunk = shrunk or size < before
        if shrunk and size >= FULL * longest:
            break
        longest, before = max(longest, size), size
        time.sleep(WATCH_INTERVAL)
    return before


def start_again(server: Server, keys: int) -> Figures:
    """Start a server that has ended, with nothing of its files in the system's cache.

    Raises:
        BenchmarkError: it does not have all keys.
    """
    forget(server.home)
    server.start()
    info = server.read_info()
    with Client(server.port) as client:
        stored = int(client.call("DBSIZE"))
        value = client.call("GET", f"key:{keys // 2:012d}")
    if stored != keys or len(value) != VALUE_BYTES:
        raise BenchmarkError(f"{stored} keys after a restart, not {keys}")
    figures = {"start_ms": server.start_seconds * 1e3}
    if "lmdb_recovered_operations" in info:
        figures["recovered"] = float(info["lmdb_recovered_operations"])
    return figures


def forget(folder: Path) -> None:
    """Have the system write the files of a folder to the disk and drop them from its cache."""
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDWR)
            try:
                os.fsync(descriptor)
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)
