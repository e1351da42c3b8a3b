# mypyc: interpreted
r"""The folder of an append-only file: which files belong to it, in the grammar of Redis 7.

A line each: ``file NAME seq NUMBER type b|h|i`` for the base, the history (replaced, about to be
removed) and the increments in their order. Lines that begin with ``#`` are skipped by stock
servers: our first one, ``#HC:<bytes behind it>,<crc32 of them>\n``, makes sure that no byte is
lost or changed. A manifest without it is a stock server's.
"""

import re
from pathlib import Path
from typing import Final
from zlib import crc32

from hypercache.config.text import quote, split_arguments
from hypercache.persistence.errors import LoadError
from hypercache.persistence.file_system import FileSystem
from hypercache.persistence.saving import TEMPORARY
from hypercache_aof.lock import FolderLock

BASE: Final = "b"
HISTORY: Final = "h"
INCREMENT: Final = "i"

_MARK: Final = b"#HC:"
_LONGEST_LINE: Final = 1024
_PLAIN: Final = re.compile(r"[!#-&(-\[\]-~]+")  # no blanks, quotes, backslashes
_PREFIX: Final = "temp-"


class ManifestFile:
    """A file of the folder: its name, its number in its kind, and its kind."""

    def __init__(self, name: str, number: int, kind: str) -> None:
        self.name = name
        self.number = number
        self.kind = kind

    def line(self) -> str:
        """Its line in the manifest, without the break."""
        name = self.name if _PLAIN.fullmatch(self.name) else quote(self.name)
        return f"file {name} seq {self.number} type {self.kind}"


class Manifest:
    """Which files there are. ``last_base`` and ``last_increment`` are the highest numbers used.

    ``sealed``: it was read with a checksum, so that we have written it.
    """

    def __init__(self) -> None:
        self.base: ManifestFile | None = None
        self.history: list[ManifestFile] = []
        self.increments: list[ManifestFile] = []
        self.last_base = 0
        self.last_increment = 0
        self.sealed = False

    def files(self) -> list[ManifestFile]:
        """The files that hold the data, in the order in which they are loaded."""
        return [*([self.base] if self.base else []), *self.increments]

    def copy(self) -> "Manifest":
        """One that can be changed, written, and only then taken for the true one."""
        other = Manifest()
        other.base = self.base
        other.history = list(self.history)
        other.increments = list(self.increments)
        other.last_base = self.last_base
        other.last_increment = self.last_increment
        other.sealed = self.sealed
        return other

    def new_base(self, stem: str, suffix: str = "rdb") -> ManifestFile:
        """Name a new base; the one before becomes history."""
        if self.base is not None:
            self.history.insert(0, ManifestFile(self.base.name, self.base.number, HISTORY))
        self.last_base += 1
        name = f"{stem}.{self.last_base}.base.{suffix}"
        self.base = ManifestFile(name, self.last_base, BASE)
        return self.base

    def new_increment(self, stem: str) -> ManifestFile:
        """Name a new increment, the last."""
        self.last_increment += 1
        name = f"{stem}.{self.last_increment}.incr.aof"
        self.increments.append(ManifestFile(name, self.last_increment, INCREMENT))
        return self.increments[-1]

    def retire(self, keep: int) -> None:
        """All increments but the last ``keep`` become history: a base has their contents."""
        count = max(len(self.increments) - keep, 0)
        for file in self.increments[:count]:
            self.history.insert(0, ManifestFile(file.name, file.number, HISTORY))
        self.increments = self.increments[count:]

    def encode(self) -> bytes:
        """The file's bytes."""
        files = [*([self.base] if self.base else []), *self.history, *self.increments]
        lines = "".join(f"{file.line()}\n" for file in files)
        body = lines.encode("utf-8", "surrogateescape")
        return _seal(body) + b"\n" + body


def _seal(body: bytes) -> bytes:
    """Our first line, without its break, over everything behind it."""
    return b"%s%d,%08x" % (_MARK, len(body), crc32(body))


def parse(data: bytes, path: Path) -> Manifest:
    """The manifest of these bytes; raises `LoadError`, with the text of Redis where it has one."""
    manifest = Manifest()
    manifest.sealed = data.startswith(_MARK)
    lines = _lines(data, path)
    if not lines:
        raise _damage(path, 0, "Found an empty AOF manifest")
    for at, line in lines:
        _add(manifest, _parse_line(line, path, at), path, at)
    if not manifest.files() and not manifest.history:
        raise _damage(path, 0, "it names no file")
    return manifest


def _lines(data: bytes, path: Path) -> list[tuple[int, str]]:
    """The lines that are no comments, with their offsets; our own one is verified."""
    *whole, rest = data.split(b"\n")
    lines = []
    at = 0
    for line in whole:
        behind = at + len(line) + 1
        if line.startswith(_MARK):
            if at or line != _seal(data[behind:]):
                raise _damage(path, at, "its checksum is wrong")
        elif not line.startswith(b"#"):
            if len(line) >= _LONGEST_LINE:
                raise _damage(path, at, "The AOF manifest file contains too long line")
            lines.append((at, line.decode("utf-8", "surrogateescape").strip(" \t\r")))
        at = behind
    if rest:
        raise _damage(path, at, "its last line has no end")
    return lines


def _parse_line(line: str, path: Path, at: int) -> ManifestFile:
    words = split_arguments(line)
    if not words or len(words) < 6 or len(words) % 2:
        raise _damage(path, at, "Invalid AOF manifest file format")
    fields = dict(zip(map(str.lower, words[::2]), words[1::2], strict=True))
    name, number, kind = fields.get("file"), fields.get("seq", ""), fields.get("type", "")
    if not name or not re.fullmatch(r"[0-9]{1,18}", number) or not int(number) or not kind:
        raise _damage(path, at, "Invalid AOF manifest file format")
    if "/" in name or "\\" in name or "\0" in name or name in (".", ".."):
        raise _damage(path, at, "File can't be a path, just a filename")
    return ManifestFile(name, int(number), kind[0])


def _add(manifest: Manifest, file: ManifestFile, path: Path, at: int) -> None:
    if file.kind == BASE:
        if manifest.base is not None:
            raise _damage(path, at, "Found duplicate base file information")
        manifest.base = file
        manifest.last_base = max(manifest.last_base, file.number)
    elif file.kind == HISTORY:
        manifest.history.append(file)
    elif file.kind == INCREMENT:
        if manifest.increments and file.number <= manifest.increments[-1].number:
            raise _damage(path, at, "Found a non-monotonic sequence number")
        manifest.increments.append(file)
        manifest.last_increment = max(manifest.last_increment, file.number)
    else:
        raise _damage(path, at, "Unknown AOF file type")


def _damage(path: Path, at: int, text: str) -> LoadError:
    return LoadError(f"{path}: damaged at offset {at}: {text}")


class AofFolder:
    """The folder, and the name that its files begin with (``appendfilename``).

    Whatever touches the disk blocks and raises OSError.
    """

    def __init__(self, path: Path, stem: str, files: FileSystem) -> None:
        self.path = path
        self.stem = stem
        self.file_system = files
        #: Whoever changes files of the folder has it.
        self.lock = FolderLock(path)
        self.manifest_path = path / f"{stem}.manifest"

    def exists(self) -> bool:
        """Whether there is a manifest."""
        return self.manifest_path.exists()

    def path_of(self, file: ManifestFile) -> Path:
        """Where a file is."""
        return self.path / file.name

    def temporary(self, name: str) -> Path:
        """Where a file is while it is written; `leftovers` finds what a crash has left."""
        return self.path / (_PREFIX + name)

    def read(self) -> Manifest:
        """The manifest, empty if there is none; raises `LoadError`.

        New files get numbers that no file in the folder has, whether the manifest names it or
        not: nothing is ever overwritten.
        """
        manifest = Manifest()
        if self.exists():
            manifest = parse(self.manifest_path.read_bytes(), self.manifest_path)
        for name in self.names():
            found = self._numbered(name)
            if found is not None and found.kind == BASE:
                manifest.last_base = max(manifest.last_base, found.number)
            elif found is not None:
                manifest.last_increment = max(manifest.last_increment, found.number)
        return manifest

    def write(self, manifest: Manifest) -> None:
        """Put a manifest in the place of the one before, at once and on the disk.

        The files that it names must be on the disk already.
        """
        files = self.file_system
        temporary = self.temporary(self.manifest_path.name)
        descriptor = files.create(temporary)
        try:
            files.write_all(descriptor, manifest.encode())
            files.sync(descriptor)
        finally:
            files.close(descriptor)
        files.rename(temporary, self.manifest_path)
        manifest.sealed = True

    def remove_history(self, manifest: Manifest) -> Manifest:
        """Remove the files that are history, then their lines; the manifest after that."""
        if not manifest.history:
            return manifest
        for file in manifest.history:
            self.file_system.remove(self.path_of(file))
        self.file_system.sync_folder(self.path)
        without = manifest.copy()
        without.history = []
        self.write(without)
        return without

    def names(self) -> list[str]:
        """The names in the folder, in order; none if it is not there."""
        return sorted(path.name for path in self.path.iterdir()) if self.path.is_dir() else []

    def unlisted(self, manifest: Manifest) -> list[ManifestFile]:
        """Files named as ours that the manifest does not name."""
        named = {file.name for file in [*manifest.files(), *manifest.history]}
        found = [self._numbered(name) for name in self.names() if name not in named]
        return [file for file in found if file is not None]

    def leftovers(self) -> list[Path]:
        """Temporary files of ours, which only a crash leaves."""
        begins = _PREFIX + self.stem
        return [
            self.path / name
            for name in self.names()
            if name.startswith(begins) or (name.startswith(self.stem) and name.endswith(TEMPORARY))
        ]

    def _numbered(self, name: str) -> ManifestFile | None:
        """What a file named as ours is."""
        pattern = re.escape(self.stem) + r"\.([0-9]{1,18})\.(base\.(?:rdb|aof)|incr\.aof)"
        match = re.fullmatch(pattern, name)
        if match is None:
            return None
        kind = BASE if match[2].startswith("base") else INCREMENT
        return ManifestFile(name, int(match[1]), kind)
