"""Streams: adding entries, removing them, and reading them by their ids."""

from typing import Final, cast

from hypercache.backend import STREAM, StreamValue
from hypercache.commands.arguments import NO_SUCH_KEY, SYNTAX_ERROR, parse_integer
from hypercache.commands.stream_ids import (
    format_id,
    next_id,
    next_id_at,
    parse_id,
    parse_ids,
    parse_start,
    parse_stop,
    shown_all,
)
from hypercache.commands.stream_trimming import NONE, Trimming
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.keyspace.changes import XADD, XDEL, XSETID, XTRIM
from hypercache.reply import NULL_ARRAY, OK, ErrorReply, Reply
from hypercache.streams import MAX_ID, MIN_ID

#: So many entries are read where no COUNT is given: all.
ALL: Final = 1 << 62

# An entry's names and values together, in bytes (Redis: STREAM_LISTPACK_MAX_SIZE).
_LARGEST_ENTRY: Final = 1 << 30
# The options of most calls: none, and an id of our own.
_PLAIN: Final = Trimming([b"XADD", b"", b"*"], True)
_NOT_ABOVE: Final = (
    "ERR The ID specified in XADD is equal or smaller than the target stream top item"
)


def view_stream(context: Context, key: bytes) -> StreamValue | None:
    """The stream under a key, to be read."""
    return cast(StreamValue | None, context.db.view(key, STREAM))


def node_entries(context: Context) -> int:
    """stream-node-max-entries of the backend."""
    return context.engine.backend.limits.stream_entries


def _new_id(stream: StreamValue, options: Trimming, context: Context) -> bytes:
    """The id that an entry gets; it is above all others."""
    last = stream.last_id()
    if last == MAX_ID:
        raise ErrorReply(
            "ERR The stream has exhausted the last possible ID, unable to add more items"
        )
    wanted = options.id
    if wanted is None:
        return next_id(last, context.db.changes.moment())
    if not options.id_is_whole:
        wanted = next_id_at(last, wanted)
    if wanted <= last:
        raise ErrorReply(_NOT_ABOVE)
    return wanted


def _check_size(fields: list[bytes]) -> None:
    size = 0
    for field in fields:
        size += len(field)
    if size > _LARGEST_ENTRY:
        raise ErrorReply("ERR Elements are too large to be stored")


@command(
    'XADD key [NOMKSTREAM] [trim=(strategy=(MAXLEN | MINID) [operator=(equal:"=" |'
    ' approximately:"~")] threshold [LIMIT count:integer])] id-selector=(auto-id:"*" | id)'
    " data=(field value)...",
    group="stream",
    since="5.0.0",
    complexity="O(1) to add; O(N) to trim N entries",
    flags="write denyoom fast",
    keys="RW update",
    tips="nondeterministic_output",
    history=(
        ("6.2.0", "`NOMKSTREAM`, `MINID` and `LIMIT`."),
        ("7.0.0", "Ids of the form `<ms>-*`."),
    ),
    summary="Add an entry to a stream, which is made if needed and can be trimmed as well.",
)
def xadd(context: Context, args: list[bytes]) -> Reply:
    options = _PLAIN if args[2] == b"*" else Trimming(args, True)
    fields = args[options.id_at + 1 :]
    if len(fields) < 2 or len(fields) % 2 == 1:
        raise ErrorReply("ERR wrong number of arguments for 'xadd' command")
    if options.id == MIN_ID and options.id_is_whole:
        raise ErrorReply("ERR The ID specified in XADD must be greater than 0-0")
    db = context.db
    stream = cast(StreamValue | None, db.edit(args[1], STREAM, XADD))
    if stream is None:
        if options.no_make:
            return None
        _check_size(fields)
        stream = cast(StreamValue, db.replace(args[1], STREAM, XADD))
    entry_id = _new_id(stream, options, context)
    _check_size(fields)
    stream.append(entry_id, fields)
    if options.strategy != NONE and options.trim(stream, node_entries(context)) > 0:
        db.changes.follow(stream, XTRIM)
    text = format_id(entry_id)
    if db.changes.journalled:
        args = list(args)
        args[options.id_at] = text
        db.changes.rewrite(db.index, options.exact(args, stream))
    return text


@command(
    "XLEN key",
    group="stream",
    since="5.0.0",
    complexity="O(1)",
    flags="readonly fast",
    keys="RO",
    summary="Count the entries of a stream.",
)
def xlen(context: Context, args: list[bytes]) -> Reply:
    stream = view_stream(context, args[1])
    return 0 if stream is None else stream.length()


def _range(context: Context, args: list[bytes], start: bytes, stop: bytes, reverse: bool) -> Reply:
    """What XRANGE and XREVRANGE answer."""
    low = parse_start(start)
    high = parse_stop(stop)
    count = ALL
    for at in range(4, len(args), 2):
        if args[at].lower() != b"count" or at + 1 == len(args):
            raise ErrorReply(SYNTAX_ERROR)
        count = parse_integer(args[at + 1])
    stream = view_stream(context, args[1])
    if stream is None:
        return []
    if count <= 0:
        return NULL_ARRAY
    return shown_all(stream.range(low, high, count, reverse))


@command(
    "XRANGE key start end [COUNT count:integer]",
    group="stream",
    since="5.0.0",
    complexity="O(log N + M) to return M entries",
    flags="readonly",
    keys="RO access",
    history=(("6.2.0", "Exclusive bounds."),),
    summary="Return the entries between two ids.",
)
def xrange(context: Context, args: list[bytes]) -> Reply:
    return _range(context, args, args[2], args[3], False)


@command(
    "XREVRANGE key end start [COUNT count:integer]",
    group="stream",
    since="5.0.0",
    complexity="O(log N + M) to return M entries",
    flags="readonly",
    keys="RO access",
    history=(("6.2.0", "Exclusive bounds."),),
    summary="Return the entries between two ids, the last of them first.",
)
def xrevrange(context: Context, args: list[bytes]) -> Reply:
    return _range(context, args, args[3], args[2], True)


@command(
    "XDEL key id...",
    group="stream",
    since="5.0.0",
    complexity="O(log N) for each id",
    flags="write fast",
    keys="RW delete",
    summary="Remove entries of a stream by their ids, and count them.",
)
def xdel(context: Context, args: list[bytes]) -> Reply:
    stream = cast(StreamValue | None, context.db.edit(args[1], STREAM, XDEL))
    if stream is None:
        return 0
    removed = 0
    for entry_id in parse_ids(args, 2):
        if stream.remove(entry_id):
            removed += 1
    return removed


@command(
    'XTRIM key trim=(strategy=(MAXLEN | MINID) [operator=(equal:"=" | approximately:"~")]'
    " threshold [LIMIT count:integer])",
    group="stream",
    since="5.0.0",
    complexity="O(N) to remove N entries",
    flags="write",
    keys="RW delete",
    tips="nondeterministic_output",
    history=(("6.2.0", "`MINID` and `LIMIT`."),),
    summary="Remove the oldest entries of a stream, by number or by id.",
)
def xtrim(context: Context, args: list[bytes]) -> Reply:
    options = Trimming(args, False)
    db = context.db
    stream = cast(StreamValue | None, db.edit(args[1], STREAM, XTRIM))
    if stream is None:
        return 0
    removed = options.trim(stream, node_entries(context))
    if removed > 0 and options.approximate:
        db.changes.rewrite(db.index, options.exact(args, stream))
    return removed


class _State:
    """The arguments of XSETID."""

    def __init__(self, args: list[bytes]) -> None:
        self.last = parse_id(args[2])
        self.added = -1
        self.deleted = MIN_ID
        for at in range(3, len(args), 2):
            option = args[at].lower()
            if at + 1 == len(args):
                raise ErrorReply(SYNTAX_ERROR)
            if option == b"entriesadded":
                self.added = parse_integer(args[at + 1])
                if self.added < 0:
                    raise ErrorReply("ERR entries_added must be positive")
            elif option == b"maxdeletedid":
                self.deleted = parse_id(args[at + 1])
                if self.last < self.deleted:
                    raise ErrorReply(
                        "ERR The ID specified in XSETID is smaller than the provided"
                        " max_deleted_entry_id"
                    )
            else:
                raise ErrorReply(SYNTAX_ERROR)

    def check(self, stream: StreamValue) -> None:
        """Raise the error of a state that contradicts the entries of a stream."""
        if self.last < stream.max_deleted_id():
            raise ErrorReply(
                "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"
            )
        if stream.length() == 0:
            return
        if self.last < stream.range(MIN_ID, MAX_ID, 1, True)[0][0]:
            raise ErrorReply(
                "ERR The ID specified in XSETID is smaller than the target stream top item"
            )
        if 0 <= self.added < stream.length():
            raise ErrorReply(
                "ERR The entries_added specified in XSETID is smaller than the target stream length"
            )


@command(
    "XSETID key last-id [ENTRIESADDED entries-added:integer] [MAXDELETEDID max-deleted-id]",
    group="stream",
    since="5.0.0",
    complexity="O(1)",
    flags="write denyoom fast",
    keys="RW update",
    history=(("7.0.0", "`ENTRIESADDED` and `MAXDELETEDID`."),),
    summary="Set a stream's last id and counters, as replication needs it.",
)
def xsetid(context: Context, args: list[bytes]) -> Reply:
    state = _State(args)
    stream = cast(StreamValue | None, context.db.edit(args[1], STREAM, XSETID))
    if stream is None:
        raise ErrorReply(NO_SUCH_KEY)
    state.check(stream)
    added = state.added if state.added >= 0 else stream.entries_added()
    deleted = state.deleted if state.deleted != MIN_ID else stream.max_deleted_id()
    stream.set_state(state.last, deleted, added)
    return OK
