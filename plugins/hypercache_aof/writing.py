# mypyc: interpreted
"""Batches on their way into the present increment, as ``appendfsync`` asks for.

``always``: a thread writes and syncs, replies wait behind a gate, and all rounds that end
meanwhile share the next sync. ``everysec`` and ``no``: each round is written as it ends, by the
server's own thread, as Redis does; a thread syncs every second, or nobody. A write might wait
for a sync that is under way, so what comes meanwhile is kept, for as long as a second.

What cannot be written is kept, and tried again every second; until then commands that change
data are refused. After a sync that has failed nobody knows what of the file is on the disk
(PostgreSQL's "fsyncgate"): the writer is ``broken``, and only a new base heals it.
"""

import math
from collections.abc import Callable
from typing import Final

import trio

from hypercache.engine.units import attempt
from hypercache.group_commit import Beginner, Caller, GroupCommit, begin_nothing
from hypercache.keyspace.clock import Clock
from hypercache.persistence.errors import SaveError
from hypercache.plugin import PluginHost, ReplyGate
from hypercache_aof.increment import Increment
from hypercache_aof.sink import AofSink

ALWAYS: Final = "always"
EVERYSEC: Final = "everysec"
# Seconds between two syncs, or two attempts; and for which batches are kept amid a sync.
PERIOD: Final = 1.0


class Syncs:
    """How the syncs went. Times are microseconds; ``delayed`` writes could not wait for one."""

    def __init__(self) -> None:
        self.count = 0
        self.failures = 0
        self.last = 0
        self.longest = 0
        self.total = 0
        self.delayed = 0
        self.under_way = False

    def note(self, elapsed: float) -> None:
        """One has succeeded after so many seconds."""
        self.count += 1
        self.last = int(elapsed * 1e6)
        self.longest = max(self.longest, self.last)
        self.total += self.last


def _nothing() -> None:
    """In the place of what ends something that has not begun."""


class _Job:
    """What the thread does: write, then sync. ``step`` tells how far it came."""

    def __init__(self, increment: Increment, sink: AofSink, sync: bool) -> None:
        self.increment = increment
        self.offset = sink.taken
        self.count = len(sink.pending)
        self.data = b"".join(sink.pending)
        self.sync = sync
        self.written = False

    def run(self) -> None:
        if self.data:
            self.increment.write(self.data)
        self.written = True
        if self.sync:
            self.increment.sync()


class Writer:
    """Writes what the sink takes. `keep` is its task; ``call`` runs what blocks in a thread.

    With ``always``, a commit for clients that are all there goes without the task: ``begin``
    hands it to the thread as their round ends, and their replies leave when the thread is done.
    ``lock``: whoever has it has the thread, and may change ``increment``. ``listed``: the
    manifest names the increment, so that what is in it will be found again. ``held``: nothing
    may be written now. ``error`` says why writes are refused, in the system's words.
    """

    def __init__(
        self,
        host: PluginHost,
        call: Caller,
        broke: Callable[[], None],
        begin: Beginner = begin_nothing,
    ) -> None:
        self.sink = AofSink(Clock(), self._filled)
        self.increment: Increment | None = None
        self.lock = trio.Semaphore(1)  # the task that acquires it need not release it
        self.listed = False
        self.held = False
        self.broken = False
        self.error = ""
        self.last_error = ""
        self.rewriting = False
        self.syncs = Syncs()
        self.call = call
        self._host = host
        self._broke = broke
        self._begin = begin
        self._job: _Job | None = None
        self._crash: Exception | None = None
        self._gate: ReplyGate | None = None
        self._stop_following: Callable[[], None] = _nothing
        self._commits = GroupCommit(lambda: host.waiting, self._begin_commit)
        self._sync_began = self._committed = self._failed = -math.inf

    # What the settings say -------------------------------------------------------------------

    @property
    def policy(self) -> str:
        return self._host.settings.appendfsync

    def follow_policy(self) -> None:
        """``appendfsync`` has changed, or from now on it applies."""
        if self.policy == ALWAYS and self.listed and self._gate is None:
            self._gate = ReplyGate([self.sink])
            self._host.add_gate(self._gate)
            self._stop_following = self._host.after_writes(self._round_over)
        self._commits.hurry()

    def follow_times(self) -> None:
        """``aof-timestamp-enabled`` has changed."""
        self.sink.timed = self._host.settings.aof_timestamp_enabled

    def lift_gate(self) -> None:
        """Nothing is held back any more."""
        if self._gate is not None:
            self._stop_following()
            self._host.remove_gate(self._gate)
            self._gate = None

    # The end of a round ------------------------------------------------------------------------

    def _filled(self) -> None:
        if self._gate is None:
            self._write()

    def _round_over(self) -> None:
        """Who waits for the round's writes is counted now."""
        self._commits.ask()

    def _write(self) -> None:
        """Write now what is pending, unless it has to be kept."""
        increment = self.increment
        if increment is None or self.held or self.error or not self.sink.pending:
            return
        if self.syncs.under_way:
            if trio.current_time() - self._sync_began < PERIOD:
                return
            self.syncs.delayed += 1
        count = len(self.sink.pending)
        try:
            increment.write(b"".join(self.sink.pending))
        except OSError as error:
            self.failed(error)
        else:
            self.sink.written(count)

    # The task --------------------------------------------------------------------------------

    async def keep(self) -> None:
        """Write and sync when it is due, until cancelled."""
        while True:
            await self._commits.due(self._patience())
            if self.error:
                await trio.sleep_until(self._failed + PERIOD)
            # Without needless checkpoints: each lets a whole round of clients go before.
            try:
                self.lock.acquire_nowait()
            except trio.WouldBlock:
                await self.lock.acquire()
            try:
                if self._crash is not None:
                    raise self._crash
                await self.commit()
            finally:
                self.lock.release()
            if self._gate is not None and self.policy != ALWAYS and not self.error:
                self.lift_gate()  # everything before the change of policy is on the disk

    def _patience(self) -> float:
        """Seconds until a commit is due though nobody asks for it."""
        if self.policy == EVERYSEC:
            return max(self._committed + PERIOD - trio.current_time(), 0.0)
        return PERIOD if self.error else math.inf

    async def commit(self, final: bool = False) -> None:
        """Write and sync what there is; whoever calls this has the lock.

        ``final``: whatever the policy and however it went before.
        """
        job = self._next(final)
        if job is None:
            return
        error: OSError | None = None
        try:
            self._begun(job)
            await self.call(job.run)
        except OSError as raised:
            error = raised
        finally:
            self._ended(job)
        self._settle(job, error)

    def _next(self, final: bool) -> _Job | None:
        """What is to be written or synced now; None if there is nothing."""
        self._committed = trio.current_time()
        increment = self.increment
        if increment is None or self.broken or self.held:
            return None
        sync = final or self._wants_sync()
        if self.sink.pending or (sync and increment.unsynced):
            return _Job(increment, self.sink, sync)
        if sync:
            self._safe(self.sink.taken)
        return None

    def _wants_sync(self) -> bool:
        if self._gate is not None:
            return True
        idle = not (self.rewriting and self._host.settings.no_appendfsync_on_rewrite)
        return self.policy == EVERYSEC and idle

    def _begun(self, job: _Job) -> None:
        """The thread has a job."""
        self.held = job.count > 0
        if job.sync:
            self._sync_began = trio.current_time()
            self.syncs.under_way = True

    def _ended(self, job: _Job) -> None:
        """The thread has done a job, or could not."""
        self.held = self.syncs.under_way = False
        if job.written:
            self.sink.written(job.count)

    def _settle(self, job: _Job, error: OSError | None) -> None:
        """What follows from how it went."""
        if error is not None:
            self.failed(error, broken=job.written)
            return
        self.succeeded()
        if job.sync:
            elapsed = trio.current_time() - self._sync_began
            self.syncs.note(elapsed)
            self._commits.synced(elapsed)
            self._safe(job.offset)
        if self._gate is None:
            self._write()

    # Commits without the task -----------------------------------------------------------------

    def _begin_commit(self) -> bool:
        """Hand the thread a commit now, unless that is the task's; whether it was done."""
        if self._gate is None or self.policy != ALWAYS or not self.sink.pending:
            return False
        if self.error or self._crash is not None:
            return False
        try:
            self.lock.acquire_nowait()
        except trio.WouldBlock:
            return False
        job = self._next(final=False)
        if job is None or not self._begin(job.run, self._commit_ended):
            self.lock.release()
            return False
        self._job = job
        self._begun(job)
        return True

    def _commit_ended(self, error: Exception | None) -> None:
        """Settle the job that `_begin_commit` has begun; the task raises what ends the plugin."""
        job, self._job = self._job, None
        assert job is not None
        self._ended(job)
        if error is None or isinstance(error, OSError):
            disk_error = error
            error = attempt(lambda: self._settle(job, disk_error))
        self.lock.release()
        if error is not None:
            self._crash = error
            self._commits.hurry()
        self._commits.go_on(self._patience())

    def _safe(self, offset: int) -> None:
        """Everything up to an offset is on the disk."""
        if self.listed:
            self._host.safe(self.sink, offset)

    # What goes wrong ---------------------------------------------------------------------------

    def failed(self, error: OSError, broken: bool = False) -> None:
        """Something could not be written, or (``broken``) not be synced."""
        reason = error.strerror or str(error)
        self.last_error = reason
        self._failed = trio.current_time()
        if broken:
            self.syncs.failures += 1
        if reason != self.error or (broken and not self.broken):
            event = "aof_sync_failed" if broken else "aof_write_failed"
            path = "" if self.increment is None else str(self.increment.path)
            self._host.log.error(event, path=path, error=reason, pending=self.sink.pending_bytes)
        self.error = reason
        self._host.refuse_writes(f"MISCONF Errors writing to the AOF file: {reason}")
        if self._gate is not None:
            self._host.drop_held(self._gate)
        if broken and not self.broken:
            self.broken = True
            self.sink.give_up()
            self._broke()
        self._commits.hurry()

    def succeeded(self) -> None:
        """It could be written again."""
        if self.error and not self.broken:
            self.error = ""
            self._host.refuse_writes("")
            self._host.log.info("aof_write_recovered")

    # Increments --------------------------------------------------------------------------------

    def start(self, increment: Increment, listed: bool) -> None:
        """Write to a new increment from now on."""
        self.increment = increment
        self.held = False
        self.listed = listed
        self.follow_times()

    def list(self) -> None:
        """The manifest names the increment, and a base with everything before it."""
        self.listed = True
        self.broken = False
        self.succeeded()
        self.follow_policy()

    async def end(self, in_order: bool = True) -> None:
        """Write and sync everything, end the increment, and write nothing more.

        Raises `SaveError`, where some of it may be lost; who waits for it is dropped. So is
        everybody after a crash (``in_order`` is false): then the gate stays as well.
        """
        self.listed = False
        if self._gate is not None and not in_order:
            self._host.drop_held(self._gate)
        async with self.lock:
            await self.commit(final=True)
            increment, rest = self.increment, b"".join(self.sink.pending)
            offset = self.sink.taken
            self._host.remove_sink(self.sink)
            self.increment = None
            error: Exception | None = None
            if increment is not None and not self.broken:
                error = await self._finish(increment, rest, int(offset))
            if self.broken or self.error or error is not None:
                if self._gate is not None:
                    self._host.drop_held(self._gate)
                reason = self.error or str(error)
                self.error = ""
                self._host.refuse_writes("")
                raise SaveError(f"the append-only file could not be ended: {reason}")
            if in_order:
                self.lift_gate()

    async def _finish(self, increment: Increment, rest: bytes, offset: int) -> Exception | None:
        error: Exception | None = None

        def finish() -> None:
            nonlocal error
            error = attempt(lambda: increment.write(rest)) if rest else None
            error = error or attempt(lambda: increment.end(offset))
            attempt(increment.close)

        await self.call(finish)
        return error
