# mypyc: interpreted
"""Rewriting: a new base from a capture, a new increment behind it, and the old files removed.

Nothing of it stops the server: the capture walks between the rounds, and files are opened, synced
and renamed by a thread. At each moment the manifest on the disk names files that hold everything:

- *rotation*: the new increment is made; the old one gets its last batches and its end; then the
  manifest names both. The capture began at the same moment. What is written meanwhile is kept in
  memory. Once the old one has its end there is no way back: writes are refused until the
  manifest could be written.
- The base is written under a temporary name, synced, and renamed.
- *adoption*: the manifest names the new base and the increments behind it; the others are history.
- History is removed, then its lines in the manifest.

To begin *afresh* (the file is switched on, or the old one cannot be trusted) the increment is
named only together with the base. A manifest that could not be written may be on the disk all
the same: no file is removed then, and no number is used twice.
"""

from pathlib import Path

import trio

from hypercache.engine.units import attempt
from hypercache.group_commit import Caller
from hypercache.persistence.capture import Capture
from hypercache.persistence.errors import LoadError, SaveError
from hypercache.persistence.rdb_writer import rdb_encoder
from hypercache.persistence.saving import Saving
from hypercache.plugin import PluginHost
from hypercache_aof.increment import Increment
from hypercache_aof.manifest import AofFolder, Manifest, ManifestFile
from hypercache_aof.mending import put_aside
from hypercache_aof.writing import PERIOD, Writer


class _Rotation:
    """The thread's part: make the new increment, write the rest to the old one, and end it."""

    def __init__(self, old: Increment, new: Increment, rest: bytes, offset: int) -> None:
        self.old = old
        self.new = new
        self.rest = rest
        self.offset = offset
        self.written = False
        self.synced = False

    def run(self) -> None:
        self.new.create(self.offset)
        if self.rest:
            self.old.write(self.rest)
        self.written = True
        self.old.sync()
        self.synced = True
        self.old.end(self.offset)


class Rewriter:
    """The files of the folder, and what changes them. One rewrite at a time.

    ``base_size`` is what all files amounted to after the last rewrite, or at the start, in
    bytes. ``saving`` is the base that is being written.
    """

    def __init__(self, host: PluginHost, folder: AofFolder, writer: Writer, call: Caller) -> None:
        self.folder = folder
        self.manifest = Manifest()
        self.base_size = 0
        self.saving: Saving | None = None
        self._host = host
        self._writer = writer
        self._call = call
        self._sizes: dict[str, int] = {}
        # An increment that only a manifest on the disk is missing.
        self._unlisted: tuple[Manifest, Increment] | None = None
        # Files that a manifest may name, or not, until the next one is on the disk.
        self._strays: list[Path] = []

    def take_over(self, manifest: Manifest, size: int) -> None:
        """These files are on the disk, and everything was loaded from them."""
        self.manifest = manifest
        self.base_size = size
        self._sizes = {"": size}

    def size(self) -> int:
        """Bytes of all files that the manifest names."""
        increment = self._writer.increment
        return sum(self._sizes.values()) + (0 if increment is None else int(increment.size))

    # Increments ------------------------------------------------------------------------------

    def _new_increment(self, manifest: Manifest) -> tuple[ManifestFile, Increment]:
        """Named in a copy of the manifest; its number is used up, whatever becomes of it."""
        file = manifest.new_increment(self.folder.stem)
        self.manifest.last_increment = manifest.last_increment
        return file, Increment(self.folder.path_of(file), self.folder.file_system)

    async def open_increment(self) -> None:
        """At the start: write to a new increment behind the files there are.

        Raises OSError or `SaveError`.
        """
        manifest = self.manifest.copy()
        _, increment = self._new_increment(manifest)
        offset = self._host.offset

        def work() -> None:
            self.folder.lock.acquire()  # where recovery made the folder, of a single old file
            increment.create(offset)
            self.folder.write(manifest)

        await self._call(work)
        self.manifest = manifest
        self._writer.sink.begin_file(offset)
        self._writer.start(increment, listed=True)

    async def _rotate(self, old: Increment, offset: int) -> None:
        """Everything after an offset, at which the journal is now, goes to a new increment."""
        writer = self._writer
        manifest = self.manifest.copy()
        _, new = self._new_increment(manifest)
        batches = writer.sink.begin_file(offset)
        rotation = _Rotation(old, new, b"".join(batches), offset)
        writer.held = True
        try:
            await self._call(rotation.run)
        except OSError as error:
            writer.held = False
            if not rotation.written:
                writer.sink.put_back(batches)
            await self._discard(new)
            if rotation.written and not rotation.synced:
                writer.failed(error, broken=True)
            raise
        self._unlisted = (manifest, new)
        while not await self.list_increment():
            await trio.sleep(PERIOD)

    async def list_increment(self) -> bool:
        """End a rotation that only the manifest is missing to; whether that has succeeded."""
        if self._unlisted is None:
            return True
        manifest, new = self._unlisted
        writer = self._writer
        try:
            await self._call(lambda: self.folder.write(manifest))
        except OSError as error:
            writer.failed(error)
            return False
        self._unlisted = None
        old = writer.increment
        if old is not None:
            self._sizes[old.path.name] = int(old.size)
            await self._close(old)
        self.manifest = manifest
        writer.start(new, listed=True)
        writer.succeeded()
        await writer.commit()
        return True

    async def settle(self) -> None:
        """Before the end: no rotation may be half done.

        Where the manifest cannot be written, what is pending goes to the new increment all the
        same: the next start finds it there.
        """
        async with self._writer.lock:
            if not await self.list_increment() and self._unlisted is not None:
                self._writer.start(self._unlisted[1], listed=False)

    async def _close(self, increment: Increment) -> None:
        def work() -> None:
            attempt(increment.close)

        await self._call(work)

    async def _discard(self, increment: Increment) -> None:
        """Leave nothing of an increment that no manifest names."""

        def work() -> None:
            attempt(increment.close)
            attempt(lambda: self.folder.file_system.remove(increment.path))

        await self._call(work)

    # Rewrites --------------------------------------------------------------------------------

    async def rewrite(self) -> None:
        """Replace the base, and with it all increments up to now.

        Raises `SaveError`, OSError, or what encoding has raised: then all is as it was before.
        ValueError while there is another capture.
        """
        await self._make_folder()
        async with self._writer.lock:
            await self._learn()
            capture = self._capture()
            try:
                if self._writer.increment is not None:
                    await self._rotate(self._writer.increment, int(capture.offset))
            except BaseException:
                capture.close()
                raise
        await self._save(capture, self.manifest.copy(), 1 if self._writer.increment else 0)

    async def begin_afresh(self) -> None:
        """Write a base of all there is, and everything after it to an increment; as `rewrite`."""
        writer = self._writer
        await self._make_folder()
        async with writer.lock:
            await self._learn()
            capture = self._capture()
            manifest = self.manifest.copy()
            _, increment = self._new_increment(manifest)
            offset = int(capture.offset)
            writer.sink.give_up()
            writer.sink.begin_file(offset)
            old = writer.increment
            writer.held = True
            try:
                if old is not None:
                    await self._close(old)
                await self._call(lambda: increment.create(offset))
                writer.start(increment, listed=False)
            except BaseException:
                capture.close()
                await self._abandon(increment)
                raise
        try:
            await self._save(capture, manifest, 1)
        except BaseException:
            with trio.CancelScope(shield=True):
                async with writer.lock:
                    await self._abandon(increment)
            raise
        writer.list()

    async def _learn(self) -> None:
        """Files that are there though nothing was loaded from them are replaced, not overwritten.

        Raises `SaveError` where the manifest is damaged: nobody else has looked at it.
        """
        if self.manifest.files():
            return
        found: list[Manifest] = []
        kept: list[Path] = []

        def look() -> None:
            found.append(self.folder.read())
            if not found[0].files():
                kept.extend(put_aside(self.folder, found[0]))

        try:
            await self._call(look)
        except LoadError as error:
            raise SaveError(f"{error}; move it away to begin anew") from error
        for path in kept:
            message = "not loaded: no manifest had it, and it is kept under this name"
            self._host.log.warning("aof_file_unlisted", message, path=str(path))
        manifest = found[0]
        manifest.last_base = max(manifest.last_base, self.manifest.last_base)
        manifest.last_increment = max(manifest.last_increment, self.manifest.last_increment)
        self._strays += [self.folder.path_of(file) for file in self.folder.unlisted(manifest)]
        self.manifest = manifest

    async def _abandon(self, increment: Increment) -> None:
        """Keep nothing any more: what is in the increment leads to nothing without a base."""
        self._writer.sink.give_up()
        self._writer.increment = None
        self._writer.held = False
        self._strays.append(increment.path)
        with trio.CancelScope(shield=True):
            await self._close(increment)

    async def _make_folder(self) -> None:
        def work() -> None:
            self.folder.file_system.make_folder(self.folder.path)
            self.folder.lock.acquire()

        await self._call(work)

    def _capture(self) -> Capture:
        return self._host.capture(rdb_encoder(self._host.settings, preamble=True))

    async def _save(self, capture: Capture, manifest: Manifest, keep: int) -> None:
        """Write the base, and take it and the last ``keep`` increments for the whole."""
        base = manifest.new_base(self.folder.stem)
        self.manifest.last_base = manifest.last_base
        manifest.retire(keep)
        path = self.folder.path_of(base)
        self.saving = Saving(capture, path, self.folder.file_system)
        self._writer.rewriting = True
        try:
            saved = await self.saving.run()
            self._strays.append(path)
            async with self._writer.lock:
                await self._adopt(manifest)
        finally:
            self.saving = None
            self._writer.rewriting = False
        self._sizes = {base.name: saved.size}
        self.base_size = self.size()
        self._host.log.info(
            "aof_rewritten",
            path=str(path),
            bytes=saved.size,
            keys=int(capture.keys_done),
            seconds=round(saved.seconds, 3),
        )
        await self._remove_history()

    async def _adopt(self, manifest: Manifest) -> None:
        increment = None if self._writer.listed else self._writer.increment

        def work() -> None:
            if increment is not None:
                increment.sync()
            self.folder.write(manifest)

        with trio.CancelScope(shield=True):
            await self._call(work)
            self.manifest = manifest

    async def _remove_history(self) -> None:
        if self._host.settings.aof_disable_auto_gc:
            return
        manifest = self.manifest
        named = {self.folder.path_of(file) for file in manifest.files()}
        strays = [path for path in self._strays if path not in named]
        without: list[Manifest] = []

        def work() -> None:
            for path in strays:
                self.folder.file_system.remove(path)
            without.append(self.folder.remove_history(manifest))

        try:
            with trio.CancelScope(shield=True):
                await self._call(work)
                self.manifest = without[0]
                self._strays.clear()
        except OSError as error:
            self._host.log.warning("aof_history_not_removed", error=error.strerror or str(error))
