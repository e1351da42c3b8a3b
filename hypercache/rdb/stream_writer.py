"""Streams as RDB has them: nodes of entries in listpacks, counters, groups."""

from typing import Final

from librt.strings import read_i64_be
from mypy_extensions import i64

from hypercache.rdb import forms
from hypercache.rdb.packs import ListpackWriter
from hypercache.rdb.parts import Parts
from hypercache.rdb.primitives import Writer
from hypercache.streams import MAX_ID, MIN_ID, StreamEntry, StreamGroup, StreamValue

# Where a node ends: as with Redis' default settings.
_NODE_ENTRIES: Final[i64] = 100
_NODE_BYTES: Final[i64] = 4096
# Pending entries fetched at a time.
_SLICE: Final = 1024
# An entry that has the same fields as the first of its node does not repeat them.
_SAME_FIELDS: Final[i64] = 2


class StreamParts(Parts):
    """A stream with its groups (RDB_TYPE_STREAM_LISTPACKS_3).

    Without the consumers' active times it is what Redis 7.0 knows (..._LISTPACKS_2). A first
    pass counts the nodes.
    """

    def __init__(self, value: StreamValue, form: int) -> None:
        super().__init__(form)
        self._value = value
        self._with_active = form == forms.STREAM_3
        self._counting = True
        self._start = MIN_ID
        self._first = MIN_ID
        self._nodes: i64 = 0
        # The node that is being filled.
        self._node: list[StreamEntry] = []
        self._entries: i64 = 0
        self._bytes: i64 = 0

    def write(self, writer: Writer, count: i64) -> bool:
        entries = self._value.range(self._start, MAX_ID, count, False)
        for entry in entries:
            if not self._node and not self._entries:
                self._nodes += 1
            self._entries += 1
            for text in entry[1]:
                self._bytes += len(text)
            if not self._counting:
                self._node.append(entry)
            if self._entries == _NODE_ENTRIES or self._bytes >= _NODE_BYTES:
                self._end_node(writer)
        if len(entries) == count and entries[-1][0] != MAX_ID:
            self._start = _after(entries[-1][0])
            return True
        if not self._counting:
            self._end_node(writer)
            self._write_state(writer)
            return False
        self._end_node(writer)
        self._counting = False
        self._start = MIN_ID
        writer.length(self._nodes)
        return True

    def _end_node(self, writer: Writer) -> None:
        if self._node:
            if self._first == MIN_ID:
                self._first = self._node[0][0]
            writer.string(self._node[0][0])
            writer.string(_pack(self._node))
        self._node = []
        self._entries = 0
        self._bytes = 0

    def _write_state(self, writer: Writer) -> None:
        value = self._value
        writer.length(value.length())
        _write_id(writer, value.last_id())
        _write_id(writer, self._first)
        _write_id(writer, value.max_deleted_id())
        writer.length(value.entries_added())
        groups = value.groups()
        writer.length(len(groups))
        for group in groups:
            _write_group(writer, group, self._with_active)


def _after(entry_id: bytes) -> bytes:
    """The next id; behind the highest comes none."""
    return min(int.from_bytes(entry_id, "big") + 1, (1 << 128) - 1).to_bytes(16, "big")


def _write_id(writer: Writer, entry_id: bytes) -> None:
    writer.length(read_i64_be(entry_id, 0))
    writer.length(read_i64_be(entry_id, 8))


def _pack(entries: list[StreamEntry]) -> bytes:
    """A node as a listpack: a master entry, and all entries as differences to it."""
    master, fields = entries[0]
    base: i64 = read_i64_be(master, 0)
    base_sequence: i64 = read_i64_be(master, 8)
    names = fields[::2]
    width: i64 = len(names)
    pack = ListpackWriter()
    pack.integer(len(entries))
    pack.integer(0)
    pack.integer(width)
    for name in names:
        pack.text(name)
    pack.integer(0)
    for entry_id, pairs in entries:
        same = pairs[::2] == names
        pack.integer(_SAME_FIELDS if same else 0)
        # Of numbers of 64 bits without sign the difference is right, whatever their signs.
        pack.integer(read_i64_be(entry_id, 0) - base)
        pack.integer(read_i64_be(entry_id, 8) - base_sequence)
        if same:
            for text in pairs[1::2]:
                pack.text(text)
            pack.integer(width + 3)
        else:
            size: i64 = len(pairs)
            pack.integer(size // 2)
            for text in pairs:
                pack.text(text)
            pack.integer(size + 4)
    return pack.finish()


def _write_group(writer: Writer, group: StreamGroup, with_active: bool) -> None:
    writer.string(group.name())
    _write_id(writer, group.last_id())
    writer.length(group.entries_read())
    writer.length(group.pending_count())
    owned: dict[bytes, list[bytes]] = {}
    start = MIN_ID
    while True:
        some = group.pending_range(start, MAX_ID, _SLICE, None)
        for pending in some:
            writer.out.write(pending.id)
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
            writer.out.write(entry_id)
