"""Settings of persistence, replication and the cluster."""

# ruff: noqa: RUF009 (the calls declare attrs fields)

import re
from typing import Literal, TypeAlias

from attrs import define

from hypercache.config.compound import Endpoint, ReplicaOf, Save, SavePoint
from hypercache.config.errors import ConfigError
from hypercache.config.kinds import INT_MAX, INT_MIN, LONG_MAX, ULONG_MAX
from hypercache.config.schema import choice, integer, memory, setting, text, yes_no

AppendFsync: TypeAlias = Literal["everysec", "always", "no"]
SanitizePayload: TypeAlias = Literal["no", "yes", "clients"]
SnapshotFormat: TypeAlias = Literal["native", "rdb"]
DisklessLoad: TypeAlias = Literal["disabled", "on-empty-db", "swapdb"]
EndpointType: TypeAlias = Literal["ip", "hostname", "unknown-endpoint"]

_MB = 1 << 20


def _check_dbfilename(value: str) -> None:
    if "/" in value or "\\" in value:
        raise ConfigError("dbfilename can't be a path, just a filename")


def _check_appendfilename(value: str) -> None:
    if not value:
        raise ConfigError("appendfilename can't be empty")
    if "/" in value or "\\" in value:
        raise ConfigError("appendfilename can't be a path, just a filename")


def _check_appenddirname(value: str) -> None:
    if not value:
        raise ConfigError("appenddirname can't be empty")
    if "/" in value or "\\" in value:
        raise ConfigError("appenddirname can't be a path, just a dirname")


def _check_hostname(value: str) -> None:
    if len(value) >= 256:
        raise ConfigError("Hostnames must be less than 256 characters")
    if not re.fullmatch(r"[A-Za-z0-9.-]*", value):
        raise ConfigError("Hostnames may only contain alphanumeric characters, hyphens or dots")


def _check_nodename(value: str) -> None:
    if re.search(r"[!#$%&()*+:;<>?@\[\]^{|}~]", value):
        raise ConfigError("Announced human node name contained invalid character")


@define(slots=False, kw_only=True)
class PersistenceSettings:
    """Snapshots and the append-only file."""

    save: tuple[SavePoint, ...] = setting(
        Save(),
        (SavePoint(3600, 1), SavePoint(300, 100), SavePoint(60, 10000)),
        "When a snapshot is due: after seconds, if there were that many changes.",
    )
    snapshot_format: SnapshotFormat = choice(
        SnapshotFormat,
        "native",
        "What snapshots are written as: files of our own, several of them, or dbfilename.",
        ours=True,
    )
    snapshot_keep: int = integer(
        2, 1, INT_MAX, "Native snapshots that are kept, the newest ones.", ours=True
    )
    dbfilename: str = text(
        "dump.rdb",
        "File name of RDB snapshots; native ones begin with it.",
        allowed="a file name without a folder",
        check=_check_dbfilename,
        protected=True,
    )
    rdbcompression: bool = yes_no(True, "Compress strings in RDB files and DUMP payloads.")
    rdbchecksum: bool = yes_no(
        True, "Put a checksum at the end of RDB files, and verify it.", fixed=True
    )
    rdb_version: int = integer(
        11,
        10,
        11,
        "Version of the RDB files that are written: 11 is of Redis 7.2, 10 of 7.0.",
        ours=True,
    )
    rdb_save_incremental_fsync: bool = yes_no(
        True, "Sync a snapshot while it is written: here that is always done.", effect="ignored"
    )
    rdb_del_sync_files: bool = yes_no(
        False, "Remove snapshots made only for replicas.", effect="later"
    )
    stop_writes_on_bgsave_error: bool = yes_no(True, "Refuse writes while snapshots fail.")
    sanitize_dump_payload: SanitizePayload = choice(
        SanitizePayload,
        "no",
        "Check what RESTORE and snapshots bring in: here that is always done.",
        effect="ignored",
    )
    appendonly: bool = yes_no(
        False, "Write every change to the append-only file.", deny_loading=True
    )
    appendfilename: str = text(
        "appendonly.aof",
        "Base name of the append-only files.",
        allowed="a file name without a folder",
        check=_check_appendfilename,
        fixed=True,
    )
    appenddirname: str = text(
        "appendonlydir",
        "Folder of the append-only files.",
        allowed="a folder name without a path",
        check=_check_appenddirname,
        fixed=True,
    )
    appendfsync: AppendFsync = choice(
        AppendFsync, "everysec", "When the append-only file is synced to disk."
    )
    no_appendfsync_on_rewrite: bool = yes_no(
        False, "Do not sync every second while the file is rewritten."
    )
    auto_aof_rewrite_percentage: int = integer(
        100, 0, INT_MAX, "Growth in percent at which the file is rewritten; 0 is never."
    )
    auto_aof_rewrite_min_size: int = memory(
        64 * _MB, 0, LONG_MAX, "Size below which the file is never rewritten."
    )
    aof_load_truncated: bool = yes_no(True, "Start with an append-only file whose end is torn.")
    aof_use_rdb_preamble: bool = yes_no(
        True,
        "Begin a rewritten file with a snapshot: here that is always done.",
        effect="ignored",
    )
    aof_rewrite_incremental_fsync: bool = yes_no(
        True, "Sync the file while it is rewritten: here that is always done.", effect="ignored"
    )
    aof_timestamp_enabled: bool = yes_no(False, "Note the time between the commands of the file.")
    aof_disable_auto_gc: bool = yes_no(False, "Keep files that a rewrite replaced.", hidden=True)
    key_load_delay: int = integer(
        0,
        INT_MIN,
        INT_MAX,
        "Microseconds to wait for each key loaded (tests).",
        hidden=True,
        effect="later",
    )
    rdb_key_save_delay: int = integer(
        0,
        INT_MIN,
        INT_MAX,
        "Microseconds to wait for each key saved (tests).",
        hidden=True,
    )
    loading_process_events_interval_bytes: int = integer(
        2 * _MB,
        1024,
        INT_MAX,
        "Bytes loaded between two looks at the clients.",
        hidden=True,
        effect="later",
    )


@define(slots=False, kw_only=True)
class ReplicationSettings:
    """Copies of the data on other servers."""

    replicaof: Endpoint | None = setting(
        ReplicaOf(),
        None,
        "The primary to copy from.",
        aliases=("slaveof",),
        fixed=True,
        effect="later",
    )
    masterauth: str = text("", "Password for the primary.", secret=True, effect="later")
    masteruser: str = text("", "User name for the primary.", secret=True, effect="later")
    bind_source_addr: str = text("", "Local address of outgoing connections.", effect="later")
    replica_serve_stale_data: bool = yes_no(
        True,
        "Answer reads while the primary is away.",
        aliases=("slave-serve-stale-data",),
        effect="later",
    )
    replica_read_only: bool = yes_no(
        True, "Refuse writes on a replica.", aliases=("slave-read-only",), effect="later"
    )
    replica_lazy_flush: bool = yes_no(
        False,
        "Drop old data bit by bit before a full copy.",
        aliases=("slave-lazy-flush",),
        effect="later",
    )
    replica_ignore_maxmemory: bool = yes_no(
        True, "Leave eviction to the primary.", aliases=("slave-ignore-maxmemory",), effect="later"
    )
    replica_ignore_disk_write_errors: bool = yes_no(
        False, "Follow the primary although the disk fails.", effect="later"
    )
    replica_priority: int = integer(
        100,
        0,
        INT_MAX,
        "Which replica is promoted first, least number first; 0 never.",
        aliases=("slave-priority",),
        effect="later",
    )
    replica_announced: bool = yes_no(True, "Let Sentinel know this replica.", effect="later")
    replica_announce_ip: str = text(
        "", "Address that others should use.", aliases=("slave-announce-ip",), effect="later"
    )
    replica_announce_port: int = integer(
        0,
        0,
        65535,
        "Port that others should use; 0 is the real one.",
        aliases=("slave-announce-port",),
        effect="later",
    )
    repl_ping_replica_period: int = integer(
        10,
        1,
        INT_MAX,
        "Seconds between two signs of life to replicas.",
        aliases=("repl-ping-slave-period",),
        effect="later",
    )
    repl_timeout: int = integer(
        60, 1, INT_MAX, "Seconds of silence after which a link is given up.", effect="later"
    )
    repl_backlog_size: int = memory(
        _MB,
        1,
        LONG_MAX,
        "Bytes of history kept for replicas that come back.",
        clamp=(16 << 10, LONG_MAX),
        effect="later",
    )
    repl_backlog_ttl: int = integer(
        3600,
        0,
        LONG_MAX,
        "Seconds after the last replica until history is freed.",
        effect="later",
    )
    repl_diskless_sync: bool = yes_no(
        True, "Send a full copy without a file in between.", effect="later"
    )
    repl_diskless_sync_delay: int = integer(
        5, 0, INT_MAX, "Seconds to wait for more replicas before a copy.", effect="later"
    )
    repl_diskless_sync_max_replicas: int = integer(
        0, 0, INT_MAX, "Replicas at which the wait ends early; 0 is none.", effect="later"
    )
    repl_diskless_load: DisklessLoad = choice(
        DisklessLoad,
        "disabled",
        "When a copy is loaded from the socket.",
        deny_loading=True,
        effect="later",
    )
    repl_disable_tcp_nodelay: bool = yes_no(
        False, "Send to replicas in fewer, larger packets.", effect="later"
    )
    min_replicas_to_write: int = integer(
        0,
        0,
        INT_MAX,
        "Replicas without which writes are refused.",
        aliases=("min-slaves-to-write",),
    )
    min_replicas_max_lag: int = integer(
        10,
        0,
        INT_MAX,
        "Seconds of lag up to which a replica counts.",
        aliases=("min-slaves-max-lag",),
    )


@define(slots=False, kw_only=True)
class ClusterSettings:
    """Many servers as one."""

    cluster_enabled: bool = yes_no(False, "Be a node of a cluster.", fixed=True, effect="later")
    cluster_config_file: str = text(
        "nodes.conf", "File in which the node keeps its view.", fixed=True, effect="later"
    )
    cluster_port: int = integer(
        0, 0, 65535, "Port between nodes; 0 is port + 10000.", fixed=True, effect="later"
    )
    cluster_node_timeout: int = integer(
        15000, 0, LONG_MAX, "Milliseconds after which a node counts as gone.", effect="later"
    )
    cluster_ping_interval: int = integer(
        0,
        0,
        LONG_MAX,
        "Milliseconds between two signs of life (tests).",
        hidden=True,
        effect="later",
    )
    cluster_require_full_coverage: bool = yes_no(
        True, "Refuse commands while a slot has no node.", effect="later"
    )
    cluster_allow_reads_when_down: bool = yes_no(
        False, "Answer reads while the cluster is down.", effect="later"
    )
    cluster_allow_pubsubshard_when_down: bool = yes_no(
        True, "Serve sharded channels while the cluster is down.", effect="later"
    )
    cluster_allow_replica_migration: bool = yes_no(
        True, "Let replicas move to primaries without one.", effect="later"
    )
    cluster_migration_barrier: int = integer(
        1, 0, INT_MAX, "Replicas a primary keeps when others move.", effect="later"
    )
    cluster_replica_no_failover: bool = yes_no(
        False,
        "Never promote this replica by itself.",
        aliases=("cluster-slave-no-failover",),
        effect="later",
    )
    cluster_replica_validity_factor: int = integer(
        10,
        0,
        INT_MAX,
        "How old a replica's data may be for promotion, in timeouts; 0 is any.",
        aliases=("cluster-slave-validity-factor",),
        effect="later",
    )
    cluster_link_sendbuf_limit: int = memory(
        0,
        0,
        ULONG_MAX,
        "Unsent bytes at which a link between nodes is cut; 0 is never.",
        effect="later",
    )
    cluster_announce_ip: str = text("", "Address that others should use.", effect="later")
    cluster_announce_port: int = integer(
        0, 0, 65535, "Port that others should use; 0 is the real one.", effect="later"
    )
    cluster_announce_tls_port: int = integer(
        0, 0, 65535, "TLS port that others should use; 0 is the real one.", effect="later"
    )
    cluster_announce_bus_port: int = integer(
        0,
        0,
        65535,
        "Port between nodes that others should use; 0 is the real one.",
        effect="later",
    )
    cluster_announce_hostname: str = text(
        "",
        "Host name that clients should use.",
        allowed="letters, digits, hyphens and dots, fewer than 256",
        check=_check_hostname,
        effect="later",
    )
    cluster_announce_human_nodename: str = text(
        "",
        "Name of this node for people.",
        allowed="text without !#$%&()*+:;<>?@[]^{|}~",
        check=_check_nodename,
        effect="later",
    )
    cluster_preferred_endpoint_type: EndpointType = choice(
        EndpointType, "ip", "What clients are redirected to.", effect="later"
    )
