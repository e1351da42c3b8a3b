"""The servers that have a short name, and which of them each part measures."""

from __future__ import annotations

import argparse
import shlex
import shutil
from collections.abc import Iterator

from .results import find_baseline
from .servers import BenchmarkError, ServerSpec

POLICIES = ("always", "everysec", "no")
#: Eviction policies, of ours and of redis-server.
EVICTIONS = {
    "compiled": (
        *("noeviction", "allkeys-lru", "allkeys-lfu", "allkeys-random"),
        *("allkeys-sieve", "allkeys-s3-fifo", "allkeys-w-tinylfu"),
    ),
    "redis-server": ("noeviction", "allkeys-lru", "allkeys-lfu"),
}
#: May be missing where nobody asked for it.
OPTIONAL = "valkey-server"

_PLAIN = ("compiled", "interpreted", "redis-server", OPTIONAL)
_SYNCED = tuple(f"{name}-{p}" for p in POLICIES for name in ("redis-server", "compiled-lmdb"))
#: What is measured in a part, unless the command line says otherwise.
_SERVERS = {
    "sizes": (*_PLAIN, "compiled-lmdb"),
    "backends": ("compiled", "compiled-lmdb"),
    "sync": _SYNCED,
    "readers": _SYNCED,
    "larger": ("compiled-lmdb",),
    "durable": (
        *("redis-server", "redis-server-everysec", "redis-server-always"),
        *("compiled", "compiled-everysec", "compiled-always"),
    ),
    "eviction": tuple(f"{name}-{each}" for name in EVICTIONS for each in EVICTIONS[name]),
    "snapshot": ("redis-server-rdb", "compiled-rdb", "compiled-native"),
    "restart": (
        *("redis-server-rdb", "compiled-rdb", "compiled-native"),
        *("redis-server-everysec", "compiled-everysec", "compiled-lmdb"),
        *("redis-server-commands", "compiled-commands"),
    ),
}
#: What its ratios refer to, if not to redis-server; larger has none.
_BASELINES = {"backends": "compiled", "larger": "", "eviction": "compiled-noeviction"}


def known_servers(options: argparse.Namespace) -> dict[str, ServerSpec]:
    """The servers that have a short name, whether they are installed or not.

    Those that end in a policy write to the disk, as safely as it says; of those that end in
    ``commands`` the append-only file is never rewritten. Those that end in ``rdb`` and ``native``
    have snapshots, those that end in an eviction policy have that.
    """
    limit = str(options.connections + 1_000)
    ours = ("serve", "--port", "{port}", "--set", f"maxclients={limit}")
    plain = ("--port", "{port}", "--save", "", "--maxclients", limit)
    lmdb = (options.compiled, *ours, "--backend", "lmdb")
    memory_claims = {"hypercache_compiled": "1", "hypercache_backend": "memory"}
    lmdb_claims = {"hypercache_compiled": "1", "hypercache_backend": "lmdb"}
    specs = [
        ServerSpec("compiled", (options.compiled, *ours), memory_claims),
        ServerSpec("interpreted", (options.interpreted, *ours), {"hypercache_compiled": "0"}),
        ServerSpec("redis-server", ("redis-server", *plain, "--appendonly", "no")),
        ServerSpec("valkey-server", ("valkey-server", *plain, "--appendonly", "no")),
        ServerSpec("compiled-lmdb", lmdb, lmdb_claims),
    ]
    specs += _files((options.compiled, *ours), ("redis-server", *plain))
    specs += _evicting((options.compiled, *ours), ("redis-server", *plain))
    for policy in POLICIES:
        synced = (*lmdb, "--backend-settings.sync", policy)
        specs.append(ServerSpec(f"compiled-lmdb-{policy}", synced, lmdb_claims))
    return {spec.name: spec for spec in specs}


def _files(ours: tuple[str, ...], redis: tuple[str, ...]) -> Iterator[ServerSpec]:
    """Servers that keep keys in memory and write them to files."""
    # So rare that none comes by itself; but there is one at the end.
    saving = ("--save", "86400 1")
    claims = {"hypercache_compiled": "1"}
    yield ServerSpec("redis-server-rdb", (*redis, *saving))
    yield ServerSpec("compiled-rdb", (*ours, *saving, "--snapshot-format", "rdb"), claims)
    yield ServerSpec("compiled-native", (*ours, *saving), claims)
    for name in (*POLICIES, "commands"):
        appending: tuple[str, ...] = ("--appendonly", "yes", "--appendfsync", name)
        if name == "commands":  # never rewritten
            appending = ("--appendonly", "yes", "--auto-aof-rewrite-percentage", "0")
        appended = {"aof_enabled": "1"}
        yield ServerSpec(f"redis-server-{name}", (*redis, *appending), appended)
        yield ServerSpec(f"compiled-{name}", (*ours, "--save", "", *appending), claims | appended)


def _evicting(ours: tuple[str, ...], redis: tuple[str, ...]) -> Iterator[ServerSpec]:
    """Servers with an eviction policy, and no limit yet."""
    for name, command in (("compiled", (*ours, "--save", "")), ("redis-server", redis)):
        claims = {"hypercache_compiled": "1"} if name == "compiled" else {}
        for policy in EVICTIONS[name]:
            given = (*command, "--maxmemory-policy", policy)
            yield ServerSpec(f"{name}-{policy}", given, claims | {"maxmemory_policy": policy})


def baseline_of(part: str, options: argparse.Namespace) -> str:
    """The server that the ratios of a part refer to, or how its name begins; empty for none."""
    return str(options.baseline or _BASELINES.get(part, "redis-server"))


def chosen_servers(part: str, options: argparse.Namespace) -> list[ServerSpec]:
    """The servers to measure in a part, the baseline among them.

    Raises:
        BenchmarkError: a program is missing (only valkey-server may be), or a name unknown.
    """
    known = known_servers(options)
    specs = []
    for text in options.servers or _SERVERS.get(part, _PLAIN):
        name, given, command = text.partition("=")
        if not given and name not in known:
            raise BenchmarkError(f"{name} is none of {', '.join(known)}; give {name}=COMMAND")
        spec = ServerSpec(name, tuple(shlex.split(command))) if given else known[name]
        if not spec.command or not shutil.which(spec.command[0]):
            if name == OPTIONAL and not options.servers:
                continue
            raise BenchmarkError(f"{name}: no program {spec.command[0] if spec.command else ''!r}")
        specs.append(spec)
    baseline = baseline_of(part, options)
    if baseline and find_baseline([spec.name for spec in specs], baseline) is None:
        raise BenchmarkError(f"the baseline {baseline} is not among the servers")
    return specs
