# mypyc: interpreted
"""Bringing the data back at the start: from the newest snapshot, native or RDB.

It is left to others when they have the data: to a backend on disk that is not empty, to a plugin
that has recovered already, to the append-only file if there is one and it is switched on. A
snapshot that is damaged is not passed over silently: the server refuses to start, unless
``fall_back`` lets it take an older one.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

import attrs
import trio

from hypercache.config import Settings
from hypercache.persistence.errors import LoadError
from hypercache.persistence.file_system import FileSystem
from hypercache.persistence.loader import Loader
from hypercache.persistence.rdb_reader import MAGIC as RDB_MAGIC
from hypercache.persistence.rdb_reader import RdbReader
from hypercache.plugin import PluginHost
from hypercache_snapshot.format import SUFFIX
from hypercache_snapshot.reader import SnapshotReader
from hypercache_snapshot.retention import Snapshots, time_named

#: Bytes that are loaded between two looks at the clients.
STEP: Final = 256 << 10
# Records of an RDB file in which its facts stand, before anything else.
_FACTS: Final = 64
_CREATED: Final = b"ctime"


class Reader(Protocol):
    """What both kinds of files are read by."""

    loaded: int
    size: int

    def step(self, budget: int) -> bool: ...
    def close(self) -> None: ...


@attrs.frozen
class Candidate:
    """A file that has all data of one moment, in Unix microseconds."""

    path: Path
    time: int
    is_native: bool


async def recover(
    host: PluginHost, file_system: FileSystem, *, fall_back: bool = False
) -> Candidate | None:
    """Load the newest snapshot while clients are told LOADING; None where there is nothing to do.

    Raises `LoadError` where it cannot be loaded: nothing may be served then.
    """
    if host.recovery.source:
        return None
    folder = Path(host.data_folder)
    if aof_has_the_data(host.settings, folder):
        return None
    found = candidates(folder, host.settings.dbfilename, file_system)
    if not found:
        return None
    loader = host.loader()
    if any(keyspace.store.size() for keyspace in loader.engine.keyspaces):
        host.log.info("snapshot_not_loaded", "the backend has data", path=str(found[0].path))
        return None
    for number, candidate in enumerate(found):
        older = found[number + 1 :]
        try:
            await _load(host, loader, candidate)
            return candidate
        except OSError as error:
            raise LoadError(f"{candidate.path} cannot be read: {error.strerror}") from error
        except LoadError as error:
            if not (fall_back and older):
                raise LoadError(f"{error}.{_advice(older)}") from error
            host.log.error("snapshot_damaged", str(error), path=str(candidate.path))
            loader.clear()
    raise AssertionError("the last candidate was loaded, or has raised")


def aof_has_the_data(settings: Settings, folder: Path) -> bool:
    """Whether the append-only file is switched on and there: then it is newer than a snapshot."""
    if not settings.appendonly or "aof" not in settings.plugins:
        return False
    manifest = folder / settings.appenddirname / f"{settings.appendfilename}.manifest"
    return manifest.exists() or (folder / settings.appendfilename).exists()


def candidates(folder: Path, dbfilename: str, file_system: FileSystem) -> list[Candidate]:
    """All snapshots of a server, the newest first by the time inside; raises OSError.

    Those that it has made, one that somebody has put there as ``<stem>.hcs``, and dbfilename.
    """
    native = Snapshots(folder, dbfilename, file_system).newest_first()
    converted = folder / (Path(dbfilename).stem + SUFFIX)
    if converted.is_file():
        native.append(converted)
    found = [Candidate(path, _native_time(path), True) for path in native]
    rdb = folder / dbfilename
    if rdb.is_file():
        found.append(Candidate(rdb, _rdb_time(rdb), False))
    return sorted(found, key=lambda each: each.time, reverse=True)


def _native_time(path: Path) -> int:
    """The time in its head; one whose head cannot be read has that of its name."""
    try:
        reader = SnapshotReader(path, None)
    except (LoadError, OSError):
        return time_named(path)
    reader.close()
    return reader.head.time


def _rdb_time(path: Path) -> int:
    """When an RDB file says it was made; else when it was changed last."""
    changed = path.stat().st_mtime_ns // 1000
    try:
        reader = RdbReader(path, None)
    except OSError:
        return changed  # loading tells what is wrong with it
    try:
        for _ in range(_FACTS):
            if not reader.step(1) or reader.keys:
                break
            if _CREATED in reader.facts:
                # In whole seconds: a file is as new as that second lets it be.
                return min(int(reader.facts[_CREATED]) * 1_000_000 + 999_999, changed)
    except (LoadError, ValueError):
        return changed
    finally:
        reader.close()
    return changed


def open_reader(path: Path, loader: Loader | None, rdbchecksum: bool = True) -> Reader:
    """The reader of a file of either kind; raises `LoadError` and OSError."""
    with path.open("rb") as file:
        is_rdb = file.read(len(RDB_MAGIC)) == RDB_MAGIC
    if is_rdb:
        return RdbReader(path, loader, checksum=rdbchecksum)
    return SnapshotReader(path, loader)


async def _load(host: PluginHost, loader: Loader, candidate: Candidate) -> None:
    recovery = host.recovery
    path = str(candidate.path)
    reader = open_reader(candidate.path, loader, host.settings.rdbchecksum)
    try:
        recovery.begin("snapshot", path, reader.size)
        host.log.info("snapshot_loading", path=path, bytes=reader.size)
        loader.begin()
        while reader.step(STEP):
            loader.pause()
            recovery.advance(reader.loaded)
            await trio.lowlevel.checkpoint()
        recovery.advance(reader.loaded)
        loader.end()
        recovery.end()
    finally:
        reader.close()
    if isinstance(reader, SnapshotReader):
        loader.engine.journal.resume(reader.head.offset)
    host.log.info(
        "snapshot_loaded",
        path=path,
        keys=loader.keys,
        expired=loader.expired,
        seconds=int(recovery.elapsed) / 1e6,
    )


def _advice(older: list[Candidate]) -> str:
    """What can be done without the newest, in words."""
    if not older:
        return " There is no older snapshot"
    when = datetime.fromtimestamp(older[0].time // 1_000_000, UTC).isoformat()
    return (
        f" {older[0].path} of {when} is older: move the damaged file away, or set"
        " snapshot.fall-back to yes, to start from it"
    )
