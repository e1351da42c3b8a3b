"""What is known of the backend's syncs: how far the data are safe from a power failure.

The server's task (`hypercache.durability`) calls `Backend.sync` in a thread and reports here.
With the policy ``ALWAYS`` a reply gate holds the replies to writes until a sync that began
after their commit has returned. The gate's sink is not attached to the journal: nothing has to
be journalled for it, only offsets are compared.

While the last sync has failed, writes are refused: their replies could not leave, or would
promise too much. Clients whose replies are held are dropped, since what became of their writes
is unknown; reads go on. (Redis ends itself where an append-only file with ``appendfsync always``
cannot be synced, and refuses writes with ``everysec``.)
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from mypy_extensions import i64

from hypercache.backend import ALWAYS, NO, Backend
from hypercache.engine.journal import LOCAL_FILE, ReplyGate, Sink

if TYPE_CHECKING:
    from hypercache.engine.engine import Engine


class Syncs:
    """Syncs of the backend since the start. Times are Unix microseconds.

    ``prompt``: every commit that wrote something is to be synced at once, by `wanted`.
    ``error`` says why the last sync has failed, and is empty when it has not.
    ``began`` is the start of the one under way, 0 when there is none; ``last`` the end of the
    last that succeeded, ``elapsed`` how long it took.
    """

    def __init__(self, engine: "Engine", backend: Backend) -> None:
        self.engine = engine
        self.backend = backend
        self.policy = backend.sync_policy
        self.prompt = False
        #: Whether the round that ends has written something that is to be synced at once.
        self.due = False
        # Called after each round that has written something, with its replies held or sent.
        self.followers: list[Callable[[], None]] = []
        self.sink = Sink(backend.name, LOCAL_FILE)
        self.gate: ReplyGate | None = None
        self.wanted: Callable[[], None] | None = None
        self.count: i64 = 0
        self.failures: i64 = 0
        self.began: i64 = 0
        self.last: i64 = 0
        self.elapsed: i64 = 0
        self.error = ""

    def start(self, wanted: Callable[[], None]) -> None:
        """Somebody syncs from now on, about once a second and whenever ``wanted`` is called."""
        self.wanted = wanted
        self.follow_policy()

    def follow_policy(self) -> None:
        """The backend's policy may be another than before: a part of it has come or gone."""
        engine = self.engine
        self.policy = self.backend.sync_policy
        if self.wanted is None:
            return
        self.prompt = self.policy == ALWAYS
        if self.prompt and self.gate is None:
            self.gate = ReplyGate([self.sink])
            engine.delivery.add_gate(self.gate)
        elif not self.prompt and self.gate is not None:
            engine.delivery.remove_gate(self.gate)
            self.gate = None
        if self.policy == NO:
            engine.journal.store = None
        elif engine.journal.store is None:
            self.sink.safe = engine.round_offset
            engine.journal.store = self.sink

    def request(self) -> None:
        """A round has written something, and its replies are held."""
        self.due = False
        if self.prompt and self.wanted is not None:
            self.wanted()
        for follower in self.followers:
            follower()

    def begin(self) -> i64:
        """A sync begins; the offset up to which everything is safe when it has succeeded."""
        self.began = self.engine.clock.microseconds()
        return self.engine.round_offset

    def succeeded(self, offset: i64) -> None:
        """A sync has returned: let the replies go that waited for it."""
        engine = self.engine
        self._ended()
        self.count += 1
        self.last = engine.clock.microseconds()
        if self.error:
            self.error = ""
            engine.reporter.report("info", "sync_recovered", {"backend": self.backend.name})
            engine.units.rearm()
        if offset > self.sink.safe:
            self.sink.safe = offset
            engine.gates_moved()

    def failed(self, error: Exception) -> None:
        """A sync has failed: refuse writes, and drop the clients that wait for it."""
        engine = self.engine
        self._ended()
        self.failures += 1
        reason = str(error) or type(error).__name__
        if reason != self.error:
            fields: dict[str, object] = {"backend": self.backend.name, "error": reason}
            engine.reporter.report("error", "sync_failed", fields)
        self.error = reason
        engine.units.rearm()
        if self.gate is not None:
            engine.delivery.drop_held(self.gate.passed())

    def _ended(self) -> None:
        engine = self.engine
        now: i64 = engine.clock.microseconds()
        self.elapsed = max(now - self.began, 0)
        self.began = 0
        engine.latency.add(b"backend-sync", now, self.elapsed)

    def refusal(self) -> str:
        """The error for commands that change data; empty while syncs succeed."""
        if not self.error:
            return ""
        return (
            f"MISCONF The {self.backend.name} backend cannot make changes durable:"
            f" {self.error.rstrip('.')}. Commands that change data are refused; reads go on."
        )
