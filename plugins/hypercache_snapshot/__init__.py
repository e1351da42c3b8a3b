"""The snapshots of a server, as a plugin."""

from hypercache_snapshot.plugin import SnapshotPlugin

__all__ = ["SnapshotPlugin"]
