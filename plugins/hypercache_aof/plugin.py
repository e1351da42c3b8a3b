# mypyc: interpreted
"""The plugin: what it recovers, registers, and runs."""

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing

import trio

from hypercache.group_commit import Beginner, Caller, Ended, Worker, begin_nothing
from hypercache.persistence.errors import SaveError
from hypercache.persistence.file_system import FileSystem
from hypercache.plugin import Plugin, PluginHost
from hypercache_aof import rewrite_command
from hypercache_aof.recovery import Recovered, folder_of, recover
from hypercache_aof.service import DURABLE, AppendOnly
from hypercache_aof.tools import AofTools


class AofPlugin(Plugin):
    """The append-only file: every change on disk, in the format of Redis 7.

    Critical: without it, ``appendfsync always`` would be a lie.
    """

    tools = AofTools
    recovers = True
    critical = True
    #: The system calls that it makes, and what runs those that block; None is a thread, which
    #: ``begin`` is not asked of.
    file_system = FileSystem()
    call: Caller | None = None
    begin: Beginner = staticmethod(begin_nothing)

    async def run(self, host: PluginHost, task_status: trio.TaskStatus[None]) -> None:
        if host.settings.appendonly and host.durable:
            raise SaveError(DURABLE)
        folder = folder_of(host, self.file_system)
        with closing(folder.lock):
            recovered: Recovered | None = None
            if host.settings.appendonly:
                await trio.to_thread.run_sync(folder.lock.acquire)
                recovered = await recover(host, self.file_system)
            async with self._caller() as (call, begin):
                await self._serve(
                    host, AppendOnly(host, folder, call, begin), recovered, task_status
                )

    async def _serve(
        self,
        host: PluginHost,
        file: AppendOnly,
        recovered: Recovered | None,
        task_status: trio.TaskStatus[None],
    ) -> None:
        host.share(file)
        host.add_commands(rewrite_command)
        host.add_information("persistence", file.fields)
        host.follow(("appendonly",), file.switch)
        host.follow(("appendfsync",), file.writer.follow_policy)
        host.follow(("aof-timestamp-enabled",), file.writer.follow_times)
        host.before_end(file.last_save)
        try:
            await file.start(recovered)
            task_status.started()
            await file.run()
        finally:
            cancelled = trio.current_effective_deadline() == -math.inf
            with trio.CancelScope(shield=True):
                await file.end(in_order=cancelled)

    @asynccontextmanager
    async def _caller(self) -> AsyncIterator[tuple[Caller, Beginner]]:
        """What runs what blocks; a thread that is there as soon as it is needed."""
        if self.call is not None:
            yield self.call, self.begin
            return
        async with trio.open_nursery() as nursery:
            thread = _Thread(nursery)
            try:
                yield thread.call, thread.begin
            finally:
                thread.stop()


class _Thread:
    """A `Worker` that begins with its first call."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._worker: Worker | None = None

    async def call(self, function: Callable[[], None]) -> None:
        if self._worker is None:
            self._worker = Worker()
            self._nursery.start_soon(self._run, self._worker)
        await self._worker.call(function)

    def begin(self, function: Callable[[], None], ended: Ended) -> bool:
        return self._worker is not None and self._worker.begin(function, ended)

    async def _run(self, worker: Worker) -> None:
        """Until `stop`: the file is ended through it when all else is cancelled."""
        with trio.CancelScope(shield=True):
            await worker.run()

    def stop(self) -> None:
        if self._worker is not None:
            self._worker.stop()
