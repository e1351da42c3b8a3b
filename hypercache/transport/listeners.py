"""Listening sockets, bound as the settings say."""

import errno
import socket
import stat
from collections.abc import Sequence
from pathlib import Path


class ListenError(Exception):
    """A socket could not be bound: the text says which, why, and what to do."""


def bind_tcp(addresses: Sequence[str], port: int, backlog: int) -> list[socket.socket]:
    """Listen on a TCP port at every address; one after a hyphen may be missing.

    ``*`` is every IPv4 address, ``::*`` every IPv6 address; with no address nobody connects.
    Raises `ListenError` when one cannot be bound, or none could.
    """
    bound: list[socket.socket] = []
    try:
        for address in addresses:
            optional = address.startswith("-")
            host = address.removeprefix("-")
            listener = _bind_one(host, port, backlog, optional)
            if listener is not None:
                bound.append(listener)
        if addresses and not bound:
            raise ListenError(f"Failed listening on port {port} (TCP): no address to listen on.")
    except ListenError:
        for listener in bound:
            listener.close()
        raise
    return bound


def _bind_one(host: str, port: int, backlog: int, optional: bool) -> socket.socket | None:
    host = {"*": "0.0.0.0", "::*": "::", "": "0.0.0.0"}.get(host, host)
    try:
        found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_NUMERICSERV
        )
        family, _, _, _, sockaddr = found[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        if optional:
            return None
        raise _failure(host, port, error) from error
    try:
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(sockaddr)
        listener.listen(backlog)
    except OSError as error:
        listener.close()
        if optional and not _is_taken(error):
            return None
        raise _failure(host, port, error) from error
    return listener


def _is_taken(error: OSError) -> bool:
    return error.errno == errno.EADDRINUSE


def _failure(host: str, port: int, error: OSError) -> ListenError:
    reason = error.strerror or str(error)
    return ListenError(
        f"Failed listening on port {port} (TCP), aborting. Could not bind {host}:{port}: {reason}. "
        "Choose another --port or --bind, or stop what listens there."
    )


def bind_unix(path: Path, permissions: int, backlog: int) -> socket.socket:
    """Listen on a Unix socket, replacing one that an earlier server left behind."""
    try:
        if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
            path.unlink()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(str(path))
            if permissions:
                path.chmod(permissions)
            listener.listen(backlog)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise ListenError(
            f"Failed opening Unix socket {path}: {error.strerror or error}. "
            "Check the folder and its permissions (unixsocket)."
        ) from error
    return listener
