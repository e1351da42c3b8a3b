# mypyc: interpreted
"""The memory that a container may take: Linux' control groups, version 1 and 2 (man 7 cgroups)."""

from pathlib import Path, PurePosixPath
from typing import Final

# Version 1 says "no limit" with the largest number of pages: anything near is one too.
_UNLIMITED: Final = 1 << 60


def container_limit(
    groups: Path = Path("/proc/self/cgroup"), mounted: Path = Path("/sys/fs/cgroup")
) -> int:
    """Bytes that the control groups of this process leave it, 0 for any number.

    ``groups`` tells them, ``mounted`` is where they are to be seen. A group's limit holds for all
    groups below; in a container most of those above are out of sight.
    """
    try:
        lines = groups.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return 0
    limits: list[int] = []
    for line in lines:
        number, names, path = (*line.split(":", 2), "", "")[:3]
        if number == "0" and not names:
            limits += _limits(mounted, path, "memory.max")
            limits += _limits(mounted / "unified", path, "memory.max")
        elif "memory" in names.split(","):
            limits += _limits(mounted / "memory", path, "memory.limit_in_bytes")
    return min(limits, default=0)


def _limits(mounted: Path, path: str, name: str) -> list[int]:
    """The limits of a group and of those above it, as far as they can be seen."""
    inside = PurePosixPath(path.lstrip("/"))
    found = []
    for folder in (inside, *inside.parents):
        try:
            limit = int((mounted / folder / name).read_text("ascii"))
        except (OSError, ValueError):  # out of sight, or "max"
            continue
        if 0 < limit < _UNLIMITED:
            found.append(limit)
    return found
