"""`LMDBBackend`: keys on disk, in LMDB."""

from typing import ClassVar

from hypercache.keyspace.kv_backend import KVBackend
from hypercache_lmdb.settings import LMDBSettings
from hypercache_lmdb.store import LMDBKV
from hypercache_lmdb.tools import LMDBTools


class LMDBBackend(KVBackend):
    """Keys on disk in LMDB, as many as fit there; all are back at once after a restart."""

    settings_type: ClassVar[type | None] = LMDBSettings
    tools: ClassVar[type | None] = LMDBTools

    def __init__(self, settings: LMDBSettings | None = None) -> None:
        store = LMDBKV(settings or LMDBSettings())
        super().__init__(store, "lmdb")
        self._lmdb = store

    def reclaim(self, budget: int) -> bool:
        self._lmdb.fold_if_idle()
        return super().reclaim(budget)
