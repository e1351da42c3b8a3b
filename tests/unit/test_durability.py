"""The task that syncs the backend: who waits for what, and what a failure means."""

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from hypercache.backend import ALWAYS, EVERYSEC, NO
from hypercache.durability import PERIOD, Durability
from hypercache.group_commit import LEAST_MOMENT, MOMENT
from hypercache.testing.engine import NOTHING, EngineHarness, HarnessClient
from hypercache.testing.resp import ReplyError, encode
from tests.support.fragile import FragileBackend

pytestmark = pytest.mark.trio

REFUSED = ReplyError(
    "MISCONF The fragile backend cannot make changes durable: sync: disk on fire."
    " Commands that change data are refused; reads go on."
)


class Disk:
    """Plays the worker thread: what blocks is done, and ends when the test lets it.

    ``began`` are the names of the calls so far; ``inside`` is how many are under way.
    """

    def __init__(self) -> None:
        self.began: list[str] = []
        self.inside = 0
        self.stalls = False
        self._go_on = trio.Event()

    async def call(self, action: Callable[[], None]) -> None:
        self.began.append(action.__name__)
        self.inside += 1
        try:
            with trio.CancelScope(shield=True):
                if self.stalls:
                    await self._go_on.wait()
            action()
        finally:
            self.inside -= 1

    @property
    def syncs(self) -> int:
        return self.began.count("sync")

    async def let_go(self) -> None:
        """Let the calls end that are under way; the next ones stall again."""
        self._go_on.set()
        self._go_on = trio.Event()
        await wait_all_tasks_blocked()


class Durable:
    """An engine whose backend is synced by a `Durability`."""

    def __init__(self, sync_policy: str) -> None:
        self.backend = FragileBackend(sync_policy)
        self.kv = self.backend.fragile
        self.harness = EngineHarness(self.backend)
        self.engine = self.harness.engine
        self.client = self.harness.first
        self.disk = Disk()
        self.task = Durability(self.engine, self.disk.call)

    def events(self) -> list[str]:
        return [event for _, event, _ in self.harness.recorder.reports]


@asynccontextmanager
async def durable(sync_policy: str) -> AsyncIterator[Durable]:
    """A `Durable` whose task runs."""
    made = Durable(sync_policy)
    async with trio.open_nursery() as nursery:
        await nursery.start(made.task.run)
        try:
            yield made
        finally:
            made.disk.stalls = False
            await made.disk.let_go()
            await made.task.stop()


# Always ----------------------------------------------------------------------------------------


async def test_reply_to_a_write_waits_for_a_sync_that_began_after_it(
    autojump_clock: MockClock,
) -> None:
    async with durable(ALWAYS) as made:
        made.disk.stalls = True
        assert made.client.command("SET", "a", "1") is NOTHING
        await wait_all_tasks_blocked()
        other = made.harness.client()
        assert other.command("SET", "b", "1") is NOTHING, "its sync has not begun"
        await made.disk.let_go()
        assert made.client.replies() == ["OK"]
        assert other.replies() == []
        await trio.sleep(2 * LEAST_MOMENT)
        assert made.disk.syncs == 2
        await made.disk.let_go()
        assert other.replies() == ["OK"]


async def test_rounds_that_commit_while_a_sync_runs_share_the_next(
    autojump_clock: MockClock,
) -> None:
    async with durable(ALWAYS) as made:
        made.disk.stalls = True
        made.client.command("SET", "a", "1")
        await wait_all_tasks_blocked()
        others = [made.harness.client() for _ in range(50)]
        for other in others:
            assert other.command("INCR", "n") is NOTHING
            await wait_all_tasks_blocked()
        assert made.disk.syncs == 1, "never two at once"
        await made.disk.let_go()
        await trio.sleep(2 * LEAST_MOMENT)
        assert made.disk.syncs == 2
        await made.disk.let_go()
        assert [other.replies() for other in others] == [[number] for number in range(1, 51)]
        assert made.disk.syncs == 2


async def test_who_comes_back_at_once_joins_the_next_sync(autojump_clock: MockClock) -> None:
    """Else those who wrote during a sync, and those who wait for it, would take turns."""
    async with durable(ALWAYS) as made:
        one, two = made.harness.client(), made.harness.client()
        made.disk.stalls = True
        one.command("SET", "a", "1")
        await wait_all_tasks_blocked()
        two.command("SET", "b", "1")
        await trio.sleep(1)
        await made.disk.let_go()
        assert one.replies() == ["OK"]
        assert made.disk.syncs == 1, "it waits a moment for the first"
        one.command("SET", "a", "2")
        await wait_all_tasks_blocked()
        assert made.disk.syncs == 2, "all are there"
        await made.disk.let_go()
        assert (one.replies(), two.replies()) == (["OK"], ["OK"])


async def test_who_does_not_come_back_delays_others_only_a_moment(
    autojump_clock: MockClock,
) -> None:
    async with durable(ALWAYS) as made:
        other = made.harness.client()
        made.disk.stalls = True
        made.client.command("SET", "a", "1")
        await wait_all_tasks_blocked()
        other.command("SET", "b", "1")
        await trio.sleep(1)
        await made.disk.let_go()
        await trio.sleep(MOMENT - 0.01)
        assert made.disk.syncs == 1
        await trio.sleep(0.02)
        assert made.disk.syncs == 2
        await made.disk.let_go()
        assert other.replies() == ["OK"]
        await trio.sleep(1)
        other.command("SET", "b", "2")
        await wait_all_tasks_blocked()
        assert made.disk.syncs == 3, "nobody else is expected any more"


async def test_readers_are_not_delayed_while_a_sync_stalls(autojump_clock: MockClock) -> None:
    async with durable(ALWAYS) as made:
        reader = made.harness.client()
        assert reader.command("SET", "key", "value") is NOTHING
        await wait_all_tasks_blocked()
        assert reader.replies() == ["OK"]
        made.disk.stalls = True
        assert made.client.command("SET", "a", "1") is NOTHING
        await wait_all_tasks_blocked()
        assert reader.command("GET", "a") == b"1"
        assert reader.command("PING") == "PONG"
        assert reader.command("DEL", "missing") == 0, "it changes nothing"
        assert made.client.command("GET", "a") is NOTHING, "behind its own write"
        assert made.task.busy == 1
        await made.disk.let_go()
        assert made.client.replies() == ["OK", b"1"]


async def test_every_kind_of_write_waits(autojump_clock: MockClock) -> None:
    """Transactions, clients that waited for keys, and those that want no replies."""
    async with durable(ALWAYS) as made:
        waiting, silent = made.harness.client(), made.harness.client()
        waiting.command("BLPOP", "list", 0)
        made.disk.stalls = True
        made.client.send(encode("MULTI") + encode("RPUSH", "list", "a") + encode("EXEC"))
        assert (made.client.replies(), waiting.replies()) == ([], [])
        silent.send(encode("CLIENT", "REPLY", "SKIP") + encode("SET", "key", "value"))
        assert silent.command("PING") is NOTHING
        await wait_all_tasks_blocked()
        await made.disk.let_go()
        await made.disk.let_go()
        assert made.client.replies() == ["OK", "QUEUED", [1]]
        assert waiting.replies() == [[b"list", b"a"]]
        assert silent.replies() == ["PONG"]


async def test_expiry_asks_for_no_sync(autojump_clock: MockClock) -> None:
    async with durable(ALWAYS) as made:
        made.client.command("SET", "gone", "value", "PX", 10)
        await wait_all_tasks_blocked()
        made.harness.advance(20)
        made.harness.tick()
        await trio.sleep(3 * PERIOD)
        assert made.disk.syncs == 1
        assert made.client.command("GET", "gone") is None


async def test_waitaof_counts_the_backend_as_a_file(autojump_clock: MockClock) -> None:
    async with durable(ALWAYS) as made:
        reader = made.harness.client()
        made.client.command("SET", "key", "value")
        await wait_all_tasks_blocked()
        made.client.replies()
        assert made.client.command("WAITAOF", 1, 0, 0) == [1, 0]
        assert reader.command("WAIT", 0, 0) == 0


# Failures --------------------------------------------------------------------------------------


async def test_failed_sync_drops_who_waits_and_refuses_writes(autojump_clock: MockClock) -> None:
    async with durable(ALWAYS) as made:
        reader = made.harness.client()
        made.kv.fail("sync")
        made.client.command("SET", "key", "value")
        await wait_all_tasks_blocked()
        assert made.client.closed
        assert made.client.replies() == []
        assert reader.command("GET", "key") == b"value"
        assert reader.command("SET", "key", "other") == REFUSED
        assert reader.command("DEL", "key") == REFUSED
        assert reader.command("PING") == "PONG"
        await trio.sleep(3.5 * PERIOD)
        assert made.disk.syncs == 4, "it is tried again every second"
        assert made.events() == ["sync_failed"], "but told once"
        made.kv.failing.clear()
        await trio.sleep(PERIOD)
        assert reader.command("SET", "key", "other") is NOTHING
        await wait_all_tasks_blocked()
        assert reader.replies() == ["OK"]
        assert made.events() == ["sync_failed", "sync_recovered"]


async def test_client_that_writes_unseen_is_dropped_when_it_asks(autojump_clock: MockClock) -> None:
    """It wants no replies, so nothing is held when the sync fails; its next reply never leaves."""
    async with durable(ALWAYS) as made:
        made.kv.fail("sync")
        made.client.send(encode("CLIENT", "REPLY", "SKIP") + encode("SET", "key", "value"))
        await wait_all_tasks_blocked()
        assert not made.client.closed
        assert made.client.command("GET", "key") is NOTHING
        await trio.sleep(1.5 * PERIOD)
        assert made.client.closed
        assert made.client.replies() == []


async def test_figures_in_info(autojump_clock: MockClock) -> None:
    async with durable(ALWAYS) as made:
        reader = made.harness.client()

        def figures() -> dict[str, str]:
            text = reader.command("INFO", "backend")
            assert isinstance(text, bytes)
            lines = text.decode().split("\r\n")
            return dict(line.split(":", 1) for line in lines if ":" in line)

        made.disk.stalls = True
        made.client.command("SET", "key", "value")
        await wait_all_tasks_blocked()
        found = figures()
        assert found["backend_name"] == "fragile"
        assert found["backend_sync_policy"] == "always"
        assert (found["backend_sync_in_progress"], found["backend_syncs"]) == ("1", "0")
        assert found["backend_held_clients"] == "1"
        made.harness.advance(1500)
        await made.disk.let_go()
        found = figures()
        assert (found["backend_sync_in_progress"], found["backend_syncs"]) == ("0", "1")
        assert found["backend_last_sync_usec"] == "1500000"
        assert found["backend_last_sync_time"] == str(made.harness.now // 1000)
        made.disk.stalls = False
        made.kv.fail("sync")
        made.client.command("SET", "key", "value")
        await wait_all_tasks_blocked()
        found = figures()
        assert found["backend_sync_failures"] == "1"
        assert found["backend_last_sync_status"] == "err"
        assert found["backend_last_sync_error"] == "sync: disk on fire"


# Every second, or never ------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [EVERYSEC, NO])
async def test_other_policies_hold_no_reply(policy: str, autojump_clock: MockClock) -> None:
    async with durable(policy) as made:
        for _ in range(5):
            assert made.client.command("SET", "key", "value") == "OK"
        await trio.sleep(2.5 * PERIOD)
        assert made.disk.syncs == 2
        assert made.disk.began.count("maintain") == 2


async def test_waitaof_waits_for_the_sync_of_the_second(autojump_clock: MockClock) -> None:
    async with durable(EVERYSEC) as made:
        made.client.command("SET", "key", "value")
        assert made.client.command("WAITAOF", 1, 0, 0) is NOTHING
        await trio.sleep(1.5 * PERIOD)
        assert made.client.replies() == [[1, 0]]


async def test_failed_sync_of_the_second_refuses_writes(autojump_clock: MockClock) -> None:
    async with durable(EVERYSEC) as made:
        assert made.client.command("SET", "key", "value") == "OK"
        made.kv.fail("sync")
        await trio.sleep(1.5 * PERIOD)
        assert made.client.command("SET", "key", "value") == REFUSED
        assert made.client.command("GET", "key") == b"value"
        made.kv.failing.clear()
        await trio.sleep(PERIOD)
        assert made.client.command("SET", "key", "value") == "OK"


async def test_maintenance_that_fails_is_told_once(autojump_clock: MockClock) -> None:
    async with durable(NO) as made:
        made.kv.fail("maintain")
        await trio.sleep(3.5 * PERIOD)
        assert made.events() == ["maintenance_failed"]
        assert made.client.command("SET", "key", "value") == "OK"


async def test_memory_backend_is_spared_the_threads(autojump_clock: MockClock) -> None:
    disk = Disk()
    task = Durability(EngineHarness().engine, disk.call)
    async with trio.open_nursery() as nursery:
        await nursery.start(task.run)
        await trio.sleep(5 * PERIOD)
        await task.stop()
    assert disk.began == []


# The end ---------------------------------------------------------------------------------------


async def test_last_replies_leave_after_a_last_sync(autojump_clock: MockClock) -> None:
    async with durable(ALWAYS) as made:
        made.disk.stalls = True
        made.client.command("SET", "a", "1")
        await wait_all_tasks_blocked()
        late = made.harness.client()
        late.command("SET", "b", "1")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(made.task.stop)
            await wait_all_tasks_blocked()
            await made.disk.let_go()
            assert (made.client.replies(), late.replies()) == (["OK"], [])
            await made.disk.let_go()
            assert late.replies() == ["OK"]
        assert made.disk.syncs == 2
        assert made.disk.inside == 0


async def test_cancellation_leaves_no_sync_behind(autojump_clock: MockClock) -> None:
    """The task ends by `stop` alone: whatever happens around it, nothing stays inside."""
    made = Durable(ALWAYS)
    async with trio.open_nursery() as nursery:
        await nursery.start(made.task.run)
        made.disk.stalls = True
        made.client.command("SET", "a", "1")
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
        made.disk.stalls = False
        with trio.CancelScope(shield=True):
            await made.disk.let_go()
        assert made.client.replies() == ["OK"]
        await made.task.stop()
    assert made.disk.inside == 0


async def test_real_threads() -> None:
    backend = FragileBackend(ALWAYS)
    harness = EngineHarness(backend)
    task = Durability(harness.engine)
    async with trio.open_nursery() as nursery:
        await nursery.start(task.run)
        harness.first.send(encode("SET", "key", "value"))
        with trio.fail_after(5):
            while not (replies := harness.first.replies()):
                await trio.sleep(0.001)
        assert replies == ["OK"]
        await task.stop()


async def test_sync_begins_at_a_rounds_end_and_is_refused_amid_another() -> None:
    """Clients that are all there need no step of a task."""
    began = threading.Event()
    go_on = threading.Event()
    go_on.set()

    class SlowBackend(FragileBackend):
        def sync(self) -> None:
            began.set()
            assert go_on.wait(5)
            super().sync()

    backend = SlowBackend(ALWAYS)
    harness = EngineHarness(backend)
    task = Durability(harness.engine)

    async def answered(client: HarnessClient) -> list[object]:
        with trio.fail_after(5):
            while not (replies := client.replies()):
                await trio.sleep(0.001)
        return list(replies)

    async with trio.open_nursery() as nursery:
        await nursery.start(task.run)
        await wait_all_tasks_blocked()
        assert harness.first.command("SET", "key", "1") is NOTHING
        assert await answered(harness.first) == ["OK"]
        began.clear()
        go_on.clear()
        assert harness.first.command("SET", "key", "2") is NOTHING
        assert task.busy == 1, "without a step of a task"
        assert began.wait(5)
        other = harness.client()
        assert other.command("SET", "other", "1") is NOTHING
        assert other.command("GET", "key") is NOTHING, "its replies keep their order"
        assert task.busy == 1, "never two at once"
        go_on.set()
        assert await answered(harness.first) == ["OK"]
        assert await answered(other) == ["OK", b"2"]
        backend.fragile.fail("sync")
        assert harness.first.command("SET", "key", "3") is NOTHING
        with trio.fail_after(5):
            while not harness.first.closed:
                await trio.sleep(0.001)
        assert other.command("SET", "key", "4") == REFUSED
        backend.fragile.failing.clear()
        await task.stop()
