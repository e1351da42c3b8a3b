"""Which setting moves what: settings are read once here, and again when CONFIG SET changes them."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from hypercache.config import ConfigError
from hypercache.engine.acl.file import Start, Store, user_settings
from hypercache.engine.container import container_limit
from hypercache.transport.listeners import ListenError
from hypercache.transport.tls import TlsError

if TYPE_CHECKING:
    from hypercache.server import Server

_TLS_SETTINGS = (
    "tls-cert-file",
    "tls-key-file",
    "tls-key-file-pass",
    "tls-ca-cert-file",
    "tls-ca-cert-dir",
    "tls-auth-clients",
    "tls-protocols",
    "tls-ciphers",
    "tls-prefer-server-ciphers",
    "tls-dh-params-file",
)
_REFUSALS = (
    ("port", "Unable to listen on this port. Check server logs."),
    ("bind", "Failed to bind to specified addresses."),
)
_PRESSURE_SETTINGS = (
    "maxmemory",
    "maxmemory-rss",
    "maxmemory-refuse-at-panic",
    "memory-pressure-levels",
)
_ENCODING_SETTINGS = (
    "hash-max-listpack-entries",
    "hash-max-listpack-value",
    "list-max-listpack-size",
    "set-max-intset-entries",
    "set-max-listpack-entries",
    "set-max-listpack-value",
    "zset-max-listpack-entries",
    "zset-max-listpack-value",
    "stream-node-max-bytes",
    "stream-node-max-entries",
)


def limits(server: "Server") -> None:
    """When a client that does not read is cut off."""
    limits = server.settings.client_output_buffer_limit
    for name, limit in (("normal", limits.normal), ("pubsub", limits.pubsub)):
        server.engine.delivery.limit(name, limit.hard, limit.soft, limit.seconds)


def events(server: "Server") -> None:
    """Which changes of keys are published."""
    server.engine.pubsub.notifications.set_classes(server.settings.notify_keyspace_events)


def slow(server: "Server") -> None:
    """From when on a command is slow."""
    monitored = server.settings.latency_monitor_threshold * 1000
    server.engine.observation.set_slow(server.settings.slowlog_log_slower_than, monitored)
    server.engine.slowlog.resize(server.settings.slowlog_max_len)


def doors(server: "Server") -> None:
    """Who is let in, and for how long."""
    server.door.max_clients = server.settings.maxclients
    server.door.protected_mode = server.settings.protected_mode
    server.door.keepalive = server.settings.tcp_keepalive
    server.reactor.timeout = server.settings.timeout


def users(server: "Server") -> Start:
    """The users of the configuration or of the ACL file; raises `AclFileError`."""
    settings = server.settings
    acl = server.engine.acl
    store = (
        Store(acl, settings.aclfile, settings.path(settings.aclfile)) if settings.aclfile else None
    )
    start = Start(acl)
    start.begin(settings.user, store)
    for name, *_ in settings.user:
        if not acl.users[name.encode("utf-8", "surrogateescape")].enabled:
            message = f"The user {name!r} is disabled: its rules do not say 'on'."
            server.log.info("user_disabled", message=message, user=name)

    def refresh() -> None:
        settings.user = () if store is not None else user_settings(acl)

    server.configuration.before_rewrite.append(refresh)
    return start


def replicas(server: "Server") -> None:
    """Without how many replicas nothing is written."""
    server.engine.set_enough_replicas(
        server.settings.min_replicas_to_write == 0 or server.settings.min_replicas_max_lag == 0
    )


def tls(server: "Server") -> None:
    """Certificates for new TLS connections; refused when they cannot be used."""
    if server.tls is not None:
        try:
            server.tls.reload()
        except TlsError as error:
            raise ConfigError(str(error)) from error


def max_bulk(server: "Server") -> None:
    """The longest argument."""
    server.engine.max_bulk = server.settings.proto_max_bulk_len
    for session in server.engine.sessions.values():
        session.parser.max_bulk = server.engine.max_bulk


def key_statistics(server: "Server") -> None:
    """Which keys are counted, and how many are kept at hand."""
    observation = server.engine.observation
    if observation.hot.sampling != server.settings.hot_keys_sampling:
        observation.hot.set_sampling(server.settings.hot_keys_sampling)
    if observation.big.tracked != server.settings.big_keys_tracked:
        observation.big.set_tracked(server.settings.big_keys_tracked)


def latency(server: "Server") -> None:
    """Whether latencies are counted."""
    server.engine.tracks_latency = server.settings.latency_tracking


def busy_scripts(server: "Server") -> None:
    """How long a script may run before others are served."""
    server.engine.scripts.threshold = server.settings.busy_reply_threshold


def query_limit(server: "Server") -> None:
    """How much of a client's input may lie unprocessed."""
    server.engine.query_buffer_limit = server.settings.client_query_buffer_limit


def memory(server: "Server") -> None:
    """The memory of all data."""
    server.engine.memory.set_limit(server.settings.maxmemory)


def pressure(server: "Server") -> None:
    """How near memory may come to its limits; refused where the process could not even start."""
    try:
        server.engine.pressure.configure()
    except ValueError as error:
        raise ConfigError(str(error)) from error


def uses(server: "Server") -> None:
    """How the uses of keys are counted."""
    frequency = server.engine.changes.frequency
    frequency.log_factor = server.settings.lfu_log_factor
    frequency.decay_time = server.settings.lfu_decay_time


def policy(server: "Server") -> None:
    """Which keys are evicted; refused where the policy cannot be had."""
    try:
        server.engine.eviction.victims.set_policy(server.settings.maxmemory_policy)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def eviction(server: "Server") -> None:
    """How thoroughly it is looked for keys to evict."""
    server.engine.eviction.victims.set_samples(server.settings.maxmemory_samples)
    server.engine.eviction.set_tenacity(server.settings.maxmemory_eviction_tenacity)


def client_memory(server: "Server") -> None:
    """The memory of all clients, as such or as a part of that of the data."""
    limit = server.settings.maxmemory_clients
    if limit < 0:
        limit = server.settings.maxmemory * -limit // 100
    server.engine.delivery.eviction.set_limit(limit)


def tracking(server: "Server") -> None:
    """How many keys are remembered for client-side caching."""
    server.engine.tracking.set_max_keys(server.settings.tracking_table_max_keys)


def encodings(server: "Server") -> None:
    """Up to where values have the encodings that Redis calls compact."""
    limits = server.engine.backend.limits
    settings = server.settings
    limits.hash_entries = settings.hash_max_listpack_entries
    limits.hash_value = settings.hash_max_listpack_value
    limits.list_size = settings.list_max_listpack_size
    limits.set_integers = settings.set_max_intset_entries
    limits.set_entries = settings.set_max_listpack_entries
    limits.set_value = settings.set_max_listpack_value
    limits.zset_entries = settings.zset_max_listpack_entries
    limits.zset_value = settings.zset_max_listpack_value
    limits.stream_bytes = settings.stream_node_max_bytes
    limits.stream_entries = settings.stream_node_max_entries


def oom_score(server: "Server") -> None:
    """Whom the system kills when memory is short; refused when it cannot be told."""
    try:
        server.oom_score.apply(server.settings)
    except ConfigError as error:
        server.log.warning("oom_score_failed", message=str(error.__cause__))
        raise


def lookup_filters(server: "Server") -> None:
    """Filters before the stores whose backend has some."""
    rate = server.settings.lookup_filter_error_rate
    server.engine.stores.filters.set_rate(0.0 if rate == "no" else float(rate))


def append_only(server: "Server") -> None:
    """Who switches the append-only file on has to have the plugin that writes it."""
    if server.settings.appendonly and "aof" not in server.settings.plugins:
        message = "appendonly has no effect: the setting plugins does not name 'aof'."
        server.log.warning("appendonly_without_plugin", message=message)


def listen(server: "Server", refusal: str) -> None:
    """Where plain clients connect; refused with those words when that cannot be bound."""
    try:
        server.rebind()
    except ListenError as error:
        server.log.warning("rebind_failed", message=str(error))
        raise ConfigError(refusal) from error


#: What is applied at the start and whenever one of the settings has changed.
WIRES: Final[tuple[tuple[tuple[str, ...], Callable[["Server"], None]], ...]] = (
    (("client-output-buffer-limit",), limits),
    (("notify-keyspace-events",), events),
    (("proto-max-bulk-len",), max_bulk),
    (("slowlog-log-slower-than", "slowlog-max-len", "latency-monitor-threshold"), slow),
    (("latency-tracking",), latency),
    (("hot-keys-sampling", "big-keys-tracked"), key_statistics),
    (("busy-reply-threshold",), busy_scripts),
    (("maxclients", "protected-mode", "tcp-keepalive", "timeout"), doors),
    (("client-query-buffer-limit",), query_limit),
    (("lfu-log-factor", "lfu-decay-time"), uses),
    (("maxmemory-samples", "maxmemory-eviction-tenacity"), eviction),
    (("maxmemory-policy",), policy),
    (("maxmemory",), memory),
    (("lookup-filter-error-rate",), lookup_filters),
    (_PRESSURE_SETTINGS, pressure),
    (("maxmemory-clients", "maxmemory"), client_memory),
    (("tracking-table-max-keys",), tracking),
    (("min-replicas-to-write", "min-replicas-max-lag"), replicas),
    (("appendonly",), append_only),
    (_TLS_SETTINGS, tls),
    (_ENCODING_SETTINGS, encodings),
)


def wire(server: "Server") -> None:
    """Apply every setting that is active in the core, now and on each change."""
    settings = server.settings
    server.engine.pressure.container = container_limit()
    server.engine.protected_commands["DEBUG"] = settings.enable_debug_command
    server.engine.protected_commands["MODULE"] = settings.enable_module_command
    server.engine.acl.follow(server.configuration)
    for names, apply in WIRES:
        server.configuration.subscribe_any(names, partial(apply, server))
        apply(server)
    for name, refusal in _REFUSALS:
        server.configuration.subscribe_any((name,), partial(listen, server, refusal))
    server.configuration.subscribe_any(
        ("oom-score-adj", "oom-score-adj-values"), partial(oom_score, server)
    )
    with suppress(ConfigError):  # it is logged, and at the start no reason not to serve
        oom_score(server)
