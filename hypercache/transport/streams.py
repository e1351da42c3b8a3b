"""The stream transport: a task per connection, for what needs Trio's streams.

TLS, in-memory streams in tests and systems without epoll go this way; the session behind
is the same one that the reactor drives.
"""

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


class StreamOutlet(Outlet):
    """Wakes the task that sends, or cancels the connection's tasks."""

    def __init__(self, scope: trio.CancelScope) -> None:
        self._scope = scope
        self.ready = trio.Event()

    def deliver(self) -> None:
        self.ready.set()

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
        outlet = StreamOutlet(scope)
        session = engine.connect(outlet)
        session.address = address
        session.local_address = local_address
        session.is_local = is_local
        try:
            async with stream, trio.open_nursery() as nursery:
                nursery.start_soon(_send, session, outlet, stream, scope)
                await _receive(engine, session, stream, timeout)
                await _drain(session)
                nursery.cancel_scope.cancel()
        except* (trio.BrokenResourceError, trio.ClosedResourceError, OSError):
            pass  # the client has gone: that is how connections end
        finally:
            engine.disconnect(session)


async def _receive(
    engine: "Engine", session: Session, stream: trio.abc.Stream, timeout: float
) -> None:
    while not session.closing:
        size = min(max(session.parser.wanted, READ_SIZE), LARGE_READ_SIZE)
        with trio.CancelScope() as idle:
            if timeout > 0 and not session.blocked:
                idle.deadline = trio.current_time() + timeout
            data = await stream.receive_some(size)
        if idle.cancelled_caught or not data:
            return
        session.receive(bytes(data))
        engine.end_round()


async def _send(
    session: Session, outlet: StreamOutlet, stream: trio.abc.Stream, scope: trio.CancelScope
) -> None:
    while True:
        await outlet.ready.wait()
        outlet.ready = trio.Event()
        for chunk in session.take():
            with trio.move_on_after(SEND_DEADLINE) as deadline:
                await stream.send_all(chunk)
            if deadline.cancelled_caught:
                scope.cancel()  # how much was sent is unknown: the connection cannot go on
                return
            session.sent(len(chunk))


async def _drain(session: Session) -> None:
    """Give the last replies a moment to leave."""
    with trio.move_on_after(1):
        while session.output_bytes > 0:
            await trio.sleep(0.005)
