# mypyc: interpreted
"""Bringing the data back at the start from the folder, or from an older server's single file.

A tail that a crash has torn is cut off where the settings allow it; any other damage refuses
to start. In the end every file says where it ends, so that nothing can be cut off it later
without being noticed, and what a crash has left behind is removed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import trio

from hypercache.persistence.errors import LoadError
from hypercache.persistence.file_system import FileSystem
from hypercache.persistence.loader import Loader
from hypercache.plugin import PluginHost, PluginLog
from hypercache_aof.folder_replay import FolderReplay, Tear, replay_folder
from hypercache_aof.manifest import BASE, AofFolder, Manifest, ManifestFile
from hypercache_aof.mending import cut, end, is_superfluous
from hypercache_aof.successors import adopt_successors

# Microseconds that are loaded between two looks at the clients.
_STEP: Final = 3_000


class Recovered:
    """What was found: the manifest as it is on the disk now, and what it amounts to.

    ``offset`` is the journal's, ``size`` the bytes of all files and ``base_size`` of the base.
    ``tear`` is what was cut off.
    """

    def __init__(self, manifest: Manifest, replay: FolderReplay) -> None:
        self.manifest = manifest
        self.offset = replay.offset
        self.size = sum(part.size for part in replay.parts)
        self.base_size = replay.parts[0].size if manifest.base is not None else 0
        self.tear = replay.tear


def repair_command(path: Path) -> str:
    """What repairs damaged files, in words for whoever reads an error."""
    return f"'hypercache check aof {path} --fix' repairs what it can, and keeps what it cuts"


def folder_of(host: PluginHost, files: FileSystem) -> AofFolder:
    """The folder that the settings name."""
    settings = host.settings
    path = Path(host.data_folder) / settings.appenddirname
    return AofFolder(path, settings.appendfilename, files)


async def recover(host: PluginHost, files: FileSystem) -> Recovered | None:
    """Load the folder while clients are told LOADING; None where there is nothing to load.

    Also where another plugin has loaded the data. Raises `LoadError` where it cannot be loaded:
    nothing may be served then. The next batch belongs into a new increment.
    """
    if host.recovery.source:
        return None
    folder = folder_of(host, files)
    old = Path(host.data_folder) / folder.stem
    manifest = await trio.to_thread.run_sync(_open_folder, folder, old, host.log)
    if not manifest.files():
        return None
    loader = host.loader()
    if any(keyspace.store.size() for keyspace in loader.engine.keyspaces):
        raise LoadError(f"{folder.path} cannot be loaded: the backend has data of its own")
    replay = await _load(host, folder, manifest, loader)
    await trio.to_thread.run_sync(_settle, folder, replay, host.log)
    keep_history = host.settings.aof_disable_auto_gc
    manifest = await trio.to_thread.run_sync(_tidy, folder, manifest, host.log, keep_history)
    loader.engine.journal.resume(replay.offset)
    return Recovered(manifest, replay)


async def _load(
    host: PluginHost, folder: AofFolder, manifest: Manifest, loader: Loader
) -> FolderReplay:
    """Load everything; the loader has ended then."""
    recovery = host.recovery
    path = str(folder.path)
    replay = replay_folder(folder, manifest, loader, host.settings.rdbchecksum)
    host.log.info("aof_loading", path=path, files=len(replay.paths), bytes=replay.total)
    recovery.begin("aof", path, replay.total)
    loader.begin()
    try:
        while replay.step(_STEP):
            loader.pause()
            recovery.advance(replay.loaded)
            await trio.lowlevel.checkpoint()
    except LoadError as error:
        raise LoadError(f"{error}; {repair_command(folder.path)}") from error
    finally:
        replay.close()
    check_tear(replay.tear, folder.path, host.settings.aof_load_truncated)
    recovery.advance(replay.total)
    loader.end()
    recovery.end()
    host.log.info(
        "aof_loaded",
        path=path,
        keys=int(loader.keys),
        commands=replay.commands,
        offset=replay.offset,
        in_order=replay.parts[-1].ended,
        seconds=int(recovery.elapsed) / 1e6,
    )
    return replay


def load_now(folder: AofFolder, loader: Loader, *, checksum: bool) -> None:
    """Load the folder in the place of all data, while nobody is served (DEBUG LOADAOF).

    Nothing is changed on the disk. Raises `LoadError`; then there are no data.
    """
    with _told():
        manifest = _read(folder)
    loader.begin()
    loader.clear()
    replay = replay_folder(folder, manifest, loader, checksum)
    try:
        while replay.step(_STEP):
            loader.pause()
        check_tear(replay.tear, folder.path, allowed=False)
    except LoadError:
        loader.clear()
        raise
    finally:
        replay.close()
        loader.pause()


def check_tear(tear: Tear | None, path: Path, allowed: bool) -> None:
    """Refuse a torn end where it must not be; raises `LoadError`."""
    if tear is not None and not allowed:
        raise LoadError(
            f"{tear.path}: ends amid what begins at offset {tear.offset}: {tear.size} bytes are"
            f" not whole, and 'aof-load-truncated' does not let them be cut off;"
            f" {repair_command(path)}"
        )


# The disk: blocking, in a thread ----------------------------------------------------------------


@contextmanager
def _told() -> Iterator[None]:
    """Name the file in whatever goes wrong."""
    try:
        yield
    except OSError as error:
        raise LoadError(f"{error.filename or 'a file'}: {error.strerror or error}") from error


def _open_folder(folder: AofFolder, old: Path, log: PluginLog) -> Manifest:
    """The manifest of a folder; ``old`` is a server's single file before Redis 7.

    It is taken over as Redis 7 does: moved into the folder, and named there as the base.
    """
    with _told():
        manifest = _read(folder)
        base = manifest.base
        moved = base is None or (base.name == old.name and not (folder.path / old.name).exists())
        if manifest.increments or not moved or not old.is_file():
            for file in adopt_successors(folder, manifest):
                log.warning("aof_increment_adopted", "no manifest had it", file=file.name)
            return manifest
        folder.file_system.make_folder(folder.path)
        manifest.base = ManifestFile(old.name, 1, BASE)
        manifest.last_base = max(manifest.last_base, 1)
        folder.write(manifest)
        folder.file_system.rename(old, folder.path / old.name)
        folder.file_system.sync_folder(old.parent)
        log.info("aof_taken_over", path=str(old), folder=str(folder.path))
        return manifest


def _read(folder: AofFolder) -> Manifest:
    try:
        return folder.read()
    except LoadError as error:
        raise LoadError(f"{error}; {repair_command(folder.path)}") from error


def _settle(folder: AofFolder, replay: FolderReplay, log: PluginLog) -> None:
    """Cut the torn end off, and let every file say where it ends."""
    with _told():
        tear = replay.tear
        if tear is not None:
            cut(folder.file_system, tear.path, tear.offset)
            replay.parts[-1].size = tear.offset
            log.warning(
                "aof_tail_cut",
                "the last file ended amid a batch",
                path=str(tear.path),
                offset=tear.offset,
                bytes=tear.size,
                commands=tear.commands,
            )
        for part in replay.parts:
            end(folder.file_system, part)


def _tidy(folder: AofFolder, manifest: Manifest, log: PluginLog, keep_history: bool) -> Manifest:
    """Remove what a crash has left, and what a rewrite has replaced; the manifest after that.

    A file that may hold what nobody else has stays, and the log names it.
    """
    with _told():
        for path in folder.leftovers():
            folder.file_system.remove(path)
            log.info("aof_leftover_removed", path=str(path))
        for file in folder.unlisted(manifest):
            path = folder.path_of(file)
            if is_superfluous(file, path, manifest):
                folder.file_system.remove(path)
                log.info("aof_leftover_removed", path=str(path))
            else:
                log.warning("aof_file_unlisted", "not loaded: no manifest has it", path=str(path))
        return manifest if keep_history else folder.remove_history(manifest)
