"""Group commit: many rounds share one sync, which a worker thread does.

A sync takes as long for a thousand writes as for one, and blocks. So it is done in a thread,
and everything that is written while it runs shares the next one. Clients whose replies have
just left get a moment to join that one with their next writes: else they and those who wrote
meanwhile would take turns, and each sync would serve half of them (PostgreSQL's
``commit_delay``).

Where all of them are there, the sync begins as their round ends, without a task that has to be
woken for it, and its end is told by the one task that waits for the thread: each step of a task
costs as much as several requests.
"""

import math
import os
from collections.abc import Awaitable, Callable
from queue import SimpleQueue
from typing import Final

import trio

# How long clients may take to come back after a sync, as a share of what it took, and at least
# in seconds: a sync costs more than waiting, also where the disk is quick.
MOMENT: Final = 0.25
LEAST_MOMENT: Final = 0.002

#: Runs a function that blocks; must not return before it has.
Caller = Callable[[Callable[[], None]], Awaitable[None]]
#: Told what a function in a thread has raised, in the server's thread. Must not raise.
Ended = Callable[[Exception | None], None]
#: Begins a function in a thread if none is under way there, and says whether it did.
Beginner = Callable[[Callable[[], None], Ended], bool]


async def call_in_thread(function: Callable[[], None]) -> None:
    """Run a function in a worker thread; a cancellation is heeded when it has returned."""
    await trio.to_thread.run_sync(function)


def begin_nothing(function: Callable[[], None], ended: Ended) -> bool:
    """A `Beginner` for where there is no `Worker`: everything is called and awaited."""
    return False


class Worker:
    """A worker thread that is kept for many calls, one at a time: others wait for their turn.

    A call through it costs the server 40 microseconds, one through `trio.to_thread` 180: as much
    as twenty requests, and with the policy ``ALWAYS`` there are a thousand a second.
    """

    def __init__(self) -> None:
        self._asked: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._done = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        # Of the call that is under way: who is told of its end, and what it has raised.
        self._ended: Ended | None = None
        self._error: Exception | None = None
        self._turn = trio.Semaphore(1)
        self._stopped = False

    async def run(self) -> None:
        """The task that owns the thread; `stop` ends it."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch)
                try:
                    await trio.to_thread.run_sync(self._serve)
                finally:
                    self._stopped = True
                    os.eventfd_write(self._done, 1)
        finally:
            os.close(self._done)

    def _serve(self) -> None:
        while (function := self._asked.get()) is not None:
            try:
                function()
            except Exception as error:  # noqa: BLE001 - raised where it was called from
                self._error = error
            os.eventfd_write(self._done, 1)

    async def _watch(self) -> None:
        """Tell the end of each call, also when everything else is cancelled."""
        with trio.CancelScope(shield=True):
            while not self._stopped:
                await trio.lowlevel.wait_readable(self._done)
                os.eventfd_read(self._done)
                ended, error = self._ended, self._error
                if ended is not None:
                    self._ended = self._error = None
                    self._turn.release()
                    ended(error)

    def begin(self, function: Callable[[], None], ended: Ended) -> bool:
        """Run a function in the thread now, and tell ``ended``; False if it is not free."""
        try:
            self._turn.acquire_nowait()
        except trio.WouldBlock:
            return False
        self._ended = ended
        self._asked.put(function)
        return True

    async def call(self, function: Callable[[], None]) -> None:
        """Run a function in the thread; a cancellation is heeded before it or when it returned."""
        end = trio.Event()
        raised: Exception | None = None

        def ended(error: Exception | None) -> None:
            nonlocal raised
            raised = error
            end.set()

        try:
            self._turn.acquire_nowait()  # without the checkpoint of `acquire`
        except trio.WouldBlock:
            await self._turn.acquire()
        self._ended = ended
        self._asked.put(function)
        with trio.CancelScope(shield=True):
            await end.wait()
        if raised is not None:
            raise raised

    def stop(self) -> None:
        """End the thread when it has done what it was asked for."""
        self._asked.put(None)


def _never() -> bool:
    return False


class GroupCommit:
    """When the next sync begins. One task awaits `due` and tells `synced`; others `ask`.

    ``waiting()`` is how many clients wait for a sync now. ``begin()`` may begin one at once,
    and says whether it did: `synced` and then `go_on` tell its end, and the task sleeps on.
    """

    def __init__(self, waiting: Callable[[], int], begin: Callable[[], bool] = _never) -> None:
        self._waiting = waiting
        self._begin = begin
        self._wake = trio.Event()
        # The task's sleep; None while it syncs.
        self._sleep: trio.CancelScope | None = None
        self._until = math.inf
        # How many clients waited when the last sync ended, and until when they may come back.
        self._waited = 0
        self._moment = 0.0
        # Whether something was written since the last sync began, and one has begun by itself.
        self._asked = False
        self._begun = False

    def ask(self) -> None:
        """Something was written that somebody waits for."""
        self._asked = True
        self._consider()

    def hurry(self) -> None:
        """Let the next sync begin at once, whoever may still come."""
        self._wake.set()

    def _consider(self) -> None:
        """Begin a sync if those are there that are expected, or see to it that one begins."""
        sleep = self._sleep
        if sleep is None or self._begun:
            return  # what is asked for is seen when it has ended
        if self._waiting() < self._waited:
            sleep.deadline = min(sleep.deadline, self._moment)
        elif self._begin():
            self._begun = True
            self._asked = False
            sleep.deadline = self._until
        else:
            self._wake.set()

    async def due(self, patience: float) -> None:
        """Wait until a sync is to begin: asked for, or after so many seconds in any case."""
        self._until = trio.current_time() + patience
        self._sleep = trio.CancelScope(deadline=self._until)
        if self._asked:
            self._consider()
        with self._sleep:
            await self._wake.wait()
        self._sleep = None
        self._wake = trio.Event()
        self._asked = False

    def synced(self, elapsed: float) -> None:
        """A sync has returned after so many seconds; those who waited have not been told yet."""
        self._moment = trio.current_time() + max(elapsed * MOMENT, LEAST_MOMENT)
        self._waited = self._waiting()

    def go_on(self, patience: float) -> None:
        """What was begun by itself has ended, however it went; ``patience`` as in `due`."""
        self._begun = False
        self._until = trio.current_time() + patience
        if self._sleep is not None:
            self._sleep.deadline = self._until
        if self._asked:
            self._consider()
