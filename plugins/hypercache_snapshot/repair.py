# mypyc: interpreted
"""A snapshot that can be loaded, from what is left of a damaged one."""

import itertools
import os
from pathlib import Path
from typing import Final

import cbor2
import zstandard

from hypercache import __version__
from hypercache.backend_tools import Progress
from hypercache.persistence.file_system import FileSystem
from hypercache.persistence.saving import temporary
from hypercache_snapshot.encoder import LEVEL
from hypercache_snapshot.format import END, HEAD, ITEMS, PIECE, PREAMBLE, FormatError, frame
from hypercache_snapshot.frames import FrameReader
from hypercache_snapshot.retention import time_named
from hypercache_snapshot.survey import Survey
from hypercache_snapshot.tables import Table

# Torn values that are named.
_NAMED: Final = 5


def repair(path: Path, found: Survey, file_system: FileSystem, progress: Progress) -> list[str]:
    """Put what is whole in the place of a damaged file, which stays beside it; what was done.

    Nothing is changed where no key is left. Raises OSError, and leaves nothing behind then.
    """
    keys = sum(found.keys.values())
    if not keys:
        return [f"{path}: nothing was changed: no key can be saved"]
    new = temporary(path)
    try:
        descriptor = file_system.create(new)
        try:
            _Repair(path, found, descriptor, file_system).run(progress)
            file_system.sync(descriptor)
        finally:
            file_system.close(descriptor)
        kept = _keep(path)
        file_system.rename(new, path)
    except BaseException:
        file_system.remove(new)
        raise
    return [*_lost(path, found, keys), f"{path}: repaired; the damaged file is kept as {kept}"]


def _keep(path: Path) -> Path:
    """A second name for the damaged file, under which it stays."""
    for number in itertools.count(1):
        name = f"{path.name}.damaged" + (f".{number}" if number > 1 else "")
        kept = path.with_name(name)
        try:
            os.link(path, kept)
        except FileExistsError:
            continue
        return kept
    raise AssertionError("numbers do not end")


def _lost(path: Path, found: Survey, keys: int) -> list[str]:
    before = found.keys_before()
    if before is None:
        text = f"{keys} keys are left; how many there were is not known any more"
    else:
        text = f"{keys} of {before} keys are left, {before - keys} are lost"
    words = [f"{path}: {text}"]
    for database, key in found.torn[:_NAMED]:
        words.append(
            f"{path}: lost, because a part is missing: {key[:64]!r} of database {database}"
        )
    if len(found.torn) > _NAMED:
        words.append(
            f"{path}: and {len(found.torn) - _NAMED} other values of which a part is missing"
        )
    if found.head is None and found.end is None:
        words.append(f"{path}: the time and the offset of the journal are lost")
    return words


class _Repair:
    """Writes the new file: whole frames as they are but for their numbers."""

    def __init__(self, path: Path, found: Survey, descriptor: int, file_system: FileSystem) -> None:
        self._path = path
        self._found = found
        self._descriptor = descriptor
        self._files = file_system
        self._compressor = zstandard.ZstdCompressor(level=LEVEL)
        self._frames = 0
        self._bytes = 0

    def run(self, progress: Progress) -> None:
        found = self._found
        head = found.head or self._new_head()
        self._put(PREAMBLE)
        self._write(HEAD, head)
        reader = FrameReader(self._path)
        try:
            for index, (offset, header) in enumerate(found.frames):
                progress("repair", index, len(found.frames))
                reader.seek(offset)
                reader.next_header()
                item = reader.item(header)
                if header.kind == ITEMS:
                    item = self._kept_rows(index, item)
                elif header.kind == PIECE and not self._is_needed(item):
                    continue
                if item:
                    self._write(header.kind, item)
        finally:
            reader.close()
        end = {
            "keys": dict(found.keys),
            "frames": self._frames,
            "bytes": self._bytes,
            "time": head["time"],
            "offset": head["offset"],
        }
        self._write(END, end)
        progress("repair", len(found.frames), len(found.frames))

    def _new_head(self) -> dict[str, object]:
        """In the place of one that is damaged; access clocks without it mean nothing."""
        end = self._found.end or {}
        return {
            "time": end.get("time", time_named(self._path)),
            "offset": end.get("offset", 0),
            "server": __version__,
            "memory": 0,
            "policy": "",
            "databases": {number: [count, 0] for number, count in self._found.keys.items()},
        }

    def _kept_rows(self, frame_index: int, item: object) -> list[object]:
        if not isinstance(item, list):
            raise FormatError("a frame has changed since it was looked at")
        kept: list[object] = []
        for number, each in enumerate(item):
            table = Table(each)
            rows: list[object] = []
            row = 0
            while table.next():
                if (frame_index, number, row) not in self._found.dropped:
                    rows += table.rows[table.start : table.stop]
                row += 1
            if rows:
                kept.append([table.of, table.layout, each[2], rows])
        return kept

    def _is_needed(self, item: object) -> bool:
        return isinstance(item, list) and item[0] in self._found.texts

    def _write(self, kind: int, item: object) -> None:
        self._put(frame(kind, self._frames, cbor2.dumps(item), self._compressor))
        self._frames += 1

    def _put(self, data: bytes) -> None:
        self._files.write_all(self._descriptor, data)
        self._bytes += len(data)
