"""Settings of listeners, TLS and the limits of clients."""

# ruff: noqa: RUF009 (the calls declare attrs fields)

from typing import Literal, TypeAlias

from attrs import define

from hypercache.config.compound import Addresses, BufferLimit, BufferLimits, OutputBufferLimits
from hypercache.config.kinds import INT_MAX, LONG_MAX, UINT_MAX, MemoryOrPercent, Octal
from hypercache.config.schema import choice, integer, memory, setting, text, yes_no

TlsAuthClients: TypeAlias = Literal["no", "yes", "optional"]

_MB = 1 << 20


@define(slots=False, kw_only=True)
class NetworkSettings:
    """Where the server listens, and how it treats idle connections."""

    port: int = integer(6379, 0, 65535, "TCP port; 0 listens on none.", needs_subscriber=True)
    bind: tuple[str, ...] = setting(
        Addresses(),
        ("*", "-::*"),
        "Addresses to listen on; one after a hyphen may be missing.",
        needs_subscriber=True,
    )
    unixsocket: str = text("", "Path of a Unix socket to listen on.", fixed=True)
    unixsocketperm: int = setting(
        Octal(0, 0o777), 0, "Permissions of the Unix socket; 0 leaves them alone.", fixed=True
    )
    protected_mode: bool = yes_no(True, "Without a password, refuse clients from other machines.")
    tcp_backlog: int = integer(
        511, 0, INT_MAX, "Connections the kernel queues before they are accepted.", fixed=True
    )
    tcp_keepalive: int = integer(
        300, 0, INT_MAX, "Seconds of silence before TCP asks whether a client is alive; 0 is never."
    )
    timeout: int = integer(
        0, 0, INT_MAX, "Seconds after which an idle client is disconnected; 0 is never."
    )


@define(slots=False, kw_only=True)
class TlsSettings:
    """Encrypted connections."""

    tls_port: int = integer(
        0, 0, 65535, "TCP port for TLS; 0 listens on none.", needs_subscriber=True
    )
    tls_cert_file: str = text("", "The server's certificate chain (PEM).", volatile=True)
    tls_key_file: str = text("", "The certificate's private key (PEM).", volatile=True)
    tls_key_file_pass: str = text("", "Passphrase of the private key.", secret=True)
    tls_ca_cert_file: str = text("", "Authorities that sign clients' certificates.", volatile=True)
    tls_ca_cert_dir: str = text("", "The same as a directory of hashed names.", volatile=True)
    tls_auth_clients: TlsAuthClients = choice(
        TlsAuthClients, "yes", "Whether clients must show a certificate."
    )
    tls_protocols: str = text(
        "", "TLS versions to speak, such as TLSv1.2 TLSv1.3; empty leaves it to the library."
    )
    tls_ciphers: str = text("", "Ciphers of TLS 1.2 and older, in OpenSSL's notation.")
    tls_prefer_server_ciphers: bool = yes_no(False, "Choose the cipher in the server's order.")
    tls_dh_params_file: str = text("", "Diffie-Hellman parameters (PEM).", volatile=True)
    tls_replication: bool = yes_no(False, "Speak TLS to a primary.", effect="later")
    tls_cluster: bool = yes_no(False, "Speak TLS between the nodes of a cluster.", effect="later")
    tls_client_cert_file: str = text(
        "", "Certificate for connections this server opens.", volatile=True, effect="later"
    )
    tls_client_key_file: str = text("", "Its private key.", volatile=True, effect="later")
    tls_client_key_file_pass: str = text("", "Passphrase of that key.", secret=True, effect="later")


@define(slots=False, kw_only=True)
class LimitsSettings:
    """What clients may take."""

    maxclients: int = integer(10_000, 1, UINT_MAX, "Clients connected at the same time.")
    client_output_buffer_limit: BufferLimits = setting(
        OutputBufferLimits(),
        BufferLimits(
            normal=BufferLimit(0, 0, 0),
            replica=BufferLimit(256 * _MB, 64 * _MB, 60),
            pubsub=BufferLimit(32 * _MB, 8 * _MB, 60),
        ),
        "Unsent replies at which a client is cut off: hard bytes, or soft bytes for seconds.",
    )
    client_query_buffer_limit: int = memory(
        1024 * _MB, _MB, LONG_MAX, "Unprocessed bytes at which a client is cut off."
    )
    proto_max_bulk_len: int = memory(
        512 * _MB, _MB, LONG_MAX, "The longest argument, and the longest string value."
    )
    maxmemory_clients: int = setting(
        MemoryOrPercent(),
        0,
        "Memory of all clients' buffers together, in bytes or as a part of maxmemory.",
    )
    tracking_table_max_keys: int = integer(
        1_000_000, 0, LONG_MAX, "Keys remembered for client-side caching; 0 is no limit."
    )
