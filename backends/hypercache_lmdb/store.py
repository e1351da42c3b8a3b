"""`LMDBKV`: an ordered store over LMDB and a write-ahead log.

One write transaction of LMDB is open from one *checkpoint* to the next, over many units. All
reads go through it, so they see what was written. A unit's end appends its changes to the
log. A checkpoint commits LMDB's transaction and begins a new segment; it does not wait for
the disk. `maintain`, in a worker thread, does: once all is there, the checkpoint is
*confirmed*, and the segments that went into it are removed. Until then the checkpoint before
it is whole on the disk (`hypercache_lmdb.meta`), and those segments lead on from there.

To undo a unit, LMDB's transaction is aborted and the log read again: that is dear, and rare.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from struct import Struct
from typing import Final

import lmdb
from mypy_extensions import i64

from hypercache.backend import ALWAYS, NO, BackendError, BackendFull
from hypercache.keyspace.ordered import OrderedKV
from hypercache_lmdb import environment, log
from hypercache_lmdb.figures import figures
from hypercache_lmdb.log import Segment
from hypercache_lmdb.ranges import read_range
from hypercache_lmdb.refill import Refill
from hypercache_lmdb.room import HEADROOM, RESERVE, Room
from hypercache_lmdb.segments import Segments
from hypercache_lmdb.settings import LMDBSettings
from hypercache_lmdb.snapshots import Snapshots

# A checkpoint is due after so many operations, whatever the log's size: reading them back
# takes about 0.6 seconds.
OPERATIONS: Final[i64] = 200_000
# Seconds without a write after which the log is folded in, however short it is.
IDLE: Final = 2.0
# A log of so many times its size is folded in at once, prepared or not.
OVERDUE: Final[i64] = 4
# Operations between two looks at the room that is left.
STRIDE: Final[i64] = 256
# A node of LMDB: its head and the pointer to it.
PAIR_OVERHEAD: Final = 10
# From this size on a value is asked room for before it is written.
LARGE_VALUE: Final = 64 << 10

_OPERATION: Final[Struct] = log.OPERATION


class LMDBKV(OrderedKV):
    """A store in a folder. One process has it open; `hypercache_lmdb.environment` sees to that."""

    def __init__(
        self, settings: LMDBSettings, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self.settings = settings
        self.folder = Path(settings.path)
        self.durable = True
        self.snapshots = True
        self.sync_policy = settings.sync
        self.pair_overhead = PAIR_OVERHEAD
        self.recovery = log.Replay(0)
        self.checkpoints: i64 = 0
        self.checkpoint_microseconds: i64 = 0
        self.flush_microseconds: i64 = 0
        self.syncs: i64 = 0
        self._seconds = seconds
        self._log_size: i64 = settings.log_size
        self._owner = -1
        self._file = -1
        self._is_open = False
        # What `close` has to release, in the order in which it was acquired.
        self._releases: list[Callable[[], None]] = []
        self._in_unit = False
        self._parts: list[bytes] = []
        self._size: i64 = 0
        # Since the last checkpoint; when the open unit began; when room was last looked at.
        self.operations: i64 = 0
        self._unit_began: i64 = 0
        self._checked: i64 = 0
        # How many operations there were when that last changed, and when it did.
        self._idle_operations: i64 = 0
        self._idle_since = 0.0
        self.open_snapshots = Snapshots(settings.snapshot_age, seconds)
        self._look_again = False
        self._broken = ""

    # Opening and closing ---------------------------------------------------------------------

    def open(self) -> None:
        """Open the folder and bring the store up to what was committed. Raises `BackendError`."""
        environment.make_folder(self.folder)
        self._owner = environment.own(self.folder)
        try:
            self._open_environment()
        except OSError as error:
            self._release()
            raise BackendError(f"{error.filename or self.folder}: {error.strerror}") from error
        except lmdb.Error as failure:
            self._release()
            raise self._failure(failure) from failure
        except BaseException:
            self._release()
            raise

    def _open_environment(self) -> None:
        settings = self.settings
        environment.remove_leftovers(self.folder)
        environment.settle_metas(self.folder, self._owner)
        self._environment = environment.open_environment(
            self.folder, settings.map_size, readahead=settings.readahead
        )
        self._releases.append(self._environment.close)
        self._environment.reader_check()
        self.max_key_size = self._environment.max_key_size()
        self._file = os.open(self.folder / environment.DATA_FILE, os.O_RDWR | os.O_CLOEXEC)
        map_size = self._environment.info()["map_size"]
        self.room = Room(str(self.folder), self._file, map_size, settings.max_size)
        self.room.cover()
        environment.identify(self.folder, self._environment)
        self._unnamed = self._environment.open_db()
        self._data = self._environment.open_db(environment.DATA)
        self._begin()
        self._releases.append(self._end)
        first = self._transaction.get(environment.LOG_KEY, db=self._unnamed)
        number = self._transaction.id()
        filled = settings.log_size if settings.sync == ALWAYS else 0
        self.log = Segments(self.folder, environment.decode_number(first), number, filled)
        self._releases.append(self.log.close)
        self._recover()
        environment.sign(self._owner)
        self._is_open = True

    def _recover(self) -> None:
        """Bring LMDB up to what the log has."""
        if self.log.is_long():
            environment.warm(self._file, self.room.end)
        refill = Refill(self._transaction, self.room)
        self.recovery = self.log.open(refill.apply)
        refill.finish()
        self.operations = self.recovery.operations

    def close(self) -> None:
        """Fold the log into the store, and release everything."""
        self.open_snapshots.close()
        try:
            if self._is_open and not self._broken:
                if self.operations > 0:
                    self._checkpoint()
                self._confirm()
        except OSError as error:
            raise BackendError(f"{self.folder}: {error.strerror}") from error
        finally:
            self._release()

    def _release(self) -> None:
        self._is_open = False
        while self._releases:
            self._releases.pop()()
        for descriptor in (self._file, self._owner):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._owner = -1

    def _end(self) -> None:
        """End LMDB's transaction: what it has, the log has as well."""
        self._cursor.close()
        self._transaction.abort()

    # Reading ---------------------------------------------------------------------------------

    def get(self, key: bytes) -> bytes | None:
        try:
            return self._transaction.get(key)
        except lmdb.Error as error:
            raise self._failure(error) from error

    def range(
        self, start: bytes, stop: bytes, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        try:
            return read_range(self._cursor, start, stop, limit, reverse)
        except lmdb.Error as error:
            raise self._failure(error) from error

    # Writing ---------------------------------------------------------------------------------

    def put(self, key: bytes, value: bytes) -> None:
        self._note(key, value)
        try:
            self._transaction.put(key, value)
        except lmdb.Error as error:
            raise self._failure(error) from error

    def exchange(self, key: bytes, value: bytes) -> bytes | None:
        self._note(key, value)
        try:
            return self._transaction.replace(key, value)
        except lmdb.Error as error:
            raise self._failure(error) from error

    def _note(self, key: bytes, value: bytes) -> None:
        """Make room for a write, and note it for the log."""
        self._count(len(key), len(value))
        self._parts.append(_OPERATION.pack(len(key), len(value)))
        self._parts.append(key)
        self._parts.append(value)
        self._size += 6 + len(key) + len(value)

    def delete(self, key: bytes) -> bool:
        self._count(len(key), 0)
        try:
            found = self._transaction.delete(key)
        except lmdb.Error as error:
            raise self._failure(error) from error
        if found:
            self._note_removal(key)
        return found

    def _note_removal(self, key: bytes) -> None:
        self._parts.append(_OPERATION.pack(len(key), log.REMOVED))
        self._parts.append(key)
        self._size += 6 + len(key)

    def delete_range(self, start: bytes, stop: bytes, limit: int) -> int:
        removed = 0
        cursor = self._cursor
        try:
            if not cursor.set_range(start):
                return 0
            key = cursor.key()
            while removed < limit and key and key < stop:
                self._count(len(key), 0)
                cursor.delete()
                self._note_removal(key)
                removed += 1
                key = cursor.key()  # the next one; empty at the end
        except lmdb.Error as error:
            raise self._failure(error) from error
        return removed

    def _count(self, key: i64, size: i64) -> None:
        """Look, every now and then, whether what is written has room on the disk."""
        if not self._in_unit:
            raise BackendError(f"{self.folder}: a write outside of a transaction")
        room = self.room
        if size >= LARGE_VALUE:
            room.ensure(size + RESERVE)
        elif room.operations >= self._checked:
            room.ensure(RESERVE, limited=not self.refusal)  # else there are only removals
            self._checked = room.operations + STRIDE
        room.count(key, size)
        self.operations += 1

    def _failure(self, error: lmdb.Error) -> BackendError:
        """An error of LMDB as one of ours."""
        if isinstance(error, lmdb.MapFullError):
            return BackendFull(f"{self.folder}: {error}")
        return BackendError(f"{self.folder}: {error}")

    # Transactions ----------------------------------------------------------------------------

    def begin(self) -> None:
        if self._in_unit:
            raise BackendError(f"{self.folder}: a transaction is open already")
        self._checkpoint_if_due()
        if self._look_again:
            self.open_snapshots.end_old()
        if self._look_again or not self.refusal:
            self._look_again = False
            self._look_for_room()
        self._unit_began = self.operations
        self._in_unit = True

    def _look_for_room(self) -> None:
        """Refuse writes, or no longer, before anything is lost for the want of room."""
        refused = self.refusal != ""
        self._try_room()
        if self.refusal and not self._broken and (not refused or self._is_ready()):
            # What is counted is the most that there may be: a checkpoint tells what there is.
            if self.operations > 0:
                self._checkpoint()
            elif len(self.open_snapshots) == 0:
                self._end()
                self._enlarge_map()
                self._begin()
            self._try_room()

    def _try_room(self) -> None:
        if self._broken:
            self.refusal = self._broken
            return
        try:
            self.room.ensure(HEADROOM)
            self.log.reserve(log.STEP)
            self.refusal = ""
        except BackendFull as full:
            self.refusal = str(full)
        except OSError as error:
            path = self.log.present.path
            self.refusal = f"{path}: no room on the disk ({error.strerror}): free some"

    def commit(self) -> None:
        self._in_unit = False
        if not self._parts:
            return
        parts = self._parts
        size = self._size
        self._forget()
        try:
            self.log.append(parts, size)
        except OSError as error:
            self._cursor.close()
            self._undo()
            self._look_again = True
            raise BackendFull(f"{self.log.present.path}: {error.strerror}") from error

    def rollback(self) -> None:
        self._in_unit = False
        if self.operations > self._unit_began:
            self._forget()
            self._cursor.close()
            self._undo()

    def _forget(self) -> None:
        self._parts = []
        self._size = 0

    def _undo(self) -> None:
        """Go back to what the log has."""
        self._transaction.abort()  # does nothing where a commit that failed has ended it
        self._begin()
        refill = Refill(self._transaction, self.room)
        self.operations = self.log.replay(refill.apply).operations
        refill.finish()

    def _begin(self) -> None:
        """Begin LMDB's next transaction."""
        self._transaction = self._environment.begin(db=self._data, write=True)
        self._cursor = self._transaction.cursor()
        page = self._transaction.stat(self._data)
        pages = page["branch_pages"] + page["leaf_pages"] + page["overflow_pages"]
        end = (self._environment.info()["last_pgno"] + 1) * page["psize"]
        self.room.restart(end, pages * page["psize"])
        self._checked = 0
        self.operations = 0

    # Checkpoints -----------------------------------------------------------------------------

    def _checkpoint_if_due(self) -> None:
        """Make a checkpoint that is due, as soon as it costs no waiting, or is overdue."""
        size = self.log.size()
        operations = self.operations
        if size <= self._log_size and operations <= OPERATIONS:
            return
        late = size > OVERDUE * self._log_size or operations > OVERDUE * OPERATIONS
        if (late or self._is_ready()) and not self._broken:
            self._checkpoint()

    def fold_if_idle(self) -> None:
        """Make a checkpoint when nothing has been written for a while: a restart finds no log.

        Called every now and then, outside of units.
        """
        if self.operations == self._idle_operations:
            idle = self._seconds() - self._idle_since > IDLE
            if idle and self.operations > 0 and self._is_ready() and not self._broken:
                self._checkpoint()
        else:
            self._idle_operations = self.operations
            self._idle_since = self._seconds()

    def _is_ready(self) -> bool:
        """Whether a checkpoint costs no waiting."""
        return self.log.prepared is not None and not self.log.unconfirmed

    def _checkpoint(self) -> None:
        """Commit LMDB's transaction, which holds all of the log, and begin a new segment.

        Where that fails, nothing is lost: the log goes on, and writes are refused.
        """
        began = self._seconds()
        try:
            self._confirm()
            self._commit_all(self.log.prepare())
        except (OSError, lmdb.Error) as error:
            if not self._broken:
                self.refusal = f"{self.folder}: the log cannot be folded into the store: {error}"
            return
        self.checkpoints += 1
        self.checkpoint_microseconds = int((self._seconds() - began) * 1_000_000)

    def _commit_all(self, fresh: Segment) -> None:
        number = environment.encode_number(fresh.number)
        self._cursor.close()
        try:
            self._transaction.put(environment.LOG_KEY, number, db=self._unnamed)
            self._transaction.commit()
        except lmdb.Error:
            self._undo()
            raise
        finished = self.log.rotate(fresh)
        self._enlarge_map()
        self._begin()
        if not finished:
            self._confirm()

    def _enlarge_map(self) -> None:
        """Double the map when half of it is used. No transaction may be open, nor a snapshot."""
        room = self.room
        if 2 * room.needed() <= room.map_size or len(self.open_snapshots) > 0:
            return
        if environment.has_address_space(2 * room.map_size):
            self._environment.set_mapsize(2 * room.map_size)
            room.map_size *= 2

    def _confirm(self) -> None:
        """See to it that the last checkpoint is on the disk."""
        segments = self.log.unconfirmed
        if not segments:
            return
        try:
            os.fdatasync(self._file)
        except OSError as error:
            # The system may forget what it could not write: whoever opens the store next begins
            # with the checkpoint before, as if the machine had failed.
            environment.resign(self._owner)
            self._break(self.folder / environment.DATA_FILE, error)
            raise
        self.log.confirmed(segments)

    def _break(self, path: Path, error: OSError) -> None:
        """What the disk has, nobody knows; trying again could pretend that all is well."""
        self._broken = (
            f"{path} could not be synced ({error.strerror}): see to the disk and restart the server"
        )
        self.refusal = self._broken

    def maintain(self) -> None:
        """Confirm the last checkpoint, and prepare the next one."""
        self._look_again = True
        if self._broken:
            return
        began = self._seconds()
        try:
            if self.log.unconfirmed:
                self._confirm()
                self.flush_microseconds = int((self._seconds() - began) * 1_000_000)
            self.log.prepare()
            self._environment.reader_check()  # a reader that was killed pins its pages
        except OSError as error:
            raise BackendError(f"{self.folder}: {error.strerror}") from error

    def sync(self) -> None:
        if self.sync_policy == NO:
            return
        if self._broken:
            raise BackendError(self._broken)
        try:
            self.log.sync()
            self.syncs += 1
        except OSError as error:
            self._break(self.log.present.path, error)
            raise BackendError(self._broken) from error

    # Snapshots -------------------------------------------------------------------------------

    def snapshot(self) -> OrderedKV:
        if self._in_unit:
            raise BackendError(f"{self.folder}: a transaction is open")
        if self.operations > 0:
            self._checkpoint()
            if self.operations > 0:
                raise BackendError(self.refusal)
        try:
            reading = self._environment.begin(db=self._data)
        except lmdb.Error as error:
            raise self._failure(error) from error
        return self.open_snapshots.add(self, reading)

    # Statistics ------------------------------------------------------------------------------

    def statistics(self) -> dict[str, int]:
        return figures(self)
