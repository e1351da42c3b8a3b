# mypyc: interpreted
"""What INFO says, section by section: names and values in Redis' words.

Fields of things that this server does not have are shown where clients and monitoring are
known to read them and zero is true (no fork: none counted); others are left out.
"""

import os
import platform
import resource
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from hypercache import __version__
from hypercache.backend import NO_EXPIRE
from hypercache.engine import session
from hypercache.engine.backend_information import LAZY_FREE, backend
from hypercache.engine.buffers import ClientBuffers
from hypercache.engine.persistence_information import persistence
from hypercache.engine.usage import MemoryUsage, human, share, total_system_memory

if TYPE_CHECKING:
    from hypercache.engine.command import Command
    from hypercache.engine.engine import Engine
    from hypercache.engine.stores import Store
    from hypercache.keyspace.keyspace import Keyspace

#: The version of Redis whose behaviour this server has.
REDIS_VERSION: Final = "7.2.6"

Fields = dict[str, object]
Section = Callable[["Engine"], Fields]

# Keys that are looked at to tell the mean time to live of a database.
_TTL_SAMPLES: Final = 16
_MAX_LRU_CLOCK: Final = (1 << 24) - 1
# Names and codes that come from outside must not break the lines of INFO.
_UNSAFE: Final = str.maketrans("#:\n\r", "____")

_NO_SCRIPTS: Final = (
    "used_memory_lua used_memory_vm_eval used_memory_scripts_eval number_of_cached_scripts "
    "number_of_functions number_of_libraries used_memory_vm_functions used_memory_vm_total "
    "used_memory_functions used_memory_scripts mem_replication_backlog "
    "mem_total_replication_buffers mem_clients_slaves mem_cluster_links mem_aof_buffer "
    "mem_not_counted_for_evict active_defrag_running lazyfree_pending_objects "
    "lazyfreed_objects"
)
_NOTHING_COUNTED: Final = (
    "total_net_repl_input_bytes total_net_repl_output_bytes sync_full sync_partial_ok "
    "sync_partial_err "
    "latest_fork_usec total_forks migrate_cached_sockets slave_expires_tracked_keys "
    "active_defrag_hits active_defrag_misses active_defrag_key_hits active_defrag_key_misses "
    "total_active_defrag_time current_active_defrag_time unexpected_error_replies "
    "dump_payload_sanitizations io_threaded_reads_processed io_threaded_writes_processed "
    "reply_buffer_shrinks reply_buffer_expands"
)


def is_compiled() -> bool:
    """Whether the hot modules run compiled by mypyc."""
    return not str(session.__file__).endswith(".py")


def fields_of_plugins(engine: "Engine", section: str) -> Fields:
    """What plugins add to a section."""
    fields: Fields = {}
    for each in list(engine.information.get(section, ())):
        fields.update(each())
    return fields


def zeros(names: str) -> Fields:
    """These fields, separated by spaces, all zero."""
    return dict.fromkeys(names.split(), 0)


def server(engine: "Engine") -> Fields:
    """What runs here, and since when."""
    settings = engine.configuration.settings
    uptime = (engine.time - engine.started) // 1_000_000
    system = os.uname()
    fields: Fields = {
        "redis_version": REDIS_VERSION,
        "redis_git_sha1": "00000000",
        "redis_git_dirty": 0,
        "redis_build_id": "0000000000000000",
        "redis_mode": "standalone",
        "os": f"{system.sysname} {system.release} {system.machine}",
        "arch_bits": 64 if sys.maxsize > 2**32 else 32,
        "monotonic_clock": "POSIX clock_gettime",
        "multiplexing_api": "epoll",
        "process_id": os.getpid(),
        "process_supervised": "no",
        "run_id": engine.statistics.run_id,
        "tcp_port": settings.port or settings.tls_port,
        "server_time_usec": engine.time,
        "uptime_in_seconds": uptime,
        "uptime_in_days": uptime // 86400,
        "hz": settings.hz,
        "configured_hz": settings.hz,
        "lru_clock": (engine.time // 1_000_000) & _MAX_LRU_CLOCK,
        "executable": os.path.abspath(sys.argv[0]),  # noqa: PTH100 - links are not followed
        "config_file": engine.configuration.file or "",
        "io_threads_active": 0,
        "hypercache_version": __version__,
        "hypercache_compiled": int(is_compiled()),
        "hypercache_backend": engine.backend.name,
        "hypercache_python": platform.python_version(),
    }
    for number, text in enumerate(listeners(engine)):
        fields[f"listener{number}"] = text
    return fields


def listeners(engine: "Engine") -> list[str]:
    """Where the server listens, as the settings have it."""
    settings = engine.configuration.settings
    places = "".join([f",bind={place}" for place in settings.bind])
    found = []
    if settings.port:
        found.append(f"name=tcp{places},port={settings.port}")
    if settings.unixsocket:
        found.append(f"name=unix,bind={settings.unixsocket}")
    if settings.tls_port:
        found.append(f"name=tls{places},port={settings.tls_port}")
    return found


def clients(engine: "Engine") -> Fields:
    """Who is connected."""
    buffers = ClientBuffers(engine.sessions)
    return {
        "connected_clients": len(engine.sessions),
        "cluster_connections": 0,
        "maxclients": engine.configuration.settings.maxclients,
        "client_recent_max_input_buffer": buffers.largest_input,
        "client_recent_max_output_buffer": buffers.largest_output,
        "blocked_clients": len(engine.waits.parked),
        "tracking_clients": len(engine.tracking.clients),
        "clients_in_timeout_table": len(
            [parked for parked in engine.waits.parked.values() if parked.wait.deadline > 0]
        ),
        "total_blocking_keys": len(engine.blocked),
        "total_blocking_keys_on_nokey": engine.blocked.lossy(),
    }


def memory(engine: "Engine") -> Fields:
    """How much memory is used, and what for."""
    usage = MemoryUsage(engine)
    settings = engine.configuration.settings
    total = total_system_memory()
    ratio = f"{usage.fragmentation():.2f}"
    fields: Fields = {
        "used_memory": usage.used,
        "used_memory_human": human(usage.used),
        "used_memory_rss": usage.resident,
        "used_memory_rss_human": human(usage.resident),
        "used_memory_peak": usage.peak,
        "used_memory_peak_human": human(usage.peak),
        "used_memory_peak_perc": f"{share(usage.used, usage.peak):.2f}%",
        "used_memory_overhead": usage.overhead,
        "used_memory_startup": 0,
        "used_memory_dataset": usage.dataset,
        "used_memory_dataset_perc": f"{share(usage.dataset, usage.used):.2f}%",
        "allocator_allocated": usage.accounted,
        "allocator_active": usage.resident,
        "allocator_resident": usage.resident,
        "total_system_memory": total,
        "total_system_memory_human": human(total),
        "used_memory_lua_human": human(0),
        "used_memory_vm_total_human": human(0),
        "used_memory_scripts_human": human(0),
        "maxmemory": settings.maxmemory,
        "maxmemory_human": human(settings.maxmemory),
        "maxmemory_policy": settings.maxmemory_policy,
        "allocator_frag_ratio": ratio,
        "allocator_frag_bytes": usage.unaccounted(),
        "allocator_rss_ratio": "1.00",
        "allocator_rss_bytes": 0,
        "rss_overhead_ratio": "1.00",
        "rss_overhead_bytes": 0,
        "mem_fragmentation_ratio": ratio,
        "mem_fragmentation_bytes": usage.unaccounted(),
        "mem_clients_normal": usage.clients,
        "mem_allocator": "pymalloc",
        "hypercache_base_memory": usage.base,
    }
    fields.update(engine.pressure.describe())
    fields.update(zeros(_NO_SCRIPTS))
    for name, value in engine.backend.statistics().items():
        if name in LAZY_FREE:
            fields[name] = value
            if name == "lazyfreed_objects":
                fields[name] = value - engine.statistics.reclaimed_before
    return fields


def stats(engine: "Engine") -> Fields:
    """What has happened since the start or CONFIG RESETSTAT."""
    statistics = engine.statistics
    changes = engine.changes
    cycles = statistics.cycles.mean()
    exceeded, exceeded_now = engine.eviction.exceeded()
    fields: Fields = {
        "total_connections_received": engine.counters.connections,
        "total_commands_processed": engine.counters.commands,
        "instantaneous_ops_per_sec": statistics.commands.mean(),
        "total_net_input_bytes": engine.counters.bytes_in,
        "total_net_output_bytes": engine.counters.bytes_out,
        "instantaneous_input_kbps": f"{statistics.bytes_in.mean() / 1024:.2f}",
        "instantaneous_output_kbps": f"{statistics.bytes_out.mean() / 1024:.2f}",
        "instantaneous_input_repl_kbps": "0.00",
        "instantaneous_output_repl_kbps": "0.00",
        "total_reads_processed": engine.counters.reads,
        "total_writes_processed": engine.counters.writes,
        "rejected_connections": engine.counters.rejected_connections,
        "expired_keys": changes.expired,
        "expired_subkeys": changes.expired_fields,
        "expired_stale_perc": "0.00",
        "expired_time_cap_reached_count": engine.counters.expire_time_caps,
        "expire_cycle_cpu_milliseconds": engine.counters.expire_microseconds // 1000,
        "keyspace_hits": changes.hits,
        "keyspace_misses": changes.misses,
        "total_error_replies": engine.counters.error_replies,
        "evicted_keys": engine.eviction.evicted(),
        "evicted_clients": engine.counters.evicted_clients,
        "total_eviction_exceeded_time": exceeded,
        "current_eviction_exceeded_time": exceeded_now,
        "tracking_total_keys": len(engine.tracking.table),
        "tracking_total_items": engine.tracking.table.items,
        "tracking_total_prefixes": len(engine.tracking.prefixes),
        "pubsub_channels": len(engine.pubsub.channels),
        "pubsub_patterns": len(engine.pubsub.patterns),
        "pubsubshard_channels": len(engine.pubsub.shard_channels),
        "client_query_buffer_limit_disconnections": engine.counters.query_limit_disconnections,
        "client_output_buffer_limit_disconnections": engine.counters.output_limit_disconnections,
        "eventloop_cycles": engine.counters.cycles,
        "eventloop_duration_sum": statistics.loop_work(),
        "eventloop_duration_cmd_sum": sum([each.microseconds for each in engine.registry.every()]),
        "instantaneous_eventloop_cycles_per_sec": cycles,
        "instantaneous_eventloop_duration_usec": statistics.work.mean() // max(cycles, 1),
        "acl_access_denied_auth": engine.counters.denied_logins,
        "acl_access_denied_cmd": engine.counters.denied_commands,
        "acl_access_denied_key": engine.counters.denied_keys,
        "acl_access_denied_channel": engine.counters.denied_channels,
    }
    fields.update(zeros(_NOTHING_COUNTED))
    return fields


def replication(engine: "Engine") -> Fields:
    """A primary without replicas."""
    return {
        "role": "master",
        "connected_slaves": 0,
        "master_failover_state": "no-failover",
        "master_replid": engine.statistics.replication_id,
        "master_replid2": "0" * 40,
        "master_repl_offset": engine.journal.offset,
        "second_repl_offset": -1,
        "repl_backlog_active": 0,
        "repl_backlog_size": engine.configuration.settings.repl_backlog_size,
        "repl_backlog_first_byte_offset": 0,
        "repl_backlog_histlen": 0,
    }


def cpu(engine: "Engine") -> Fields:
    """Seconds of processor time."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    fields: Fields = {
        "used_cpu_sys": f"{own.ru_stime:.6f}",
        "used_cpu_user": f"{own.ru_utime:.6f}",
        "used_cpu_sys_children": f"{children.ru_stime:.6f}",
        "used_cpu_user_children": f"{children.ru_utime:.6f}",
    }
    if sys.platform == "linux":
        thread = resource.getrusage(resource.RUSAGE_THREAD)
        fields["used_cpu_sys_main_thread"] = f"{thread.ru_stime:.6f}"
        fields["used_cpu_user_main_thread"] = f"{thread.ru_utime:.6f}"
    return fields


def modules(engine: "Engine") -> Fields:
    """Native modules cannot be loaded; plugins have sections of their own."""
    return {}


def commandstats(engine: "Engine") -> Fields:
    """Calls of each command that was called."""
    fields: Fields = {}
    for each in engine.registry.every():
        if each.calls or each.failed_calls or each.rejected_calls:
            mean = int(each.microseconds) / int(each.calls) if each.calls else 0.0
            fields[f"cmdstat_{shown(each)}"] = (
                f"calls={each.calls},usec={each.microseconds},usec_per_call={mean:.2f}"
                f",rejected_calls={each.rejected_calls},failed_calls={each.failed_calls}"
            )
    return fields


def errorstats(engine: "Engine") -> Fields:
    """Error replies by their code."""
    fields: Fields = {}
    for code in sorted(engine.counters.errors):
        fields[f"errorstat_{code.translate(_UNSAFE)}"] = f"count={engine.counters.errors[code]}"
    return fields


def latencystats(engine: "Engine") -> Fields:
    """Percentiles of the time that each command took."""
    fields: Fields = {}
    settings = engine.configuration.settings
    if not settings.latency_tracking:
        return fields
    for each in engine.registry.every():
        if each.has_latencies():
            words = [
                f"p{percentile:g}={each.latency(percentile):.3f}"
                for percentile in settings.latency_tracking_info_percentiles
            ]
            fields[f"latency_percentiles_usec_{shown(each)}"] = ",".join(words)
    return fields


def shown(command: "Command") -> str:
    """The name of a command as INFO shows it."""
    return command.name.decode("utf-8", "surrogateescape").translate(_UNSAFE)


def cluster(engine: "Engine") -> Fields:
    """This server is on its own."""
    return {"cluster_enabled": 0}


def keyspace(engine: "Engine") -> Fields:
    """The databases that hold keys."""
    fields: Fields = {}
    for each in engine.keyspaces:
        size = each.store.size()
        if size:
            fields[f"db{each.index}"] = (
                f"keys={size},expires={each.store.volatile()},avg_ttl={mean_ttl(each)}"
            )
    return fields


def stores(engine: "Engine") -> Fields:
    """The stores that have a name or rules, a line each."""
    fields: Fields = {}
    for store in engine.stores:
        if store.is_special():
            values = [f"{name}={value}" for name, value in store_fields(store).items()]
            fields[f"store{store.index}"] = ",".join(values).translate(_UNSAFE)
    return fields


def store_fields(store: "Store") -> Fields:
    """What is known of one store; times in milliseconds, memory in bytes, 0 for no limit."""
    data = store.keyspace.store
    fields: Fields = {
        "name": store.name,
        "database": store.index,
        "configured": int(store.configured),
        "backend": store.backend.name,
        "durable": int(store.backend.durable),
        "keys": data.size(),
        "expires": data.volatile(),
        "used_memory": store.used_memory(),
        "max_memory": store.max_memory,
        "policy": store.policy or "default",
        "default_expiry": store.default_expiry,
        "lookup_filter": store.filtered or "default",
        "evicted_keys": store.evicted,
    }
    for each in store.information:
        fields.update(each())
    return fields


def mean_ttl(keyspace: "Keyspace") -> int:
    """Milliseconds that keys with a deadline have left, estimated from a sample."""
    if keyspace.store.volatile() == 0:
        return 0
    found = []
    for _ in range(_TTL_SAMPLES):
        key = keyspace.store.sample(keyspace.chance.pick())
        entry = None if key is None else keyspace.store.find(key)
        if entry is not None and entry.expire != NO_EXPIRE:
            found.append(max(entry.expire - keyspace.changes.now, 0))
    return sum(found) // len(found) if found else 0


def debug(engine: "Engine") -> Fields:
    """The rounds that took longest, in microseconds, and executed most."""
    return {
        "eventloop_duration_aof_sum": 0,
        "eventloop_duration_cron_sum": engine.counters.tick_microseconds,
        "eventloop_duration_max": engine.counters.longest_cycle,
        "eventloop_cmd_per_cycle_max": engine.counters.busiest_cycle,
    }


def keystats(engine: "Engine") -> Fields:
    """How much is known of hot and big keys (KEYSTATS)."""
    hot = engine.observation.hot
    big = engine.observation.big
    return {
        "hot_keys_sampling": hot.sampling,
        "hot_keys_samples": hot.total,
        "hot_keys_counted": len(hot.counts),
        "hot_keys_error_perc": f"{hot.error():.2f}%",
        "big_keys_tracked": big.tracked,
        "big_keys_known": len(big.sizes),
        "big_keys_complete": int(big.is_complete()),
        "big_keys_largest_bytes": max(big.sizes.values(), default=0),
    }


#: The sections of the core in the order in which INFO shows them.
SECTIONS: Final[dict[str, Section]] = {
    "server": server,
    "clients": clients,
    "memory": memory,
    "persistence": persistence,
    "backend": backend,
    "stores": stores,
    "stats": stats,
    "replication": replication,
    "cpu": cpu,
    "modules": modules,
    "commandstats": commandstats,
    "errorstats": errorstats,
    "latencystats": latencystats,
    "cluster": cluster,
    "keyspace": keyspace,
    "keystats": keystats,
    "debug": debug,
}
#: Those that INFO leaves out unless asked for them, and those that even ``all`` leaves out.
LONG_SECTIONS: Final = frozenset(("commandstats", "latencystats", "keystats", "debug"))
HIDDEN_SECTIONS: Final = frozenset(("debug",))
