# mypyc: interpreted
"""XINFO: what there is to know of streams, their groups and consumers."""

from hypercache.backend import StreamGroup, StreamValue
from hypercache.commands.arguments import NO_SUCH_KEY, misused, parse_integer
from hypercache.commands.stream_groups import no_such_group
from hypercache.commands.stream_ids import format_id, shown, shown_all
from hypercache.commands.streams import ALL, view_stream
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.keyspace.stream_positions import lag
from hypercache.reply import ErrorReply, Reply
from hypercache.streams import MAX_ID, MIN_ID, UNKNOWN

# Entries that XINFO STREAM FULL shows where no COUNT is given.
_DEFAULT_COUNT = 10


def _existing(context: Context, key: bytes) -> StreamValue:
    """The stream under a key; there must be one."""
    stream = view_stream(context, key)
    if stream is None:
        raise ErrorReply(NO_SUCH_KEY)
    return stream


def _known(count: int) -> int | None:
    return None if count == UNKNOWN else count


@command(
    "XINFO STREAM key [full-block=(FULL [COUNT count:integer])]",
    container="XINFO",
    group="stream",
    since="5.0.0",
    complexity="O(1); FULL: O(N) for what it returns",
    flags="readonly",
    keys="RO access",
    history=(
        ("6.0.0", "`FULL`."),
        (
            "7.0.0",
            "The fields `max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`,"
            " `entries-read` and `lag`.",
        ),
        ("7.2.0", "The field `active-time`; `seen-time` has another meaning."),
    ),
    summary="Describe a stream, in full with its entries and groups.",
)
def xinfo_stream(context: Context, args: list[bytes]) -> Reply:
    stream = _existing(context, args[2])
    is_full = len(args) > 3
    count = _full_count(args) if is_full else 0
    nodes = stream.nodes()
    # Redis keeps nodes in a radix tree, whose own nodes it counts; ours are in a row.
    fields: dict[object, object] = {
        b"length": stream.length(),
        b"radix-tree-keys": nodes,
        b"radix-tree-nodes": nodes + 1,
        b"last-generated-id": format_id(stream.last_id()),
        b"max-deleted-entry-id": format_id(stream.max_deleted_id()),
        b"entries-added": stream.entries_added(),
        b"recorded-first-entry-id": format_id(stream.first_id()),
    }
    if is_full:
        fields[b"entries"] = shown_all(stream.range(MIN_ID, MAX_ID, count, False))
        fields[b"groups"] = [_full_group(stream, group, count) for group in stream.groups()]
        return fields
    fields[b"groups"] = len(stream.groups())
    for name, reverse in ((b"first-entry", False), (b"last-entry", True)):
        entries = stream.range(MIN_ID, MAX_ID, 1, reverse)
        fields[name] = shown(entries[0]) if entries else None
    return fields


def _full_count(args: list[bytes]) -> int:
    """The number behind FULL COUNT."""
    words = [word.lower() for word in args[3:]]
    if words == [b"full"]:
        return _DEFAULT_COUNT
    if len(words) != 3 or words[:2] != [b"full", b"count"]:
        raise misused(args)
    count = parse_integer(args[5])
    if count < 0:
        return _DEFAULT_COUNT
    return count if count > 0 else ALL


def _full_group(stream: StreamValue, group: StreamGroup, count: int) -> dict[object, object]:
    pending = group.pending_range(MIN_ID, MAX_ID, count, None)
    consumers: list[object] = []
    for consumer in group.consumers():
        own = group.pending_range(MIN_ID, MAX_ID, count, consumer.name)
        consumers.append(
            {
                b"name": consumer.name,
                b"seen-time": consumer.seen,
                b"active-time": consumer.active,
                b"pel-count": consumer.pending,
                b"pending": [[format_id(each.id), each.time, each.count] for each in own],
            }
        )
    return {
        b"name": group.name(),
        b"last-delivered-id": format_id(group.last_id()),
        b"entries-read": _known(group.entries_read()),
        b"lag": lag(stream, group),
        b"pel-count": group.pending_count(),
        b"pending": [
            [format_id(each.id), each.consumer, each.time, each.count] for each in pending
        ],
        b"consumers": consumers,
    }


@command(
    "XINFO GROUPS key",
    container="XINFO",
    group="stream",
    since="5.0.0",
    complexity="O(G) where G is the number of groups",
    flags="readonly",
    keys="RO access",
    history=(("7.0.0", "The fields `entries-read` and `lag`."),),
    summary="Describe the consumer groups of a stream.",
)
def xinfo_groups(context: Context, args: list[bytes]) -> Reply:
    stream = _existing(context, args[2])
    replies: list[object] = []
    for group in stream.groups():
        replies.append(
            {
                b"name": group.name(),
                b"consumers": len(group.consumers()),
                b"pending": group.pending_count(),
                b"last-delivered-id": format_id(group.last_id()),
                b"entries-read": _known(group.entries_read()),
                b"lag": lag(stream, group),
            }
        )
    return replies


@command(
    "XINFO CONSUMERS key group",
    container="XINFO",
    group="stream",
    since="5.0.0",
    complexity="O(C) where C is the number of consumers",
    flags="readonly",
    keys="RO access",
    tips="nondeterministic_output",
    history=(("7.2.0", "The field `inactive`."),),
    summary="Describe the consumers of a group.",
)
def xinfo_consumers(context: Context, args: list[bytes]) -> Reply:
    group = _existing(context, args[2]).group(args[3])
    if group is None:
        raise no_such_group(args[2], args[3])
    now = context.db.changes.now
    replies: list[object] = []
    for consumer in group.consumers():
        replies.append(
            {
                b"name": consumer.name,
                b"pending": consumer.pending,
                b"idle": max(now - consumer.seen, 0),
                b"inactive": -1 if consumer.active == -1 else now - consumer.active,
            }
        )
    return replies
