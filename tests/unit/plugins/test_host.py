"""What a plugin registers: it works, it is taken back, and when it raises only the plugin fails."""

import sys
from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

from hypercache.backend import Entry
from hypercache.keyspace.kv_backend import KVBackend
from hypercache.plugin import (
    BeforeChange,
    ChangeObserver,
    PluginHost,
    PressureChange,
    Record,
    ReplyGate,
    Sink,
    Touch,
)
from hypercache.testing.engine import NOTHING, EngineHarness
from hypercache.testing.resp import ReplyError, encode
from hypercache.testing.sorted_kv import SortedDictKV
from tests.support import sample_plugin
from tests.support.plugins import LogFile, Scripted, supervised
from tests.support.sinks import MemorySink

pytestmark = pytest.mark.trio

Register = Callable[[PluginHost], None]


def registering(register: Register, **options: bool) -> Scripted:
    """A plugin that registers something, at each of its starts, and waits."""

    async def before(host: PluginHost) -> None:
        register(host)

    return Scripted(before=before, **options)  # type: ignore[arg-type]


class Hook(BeforeChange):
    """Notes what it sees; raises for the key ``bad`` and for everything that has no key."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, bytes, bool]] = []

    def before_change(self, database: int, key: bytes, entry: Entry | None) -> None:
        if key == b"bad":
            raise LookupError("hook")
        self.seen.append((database, key, entry is not None))

    def before_clear(self, database: int) -> None:
        raise LookupError("hook")

    def before_swap(self, first: int, second: int) -> None:
        raise LookupError("hook")


class Observer(ChangeObserver):
    """Notes what it sees; raises for the key ``bad``."""

    def __init__(self) -> None:
        self.seen: list[tuple[bytes | None, str]] = []

    def changed(self, touches: list[Touch]) -> None:
        if touches[0].key == b"bad":
            raise LookupError("observer")
        self.seen += [(touch.key, touch.event.name) for touch in touches]


class BadSink(Sink):
    """Raises when it gets something."""

    def write(self, records: list[Record]) -> None:
        raise LookupError("sink")


async def test_hook_sees_keys_before_they_change(autojump_clock: MockClock) -> None:
    harness, hook = EngineHarness(), Hook()
    async with supervised(harness, {"a": registering(lambda host: host.add_hook(hook))}):
        harness.script("SET key one\nAPPEND key two\nDEL key\nGET key")
    harness.command("SET", "later", "1")
    assert hook.seen == [(0, b"key", False), (0, b"key", True), (0, b"key", True)]


async def test_observer_sees_touched_keys(autojump_clock: MockClock) -> None:
    harness, observer = EngineHarness(), Observer()
    async with supervised(harness, {"a": registering(lambda host: host.add_observer(observer))}):
        harness.script("SET key one\nGET key\nDEL key missing")
    harness.command("SET", "later", "1")
    assert observer.seen == [(b"key", "set"), (b"key", "del")]
    assert not harness.engine.changes.observed


async def test_commands_are_there_while_the_plugin_is(autojump_clock: MockClock) -> None:
    harness = EngineHarness()
    unknown = "ERR unknown command 'LEDGER.COUNT', with args beginning with: "
    module = sys.modules[sample_plugin.__name__]
    count = harness.command("COMMAND", "COUNT")
    async with supervised(harness, {"a": registering(lambda host: host.add_commands(module))}):
        reply = harness.command("COMMAND", "INFO", "ledger.mark")
        assert isinstance(reply, list)
        [info] = reply
        assert info[:2] == [b"ledger.mark", 3]
        assert {"write", "denyoom", "module"} == set(info[2])
        assert info[3:6] == [1, 1, 1]
        assert harness.command("COMMAND", "LIST", "FILTERBY", "MODULE", "a") == [
            b"ledger.count",
            b"ledger.mark",
        ]
        assert harness.command("ledger.Mark", "key", "text") == "OK"
        assert harness.command("GET", "key") == b"text"
        assert harness.command("LEDGER.MARK", "key") == ReplyError(
            "ERR wrong number of arguments for 'ledger.mark' command"
        )
    assert harness.command("LEDGER.COUNT") == ReplyError(unknown)
    assert harness.command("COMMAND", "INFO", "ledger.mark") == [None]
    assert harness.command("COMMAND", "COUNT") == count


async def test_queued_command_of_a_plugin_that_went(autojump_clock: MockClock) -> None:
    harness = EngineHarness()
    module = sys.modules[sample_plugin.__name__]
    async with supervised(harness, {"a": registering(lambda host: host.add_commands(module))}):
        harness.script("MULTI\nLEDGER.MARK key text\nSET other 1")
    unknown = "ERR unknown command 'LEDGER.MARK', with args beginning with: 'key' 'text' "
    assert harness.command("EXEC") == [ReplyError(unknown), "OK"]


async def test_taken_command_name_is_refused(autojump_clock: MockClock) -> None:
    harness = EngineHarness()
    module = sys.modules[sample_plugin.__name__]
    plugins = {name: registering(lambda host: host.add_commands(module)) for name in "ab"}
    with pytest.raises(ExceptionGroup) as caught:
        async with supervised(harness, plugins):
            raise AssertionError("both have started")
    text = str(caught.value.exceptions[0])
    assert text.startswith("plugin 'b' cannot start: GrammarError: ")
    assert "the name is taken" in text
    assert isinstance(harness.command("LEDGER.COUNT"), ReplyError)


async def test_information_is_shown_and_taken_back(autojump_clock: MockClock) -> None:
    harness = EngineHarness()

    def register(host: PluginHost) -> None:
        host.add_information("ledger", lambda: {"ledger_records": 7})
        host.add_information("persistence", lambda: {"aof_enabled": 1})

    async with supervised(harness, {"a": registering(register)}):
        assert harness.command("INFO", "ledger") == b"# Ledger\r\nledger_records:7\r\n"
        assert b"aof_enabled:1\r\n" in text(harness, "INFO", "persistence")
        assert b"# Ledger" in text(harness, "INFO", "everything")
    assert harness.command("INFO", "ledger") == b""
    assert b"aof_enabled:0\r\n" in text(harness, "INFO", "persistence")


async def test_pressure_is_told_while_the_plugin_is_there(autojump_clock: MockClock) -> None:
    harness = EngineHarness()
    harness.command("CONFIG", "SET", "maxmemory", 1 << 20)
    harness.command("STORES", "CREATE", "small", "database", 1, "max-memory", 10_000)
    heard: list[tuple[str, str, str]] = []

    def follow(change: PressureChange) -> None:
        heard.append((change.source, change.store, change.level))

    async with supervised(harness, {"p": registering(lambda host: host.follow_pressure(follow))}):
        harness.command("SET", "key", "x" * 980_000)
        harness.script("SELECT 1")
        harness.command("SET", "key", "x" * 10_000)
        harness.advance(100)
        harness.tick()
        assert heard == [("data", "", "critical"), ("store", "small", "panic")]
    harness.script("DEL key")
    harness.advance(100)
    harness.tick()
    assert len(heard) == 2


async def test_a_follower_of_pressure_that_raises_crashes_its_plugin_only(
    autojump_clock: MockClock,
) -> None:
    harness = EngineHarness()
    harness.command("CONFIG", "SET", "maxmemory", 1 << 20)

    def follow(change: PressureChange) -> None:
        raise LookupError(change.level)

    plugin = registering(lambda host: host.follow_pressure(follow))
    heard: list[str] = []
    other = registering(
        lambda host: host.follow_pressure(lambda change: heard.append(change.level))
    )
    async with supervised(harness, {"bad": plugin, "good": other}):
        harness.command("SET", "key", "x" * 1_030_000)
        harness.advance(100)
        harness.tick()
        assert heard == ["panic"]
        assert harness.command("GET", "none") is None
        await trio.sleep(1)
        assert len(plugin.runs) == 2


def text(harness: EngineHarness, *words: str) -> bytes:
    reply = harness.command(*words)
    assert isinstance(reply, bytes)
    return reply


async def test_taken_section_is_refused(autojump_clock: MockClock) -> None:
    plugins = {name: registering(lambda host: host.add_information("same", dict)) for name in "ab"}
    with pytest.raises(ExceptionGroup) as caught:
        async with supervised(EngineHarness(), plugins):
            raise AssertionError("both have started")
    assert "another plugin has the section 'same'" in str(caught.value.exceptions[0])


async def test_shared_things_are_found_while_the_plugin_runs(autojump_clock: MockClock) -> None:
    harness = EngineHarness()
    found: list[object] = []
    plugins = {
        "user": registering(lambda host: found.append(host.shared("owner"))),
        "owner": registering(lambda host: host.share("thing")),
    }
    plugins["user"].__dict__["requires"] = ("owner",)
    async with supervised(harness, plugins):
        assert found == ["thing"]
        assert harness.engine.shared == {"owner": "thing"}
    assert harness.engine.shared == {}


# The journal ---------------------------------------------------------------------------------


async def test_sink_and_gate(autojump_clock: MockClock) -> None:
    harness, sink = EngineHarness(), MemorySink()
    hosts: list[PluginHost] = []

    def register(host: PluginHost) -> None:
        hosts.append(host)
        host.add_sink(sink)
        host.add_gate(ReplyGate([sink]))

    harness.command("INCR", "n")
    async with supervised(harness, {"a": registering(register)}):
        [host] = hosts
        assert host.offset == 1
        assert harness.command("INCR", "n") is NOTHING
        assert [record.offset for record in sink.records] == [host.offset] == [2]
        with pytest.raises(ValueError, match="the journal is at 2"):
            host.safe(sink, 3)
        with pytest.raises(ValueError, match="the journal is at 2"):
            host.synced(sink, 3)
        assert harness.first.replies() == []
        host.safe(sink, 2)
        assert harness.first.replies() == [2]
        host.safe(sink, 1)
        assert sink.safe == 2, "what is safe does not become unsafe"
        assert harness.command("INCR", "n") is NOTHING
    assert harness.first.replies() == [], "the plugin has gone without a word about this one"
    assert harness.engine.journal.sinks == []


async def test_gate_lifted_by_the_plugin(autojump_clock: MockClock) -> None:
    harness, sink = EngineHarness(), MemorySink()
    gate = ReplyGate([sink])
    hosts: list[PluginHost] = []

    def register(host: PluginHost) -> None:
        hosts.append(host)
        host.add_sink(sink)
        host.add_gate(gate)

    async with supervised(harness, {"a": registering(register)}):
        harness.command("INCR", "n")
        hosts[0].remove_gate(gate)
        assert harness.first.replies() == [1]
        hosts[0].remove_sink(sink)
        assert not harness.engine.changes.journalled
        assert harness.command("INCR", "n") == 2


@pytest.mark.parametrize("critical", [False, True])
async def test_gates_of_a_crashed_plugin(
    autojump_clock: MockClock, log: LogFile, critical: bool
) -> None:
    """Lifted until it runs again; but never, if serving without it would break a promise."""
    harness, crash = EngineHarness(), trio.Event()
    sinks: list[MemorySink] = []

    async def work(host: PluginHost) -> None:
        sink = MemorySink(f"run {len(sinks) + 1}")
        sinks.append(sink)
        host.add_sink(sink)
        host.add_gate(ReplyGate([sink]))
        await crash.wait()
        raise OSError("crash")

    async with supervised(harness, {"a": Scripted(work=work, critical=critical)}):
        await trio.sleep(0.01)
        assert harness.command("INCR", "n") is NOTHING
        crash.set()
        await trio.sleep(0.01)
        crash = trio.Event()
        assert harness.first.replies() == ([] if critical else [1])
        await trio.sleep(1)
        assert harness.command("INCR", "n") is NOTHING
        assert harness.first.replies() == []
        other = harness.client()
        assert other.command("GET", "n") == b"2"
        assert len(sinks) == (1 if critical else 2)
    assert [event["gates"] for event in log.events("plugin_failed")] == [1]


# What raises ---------------------------------------------------------------------------------

BAD: list[tuple[Register, str, tuple[str, ...]]] = [
    (lambda host: host.add_hook(Hook()), "hook", ("SET", "bad", "1")),
    (lambda host: host.add_hook(Hook()), "hook", ("FLUSHALL",)),
    (lambda host: host.add_hook(Hook()), "hook", ("SWAPDB", "0", "1")),
    (lambda host: host.add_observer(Observer()), "observer", ("SET", "bad", "1")),
    (lambda host: host.add_sink(BadSink("bad")), "sink", ("SET", "bad", "1")),
    (lambda host: host.add_information("bad", lambda: {"a": [][1]}), "IndexError", ("INFO", "bad")),
]


@pytest.mark.parametrize(("register", "cause", "words"), BAD, ids=lambda value: str(value)[:20])
async def test_what_raises_crashes_the_plugin_and_nothing_else(
    autojump_clock: MockClock,
    log: LogFile,
    register: Register,
    cause: str,
    words: tuple[str, ...],
) -> None:
    harness, plugin = EngineHarness(), registering(register)
    async with supervised(harness, {"bad": plugin}):
        reply = harness.command(*words)
        assert not isinstance(reply, ReplyError)
        assert reply is not NOTHING
        assert harness.command("SET", "bad", "2") == "OK"
        await trio.sleep(0.05)
        assert harness.engine.changes.hooks == []
        assert harness.engine.settlement.observers == []
        assert harness.engine.journal.sinks == []
        assert harness.engine.information == {}
        await trio.sleep(0.1)
        assert len(plugin.runs) == 2, "it was started again"
        assert harness.command("GET", "bad") == b"2"
    [event] = log.events("plugin_failed")
    assert cause in str(event["exception"])
    assert harness.recorder.crashes == []


async def test_sink_of_a_critical_plugin_that_raises(autojump_clock: MockClock) -> None:
    harness, sink = EngineHarness(), BadSink("bad")

    def register(host: PluginHost) -> None:
        host.add_sink(sink)
        host.add_gate(ReplyGate([sink]))

    async with supervised(harness, {"aof": registering(register, critical=True)}) as supervisor:
        assert harness.command("SET", "key", "1") is NOTHING
        with trio.fail_after(1):
            await supervisor.failed.wait()
    assert harness.first.replies() == []


async def test_expiry_that_crashes_a_hook_goes_on(autojump_clock: MockClock) -> None:
    harness = EngineHarness()
    harness.command("SET", "bad", "1", "PX", "10")
    async with supervised(harness, {"a": registering(lambda host: host.add_hook(Hook()))}):
        harness.advance(20)
        harness.tick()
        assert harness.command("DBSIZE") == 0


class TellingObserver(ChangeObserver):
    """Says something at a bad moment."""

    def __init__(self, tell: Callable[[], None]) -> None:
        self.tell = tell

    def changed(self, touches: list[Touch]) -> None:
        self.tell()


class TellingHook(BeforeChange):
    """Says something at a worse moment."""

    def __init__(self, tell: Callable[[], None]) -> None:
        self.tell = tell

    def before_change(self, database: int, key: bytes, entry: Entry | None) -> None:
        self.tell()


class UnitBackend(KVBackend):
    """A backend that knows whether a unit is open."""

    def __init__(self) -> None:
        super().__init__(SortedDictKV())
        self.is_open = False

    def begin(self) -> None:
        super().begin()
        self.is_open = True

    def commit(self) -> None:
        self.is_open = False
        super().commit()


async def test_what_is_safe_may_be_told_amid_anything(autojump_clock: MockClock) -> None:
    """It counts when the round ends, which is not now."""
    backend, sink = UnitBackend(), MemorySink()
    harness = EngineHarness(backend)
    seen: list[bool] = []

    def register(host: PluginHost) -> None:
        def tell() -> None:
            sink.safe = 0
            host.safe(sink, host.offset)
            seen.append(backend.is_open)

        host.add_sink(sink)
        host.add_gate(ReplyGate([sink]))
        host.add_observer(TellingObserver(tell))
        host.add_hook(TellingHook(tell))

    first, second = harness.first, harness.client()
    async with supervised(harness, {"a": registering(register)}):
        assert first.command("SET", "key", "1", "PX", "10") == "OK"
        harness.advance(20)
        harness.tick()
        assert sink.commands()[-1] == [b"DEL", b"key"]
        # The other client goes on only when this one has been served.
        second.send(encode("WAIT", 1, 0) + encode("PING"))
        first.send(encode("CLIENT", "UNBLOCK", second.session.id) + encode("SET", "key", "2"))
        assert first.replies() == [1, "OK"]
        assert second.replies() == [0, "PONG"]
    assert len(seen) >= 4
    assert all(seen)


async def test_gates_of_a_plugin_that_fails_while_it_stops(autojump_clock: MockClock) -> None:
    """The server ends: nobody is told of a write that nobody has."""
    harness, sink = EngineHarness(), MemorySink()

    async def work(host: PluginHost) -> None:
        host.add_sink(sink)
        host.add_gate(ReplyGate([sink]))
        try:
            await trio.sleep_forever()
        finally:
            raise OSError("disk full")

    async with supervised(harness, {"a": Scripted(work=work)}):
        await trio.sleep(1)
        assert harness.command("INCR", "n") is NOTHING
    assert harness.first.replies() == []
