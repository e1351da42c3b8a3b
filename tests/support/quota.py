"""A disk that is full, for a process of its own, where nobody may mount a small file system."""

import errno
import os
from collections.abc import Sequence
from pathlib import Path

_allocate = os.posix_fallocate
_pwrite = os.pwrite
_pwritev = os.pwritev


class Quota:
    """No more than the bytes that ``file`` says can be allocated below ``folder``."""

    def __init__(self, folder: str, file: str) -> None:
        self.folder = Path(folder)
        self.file = Path(file)

    def install(self) -> None:
        """Take the place of the functions by which stores allocate."""
        own = {"posix_fallocate": self.allocate, "pwrite": self.write, "pwritev": self.write_parts}
        for name, function in own.items():
            setattr(os, name, function)

    def allocate(self, descriptor: int, start: int, length: int, /) -> None:
        """`os.posix_fallocate`: blocks that are there already cost nothing."""
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if not path.is_relative_to(self.folder):
            return
        before = self._used()
        size = os.fstat(descriptor).st_size
        _allocate(descriptor, start, max(length, 1))
        if self._used() > max(before, int(self.file.read_text())):
            if os.fstat(descriptor).st_size > size:
                os.ftruncate(descriptor, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def write(self, descriptor: int, data: bytes, at: int, /) -> int:
        """`os.pwrite`."""
        self.allocate(descriptor, at, len(data))
        return _pwrite(descriptor, data, at)

    def write_parts(self, descriptor: int, parts: Sequence[bytes], at: int, /) -> int:
        """`os.pwritev`."""
        self.allocate(descriptor, at, sum(map(len, parts)))
        return _pwritev(descriptor, parts, at)

    def _used(self) -> int:
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        return sum(path.stat().st_blocks * 512 for path in files)
