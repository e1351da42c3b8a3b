"""Streams from RDB: every version of the form, entries checked for their order."""

from typing import Final

from hypercache.keyspace.numbers import parse_integer
from hypercache.rdb import forms
from hypercache.rdb.content import GroupContent, StreamContent
from hypercache.rdb.errors import RdbError
from hypercache.rdb.packs import read_listpack
from hypercache.rdb.primitives import Reader
from hypercache.streams import MIN_ID, UNKNOWN, Pending

_DELETED: Final = 1
_SAME_FIELDS: Final = 2
_UNKNOWN_READ: Final = (1 << 64) - 1
_LIMIT: Final = 1 << 64


def read_stream(reader: Reader, form: int) -> StreamContent:
    """A stream with its groups."""
    stream = StreamContent()
    for _ in range(reader.count()):
        master = reader.string()
        if len(master) != 16:
            raise RdbError("a node of a stream has no valid id")
        _read_node(stream, master, read_listpack(reader.string()))
    length = reader.length()
    if length != len(stream.entries):
        raise RdbError("a stream has not as many entries as it says")
    stream.last_id = _read_id(reader)
    stream.entries_added = length
    if form >= forms.STREAM_2:
        _read_id(reader)  # the first one, which is among the entries
        stream.max_deleted_id = _read_id(reader)
        stream.entries_added = reader.length()
    if stream.entries and stream.entries[-1][0] > stream.last_id:
        raise RdbError("a stream has an entry behind its last id")
    names: set[bytes] = set()
    for _ in range(reader.count()):
        group = _read_group(reader, form)
        if group.name in names:
            raise RdbError("a stream has two groups of one name")
        names.add(group.name)
        stream.groups.append(group)
    return stream


def _id(time: int, sequence: int) -> bytes:
    if not (0 <= time < _LIMIT and 0 <= sequence < _LIMIT):
        raise RdbError("a stream has an id that is out of range")
    return time.to_bytes(8, "big") + sequence.to_bytes(8, "big")


def _read_id(reader: Reader) -> bytes:
    return _id(reader.length(), reader.length())


class _Items:
    """The elements of a node, taken one after the other."""

    def __init__(self, items: list[bytes]) -> None:
        self.items = items
        self.at = 0

    def text(self) -> bytes:
        if self.at >= len(self.items):
            raise RdbError("a node of a stream is cut")
        self.at += 1
        return self.items[self.at - 1]

    def texts(self, count: int) -> list[bytes]:
        if not 0 <= count <= len(self.items) - self.at:
            raise RdbError("a node of a stream is cut")
        self.at += count
        return self.items[self.at - count : self.at]

    def integer(self) -> int:
        number = parse_integer(self.text())
        if number is None:
            raise RdbError("a node of a stream has a text where a number belongs")
        return number


def _read_node(stream: StreamContent, master: bytes, elements: list[bytes]) -> None:
    items = _Items(elements)
    live = items.integer()
    deleted = items.integer()
    names = items.texts(items.integer())
    items.integer()
    time = int.from_bytes(master[:8], "big")
    sequence = int.from_bytes(master[8:], "big")
    for _ in range(live + deleted):
        flags = items.integer()
        entry_id = _id(time + items.integer(), sequence + items.integer())
        if flags & _SAME_FIELDS:
            fields: list[bytes] = []
            for name, value in zip(names, items.texts(len(names)), strict=True):
                fields += (name, value)
        else:
            fields = items.texts(items.integer() * 2)
        items.integer()
        if flags & _DELETED:
            continue
        if entry_id == MIN_ID or (stream.entries and entry_id <= stream.entries[-1][0]):
            raise RdbError("the entries of a stream are not in order")
        stream.entries.append((entry_id, fields))


def _read_group(reader: Reader, form: int) -> GroupContent:
    name = reader.string()
    last_id = _read_id(reader)
    read: int | None = None
    if form >= forms.STREAM_2:
        read = reader.length()
        if read == _UNKNOWN_READ:
            read = UNKNOWN
    group = GroupContent(name, last_id, read)
    delivered: dict[bytes, tuple[int, int]] = {}
    for _ in range(reader.count()):
        entry_id = reader.raw(16)
        if entry_id in delivered:
            raise RdbError("a group has an entry pending twice")
        delivered[entry_id] = (reader.time(), reader.length())
    for _ in range(reader.count()):
        consumer = reader.string()
        seen = reader.time()
        active = reader.time() if form >= forms.STREAM_3 else seen
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
