# mypyc: interpreted
"""What the command line does with append-only files: check, repair, load, save.

A path is that of a folder, of its manifest, or of a single file of commands.
"""

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Final

from hypercache.backend_tools import Progress
from hypercache.persistence.capture import Capture
from hypercache.persistence.encoder import Encoder
from hypercache.persistence.errors import LoadError, SaveError
from hypercache.persistence.file_system import FileSystem
from hypercache.persistence.loader import Loader
from hypercache.persistence.rdb_reader import MAGIC
from hypercache.persistence.rdb_writer import RdbEncoder
from hypercache.persistence.saving import save_now
from hypercache.persistence.tools import FileTools
from hypercache_aof.annotations import MARK, end_line, opening_line
from hypercache_aof.folder_replay import FolderReplay
from hypercache_aof.manifest import AofFolder, Manifest
from hypercache_aof.recovery import check_tear, repair_command
from hypercache_aof.repair import rebuild, repair
from hypercache_aof.target import SUFFIX, Target, readable, run

_STEM: Final = "appendonly.aof"
_BEGINNINGS: Final = (b"*", MARK, b"#TS:")


class AofTools(FileTools):
    """The folder is what `save` writes."""

    format: ClassVar[str] = "aof"
    suffix: ClassVar[str] = "appendonlydir"

    def __init__(self) -> None:
        super().__init__()
        self.files = FileSystem()

    def recognizes(self, path: Path) -> bool:
        with readable(path):
            if path.is_dir():
                return any(path.glob(f"*{SUFFIX}"))
            with path.open("rb") as file:
                head = file.read(len(MAGIC))
        if path.name.endswith(SUFFIX):
            return head.startswith((b"file", MARK))
        return head.startswith(_BEGINNINGS) or (head == MAGIC and path.name.endswith(".aof"))

    def check(self, path: Path, fix: bool, progress: Progress) -> list[str]:
        target = Target(path, self.files)
        replay: FolderReplay | None = None
        try:
            target.read()
            replay = target.open(None)
            run(replay, "check", progress)
            check_tear(replay.tear, path, allowed=False)
        except LoadError as error:
            words = [str(error)]
            if fix:
                words += self._fix(target, replay)
            return words
        return []

    def load(self, path: Path, loader: Loader, progress: Progress) -> None:
        target = Target(path, self.files)
        target.read()
        replay = target.open(loader)
        try:
            run(replay, "load", progress)
        except LoadError as error:
            raise LoadError(f"{error}; {repair_command(path)}") from error
        check_tear(replay.tear, path, allowed=False)
        loader.engine.journal.resume(replay.offset)

    def save(self, path: Path, capture: Callable[[Encoder], Capture], progress: Progress) -> None:
        folder = AofFolder(path, _STEM, self.files)
        manifest = Manifest()
        base = folder.path_of(manifest.new_base(_STEM))
        increment = folder.path_of(manifest.new_increment(_STEM))
        try:
            self.files.make_folder(path)
            running = capture(RdbEncoder(self.rdb_version, preamble=True))
            save_now(running, base, self.files, progress)
            line = opening_line(running.offset)
            descriptor = self.files.create(increment)
            try:
                self.files.write_all(descriptor, line + end_line(running.offset, len(line)))
                self.files.sync(descriptor)
            finally:
                self.files.close(descriptor)
            folder.write(manifest)
        except OSError as error:
            raise SaveError(f"{path} cannot be written: {error.strerror}") from error

    def _fix(self, target: Target, replay: FolderReplay | None) -> list[str]:
        folder = target.folder
        try:
            if folder is not None:
                folder.lock.acquire()
            return rebuild(target) if replay is None else repair(target, replay)
        except OSError as error:
            raise SaveError(f"{target.path} cannot be repaired: {error.strerror}") from error
        finally:
            if folder is not None:
                folder.lock.close()
