"""Folders for stores, and copies of them while they are in use."""

import os
import tempfile
from pathlib import Path
from typing import Final

_IN_MEMORY: Final = Path("/dev/shm")


def quick_folder() -> "tempfile.TemporaryDirectory[str]":
    """A temporary folder in memory, where there is such: syncing costs nothing there."""
    where = _IN_MEMORY if os.access(_IN_MEMORY, os.W_OK) else None
    return tempfile.TemporaryDirectory(prefix="hypercache-test-", dir=where)


def copy_sparse(source: Path, target: Path) -> None:
    """Copy all files of a folder into a new one, leaving holes as they are.

    Of a store that is open that is what a process killed at this moment would leave.
    """
    target.mkdir()
    for path in source.iterdir():
        with path.open("rb") as reading, (target / path.name).open("wb") as writing:
            size = os.fstat(reading.fileno()).st_size
            os.ftruncate(writing.fileno(), size)
            for start, stop in _extents(reading.fileno(), size):
                _copy(reading.fileno(), writing.fileno(), start, stop)


def _extents(descriptor: int, size: int) -> list[tuple[int, int]]:
    """Where a file has data, as far as its file system tells."""
    found: list[tuple[int, int]] = []
    at = 0
    while at < size:
        try:
            start = os.lseek(descriptor, at, os.SEEK_DATA)
        except OSError:  # ENXIO: none behind here
            break
        at = os.lseek(descriptor, start, os.SEEK_HOLE)
        found.append((start, at))
    return found


def _copy(source: int, target: int, start: int, stop: int) -> None:
    while start < stop:
        part = os.pread(source, min(stop - start, 1 << 20), start)
        start += os.pwrite(target, part, start)
