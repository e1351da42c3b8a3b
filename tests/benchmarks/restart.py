"""How long a server that has data takes from its start to its first reply."""

from __future__ import annotations

import base64
import os
import random
import time
from pathlib import Path

from .measure import Figures, Informed, Load, Runner
from .servers import FILL_BATCH, BenchmarkError, Client, Server, encode

VALUE_BYTES = 64
MB = 1 << 20
#: A log counts as full when it is as long as this share of the longest it has been.
FULL = 0.9
WATCH_SECONDS = 20.0
WATCH_INTERVAL = 0.01


def after_stop(server: Server, keys: int) -> Figures:
    """Fill, stop in order, start; then the same with nothing of the files in memory."""
    store(server, keys)
    began = time.perf_counter()
    server.stop()
    figures = {"stop_ms": (time.perf_counter() - began) * 1e3}
    figures |= start_again(server, keys)
    server.stop()
    forget(server.home)
    return figures | {"cold_ms": start_again(server, keys)["start_ms"]}


def after_kill(server: Server, keys: int, runner: Runner) -> Figures:
    """Fill, kill in the middle of writing with as long a log as it gets, start; the same again.

    Killing a process leaves its files in memory; so before the second start they are removed
    from there, as if the machine had failed.
    """
    store(server, keys)
    figures = {"log_mb": write_and_kill(server, keys, runner) / MB}
    figures |= start_again(server, keys)
    write_and_kill(server, keys, runner)
    forget(server.home)
    return figures | {"cold_ms": start_again(server, keys)["start_ms"]}


def write_and_kill(server: Server, keys: int, runner: Runner) -> int:
    """Kill a server under load; how long its log was."""
    load = Load("set", 0, pipeline=16, size=VALUE_BYTES, keys=keys)
    with runner.background(server, load, may_end=True):
        size = wait_for_full_log(server)
        server.kill()
    return size


def store(server: Server, keys: int) -> None:
    """Fill an empty server, and let it finish what it puts off.

    Keys are named as redis-benchmark names them; values can hardly be compressed.
    """
    chance = random.Random(keys)
    with Client(server.port) as client:
        for start in range(0, keys, FILL_BATCH):
            batch = range(start, min(start + FILL_BATCH, keys))
            requests = [encode(b"SET", b"key:%012d" % n, value(chance)) for n in batch]
            client.socket.sendall(b"".join(requests))
            expected = b"+OK\r\n" * len(batch)
            if client.replies.read(len(expected)) != expected:
                raise BenchmarkError("SET was refused while the keys were stored")
    server.settle()


def value(chance: random.Random) -> bytes:
    """A value's bytes, as text."""
    return base64.b64encode(chance.randbytes(VALUE_BYTES * 3 // 4))


def log_bytes(server: Informed) -> int:
    """The length of what a crash would leave to be read; 0 if the server does not tell."""
    info = server.read_info()
    return int(info.get("lmdb_log_bytes") or info.get("aof_current_size") or 0)


def wait_for_full_log(server: Informed) -> int:
    """Watch the log grow until it has shrunk once and is nearly as long again; its length.

    A log that does not shrink in `WATCH_SECONDS` is as full as it gets.
    """
    size = longest = 0
    shrunk = False
    deadline = time.monotonic() + WATCH_SECONDS
    while time.monotonic() < deadline:
        before, size = size, log_bytes(server)
        shrunk = shrunk or size < before
        if shrunk and size >= FULL * longest:
            break
        longest = max(longest, size)
        time.sleep(WATCH_INTERVAL)
    return size


def start_again(server: Server, keys: int) -> Figures:
    """Start a server that has ended.

    Raises:
        BenchmarkError: it does not have all keys.
    """
    server.start()
    figures = {"start_ms": server.start_seconds * 1e3, "start_cpu_ms": server.cpu_seconds() * 1e3}
    if "lmdb_recovered_operations" in server.info:
        figures["recovered"] = float(server.info["lmdb_recovered_operations"])
    with Client(server.port) as client:
        stored = int(client.call("DBSIZE"))
        value = client.call("GET", f"key:{keys // 2:012d}")
    if stored != keys or len(value) != VALUE_BYTES:
        raise BenchmarkError(f"{stored} keys after a restart, not {keys}")
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
