"""Streams as RDB has them: nodes of entries in listpacks, counters, groups."""

from typing import Final

from hypercache.rdb.packs import write_listpack
from hypercache.rdb.primitives import Writer
from hypercache.streams import (
    MAX_ID,
    MIN_ID,
    UNKNOWN,
    StreamEntry,
    StreamGroup,
    StreamValue,
)

# Entries of one node, and pending entries fetched at a time.
_NODE: Final = 100
_SLICE: Final = 1024
# An entry that has the same fields as the first of its node does not repeat them.
_SAME_FIELDS: Final = 2
_UNKNOWN_READ: Final = (1 << 64) - 1


def write_stream(writer: Writer, value: StreamValue, with_active: bool) -> None:
    """Write a stream with its groups (RDB_TYPE_STREAM_LISTPACKS_3).

    Without the consumers' active times it is what Redis 7.0 knows (..._LISTPACKS_2).
    """
    length = value.length()
    writer.length(-(-length // _NODE))
    start = MIN_ID
    first = MIN_ID
    while True:
        entries = value.range(start, MAX_ID, _NODE, False)
        if not entries:
            break
        if first == MIN_ID:
            first = entries[0][0]
        writer.string(entries[0][0])
        writer.string(_node(entries))
        if len(entries) < _NODE:
            break
        start = _after(entries[-1][0])
    writer.length(length)
    for each in (value.last_id(), first, value.max_deleted_id()):
        _write_id(writer, each)
    writer.length(value.entries_added())
    groups = value.groups()
    writer.length(len(groups))
    for group in groups:
        _write_group(writer, group, with_active)


def _after(entry_id: bytes) -> bytes:
    """The next id; behind the highest comes none."""
    return min(int.from_bytes(entry_id, "big") + 1, (1 << 128) - 1).to_bytes(16, "big")


def _write_id(writer: Writer, entry_id: bytes) -> None:
    writer.length(int.from_bytes(entry_id[:8], "big"))
    writer.length(int.from_bytes(entry_id[8:], "big"))


def _node(entries: list[StreamEntry]) -> bytes:
    """Up to 100 entries as a listpack: a master entry, and the others as differences to it."""
    master, fields = entries[0]
    names = fields[::2]
    base = int.from_bytes(master[:8], "big")
    base_sequence = int.from_bytes(master[8:], "big")
    items: list[bytes | int] = [len(entries), 0, len(names), *names, 0]
    for entry_id, pairs in entries:
        time = int.from_bytes(entry_id[:8], "big") - base
        sequence = int.from_bytes(entry_id[8:], "big") - base_sequence
        if pairs[::2] == names:
            items += [_SAME_FIELDS, time, sequence, *pairs[1::2], len(names) + 3]
        else:
            count = len(pairs) // 2
            items += [0, time, sequence, count, *pairs, len(pairs) + 4]
    return write_listpack(items)


def _write_group(writer: Writer, group: StreamGroup, with_active: bool) -> None:
    writer.string(group.name())
    _write_id(writer, group.last_id())
    read = group.entries_read()
    writer.length(_UNKNOWN_READ if read == UNKNOWN else read)
    writer.length(group.pending_count())
    owned: dict[bytes, list[bytes]] = {}
    start = MIN_ID
    while True:
        some = group.pending_range(start, MAX_ID, _SLICE, None)
        for pending in some:
            writer.out += pending.id
            writer.time(pending.time)
            writer.length(pending.count)
            owned.setdefault(pending.consumer, []).append(pending.id)
        if len(some) < _SLICE:
            break
        start = _after(some[-1].id)
    consumers = group.consumers()
    writer.length(len(consumers))
    for consumer in consumers:
        writer.string(consumer.name)
        writer.time(consumer.seen)
        if with_active:
            writer.time(consumer.active)
        ids = owned.get(consumer.name, [])
        writer.length(len(ids))
        for entry_id in ids:
            writer.out += entry_id
