# mypyc: interpreted
"""What the command line does with RDB files: check, repair, load, save."""

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Final

from hypercache.backend_tools import Progress
from hypercache.persistence.capture import Capture
from hypercache.persistence.encoder import Encoder
from hypercache.persistence.errors import LoadError, SaveError
from hypercache.persistence.file_system import FileSystem
from hypercache.persistence.loader import Loader
from hypercache.persistence.rdb_reader import HEAD, MAGIC, RdbReader
from hypercache.persistence.rdb_writer import RdbEncoder
from hypercache.persistence.saving import save_now, temporary
from hypercache.persistence.tools import FileTools
from hypercache.rdb import forms
from hypercache.rdb.crc64 import crc64

# Bytes between two looks at the progress, and of one copy.
_STEP: Final = 4 << 20


class RdbTools(FileTools):
    """Files of one RDB, as `dump.rdb` is; ``rdb_version`` and the like are those of new ones."""

    format: ClassVar[str] = "rdb"
    suffix: ClassVar[str] = ".rdb"

    def __init__(self, version: int = 11, compression: bool = True) -> None:
        super().__init__()
        self.rdb_version = version
        self.compression = compression

    def recognizes(self, path: Path) -> bool:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            head = file.read(HEAD)
        return head.startswith(MAGIC) and head[len(MAGIC) :].isdigit()

    def check(self, path: Path, fix: bool, progress: Progress) -> list[str]:
        reader = _open(path, None)
        try:
            _read(reader, "check", progress)
        except LoadError as error:
            words = [str(error)]
            if fix:
                words.append(_repair(path, reader))
            return words
        finally:
            reader.close()
        return []

    def load(self, path: Path, loader: Loader, progress: Progress) -> None:
        reader = _open(path, loader)
        try:
            _read(reader, "load", progress)
        finally:
            reader.close()

    def save(self, path: Path, capture: Callable[[Encoder], Capture], progress: Progress) -> None:
        running = capture(RdbEncoder(self.rdb_version, self.compression))
        save_now(running, path, FileSystem(), progress)


def _open(path: Path, loader: Loader | None) -> RdbReader:
    try:
        return RdbReader(path, loader)
    except OSError as error:
        raise LoadError(f"{path}: cannot be read: {error}") from error


def _read(reader: RdbReader, what: str, progress: Progress) -> None:
    try:
        while reader.step(_STEP):
            progress(what, int(reader.loaded), int(reader.size))
    except OSError as error:
        raise LoadError(f"{reader.path}: cannot be read: {error}") from error
    progress(what, int(reader.size), int(reader.size))


def _repair(path: Path, reader: RdbReader) -> str:
    """Keep the whole records before the damage, under a new end; what was done, in words."""
    if reader.suspect:
        return (
            "nothing was changed: what is damaged cannot be known, and a checksum that fits would"
            " hide it; 'rdbchecksum no' loads the file as it is"
        )
    if not reader.keys:
        return "nothing was changed: no key lies before the damage"
    files = FileSystem()
    new = temporary(path)
    try:
        descriptor = files.create(new)
        try:
            _copy(path, int(reader.whole), descriptor, files)
            files.sync(descriptor)
        finally:
            files.close(descriptor)
        files.rename(new, path)
    except OSError as error:
        files.remove(new)
        raise SaveError(f"{path}: cannot be repaired: {error}") from error
    lost = int(reader.size - reader.whole)
    return (
        f"cut at offset {int(reader.whole)}: {int(reader.keys)} keys are left, and the"
        f" {lost} bytes behind them are lost"
    )


def _copy(path: Path, size: int, descriptor: int, files: FileSystem) -> None:
    """The first ``size`` bytes, an end mark and a checksum."""
    code = 0
    with path.open("rb") as file:
        while size > 0:
            chunk = file.read(min(size, _STEP))
            if not chunk:
                raise OSError("the file has become shorter")
            size -= len(chunk)
            code = crc64(chunk, code)
            files.write_all(descriptor, chunk)
    end = bytes((forms.EOF,))
    files.write_all(descriptor, end + crc64(end, code).to_bytes(8, "little"))
