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
        super().__init__(LMDBKV(settings or LMDBSettings()), "lmdb")
