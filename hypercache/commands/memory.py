# mypyc: interpreted
"""MEMORY: what keys and the server take."""

import gc

from hypercache.commands.arguments import SYNTAX_ERROR, parse_integer
from hypercache.engine.allocator import give_back
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.engine.doctor import diagnosis
from hypercache.engine.gauge import LEVELS
from hypercache.engine.information import fields_of_plugins
from hypercache.engine.usage import MemoryUsage, share
from hypercache.reply import OK, ErrorReply, Reply, Verbatim

# Elements that MEMORY PURGE lets the backend free in one step.
_SLICE = 65536


@command(
    "MEMORY USAGE key [SAMPLES count:integer]",
    container="MEMORY",
    group="server",
    since="4.0.0",
    complexity="O(1)",
    flags="readonly",
    keys="RO",
    summary="Return the bytes that a key, its value and their bookkeeping take.",
)
def memory_usage(context: Context, args: list[bytes]) -> Reply:
    """Nothing is sampled: the store accounts for every byte; the option is only checked."""
    at = 3
    while at < len(args):
        if args[at].lower() != b"samples" or at + 1 == len(args) or parse_integer(args[at + 1]) < 0:
            raise ErrorReply(SYNTAX_ERROR)
        at += 2
    db = context.db
    return None if db.find(args[2]) is None else db.store.memory_of(args[2])


@command(
    "MEMORY STATS",
    container="MEMORY",
    group="server",
    since="4.0.0",
    complexity="O(1)",
    tips="nondeterministic_output request_policy:all_shards response_policy:special",
    summary="Return what memory is used for.",
)
def memory_stats(context: Context, args: list[bytes]) -> Reply:
    """All of it but the data is beside ``total.allocated``, which maxmemory limits."""
    engine = context.engine
    usage = MemoryUsage(engine)
    plugins = fields_of_plugins(engine, "memory")
    count = sum([each.store.size() for each in engine.keyspaces])
    reply: dict[object, object] = {
        b"peak.allocated": usage.peak,
        b"total.allocated": usage.used,
        b"startup.allocated": 0,
        b"replication.backlog": 0,
        b"clients.slaves": 0,
        b"clients.normal": usage.clients,
        b"cluster.links": 0,
        b"aof.buffer": 0,
        b"lua.caches": plugins.get("used_memory_scripts_eval", 0),
        b"functions.caches": plugins.get("used_memory_functions", 0),
    }
    for index, (keys, deadlines) in usage.overheads.items():
        reply[b"db.%d" % index] = {
            b"overhead.hashtable.main": keys,
            b"overhead.hashtable.expires": deadlines,
            b"overhead.hashtable.slot-to-keys": 0,
        }
    reply[b"overhead.total"] = usage.overhead
    reply[b"keys.count"] = count
    reply[b"keys.bytes-per-key"] = usage.used // count if count else 0
    reply[b"dataset.bytes"] = usage.dataset
    reply[b"dataset.percentage"] = share(usage.dataset, usage.used)
    reply[b"peak.percentage"] = share(usage.used, usage.peak)
    reply[b"allocator.allocated"] = usage.accounted
    reply[b"allocator.active"] = usage.resident
    reply[b"allocator.resident"] = usage.resident
    reply[b"allocator-fragmentation.ratio"] = usage.fragmentation()
    reply[b"allocator-fragmentation.bytes"] = usage.unaccounted()
    reply[b"allocator-rss.ratio"] = 1.0
    reply[b"allocator-rss.bytes"] = 0
    reply[b"rss-overhead.ratio"] = 1.0
    reply[b"rss-overhead.bytes"] = 0
    reply[b"fragmentation"] = usage.fragmentation()
    reply[b"fragmentation.bytes"] = usage.unaccounted()
    pressure = engine.pressure
    reply[b"limit"] = int(engine.memory.limit)
    reply[b"process.limit"] = int(pressure.process.limit)
    reply[b"process.resident"] = usage.resident
    reply[b"container.limit"] = pressure.container
    reply[b"pressure.level"] = LEVELS[pressure.level()].encode()
    return reply


@command(
    "MEMORY DOCTOR",
    container="MEMORY",
    group="server",
    since="4.0.0",
    complexity="O(1)",
    tips="nondeterministic_output request_policy:all_shards response_policy:special",
    summary="Say in words whether memory is used as it should be.",
)
def memory_doctor(context: Context, args: list[bytes]) -> Reply:
    return Verbatim(diagnosis(context.engine).encode())


@command(
    "MEMORY MALLOC-STATS",
    container="MEMORY",
    group="server",
    since="4.0.0",
    complexity="Depends on how much memory is allocated, could be slow",
    tips="nondeterministic_output request_policy:all_shards response_policy:special",
    summary="Return the allocator's own statistics, where it has any.",
)
def memory_malloc_stats(context: Context, args: list[bytes]) -> Reply:
    return b"Stats not supported for the current allocator"


@command(
    "MEMORY PURGE",
    container="MEMORY",
    group="server",
    since="4.0.0",
    complexity="Depends on how much memory is allocated, could be slow",
    tips="request_policy:all_shards response_policy:all_succeeded",
    summary="Free what was removed, and give free memory back to the system.",
)
def memory_purge(context: Context, args: list[bytes]) -> Reply:
    while context.engine.backend.reclaim(_SLICE):
        pass
    gc.collect()
    give_back()
    return OK
