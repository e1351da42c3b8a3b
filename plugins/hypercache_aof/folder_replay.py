# mypyc: interpreted
"""All files of a folder into the engine, in their order, and whether they are whole."""

from pathlib import Path
from typing import Final

from hypercache.keyspace.clock import Clock
from hypercache.persistence.errors import LoadError
from hypercache.persistence.loader import Loader
from hypercache_aof.manifest import AofFolder, Manifest
from hypercache_aof.replaying import FileReplay

_RDB: Final = ".rdb"


class Part:
    """A file that was read to its end: the journal's offset there, and whether it says so."""

    def __init__(self, path: Path, replay: FileReplay) -> None:
        self.path = path
        self.offset = int(replay.offset)
        self.size = int(replay.size)
        self.commands = int(replay.commands)
        self.keys = int(replay.keys)
        # An RDB has a checksum of its own, and nothing is appended to it.
        self.may_end = path.suffix != _RDB
        self.ended = replay.ended


class Tear:
    """The torn end of the last file: what is to be cut off behind ``offset``, in bytes.

    ``commands`` begin there, as far as can be told.
    """

    def __init__(self, path: Path, replay: FileReplay) -> None:
        self.path = path
        self.offset = int(replay.whole)
        self.size = int(replay.size) - self.offset
        self.commands = replay.lost()


class FolderReplay:
    """Loads files for a loader, or, without one, only checks them.

    ``loaded`` of ``total`` bytes are read, ``parts`` are done. When `step` has answered False,
    ``offset`` is the journal's behind everything, and ``tear`` tells what the last file's end
    is short of, None if nothing. Under a manifest of ours (``strict``) each file but the last
    has an end line. Raises `LoadError`. Then, and with a tear, ``failed`` is the file that is
    damaged, and everything in it before ``whole`` can be used; ``in_rdb``: it is its RDB.
    """

    def __init__(
        self, paths: list[Path], loader: Loader | None, *, strict: bool, checksum: bool = True
    ) -> None:
        self.paths = paths
        self.loader = loader
        self.strict = strict
        self.checksum = checksum
        self.parts: list[Part] = []
        self.offset = 0
        self.tear: Tear | None = None
        self.failed: Path | None = None
        self.whole = 0
        self.commands = 0
        self.in_rdb = False
        self.total = sum(path.stat().st_size for path in paths if path.is_file())
        self._clock = Clock()
        self._done = 0
        self._now: FileReplay | None = None

    @property
    def loaded(self) -> int:
        """Bytes that were read so far."""
        return self._done + (0 if self._now is None else int(self._now.loaded))

    def step(self, budget: int) -> bool:
        """Load for about that many microseconds; False once everything is loaded."""
        until = int(self._clock.microseconds()) + budget
        while len(self.parts) < len(self.paths):
            path = self.paths[len(self.parts)]
            try:
                if self._now is None:
                    self._now = FileReplay(path, self.loader, self.offset, self.checksum)
                if self._now.step(until, self._clock):
                    return True
                self._finish(path, self._now)
            except OSError as error:
                raise self._fail(path, f"{path} cannot be read: {error.strerror}") from error
            except LoadError as error:
                raise self._fail(path, str(error)) from error
            self.close()
        return False

    def close(self) -> None:
        """Give the file back; to be called in the end, whatever happened."""
        if self._now is not None:
            self._now.close()
            self._now = None

    def _fail(self, path: Path, text: str) -> LoadError:
        self.failed = path
        if self._now is not None:
            self.whole = int(self._now.whole)
            self.in_rdb = self._now.in_rdb
        return LoadError(text)

    def _finish(self, path: Path, replay: FileReplay) -> None:
        part = Part(path, replay)
        last = len(self.parts) == len(self.paths) - 1
        if replay.torn and last:
            self.tear = Tear(path, replay)
            self.failed = path
            self.whole = self.tear.offset
        elif replay.torn:
            raise LoadError(
                f"{path}: damaged at offset {replay.whole}: it ends amid what begins there, and"
                " is not the last file"
            )
        elif not part.size and not part.may_end:
            raise LoadError(f"{path}: damaged at offset 0: the file is empty")
        elif not last and part.may_end and (replay.is_cut or (self.strict and not part.ended)):
            raise LoadError(
                f"{path}: damaged at offset {part.size}: its end is missing, and it is not the"
                " last file"
            )
        self.parts.append(part)
        self.offset = part.offset
        self.commands += part.commands
        self._done += part.size


def replay_folder(
    folder: AofFolder, manifest: Manifest, loader: Loader | None, checksum: bool = True
) -> FolderReplay:
    """What loads the files that a manifest names."""
    paths = [folder.path_of(file) for file in manifest.files()]
    return FolderReplay(paths, loader, strict=manifest.sealed, checksum=checksum)
