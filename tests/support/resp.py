"""A small RESP client over a plain socket, independent of the server's own protocol code.

It hides nothing: errors are values, and `Client.read_frame` gives a reply's very bytes.
"""

import errno
import select
import socket
import struct
from io import BytesIO
from types import TracebackType
from typing import IO, Self

from hypercache.testing.resp import Argument, Push, ReplyError, Verbatim, encode
from hypercache.testing.server import ServerProcess

__all__ = [
    "Argument",
    "Client",
    "Disconnected",
    "Push",
    "Reader",
    "ReplyError",
    "Verbatim",
    "connect",
    "decode",
    "encode",
    "info",
]


class Disconnected(Exception):
    """The server closed the connection in the middle of a reply, or before it."""


class Reader:
    """Reads replies from a stream of bytes."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def read(self, parts: list[bytes]) -> object:
        """The next reply as a value; its bytes are added to ``parts``."""
        line = self._line(parts)
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest.decode("utf-8", "surrogateescape")
        if kind == b"-":
            return ReplyError(rest.decode("utf-8", "surrogateescape"))
        if kind in (b":", b"("):
            return int(rest)
        if kind == b",":
            return float(rest)
        if kind == b"#":
            return {b"t": True, b"f": False}[rest]
        if kind == b"_" or rest == b"-1":
            return None
        if kind in (b"$", b"=", b"!"):
            data = self._bulk(int(rest), parts)
            if kind == b"=":
                return Verbatim(data[:3].decode(), data[4:])
            return data if kind == b"$" else ReplyError(data.decode("utf-8", "surrogateescape"))
        if kind == b"|":
            self._items(2 * int(rest), parts)
            return self.read(parts)
        if kind == b"%":
            items = self._items(2 * int(rest), parts)
            return dict(zip(items[::2], items[1::2], strict=True))
        if kind not in (b"*", b"~", b">"):
            raise AssertionError(f"not a RESP type: {line!r}")
        items = self._items(int(rest), parts)
        if kind == b"~":
            return frozenset(items)
        return items if kind == b"*" else Push(tuple(items))

    def _line(self, parts: list[bytes]) -> bytes:
        line = self._stream.readline()
        if not line.endswith(b"\r\n"):
            raise Disconnected(f"after {b''.join(parts) + line!r}")
        parts.append(line)
        return line[:-2]

    def _bulk(self, length: int, parts: list[bytes]) -> bytes:
        data = self._stream.read(length + 2)
        if len(data) != length + 2:
            raise Disconnected(f"after {len(data)} of {length} bytes")
        assert data.endswith(b"\r\n"), data[-10:]
        parts.append(data)
        return data[:-2]

    def _items(self, count: int, parts: list[bytes]) -> list[object]:
        return [self.read(parts) for _ in range(count)]


def decode(frame: bytes) -> object:
    """The value of one reply."""
    return Reader(BytesIO(frame)).read([])


class Client:
    """One connection. Replies become ``str`` (simple), ``bytes`` (bulk), ``int``, ``None``
    (every null), ``list``, `ReplyError` and, in RESP3, ``float``, ``bool``, ``dict``,
    ``frozenset``, `Verbatim` and `Push`."""

    def __init__(self, connection: socket.socket, protocol: int = 2) -> None:
        self.socket = connection
        self._stream = connection.makefile("rb")
        self._reader = Reader(self._stream)
        if protocol != 2:
            reply = self.call("HELLO", protocol)
            assert not isinstance(reply, ReplyError), reply

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(data)

    def send_last(self, data: bytes) -> None:
        """Send bytes and that no more follow; the server may have closed before, or close now."""
        try:
            self.socket.sendall(data)
            self.socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN):
                raise

    def reset(self) -> None:
        """Close at once and without a farewell (RST), leaving what is unread."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def call(self, *arguments: Argument) -> object:
        """Send one request and read its reply."""
        self.send(encode(*arguments))
        return self.read()

    def pipeline(self, *requests: tuple[Argument, ...]) -> list[object]:
        """Send all requests at once and read their replies."""
        self.send(b"".join(encode(*request) for request in requests))
        return [self.read() for _ in requests]

    def read(self) -> object:
        """The next reply as a Python value."""
        return self._reader.read([])

    def read_frame(self) -> bytes:
        """The next reply as the bytes on the wire."""
        parts: list[bytes] = []
        self._reader.read(parts)
        return b"".join(parts)

    def silent(self, seconds: float) -> bool:
        """Whether nothing arrives for that long, not even the end of the connection."""
        return not select.select([self.socket], [], [], seconds)[0]

    def read_to_end(self, marker: bytes | None = None) -> bytes:
        """Everything until the server closes the connection, or until ``marker`` has come.

        A reset ends a connection as well.
        """
        received = bytearray()
        try:
            while data := self._stream.read1():
                received += data
                if marker is not None and marker in received[-len(data) - len(marker) :]:
                    break
        except ConnectionError:
            pass
        return bytes(received)


def connect(server: ServerProcess, protocol: int = 2, timeout: float = 5.0) -> Client:
    """A new client of a server; every read and write of it ends after ``timeout`` seconds."""
    return Client(server.connect(timeout), protocol)


def info(client: Client, section: str = "everything") -> dict[str, str]:
    """The fields of INFO by name."""
    reply = client.call("INFO", section)
    text = reply.text if isinstance(reply, Verbatim) else reply
    assert isinstance(text, bytes), text
    lines = (line.partition(":") for line in text.decode().splitlines() if ":" in line)
    return {name: value for name, _, value in lines}
