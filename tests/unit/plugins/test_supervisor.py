"""The life of plugins: order, crashes, back-off, what is critical, and what does not stop."""

from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock

from hypercache.plugin import Plugin, PluginHost
from hypercache.supervision import PluginError, Supervisor
from hypercache.supervision.supervisor import FIRST_PAUSE, LONGEST_PAUSE, RECOVERED
from hypercache.testing.engine import EngineHarness
from tests.support.plugins import LogFile, Scripted, supervised

pytestmark = pytest.mark.trio


# Order -----------------------------------------------------------------------------------------


async def test_each_starts_after_those_before_and_stops_before_them(
    autojump_clock: MockClock, log: LogFile
) -> None:
    async def slow(host: PluginHost) -> None:
        await trio.sleep(1)

    async def slow_end(host: PluginHost) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)

    plugins = {name: Scripted(before=slow, work=slow_end) for name in ("a", "b")}
    plugins["c"] = Scripted(before=slow, work=slow_end)
    plugins["a"].__dict__["requires"] = ("c",)
    start = trio.current_time()
    async with supervised(EngineHarness(), plugins):
        assert [plugins[name].runs for name in "cab"] == [[start], [start + 1], [start + 2]]
        assert trio.current_time() == start + 3
    assert trio.current_time() == start + 6
    told = [(each["event"], each["plugin"]) for each in log.events()]
    assert told == [
        *[(event, name) for name in "cab" for event in ("plugin_starting", "plugin_started")],
        ("plugin_stopped", "b"),
        ("plugin_stopped", "a"),
        ("plugin_stopped", "c"),
    ]


# Crashes ---------------------------------------------------------------------------------------


async def test_crashed_plugin_is_started_again_after_growing_pauses(
    autojump_clock: MockClock, log: LogFile
) -> None:
    async def crash(host: PluginHost) -> None:
        raise OSError("no luck")

    plugin = Scripted(work=crash)
    async with supervised(EngineHarness(), {"shaky": plugin}) as supervisor:
        await trio.sleep(200)
        pauses = [later - sooner for sooner, later in pairwise(plugin.runs)]
        expected = [min(FIRST_PAUSE * 2**number, LONGEST_PAUSE) for number in range(len(pauses))]
        assert pauses == pytest.approx(expected)
        assert pauses[-1] == pytest.approx(LONGEST_PAUSE)
        assert supervisor.restarts("shaky") == len(pauses)
        assert not supervisor.failed.is_set()
    failures = log.events("plugin_failed")
    assert len(failures) == len(plugin.runs)
    assert failures[0]["level"] == "error"
    assert failures[0]["plugin"] == "shaky"
    assert "no luck" in str(failures[0]["exception"])


async def test_pause_is_short_again_after_a_long_good_run(autojump_clock: MockClock) -> None:
    runs = 0

    async def work(host: PluginHost) -> None:
        nonlocal runs
        runs += 1
        if runs == 5:
            await trio.sleep(RECOVERED + 1)
        raise ValueError(runs)

    plugin = Scripted(work=work)
    async with supervised(EngineHarness(), {"shaky": plugin}):
        await trio.sleep(RECOVERED + 10)
    pauses = [later - sooner for sooner, later in pairwise(plugin.runs)]
    assert pauses[3] == pytest.approx(8 * FIRST_PAUSE)
    assert pauses[4] == pytest.approx(RECOVERED + 1 + FIRST_PAUSE)


async def test_plugin_that_returns_has_crashed(autojump_clock: MockClock, log: LogFile) -> None:
    async def work(host: PluginHost) -> None:
        await trio.sleep(1)

    plugin = Scripted(work=work)
    async with supervised(EngineHarness(), {"short": plugin}):
        await trio.sleep(1.2)
        assert len(plugin.runs) == 2
    assert "nobody stopped it" in str(log.events("plugin_failed")[0]["exception"])


async def test_group_of_a_plugins_own_nursery_is_a_crash(autojump_clock: MockClock) -> None:
    async def fail() -> None:
        raise LookupError("inner")

    async def work(host: PluginHost) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail)
            nursery.start_soon(trio.sleep_forever)

    plugin = Scripted(work=work)
    async with supervised(EngineHarness(), {"nested": plugin}):
        await trio.sleep(0.15)
        assert len(plugin.runs) == 2


async def test_restart_is_not_waited_for_when_stopping(autojump_clock: MockClock) -> None:
    async def crash(host: PluginHost) -> None:
        raise OSError

    plugin = Scripted(work=crash)
    async with supervised(EngineHarness(), {"shaky": plugin}):
        await trio.sleep(20)
        runs, stopping = len(plugin.runs), trio.current_time()
    assert trio.current_time() == stopping
    assert len(plugin.runs) == runs


async def test_others_do_not_notice_a_crash(autojump_clock: MockClock) -> None:
    async def crash(host: PluginHost) -> None:
        await trio.sleep(1)
        raise OSError

    steady = Scripted()
    harness = EngineHarness()
    async with supervised(harness, {"steady": steady, "shaky": Scripted(work=crash)}):
        await trio.sleep(10)
        assert harness.command("PING") == "PONG"
        assert len(steady.runs) == 1


async def test_critical_plugin_is_not_started_again(
    autojump_clock: MockClock, log: LogFile
) -> None:
    async def crash(host: PluginHost) -> None:
        await trio.sleep(1)
        raise OSError("the disk has gone")

    plugin = Scripted(work=crash, critical=True)
    async with supervised(EngineHarness(), {"aof": plugin}) as supervisor:
        with trio.fail_after(2):
            await supervisor.failed.wait()
        failure = supervisor.failure
        assert str(failure) == (
            "plugin 'aof', which is critical, has failed: OSError: the disk has gone."
        )
        assert isinstance(failure, PluginError)
        assert isinstance(failure.__cause__, OSError)
        await trio.sleep(100)
        assert len(plugin.runs) == 1
    [event] = log.events("plugin_failed")
    assert event["critical"] is True


# The start ---------------------------------------------------------------------------------------


async def start_and_fail(plugins: dict[str, Scripted]) -> PluginError:
    """What the start of these plugins raises; all are stopped afterwards."""
    with pytest.raises(ExceptionGroup) as caught:
        async with supervised(EngineHarness(), plugins):
            raise AssertionError("they have started")
    [error] = caught.value.exceptions
    assert isinstance(error, PluginError)
    return error


@pytest.mark.parametrize("critical", [False, True])
async def test_plugin_that_cannot_start_stops_the_start(
    autojump_clock: MockClock, log: LogFile, critical: bool
) -> None:
    async def before(host: PluginHost) -> None:
        raise FileNotFoundError(2, "No such file", "data.aof")

    plugins = {"first": Scripted(), "aof": Scripted(before=before, critical=critical)}
    plugins["last"] = Scripted()
    error = await start_and_fail(plugins)
    assert str(error) == (
        "plugin 'aof' cannot start: FileNotFoundError: [Errno 2] No such file: 'data.aof'."
    )
    assert plugins["last"].runs == []
    assert [each["plugin"] for each in log.events("plugin_stopped")] == ["first"]
    assert len(plugins["aof"].runs) == 1


async def test_plugin_that_ends_before_it_has_started(autojump_clock: MockClock) -> None:
    class Hasty(Plugin):
        async def run(self, host: PluginHost, task_status: trio.TaskStatus[None]) -> None:
            await trio.sleep(0)

    with pytest.raises(ExceptionGroup) as caught:
        async with supervised(EngineHarness(), {"hasty": Hasty(None)}):
            raise AssertionError("it has started")
    assert "'hasty' cannot start: RuntimeError: it returned" in str(caught.value.exceptions[0])


async def test_start_can_be_given_up(autojump_clock: MockClock, log: LogFile) -> None:
    """A long recovery ends when the server is told to stop, and what had started is stopped."""

    async def before(host: PluginHost) -> None:
        await trio.sleep(3600)

    plugins = {"first": Scripted(), "long": Scripted(before=before)}
    supervisor = Supervisor(EngineHarness().engine, plugins, ".")
    begun = trio.current_time()
    async with trio.open_nursery() as nursery:
        with trio.move_on_after(5):
            await supervisor.start(nursery)
        await supervisor.stop()
    assert trio.current_time() == begun + 5
    assert [each["plugin"] for each in log.events("plugin_stopped")] == ["first"]


# The stop ----------------------------------------------------------------------------------------


async def test_cancelled_server_still_stops_them_in_order(
    autojump_clock: MockClock, log: LogFile
) -> None:
    """When something else ends the nursery, plugins are not cancelled all at once."""

    async def flush(host: PluginHost) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)

    plugins = {name: Scripted(work=flush) for name in "abc"}
    begun = trio.current_time()
    with trio.CancelScope() as scope:
        async with supervised(EngineHarness(), plugins):
            scope.cancel()
            await trio.lowlevel.checkpoint()
    assert trio.current_time() == begun + 3, "one after the other"
    assert [each["plugin"] for each in log.events("plugin_stopped")] == ["c", "b", "a"]


async def test_plugin_that_hangs_in_its_end_is_given_up(
    autojump_clock: MockClock, log: LogFile
) -> None:
    release = trio.Event()

    async def hang(host: PluginHost) -> None:
        with trio.CancelScope(shield=True):
            await release.wait()

    plugins = {"first": Scripted(), "stuck": Scripted(work=hang, stop_deadline=7.0)}
    supervisor = Supervisor(EngineHarness().engine, plugins, ".")
    async with trio.open_nursery() as nursery:
        await supervisor.start(nursery)
        begun = trio.current_time()
        await supervisor.stop()
        assert trio.current_time() == begun + 7
        assert supervisor.abandoned == ["stuck"]
        release.set()
    [event] = log.events("plugin_stop_timeout")
    assert (event["level"], event["plugin"], event["seconds"]) == ("error", "stuck", 7.0)
    assert [each["plugin"] for each in log.events("plugin_stopped")] == ["first"]


@pytest.mark.parametrize("critical", [False, True])
async def test_failure_while_stopping_is_told_and_stops_nobody(
    autojump_clock: MockClock, log: LogFile, critical: bool
) -> None:
    async def fail_to_flush(host: PluginHost) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            try:
                await trio.sleep_forever()
            finally:
                raise OSError("disk full")

    plugins = {"first": Scripted(), "aof": Scripted(work=fail_to_flush, critical=critical)}
    async with supervised(EngineHarness(), plugins) as supervisor:
        await trio.sleep(1)
    assert [each["plugin"] for each in log.events("plugin_stopped")] == ["aof", "first"]
    [event] = log.events("plugin_failed")
    assert "disk full" in str(event["exception"])
    assert supervisor.failed.is_set() == critical
    assert len(plugins["aof"].runs) == 1


async def test_plugin_that_ends_in_peace_when_stopped_has_not_failed(
    autojump_clock: MockClock, log: LogFile
) -> None:
    async def swallow(host: PluginHost) -> None:
        with trio.move_on_after(1000, shield=False) as scope:
            try:
                await trio.sleep_forever()
            except trio.Cancelled:
                scope.cancel()
                raise

    async with supervised(EngineHarness(), {"calm": Scripted(work=swallow, critical=True)}) as s:
        await trio.sleep(1)
    assert s.failure is None
    assert log.events("plugin_failed") == []
