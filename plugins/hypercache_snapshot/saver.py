# mypyc: interpreted
"""When snapshots are made, and what is known of them: commands, rules, the server's end.

Redis: rdbSaveBackground, backgroundSaveDoneHandler and the part of serverCron that looks at the
save rules, in rdb.c and server.c.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio

from hypercache.backend import BackendError
from hypercache.config.compound import SavePoint
from hypercache.persistence.encoder import Encoder
from hypercache.persistence.errors import SaveError
from hypercache.persistence.file_system import FileSystem
from hypercache.persistence.rdb_writer import rdb_encoder
from hypercache.persistence.saving import Saved, Saving
from hypercache.plugin import Ending, PluginHost, Wait
from hypercache.reply import OK
from hypercache_snapshot.encoder import NativeEncoder
from hypercache_snapshot.retention import LATEST, Snapshots, time_named

if TYPE_CHECKING:
    from hypercache.engine.engine import Engine

# Seconds between two looks at the rules, between two reports of progress, and until a rule is
# heeded again after a snapshot that has failed.
PERIOD: Final = 0.1
PROGRESS_EVERY: Final = 1.0
RETRY_DELAY: Final = 5
# Seconds between two looks whether another walk over the keys has ended.
_MOMENT: Final = 0.01
_MISCONF: Final = (
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to "
    "disk. Commands that may modify the data set are disabled, because this instance is "
    "configured to report errors during writes if RDB snapshotting fails "
    "(stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB "
    "error."
)


class Run:
    """A snapshot that was asked for, until it is there or has failed."""

    def __init__(self, in_background: bool) -> None:
        self.in_background = in_background
        self.over = False
        self.succeeded = False


class FlushWait(Wait):
    """Until what FLUSHALL has left is saved; that it is flushed does not hang on that."""

    def __init__(self, run: Run) -> None:
        super().__init__(0, on_gates=True)
        self.run = run

    def is_over(self, engine: "Engine") -> bool:
        return self.run.over

    def reply(self, engine: "Engine") -> object:
        return OK


class Saver:
    """One snapshot at a time. ``current`` is the one asked for or under way.

    ``scheduled``: one is to follow once nothing else walks over the keys. ``saved_at`` is when
    the last was complete, in Unix seconds, at first when the server has started.
    """

    def __init__(self, host: PluginHost, file_system: FileSystem) -> None:
        self._host = host
        self._engine = host.recovery.engine
        self._files = file_system
        self._wake = trio.Event()
        self._scope = trio.CancelScope()
        self._ended = trio.Event()
        self.current: Run | None = None
        self.scheduled = False
        self._due: Run | None = None
        self._again = False
        self._saving: Saving | None = None
        self._began = 0
        # What is known of the last ones.
        self.saved_at = int(self._engine.started) // 1_000_000
        self._saved_changes = int(self._engine.changes.dirty)
        self._tried_at = 0
        self._failed = False
        self._error = ""
        self._background_seconds = -1
        self._last: Saved | None = None
        if self._engine.backend.durable and host.settings.save:
            message = "The backend keeps the data on disk: save rules are not heeded."
            host.log.info("save_rules_ignored", message)

    # What others ask for ---------------------------------------------------------------------

    def begin(self, in_background: bool) -> Run:
        """Ask for a snapshot; only while there is none. It begins after this round."""
        assert self.current is None
        run = self._enter(in_background)
        self._due = run
        self._wake.set()
        return run

    async def last_save(self, ending: Ending) -> None:
        """The server's end: a snapshot, if the settings or SHUTDOWN want one."""
        await self._cancel()
        wanted = bool(self._rules()) if ending.save is None else ending.save
        if not wanted:
            return
        message = "Saving the final RDB snapshot before exiting."
        self._host.log.info("last_save", message)
        run = self._enter(in_background=False)
        try:
            await self._save(run)
        finally:
            self._leave(run)
        if not run.succeeded:
            raise SaveError(self._error)

    def judge(self) -> None:
        """Refuse writes while snapshots fail, if that is what the settings want."""
        refused = self._failed and self._rules() and self._host.settings.stop_writes_on_bgsave_error
        self._host.refuse_writes(_MISCONF if refused else "")

    def follow_flushes(self) -> None:
        """Be told of FLUSHALL."""
        self._engine.flushed.append(self._flushed)

    def forget_flushes(self) -> None:
        """Be told no more."""
        self._engine.flushed.remove(self._flushed)

    def _flushed(self) -> Wait | None:
        """Nothing that is being saved is worth it; with rules, nothingness is, at once.

        FLUSHALL is answered when that is saved, so that a BGSAVE behind it finds none under way.
        """
        if self._engine.changes.now == 0:
            return None  # a journal is repeated
        if self.current is None:
            return FlushWait(self.begin(in_background=False)) if self._rules() else None
        if self._due is None:
            self._again = True
            self._scope.cancel()
        return FlushWait(self.current) if self._rules() else None

    # The plugin's tasks ----------------------------------------------------------------------

    async def run(self) -> None:
        """Carry out what is asked for, and look at the rules, until cancelled."""
        while True:
            with trio.move_on_after(PERIOD):
                await self._wake.wait()
            self._wake = trio.Event()
            if self._due is None:
                self._look()
            run, self._due = self._due, None
            if run is not None:
                await self._carry_out(run)

    def _look(self) -> None:
        """Begin a snapshot that is scheduled or that a rule wants."""
        engine = self._engine
        if self.current is not None or engine.capture is not None:
            return
        now = self._now()
        if self._failed and now - self._tried_at <= RETRY_DELAY:
            return
        if self.scheduled:
            self.scheduled = False
            self.begin(in_background=True)
            return
        changes = self._changes()
        for rule in self._rules():
            if changes >= rule.changes and now - self.saved_at > rule.seconds:
                text = f"{rule.changes} changes in {rule.seconds} seconds. Saving..."
                self._host.log.info("save_rule", text, changes=changes)
                self.begin(in_background=True)
                return

    async def _carry_out(self, run: Run) -> None:
        """Save; anew where everything was flushed meanwhile and that is still wanted."""
        try:
            while True:
                self._again = False
                with trio.CancelScope() as self._scope:
                    await self._save(run)
                if not (self._again and (self._rules() or not run.in_background)):
                    break
        finally:
            self._leave(run)

    async def tell_progress(self) -> None:
        """Log how far a snapshot has come, once a second while one takes that long."""
        while True:
            await trio.sleep(PROGRESS_EVERY)
            saving = self._saving
            if saving is not None and saving.seconds() >= PROGRESS_EVERY:
                self._host.log.info(
                    "snapshot_progress",
                    path=str(saving.path),
                    keys=int(saving.capture.keys_done),
                    of_keys=int(saving.capture.keys_total),
                    percent=self._percent(saving),
                    bytes=saving.size,
                    seconds_left=round(saving.seconds_left(), 1),
                )

    # A snapshot ------------------------------------------------------------------------------

    def _enter(self, in_background: bool) -> Run:
        run = Run(in_background)
        self.current = run
        self._ended = trio.Event()
        self._began = self._now()
        self._engine.counters.snapshots += 1
        return run

    def _leave(self, run: Run) -> None:
        """It is over: tell who waits for it."""
        run.over = True
        self.current = None
        self._ended.set()
        self._engine.gates_moved()

    async def _cancel(self) -> None:
        """Have nobody save: what is under way is removed."""
        self.scheduled = False
        if self._due is not None:
            run, self._due = self._due, None
            self._leave(run)
        if self.current is not None:
            self._scope.cancel()
            await self._ended.wait()

    async def _save(self, run: Run) -> None:
        newest = await trio.to_thread.run_sync(self._newest)
        while self._engine.capture is not None:  # the append-only file is being rewritten
            await trio.sleep(_MOMENT)
        self._tried_at = self._now()
        changes = int(self._engine.changes.dirty)
        try:
            saving = self._open(newest)
            try:
                self._saving = saving
                self._host.log.info(
                    "snapshot_begun",
                    "Background saving started" if run.in_background else None,
                    path=str(saving.path),
                    keys=int(saving.capture.keys_total),
                )
                saved = await saving.run()
            finally:
                self._saving = None
                if run.in_background:
                    self._background_seconds = self._now() - self._began
        except (SaveError, BackendError) as error:
            self._fail(run, str(error))
            return
        self._succeed(run, saved, changes)
        await self._remove_old()

    def _newest(self) -> int:
        """The time that the newest snapshot is named after; 0 where there is none to be seen."""
        try:
            found = self._snapshots().newest_first()
        except OSError:
            return 0  # saving says what is wrong with the folder
        return time_named(found[0]) if found else 0

    def _open(self, newest: int) -> Saving:
        """The walk begins: what is there now will be in the file, which is named after all others.

        Else, when the clock was set back, it would be the first to be removed.
        """
        settings = self._host.settings
        native = settings.snapshot_format == "native"
        encoder: Encoder = NativeEncoder() if native else rdb_encoder(settings)
        time = int(self._engine.clock.microseconds())
        capture = self._host.capture(encoder)
        path = settings.path(settings.dbfilename)
        if native:
            if time <= newest:
                message = "The clock is behind the name of the newest snapshot."
                self._host.log.warning("snapshot_clock_behind", message, newest=newest, now=time)
                time = min(newest + 1, LATEST)
            path = self._snapshots().path(time, int(capture.offset))
        return Saving(capture, path, self._files)

    def _succeed(self, run: Run, saved: Saved, changes: int) -> None:
        run.succeeded = True
        self.saved_at = self._now()
        self._saved_changes = changes
        self._failed = False
        self._error = ""
        self._last = saved
        self.judge()
        background = "Background saving terminated with success"
        self._host.log.info(
            "snapshot_saved",
            background if run.in_background else "DB saved on disk",
            path=str(saved.path),
            bytes=saved.size,
            seconds=round(saved.seconds, 3),
        )

    def _fail(self, run: Run, error: str) -> None:
        self._error = error
        if run.in_background:
            self._failed = True
            self.judge()
        message = "Background saving error" if run.in_background else None
        self._host.log.error("snapshot_failed", message, error=error)

    async def _remove_old(self) -> None:
        """Keep as many as the settings say, of the native ones."""
        settings = self._host.settings
        if settings.snapshot_format != "native":
            return
        snapshots = self._snapshots()
        try:
            removed = await trio.to_thread.run_sync(snapshots.keep, settings.snapshot_keep)
        except OSError as error:
            self._host.log.warning("snapshots_not_removed", error=str(error))
            return
        for path in removed:
            self._host.log.info("snapshot_removed", path=str(path))

    def _snapshots(self) -> Snapshots:
        settings = self._host.settings
        return Snapshots(Path(settings.dir), settings.dbfilename, self._files)

    # Figures ---------------------------------------------------------------------------------

    def _rules(self) -> tuple[SavePoint, ...]:
        """The rules in force: where the backend keeps the data on disk there are none."""
        return () if self._engine.backend.durable else self._host.settings.save

    def _changes(self) -> int:
        """Changes since what the last snapshot holds."""
        return int(self._engine.changes.dirty) - self._saved_changes

    def _now(self) -> int:
        return int(self._engine.clock.microseconds()) // 1_000_000

    def _percent(self, saving: Saving) -> float:
        done, total = int(saving.capture.keys_done), int(saving.capture.keys_total)
        return round(100 * done / total, 2) if total else 100.0

    def fields(self) -> Mapping[str, object]:
        """What INFO's section persistence shows of snapshots."""
        run, saving, last = self.current, self._saving, self._last
        return {
            "rdb_changes_since_last_save": self._changes(),
            "rdb_bgsave_in_progress": int(run is not None),
            "rdb_last_save_time": self.saved_at,
            "rdb_last_bgsave_status": "err" if self._failed else "ok",
            "rdb_last_bgsave_time_sec": self._background_seconds,
            "rdb_current_bgsave_time_sec": -1 if run is None else self._now() - self._began,
            "snapshot_format": self._host.settings.snapshot_format,
            "snapshot_scheduled": int(self.scheduled),
            "snapshot_percent": 0 if saving is None else self._percent(saving),
            "snapshot_eta_seconds": 0 if saving is None else round(saving.seconds_left(), 1),
            "snapshot_last_path": "" if last is None else last.path,
            "snapshot_last_size": 0 if last is None else last.size,
            "snapshot_last_seconds": 0 if last is None else round(last.seconds, 3),
            "snapshot_last_error": self._error.replace("\n", " ").replace("\r", " "),
        }
