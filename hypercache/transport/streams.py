"""The stream transport: a task per connection, for what needs Trio's streams.

TLS, in-memory streams in tests and systems without epoll go this way; the session behind
is the same one that the reactor drives.
"""

from collections import deque
from typing import TYPE_CHECKING, Final

import trio

from hypercache.engine.session import Outlet, Session

if TYPE_CHECKING:
    from hypercache.engine.engine import Engine

# How long one send, or a TLS handshake, may take before the client counts as gone, in seconds.
SEND_DEADLINE: Final = 60.0
HANDSHAKE_DEADLINE: Final = 10.0
READ_SIZE: Final = 16384
LARGE_READ_SIZE: Final = 262144
# Up to how many bytes are sent, and encrypted, together.
JOINED_BYTES: Final = 65536


class StreamOutlet(Outlet):
    """Wakes the task that sends, or cancels the connection's tasks."""

    def __init__(self, engine: "Engine", scope: trio.CancelScope) -> None:
        self._scope = scope
        self.ready = trio.Event()
        self.chunks: deque[bytes] = deque()
        self.session: Session = engine.connect(self)

    def deliver(self) -> None:
        self.chunks.extend(self.session.take())
        self.ready.set()

    def waiting(self) -> int:
        return len(self.chunks)

    def next(self) -> bytes:
        """What is to be sent next: small chunks together, a large one as it is."""
        chunks = self.chunks
        size = 0
        count = 0
        for chunk in chunks:
            size += len(chunk)
            if size > JOINED_BYTES:
                break
            count += 1
        return b"".join([chunks.popleft() for _ in range(max(count, 1))])

    def is_done(self) -> bool:
        """Whether the client is to end and has nothing left to get."""
        return self.session.is_over() and not self.chunks

    def close(self) -> None:
        self._scope.cancel()


async def serve_stream(
    engine: "Engine",
    stream: trio.abc.Stream,
    *,
    address: str = "",
    local_address: str = "",
    is_local: bool = True,
    timeout: float = 0,
) -> None:
    """Serve one client on a stream until it ends; closes the stream.

    ``timeout`` is the idle time in seconds after which the client is disconnected, 0 never.
    """
    with trio.CancelScope() as scope:
        outlet = StreamOutlet(engine, scope)
        session = outlet.session
        session.address = address
        session.local_address = local_address
        session.is_local = is_local
        try:
            async with stream, trio.open_nursery() as nursery:
                nursery.start_soon(_receive, outlet, engine, stream, timeout)
                await _send(outlet, stream)
                nursery.cancel_scope.cancel()
        except* (trio.BrokenResourceError, trio.ClosedResourceError, OSError):
            pass  # the client has gone: that is how connections end
        finally:
            engine.disconnect(session)


async def _receive(
    outlet: StreamOutlet, engine: "Engine", stream: trio.abc.Stream, timeout: float
) -> None:
    """Execute what arrives until the client has gone, or is to go."""
    session = outlet.session
    while not session.closing:
        size = min(max(session.parser.wanted, READ_SIZE), LARGE_READ_SIZE)
        with trio.CancelScope() as idle:
            if timeout > 0 and not session.blocked and session.subscriptions is None:
                idle.deadline = trio.current_time() + timeout
            data = await stream.receive_some(size)
        if idle.cancelled_caught:
            outlet.close()
        elif not data:
            engine.disconnect(session)
        else:
            session.receive(bytes(data))
            engine.end_round()
    outlet.ready.set()


async def _send(outlet: StreamOutlet, stream: trio.abc.Stream) -> None:
    """Send what is delivered until the client is to go and has got everything."""
    while not outlet.is_done():
        await outlet.ready.wait()
        outlet.ready = trio.Event()
        while outlet.chunks:
            chunk = outlet.next()
            with trio.move_on_after(SEND_DEADLINE) as deadline:
                await stream.send_all(chunk)
            if deadline.cancelled_caught:
                return  # how much was sent is unknown: the connection cannot go on
            outlet.session.sent(len(chunk))
