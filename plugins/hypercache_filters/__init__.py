"""Bloom and cuckoo filters as types: the commands BF.* and CF.*, compatible with RedisBloom's."""

from hypercache_filters.plugin import FiltersPlugin

__all__ = ["FiltersPlugin"]
