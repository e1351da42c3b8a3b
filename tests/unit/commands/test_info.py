"""INFO: its sections, who asks for which, and that the figures are true."""

import re

import pytest

from hypercache.engine.usage import human
from hypercache.testing.engine import EngineHarness
from hypercache.testing.resp import Verbatim

DEFAULT = ["Server", "Clients", "Memory", "Persistence", "Backend", "Stores", "Stats"]
DEFAULT += ["Replication", "CPU", "Modules", "Errorstats", "Cluster", "Keyspace"]
# What redis_exporter, Datadog's agent, BullMQ, RQ and redis-py read, and Redis' own tests.
READ_BY_CLIENTS = (
    "redis_version redis_mode os arch_bits multiplexing_api process_id run_id tcp_port "
    "uptime_in_seconds uptime_in_days hz configured_hz lru_clock executable config_file "
    "connected_clients maxclients blocked_clients tracking_clients "
    "client_recent_max_input_buffer client_recent_max_output_buffer "
    "used_memory used_memory_human used_memory_rss used_memory_rss_human used_memory_peak "
    "used_memory_peak_human used_memory_peak_perc used_memory_overhead used_memory_startup "
    "used_memory_dataset used_memory_dataset_perc used_memory_lua allocator_allocated "
    "allocator_active allocator_resident total_system_memory total_system_memory_human maxmemory "
    "maxmemory_human maxmemory_policy mem_fragmentation_ratio mem_clients_normal "
    "mem_allocator active_defrag_running lazyfree_pending_objects lazyfreed_objects "
    "loading rdb_changes_since_last_save rdb_bgsave_in_progress rdb_last_save_time "
    "rdb_last_bgsave_status aof_enabled aof_rewrite_in_progress aof_last_write_status "
    "total_connections_received total_commands_processed instantaneous_ops_per_sec "
    "total_net_input_bytes total_net_output_bytes instantaneous_input_kbps "
    "instantaneous_output_kbps rejected_connections expired_keys evicted_keys keyspace_hits "
    "keyspace_misses total_error_replies unexpected_error_replies pubsub_channels "
    "pubsub_patterns latest_fork_usec client_query_buffer_limit_disconnections "
    "client_output_buffer_limit_disconnections "
    "role connected_slaves master_replid master_repl_offset repl_backlog_active "
    "used_cpu_sys used_cpu_user used_cpu_sys_children used_cpu_user_children cluster_enabled "
    "hypercache_version hypercache_compiled hypercache_backend"
)


def text(harness: EngineHarness, *sections: str) -> str:
    reply = harness.command("INFO", *sections)
    assert isinstance(reply, bytes)
    return reply.decode()


def titles(harness: EngineHarness, *sections: str) -> list[str]:
    return re.findall(r"^# (\w+)\r$", text(harness, *sections), re.MULTILINE)


def fields(harness: EngineHarness, *sections: str) -> dict[str, str]:
    lines = text(harness, *sections).split("\r\n")
    pairs = [line.split(":", 1) for line in lines if line and not line.startswith("#")]
    names = [name for name, _ in pairs]
    assert len(set(names)) == len(names), "a field comes twice"
    return dict(pairs)


def test_which_sections_come() -> None:
    harness = EngineHarness()
    long = [*DEFAULT[:10], "Commandstats", "Errorstats", "Latencystats", *DEFAULT[11:]]
    long.append("Keystats")
    assert titles(harness) == titles(harness, "default") == DEFAULT
    assert titles(harness, "all") == titles(harness, "EVERYTHING") == long
    assert titles(harness, "keyspace", "Server", "server", "nosuch") == ["Server", "Keyspace"]
    assert titles(harness, "default", "commandstats") == [
        *DEFAULT[:10],
        "Commandstats",
        *DEFAULT[10:],
    ]
    assert text(harness, "nosuch") == ""


def test_sections_are_apart_by_an_empty_line() -> None:
    body = text(EngineHarness(), "cluster", "replication")
    assert body.startswith("# Replication\r\nrole:master\r\n")
    assert body.endswith("\r\n\r\n# Cluster\r\ncluster_enabled:0\r\n")


def test_info_is_verbatim_in_resp3() -> None:
    assert isinstance(EngineHarness().client(3).command("INFO"), Verbatim)


def test_every_field_that_clients_read_is_there() -> None:
    found = fields(EngineHarness(), "everything")
    assert [name for name in READ_BY_CLIENTS.split() if name not in found] == []


def test_server() -> None:
    harness = EngineHarness()
    harness.clock.now += (86400 * 2 + 5) * 1_000_000
    found = fields(harness, "server")
    expected = {
        "redis_version": "7.2.6",
        "redis_mode": "standalone",
        "uptime_in_seconds": str(86400 * 2 + 5),
        "uptime_in_days": "2",
        "tcp_port": "6379",
        "hypercache_backend": "memory",
        "config_file": "",
        "listener0": "name=tcp,bind=*,bind=-::*,port=6379",
    }
    assert {name: found[name] for name in expected} == expected
    assert re.fullmatch("[0-9a-f]{40}", found["run_id"])
    assert found["hypercache_compiled"] in ("0", "1")
    assert fields(harness, "server")["run_id"] == found["run_id"]


def test_clients() -> None:
    harness = EngineHarness()
    waiting, other = harness.client(), harness.client()
    other.send(b"*2\r\n$3\r\nGET\r\n$3\r\nk")
    assert fields(harness, "clients")["blocked_clients"] == "0"
    harness.command("CLIENT", "PAUSE", 1000, "WRITE")
    waiting.command("SET", "key", "value")
    found = fields(harness, "clients")
    assert (found["connected_clients"], found["blocked_clients"]) == ("3", "1")
    assert found["clients_in_timeout_table"] == "1"
    assert int(found["client_recent_max_input_buffer"]) > 0


def test_memory_follows_the_data() -> None:
    harness = EngineHarness()
    empty = int(fields(harness, "memory")["used_memory"])
    harness.command("SET", "key", b"x" * 1_000_000)
    full = fields(harness, "memory")
    used = int(full["used_memory"])
    assert 1_000_000 < used - empty < 1_001_000
    assert full["used_memory_human"] == f"{used / 1024:.2f}K"
    assert full["used_memory_peak"] == str(used)
    assert int(full["used_memory_dataset"]) + int(full["used_memory_overhead"]) == used
    assert int(full["used_memory_dataset"]) > 1_000_000
    harness.command("DEL", "key")
    harness.tick()
    after = fields(harness, "memory")
    assert int(after["used_memory"]) - empty < 1000
    assert after["used_memory_peak"] == str(used)
    assert float(after["used_memory_peak_perc"].removesuffix("%")) < 1
    assert int(after["used_memory_rss"]) > 1_000_000


def test_memory_shows_the_limit() -> None:
    harness = EngineHarness()
    harness.command("CONFIG", "SET", "maxmemory", "3mb", "maxmemory-policy", "allkeys-lru")
    found = fields(harness, "memory")
    assert (found["maxmemory"], found["maxmemory_human"]) == ("3145728", "3.00M")
    assert found["maxmemory_policy"] == "allkeys-lru"


def test_stats_count_what_happened() -> None:
    harness = EngineHarness()
    harness.command("SET", "key", "value", "PX", 10)
    harness.command("GET", "key")
    harness.command("GET", "missing")
    harness.command("NOSUCH")
    harness.advance(20)
    harness.tick()
    found = fields(harness, "stats")
    expected = {
        "total_connections_received": "1",
        "total_commands_processed": "3",
        "keyspace_hits": "1",
        "keyspace_misses": "1",
        "expired_keys": "1",
        "total_error_replies": "1",
        "rejected_connections": "0",
    }
    assert {name: found[name] for name in expected} == expected
    assert int(found["total_net_input_bytes"]) > 100
    assert int(found["total_net_output_bytes"]) > 50
    assert int(found["eventloop_cycles"]) >= 4


def test_rates_are_means_over_the_last_samples() -> None:
    harness = EngineHarness()
    engine = harness.engine
    engine.background.sample()
    for _ in range(16):
        for _ in range(10):
            harness.command("PING")
        harness.clock.now += 100_000
        engine.time = harness.clock.now
        engine.background.sample()
        engine.background.sample()
    assert engine.statistics.commands.mean() == 100
    assert fields(harness, "stats")["instantaneous_ops_per_sec"] == "100"
    harness.command("CONFIG", "RESETSTAT")
    assert fields(harness, "stats")["instantaneous_ops_per_sec"] == "0"


def test_debug_comes_only_by_name() -> None:
    harness = EngineHarness()
    assert "Debug" not in titles(harness, "everything")
    harness.first.send(b"PING\r\n" * 7)
    found = fields(harness, "debug")
    assert found["eventloop_cmd_per_cycle_max"] == "7"
    assert found["eventloop_duration_max"] == "0", "the clock of the harness stands still"


def test_persistence_counts_changes() -> None:
    harness = EngineHarness()
    harness.command("MSET", "a", 1, "b", 2)
    harness.command("GET", "a")
    harness.command("DEL", "a", "c")
    assert fields(harness, "persistence")["rdb_changes_since_last_save"] == "3"


def test_replication_of_a_primary() -> None:
    found = fields(EngineHarness(), "replication")
    assert (found["role"], found["connected_slaves"]) == ("master", "0")
    assert re.fullmatch("[0-9a-f]{40}", found["master_replid"])
    assert found["master_replid2"] == "0" * 40


def test_commandstats_tell_calls_failures_and_rejections_apart() -> None:
    harness = EngineHarness()
    harness.command("SET", "key", "text")
    harness.command("INCR", "key")
    harness.command("GET")
    harness.command("CONFIG", "GET", "hz")
    found = fields(harness, "commandstats")
    assert found["cmdstat_set"] == (
        "calls=1,usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=0"
    )
    assert found["cmdstat_incr"].endswith("rejected_calls=0,failed_calls=1")
    assert found["cmdstat_get"].startswith("calls=0,")
    assert found["cmdstat_get"].endswith("rejected_calls=1,failed_calls=0")
    assert "cmdstat_config|get" in found
    assert "cmdstat_del" not in found


def test_errorstats_count_by_code() -> None:
    harness = EngineHarness()
    harness.command("SET", "key", "text")
    harness.command("NOSUCH")
    harness.command("INCR", "key")
    harness.command("AUTH", "nobody", "x")
    assert fields(harness, "errorstats") == {
        "errorstat_ERR": "count=2",
        "errorstat_WRONGPASS": "count=1",
    }


def test_latencystats_show_the_percentiles_asked_for() -> None:
    harness = EngineHarness()
    found = harness.engine.registry.get(b"get")
    assert found is not None
    for microseconds in (10,) * 98 + (1000, 100_000):
        found.record(microseconds)
    shown = fields(harness, "latencystats")["latency_percentiles_usec_get"]
    _, p99, p999 = [float(each.split("=")[1]) for each in shown.split(",")]
    assert shown.startswith("p50=10.000,p99=")
    assert 1000 <= p99 < 1125
    assert 100_000 <= p999 < 112_500
    harness.command("CONFIG", "SET", "latency-tracking-info-percentiles", "0 50 100")
    assert "p0=10.000,p50=10.000,p100=" in text(harness, "latencystats")
    harness.command("CONFIG", "SET", "latency-tracking", "no")
    assert fields(harness, "latencystats") == {}


def test_without_latency_tracking_calls_are_counted_all_the_same() -> None:
    harness = EngineHarness()
    harness.engine.tracks_latency = False
    harness.command("GET", "key")
    found = harness.engine.registry.get(b"get")
    assert found is not None
    assert (found.calls, found.has_latencies()) == (1, False)


def test_keyspace_shows_the_databases_that_hold_keys() -> None:
    harness = EngineHarness()
    harness.command("SET", "plain", "value")
    harness.command("SELECT", 3)
    for name in "abc":
        harness.command("SET", name, "value", "PX", 60_000)
    harness.advance(20_000)
    assert fields(harness, "keyspace") == {
        "db0": "keys=1,expires=0,avg_ttl=0",
        "db3": "keys=3,expires=3,avg_ttl=40000",
    }


def test_plugins_add_sections_and_fields() -> None:
    harness = EngineHarness()
    harness.engine.information["bloom"] = [lambda: {"filters": 2}]
    harness.engine.information["persistence"] = [
        lambda: {"aof_enabled": 1, "aof_fancy": "yes"},
        lambda: {"rdb_saves": 7},
    ]
    assert titles(harness) == DEFAULT
    assert "Bloom" not in titles(harness, "all")
    assert fields(harness, "bloom") == {"filters": "2"}
    for asked in ("everything", "modules"):
        assert titles(harness, asked)[-1] == "Bloom"
    found = fields(harness, "persistence")
    assert (found["aof_enabled"], found["aof_fancy"]) == ("1", "yes")


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0B"),
        (1023, "1023B"),
        (1536, "1.50K"),
        (3 * 1024**2, "3.00M"),
        (5 * 1024**3, "5.00G"),
        (7 * 1024**4, "7.00T"),
    ],
)
def test_bytes_for_people(size: int, shown: str) -> None:
    assert human(size) == shown
