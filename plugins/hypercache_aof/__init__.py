"""The append-only file of a server, as a plugin."""

from hypercache_aof.plugin import AofPlugin

__all__ = ["AofPlugin"]
