"""All data of an engine as plain Python values, to compare what was saved with what came back."""

from typing import cast

from hypercache.backend import Entry
from hypercache.engine.engine import Engine
from hypercache.streams import MAX_ID, MIN_ID, StreamGroup, StreamValue
from hypercache.values import HashValue, ListValue, SetValue, StringValue, ZSetValue

#: By database and key: the value, its deadline and its access clock.
Contents = dict[tuple[int, bytes], tuple[object, int, int]]


def contents(engine: Engine) -> Contents:
    """Everything that is there, also what is past its deadline."""
    found: Contents = {}
    for keyspace in engine.keyspaces:
        for key in list(keyspace.store.keys()):
            entry = keyspace.store.find(key)
            assert entry is not None
            found[keyspace.index, key] = (value_of(entry), entry.expire, entry.access)
    return found


def values(engine: Engine) -> dict[tuple[int, bytes], tuple[object, int]]:
    """`contents` without the access clocks."""
    return {place: found[:2] for place, found in contents(engine).items()}


def value_of(entry: Entry) -> object:
    """A value, with everything that belongs to it."""
    value = entry.value
    if isinstance(value, bytes):
        return value
    if isinstance(value, StringValue):
        return value.read(0, value.length())
    if isinstance(value, ListValue):
        return ("list", value.range(0, value.length()))
    if isinstance(value, SetValue):
        return ("set", set(value.members()))
    if isinstance(value, ZSetValue):
        return ("zset", value.range(0, value.length()))
    if isinstance(value, HashValue):
        return ("hash", {field: (text, value.deadline(field)) for field, text in value.items()})
    stream = cast(StreamValue, value)
    return (
        "stream",
        stream.range(MIN_ID, MAX_ID, stream.length() + 1, False),
        (stream.last_id(), stream.max_deleted_id(), stream.entries_added()),
        [_group(group) for group in stream.groups()],
    )


def _group(group: StreamGroup) -> object:
    pending = group.pending_range(MIN_ID, MAX_ID, group.pending_count() + 1, None)
    return (
        group.name(),
        group.last_id(),
        group.entries_read(),
        [(each.name, each.seen, each.active, each.pending) for each in group.consumers()],
        [(each.id, each.consumer, each.time, each.count) for each in pending],
    )
