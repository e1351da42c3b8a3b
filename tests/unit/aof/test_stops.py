"""The process ends, or the power, at every system call in turn: nothing acknowledged is lost."""

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from hypercache.testing.resp import encode
from tests.support.append_only import AppendOnlyServer, Disk, append_only, begin_soon

pytestmark = pytest.mark.trio

# Pauses after which a rewrite is stuck: its rotation goes on trying to write the manifest.
TRIES = 20


class Ledger:
    """A client that appends numbers to a list, and notes how long it is acknowledged to be."""

    def __init__(self, server: AppendOnlyServer) -> None:
        self.server = server
        self.client = server.client()
        self.sent = 0
        self.acknowledged = 0

    def write(self, count: int) -> None:
        """Append as many, a round each."""
        for _ in range(count):
            self.sent += 1
            self.client.send(encode("RPUSH", "list", str(self.sent)))

    async def settle(self) -> None:
        """Note what has been acknowledged."""
        await trio.sleep(0.05)
        lengths = [reply for reply in self.client.replies() if isinstance(reply, int)]
        self.acknowledged = max([self.acknowledged, *lengths])


async def pause() -> None:
    """Real time, for the threads: the clock of the tasks jumps on while those work."""
    await trio.to_thread.run_sync(time.sleep, 0.003)


async def over(server: AppendOnlyServer) -> None:
    """Wait until the rewrite has succeeded, or the disk lets nothing happen any more."""
    await trio.sleep(0.2)
    for _ in range(TRIES):
        await pause()
        info = server.info()
        if info["aof_rewrite_in_progress"] == "0" or info["aof_last_bgrewrite_status"] != "ok":
            break
    await trio.sleep(1.5)
    await pause()


async def rewritten(server: AppendOnlyServer, ledger: Ledger) -> None:
    """Writes before, amid and after the rotation, the base, and the removal of what was."""
    ledger.write(2)
    await ledger.settle()
    server.client().send(encode("BGREWRITEAOF"))
    for _ in range(3):
        ledger.write(1)
        await trio.lowlevel.checkpoint()
    await over(server)
    ledger.write(1)
    await ledger.settle()


async def switched_off_and_on(server: AppendOnlyServer, ledger: Ledger) -> None:
    """What is written while it is off counts once it is on again."""
    control = server.client()
    ledger.write(3)
    await ledger.settle()
    control.send(encode("CONFIG", "SET", "appendonly", "no"))
    await trio.sleep(0.2)
    ledger.write(3)
    control.send(encode("CONFIG", "SET", "appendonly", "yes"))
    ledger.write(3)
    await over(server)
    info = server.info()
    if info["aof_last_bgrewrite_status"] == "ok" and info["aof_rewrite_in_progress"] == "0":
        ledger.write(1)
        await ledger.settle()


async def numbers(folder: Path) -> list[int]:
    """What a server that starts on a folder has."""
    async with append_only(folder) as server:
        found = server.harness.command("LRANGE", "list", 0, -1)
        assert isinstance(found, list)
        return [int(each) for each in found]


@pytest.fixture(autouse=True)
def begin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commits begin as rounds end, as with a thread."""
    monkeypatch.setattr(AppendOnlyServer, "begin", staticmethod(begin_soon))


@pytest.mark.parametrize("life", [rewritten, switched_off_and_on])
async def test_nothing_acknowledged_is_lost_wherever_it_stops(
    life: Callable[[AppendOnlyServer, Ledger], Awaitable[None]],
    tmp_path: Path,
    autojump_clock: MockClock,
) -> None:
    stop_at = 0
    whole = False
    while not whole:
        disk = Disk()
        folder, left = tmp_path / f"{stop_at}", tmp_path / f"{stop_at}-cut"
        folder.mkdir()
        left.mkdir()
        async with append_only(folder, disk, appendfsync="always") as server:
            ledger = Ledger(server)
            disk.stop_at = len(disk.calls) + stop_at
            await life(server, ledger)
            whole = len(disk.calls) < disk.stop_at
            disk.stop_at = len(disk.calls)
        disk.after_power_cut(left)
        for place in (folder, left):
            found = await numbers(place)
            assert found == list(range(1, len(found) + 1)), (stop_at, place)
            assert ledger.acknowledged <= len(found) <= ledger.sent, (stop_at, place)
        stop_at += 1
    assert ledger.acknowledged == ledger.sent, "the last time nothing stops it"
    assert stop_at > 20
