"""An engine in memory whose stores may have backends of their own, as a server has it."""

from collections.abc import Mapping
from pathlib import Path

from hypercache_memory import MemoryBackend

from hypercache.backend import ALWAYS, Backend
from hypercache.config import Settings
from hypercache.engine.backends import Backends
from hypercache.keyspace.kv_backend import KVBackend
from hypercache.stores.keeper import Keeper
from hypercache.testing.engine import EngineHarness
from hypercache.testing.sorted_kv import SortedDictKV
from tests.support.fragile import FragileBackend


class Disks:
    """Backends by name: ``kv`` outlives the engine, ``always`` holds replies until it is synced."""

    def __init__(self) -> None:
        self.stores: dict[str, SortedDictKV] = {}
        self.fragile = FragileBackend()

    def make(self, name: str, settings: Mapping[str, object]) -> Backend:
        """The setting ``path`` says which store it is."""
        if name == "memory":
            return MemoryBackend()
        if name == "fragile":
            return self.fragile
        if name == "always":
            return FragileBackend(ALWAYS)
        path = str(settings.get("path", "one"))
        before = self.stores.get(path, SortedDictKV())
        self.stores[path] = before.after_crash()
        return KVBackend(self.stores[path], salt=b"saltsalt")


class Mixed:
    """A harness with a keeper of stores; `again` is what a restart finds, but for its memory."""

    def __init__(
        self,
        folder: Path,
        stores: dict[str, dict[str, object]] | None = None,
        disks: Disks | None = None,
        main: Backend | None = None,
    ) -> None:
        self.folder = folder
        self.disks = disks or Disks()
        self.backends = Backends(main or MemoryBackend())
        settings = Settings(dir=str(folder), stores=stores or {})
        self.harness = EngineHarness(self.backends, settings=settings)
        self.engine = self.harness.engine
        self.keeper = Keeper(self.engine, self.backends, self.engine.configuration, self.disks.make)
        self.engine.stores.keeper = self.keeper
        self.command = self.harness.command
        self.keeper.begin()
        self.keeper.load_ended()

    def again(self, stores: dict[str, dict[str, object]] | None = None) -> "Mixed":
        """The engine after a crash."""
        return Mixed(self.folder, stores, self.disks)

    def check(self) -> None:
        """Everything is consistent."""
        for keyspace in self.engine.keyspaces:
            assert keyspace.store.check() == []
