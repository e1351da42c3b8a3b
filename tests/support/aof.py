"""Append-only folders that tests write themselves, and what has become of them when loaded."""

from pathlib import Path

from hypercache_aof.annotations import end_line, opening_line
from hypercache_aof.batches import BatchEncoder
from hypercache_aof.folder_replay import replay_folder
from hypercache_aof.manifest import AofFolder, Manifest

from hypercache.engine.engine import Engine
from hypercache.engine.journal import Record, Sink
from hypercache.keyspace.digest import NOTHING, digest_database
from hypercache.persistence.capture import Capture
from hypercache.persistence.file_system import FileSystem
from hypercache.persistence.loader import Loader
from hypercache.persistence.rdb_writer import RdbEncoder
from hypercache.persistence.saving import save_now
from hypercache.testing.engine import EngineHarness

STEM = "appendonly.aof"
FILES = FileSystem()


def folder_in(path: Path, stem: str = STEM) -> AofFolder:
    """The folder that a server in ``path`` has."""
    return AofFolder(path / "appendonlydir", stem, FILES)


class FolderWriter(Sink):
    """Writes the changes of an engine to a folder, as a server with ``appendfsync no`` does.

    ``version`` is that of the base, an RDB.
    """

    def __init__(self, harness: EngineHarness, folder: AofFolder, version: int = 11) -> None:
        super().__init__("folder")
        self.harness = harness
        self.folder = folder
        self.manifest = Manifest()
        self.encoder = BatchEncoder()
        self.path = folder.path
        FILES.make_folder(folder.path)
        base = self.manifest.new_base(folder.stem)
        capture = Capture(harness.engine, RdbEncoder(version, preamble=True))
        save_now(capture, folder.path_of(base), FILES)
        self._open()
        harness.engine.settlement.add_sink(self)

    def write(self, records: list[Record]) -> None:
        with self.path.open("ab") as file:
            file.write(self.encoder.encode(records))

    def rotate(self) -> None:
        """End the increment, and go on in a new one."""
        self.end()
        self._open()

    def end(self) -> None:
        """Write the end line."""
        with self.path.open("ab") as file:
            file.write(end_line(self.harness.engine.journal.offset, self.path.stat().st_size))

    def _open(self) -> None:
        self.path = self.folder.path_of(self.manifest.new_increment(self.folder.stem))
        self.path.write_bytes(opening_line(self.harness.engine.journal.offset))
        self.encoder.begin_file()
        self.folder.write(self.manifest)


def digest(engine: Engine) -> bytes:
    """DEBUG DIGEST."""
    found = NOTHING
    for keyspace in engine.keyspaces:
        found = digest_database(keyspace.index, keyspace.store, found)
    return found


class Outcome:
    """Everything that was loaded, its journal's offset, and what is told of the end."""

    def __init__(self, folder: AofFolder, loader: Loader) -> None:
        loader.begin()
        loader.clear()
        replay = replay_folder(folder, folder.read(), loader)
        try:
            while replay.step(1_000_000):
                loader.pause()
        finally:
            replay.close()
        loader.end()
        self.digest = digest(loader.engine)
        self.offset = replay.offset
        self.tear = replay.tear
        self.in_order = replay.parts[-1].ended
