"""Who is let in: the checks at the door that every transport shares."""

import ipaddress
import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hypercache.engine.engine import Engine

TOO_MANY: Final = b"-ERR max number of clients reached\r\n"
PROTECTED: Final = (
    b"-DENIED Redis is running in protected mode because protected mode is enabled and no "
    b"password is set for the default user. In this mode connections are only accepted from "
    b"the loopback interface. If you want to connect from external computers to Redis you may "
    b"adopt one of the following solutions: 1) Just disable protected mode sending the command "
    b"'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from "
    b"the same host the server is running, however MAKE SURE Redis is not publicly accessible "
    b"from internet if you do so. Use CONFIG REWRITE to make this change permanent. 2) "
    b"Alternatively you can just disable the protected mode by editing the Redis configuration "
    b"file, and setting the protected mode option to 'no', and then restarting the server. 3) "
    b"If you started the server manually just for testing, restart it with the '--protected-mode "
    b"no' option. 4) Set up an authentication password for the default user. NOTE: You only need "
    b"to do one of the above things in order for the server to start accepting connections from "
    b"the outside.\r\n"
)


class Door:
    """The rules of admission, as the settings have them now."""

    def __init__(self) -> None:
        self.max_clients = 10_000
        self.protected_mode = True
        self.keepalive = 300

    def refusal(self, engine: "Engine", is_local: bool) -> bytes | None:
        """What a new client is told before its connection is closed; None when it is let in."""
        if len(engine.sessions) >= self.max_clients:
            engine.counters.rejected_connections += 1
            return TOO_MANY
        if self.protected_mode and not is_local and engine.acl.default.needs_no_password:
            engine.counters.rejected_connections += 1
            return PROTECTED
        return None

    def prepare(self, connection: socket.socket) -> None:
        """Set the options of an accepted TCP connection: no delay, and keep-alive probes."""
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.keepalive > 0:
            interval = max(self.keepalive // 3, 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, self.keepalive)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, interval)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)


def is_loopback(host: str) -> bool:
    """Whether an address is of this machine's loopback range."""
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def text_address(address: object) -> str:
    """A socket address as ``host:port``, ``[host]:port`` or, of a Unix socket, its path."""
    if isinstance(address, tuple) and len(address) >= 2:
        host, port = str(address[0]), address[1]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return str(address)
