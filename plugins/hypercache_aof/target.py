# mypyc: interpreted
"""What a path on the command line means: a folder, its manifest, or a single file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from hypercache.backend_tools import Progress
from hypercache.persistence.errors import LoadError
from hypercache.persistence.file_system import FileSystem
from hypercache.persistence.loader import Loader
from hypercache_aof.folder_replay import FolderReplay, replay_folder
from hypercache_aof.manifest import AofFolder, Manifest
from hypercache_aof.successors import adopt_successors

#: What the name of a manifest ends with.
SUFFIX: Final = ".manifest"
_STEP: Final = 50_000  # microseconds between two looks at the progress


class Target:
    """``folder`` and ``manifest`` are None for a single file. Raises `LoadError`."""

    def __init__(self, path: Path, files: FileSystem) -> None:
        self.path = path
        self.files = files
        self.folder: AofFolder | None = None
        self.manifest: Manifest | None = None
        found = self._manifest_path()
        if found is not None:
            stem = found.name.removesuffix(SUFFIX)
            self.folder = AofFolder(found.parent, stem, files)

    def read(self) -> None:
        """Read the manifest, if it is a folder's."""
        if self.folder is not None:
            with readable(self.path):
                self.manifest = self.folder.read()
                adopt_successors(self.folder, self.manifest)

    def open(self, loader: Loader | None) -> FolderReplay:
        """What loads the files, or only checks them."""
        if self.folder is None or self.manifest is None:
            return FolderReplay([self.path], loader, strict=False)
        return replay_folder(self.folder, self.manifest, loader)

    def _manifest_path(self) -> Path | None:
        if not self.path.is_dir():
            return self.path if self.path.name.endswith(SUFFIX) else None
        found = sorted(self.path.glob(f"[!t]*{SUFFIX}")) or sorted(self.path.glob(f"*{SUFFIX}"))
        if len(found) != 1:
            names = ", ".join(path.name for path in found) or "none"
            raise LoadError(f"{self.path}: a folder has one manifest, and here are: {names}")
        return found[0]


def run(replay: FolderReplay, what: str, progress: Progress) -> None:
    """Load or check everything; raises `LoadError`."""
    try:
        while replay.step(_STEP):
            progress(what, replay.loaded, replay.total)
    finally:
        replay.close()
    progress(what, replay.total, replay.total)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Name what cannot be read."""
    try:
        yield
    except OSError as error:
        raise LoadError(f"{error.filename or path} cannot be read: {error.strerror}") from error
