"""`LMDBKV`: an ordered store over LMDB and a write-ahead log.

One write transaction of LMDB is open from one *checkpoint* to the next, over many units. All
reads go through it, so they see what was written. A unit's end appends its changes to the
log; a checkpoint commits LMDB's transaction, which LMDB makes durable itself, and begins a new
segment. After a crash LMDB has what the last checkpoint had, and the log the rest.

To undo a unit, LMDB's transaction is aborted and the log read again: that is dear, and rare.

`maintain`, in a worker thread, writes the dirty pages to the disk, so that the commit in the
server's own thread has little left to wait for.
"""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from struct import Struct
from typing import Final

import lmdb
from mypy_extensions import i64

from hypercache.backend import NO, BackendError, BackendFull
from hypercache.keyspace.ordered import OrderedKV
from hypercache_lmdb import environment, log
from hypercache_lmdb.ranges import read_range
from hypercache_lmdb.room import HEADROOM, RESERVE, Room
from hypercache_lmdb.settings import LMDBSettings
from hypercache_lmdb.snapshots import SnapshotKV

# A checkpoint is due after so many operations, whatever the log's size: reading them back
# takes about half a second.
OPERATIONS: Final[i64] = 400_000
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
        self.recovery = log.Replay(0, 0, 0, 0)
        self.checkpoints: i64 = 0
        self.checkpoint_microseconds: i64 = 0
        self.flush_microseconds: i64 = 0
        self.syncs: i64 = 0
        self._seconds = seconds
        self._log_size: i64 = settings.log_size
        self._owner = -1
        self._file = -1
        self._open = False
        self._parts: list[bytes] = []
        self._size: i64 = 0
        # Since the last checkpoint; when the open unit began; when room was last looked at.
        self._operations: i64 = 0
        self._unit_began: i64 = 0
        self._checked: i64 = 0
        self._next: log.Segment | None = None
        self._obsolete: list[log.Segment] = []
        self._snapshots: list[SnapshotKV] = []
        self._look_again = False
        self._broken = ""
        # A segment must not be closed while another thread syncs it.
        self._files = threading.Lock()

    # Opening and closing ---------------------------------------------------------------------

    def open(self) -> None:
        """Open the folder and bring the store up to what was committed. Raises `BackendError`."""
        environment.make_folder(self.folder)
        self._owner = environment.own(self.folder)
        try:
            self._open_environment()
            self._recover()
        except OSError as error:
            raise BackendError(f"{self.folder}: {error.strerror}: {error.filename}") from error

    def _open_environment(self) -> None:
        settings = self.settings
        self._environment = environment.open_environment(
            self.folder, settings.map_size, readahead=settings.readahead
        )
        self._environment.reader_check()
        self.max_key_size = self._environment.max_key_size()
        self._identify()
        self._file = os.open(self.folder / environment.DATA_FILE, os.O_RDWR | os.O_CLOEXEC)
        self._room = Room(
            str(self.folder), self._file, self._environment.info()["map_size"], settings.max_size
        )
        self._begin()
        self._room.ensure(HEADROOM)

    def _identify(self) -> None:
        """Read, or write, what the store says about itself."""
        with self._environment.begin() as reading:
            found = reading.get(environment.FORMAT_KEY)
            empty = reading.stat()["entries"] == 0
        environment.check_format(self.folder, found, empty)
        if found is None:
            with self._environment.begin(write=True) as writing:
                writing.put(environment.FORMAT_KEY, environment.FORMAT)
                writing.put(environment.LOG_KEY, environment.encode_number(1))
        self._unnamed = self._environment.open_db()
        self._data = self._environment.open_db(environment.DATA)

    def _recover(self) -> None:
        """Read the log: what the last checkpoint does not have."""
        first = environment.decode_number(
            self._transaction.get(environment.LOG_KEY, db=self._unnamed)
        )
        numbers = log.segment_numbers(self.folder)
        for number in numbers:
            if number < first:
                log.segment_path(self.folder, number).unlink()
        self._segment = log.Segment(self.folder, first)
        if first not in numbers:
            self._segment.create()
        else:
            self._replay()
            self._segment.resume(self.recovery.end)
        for number in numbers:
            if number > first:  # prepared, never written to
                log.segment_path(self.folder, number).unlink()
        log.sync_folder(self.folder)

    def _replay(self) -> None:
        """Bring LMDB's transaction up to the last unit that was committed."""
        self.recovery = log.replay(self.folder, self._segment.number, self._apply)
        self._operations = self.recovery.operations

    def _apply(self, key: bytes, value: bytes | None) -> None:
        if self._room.operations % STRIDE == 0 or (value and len(value) >= LARGE_VALUE):
            self._room.ensure(HEADROOM + (len(value) if value else 0))
        self._room.count(len(value) if value else 0)
        if value is None:
            self._transaction.delete(key)
        else:
            self._transaction.put(key, value)

    def close(self) -> None:
        """Fold the log into the store, and release everything."""
        if self._owner < 0:
            return
        for snapshot in list(self._snapshots):
            snapshot.close()
        try:
            if self._file >= 0 and not self._broken:
                if self._operations > 0:
                    self._checkpoint()
                self._remove_obsolete()
        finally:
            self._release()

    def _release(self) -> None:
        if self._next is not None:
            self._next.remove()
            self._next = None
        self._segment.close()
        self._cursor.close()
        self._transaction.abort()
        self._environment.close()
        for descriptor in (self._file, self._owner):
            os.close(descriptor)
        self._file = self._owner = -1

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
        self._count(len(value))
        self._parts.append(_OPERATION.pack(len(key), len(value)))
        self._parts.append(key)
        self._parts.append(value)
        self._size += 6 + len(key) + len(value)

    def delete(self, key: bytes) -> bool:
        self._count(0)
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
                self._count(0)
                cursor.delete()
                self._note_removal(key)
                removed += 1
                key = cursor.key()  # the next one; empty at the end
        except lmdb.Error as error:
            raise self._failure(error) from error
        return removed

    def _count(self, size: i64) -> None:
        """Look, every now and then, whether what is written has room on the disk."""
        if not self._open:
            raise BackendError(f"{self.folder}: a write outside of a transaction")
        room = self._room
        if size >= LARGE_VALUE:
            room.ensure(size + RESERVE)
        elif room.operations >= self._checked:
            room.ensure(RESERVE)
            self._checked = room.operations + STRIDE
        room.count(size)
        self._operations += 1

    def _failure(self, error: lmdb.Error) -> BackendError:
        """An error of LMDB as one of ours."""
        if isinstance(error, lmdb.MapFullError):
            return BackendFull(f"{self.folder}: {error}")
        return BackendError(f"{self.folder}: {error}")

    # Transactions ----------------------------------------------------------------------------

    def begin(self) -> None:
        if self._open:
            raise BackendError(f"{self.folder}: a transaction is open already")
        if self._next is not None or self._segment.end > OVERDUE * self._log_size:
            self._checkpoint()
        if self._look_again:
            self._look_again = False
            self._look_for_room()
            if self._snapshots:
                self._end_old_snapshots()
        elif not self.refusal:
            self._look_for_room()
        self._unit_began = self._operations
        self._open = True

    def _look_for_room(self) -> None:
        """Refuse writes, or no longer, before anything is lost for the want of room."""
        if self._broken:
            self.refusal = self._broken
            return
        try:
            self._room.ensure(HEADROOM)
            self._segment.reserve(log.STEP)
            self.refusal = ""
        except BackendFull as full:
            self.refusal = str(full)
        except OSError as error:
            self.refusal = (
                f"{self._segment.path}: no room on the disk for the log ({error.strerror}):"
                " free some"
            )

    def commit(self) -> None:
        self._open = False
        if not self._parts:
            return
        parts = self._parts
        size = self._size
        self._forget()
        try:
            self._segment.append(parts, size)
        except OSError as error:
            self._undo()
            self._look_again = True
            raise BackendFull(f"{self._segment.path}: {error.strerror}") from error

    def rollback(self) -> None:
        self._open = False
        if self._operations > self._unit_began:
            self._forget()
            self._undo()

    def _forget(self) -> None:
        self._parts = []
        self._size = 0

    def _undo(self) -> None:
        """Go back to what the log has."""
        self._cursor.close()
        self._transaction.abort()
        self._begin()
        self._replay()

    def _begin(self) -> None:
        """Begin LMDB's next transaction."""
        self._transaction = self._environment.begin(db=self._data, write=True)
        self._cursor = self._transaction.cursor()
        page = self._transaction.stat(self._data)
        pages = page["branch_pages"] + page["leaf_pages"] + page["overflow_pages"]
        end = (self._environment.info()["last_pgno"] + 1) * page["psize"]
        self._room.restart(end, pages * page["psize"])
        self._checked = 0
        self._operations = 0

    # Checkpoints -----------------------------------------------------------------------------

    def _checkpoint(self) -> None:
        """Commit LMDB's transaction, which holds all of the log, and begin a new segment.

        Where that fails, nothing is lost: the log goes on, and writes are refused.
        """
        began = self._seconds()
        try:
            self._commit_all(self._next or self._prepare())
        except (OSError, lmdb.Error) as error:
            self.refusal = f"{self.folder}: the log cannot be folded into the store: {error}"
            return
        self.checkpoints += 1
        self.checkpoint_microseconds = int((self._seconds() - began) * 1_000_000)

    def _commit_all(self, fresh: log.Segment) -> None:
        self._next = None
        number = environment.encode_number(fresh.number)
        self._cursor.close()
        try:
            self._transaction.put(environment.LOG_KEY, number, db=self._unnamed)
            self._transaction.commit()
        except lmdb.Error:
            fresh.remove()
            self._transaction.abort()  # does nothing where the commit has ended it
            self._begin()
            self._replay()
            raise
        self._obsolete.append(self._segment)
        self._segment = fresh
        self._enlarge_map()
        self._begin()

    def _enlarge_map(self) -> None:
        """Double the map when half of it is used. No transaction may be open."""
        room = self._room
        if 2 * room.needed() > room.map_size and not self._snapshots:
            self._environment.set_mapsize(2 * room.map_size)
            room.map_size *= 2

    def _prepare(self) -> log.Segment:
        """The segment that follows; raises `OSError`."""
        segment = log.Segment(self.folder, self._segment.number + 1)
        try:
            segment.create()
            log.sync_folder(self.folder)
        except OSError:
            segment.remove()
            raise
        return segment

    def maintain(self) -> None:
        """Prepare a checkpoint that is due: the next unit's beginning makes it."""
        self._look_again = True
        try:
            self._remove_obsolete()
            due = self._segment.end > self._log_size or self._operations > OPERATIONS
            if due and self._next is None and not self._broken:
                began = self._seconds()
                os.fdatasync(self._file)
                os.fdatasync(self._file)  # what was written meanwhile is less
                self.flush_microseconds = int((self._seconds() - began) * 1_000_000)
                self._next = self._prepare()
        except OSError as error:
            raise BackendError(f"{self.folder}: {error.strerror}") from error

    def _remove_obsolete(self) -> None:
        """Delete segments that a checkpoint has made superfluous."""
        while self._obsolete:
            with self._files:
                self._obsolete.pop().remove()

    def sync(self) -> None:
        if self.sync_policy == NO:
            return
        try:
            with self._files:
                # A segment that is over by now was folded in, and LMDB has synced that.
                self._segment.sync()
                self.syncs += 1
        except OSError as error:
            # What the disk has now, nobody knows; trying again could pretend that all is well.
            self._broken = (
                f"{self._segment.path} could not be synced ({error.strerror}): see to the disk"
                " and restart the server"
            )
            self.refusal = self._broken
            raise BackendError(self._broken) from error

    # Snapshots -------------------------------------------------------------------------------

    def snapshot(self) -> OrderedKV:
        if self._open:
            raise BackendError(f"{self.folder}: a transaction is open")
        if self._operations > 0:
            self._checkpoint()
            if self._operations > 0:
                raise BackendError(self.refusal)
        deadline = self._seconds() + self.settings.snapshot_age
        try:
            reading = self._environment.begin(db=self._data)
        except lmdb.Error as error:
            raise self._failure(error) from error
        snapshot = SnapshotKV(self, reading, deadline)
        self._snapshots.append(snapshot)
        return snapshot

    def forget(self, snapshot: SnapshotKV) -> None:
        """A snapshot was closed."""
        self._snapshots.remove(snapshot)

    def _end_old_snapshots(self) -> None:
        now = self._seconds()
        for snapshot in list(self._snapshots):
            if now > snapshot.deadline:
                snapshot.close()

    # Statistics ------------------------------------------------------------------------------

    def statistics(self) -> dict[str, int]:
        room = self._room
        return {
            "lmdb_file_bytes": room.end,
            "lmdb_tree_bytes": room.tree,
            "lmdb_reserved_bytes": room.reserved,
            "lmdb_map_bytes": room.map_size,
            "lmdb_log_bytes": self._segment.end,
            "lmdb_log_operations": self._operations,
            "lmdb_checkpoints": self.checkpoints,
            "lmdb_last_checkpoint_usec": self.checkpoint_microseconds,
            "lmdb_last_flush_usec": self.flush_microseconds,
            "lmdb_syncs": self.syncs,
            "lmdb_snapshots": len(self._snapshots),
            "lmdb_recovered_operations": self.recovery.operations,
            "lmdb_recovered_torn_bytes": self.recovery.torn,
        }
