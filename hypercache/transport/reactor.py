"""The reactor: one nursery task that serves all plain TCP and Unix-socket clients.

Its own epoll set is nested in Trio's: the task waits until that set is readable, then serves
every ready socket in one round and yields to Trio once. A task per connection would pay
Trio's scheduling per request; this pays it per round (docs/architecture.md has the figures).
"""

import errno
import socket
import time
from typing import TYPE_CHECKING, Final

import trio

from hypercache.transport.admission import Door, is_loopback, text_address
from hypercache.transport.connection import READABLE, Poller

if TYPE_CHECKING:
    from hypercache.engine.engine import Engine

MAX_EVENTS: Final = 1024
# Connections accepted from one listener in one round.
ACCEPTS: Final = 128
# How long accepting rests when the process is out of descriptors, in seconds.
REST: Final = 0.5
# How long a client that is to be closed may take to read its last replies, in microseconds.
LINGER: Final = 10_000_000


class Reactor:
    """Serves listeners and their connections; `run` is the task."""

    def __init__(self, engine: "Engine", door: Door) -> None:
        self._engine = engine
        self._door = door
        self.poller = Poller(engine)
        self._listeners: dict[int, socket.socket] = {}
        self.accepting = False
        # Until when accepting rests after the process ran out of descriptors.
        self._rest_until = 0.0
        # Idle seconds after which a client is closed; 0 is never.
        self.timeout = 0

    def listen(self, listener: socket.socket) -> None:
        """Accept clients from a bound, listening socket while `run` is under way."""
        listener.setblocking(False)
        self._listeners[listener.fileno()] = listener
        if self.accepting:
            self.poller.epoll.register(listener.fileno(), READABLE)

    def drop(self, listeners: list[socket.socket]) -> None:
        """Accept no more clients from these, and close them; those connected stay."""
        for listener in listeners:
            descriptor = listener.fileno()
            if self._listeners.pop(descriptor, None) is not None and self.accepting:
                self.poller.epoll.unregister(descriptor)
            listener.close()

    async def run(self) -> None:
        """Serve until cancelled."""
        self._accept_from_all(True)
        descriptor = self.poller.epoll.fileno()
        try:
            while True:
                await trio.lowlevel.wait_readable(descriptor)
                self.serve()
        finally:
            self.poller.close()

    def serve(self) -> None:
        """One round: execute what has arrived, deliver, and accept who waits at the door.

        Called amid a script that takes long, too, whose `Interlude` leaves delivering to itself.
        """
        for ready in self.poller.serve(self.poller.epoll.poll(0, MAX_EVENTS)):
            listener = self._listeners.get(ready)
            if listener is not None and self.accepting:
                self._accept(listener)

    def stop_accepting(self) -> None:
        """Close the listeners; those connected stay."""
        self._accept_from_all(False)
        for listener in self._listeners.values():
            listener.close()
        self._listeners.clear()

    def _accept_from_all(self, accepting: bool) -> None:
        if accepting == self.accepting:
            return
        self.accepting = accepting
        if self.poller.epoll.closed:
            return
        for descriptor in self._listeners:
            if accepting:
                self.poller.epoll.register(descriptor, READABLE)
            else:
                self.poller.epoll.unregister(descriptor)

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(ACCEPTS):
            try:
                accepted, address = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    self._engine.reporter.report("warning", "accept_failed", {"error": str(error)})
                    self._accept_from_all(False)
                    self._rest_until = time.monotonic() + REST
                    return
                continue  # the client has gone already
            self._admit(accepted, address)

    def _admit(self, accepted: socket.socket, address: object) -> None:
        accepted.setblocking(False)
        is_unix = accepted.family == socket.AF_UNIX
        is_local = is_unix or is_loopback(str(address[0] if isinstance(address, tuple) else ""))
        refusal = self._door.refusal(self._engine, is_local)
        try:
            if refusal is not None:
                accepted.send(refusal)
                accepted.close()
                return
            local = accepted.getsockname()
            if not is_unix:
                self._door.prepare(accepted)
        except OSError:
            accepted.close()  # the client has gone already
            return
        session = self.poller.adopt(accepted).session
        session.is_unix = is_unix
        session.is_local = is_local
        session.local_address = text_address(local)
        session.address = f"{session.local_address}:0" if is_unix else text_address(address)

    def sweep(self) -> None:
        """Look after clients, about once a second: idle ones, and ones that do not take leave."""
        if not self.accepting and self._listeners and time.monotonic() >= self._rest_until:
            self._accept_from_all(True)
        engine = self._engine
        now = engine.clock.microseconds()
        for connection in list(self.poller.connections.values()):
            session = connection.session
            idle = now - session.active
            if session.closing:
                if idle > LINGER and not session.held:
                    connection.close()
            elif self.timeout > 0 and idle > self.timeout * 1_000_000:
                if not session.blocked and session.subscriptions is None:
                    connection.close()
