"""The entries of a stream, packed by nodes.

A node is one ``bytes`` object with the records of up to a hundred entries, so an entry has no
object of its own. A record is its length (as in `hypercache_memory.packed`), then

    flag (1 byte) | id (16 bytes) | values, each behind its length

where the entry has the field names of the node's first entry (flag 0), and with each value
behind its name where it has others (flag 1). Names are kept once for all nodes in a row that
share them.

Where one node ends and the next begins follows Redis, which counts the bytes of its own
format: trimming with ``~`` removes whole nodes, which everybody can see.
"""

from typing import Final

from librt.strings import BytesWriter, read_i64_be
from mypy_extensions import i64

from hypercache.backend import EncodingLimits
from hypercache.listpack import OVERHEAD, integer_size, string_size
from hypercache_memory.packed import put, put_size, size_at, text_at
from hypercache_memory.sizes import block, bytes_block

#: A node and its two ids, without records and names.
NODE_BYTES: Final[i64] = 112 + 64 + 64

# A record's flag and id.
_HEAD: Final[i64] = 17
_OWN_NAMES: Final = 1
# The records of a node are walked through, and copied by XDEL: they stay below this, even where
# stream-node-max-bytes allows more.
_MOST_BYTES: Final[i64] = 65536
# Unsigned numbers compare as signed ones do with this bit turned over.
_SIGN: Final[i64] = -(1 << 63)


class FieldNames:
    """Field names that the entries of one or more nodes share."""

    def __init__(self, items: list[bytes]) -> None:
        self.items = items
        #: Number of nodes that have these names.
        self.nodes: i64 = 1

    def memory(self) -> i64:
        """Bytes taken."""
        size: i64 = 48 + block(56 + 8 * len(self.items))
        for item in self.items:
            size += bytes_block(len(item))
        return size

    def fit(self, fields: list[bytes]) -> bool:
        """Whether an entry, names and values in turn, has just these names."""
        items = self.items
        count: i64 = len(items)
        if len(fields) != 2 * count:
            return False
        index: i64 = 0
        while index < count and fields[2 * index] == items[index]:
            index += 1
        return index == count


class Node:
    """Entries in a row; ``data`` is empty while it is the last node and open (see `Tail`).

    ``first`` and ``last`` are the lowest and the highest id that it ever had; its ``count``
    entries, never none, begin at ``start``.
    """

    def __init__(self, first: bytes, names: FieldNames) -> None:
        self.first = first
        self.last = first
        self.names = names
        self.data = b""
        self.start: i64 = 0
        self.count: i64 = 0

    def copy(self, names: FieldNames) -> "Node":
        """A node of its own with the same entries."""
        twin = Node(self.first, names)
        twin.last = self.last
        twin.data = self.data
        twin.start = self.start
        twin.count = self.count
        return twin


class Tail:
    """The records of a stream's last node, as long as entries are added to it.

    ``entries`` counts all that were added, ``packed`` the bytes that they take in Redis'
    format (less two counters): by these a node is full.
    """

    def __init__(self) -> None:
        self.writer = BytesWriter()
        self.capacity: i64 = 256
        self.is_open = False
        self.entries: i64 = 0
        self.packed: i64 = 0
        self.base_time: i64 = 0
        self.base_sequence: i64 = 0

    def memory(self) -> i64:
        """Bytes taken; the writer doubles what it has, from 256 bytes inside of it."""
        return 400 if self.capacity == 256 else 400 + block(self.capacity)

    def open(self, entry_id: bytes, names: FieldNames) -> None:
        """Begin a node with the id of its first entry."""
        self.is_open = True
        self.entries = 0
        self.base_time = read_i64_be(entry_id, 0)
        self.base_sequence = read_i64_be(entry_id, 8)
        # Besides names and entries there are their number and a closing zero.
        self.packed = OVERHEAD + integer_size(len(names.items)) + 2
        for item in names.items:
            self.packed += string_size(item)

    def close(self) -> None:
        """Forget all records: the node is sealed or removed."""
        self.is_open = False
        if self.capacity <= 2 * _MOST_BYTES:
            self.writer.truncate(0)
        else:
            self.writer = BytesWriter()
            self.capacity = 256

    def copy(self) -> "Tail":
        """The same records, to go on with apart from these."""
        twin = Tail()
        twin.is_open = self.is_open
        twin.entries = self.entries
        twin.packed = self.packed
        twin.base_time = self.base_time
        twin.base_sequence = self.base_sequence
        twin.replace(self.writer.getvalue())
        return twin

    def is_full(self, adding: i64, removed: i64, limits: EncodingLimits) -> bool:
        """Whether an entry of ``adding`` bytes begins a new node; ``removed`` ones count too."""
        most = limits.stream_bytes
        if most <= 0 or most > _MOST_BYTES:
            most = _MOST_BYTES
        counters = integer_size(self.entries - removed) + integer_size(removed)
        if self.packed + counters + adding >= most:
            return True
        return limits.stream_entries > 0 and self.entries >= limits.stream_entries

    def add(self, entry_id: bytes, fields: list[bytes], same: bool) -> None:
        """Add a record; ``same``: it has the node's field names."""
        count: i64 = len(fields)
        self.entries += 1
        packed = 2 + integer_size(read_i64_be(entry_id, 0) - self.base_time)
        packed += integer_size(read_i64_be(entry_id, 8) - self.base_sequence)
        if same:
            packed += integer_size(count // 2 + 3)
        else:
            packed += integer_size(count // 2) + integer_size(count + 4)
        size = _HEAD
        step: i64 = 2 if same else 1
        at: i64 = step - 1
        while at < count:
            field = fields[at]
            length: i64 = len(field)
            size += length + 1 if length < 128 else length + 4
            packed += string_size(field)
            at += step
        self.packed += packed
        writer = self.writer
        put_size(writer, size)
        writer.append(0 if same else _OWN_NAMES)
        writer.write(entry_id)
        at = step - 1
        while at < count:
            put(writer, fields[at])
            at += step
        self._follow_capacity()

    def _follow_capacity(self) -> None:
        size: i64 = len(self.writer)
        if size > self.capacity:
            while size >= self.capacity:
                self.capacity *= 2

    def replace(self, data: bytes) -> None:
        """Have these records instead."""
        self.writer.truncate(0)
        self.writer.write(data)
        self._follow_capacity()


def raw_size(fields: list[bytes]) -> i64:
    """Bytes of all names and values together."""
    size: i64 = 0
    for field in fields:
        size += len(field)
    return size


def next_record(data: bytes, at: i64) -> i64:
    """Where the record ends that begins at ``at``."""
    return text_at(data, at) + size_at(data, at)


def seek(data: bytes, at: i64, entry_id: bytes) -> i64:
    """The first record from ``at`` on whose id is not lower; the end if there is none."""
    end: i64 = len(data)
    time = read_i64_be(entry_id, 0) ^ _SIGN
    sequence = read_i64_be(entry_id, 8) ^ _SIGN
    while at < end:
        text = text_at(data, at)
        own = read_i64_be(data, text + 1) ^ _SIGN
        if own > time or (own == time and (read_i64_be(data, text + 9) ^ _SIGN) >= sequence):
            return at
        at = text + size_at(data, at)
    return end


def has_id(data: bytes, at: i64, entry_id: bytes) -> bool:
    """Whether the record at ``at`` has this id; there is none at the end."""
    return at < len(data) and id_at(data, at) == entry_id


def id_at(data: bytes, at: i64) -> bytes:
    """The id of the record at ``at``."""
    start = text_at(data, at) + 1
    return data[start : start + 16]


def fields_at(data: bytes, at: i64, names: FieldNames) -> list[bytes]:
    """Names and values, in turn, of the record at ``at``."""
    text = text_at(data, at)
    return fields_between(data, text, text + size_at(data, at), names)


def fields_between(data: bytes, text: i64, end: i64, names: FieldNames) -> list[bytes]:
    """Names and values, in turn, of the record whose text has these ends."""
    fields: list[bytes] = []
    at = text + _HEAD
    if data[text] == _OWN_NAMES:
        while at < end:
            start = text_at(data, at)
            at = start + size_at(data, at)
            fields.append(data[start:at])
        return fields
    items = names.items
    index: i64 = 0
    while at < end:
        start = text_at(data, at)
        at = start + size_at(data, at)
        fields.append(items[index])
        fields.append(data[start:at])
        index += 1
    return fields
