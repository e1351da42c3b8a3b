# mypyc: interpreted
"""Changes to files that nobody writes to: cutting them, keeping what is cut, ending them."""

import os
from pathlib import Path
from typing import Final

from hypercache.persistence.errors import LoadError
from hypercache.persistence.file_system import FileSystem
from hypercache_aof.annotations import end_line
from hypercache_aof.folder_replay import Part
from hypercache_aof.manifest import BASE, AofFolder, Manifest, ManifestFile
from hypercache_aof.reading import AofReader

#: What the name of a file ends with that no manifest has and that may hold data.
ASIDE: Final = ".unlisted"
_CHUNK: Final = 4 << 20


def cut(files: FileSystem, path: Path, size: int) -> None:
    """Leave a file its first ``size`` bytes; on the disk when this returns. Raises OSError."""
    descriptor = files.append(path)
    try:
        files.truncate(descriptor, size)
        files.sync(descriptor)
    finally:
        files.close(descriptor)


def end(files: FileSystem, part: Part) -> None:
    """Let a whole file say where it ends, unless it does; on the disk when this returns."""
    if part.ended or not part.may_end:
        return
    line = end_line(part.offset, part.size)
    descriptor = files.append(part.path)
    try:
        files.write_all(descriptor, line)
        files.sync(descriptor)
    finally:
        files.close(descriptor)
    part.size += len(line)
    part.ended = True


def keep(files: FileSystem, path: Path, start: int, kept: Path) -> int:
    """Copy what a file has from ``start`` on to a new one; how many bytes that are."""
    source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    size = 0
    try:
        target = files.create(kept)
        try:
            while data := os.pread(source, _CHUNK, start + size):
                files.write_all(target, data)
                size += len(data)
            files.sync(target)
        finally:
            files.close(target)
    finally:
        os.close(source)
    files.sync_folder(kept.parent)
    return size


def is_superfluous(file: ManifestFile, path: Path, manifest: Manifest) -> bool:
    """A base that never came to be one, or an increment in which nothing was written."""
    if file.kind == BASE:
        return manifest.base is not None and file.number > manifest.base.number
    if manifest.increments and file.number < manifest.increments[-1].number:
        return False
    reader = AofReader(path)
    try:
        return not reader.next() and not reader.torn
    except LoadError:
        return False
    finally:
        reader.close()


def put_aside(folder: AofFolder, manifest: Manifest) -> list[Path]:
    """Keep what may hold data that nobody else has, under other names; which those are.

    For a folder whose manifest is gone, where all that no manifest names would be removed.
    Where some are kept already, no more are: a server that is killed amid its first base again and
    again must not fill the disk.
    """
    kept: list[Path] = []
    if any(name.endswith(ASIDE) for name in folder.names()):
        return kept
    for file in folder.unlisted(manifest):
        path = folder.path_of(file)
        if not is_superfluous(file, path, manifest):
            aside = path.with_name(path.name + ASIDE)
            folder.file_system.rename(path, aside)
            kept.append(aside)
    return kept
