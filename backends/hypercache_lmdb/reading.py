# mypyc: interpreted
"""A store read from outside, beside the process that serves it, as it is at one moment.

That is a read transaction of LMDB and the log behind it. The files of the log are opened right
after the transaction has begun. A checkpoint in between may have removed the first of them;
then all begins again, with what that checkpoint has made. If it only closed it, the transaction
still leads to it, and it holds all that was committed when the reading began. What an open
descriptor leads to stays, removed or not.

Readers share a lock on the data file, which `hypercache_lmdb.tools` takes alone to put another
in its place: LMDB's own lock file would let a reader of the old file and a writer of the new
one believe that they look at the same.
"""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import lmdb

from hypercache.backend import BackendError
from hypercache.backend_tools import Progress
from hypercache_lmdb import environment, log

# How often a checkpoint may come in between before a reader gives up.
_ATTEMPTS: Final = 100
_PIECE: Final = 1 << 20


class Reading:
    """A read transaction of LMDB, and the segments of the log from its own on."""

    def __init__(
        self,
        folder: Path,
        env: lmdb.Environment,
        transaction: "lmdb.Transaction[bytes]",
        first: int,
        segments: dict[int, int],
    ) -> None:
        self.folder = folder
        self.environment = env
        self.transaction = transaction
        #: The first segment that LMDB does not have; descriptors of it and those that follow.
        self.first = first
        self.segments = segments

    def database(self) -> "lmdb._Database | None":
        """Where the pairs lie; None in a store whose first opening was broken off."""
        try:
            return self.environment.open_db(environment.DATA, txn=self.transaction, create=False)
        except lmdb.NotFoundError:
            return None

    def copy_log(self, target: Path) -> None:
        """Write the segments into another folder, as they are now. Raises `OSError`.

        Only there they may be read: a server may cut a file short that is being read.
        """
        for number, descriptor in self.segments.items():
            path = log.segment_path(target, number)
            path.touch(mode=0o600)
            with path.open("wb") as file:
                at = 0
                while piece := os.pread(descriptor, _PIECE, at):
                    file.write(piece)
                    at += len(piece)

    def copy_data(self, descriptor: int, progress: Progress) -> None:
        """Write LMDB's pages, those in use and no others, to a file that is empty.

        LMDB writes into a pipe, in a thread of its own: so this one can tell how far it is, and
        break off. Raises `OSError` and `BackendError`.
        """
        total = self._size()
        reader, writer = os.pipe()
        failures: list[lmdb.Error] = []
        thread = threading.Thread(target=self._send, args=(writer, failures))
        thread.start()
        done = 0
        try:
            with open(reader, "rb", closefd=False) as pipe:
                while piece := pipe.read(_PIECE):
                    rest = memoryview(piece)
                    while rest:
                        rest = rest[os.write(descriptor, rest) :]
                    done += len(piece)
                    progress("copying", min(done, total), total)
        finally:
            os.close(reader)
            thread.join()
        if failures:
            raise BackendError(f"{self.folder} cannot be copied: {failures[0]}")
        progress("copying", total, total)

    def _send(self, writer: int, failures: list[lmdb.Error]) -> None:
        try:
            self.environment.copyfd(writer, compact=True, txn=self.transaction)
        except lmdb.Error as error:
            failures.append(error)
        finally:
            os.close(writer)

    def _size(self) -> int:
        """About the number of bytes that a copy has."""
        page = self.transaction.stat(self.database())
        pages = page["branch_pages"] + page["leaf_pages"] + page["overflow_pages"]
        return (pages + 3) * page["psize"]


@contextmanager
def reading(folder: Path, *, alone: bool = False) -> Iterator[Reading]:
    """Read a store as it is now; ``alone`` keeps other readers away. Raises `BackendError`."""
    require_store(folder)
    lock = _lock(folder, alone=alone)
    try:
        _require_settled(folder)
        found = _begin(folder)
        try:
            yield found
        finally:
            _end(found)
    finally:
        os.close(lock)


def require_store(folder: Path) -> None:
    """Raise `BackendError` where there is no store."""
    if not (folder / environment.DATA_FILE).is_file():
        raise BackendError(f"{folder} holds no store: it has no {environment.DATA_FILE}")


def _require_settled(folder: Path) -> None:
    path = folder / environment.OWNER_FILE
    with (path if path.exists() else Path(os.devnull)).open("rb") as owner:
        if environment.must_settle(folder, owner.fileno()):
            raise BackendError(
                f"{folder} was in use when the machine stopped: start the server with it once,"
                " which brings it up to date"
            )


def _lock(folder: Path, *, alone: bool) -> int:
    """Lock the data file against being replaced, or being read."""
    path = folder / environment.DATA_FILE
    while True:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise BackendError(
                f"{folder} is being checked, copied or compacted: try again when that is done"
            ) from error
        if path.stat().st_ino == os.fstat(descriptor).st_ino:
            return descriptor
        os.close(descriptor)  # replaced between the two calls


def _begin(folder: Path) -> Reading:
    missing = -1
    for _ in range(_ATTEMPTS):
        env = environment.open_for_reading(folder)
        try:
            transaction = _transaction(folder, env)
            raw = transaction.get(environment.LOG_KEY, db=env.open_db(txn=transaction))
            first = environment.decode_number(raw)
            segments = _open_segments(folder, first)
            if segments or first == missing:  # if nobody made a checkpoint, it has no log
                return Reading(folder, env, transaction, first, segments)
            missing = first
            transaction.abort()
        except lmdb.MapResizedError:
            pass  # enlarged since it was opened
        except lmdb.Error as error:
            env.close()
            raise BackendError(f"{folder} cannot be read: {error}") from error
        except BaseException:
            env.close()
            raise
        env.close()
    raise BackendError(f"{folder} changes too fast to be read: try again later")


def _transaction(folder: Path, env: lmdb.Environment) -> "lmdb.Transaction[bytes]":
    """Begin to read, if this version knows the format."""
    transaction = env.begin()
    found = transaction.get(environment.FORMAT_KEY)
    environment.check_format(folder, found, is_empty=False)
    return transaction


def _open_segments(folder: Path, first: int) -> dict[int, int]:
    """Descriptors of the segments from the first on, as far as they follow one another."""
    found: dict[int, int] = {}
    number = first
    try:
        while True:
            path = log.segment_path(folder, number)
            found[number] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            number += 1
    except FileNotFoundError:
        return found
    except BaseException:
        for descriptor in found.values():
            os.close(descriptor)
        raise


def _end(found: Reading) -> None:
    for descriptor in found.segments.values():
        os.close(descriptor)
    found.transaction.abort()
    found.environment.close()


def sync_file(path: Path) -> None:
    """Make a file's content durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
