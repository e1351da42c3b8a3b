"""TLS: certificates from the settings, and the listeners that use them."""

import ssl
from typing import TYPE_CHECKING

import trio

from hypercache.transport.admission import Door, is_loopback, text_address
from hypercache.transport.streams import HANDSHAKE_DEADLINE, serve_stream

if TYPE_CHECKING:
    from hypercache.config import Settings
    from hypercache.engine.engine import Engine

_VERSIONS = {
    "tlsv1.2": ssl.TLSVersion.TLSv1_2,
    "tlsv1.3": ssl.TLSVersion.TLSv1_3,
}
_CLIENT_CERTIFICATES = {
    "no": ssl.CERT_NONE,
    "optional": ssl.CERT_OPTIONAL,
    "yes": ssl.CERT_REQUIRED,
}


class TlsError(Exception):
    """The TLS settings cannot be used: the text says which and why."""


def server_context(settings: "Settings") -> ssl.SSLContext:
    """The context that the tls-* settings describe; raises `TlsError`."""
    if not settings.tls_cert_file or not settings.tls_key_file:
        raise TlsError("tls-port needs tls-cert-file and tls-key-file.")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(
            settings.path(settings.tls_cert_file),
            settings.path(settings.tls_key_file),
            settings.tls_key_file_pass or None,
        )
        wanted = settings.tls_auth_clients
        if settings.tls_ca_cert_file or settings.tls_ca_cert_dir:
            file, folder = settings.tls_ca_cert_file, settings.tls_ca_cert_dir
            context.load_verify_locations(
                settings.path(file) if file else None, settings.path(folder) if folder else None
            )
        elif wanted != "no":
            raise TlsError(
                "tls-auth-clients asks for client certificates, but neither tls-ca-cert-file nor "
                "tls-ca-cert-dir says who signs them. Set one, or tls-auth-clients no."
            )
        context.verify_mode = _CLIENT_CERTIFICATES[wanted]
        if settings.tls_ciphers:
            context.set_ciphers(settings.tls_ciphers)
        if settings.tls_dh_params_file:
            context.load_dh_params(str(settings.path(settings.tls_dh_params_file)))
    except (OSError, ssl.SSLError) as error:
        raise TlsError(f"The TLS settings cannot be used: {error}") from error
    _restrict_versions(context, settings.tls_protocols)
    if settings.tls_prefer_server_ciphers:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    return context


def _restrict_versions(context: ssl.SSLContext, protocols: str) -> None:
    names = protocols.lower().split()
    unknown = [name for name in names if name not in _VERSIONS]
    if unknown:
        raise TlsError(f"tls-protocols: {unknown[0]!r} is not TLSv1.2 or TLSv1.3.")
    if names:
        versions = sorted(_VERSIONS[name] for name in names)
        context.minimum_version, context.maximum_version = versions[0], versions[-1]
    else:
        context.minimum_version = ssl.TLSVersion.TLSv1_2


class TlsListener:
    """Accepts TLS clients; `reload` makes new connections use changed certificates."""

    def __init__(self, engine: "Engine", door: Door, settings: "Settings") -> None:
        self._engine = engine
        self._door = door
        self._settings = settings
        self._context = server_context(settings)

    def reload(self) -> None:
        """Read the certificates again; raises `TlsError` and keeps the old ones."""
        self._context = server_context(self._settings)

    async def run(self, listeners: list[trio.SocketListener]) -> None:
        """Serve until cancelled."""
        await trio.serve_listeners(self._serve, listeners)

    async def _serve(self, plain: trio.SocketStream) -> None:
        peer = plain.socket.getpeername()
        is_local = is_loopback(str(peer[0]))
        refusal = self._door.refusal(self._engine, is_local)
        stream = trio.SSLStream(plain, self._context, server_side=True, https_compatible=True)
        try:
            with trio.fail_after(HANDSHAKE_DEADLINE):
                await stream.do_handshake()
                if refusal is not None:
                    await stream.send_all(refusal)
        except (trio.BrokenResourceError, trio.TooSlowError, ssl.SSLError, OSError) as error:
            self._engine.reporter.report(
                "info", "tls_handshake_failed", {"client": text_address(peer), "error": str(error)}
            )
            await trio.aclose_forcefully(plain)
            return
        if refusal is not None:
            await trio.aclose_forcefully(plain)
            return
        await serve_stream(
            self._engine,
            stream,
            address=text_address(peer),
            local_address=text_address(plain.socket.getsockname()),
            is_local=is_local,
            timeout=self._settings.timeout,
        )
