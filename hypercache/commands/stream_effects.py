"""What the journal gets of a consumer group's changes: commands that repeat them exactly."""

from hypercache.backend import StreamGroup
from hypercache.commands.arguments import format_integer
from hypercache.commands.stream_ids import format_id
from hypercache.streams import Pending


def claim_effect(key: bytes, group: bytes, pending: Pending, last_id: bytes) -> list[bytes]:
    """An entry is pending like this; the group has delivered up to ``last_id``."""
    return [
        b"XCLAIM",
        key,
        group,
        pending.consumer,
        b"0",
        format_id(pending.id),
        b"TIME",
        format_integer(pending.time),
        b"RETRYCOUNT",
        format_integer(pending.count),
        b"FORCE",
        b"JUSTID",
        b"LASTID",
        format_id(last_id),
    ]


def position_effect(key: bytes, group: StreamGroup) -> list[bytes]:
    """A group has delivered up to its last id, none of it pending (NOACK)."""
    return [
        b"XGROUP",
        b"SETID",
        key,
        group.name(),
        format_id(group.last_id()),
        b"ENTRIESREAD",
        format_integer(group.entries_read()),
    ]
