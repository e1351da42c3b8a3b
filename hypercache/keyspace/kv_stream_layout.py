"""What is stored of a stream, under its object. Persisted: append only.

| Key | Value |
| --- | --- |
| ``e`` id | the entry's fields and values in turn, each behind its length |
| ``g`` name of a group | its state, and its name in full |
| ``c`` group, name of a consumer | the consumer's number |
| ``k`` group, consumer | the consumer's state, and its name in full |
| ``p`` group, id | a pending entry: its consumer's number, time, count |
| ``q`` group, consumer, id | nothing: the pending entries of one consumer |

An id has 16 bytes; groups and consumers have numbers of six bytes that no other of the same
stream ever had. Names are those of `layout.Namer`.
"""

from struct import Struct
from typing import Final

from mypy_extensions import i64

from hypercache.keyspace.layout import number
from hypercache.streams import MIN_ID

ENTRY: Final = b"e"
GROUP: Final = b"g"
CONSUMER_NAME: Final = b"c"
CONSUMER: Final = b"k"
PENDING: Final = b"p"
PENDING_OF: Final = b"q"

_STATE: Final = Struct(">16s16sqQ")
_GROUP: Final = Struct(">Q16sqQ")
_CONSUMER: Final = Struct(">qqQ")
_PENDING: Final = Struct(">Qqq")
_LENGTH: Final = Struct(">I")


class State:
    """The extra of a stream's record."""

    def __init__(self, raw: bytes) -> None:
        last, deleted, added, following = _STATE.unpack(raw)
        self.last_id: bytes = last
        self.max_deleted_id: bytes = deleted
        self.entries_added: int = added
        #: The number that the next group or consumer gets.
        self.next_number: i64 = following

    def encode(self) -> bytes:
        """The bytes to store."""
        return _STATE.pack(self.last_id, self.max_deleted_id, self.entries_added, self.next_number)


#: The extra of a new stream's record.
NEW_STREAM: Final = _STATE.pack(MIN_ID, MIN_ID, 0, 1)


class GroupState:
    """What is stored of a consumer group."""

    def __init__(
        self, group: i64, last_id: bytes, entries_read: int, pending: i64, name: bytes
    ) -> None:
        self.number = group
        self.last_id = last_id
        self.entries_read = entries_read
        #: Number of pending entries.
        self.pending = pending
        self.name = name

    def encode(self) -> bytes:
        """The bytes to store."""
        state = _GROUP.pack(self.number, self.last_id, self.entries_read, self.pending)
        return state + self.name

    def under(self, tag: bytes) -> bytes:
        """What keys of the group begin with, behind the object."""
        return tag + number(self.number)


def decode_group(raw: bytes) -> GroupState:
    """The state of a group."""
    group, last_id, entries_read, pending = _GROUP.unpack_from(raw)
    return GroupState(group, last_id, entries_read, pending, raw[_GROUP.size :])


class ConsumerState:
    """What is stored of a consumer."""

    def __init__(self, seen: i64, active: i64, pending: i64, name: bytes) -> None:
        self.seen = seen
        self.active = active
        #: Number of its pending entries.
        self.pending = pending
        self.name = name

    def encode(self) -> bytes:
        """The bytes to store."""
        return _CONSUMER.pack(self.seen, self.active, self.pending) + self.name


def decode_consumer(raw: bytes) -> ConsumerState:
    """The state of a consumer."""
    seen, active, pending = _CONSUMER.unpack_from(raw)
    return ConsumerState(seen, active, pending, raw[_CONSUMER.size :])


def encode_pending(consumer: bytes, time: i64, count: i64) -> bytes:
    """What is stored of a pending entry; the consumer by its number."""
    return _PENDING.pack(int.from_bytes(consumer, "big"), time, count)


def decode_pending(raw: bytes) -> tuple[bytes, i64, i64]:
    """Number of the consumer, time and count of a pending entry."""
    consumer, time, count = _PENDING.unpack(raw)
    return number(consumer), time, count


def encode_fields(fields: list[bytes]) -> bytes:
    """What is stored of an entry."""
    parts: list[bytes] = []
    for field in fields:
        parts.append(_LENGTH.pack(len(field)))
        parts.append(field)
    return b"".join(parts)


def decode_fields(raw: bytes) -> list[bytes]:
    """Fields and values of an entry."""
    fields: list[bytes] = []
    at = 0
    end = len(raw)
    while at < end:
        start = at + 4
        at = start + int(_LENGTH.unpack_from(raw, at)[0])
        fields.append(raw[start:at])
    return fields
