"""Small plugins for tests of supervision, and the log that tells what became of them."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from hypercache.plugin import NoSettings, Plugin, PluginHost
from hypercache.supervision import Supervisor
from hypercache.testing.engine import EngineHarness

Work = Callable[[PluginHost], Awaitable[None]]


class Scripted(Plugin):
    """Does what the test says: ``before`` its start is reported, and ``work`` after it."""

    def __init__(
        self,
        *,
        before: Work | None = None,
        work: Work | None = None,
        requires: tuple[str, ...] = (),
        recovers: bool = False,
        critical: bool = False,
        stop_deadline: float = 30.0,
    ) -> None:
        super().__init__(NoSettings())
        self.before = before
        self.work = work
        self.__dict__.update(
            requires=requires, recovers=recovers, critical=critical, stop_deadline=stop_deadline
        )
        self.runs: list[float] = []

    async def run(self, host: PluginHost, task_status: trio.TaskStatus[None]) -> None:
        self.runs.append(trio.current_time())
        if self.before is not None:
            await self.before(host)
        task_status.started()
        if self.work is not None:
            await self.work(host)
        else:
            await trio.sleep_forever()


class LogFile:
    """The events of a log in JSON lines."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def events(self, *names: str) -> list[dict[str, object]]:
        """All events, or those of these names."""
        lines = [json.loads(line) for line in self.path.read_text("utf-8").splitlines()]
        return [line for line in lines if not names or line["event"] in names]


@asynccontextmanager
async def supervised(
    harness: EngineHarness, plugins: Mapping[str, Plugin], folder: str = "."
) -> AsyncIterator[Supervisor]:
    """The plugins started; stopped, in any case, with the block."""
    supervisor = Supervisor(harness.engine, plugins, folder)
    async with trio.open_nursery() as nursery:
        try:
            await supervisor.start(nursery)
            yield supervisor
        finally:
            await supervisor.stop()
        nursery.cancel_scope.cancel()
