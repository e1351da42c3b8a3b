"""The ordered end: who saves, who waits meanwhile, and how it is refused or aborted."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from hypercache.engine.ending import Ending
from hypercache.persistence.errors import SaveError
from hypercache.shutdown import OrderedEnd
from hypercache.testing.engine import NOTHING, EngineHarness
from hypercache.testing.resp import ReplyError

pytestmark = pytest.mark.trio

REFUSED = ReplyError("ERR Errors trying to SHUTDOWN. Check logs.")
NONE = ReplyError("ERR No shutdown in progress.")


class Keeper:
    """Saves when it is let, or fails."""

    def __init__(self) -> None:
        self.asked: list[tuple[bool | None, bool]] = []
        self.may = trio.Event()
        self.fails = False

    async def save(self, ending: Ending) -> None:
        self.asked.append((ending.save, ending.force))
        await self.may.wait()
        if self.fails:
            raise SaveError("the disk is full")


class Server:
    """A harness whose end is ordered; `is_over` once it has come."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.harness = EngineHarness()
        self.told = 0
        self.end = OrderedEnd(self.harness.engine, self._tell)
        self.harness.engine.shutdown = self.end
        self.keeper = Keeper()
        self.end.saves.append(self.keeper.save)
        self._over = False
        nursery.start_soon(self._run)

    def is_over(self) -> bool:
        return self._over

    def _tell(self) -> None:
        self.told += 1

    async def _run(self) -> None:
        await self.end.wait()
        self._over = True


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    async with trio.open_nursery() as nursery:
        yield Server(nursery)
        nursery.cancel_scope.cancel()


async def settled() -> None:
    await trio.testing.wait_all_tasks_blocked()


async def test_the_end_comes_once_data_are_saved() -> None:
    async with serving() as server:
        await settled()
        assert server.harness.command("SHUTDOWN", "NOSAVE", "FORCE") is NOTHING
        await settled()
        assert server.keeper.asked == [(False, True)]
        assert not server.is_over()
        assert server.told == 1
        server.keeper.may.set()
        await settled()
        assert server.is_over()
        assert server.harness.first.replies() == []
        assert server.harness.client().command("SHUTDOWN", "ABORT") == NONE


async def test_writes_wait_while_data_are_saved() -> None:
    async with serving() as server:
        harness = server.harness
        await settled()
        harness.command("SET", "key", "saved")
        harness.command("SHUTDOWN")
        writer, reader = harness.client(), harness.client()
        assert writer.command("SET", "key", "later") is NOTHING
        assert reader.command("GET", "key") == b"saved"
        assert reader.command("CLIENT", "UNPAUSE") == "OK"
        assert writer.replies() == []
        await settled()
        assert reader.command("SHUTDOWN", "ABORT") == "OK"
        assert harness.first.replies() == [REFUSED]
        assert writer.replies() == ["OK"]
        assert reader.command("GET", "key") == b"later"
        await settled()
        assert server.end.ending is None


async def test_a_pause_of_clients_outlives_the_attempt() -> None:
    async with serving() as server:
        harness = server.harness
        await settled()
        harness.command("CLIENT", "PAUSE", 1000)
        server.end.request(Ending())
        other = harness.client()
        assert other.command("GET", "key") is NOTHING
        assert server.end.abort()
        harness.advance(1)
        assert other.replies() == []
        harness.advance(1000)
        harness.tick()
        assert other.replies() == [None]


async def test_a_pause_that_ends_meanwhile() -> None:
    async with serving() as server:
        harness = server.harness
        await settled()
        harness.command("CLIENT", "PAUSE", 1000)
        server.end.request(Ending())
        other, writer = harness.client(), harness.client()
        assert other.command("GET", "key") is NOTHING
        assert writer.command("SET", "key", "1") is NOTHING
        harness.advance(1001)
        harness.tick()
        assert harness.client().command("GET", "key") is None
        assert writer.replies() == []
        assert server.end.abort()
        harness.end_round()
        assert writer.replies() == ["OK"]


async def test_the_end_is_refused_where_data_cannot_be_saved() -> None:
    async with serving() as server:
        await settled()
        server.keeper.fails = True
        server.keeper.may.set()
        assert server.harness.command("SHUTDOWN") is NOTHING
        other = server.harness.client()
        assert other.command("SHUTDOWN", "FORCE") is NOTHING  # it joins the one under way
        await settled()
        assert server.harness.first.replies() == [REFUSED]
        assert other.replies() == [REFUSED]
        assert not server.is_over()
        assert server.harness.command("SET", "key", "value") == "OK"
        assert server.harness.command("SHUTDOWN", "FORCE") is NOTHING
        await settled()
        assert server.is_over()


async def test_who_insists_is_not_refused() -> None:
    """A critical plugin has failed: the server does not go on."""
    async with serving() as server:
        await settled()
        server.harness.command("SHUTDOWN")
        await settled()
        server.end.insist(Ending())
        server.keeper.fails = True
        server.keeper.may.set()
        await settled()
        assert server.is_over()


async def test_the_last_to_start_saves_first() -> None:
    async with serving() as server:
        order: list[str] = []

        async def save(ending: Ending) -> None:
            order.append(f"second {len(server.keeper.asked)}")

        server.end.saves.append(save)
        await settled()
        server.keeper.may.set()
        server.end.request(Ending())
        await settled()
        assert order == ["second 0"]
        assert server.keeper.asked == [(None, False)]


async def test_a_shutdown_that_is_aborted_at_once() -> None:
    async with serving() as server:
        await settled()
        server.end.request(Ending())
        assert server.end.abort()
        assert not server.end.abort()
        await settled()
        assert server.keeper.asked == []
        assert not server.is_over()


async def test_nothing_to_save_with() -> None:
    async with serving() as server:
        await settled()
        server.end.saves.clear()
        assert server.harness.command("SHUTDOWN", "SAVE") == REFUSED
        assert server.harness.command("SHUTDOWN", "SAVE", "FORCE") is NOTHING
        await settled()
        assert server.is_over()


async def test_a_start_cannot_be_aborted() -> None:
    """What is loaded so far is dropped: there is nothing to go on with."""
    harness = EngineHarness()
    end = OrderedEnd(harness.engine, lambda: None)
    assert end.request(Ending())
    assert not end.abort()
