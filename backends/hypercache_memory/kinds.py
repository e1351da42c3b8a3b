"""The memory backend's values by their kinds: making, copying and freeing them."""

from typing import Final, cast

from hypercache.backend import (
    HASH,
    LIST,
    SET,
    STREAM,
    STRING,
    ZSET,
    BackendError,
    EncodingLimits,
    Value,
)
from hypercache_memory.hashes import MemoryHash
from hypercache_memory.lists import MemoryList
from hypercache_memory.sets import MemorySet
from hypercache_memory.streams import MemoryStream
from hypercache_memory.strings import MemoryString
from hypercache_memory.zsets import MemoryZSet

# Values with more elements than this are freed in slices by `MemoryBackend.reclaim`.
LARGE_VALUE: Final = 64


def new_value(kind: int, limits: EncodingLimits) -> Value:
    """An empty value of a kind."""
    if kind == STRING:
        return MemoryString()
    if kind == HASH:
        return MemoryHash(limits)
    if kind == LIST:
        return MemoryList(limits)
    if kind == SET:
        return MemorySet(limits)
    if kind == STREAM:
        return MemoryStream(limits)
    if kind == ZSET:
        return MemoryZSet(limits)
    raise BackendError(f"create: the memory backend knows no kind {kind}")


def copy_value(value: Value, limits: EncodingLimits) -> Value:
    """A value of its own with the same content."""
    if value.kind == STRING:
        text = MemoryString()
        text.write(0, cast(MemoryString, value).read(0, value.length()))
        return text
    if value.kind == HASH:
        return cast(MemoryHash, value).copy()
    if value.kind == LIST:
        return cast(MemoryList, value).copy()
    if value.kind == SET:
        return cast(MemorySet, value).copy()
    if value.kind == STREAM:
        return cast(MemoryStream, value).copy()
    if value.kind == ZSET:
        return cast(MemoryZSet, value).copy()
    raise BackendError(f"copy: the memory backend knows no kind {value.kind}")


def is_large(value: Value) -> bool:
    """Whether a value is too dear to be freed at once."""
    if value.kind == STREAM:
        return cast(MemoryStream, value).is_large()
    return value.kind != STRING and value.length() > LARGE_VALUE


def shed(value: Value, budget: int) -> int:
    """Free up to ``budget`` elements of a value that nobody can reach any more; how many.

    Fewer than ``budget`` means that nothing is left to free.
    """
    if value.kind == HASH:
        return cast(MemoryHash, value).shed(budget)
    if value.kind == LIST:
        return cast(MemoryList, value).shed(budget)
    if value.kind == SET:
        return cast(MemorySet, value).shed(budget)
    if value.kind == STREAM:
        return cast(MemoryStream, value).shed(budget)
    if value.kind == ZSET:
        return cast(MemoryZSet, value).shed(budget)
    return 0


def check_value(value: Value) -> list[str]:
    """What is inconsistent in a value, in words; empty when all is well. May be slow."""
    if value.kind == ZSET:
        return cast(MemoryZSet, value).check()
    if value.kind == LIST:
        return cast(MemoryList, value).check()
    if value.kind == HASH:
        return cast(MemoryHash, value).check()
    return []
