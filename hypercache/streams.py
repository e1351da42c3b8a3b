"""Streams: the part of the Backend contract for logs of entries and their consumer groups.

An *id* is 16 bytes here: milliseconds and sequence number, each as 64 bits without sign,
big-endian, so that ids compare as Redis' do. Times are Unix milliseconds.

The general rules of `hypercache.values` hold. What a method of a `StreamGroup` changes
counts as a change of its stream: one for each call, whatever goes with it.
"""

from typing import Final

from mypy_extensions import i64, mypyc_attr

from hypercache.values import STREAM, Value

#: The lowest and the highest id.
MIN_ID: Final = bytes(16)
MAX_ID: Final = b"\xff" * 16
#: `StreamGroup.entries_read` when it cannot be known.
UNKNOWN: Final = -1


def wrapped(count: int) -> int:
    """A counter as 64 bits with sign hold it: behind the highest comes the lowest, as in Redis.

    Clients may set counters to anything (XSETID, XGROUP SETID, XCLAIM).
    """
    if -(1 << 63) <= count < 1 << 63:
        return count
    return (count + (1 << 63)) % (1 << 64) - (1 << 63)


#: An entry: its id, and its fields and values in turn.
StreamEntry = tuple[bytes, list[bytes]]


class Pending:
    """An entry that was delivered to a consumer and not acknowledged yet (XPENDING).

    Once made it is not changed: `StreamGroup.set_pending` puts another in its place.
    """

    __slots__ = ("consumer", "count", "id", "time")

    def __init__(self, id_: bytes, consumer: bytes, time: i64, count: i64) -> None:
        self.id = id_
        self.consumer = consumer
        #: When it was delivered last.
        self.time = time
        #: How often it was delivered.
        self.count = count


class Consumer:
    """A consumer of a group as it is now; ``active`` is -1 until it got its first entry.

    ``seen`` is when it was last named, ``active`` when it last got something (XINFO CONSUMERS).
    """

    __slots__ = ("active", "name", "pending", "seen")

    def __init__(self, name: bytes, seen: i64, active: i64, pending: i64) -> None:
        self.name = name
        self.seen = seen
        self.active = active
        #: Number of its pending entries.
        self.pending = pending


@mypyc_attr(allow_interpreted_subclasses=True)
class StreamGroup:
    """A consumer group of a stream; what it hands out is only changed by its methods.

    A group that was removed is not used afterwards.
    """

    def name(self) -> bytes:
        """The group's name."""
        raise NotImplementedError

    def last_id(self) -> bytes:
        """The id delivered last."""
        raise NotImplementedError

    def entries_read(self) -> int:
        """The logical number of entries read so far, or ``UNKNOWN`` (Redis: entries-read)."""
        raise NotImplementedError

    def set_position(self, last_id: bytes, entries_read: int) -> None:
        """Set both (XGROUP SETID, XREADGROUP)."""
        raise NotImplementedError

    def pending_count(self) -> int:
        """Number of pending entries of all consumers; O(1)."""
        raise NotImplementedError

    def pending(self, entry_id: bytes) -> Pending | None:
        """The pending entry of an id, or None; O(log n)."""
        raise NotImplementedError

    def set_pending(self, pending: Pending) -> None:
        """Add a pending entry, or replace that of its id, whoever has it; O(log n).

        Its consumer exists.
        """
        raise NotImplementedError

    def remove_pending(self, entry_id: bytes) -> bool:
        """Remove a pending entry (XACK); False when there is none. O(log n)."""
        raise NotImplementedError

    def pending_bounds(self) -> tuple[bytes, bytes] | None:
        """The lowest and the highest id of pending entries, None when there are none. O(log n)."""
        raise NotImplementedError

    def pending_range(
        self, start: bytes, stop: bytes, limit: i64, consumer: bytes | None
    ) -> list[Pending]:
        """The first ``limit`` pending entries with ``start <= id <= stop``, in order.

        Those of one consumer if it is named: O(log n + m) of its own.
        """
        raise NotImplementedError

    def consumers(self) -> list[Consumer]:
        """All consumers, by name."""
        raise NotImplementedError

    def consumer(self, name: bytes) -> Consumer | None:
        """A consumer, or None; O(1) or O(log n)."""
        raise NotImplementedError

    def set_consumer(self, name: bytes, seen: i64, active: i64) -> bool:
        """Create a consumer, or set its times; True when it is new.

        Setting the times alone is no change: Redis neither counts nor repeats it.
        """
        raise NotImplementedError

    def remove_consumer(self, name: bytes) -> bool:
        """Remove a consumer and its pending entries; False when there is none."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class StreamValue(Value):
    """A log of entries in the order of their ids, with consumer groups.

    It stays when it is empty (Redis keeps a stream whose entries are gone).
    """

    def __init__(self) -> None:
        super().__init__(STREAM)

    def first_id(self) -> bytes:
        """The lowest id of an entry, ``MIN_ID`` when there is none; O(1) or O(log n)."""
        raise NotImplementedError

    def last_id(self) -> bytes:
        """The highest id ever added, ``MIN_ID`` at first."""
        raise NotImplementedError

    def max_deleted_id(self) -> bytes:
        """The highest id ever removed from within (XDEL), ``MIN_ID`` at first."""
        raise NotImplementedError

    def entries_added(self) -> int:
        """Number of entries ever added; it is `wrapped`."""
        raise NotImplementedError

    def set_state(self, last_id: bytes, max_deleted_id: bytes, entries_added: int) -> None:
        """Set these three (XSETID); counts as one change."""
        raise NotImplementedError

    def append(self, entry_id: bytes, fields: list[bytes]) -> None:
        """Add an entry with an id above `last_id`, which it becomes; counts `entries_added`.

        O(1) amortised, O(log n) in a store of its own.
        """
        raise NotImplementedError

    def get(self, entry_id: bytes) -> list[bytes] | None:
        """Fields and values of an entry, or None; O(log n)."""
        raise NotImplementedError

    def range(self, start: bytes, stop: bytes, limit: i64, reverse: bool) -> list[StreamEntry]:
        """The first ``limit`` entries with ``start <= id <= stop``, in order of their ids.

        With ``reverse`` the last ``limit`` of them, the highest first. O(log n + m).
        """
        raise NotImplementedError

    def remove(self, entry_id: bytes) -> bool:
        """Remove an entry (XDEL); False when it is not there. O(log n).

        A higher id than `max_deleted_id` becomes that; trimming leaves it alone.
        """
        raise NotImplementedError

    def remove_first(self, count: i64) -> None:
        """Remove the first ``count`` <= length() entries (XTRIM MAXLEN); O(count)."""
        raise NotImplementedError

    def remove_below(self, entry_id: bytes) -> int:
        """Remove the entries with lower ids (XTRIM MINID); how many. O(that + log n)."""
        raise NotImplementedError

    def first_node(self) -> tuple[int, bytes]:
        """Number of entries in the node that is cheap to drop as a whole, and its last id.

        What trimming with ``~`` removes at a time; the stream is not empty. A store without
        nodes answers for as many entries as it likes to remove at a time.
        """
        raise NotImplementedError

    def nodes(self) -> int:
        """Number of nodes (XINFO STREAM): 0 when empty, at most one an entry."""
        raise NotImplementedError

    def groups(self) -> list[StreamGroup]:
        """All consumer groups, by name."""
        raise NotImplementedError

    def group(self, name: bytes) -> StreamGroup | None:
        """A consumer group, or None; O(1) or O(log n)."""
        raise NotImplementedError

    def create_group(self, name: bytes, last_id: bytes, entries_read: int) -> StreamGroup:
        """Create a consumer group under a name that is free."""
        raise NotImplementedError

    def remove_group(self, name: bytes) -> bool:
        """Remove a consumer group with all it has; False when there is none."""
        raise NotImplementedError
