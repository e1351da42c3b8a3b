"""A value between its bytes and a keyspace: read whole, checked, and only then stored."""

from typing import Final

from hypercache.backend import HASH, LIST, NO_EXPIRE, SET, STREAM, STRING, ZSET
from hypercache.keyspace.changes import Event
from hypercache.keyspace.keyspace import Keyspace
from hypercache.keyspace.stream_positions import place_of
from hypercache.streams import Pending, StreamValue
from hypercache.values import HashValue, ListValue, SetValue, Value, ZSetValue


class GroupContent:
    """A consumer group; ``pending`` by id, ``consumers`` are name, seen and active time.

    ``entries_read`` is None where the form has no such number: then it follows from the id.
    """

    def __init__(self, name: bytes, last_id: bytes, entries_read: int | None) -> None:
        self.name = name
        self.last_id = last_id
        self.entries_read = entries_read
        self.consumers: list[tuple[bytes, int, int]] = []
        self.pending: list[Pending] = []


class StreamContent:
    """A stream: its entries in order, its counters and its groups."""

    def __init__(self) -> None:
        self.entries: list[tuple[bytes, list[bytes]]] = []
        self.last_id = bytes(16)
        self.max_deleted_id = bytes(16)
        self.entries_added = 0
        self.groups: list[GroupContent] = []
        #: The id of the last entry, those that have been read before among them.
        self.highest = bytes(16)


# What values of other kinds have: it is never changed.
_NO_STREAM: Final = StreamContent()


class Content:
    """What a value holds. Of the attributes, the one that belongs to ``kind`` counts:

    ``text`` of a string, ``items`` of a list or set, ``scores`` of a sorted set (members and
    scores), ``fields`` of a hash (field, value, deadline in Unix milliseconds or
    ``NO_EXPIRE``), ``stream``.
    """

    def __init__(self, kind: int) -> None:
        self.kind = kind
        self.text = b""
        self.items: list[bytes] = []
        self.scores: list[tuple[bytes, float]] = []
        self.fields: list[tuple[bytes, bytes, int]] = []
        self.stream = StreamContent() if kind == STREAM else _NO_STREAM


def store(db: Keyspace, key: bytes, content: Content, event: Event) -> None:
    """Put a value under a key, in the place of what is there; its deadline is the caller's."""
    if content.kind == STRING:
        db.set(key, content.text, NO_EXPIRE, event)
        return
    _fill(db.replace(key, content.kind, event), content)


def extend(db: Keyspace, key: bytes, content: Content, event: Event) -> None:
    """Add to a value of the same kind: elements, or what a stream and its groups have more."""
    if content.kind == STRING:
        text = db.edit_string(key, event)
        text.write(text.length(), content.text)
        return
    _fill(db.make(key, content.kind, event), content)


def _fill(value: Value, content: Content) -> None:
    if content.kind == LIST:
        assert isinstance(value, ListValue)
        for item in content.items:
            value.push_right(item)
    elif content.kind == SET:
        assert isinstance(value, SetValue)
        for item in content.items:
            value.add(item)
    elif content.kind == ZSET:
        assert isinstance(value, ZSetValue)
        for member, score in content.scores:
            value.set(member, score)
    elif content.kind == HASH:
        assert isinstance(value, HashValue)
        _store_fields(value, content.fields)
    else:
        assert isinstance(value, StreamValue)
        _store_stream(value, content.stream)


def _store_fields(value: HashValue, fields: list[tuple[bytes, bytes, int]]) -> None:
    for field, text, deadline in fields:
        value.set(field, text)
        if deadline != NO_EXPIRE:
            value.set_deadline(field, deadline)


def _store_stream(value: StreamValue, content: StreamContent) -> None:
    for entry_id, fields in content.entries:
        value.append(entry_id, fields)
    value.set_state(content.last_id, content.max_deleted_id, content.entries_added)
    for each in content.groups:
        read = each.entries_read
        if read is None:
            read = place_of(value, each.last_id)
        group = value.group(each.name)
        if group is None:
            group = value.create_group(each.name, each.last_id, read)
        for name, seen, active in each.consumers:
            group.set_consumer(name, seen, active)
        for pending in each.pending:
            group.set_pending(pending)
