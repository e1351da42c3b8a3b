"""The file that batches are appended to."""

from contextlib import suppress
from pathlib import Path

from mypy_extensions import i64

from hypercache.persistence.file_system import FileSystem
from hypercache_aof.annotations import end_line, opening_line


class Increment:
    """A file of whole batches; ``size`` is theirs in bytes, ``unsynced`` whether some are new.

    Every method blocks and raises OSError. One call at a time, but `write` may be called while
    `sync` is under way.
    """

    def __init__(self, path: Path, file_system: FileSystem) -> None:
        self.path = path
        self.size: i64 = 0
        self.unsynced = False
        self._files = file_system
        self._descriptor = -1
        # Whether there may be something behind the last whole batch.
        self._torn = False

    def create(self, offset: i64) -> None:
        """Make the file, on the disk with its first line: the journal's offset before it."""
        self._descriptor = self._files.append(self.path)
        self.write(opening_line(offset))
        self.sync()
        self._files.sync_folder(self.path.parent)

    def write(self, data: bytes) -> None:
        """Append batches: all of them or, if that fails, none."""
        self._mend()
        self._torn = True
        try:
            self._files.write_all(self._descriptor, data)
        except OSError:
            with suppress(OSError):  # then before the next batch is written
                self._mend()
            raise
        self._torn = False
        self.size += len(data)
        self.unsynced = True

    def sync(self) -> None:
        """Have everything on the disk that was written before."""
        self.unsynced = False
        try:
            self._files.sync(self._descriptor)
        except BaseException:
            self.unsynced = True
            raise

    def end(self, offset: i64) -> None:
        """Say that nothing follows after this offset, on the disk. If more does, that goes."""
        self._mend()
        self._torn = True
        self._files.write_all(self._descriptor, end_line(offset, self.size))
        self.sync()

    def close(self) -> None:
        """Give the file back; again, nothing happens."""
        descriptor = self._descriptor
        self._descriptor = -1
        if descriptor >= 0:
            self._files.close(descriptor)

    def _mend(self) -> None:
        """Cut off what is behind the last whole batch."""
        if self._torn:
            self._files.truncate(self._descriptor, self.size)
            self._torn = False
