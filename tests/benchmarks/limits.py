"""A limit of memory for a server: a control group of its own (Linux, cgroup version 1 or 2).

What counts against it is what the server allocates and the pages of files that it brings
into memory, so that a store larger than the limit has to read from the disk.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from .servers import BenchmarkError

REMOVE_SECONDS = 5.0


@dataclass(frozen=True)
class Hierarchy:
    """Where groups can be made: a folder, and the names of the files in it."""

    folder: Path
    limit: str
    usage: str


def find_hierarchy(mounts: str, own: str) -> Hierarchy:
    """The hierarchy that limits memory, out of ``/proc/mounts`` and ``/proc/self/cgroup``.

    Of version 1 it is the group that this process is in, of version 2 the root: there, only the
    root may have both processes and groups with limits.

    Raises:
        BenchmarkError: the system has none.
    """
    rows = [line.split() for line in mounts.splitlines()]
    for _, folder, kind, flags, *_ in rows:
        if kind == "cgroup" and "memory" in flags.split(","):
            paths = [line.split(":", 2) for line in own.splitlines()]
            path = next(path for _, names, path in paths if "memory" in names.split(","))
            place = Path(folder) / path.lstrip("/")
            return Hierarchy(place, "memory.limit_in_bytes", "memory.usage_in_bytes")
    for _, folder, kind, *_ in rows:
        if kind == "cgroup2":
            return Hierarchy(Path(folder), "memory.max", "memory.current")
    raise BenchmarkError("no control groups that limit memory are mounted")


class MemoryGroup:
    """A control group that allows its processes so many bytes; a context manager."""

    def __init__(self, limit: int) -> None:
        self.hierarchy = find_hierarchy(
            Path("/proc/mounts").read_text(), Path("/proc/self/cgroup").read_text()
        )
        self.folder = self.hierarchy.folder / f"hypercache-benchmark-{os.getpid()}"
        try:
            if self.hierarchy.limit == "memory.max":
                (self.hierarchy.folder / "cgroup.subtree_control").write_text("+memory")
            self.folder.mkdir()
            (self.folder / self.hierarchy.limit).write_text(str(limit))
        except OSError as error:
            self.close()
            raise BenchmarkError(
                f"memory cannot be limited here: {error.filename}: {error.strerror}; it takes root "
                "and a control group in which memory may be limited (memory.max, or "
                "memory.limit_in_bytes)"
            ) from error

    def __enter__(self) -> MemoryGroup:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, process: int) -> None:
        """Move a process here: what it takes from now on counts."""
        (self.folder / "cgroup.procs").write_text(str(process))

    def usage(self) -> int:
        """Bytes that count now."""
        return int((self.folder / self.hierarchy.usage).read_text())

    def close(self) -> None:
        """Remove the group. Its processes must have ended, which the kernel may notice late."""
        deadline = time.monotonic() + REMOVE_SECONDS
        while self.folder.exists() and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                self.folder.rmdir()
                return
            time.sleep(0.05)
