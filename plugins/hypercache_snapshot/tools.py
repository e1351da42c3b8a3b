# mypyc: interpreted
"""What the command line does with native snapshots: check, repair, load, save."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Final

from hypercache.backend_tools import Progress
from hypercache.persistence.capture import Capture
from hypercache.persistence.encoder import Encoder
from hypercache.persistence.errors import LoadError, SaveError
from hypercache.persistence.file_system import FileSystem
from hypercache.persistence.loader import Loader
from hypercache.persistence.saving import save_now
from hypercache.persistence.tools import FileTools
from hypercache_snapshot.encoder import NativeEncoder
from hypercache_snapshot.format import MAGIC, SUFFIX, FormatError
from hypercache_snapshot.reader import SnapshotReader
from hypercache_snapshot.repair import repair
from hypercache_snapshot.survey import survey

_STEP: Final = 4 << 20


class SnapshotTools(FileTools):
    """Files ending in ``.hcs``, whatever else their names are."""

    format: ClassVar[str] = "native"
    suffix: ClassVar[str] = SUFFIX

    def recognizes(self, path: Path) -> bool:
        if not path.is_file():
            return False
        with _readable(path), path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC

    def check(self, path: Path, fix: bool, progress: Progress) -> list[str]:
        try:
            self._read(path, None, "check", progress)
        except LoadError as error:
            return self._examine(path, fix, progress, str(error))
        return []

    def load(self, path: Path, loader: Loader, progress: Progress) -> None:
        self._read(path, loader, "load", progress)

    def save(self, path: Path, capture: Callable[[Encoder], Capture], progress: Progress) -> None:
        save_now(capture(NativeEncoder()), path, FileSystem(), progress)

    def _read(self, path: Path, loader: Loader | None, what: str, progress: Progress) -> None:
        with _readable(path):
            reader = SnapshotReader(path, loader)
            try:
                while reader.step(_STEP):
                    progress(what, int(reader.loaded), int(reader.size))
            finally:
                reader.close()
        progress(what, int(reader.size), int(reader.size))

    def _examine(self, path: Path, fix: bool, progress: Progress, reason: str) -> list[str]:
        with _readable(path):
            try:
                found = survey(path, progress)
            except FormatError as error:
                return [f"{path}: {error}"]
        words = [f"{path}: {text}" for text in found.damage] or [reason]
        if fix:
            try:
                words += repair(path, found, FileSystem(), progress)
            except OSError as error:
                reason = error.strerror or str(error)
                raise SaveError(f"{path} cannot be repaired: {reason}") from error
        return words


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Name the file that cannot be read."""
    try:
        yield
    except OSError as error:
        raise LoadError(f"{path} cannot be read: {error.strerror}") from error
