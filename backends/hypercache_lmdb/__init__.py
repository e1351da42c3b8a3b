"""The LMDB backend: larger than memory, transactional, back at once after a restart."""

from hypercache_lmdb.backend import LMDBBackend
from hypercache_lmdb.settings import LMDBSettings
from hypercache_lmdb.store import LMDBKV

__all__ = ["LMDBKV", "LMDBBackend", "LMDBSettings"]
