"""The system calls of persistence, in one place, so that tests can make them fail.

Every method blocks and raises OSError; all but `remove` are called in worker threads, or at the
start. Files are made with the permissions 0600.
"""

import contextlib
import os
from pathlib import Path
from typing import Final

from mypy_extensions import mypyc_attr

#: The permissions of all data files.
MODE: Final = 0o600


@mypyc_attr(allow_interpreted_subclasses=True)
class FileSystem:
    """The real one."""

    def create(self, path: Path) -> int:
        """A descriptor of a new file, or of an old one that is emptied."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, MODE)

    def append(self, path: Path) -> int:
        """A descriptor that appends to a file, which is made if it is not there."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, MODE)

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        """Write what fits; how many bytes that was."""
        return os.write(descriptor, data)

    def write_all(self, descriptor: int, data: bytes) -> None:
        """Write everything, in as many calls as it takes."""
        left = memoryview(data)
        while left:
            # Not inside the brackets: compiled, a call there would be made twice.
            written = self.write(descriptor, left)
            left = left[written:]

    def sync(self, descriptor: int) -> None:
        """Have a file's bytes on the disk when this returns."""
        os.fdatasync(descriptor)

    def truncate(self, descriptor: int, size: int) -> None:
        """Cut a file behind its first ``size`` bytes."""
        os.ftruncate(descriptor, size)

    def close(self, descriptor: int) -> None:
        """Give a descriptor back."""
        os.close(descriptor)

    def rename(self, old: Path, new: Path) -> None:
        """Put a file in the place of another, at once, and have that on the disk."""
        old.rename(new)
        self.sync_folder(new.parent)

    def sync_folder(self, folder: Path) -> None:
        """Have the names in a folder on the disk when this returns."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def remove(self, path: Path) -> None:
        """Remove a file, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            path.unlink()

    def make_folder(self, path: Path) -> None:
        """Make a folder, if it is not there, and have that on the disk."""
        if not path.is_dir():
            path.mkdir(0o700)
            self.sync_folder(path.parent)
