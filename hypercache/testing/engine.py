"""An engine without sockets and with a clock of its own, for tests of commands.

    harness = EngineHarness()
    assert harness.command("SET", "greeting", "hello", "PX", 1500) == "OK"
    harness.advance(1501)
    assert harness.command("GET", "greeting") is None

The requests go through the same session, parser and writer as those of a network client, so
what is tested is what a client sees. A command that crashes raises here what it raised there.
"""

from typing import Final

from hypercache_memory import MemoryBackend

from hypercache import commands
from hypercache.backend import Backend
from hypercache.config import ConfigError, Configuration, Settings
from hypercache.engine.engine import Engine, Reporter
from hypercache.engine.registry import Registry
from hypercache.engine.session import Outlet, Session
from hypercache.extensions import make_policy
from hypercache.keyspace.clock import Chance, Clock
from hypercache.testing.resp import Argument, decode_all, encode

#: When a `ManualClock` starts: Unix microseconds.
START: Final = 1_700_000_000_000_000


class Nothing:
    """What `HarnessClient.command` returns where no reply came (yet): the client waits."""

    def __repr__(self) -> str:
        return "NOTHING"


NOTHING: Final = Nothing()


class ManualClock(Clock):
    """A clock that stands still until it is moved. ``now`` is in Unix microseconds."""

    def __init__(self, now: int = START) -> None:
        self.now = now

    def microseconds(self) -> int:
        return self.now


class Recorder(Reporter):
    """Keeps what the engine reports, and the exceptions of commands that crashed."""

    def __init__(self) -> None:
        self.reports: list[tuple[str, str, dict[str, object]]] = []
        self.crashes: list[Exception] = []

    def report(self, level: str, event: str, fields: dict[str, object]) -> None:
        self.reports.append((level, event, fields))
        exception = fields.get("exception")
        if isinstance(exception, Exception):
            self.crashes.append(exception)


class HarnessClient(Outlet):
    """One client of an `EngineHarness`. ``closed`` once the server has dropped it."""

    def __init__(self, harness: "EngineHarness") -> None:
        self.harness = harness
        self.closed = False
        self.session: Session = harness.engine.connect(self)
        self._received: list[bytes] = []

    def deliver(self) -> None:
        """Called by the engine: take what is to be sent."""
        chunks = self.session.take()
        self.session.sent(sum(map(len, chunks)))
        self._received += chunks
        if self.session.is_over():
            self.close()

    def close(self) -> None:
        """Called by the engine: drop the client."""
        self.closed = True
        self.harness.engine.disconnect(self.session)

    def disconnect(self) -> None:
        """The client goes away."""
        self.harness.engine.disconnect(self.session)

    def send(self, data: bytes) -> None:
        """Send bytes as they are; what they bring is for `received` or `replies`."""
        self.session.receive(data)
        self.harness.end_round()

    def received(self) -> bytes:
        """The bytes that have come since this was last asked."""
        data = b"".join(self._received)
        self._received = []
        return data

    def replies(self) -> list[object]:
        """What has come since this was last asked, decoded as `hypercache.testing.resp` does."""
        return decode_all(self.received())

    def command(self, *arguments: Argument) -> object:
        """Send one command and return its reply, or `NOTHING` if none came.

        Anything that came before is forgotten; more than one reply is an error of the test.
        """
        self._received = []
        self.send(encode(*arguments))
        replies = self.replies()
        if len(replies) > 1:
            raise AssertionError(f"{arguments} has {len(replies)} replies: {replies}")
        return replies[0] if replies else NOTHING


#: Bytes that the process of an engine seems to take, whatever is stored.
RESIDENT = 40 << 20


class EngineHarness:
    """An engine over a backend (a new memory backend if not given), and its first client.

    ``clock`` moves only with `advance`; ``seed`` determines every random choice.
    """

    def __init__(
        self,
        backend: Backend | None = None,
        *,
        databases: int = 16,
        seed: int = 1,
        settings: Settings | None = None,
    ) -> None:
        self.clock = ManualClock()
        self.recorder = Recorder()
        registry = Registry()
        commands.load(registry)
        self.engine = Engine(
            backend or MemoryBackend(),
            databases,
            registry,
            Configuration(settings or Settings()),
            self.clock,
            Chance(seed),
            self.recorder,
        )
        # What this process takes is nobody's business: it has other engines, and a test runner.
        self.engine.statistics.base_memory = RESIDENT
        self.engine.pressure.read_resident = lambda: RESIDENT
        self.engine.acl.follow(self.engine.configuration)
        self.engine.configuration.subscribe_any(("notify-keyspace-events",), self._set_events)
        self.engine.configuration.subscribe_any(
            ("lfu-log-factor", "lfu-decay-time"), self._count_uses
        )
        self.engine.stores.filters.set_rate(0.01)
        self.engine.eviction.victims.make = make_policy
        self.engine.configuration.subscribe_any(("maxmemory-policy",), self._choose_policy)
        self.engine.configuration.subscribe_any(
            ("maxmemory", "maxmemory-samples", "maxmemory-eviction-tenacity"), self._limit_memory
        )
        self.engine.configuration.subscribe_any(
            (
                "maxmemory",
                "maxmemory-rss",
                "maxmemory-refuse-at-panic",
                "memory-pressure-levels",
            ),
            self._set_pressure,
        )
        self.first = self.client()

    @property
    def now(self) -> int:
        """The clock's time in Unix milliseconds."""
        return self.clock.now // 1000

    def client(self, version: int = 2) -> HarnessClient:
        """Another client, which speaks RESP2 or RESP3."""
        client = HarnessClient(self)
        if version != 2:
            client.command("HELLO", version)
        return client

    def command(self, *arguments: Argument) -> object:
        """Send one command as the first client. See `HarnessClient.command`."""
        return self.first.command(*arguments)

    def script(self, text: str) -> list[object]:
        """The replies to inline commands, one a line."""
        return [self.command(*line.split()) for line in text.strip().splitlines()]

    def advance(self, milliseconds: int) -> None:
        """Let time pass, and end the waits whose deadline has come."""
        self.clock.now += milliseconds * 1000
        self.engine.waits.run_timers()
        self.end_round()

    def tick(self) -> None:
        """Let the engine do its background work (active expiry, freeing) until none is left."""
        while self.engine.background.tick(1):
            self.end_round()
        self.engine.background.sample()
        self.end_round()

    def end_round(self) -> None:
        """End the engine's round; raises what a command has raised in it."""
        self.engine.end_round()
        if self.recorder.crashes:
            raise self.recorder.crashes.pop()

    def _set_events(self) -> None:
        """CONFIG SET notify-keyspace-events."""
        settings = self.engine.configuration.settings
        self.engine.pubsub.notifications.set_classes(settings.notify_keyspace_events)

    def _count_uses(self) -> None:
        """CONFIG SET lfu-log-factor and lfu-decay-time."""
        settings = self.engine.configuration.settings
        self.engine.changes.frequency.log_factor = settings.lfu_log_factor
        self.engine.changes.frequency.decay_time = settings.lfu_decay_time

    def _choose_policy(self) -> None:
        """CONFIG SET maxmemory-policy."""
        policy = self.engine.configuration.settings.maxmemory_policy
        try:
            self.engine.eviction.victims.set_policy(policy)
        except ValueError as error:
            raise ConfigError(str(error)) from error

    def _limit_memory(self) -> None:
        """CONFIG SET maxmemory and its like."""
        settings = self.engine.configuration.settings
        self.engine.eviction.victims.set_samples(settings.maxmemory_samples)
        self.engine.eviction.set_tenacity(settings.maxmemory_eviction_tenacity)
        self.engine.memory.set_limit(settings.maxmemory)

    def _set_pressure(self) -> None:
        """CONFIG SET of what tells how near memory may come to its limits."""
        try:
            self.engine.pressure.configure()
        except ValueError as error:
            raise ConfigError(str(error)) from error

    def close(self) -> None:
        """Close the engine and its backend."""
        self.engine.close()
