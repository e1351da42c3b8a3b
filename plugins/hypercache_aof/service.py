# mypyc: interpreted
"""The append-only file while the server runs: switched on and off, rewritten, healed, ended."""

import math
from collections.abc import Mapping

import trio

from hypercache.backend import BackendError
from hypercache.config import ConfigError
from hypercache.engine.ending import Ending
from hypercache.group_commit import Beginner, Caller, begin_nothing
from hypercache.persistence.errors import LoadError, SaveError
from hypercache.persistence.loader import Loader
from hypercache.plugin import ErrorReply, PluginHost
from hypercache_aof.information import Times, fields
from hypercache_aof.manifest import AofFolder
from hypercache_aof.pacing import Pace, has_grown
from hypercache_aof.recovery import Recovered, load_now
from hypercache_aof.rewriting import Rewriter
from hypercache_aof.writing import Writer

DURABLE: str = (
    "appendonly is for backends that lose their data: this one keeps them on disk by itself"
)
IN_PROGRESS = "ERR Background append only file rewriting already in progress"
STARTED = "Background append only file rewriting started"
SCHEDULED = "Background append only file rewriting scheduled"
# Seconds between two looks at what is due, while anything may be.
_LOOK = 0.1


class AppendOnly:
    """``wanted`` is what the settings say; ``active``: every change goes to the file.

    Between the two lies the first base. ``scheduled``: a rewrite is to begin as soon as nothing
    else captures; ``requested``: at once.
    """

    def __init__(
        self,
        host: PluginHost,
        folder: AofFolder,
        call: Caller,
        begin: Beginner = begin_nothing,
    ) -> None:
        self.wanted = host.settings.appendonly
        self.active = False
        self.scheduled = False
        self.requested = False
        self.pace = Pace()
        self.times = Times()
        self.writer = Writer(host, call, self._look_now, begin)
        self.rewriter = Rewriter(host, folder, self.writer, call)
        self._host = host
        self._wake = trio.Event()
        self._attached = False
        self._rewrite: trio.CancelScope | None = None

    # What is asked for -----------------------------------------------------------------------

    def in_progress(self) -> bool:
        """Whether a rewrite is under way, or about to begin."""
        return self._rewrite is not None or self.requested

    def ask(self, later: bool) -> str:
        """BGREWRITEAOF, ``later`` if it cannot begin at once; the reply, or raises `ErrorReply`."""
        if self.in_progress():
            raise ErrorReply(IN_PROGRESS)
        self.pace.reset()
        if later:
            self.scheduled = True
        else:
            self.requested = True
        self._look_now()
        return SCHEDULED if later else STARTED

    def switch(self) -> None:
        """``appendonly`` has changed: act on it when the round is over; raises `ConfigError`."""
        wanted = self._host.settings.appendonly
        if wanted and self._host.durable:
            raise ConfigError(DURABLE)
        self.wanted = wanted
        if wanted and not self._attached:
            self.pace.reset()
            self.requested = True
        self._look_now()

    def repeat(self, loader: Loader) -> None:
        """Load what the file holds in the place of all data (DEBUG LOADAOF); raises `LoadError`."""
        checksum = self._host.settings.rdbchecksum
        load_now(self.rewriter.folder, loader, checksum=checksum)

    def complete(self) -> None:
        """Write what the sink has; raises `LoadError` where that cannot be now."""
        writer = self.writer
        pending = writer.sink.pending
        if not pending:
            return
        if writer.increment is None or writer.held or writer.error:
            raise LoadError("the append-only file is being written, or cannot be")
        try:
            writer.increment.write(b"".join(pending))
        except OSError as error:
            writer.failed(error)
            raise LoadError(f"{writer.increment.path}: {error.strerror}") from error
        writer.sink.written(len(pending))

    def fields(self) -> Mapping[str, object]:
        """What INFO says."""
        return fields(self)

    async def last_save(self, ending: Ending) -> None:
        """The server is about to end: not before there is a first base (Redis), unless forced."""
        if self.wanted and not self.active and not ending.force:
            raise SaveError("the first base of the append-only file is being written")

    def _look_now(self) -> None:
        self._wake.set()

    # The task --------------------------------------------------------------------------------

    async def start(self, recovered: Recovered | None) -> None:
        """Before clients are served: go on behind what was recovered, or write a first base.

        Raises `SaveError`.
        """
        if not self.wanted:
            return
        try:
            if recovered is None:
                self._attach()
                await self.rewriter.begin_afresh()
            else:
                self.rewriter.take_over(recovered.manifest, recovered.size)
                await self.rewriter.open_increment()
                self._attach()
        except OSError as error:
            where = error.filename or self.rewriter.folder.path
            raise SaveError(f"{where} cannot be written: {error.strerror}") from error
        self._activate()

    def _attach(self) -> None:
        self._host.add_sink(self.writer.sink)
        self._attached = True

    def _activate(self) -> None:
        """From now on every change goes to the file, and is as safe as ``appendfsync`` says."""
        self.active = True
        self.writer.list()
        self._host.log.info("aof_enabled", policy=self.writer.policy)

    async def run(self) -> None:
        """Do what is due until cancelled; then `end` is to be called."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.writer.keep)
            while True:
                with trio.move_on_after(self._patience()):
                    await self._wake.wait()
                self._wake = trio.Event()
                await self._attend(nursery)

    def _patience(self) -> float:
        """Seconds until something may be due of which nobody tells."""
        return _LOOK if self.wanted or self.scheduled or self.requested else math.inf

    async def _attend(self, nursery: trio.Nursery) -> None:
        if self._attached and not self.wanted:
            await self._switch_off()
        elif self._rewrite is None and self._is_due():
            self.requested = False
            self.scheduled = False
            self._rewrite = trio.CancelScope()
            await nursery.start(self._work, self._rewrite)

    def _is_urgent(self) -> bool:
        """Whether nothing is safe before there is a new base."""
        return self.wanted and (not self.active or self.writer.broken)

    def _is_due(self) -> bool:
        if self.requested:
            return True
        if not self.pace.may_begin(trio.current_time()):
            return False
        if self.scheduled or self._is_urgent():
            return True
        settings = self._host.settings
        return self.active and has_grown(
            self.rewriter.size(),
            self.rewriter.base_size,
            settings.auto_aof_rewrite_percentage,
            settings.auto_aof_rewrite_min_size,
        )

    async def _work(self, scope: trio.CancelScope, task_status: trio.TaskStatus[None]) -> None:
        """One rewrite; it may fail."""
        self.times.begin()
        urgent = self._is_urgent()
        self._host.log.info("aof_rewrite_started", bytes=self.rewriter.size(), urgent=urgent)
        task_status.started()
        try:
            with scope:
                await self._rewrite_now(urgent)
        finally:
            self._rewrite = None
        if scope.cancelled_caught:
            self.times.end(succeeded=False)

    async def _rewrite_now(self, urgent: bool) -> None:
        try:
            if urgent:
                if not self._attached:
                    self.writer.sink.give_up()
                    self._attach()
                await self.rewriter.begin_afresh()
                if not self.active:
                    self._activate()
            else:
                await self.rewriter.rewrite()
        except ValueError:  # a snapshot is being taken
            self.scheduled = True
            self.times.postpone()
        except (OSError, SaveError, BackendError) as error:
            self.pace.failed(trio.current_time(), urgent)
            self.times.end(succeeded=False)
            self._host.log.error(
                "aof_rewrite_failed", error=str(error), failures=self.pace.failures
            )
        else:
            self.pace.reset()
            self.times.end(succeeded=True)

    async def _switch_off(self) -> None:
        """``appendonly no``: what was written so far is on the disk in the end."""
        while self._rewrite is not None:
            self._rewrite.cancel()
            await trio.sleep(0)
        self.requested = False
        await self.end()
        self.rewriter.folder.lock.close()
        self._host.log.info("aof_disabled")

    async def end(self, in_order: bool = True) -> None:
        """Have everything on the disk, and write nothing more; see `Writer.end`."""
        if not self._attached:
            return
        self._attached = False
        was_active, self.active = self.active, False
        try:
            await self.rewriter.settle()
            await self.writer.end(in_order)
        except SaveError as error:
            if was_active:
                self._host.log.error("aof_end_failed", error=str(error))
