"""The task that lets the backend do its blocking work: syncing, and maintenance.

`Backend.sync` and `Backend.maintain` block, so both run in worker threads while clients are
served, each never twice at once. With the policy ``ALWAYS`` a sync begins as soon as a round has
written something and the one before has returned: all rounds that commit meanwhile share the
next one (group commit). Clients whose replies have just left get a moment to join it with their
next writes: else they and those who wrote meanwhile would take turns, and each sync would serve
half of them (PostgreSQL's ``commit_delay``). Otherwise one begins every second.
"""

import math
import os
import threading
from collections.abc import Awaitable, Callable
from typing import Final

import trio

from hypercache.backend import ALWAYS, Backend
from hypercache.engine.engine import Engine

# Seconds between two syncs, between two maintenances, and before a failed sync is tried again.
PERIOD: Final = 1.0
# How long clients may take to come back after a sync, as a share of what it took, and at least
# in seconds: a sync costs more than waiting, also where the disk is quick.
MOMENT: Final = 0.25
LEAST_MOMENT: Final = 0.002

#: Runs a function that blocks; must not return before it has.
Caller = Callable[[Callable[[], None]], Awaitable[None]]


async def call_in_thread(function: Callable[[], None]) -> None:
    """Run a function in a worker thread; a cancellation is heeded when it has returned."""
    await trio.to_thread.run_sync(function)


class Worker:
    """A worker thread that is kept for many calls, one at a time.

    A call through it costs the server 40 microseconds, one through `trio.to_thread` 180: as much
    as twenty requests, and with the policy ``ALWAYS`` there are a thousand a second.
    """

    def __init__(self) -> None:
        self._asked = threading.Semaphore(0)
        self._done = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._function: Callable[[], None] | None = None
        self._error: Exception | None = None

    async def run(self) -> None:
        """The task that owns the thread; `stop` ends it."""
        try:
            await trio.to_thread.run_sync(self._serve)
        finally:
            os.close(self._done)

    def _serve(self) -> None:
        while True:
            self._asked.acquire()
            if self._function is None:
                return
            try:
                self._function()
            except Exception as error:  # noqa: BLE001 - raised where it was called from
                self._error = error
            os.eventfd_write(self._done, 1)

    async def call(self, function: Callable[[], None]) -> None:
        """Run a function in the thread; a cancellation is heeded when it has returned."""
        self._function = function
        self._error = None
        self._asked.release()
        with trio.CancelScope(shield=True):
            await trio.lowlevel.wait_readable(self._done)
        os.eventfd_read(self._done)
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """End the thread. Nothing may be under way."""
        self._function = None
        self._asked.release()


def has_work(backend: Backend) -> bool:
    """Whether a backend has any blocking work; one in memory is spared the threads."""
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
        self._wake = trio.Event()
        self._stopping = False
        self._running = False
        self._ended = trio.Event()
        # How many clients waited when the last sync ended, and until when they may come back.
        self._waited = 0
        self._moment = 0.0
        self._gathering = False
        self.busy = 0

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Sync and maintain until `stop`; cancelling those around it does not end it."""
        if not has_work(self._engine.backend):
            task_status.started()
            return
        self._engine.syncs.start(self._wanted)
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
            self._call_sync = worker.call
            try:
                await self._work()
            finally:
                worker.stop()

    async def _work(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._maintain)
            await self._keep_synced()
            nursery.cancel_scope.cancel()

    async def stop(self) -> None:
        """Sync once more, so that the last held replies may leave, and end the task."""
        self._stopping = True
        self._wake.set()
        if self._running:
            with trio.CancelScope(shield=True):
                await self._ended.wait()

    def _wanted(self) -> None:
        if not self._gathering or self._have_come():
            self._wake.set()

    def _have_come(self) -> bool:
        """Whether as many clients wait as when the last sync ended."""
        return len(self._engine.delivery.gated) >= self._waited

    async def _keep_synced(self) -> None:
        stopping = False
        while not stopping:
            with trio.move_on_after(self._patience()):
                await self._wake.wait()
            await self._gather()
            self._wake = trio.Event()
            stopping = self._stopping
            await self._sync()

    async def _gather(self) -> None:
        """Wait for the clients whose replies have just left, if only a moment."""
        self._gathering = True
        with trio.move_on_at(self._moment):
            while not self._have_come() and not self._stopping:
                self._wake = trio.Event()
                await self._wake.wait()
        self._gathering = False

    def _patience(self) -> float:
        """Seconds until the next sync if nobody asks for one."""
        syncs = self._engine.syncs
        return math.inf if syncs.prompt and not syncs.error else PERIOD

    async def _sync(self) -> None:
        syncs = self._engine.syncs
        offset = syncs.begin()
        began = trio.current_time()
        error = await self._attempt(self._call_sync, self._engine.backend.sync)
        ended = trio.current_time()
        self._moment = ended + max((ended - began) * MOMENT, LEAST_MOMENT)
        self._waited = len(self._engine.delivery.gated)
        if error is None:
            syncs.succeeded(offset)
        else:
            syncs.failed(error)

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
