"""Consumer groups of streams: XGROUP, XACK and XPENDING."""

from typing import Final, cast

from mypy_extensions import i64

from hypercache.backend import STREAM, StreamGroup, StreamValue
from hypercache.commands.arguments import (
    SYNTAX_ERROR,
    format_integer,
    misused,
    parse_integer,
)
from hypercache.commands.stream_ids import (
    following,
    format_id,
    parse_bound,
    parse_id,
    parse_ids,
    parse_start,
    parse_stop,
)
from hypercache.commands.streams import view_stream
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.keyspace.changes import (
    DELIVERED,
    XGROUP_CREATE,
    XGROUP_CREATECONSUMER,
    XGROUP_DELCONSUMER,
    XGROUP_DESTROY,
    XGROUP_MKSTREAM,
    XGROUP_SETID,
    Event,
)
from hypercache.reply import NULL_ARRAY, OK, ErrorReply, Reply, quotable
from hypercache.streams import MAX_ID, MIN_ID, UNKNOWN, Pending

_KEY_REQUIRED: Final = (
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to"
    " use the MKSTREAM option to create an empty stream automatically."
)
# Pending entries that are looked through at a time.
_STEP: Final = 1000


def edit_stream(context: Context, key: bytes, event: Event) -> StreamValue:
    """The stream whose groups XGROUP changes; there must be one."""
    stream = cast(StreamValue | None, context.db.edit(key, STREAM, event))
    if stream is None:
        raise ErrorReply(_KEY_REQUIRED)
    return stream


def no_group(key: bytes, group: bytes) -> ErrorReply:
    """The error where a group of a stream is asked for, and neither need be there."""
    return ErrorReply(
        f"NOGROUP No such key '{quotable(key)}' or consumer group '{quotable(group)}'"
    )


def edit_group(context: Context, args: list[bytes], event: Event) -> StreamGroup:
    """The group that a sub-command of XGROUP names; there must be one."""
    group = edit_stream(context, args[2], event).group(args[3])
    if group is None:
        raise no_such_group(args[2], args[3])
    return group


def no_such_group(key: bytes, group: bytes) -> ErrorReply:
    """The error where the stream is there, but not the group."""
    return ErrorReply(
        f"NOGROUP No such consumer group '{quotable(group)}' for key name '{quotable(key)}'"
    )


class _GroupOptions:
    """The options of XGROUP CREATE and SETID."""

    def __init__(self, args: list[bytes], creating: bool) -> None:
        self.make_stream = False
        self.entries_read: i64 = UNKNOWN
        at = 5
        while at < len(args):
            option = args[at].lower()
            if creating and option == b"mkstream":
                self.make_stream = True
                at += 1
            elif option == b"entriesread" and at + 1 < len(args):
                self.entries_read = parse_integer(args[at + 1])
                if self.entries_read < UNKNOWN:
                    raise ErrorReply("ERR value for ENTRIESREAD must be positive or -1")
                at += 2
            else:
                raise misused(args)


@command(
    'XGROUP CREATE key group id-selector=(id | new-id:"$") [MKSTREAM]'
    " [ENTRIESREAD entries-read:integer]",
    container="XGROUP",
    group="stream",
    since="5.0.0",
    complexity="O(1)",
    flags="write denyoom",
    keys="RW insert",
    history=(("7.0.0", "`ENTRIESREAD`."),),
    summary="Make a consumer group that reads a stream from an id on.",
)
def xgroup_create(context: Context, args: list[bytes]) -> Reply:
    options = _GroupOptions(args, True)
    db = context.db
    stream = cast(StreamValue | None, db.edit(args[2], STREAM, XGROUP_CREATE))
    if stream is None and not options.make_stream:
        raise ErrorReply(_KEY_REQUIRED)
    if len(args) > 8:
        raise misused(args)
    if args[4] == b"$":
        last_id = MIN_ID if stream is None else stream.last_id()
    else:
        last_id = parse_id(args[4])
    if stream is None:
        stream = cast(StreamValue, db.replace(args[2], STREAM, XGROUP_MKSTREAM))
    elif stream.group(args[3]) is not None:
        raise ErrorReply("BUSYGROUP Consumer Group name already exists")
    stream.create_group(args[3], last_id, options.entries_read)
    return OK


@command(
    'XGROUP SETID key group id-selector=(id | new-id:"$")'
    " [ENTRIESREAD entriesread/entries-read:integer]",
    container="XGROUP",
    group="stream",
    since="5.0.0",
    complexity="O(1)",
    flags="write",
    keys="RW update",
    history=(("7.0.0", "`ENTRIESREAD`."),),
    summary="Set the id behind which a consumer group reads on.",
)
def xgroup_setid(context: Context, args: list[bytes]) -> Reply:
    options = _GroupOptions(args, False)
    stream = edit_stream(context, args[2], XGROUP_SETID)
    group = stream.group(args[3])
    if group is None:
        raise no_such_group(args[2], args[3])
    if len(args) > 7:
        raise misused(args)
    last_id = stream.last_id() if args[4] == b"$" else parse_bound(args[4], 0)
    group.set_position(last_id, options.entries_read)
    return OK


@command(
    "XGROUP DESTROY key group",
    container="XGROUP",
    group="stream",
    since="5.0.0",
    complexity="O(N) where N is the number of the group's pending entries",
    flags="write",
    keys="RW delete",
    summary="Remove a consumer group with all that is pending in it.",
)
def xgroup_destroy(context: Context, args: list[bytes]) -> Reply:
    stream = edit_stream(context, args[2], XGROUP_DESTROY)
    return 1 if stream.remove_group(args[3]) else 0


@command(
    "XGROUP CREATECONSUMER key group consumer",
    container="XGROUP",
    group="stream",
    since="6.2.0",
    complexity="O(1)",
    flags="write denyoom",
    keys="RW insert",
    summary="Make a consumer in a group.",
)
def xgroup_createconsumer(context: Context, args: list[bytes]) -> Reply:
    group = edit_group(context, args, XGROUP_CREATECONSUMER)
    if group.consumer(args[4]) is not None:
        return 0
    group.set_consumer(args[4], context.db.changes.moment(), -1)
    return 1


@command(
    "XGROUP DELCONSUMER key group consumer",
    container="XGROUP",
    group="stream",
    since="5.0.0",
    complexity="O(N log N) where N is the number of the consumer's pending entries",
    flags="write",
    keys="RW delete",
    summary="Remove a consumer from a group, and count what was pending for it.",
)
def xgroup_delconsumer(context: Context, args: list[bytes]) -> Reply:
    group = edit_group(context, args, XGROUP_DELCONSUMER)
    consumer = group.consumer(args[4])
    if consumer is None:
        return 0
    group.remove_consumer(args[4])
    return consumer.pending


@command(
    "XACK key group id...",
    group="stream",
    since="5.0.0",
    complexity="O(log N) for each id",
    flags="write fast",
    keys="RW update",
    summary="Acknowledge entries: they are pending in the group no longer.",
)
def xack(context: Context, args: list[bytes]) -> Reply:
    stream = cast(StreamValue | None, context.db.edit_read(args[1], STREAM, DELIVERED))
    group = None if stream is None else stream.group(args[2])
    if group is None:
        return 0
    count = 0
    for entry_id in parse_ids(args, 3):
        if group.remove_pending(entry_id):
            count += 1
    return count


class _PendingFilter:
    """The arguments of XPENDING behind the group: an interval, a number, and conditions."""

    def __init__(self, args: list[bytes]) -> None:
        self.idle: i64 = 0
        at = 3
        if args[3].lower() == b"idle":
            self.idle = parse_integer(args[4])
            if len(args) < 8:
                raise ErrorReply(SYNTAX_ERROR)
            at = 5
        self.count: i64 = parse_integer(args[at + 2])
        self.start = parse_start(args[at])
        self.stop = parse_stop(args[at + 1])
        self.consumer: bytes | None = args[at + 3] if at + 3 < len(args) else None

    def find(self, group: StreamGroup, now: i64) -> list[Pending]:
        """The pending entries that are asked for."""
        found: list[Pending] = []
        if self.consumer is not None and group.consumer(self.consumer) is None:
            return found
        start = self.start
        while len(found) < self.count:
            missing: i64 = self.count - len(found)
            step = min(missing, _STEP) if self.idle == 0 else _STEP
            some = group.pending_range(start, self.stop, step, self.consumer)
            for pending in some:
                if self.idle == 0 or now - pending.time >= self.idle:
                    found.append(pending)
                    if len(found) == self.count:
                        return found
            if len(some) < step or some[len(some) - 1].id == MAX_ID:
                break
            start = following(some[len(some) - 1].id)
        return found


@command(
    "XPENDING key group [filters=([IDLE min-idle-time:integer] start end count:integer"
    " [consumer])]",
    group="stream",
    since="5.0.0",
    complexity="O(log N + M) to look through M pending entries; O(C) to sum up C consumers",
    flags="readonly",
    keys="RO access",
    tips="nondeterministic_output",
    history=(("6.2.0", "`IDLE` and exclusive bounds."),),
    summary="Tell what is pending in a consumer group, in sum or entry by entry.",
)
def xpending(context: Context, args: list[bytes]) -> Reply:
    if len(args) != 3 and (len(args) < 6 or len(args) > 9):
        raise ErrorReply(SYNTAX_ERROR)
    filtered = _PendingFilter(args) if len(args) > 3 else None
    stream = view_stream(context, args[1])
    group = None if stream is None else stream.group(args[2])
    if group is None:
        raise no_group(args[1], args[2])
    if filtered is None:
        return _summary(group)
    now = context.db.changes.now
    replies: list[object] = []
    for pending in filtered.find(group, now):
        idle = max(now - pending.time, 0)
        replies.append([format_id(pending.id), pending.consumer, idle, pending.count])
    return replies


def _summary(group: StreamGroup) -> Reply:
    """The number of pending entries, the ends of their ids, and the number of each consumer."""
    bounds = group.pending_bounds()
    if bounds is None:
        return [0, None, None, NULL_ARRAY]
    consumers: list[object] = []
    for consumer in group.consumers():
        if consumer.pending > 0:
            consumers.append([consumer.name, format_integer(consumer.pending)])
    return [group.pending_count(), format_id(bounds[0]), format_id(bounds[1]), consumers]
