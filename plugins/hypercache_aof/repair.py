# mypyc: interpreted
"""What can be done with damaged files: everything behind the damage is cut, and kept beside.

What is left is the data as they were at one moment: nothing behind the damage is repeated on
what lies before it.
"""

from pathlib import Path
from typing import Final

from hypercache.backend_tools import unheard
from hypercache.persistence.errors import LoadError
from hypercache.persistence.file_system import FileSystem
from hypercache.persistence.rdb_tools import RdbTools
from hypercache_aof.folder_replay import FolderReplay
from hypercache_aof.manifest import BASE, AofFolder, Manifest
from hypercache_aof.mending import cut, end, keep
from hypercache_aof.reading import count_commands
from hypercache_aof.target import Target, run

_UNCHANGED: Final = "nothing was changed: "
_CHUNK: Final = 1 << 20


def repair(target: Target, replay: FolderReplay) -> list[str]:
    """Cut where a replay has failed, or at the torn end; what was done, in words.

    Raises OSError.
    """
    failed = replay.failed
    if failed is None:
        return []
    kept = replay.paths.index(failed) + 1
    if not failed.is_file():
        kept -= 1
        words = [f"{failed} is missing, and with it what it held"]
        if kept == 0:
            return [*words, f"{_UNCHANGED}there are no data without it"]
    elif replay.in_rdb:
        words = _cut_rdb(target.files, failed)
        if words[-1].startswith(_UNCHANGED):
            return words
    else:
        words = [_cut(target.files, failed, replay.whole)]
    if target.folder is not None and target.manifest is not None:
        words += _drop(target.folder, target.manifest, replay, kept)
    return words


def _cut(files: FileSystem, path: Path, offset: int) -> str:
    if path.stat().st_size == offset:
        return f"{path} stays as it is up to its end at offset {offset}"
    lost = _lost(path, offset)
    kept = _beside(path, f".cut-{offset}")
    size = keep(files, path, offset, kept)
    cut(files, path, offset)
    return (
        f"{path} was cut at offset {offset}: {size} bytes with {lost} commands are lost; they are"
        f" kept in {kept.name}"
    )


def _cut_rdb(files: FileSystem, path: Path) -> list[str]:
    """Leave an RDB the keys before its damage; the whole file is kept beside."""
    kept = _beside(path, ".damaged")
    keep(files, path, 0, kept)
    words = RdbTools().check(path, True, unheard)[1:]
    if not words or words[-1].startswith(_UNCHANGED):
        files.remove(kept)
        return words or [f"{_UNCHANGED}the file is whole"]
    return [f"{path} was {words[-1]}", f"it is kept as it was in {kept.name}"]


def _drop(folder: AofFolder, manifest: Manifest, replay: FolderReplay, kept: int) -> list[str]:
    """Take the files behind the damage out of the manifest, and out of the way."""
    words = []
    dropped = replay.paths[kept:]
    if not dropped:
        return []
    # The manifest that is written has those before the last one end as ours do.
    for part in replay.parts[: kept - 1]:
        end(folder.file_system, part)
    left = manifest.copy()
    names = {path.name for path in dropped}
    left.increments = [file for file in left.increments if file.name not in names]
    folder.write(left)
    for path in dropped:
        if path.is_file():
            lost = _lost(path, 0)
            moved = _beside(path, ".cut")
            size = path.stat().st_size
            folder.file_system.rename(path, moved)
            words.append(
                f"{path} is behind the damage: {size} bytes with {lost} commands are lost; they"
                f" are kept in {moved.name}"
            )
    return words


def _lost(path: Path, offset: int) -> int:
    """How many commands begin in a file from an offset on, as far as can be told."""
    with path.open("rb") as file:
        file.seek(offset)
        return sum(count_commands(data) for data in iter(lambda: file.read(_CHUNK), b""))


def _beside(path: Path, suffix: str) -> Path:
    """A name beside a file that nothing has."""
    found = path.with_name(path.name + suffix)
    number = 1
    while found.exists():
        number += 1
        found = path.with_name(f"{path.name}{suffix}.{number}")
    return found


def rebuild(target: Target) -> list[str]:
    """Write a damaged manifest anew where the files leave no doubt; what was done, in words.

    Raises OSError.
    """
    folder = target.folder
    if folder is None:
        return [f"{_UNCHANGED}there is no manifest"]
    found = sorted(folder.unlisted(Manifest()), key=lambda file: file.number)
    bases = [file for file in found if file.kind == BASE]
    increments = [file for file in found if file.kind != BASE]
    if len(bases) != 1 or not increments:
        names = ", ".join(file.name for file in found)
        return [
            f"{_UNCHANGED}it is not clear which files belong together ({names}): write the"
            " manifest by hand, a line 'file NAME seq NUMBER type b' for the base and 'type i'"
            " for each increment"
        ]
    manifest = Manifest()
    manifest.base = bases[0]
    manifest.increments = increments
    replay = FolderReplay([folder.path_of(file) for file in manifest.files()], None, strict=False)
    try:
        run(replay, "check", unheard)
    except LoadError as error:
        return [f"{_UNCHANGED}the files do not fit together: {error}"]
    for part in replay.parts[:-1]:
        end(folder.file_system, part)
    kept = _beside(folder.manifest_path, ".damaged")
    keep(folder.file_system, folder.manifest_path, 0, kept)
    folder.write(manifest)
    names = ", ".join(file.name for file in manifest.files())
    return [f"{folder.manifest_path} was written anew for {names}; it is kept in {kept.name}"]
