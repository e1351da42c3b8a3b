"""An engine with the append-only file's plugin, on a disk that fails, stops, or loses power."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import trio
from hypercache_aof import AofPlugin
from trio.testing import MockClock

from hypercache.config import Settings
from hypercache.engine.units import attempt
from hypercache.group_commit import Beginner, Ended, begin_nothing
from hypercache.persistence.file_system import FileSystem
from hypercache.persistence.saving import TEMPORARY
from hypercache.plugin import NoSettings
from hypercache.supervision import Supervisor
from hypercache.testing.engine import EngineHarness, HarnessClient
from hypercache.testing.faults import FaultPlan


class Inode:
    """A file, whatever it is called: what of it is on the disk."""

    def __init__(self) -> None:
        self.synced = b""


class Disk(FileSystem):
    """Real files, and what a power cut would leave of them: what was synced, under synced names.

    ``plan`` says what fails. From ``stop_at`` calls on, the process has ended: nothing changes
    any more. ``calls`` are their names so far.
    """

    def __init__(self) -> None:
        self.plan = FaultPlan()
        self.calls: list[str] = []
        self.stop_at = -1
        self.names: dict[Path, Inode] = {}
        self.durable: dict[Path, Inode] = {}
        self.open: dict[int, Path] = {}

    def reached(self, call: str) -> bool:
        if 0 <= self.stop_at <= len(self.calls):
            raise OSError(5, "the process has ended")
        self.calls.append(call)
        return self.plan.reached(call)

    def create(self, path: Path) -> int:
        self.reached("create_base" if path.name.endswith(TEMPORARY) else "create")
        return self._opened(path, super().create(path))

    def append(self, path: Path) -> int:
        self.reached("append")
        return self._opened(path, super().append(path))

    def _opened(self, path: Path, descriptor: int) -> int:
        self.names.setdefault(path, Inode())
        self.open[descriptor] = path
        return descriptor

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        short = self.reached("write")
        return super().write(descriptor, memoryview(data)[: 1 if short else len(data)])

    def sync(self, descriptor: int) -> None:
        self.reached("sync")
        path = self.open[descriptor]
        self.names[path].synced = path.read_bytes()

    def truncate(self, descriptor: int, size: int) -> None:
        self.reached("truncate")
        super().truncate(descriptor, size)

    def close(self, descriptor: int) -> None:
        super().close(descriptor)  # a process that ends closes its files

    def rename(self, old: Path, new: Path) -> None:
        self.reached("rename")
        old.rename(new)
        inode = self.names.pop(old)
        self.names[new] = inode
        for descriptor, path in self.open.items():
            if path == old:
                self.open[descriptor] = new
        self.sync_folder(new.parent)

    def sync_folder(self, folder: Path) -> None:
        self.reached("sync_folder")
        self.durable = dict(self.names)

    def remove(self, path: Path) -> None:
        self.reached("remove")
        super().remove(path)
        self.names.pop(path, None)

    def make_folder(self, path: Path) -> None:
        self.reached("make_folder")
        path.mkdir(0o700, exist_ok=True)

    def after_power_cut(self, folder: Path) -> None:
        """Write what is left to another folder."""
        for path, inode in self.durable.items():
            target = folder / path.parent.name / path.name
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(inode.synced)


#: Seconds of quiet after which no thread is at work any more.
THREADS: Final = 0.001


async def at_once(function: Callable[[], None]) -> None:
    """In the place of the thread."""
    await trio.lowlevel.checkpoint()
    function()


def begin_soon(function: Callable[[], None], ended: Ended) -> bool:
    """In the place of the thread, for what begins as a round ends."""

    async def run() -> None:
        await trio.lowlevel.checkpoint()
        ended(attempt(function))

    trio.lowlevel.spawn_system_task(run)
    return True


class AppendOnlyServer:
    """``harness.engine`` with the plugin. ``begin`` decides whether rounds begin commits."""

    begin: Beginner = staticmethod(begin_nothing)

    def __init__(self, folder: Path, disk: FileSystem, **settings: object) -> None:
        self.settings = Settings(appendonly=True, dir=str(folder))
        for name, value in settings.items():
            setattr(self.settings, name, value)
        self.harness = EngineHarness(settings=self.settings)
        self.plugin = AofPlugin(NoSettings())
        self.plugin.file_system = disk
        self.plugin.call = at_once
        self.plugin.begin = AppendOnlyServer.begin
        self.folder = folder / "appendonlydir"
        self.supervisor = Supervisor(self.harness.engine, {"aof": self.plugin}, str(folder))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """From the start of the plugin to its ordered end."""
        async with trio.open_nursery() as nursery:
            try:
                await self.supervisor.start(nursery)
                yield
            finally:
                await self.supervisor.stop()
            nursery.cancel_scope.cancel()

    def client(self) -> HarnessClient:
        return self.harness.client()

    def info(self) -> dict[str, str]:
        """INFO persistence."""
        text = self.harness.client().command("INFO", "persistence")
        assert isinstance(text, bytes)
        return dict(line.split(":", 1) for line in text.decode().split("\r\n") if ":" in line)

    async def until(self, field: str, value: str) -> dict[str, str]:
        """Wait until INFO says so; INFO then. Time runs ahead while a thread saves."""
        with trio.fail_after(36_000):
            while (info := self.info())[field] != value:
                await trio.sleep(0.01)
        return info

    async def rewritten(self) -> dict[str, str]:
        """Wait until no rewrite is under way; INFO then."""
        await trio.sleep(0.2)
        return await self.until("aof_rewrite_in_progress", "0")


@asynccontextmanager
async def append_only(
    folder: Path, disk: FileSystem | None = None, **settings: object
) -> AsyncIterator[AppendOnlyServer]:
    """A server that has started; it ends in order with the block.

    The base is written by a thread: a clock that jumps on gives it a moment first.
    """
    clock = trio.lowlevel.current_clock()
    if isinstance(clock, MockClock):
        clock.autojump_threshold = THREADS
    server = AppendOnlyServer(folder, disk or FileSystem(), **settings)
    async with server.running():
        yield server


def contents(folder: Path) -> bytes:
    """All increments of a folder, one after the other."""
    paths = sorted((folder / "appendonlydir").glob("*.incr.aof"), key=os.path.getmtime)
    return b"".join(path.read_bytes() for path in paths)
