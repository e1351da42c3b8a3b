"""Which setting moves what: settings are read once here, and again when CONFIG SET changes them."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from hypercache.config import ConfigError
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


def wire(server: "Server") -> None:
    """Apply every setting that is active in the core, now and on each change."""
    configuration, settings = server.configuration, server.settings
    engine, door, reactor = server.engine, server.door, server.reactor

    def limits() -> None:
        normal = settings.client_output_buffer_limit.normal
        engine.delivery.hard_limit = normal.hard
        engine.delivery.soft_limit = normal.soft
        engine.delivery.soft_seconds = normal.seconds
        engine.delivery.limits_output = normal.hard > 0 or normal.soft > 0

    def max_bulk() -> None:
        engine.max_bulk = settings.proto_max_bulk_len
        for session in engine.sessions.values():
            session.parser.max_bulk = engine.max_bulk

    def slow() -> None:
        monitored = settings.latency_monitor_threshold * 1000
        engine.set_slow(settings.slowlog_log_slower_than, monitored)
        engine.slowlog.resize(settings.slowlog_max_len)

    def latency() -> None:
        engine.tracks_latency = settings.latency_tracking

    def doors() -> None:
        door.max_clients = settings.maxclients
        door.protected_mode = settings.protected_mode
        door.keepalive = settings.tcp_keepalive
        reactor.timeout = settings.timeout

    def query_limit() -> None:
        engine.query_buffer_limit = settings.client_query_buffer_limit

    def password() -> None:
        engine.set_password(settings.requirepass)

    def memory() -> None:
        engine.set_max_memory(settings.maxmemory)

    def tls() -> None:
        if server.tls is not None:
            try:
                server.tls.reload()
            except TlsError as error:
                raise ConfigError(str(error)) from error

    def when(names: tuple[str, ...], apply: Callable[[], None]) -> None:
        configuration.subscribe_any(names, apply)
        apply()

    engine.protected_commands["DEBUG"] = settings.enable_debug_command
    engine.protected_commands["MODULE"] = settings.enable_module_command
    when(("client-output-buffer-limit",), limits)
    when(("proto-max-bulk-len",), max_bulk)
    when(("slowlog-log-slower-than", "slowlog-max-len", "latency-monitor-threshold"), slow)
    when(("latency-tracking",), latency)
    when(("maxclients", "protected-mode", "tcp-keepalive", "timeout"), doors)
    when(("client-query-buffer-limit",), query_limit)
    when(("requirepass",), password)
    when(("maxmemory",), memory)
    when(_TLS_SETTINGS, tls)
