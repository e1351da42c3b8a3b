"""What eviction costs: reads while a policy is active, and writes that each evict a key."""

from __future__ import annotations

from collections.abc import Iterator

from .measure import Figures, Load
from .servers import Client, Server

KEYS = 300_000
VALUE_BYTES = 64
#: Names out of so many are hardly ever there: each SET adds a key.
NEW = 1_000_000_000
#: More than all keys take, in percent: reads evict nothing.
ROOMY = 105


def loads(requests: int, pipelines: list[int]) -> Iterator[tuple[str, Load]]:
    """What is measured, in order, each with its label: reads first, as writes evict what they
    read."""
    for command, keys, text in (("get", KEYS, "policy active"), ("set", NEW, "each evicts a key")):
        for pipeline in pipelines:
            count = requests if pipeline == 1 else 3 * requests
            load = Load(command, count, pipeline, size=VALUE_BYTES, keys=keys)
            yield f"{command.upper()}, pipeline {pipeline}, {text}", load


def fill(server: Server) -> Figures:
    """Store all keys; no figures."""
    with Client(server.port) as client:
        client.fill(KEYS, VALUE_BYTES)
    return {}


def limit(server: Server, load: Load) -> Figures:
    """Let the data have just the memory that they take, unless nothing may be evicted: then there
    is no limit. No figures."""
    if server.spec.name.endswith("-noeviction"):
        return {}
    percent = ROOMY if load.command == "get" else 100
    used = int(server.read_info()["used_memory"])
    with Client(server.port) as client:
        client.call("CONFIG", "SET", "maxmemory", str(used * percent // 100))
    return {}
