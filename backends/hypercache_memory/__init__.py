"""The in-memory backend: a dict of entries over a dense pool of keys."""

from hypercache_memory.backend import MemoryBackend

__all__ = ["MemoryBackend"]
