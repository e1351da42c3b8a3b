"""How far a consumer group has read: the counters behind XINFO's entries-read and lag.

A group's *entries-read* is the place of its last id among all entries that the stream ever
had. It is known as long as nothing was deleted ahead of the group; where it is not, it can
be told again at the ends of the stream. Source: XINFO GROUPS in Redis' documentation.
"""

from hypercache.backend import StreamGroup, StreamValue
from hypercache.streams import MIN_ID, UNKNOWN, StreamEntry, wrapped


def has_gap_after(stream: StreamValue, entry_id: bytes) -> bool:
    """Whether entries between an id and the end may have been deleted."""
    deleted = stream.max_deleted_id()
    if stream.length() == 0 or deleted == MIN_ID or stream.first_id() > deleted:
        return False
    return entry_id <= deleted


def place_of(stream: StreamValue, entry_id: bytes) -> int:
    """The place of an id among all entries ever added, or ``UNKNOWN``."""
    added = stream.entries_added()
    last = stream.last_id()
    if added == 0 or entry_id == last or (stream.length() == 0 and entry_id < last):
        return added
    if entry_id > last:
        return UNKNOWN
    first = stream.first_id()
    deleted = stream.max_deleted_id()
    if deleted == MIN_ID or deleted < first:
        if entry_id < first:
            return wrapped(added - stream.length())
        if entry_id == first:
            return wrapped(added - stream.length() + 1)
    return UNKNOWN


def place_behind(stream: StreamValue, entries: list[StreamEntry], read: int) -> int:
    """A group's entries-read when it has got some entries; ``read`` is what it was before."""
    count = len(entries)
    for index in range(count):
        if read != UNKNOWN and not has_gap_after(stream, entries[index][0]):
            return wrapped(read + count - index)  # nor is there a gap behind those that follow
        if stream.entries_added() > 0:
            read = place_of(stream, entries[index][0])
    return read


def lag(stream: StreamValue, group: StreamGroup) -> int | None:
    """Number of entries that a group has still to read; None if it cannot be known."""
    added = stream.entries_added()
    if added == 0:
        return 0
    read = group.entries_read()
    if read == UNKNOWN or has_gap_after(stream, group.last_id()):
        read = place_of(stream, group.last_id())
    return None if read == UNKNOWN else wrapped(added - read)
