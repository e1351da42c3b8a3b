"""Group commit: many rounds share one sync, which a worker thread does.

A sync takes as long for a thousand writes as for one, and blocks. So it is done in a thread,
and everything that is written while it runs shares the next one. Clients whose replies have
just left get a moment to join that one with their next writes: else they and those who wrote
meanwhile would take turns, and each sync would serve half of them (PostgreSQL's
``commit_delay``).
"""

import os
import threading
from collections.abc import Awaitable, Callable
from typing import Final

import trio

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
    """A worker thread that is kept for many calls, one at a time: others wait for their turn.

    A call through it costs the server 40 microseconds, one through `trio.to_thread` 180: as much
    as twenty requests, and with the policy ``ALWAYS`` there are a thousand a second.
    """

    def __init__(self) -> None:
        self._asked = threading.Semaphore(0)
        self._done = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._function: Callable[[], None] | None = None
        self._error: Exception | None = None
        self._turn = trio.Lock()

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
        """Run a function in the thread; a cancellation is heeded before it or when it returned."""
        try:
            self._turn.acquire_nowait()  # without the checkpoint of `acquire`
        except trio.WouldBlock:
            await self._turn.acquire()
        try:
            self._function = function
            self._error = None
            self._asked.release()
            with trio.CancelScope(shield=True):
                await trio.lowlevel.wait_readable(self._done)
            os.eventfd_read(self._done)
            if self._error is not None:
                raise self._error
        finally:
            self._turn.release()

    def stop(self) -> None:
        """End the thread. Nothing may be under way."""
        self._function = None
        self._asked.release()


class GroupCommit:
    """When the next sync begins. One task awaits `due` and tells `synced`; others `ask`.

    ``waiting()`` is how many clients wait for a sync now.
    """

    def __init__(self, waiting: Callable[[], int]) -> None:
        self._waiting = waiting
        self._wake = trio.Event()
        # How many clients waited when the last sync ended, and until when they may come back.
        self._waited = 0
        self._moment = 0.0
        self._gathering = False
        self._hurried = False

    def ask(self) -> None:
        """Something was written that somebody waits for."""
        if not self._gathering or self._have_come():
            self._wake.set()

    def hurry(self) -> None:
        """Let the next sync begin at once, whoever may still come."""
        self._hurried = True
        self._wake.set()

    def _have_come(self) -> bool:
        """Whether as many clients wait as when the last sync ended."""
        return self._waiting() >= self._waited

    async def due(self, patience: float) -> None:
        """Wait until a sync is to begin: asked for, or after so many seconds in any case."""
        with trio.move_on_after(patience):
            await self._wake.wait()
        self._gathering = True
        with trio.move_on_at(self._moment):
            while not self._have_come() and not self._hurried:
                self._wake = trio.Event()
                await self._wake.wait()
        self._gathering = False
        self._hurried = False
        self._wake = trio.Event()

    def synced(self, elapsed: float) -> None:
        """A sync has returned after so many seconds; those who waited have not been told yet."""
        self._moment = trio.current_time() + max(elapsed * MOMENT, LEAST_MOMENT)
        self._waited = self._waiting()
