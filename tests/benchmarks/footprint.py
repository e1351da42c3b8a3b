"""What keys take, by the growth of the process and by the server's account, and what comes back."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from .fillings import Filling, send_all
from .measure import Figures
from .servers import BenchmarkError, Client, Server, encode

#: Bytes of string values, and the most that all of one size take, about.
SIZES = (16, 64, 256, 1024, 4096, 16384)
TOTAL = 400_000_000
#: Keys of one DEL, and seconds after which nobody waits for memory any longer.
DELETED = 100
PATIENCE = 60.0


def keys_of(size: int, most: int) -> int:
    """How many keys with values of a size to store: round, at most so many."""
    return max(1000, min(most, TOTAL // (size + 150) // 1000 * 1000))


def strings(server: Server, keys: int, size: int) -> Figures:
    """Bytes per key of strings."""
    return memory(server, keys, partial(Client.fill, keys=keys, size=size))


def filled(server: Server, filling: Filling) -> Figures:
    """Bytes per key of what a filling stores."""
    return memory(server, filling.keys, partial(send_all, requests=filling.requests()))


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


def deletion(server: Server, keys: int, size: int) -> Figures:
    """What is left of the growth of both, in percent, once nine keys of ten are deleted."""
    rss, used = server.rss_bytes(), int(server.read_info()["used_memory"])
    with Client(server.port) as client:
        client.fill(keys, size)
        time.sleep(1.0)
        rss_growth = server.rss_bytes() - rss
        used_growth = int(server.read_info()["used_memory"]) - used
        names = [b"key:%012d" % number for number in range(keys) if number % 10]
        for start in range(0, len(names), DELETED):
            client.socket.sendall(encode(b"DEL", *names[start : start + DELETED]))
            client.skip_reply()
    began = time.monotonic()
    left = server.rss_bytes()
    while time.monotonic() - began < PATIENCE:
        time.sleep(5.0)
        before, left = left, server.rss_bytes()
        if left > 0.99 * before:
            break
    return {
        "used_left": (int(server.read_info()["used_memory"]) - used) / used_growth * 100,
        "rss_left": (left - rss) / rss_growth * 100,
        "seconds_to_shrink": time.monotonic() - began,
    }
