"""Which loads of redis-benchmark the parts consist of."""

from __future__ import annotations

import argparse

from .defaults import default_loads
from .measure import KEYS, Load

LARGE_SIZES = (1024, 16 * 1024)
FILL_BYTES = 64 * 1024 * 1024
LISTENERS = 100
MANY = 16  # the pipeline where the parts speak of throughput

#: Parts whose loads run on the same servers, one after another.
GROUPS = (
    ("commands", "clients", "latency", "values", "scripts", "defaults"),
    ("pubsub",),
    ("backends",),
    ("sync", "readers"),
    ("durable",),
)


def plan(options: argparse.Namespace) -> list[tuple[str, Load]]:
    """The loads of the parts that run redis-benchmark, in the order of their value size."""
    few, many = options.clients, options.many_clients
    pairs = [word for word in ("set", "get") if word in options.only]

    def load(command: str, pipeline: int, clients: int, size: int = 64) -> Load:
        requests = options.requests * min(pipeline, 5)
        if command == "mset" or size > 4096:
            requests //= 5
        keys = min(KEYS, FILL_BYTES // size)
        return Load(command, whole(requests, pipeline, clients), pipeline, clients, size, keys)

    def stored(command: str, pipeline: int, policy: str = "") -> Load:
        """Of as many keys as a store on disk is measured with."""
        requests = whole(options.requests * min(pipeline, 5), pipeline, few)
        return Load(command, requests, pipeline, few, keys=options.keys, policy=policy)

    def published(pipeline: int) -> Load:
        """Each message reaches many, so that fewer take as long."""
        requests = whole(options.requests * min(pipeline, 5) // 5, pipeline, few)
        return Load("publish", requests, pipeline, few, keys=1, listeners=LISTENERS)

    def synced(policy: str) -> Load:
        # Where every request waits for the disk, fewer take as long.
        requests = options.requests // (5 if policy == "always" else 1)
        return Load("set", whole(requests, 1, few), clients=few, policy=policy)

    loads = {
        "commands": [load(word, p, few) for word in options.only for p in options.pipelines],
        "clients": [load(word, 1, many) for word in pairs],
        "latency": [load("set", MANY, few)],
        "values": [load(word, 1, few, size) for size in LARGE_SIZES for word in pairs],
        "defaults": default_loads(options.requests, few),
        "scripts": [load("eval", pipeline, few) for pipeline in (1, MANY)],
        "pubsub": [published(pipeline) for pipeline in (1, MANY)],
        "backends": [stored(word, pipeline) for pipeline in (MANY, 1) for word in pairs],
        "sync": [synced(policy) for policy in ("always", "everysec", "no")],
        "durable": [load("set", pipeline, few) for pipeline in (1, MANY)],
        "readers": [synced("always"), stored("set", MANY, "everysec")],
    }
    return [(part, one) for part in loads if part in options.parts for one in loads[part]]


def whole(requests: int, pipeline: int, clients: int) -> int:
    """A whole number of pipelines for every client: then exactly so many requests are sent."""
    return max(requests // (pipeline * clients), 1) * pipeline * clients
