"""Subscribers that read all they get, beside a load of redis-benchmark that publishes."""

from __future__ import annotations

import select
import socket
import threading
import time

from .servers import HOST, BenchmarkError, encode

#: The channel that everybody listens to.
CHANNEL = b"news"
READ_BYTES = 1 << 20
WAIT_SECONDS = 30.0
POLL_SECONDS = 0.1


def message_bytes(size: int) -> int:
    """Bytes of a message with a payload of ``size`` bytes, as RESP2 has it."""
    return len(encode(b"message", CHANNEL, b"x" * size))


class Audience(threading.Thread):
    """Connections that subscribe and count the bytes that come; a context manager."""

    def __init__(self, port: int, listeners: int) -> None:
        super().__init__(daemon=True)
        self.received = 0
        self.error: OSError | None = None
        self._sockets: dict[int, socket.socket] = {}
        self._ended = threading.Event()
        confirmation = b"*3\r\n$9\r\nsubscribe\r\n$%d\r\n%b\r\n:1\r\n" % (
            len(CHANNEL),
            CHANNEL,
        )
        for _ in range(listeners):
            one = socket.create_connection((HOST, port), WAIT_SECONDS)
            self._sockets[one.fileno()] = one
            one.sendall(encode(b"SUBSCRIBE", CHANNEL))
            if one.recv(1024) != confirmation:
                self._close()
                raise BenchmarkError("a subscription was not confirmed")

    def __enter__(self) -> Audience:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()
        self._close()

    def _close(self) -> None:
        for one in self._sockets.values():
            one.close()

    def run(self) -> None:
        buffer = bytearray(READ_BYTES)
        with select.epoll() as ready:
            for descriptor in self._sockets:
                ready.register(descriptor, select.EPOLLIN)
            while not self._ended.is_set():
                for descriptor, _ in ready.poll(POLL_SECONDS):
                    try:
                        count = self._sockets[descriptor].recv_into(buffer)
                    except OSError as error:
                        self.error = error
                        return
                    if not count:
                        self.error = ConnectionError("a subscriber was dropped")
                        return
                    self.received += count

    def wait_for(self, expected: int) -> None:
        """Wait until so many bytes have come.

        Raises:
            BenchmarkError: fewer or more have come, or a subscriber was dropped.
        """
        end = time.monotonic() + WAIT_SECONDS
        while self.received < expected and self.error is None and time.monotonic() < end:
            time.sleep(POLL_SECONDS / 10)
        if self.error is not None or self.received != expected:
            reason = self.error or f"{self.received} bytes of messages came, not {expected}"
            raise BenchmarkError(f"subscribers: {reason}")
