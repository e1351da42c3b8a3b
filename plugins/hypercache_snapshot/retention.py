# mypyc: interpreted
"""The files of a server's snapshots: their names, which are there, which are too old."""

import re
from datetime import UTC, datetime
from glob import escape
from pathlib import Path
from typing import Final

from hypercache.persistence.file_system import FileSystem
from hypercache.persistence.saving import remove_leftovers
from hypercache_snapshot.format import SUFFIX

_NAMED = re.compile(r"-(\d{8}T\d{6}\.\d{6}Z)-(\d+)$")
_TIME = "%Y%m%dT%H%M%S.%fZ"
#: The last moment that a name can have, in Unix microseconds: the end of the year 9999.
LATEST: Final = 253_402_300_799_999_999


class Snapshots:
    """Those that a server has in its folder: ``<stem>-<UTC time>-<journal offset>.hcs``.

    ``stem`` is ``dbfilename`` without its suffix. The names sort by time. Methods that look at
    the folder raise OSError.
    """

    def __init__(self, folder: Path, dbfilename: str, file_system: FileSystem) -> None:
        self.folder = folder
        self.stem = Path(dbfilename).stem
        self._files = file_system

    def path(self, time: int, offset: int) -> Path:
        """Where a snapshot of a moment, in Unix microseconds, belongs."""
        moment = datetime.fromtimestamp(time // 1_000_000, UTC).replace(
            microsecond=time % 1_000_000
        )
        return self.folder / f"{self.stem}-{moment.strftime(_TIME)}-{offset:016d}{SUFFIX}"

    def newest_first(self) -> list[Path]:
        """All that are there."""
        found = [path for path in self.folder.iterdir() if self._is_ours(path)]
        return sorted(found, key=lambda path: path.name, reverse=True)

    def keep(self, count: int) -> list[Path]:
        """Remove all but the newest ``count``; which that were. The oldest goes first."""
        old = self.newest_first()[count:]
        for path in reversed(old):
            self._files.remove(path)
        return old

    def remove_leftovers(self) -> list[Path]:
        """Remove what a killed server has left half written; which that was.

        Only to be called while nobody saves: at the start.
        """
        return remove_leftovers(self.folder, f"{escape(self.stem)}-*{SUFFIX}", self._files)

    def _is_ours(self, path: Path) -> bool:
        name = path.name
        if not (name.startswith(self.stem) and name.endswith(SUFFIX) and path.is_file()):
            return False
        return _NAMED.fullmatch(name[len(self.stem) : -len(SUFFIX)]) is not None


def time_named(path: Path) -> int:
    """The time in a snapshot's name in Unix microseconds; 0 where it has none."""
    named = _NAMED.search(path.stem)
    if named is None:
        return 0
    try:
        moment = datetime.strptime(named[1], _TIME).replace(tzinfo=UTC)
    except ValueError:
        return 0
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond
