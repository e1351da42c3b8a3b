"""The reactor's synchronous half, compiled: connections, their sockets, one round at a time."""

import select
import socket
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from mypy_extensions import i64

from hypercache.engine.session import Outlet, Session

if TYPE_CHECKING:
    from hypercache.engine.engine import Engine

# Bytes read from one client in one turn: usually, and while a large value arrives.
READ_SIZE: Final[i64] = 32768
LARGE_READ_SIZE: Final[i64] = 262144
# What is usual is read to here, then copied: a string of the full size, cut to what has come, would
# leave a hole between the values stored meanwhile, too small for the next one.
_BUFFER: Final = bytearray(READ_SIZE)
_VIEW: Final = memoryview(_BUFFER)
# Most chunks given to the kernel in one call, most bytes in one turn, and up to how many bytes
# are rather copied into one piece than given to the kernel in many.
SEND_CHUNKS: Final = 512
SEND_BYTES: Final = 1048576
JOINED_BYTES: Final = 65536
READABLE: Final = select.EPOLLIN
WRITABLE: Final = select.EPOLLOUT


class Connection(Outlet):
    """One client's socket, non-blocking, in the poller's epoll set.

    ``backlog`` holds what the kernel did not take, but for the first ``taken`` bytes; while
    there is any, the connection also waits for its socket to become writable. The chunks stay
    as they are, since those of a message are shared with other connections.
    """

    def __init__(self, poller: "Poller", sock: socket.socket) -> None:
        self.poller = poller
        self.socket: socket.socket | None = sock
        self.descriptor: int = sock.fileno()
        self._recv: Callable[[int], bytes] = sock.recv
        self._recv_into: Callable[[bytearray], int] = sock.recv_into
        self._send: Callable[[bytes], int] = sock.send
        self.backlog: deque[bytes] = deque()
        self.taken: i64 = 0
        self.session: Session = poller.engine.connect(self)
        self.session.descriptor = self.descriptor

    def read(self) -> None:
        """Take what has arrived, within one turn's bounds, and execute it."""
        session = self.session
        size: i64 = session.parser.wanted
        try:
            if size <= READ_SIZE:
                got = self._recv_into(_BUFFER)
                data = bytes(_VIEW[:got])
            else:
                data = self._recv(size if size < LARGE_READ_SIZE else LARGE_READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        if not data:
            self.close()
        elif not session.closing:
            session.receive(data)

    def deliver(self) -> None:
        session = self.session
        if self.socket is None:
            return
        if self.backlog:
            self.backlog.extend(session.take())  # sent when the socket is writable
            return
        if len(session.output) == 1:
            chunk = session.output.pop()
        elif session.output_bytes <= JOINED_BYTES:
            chunk = b"".join(session.take())
        else:
            self.backlog.extend(session.take())
            self.deliver_backlog(False)
            return
        try:
            sent: i64 = self._send(chunk)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.close()
            return
        session.sent(sent)
        if sent == len(chunk):
            self.close_if_done()
            return
        self.backlog.append(chunk)
        self.taken = sent
        self.poller.watch(self, True)

    def deliver_backlog(self, waiting: bool) -> None:
        """Send from the backlog; ``waiting`` if the socket was not writable before."""
        session = self.session
        budget: i64 = SEND_BYTES
        while self.backlog and budget > 0:
            sent = self._send_some()
            if sent < 0:
                self.close()
                return
            if sent == 0:
                break
            session.sent(sent)
            budget -= sent
        if self.backlog and not waiting:
            self.poller.watch(self, True)
        elif not self.backlog:
            if waiting:
                self.poller.watch(self, False)
            self.close_if_done()

    def waiting(self) -> int:
        return len(self.backlog)

    def close_if_done(self) -> None:
        """Close a connection that is to end and has nothing left to send."""
        if self.session.is_over():
            self.close()

    def _send_some(self) -> i64:
        """Bytes that the kernel took: 0 when it takes none now, -1 when the client is gone."""
        sock = self.socket
        backlog = self.backlog
        if sock is None:
            return -1
        chunks: list[bytes | memoryview] = []
        size: i64 = -self.taken
        for chunk in backlog:
            size += len(chunk)
            chunks.append(chunk)
            if len(chunks) == SEND_CHUNKS:
                break
        if self.taken > 0:
            chunks[0] = memoryview(backlog[0])[self.taken :]
        try:
            if size <= JOINED_BYTES:
                sent: i64 = sock.send(b"".join(chunks))
            else:
                sent = sock.sendmsg(chunks)
        except BlockingIOError:
            return 0
        except OSError:
            return -1
        left: i64 = sent + self.taken
        while left > 0 and left >= len(backlog[0]):
            left -= len(backlog.popleft())
        self.taken = left
        return sent

    def close(self) -> None:
        sock = self.socket
        if sock is None:
            return
        self.socket = None
        self.poller.forget(self)
        sock.close()
        self.backlog.clear()
        self._recv = _closed_recv
        self._recv_into = _closed_recv_into
        self._send = _closed_send
        self.poller.engine.disconnect(self.session)


def _closed_recv(size: int) -> bytes:
    return b""


def _closed_recv_into(buffer: bytearray) -> int:
    return 0


def _closed_send(data: bytes) -> int:
    raise BrokenPipeError


class Poller:
    """An epoll set of connections, served in rounds."""

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self.epoll = select.epoll()
        self.connections: dict[int, Connection] = {}

    def adopt(self, sock: socket.socket) -> Connection:
        """Serve an accepted, non-blocking socket from now on."""
        connection = Connection(self, sock)
        self.connections[connection.descriptor] = connection
        self.epoll.register(connection.descriptor, READABLE)
        return connection

    def forget(self, connection: Connection) -> None:
        """Serve a connection no longer; its socket is still open."""
        del self.connections[connection.descriptor]
        self.epoll.unregister(connection.descriptor)

    def watch(self, connection: Connection, writable: bool) -> None:
        """Wait for a connection to become writable too, or no longer."""
        mask = READABLE | WRITABLE if writable else READABLE
        self.epoll.modify(connection.descriptor, mask)

    def serve(self, events: list[tuple[int, int]]) -> list[int]:
        """One round: execute what the ready connections sent, then deliver.

        Returns the ready descriptors that are no connections: the listeners.
        """
        others: list[int] = []
        for descriptor, mask in events:
            connection = self.connections.get(descriptor)
            if connection is None:
                others.append(descriptor)
                continue
            if mask & WRITABLE:
                connection.deliver_backlog(True)
            if mask & ~WRITABLE:
                connection.read()
        self.engine.end_round()
        return others

    def close(self) -> None:
        """Close every connection and the epoll set."""
        for connection in list(self.connections.values()):
            connection.close()
        self.epoll.close()
