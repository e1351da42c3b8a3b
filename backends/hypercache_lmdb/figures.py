"""What INFO tells of a store: `hypercache.backend.Backend.statistics`."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hypercache_lmdb.store import LMDBKV


def figures(store: "LMDBKV") -> dict[str, int]:
    """Sizes in bytes, times in microseconds, numbers since the store was opened."""
    room = store.room
    return {
        "lmdb_file_bytes": room.end,
        "lmdb_tree_bytes": room.tree,
        "lmdb_reserved_bytes": room.reserved,
        "lmdb_map_bytes": room.map_size,
        "lmdb_log_bytes": store.log.size(),
        "lmdb_log_operations": store.operations,
        "lmdb_checkpoints": store.checkpoints,
        "lmdb_last_checkpoint_usec": store.checkpoint_microseconds,
        "lmdb_last_flush_usec": store.flush_microseconds,
        "lmdb_syncs": store.syncs,
        "lmdb_snapshots": len(store.open_snapshots),
        "lmdb_recovered_operations": store.recovery.operations,
        "lmdb_recovered_torn_bytes": store.recovery.torn,
    }
