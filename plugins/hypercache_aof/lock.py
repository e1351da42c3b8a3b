# mypyc: interpreted
"""One server to a folder: two that append to the same files would damage them."""

import fcntl
import os
from pathlib import Path

from hypercache.persistence.errors import SaveError


class FolderLock:
    """An exclusive `flock` on a folder, which ends with the process at the latest."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1

    def acquire(self) -> None:
        """Have the lock, if the folder is there; raises `SaveError` while another has it."""
        if self._descriptor >= 0:
            return
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return  # whoever reads or makes the folder says what is wrong with it
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise SaveError(
                f"{self.path} is in use by another server: give each server a 'dir' of its own"
            ) from None
        except OSError:
            os.close(descriptor)  # a file system that knows no locks
            return
        self._descriptor = descriptor

    def close(self) -> None:
        """Let another have it; again, nothing happens."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
