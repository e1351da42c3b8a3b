# mypyc: interpreted
"""Increments that no manifest names, though they go on where the last one ends.

A server that could not write its manifest any more, on a full disk, leaves such: the last file
has its end line, and theirs begins at the same offset of the journal.
"""

from pathlib import Path
from typing import Final

from hypercache_aof.annotations import LONGEST, MARK, Annotation, parse
from hypercache_aof.manifest import INCREMENT, AofFolder, Manifest, ManifestFile

_LONGEST_END: Final = 128


def adopt_successors(folder: AofFolder, manifest: Manifest) -> list[ManifestFile]:
    """Add them to a manifest, which stays as it is on the disk. Raises OSError."""
    found = {file.number: file for file in folder.unlisted(manifest) if file.kind == INCREMENT}
    adopted: list[ManifestFile] = []
    while manifest.increments:
        last = manifest.increments[-1]
        following = found.get(last.number + 1)
        if following is None or not _follows(folder.path_of(last), folder.path_of(following)):
            break
        manifest.increments.append(following)
        adopted.append(following)
    return adopted


def _follows(last: Path, following: Path) -> bool:
    if not last.is_file():
        return False
    end, opening = _end(last), _opening(following)
    if end is None or opening is None:
        return False
    return not opening.ends and not opening.size and opening.offset == end.offset


def _end(path: Path) -> Annotation | None:
    """The line that a file ends with, if it is an end."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = max(size - _LONGEST_END, 0)
        file.seek(start)
        data = file.read(_LONGEST_END)
    at = data.rfind(MARK)
    found = parse(data[at:]) if at >= 0 else None
    return found if found is not None and found.ends and found.size == start + at else None


def _opening(path: Path) -> Annotation | None:
    """The line that a file begins with."""
    with path.open("rb") as file:
        line = file.readline(LONGEST)
    return parse(line) if line.startswith(MARK) else None
