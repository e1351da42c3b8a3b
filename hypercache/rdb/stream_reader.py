"""Streams from RDB: every version of the form, entries checked for their order."""

from typing import Final

from librt.strings import read_i64_be
from mypy_extensions import i64

from hypercache.rdb import forms
from hypercache.rdb.content import GroupContent, StreamContent
from hypercache.rdb.errors import RdbError
from hypercache.rdb.packs import ListpackReader
from hypercache.rdb.primitives import Reader
from hypercache.streams import Pending

_DELETED: Final[i64] = 1
_SAME_FIELDS: Final[i64] = 2
# 64 bits, also for numbers from 2**63 on, which are negative ones here.
_WORD: Final = (1 << 64) - 1


def read_stream(reader: Reader, form: int) -> StreamContent:
    """A stream with its groups."""
    stream = StreamContent()
    for _ in range(reader.count()):
        read_node(reader, stream)
    read_state(reader, stream, form, len(stream.entries))
    return stream


def read_state(reader: Reader, stream: StreamContent, form: int, entries: i64) -> None:
    """What comes behind a stream's entries, of which there were so many: counters and groups."""
    length = reader.length()
    if length != entries:
        raise RdbError("a stream has not as many entries as it says")
    stream.last_id = _read_id(reader)
    stream.entries_added = length
    if form >= forms.STREAM_2:
        _read_id(reader)  # the first one, which is among the entries
        stream.max_deleted_id = _read_id(reader)
        stream.entries_added = reader.length()
    if stream.highest > stream.last_id:
        raise RdbError("a stream has an entry behind its last id")
    names: set[bytes] = set()
    for _ in range(reader.count()):
        group = _read_group(reader, form)
        if group.name in names:
            raise RdbError("a stream has two groups of one name")
        names.add(group.name)
        stream.groups.append(group)


def _id(time: int, sequence: int) -> bytes:
    """Both are counted modulo 2**64, as the differences to a node's first id are."""
    return ((time & _WORD) << 64 | sequence & _WORD).to_bytes(16, "big")


def _read_id(reader: Reader) -> bytes:
    time = int(reader.length())
    return _id(time, int(reader.length()))


def read_node(reader: Reader, stream: StreamContent) -> None:
    """A node's entries, behind those that the stream has."""
    master = reader.string()
    if len(master) != 16:
        raise RdbError("a node of a stream has no valid id")
    items = ListpackReader(reader.string())
    live = items.integer()
    deleted = items.integer()
    width = items.integer()
    if live < 0 or deleted < 0 or not 0 <= width <= items.left():
        raise RdbError("a node of a stream is cut")
    names = [items.text() for _ in range(width)]
    items.integer()
    time = int(read_i64_be(master, 0))
    sequence = int(read_i64_be(master, 8))
    seen_live: i64 = 0
    seen: i64 = 0
    while seen < live + deleted:
        seen += 1
        flags = items.integer()
        entry_id = _id(time + int(items.integer()), sequence + int(items.integer()))
        fields: list[bytes] = []
        if flags & _SAME_FIELDS:
            for name in names:
                fields.append(name)
                fields.append(items.text())
        else:
            count = items.integer()
            if not 0 <= count <= items.left():
                raise RdbError("a node of a stream is cut")
            for _ in range(count * 2):
                fields.append(items.text())
        items.integer()
        if flags & _DELETED:
            continue
        seen_live += 1
        if entry_id <= stream.highest:
            raise RdbError("the entries of a stream are not in order")
        stream.highest = entry_id
        stream.entries.append((entry_id, fields))
    if seen_live != live:
        raise RdbError("a node of a stream has not as many entries as it says")
    items.finish()


def _read_group(reader: Reader, form: int) -> GroupContent:
    name = reader.string()
    last_id = _read_id(reader)
    read: int | None = None
    if form >= forms.STREAM_2:
        read = int(reader.length())
    group = GroupContent(name, last_id, read)
    delivered: dict[bytes, tuple[int, int]] = {}
    for _ in range(reader.count()):
        entry_id = reader.raw(16)
        if entry_id in delivered:
            raise RdbError("a group has an entry pending twice")
        delivered[entry_id] = (int(reader.time()), int(reader.length()))
    consumers: set[bytes] = set()
    for _ in range(reader.count()):
        consumer = reader.string()
        if consumer in consumers:
            raise RdbError("a group has two consumers of one name")
        consumers.add(consumer)
        seen = int(reader.time())
        active = int(reader.time()) if form >= forms.STREAM_3 else seen
        group.consumers.append((consumer, seen, active))
        for _ in range(reader.count()):
            entry_id = reader.raw(16)
            facts = delivered.pop(entry_id, None)
            if facts is None:
                raise RdbError("a consumer has an entry pending that its group has not")
            group.pending.append(Pending(entry_id, consumer, facts[0], facts[1]))
    if delivered:
        raise RdbError("a group has pending entries without a consumer")
    return group
