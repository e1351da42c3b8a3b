"""The task that lets the backend do its blocking work: syncing, and maintenance.

`Backend.sync` and `Backend.maintain` block, so both run in worker threads while clients are
served, each never twice at once. With the policy ``ALWAYS`` a sync begins as soon as a round has
written something and the one before has returned: all rounds that commit meanwhile share the
next one (`hypercache.group_commit`). Otherwise one begins every second.
"""

import math
from collections.abc import Callable
from typing import Final

import trio

from hypercache.backend import ALWAYS, Backend
from hypercache.engine.backends import Backends
from hypercache.engine.engine import Engine
from hypercache.group_commit import (
    Beginner,
    Caller,
    GroupCommit,
    Worker,
    begin_nothing,
    call_in_thread,
)

# Seconds between two syncs, between two maintenances, and before a failed sync is tried again.
PERIOD: Final = 1.0


def has_work(backend: Backend) -> bool:
    """Whether a backend has any blocking work; one in memory is spared the threads."""
    if isinstance(backend, Backends):
        return any(has_work(part) for part in backend.parts)
    kind = type(backend)
    return (
        backend.sync_policy == ALWAYS
        or kind.sync is not Backend.sync
        or kind.maintain is not Backend.maintain
    )


class Durability:
    """Keeps an engine's backend durable. `run` is the task, `stop` its only end.

    ``call`` runs a function that blocks while others go on. ``busy`` is the number of calls
    that are inside the backend.
    """

    def __init__(self, engine: Engine, call: Caller = call_in_thread) -> None:
        self._engine = engine
        self._call = call
        self._call_sync = call
        self._begin: Beginner = begin_nothing
        self._turn = trio.Semaphore(1)  # who syncs: the task, or a round's end for it
        self._commits = GroupCommit(lambda: len(engine.delivery.gated), self._begin_sync)
        self._stopping = False
        self._running = False
        self._ended = trio.Event()
        self.busy = 0

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Sync and maintain until `stop`; cancelling those around it does not end it.

        Where there is nothing to do it returns, and is called again when there may be.
        """
        if self._running or not has_work(self._engine.backend):
            task_status.started()
            return
        self._engine.syncs.start(self._commits.ask)
        self._running = True
        task_status.started()
        try:
            with trio.CancelScope(shield=True):
                if self._engine.syncs.prompt and self._call is call_in_thread:
                    await self._work_with_a_thread()
                else:
                    await self._work()
        finally:
            self._running = False
            self._ended.set()

    async def _work_with_a_thread(self) -> None:
        """Have a thread for the syncs, which are many."""
        async with trio.open_nursery() as nursery:
            worker = Worker()
            nursery.start_soon(worker.run)
            self._call_sync, self._begin = worker.call, worker.begin
            try:
                await self._work()
            finally:
                self._begin = begin_nothing
                worker.stop()

    async def _work(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._maintain)
            await self._keep_synced()
            nursery.cancel_scope.cancel()

    async def stop(self) -> None:
        """Sync once more, so that the last held replies may leave, and end the task."""
        self._stopping = True
        self._commits.hurry()
        if self._running:
            with trio.CancelScope(shield=True):
                await self._ended.wait()

    async def _keep_synced(self) -> None:
        stopping = False
        while not stopping:
            await self._commits.due(self._patience())
            stopping = self._stopping
            async with self._turn:
                await self._sync()

    def _patience(self) -> float:
        """Seconds until the next sync if nobody asks for one."""
        syncs = self._engine.syncs
        return math.inf if syncs.prompt and not syncs.error else PERIOD

    async def _sync(self) -> None:
        offset = self._engine.syncs.begin()
        began = trio.current_time()
        error = await self._attempt(self._call_sync, self._engine.backend.sync)
        self._settle(offset, began, error)

    def _settle(self, offset: int, began: float, error: Exception | None) -> None:
        """A sync of everything up to an offset has ended."""
        self._commits.synced(trio.current_time() - began)
        if error is None:
            self._engine.syncs.succeeded(offset)
        else:
            self._engine.syncs.failed(error)

    def _begin_sync(self) -> bool:
        """Hand the thread a sync now, unless that is the task's; whether it was done."""
        engine = self._engine
        if self._stopping or engine.syncs.error or self._turn.value == 0:
            return False
        offset = engine.round_offset
        began = trio.current_time()

        def ended(error: Exception | None) -> None:
            self.busy -= 1
            self._settle(offset, began, error)
            self._turn.release()
            self._commits.go_on(self._patience())

        if not self._begin(engine.backend.sync, ended):
            return False
        self._turn.acquire_nowait()
        engine.syncs.begin()
        self.busy += 1
        return True

    async def _maintain(self) -> None:
        """A failure is reported when it is another than the last."""
        engine = self._engine
        last = ""
        while True:
            await trio.sleep(PERIOD)
            began = engine.clock.microseconds()
            error = await self._attempt(self._call, engine.backend.maintain)
            now = engine.clock.microseconds()
            engine.latency.add(b"backend-maintain", now, now - began)
            reason = "" if error is None else str(error) or type(error).__name__
            if reason and reason != last:
                fields: dict[str, object] = {"backend": engine.backend.name, "error": reason}
                engine.reporter.report("error", "maintenance_failed", fields)
            last = reason

    async def _attempt(self, call: Caller, action: Callable[[], None]) -> Exception | None:
        """Do something that blocks; what it has raised. The server goes on, whatever it is."""
        self.busy += 1
        try:
            await call(action)
        except Exception as error:  # noqa: BLE001 - see above
            return error
        finally:
            self.busy -= 1
        return None
