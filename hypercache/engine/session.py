"""One client: bytes in, bytes out, no I/O.

A transport feeds what it reads to `Session.receive` and sends what then lies in
`Session.output`; the engine calls the transport's `Outlet` when there is output or when the
client must go. Everything between is here and in the engine, so the reactor, a TLS stream
and a test drive the very same object.
"""

from typing import TYPE_CHECKING, Final

from mypy_extensions import i64, mypyc_attr

from hypercache.engine.context import Context
from hypercache.keyspace.keyspace import Keyspace
from hypercache.protocol.errors import ProtocolError
from hypercache.protocol.parser import RequestParser
from hypercache.protocol.writer import encode

if TYPE_CHECKING:
    from hypercache.engine.client_eviction import Account
    from hypercache.engine.delivery import OutputLimit
    from hypercache.engine.engine import Engine


@mypyc_attr(allow_interpreted_subclasses=True)
class Outlet:
    """What a transport does for a session. No method may raise for bad luck."""

    def deliver(self) -> None:
        """Take ``session.output``; send now what can be sent now, and the rest when it can.

        All of it is taken at once: what comes after may have to wait for a reply gate.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Drop the connection without sending more. Ends with `Engine.disconnect`."""
        raise NotImplementedError

    def waiting(self) -> int:
        """How many chunks it has taken and could not send yet; one sent in part counts."""
        return 0


class _Gone(Outlet):
    """The outlet of a session whose client has gone."""

    def deliver(self) -> None:
        pass

    def close(self) -> None:
        pass


_GONE: Final = _Gone()


class Held:
    """Replies that wait for their gate to pass ``offset``."""

    __slots__ = ("chunks", "offset")

    def __init__(self, offset: i64, chunks: list[bytes]) -> None:
        self.offset = offset
        self.chunks = chunks


class Session(Context):
    """A client that speaks RESP.

    ``output`` are encoded replies ready to leave; the transport takes them with `take`.
    ``held`` are replies behind a reply gate, in order. ``output_bytes`` counts both, until the
    transport reports them sent.
    """

    def __init__(self, engine: "Engine", identity: int, db: Keyspace, outlet: Outlet) -> None:
        super().__init__(engine, identity, db)
        self.outlet = outlet
        self.parser = RequestParser()
        self.output: list[bytes] = []
        self.output_bytes: i64 = 0
        self.held: list[Held] = []
        # A request that CLIENT PAUSE has put off, executed before all others.
        self.postponed: list[bytes] | None = None
        # In the engine's list of sessions whose output is to be delivered.
        self.outgoing = False
        self.bytes_in: i64 = 0
        self.bytes_out: i64 = 0
        # How much may lie unread, None for any amount (see `Delivery.classify`).
        self.limit: OutputLimit | None = None
        # When the output grew beyond the soft limit, 0 when it is below.
        self.soft_limit_since: i64 = 0
        self.descriptor = -1
        # Its memory, while that of all clients is limited (see `ClientEviction`).
        self.account: Account | None = None

    def receive(self, data: bytes) -> None:
        """Execute every complete request in the bytes received so far."""
        engine = self.engine
        engine.counters.reads += 1
        engine.counters.bytes_in += len(data)
        self.bytes_in += len(data)
        self.parser.feed(data)
        if self.blocked:
            self.bound_input()
        else:
            self.run()

    def run(self) -> None:
        """Execute complete requests until none is left, or the client waits or ends."""
        engine = self.engine
        writer = engine.writer
        parser = self.parser
        engine.enter(self)
        try:
            postponed = self.postponed
            if postponed is not None and not self.closing:
                self.postponed = None
                engine.serve(self, postponed)
            while not self.closing and not self.blocked:
                args = parser.next()
                if args is None:
                    break
                engine.serve(self, args)
                if writer.size > 1048576:
                    self.collect()
                    if engine.delivery.eviction.due:
                        engine.delivery.eviction.evict()
        except ProtocolError as error:
            engine.protocol_error(self, error.text)
        except Exception as failure:  # noqa: BLE001 - must not take other clients down
            engine.units.batch_failed(self, failure)
        finally:
            self.collect()
            engine.leave(self)

    def end(self) -> None:
        """The client has gone: let go of all that it sent and was to get, and of its outlet.

        Outlet and session know each other, and the collector of such cycles does not run
        while the server is busy: what is not let go here would stay.
        """
        self.closing = True
        self.outlet = _GONE
        self.parser = RequestParser()
        self.output = []
        self.held = []
        self.queue = None
        self.postponed = None

    def bound_input(self) -> None:
        """Be cut off for sending more than may lie unprocessed (client-query-buffer-limit)."""
        engine = self.engine
        if self.parser.buffered() + self.queue_bytes > engine.query_buffer_limit:
            engine.counters.query_limit_disconnections += 1
            engine.reporter.report("warning", "client_query_buffer_limit", {"client": self.address})
            engine.delivery.kill(self)
        if self.account is not None:
            engine.delivery.eviction.update(self, self.account)

    def collect(self) -> None:
        """Take over what the engine has written for this client so far."""
        engine = self.engine
        size = engine.writer.size
        if size > 0:
            self.output.extend(engine.writer.take())
            self.output_bytes += size
            if not self.outgoing:
                self.outgoing = True
                engine.delivery.outgoing.append(self)
            if self.limit is not None:
                engine.delivery.bound_output(self, self.limit)
            if self.account is not None:
                engine.delivery.eviction.update(self, self.account)

    def push(self, value: object) -> None:
        """Send a value that is no reply to a request (a message, or a parked reply).

        During a command of this client it follows the command's reply.
        """
        if self.engine.serving is self:
            self.engine.pushes.append(value)
            return
        self.send(encode(value, self.version))

    def send(self, chunk: bytes) -> None:
        """Send what is encoded already; not to the client whose command is executed now."""
        self.output.append(chunk)
        self.output_bytes += len(chunk)
        delivery = self.engine.delivery
        if not self.outgoing:
            self.outgoing = True
            delivery.outgoing.append(self)
        if self.limit is not None:
            delivery.bound_output(self, self.limit)
        if self.account is not None:
            delivery.eviction.update(self, self.account)

    def take(self) -> list[bytes]:
        """The chunks ready to be sent, which become the transport's."""
        chunks = self.output
        self.output = []
        return chunks

    def is_over(self) -> bool:
        """Whether to close the connection when all that was delivered has been sent."""
        return self.closing and not self.held

    def sent(self, count: i64) -> None:
        """The transport reports that ``count`` bytes have left."""
        self.output_bytes -= count
        self.bytes_out += count
        self.engine.counters.writes += 1
        self.engine.counters.bytes_out += count
        if self.account is not None:
            self.engine.delivery.eviction.update(self, self.account)

    def set_version(self, version: int) -> None:
        """Speak RESP2 or RESP3 from the reply to this very request on."""
        super().set_version(version)
        if self.engine.serving is self:
            self.engine.writer.version = version

    def rearm(self) -> None:
        super().rearm()
        self.parser.authenticated = self.authenticated
