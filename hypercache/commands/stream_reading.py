"""Streams: reading what is new, XREAD for everybody and XREADGROUP for consumers of a group."""

from typing import Final, cast

from mypy_extensions import i64

from hypercache.backend import STREAM, StreamGroup, StreamValue
from hypercache.commands.arguments import SYNTAX_ERROR, parse_integer
from hypercache.commands.stream_effects import claim_effect, position_effect
from hypercache.commands.stream_ids import following, format_id, parse_id, shown_all
from hypercache.commands.streams import ALL, view_stream
from hypercache.commands.waits import deadline_in_microseconds
from hypercache.engine.blocking import KeyWait
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.keyspace.changes import DELIVERED, XGROUP_CREATECONSUMER
from hypercache.keyspace.stream_positions import place_behind
from hypercache.reply import NULL_ARRAY, ErrorReply, PairedMap, Reply, quotable
from hypercache.streams import MAX_ID, MIN_ID, Pending, StreamEntry, wrapped

# Entries of a consumer's history that are looked up at a time.
_HISTORY_STEP: Final = 1000


class ReadOptions:
    """The options of XREAD and XREADGROUP; where the keys begin, and how many they are."""

    def __init__(self, context: Context, args: list[bytes], grouped: bool) -> None:
        self.deadline: i64 = -1
        self.count = ALL
        self.no_ack = False
        self.group: bytes | None = None
        self.consumer = b""
        self.keys_at = 0
        self.streams = 0
        self._read(context, args, grouped)

    def _read(self, context: Context, args: list[bytes], grouped: bool) -> None:
        at = 1
        while self.keys_at == 0 and at < len(args):
            at += self._option(context, args, at, grouped)
        if self.keys_at == 0:
            raise ErrorReply(SYNTAX_ERROR)
        if grouped and self.group is None:
            raise ErrorReply("ERR Missing GROUP option for XREADGROUP")

    def _option(self, context: Context, args: list[bytes], at: int, grouped: bool) -> int:
        """Read one option; how many words it took."""
        option = args[at].lower()
        left = len(args) - at - 1
        if option == b"block" and left > 0:
            if context.caller is not None:
                raise ErrorReply(
                    f"ERR {quotable(args[0])} command is not allowed with BLOCK option from scripts"
                )
            self.deadline = deadline_in_microseconds(args[at + 1], context.db.changes.now)
        elif option == b"count" and left > 0:
            count = parse_integer(args[at + 1])
            self.count = count if count > 0 else ALL
        elif option == b"streams" and left > 0:
            self._find_streams(at + 1, left, grouped)
        elif option == b"group" and left >= 2:
            if not grouped:
                raise ErrorReply(
                    "ERR The GROUP option is only supported by XREADGROUP. You called XREAD"
                    " instead."
                )
            self.group = args[at + 1]
            self.consumer = args[at + 2]
            return 3
        elif option == b"noack":
            if not grouped:
                raise ErrorReply(
                    "ERR The NOACK option is only supported by XREADGROUP. You called XREAD"
                    " instead."
                )
            self.no_ack = True
            return 1
        else:
            raise ErrorReply(SYNTAX_ERROR)
        return 2

    def _find_streams(self, at: int, words: int, grouped: bool) -> None:
        if words % 2 == 1:
            name, newest = ("xreadgroup", ">") if grouped else ("xread", "$")
            raise ErrorReply(
                f"ERR Unbalanced '{name}' list of streams: for each stream key an ID or"
                f" '{newest}' must be specified."
            )
        self.keys_at = at
        self.streams = words // 2

    def wait(self, context: Context, args: list[bytes], keys: list[bytes], on_loss: bool) -> Reply:
        """What is answered when nothing is there: nothing, or wait for it."""
        if self.deadline < 0:
            return NULL_ARRAY
        return KeyWait(context, STREAM, keys, args, self.deadline, NULL_ARRAY, on_loss)


def _resolve(context: Context, key: bytes, text: bytes) -> bytes:
    """The id behind which XREAD reads on."""
    stream = view_stream(context, key)
    if text == b"$":
        return MIN_ID if stream is None else stream.last_id()
    if text == b">":
        raise ErrorReply(
            "ERR The > ID can be specified only when calling XREADGROUP using the GROUP"
            " <group> <consumer> option."
        )
    return parse_id(text)


@command(
    "XREAD [COUNT count:integer] [BLOCK milliseconds:integer] STREAMS (key... id...)",
    group="stream",
    since="5.0.0",
    flags="blocking readonly",
    keys="RO access",
    summary="Return the entries of streams behind given ids, or wait for some.",
)
def xread(context: Context, args: list[bytes]) -> Reply:
    options = ReadOptions(context, args, False)
    count = options.streams
    keys = args[options.keys_at : options.keys_at + count]
    ids: list[bytes] = []
    for index in range(count):
        ids.append(_resolve(context, keys[index], args[options.keys_at + count + index]))
    found: list[tuple[object, object]] = []
    for index in range(count):
        stream = view_stream(context, keys[index])
        if stream is None or stream.last_id() <= ids[index]:
            continue
        entries = stream.range(following(ids[index]), MAX_ID, options.count, False)
        if entries:
            found.append((keys[index], shown_all(entries)))
    if found:
        return PairedMap(found)
    # What means the moment of this call must not mean another when it is run again.
    resolved = args[: options.keys_at + count]
    for entry_id in ids:
        resolved.append(format_id(entry_id))
    return options.wait(context, resolved, keys, False)


def _no_group(key: bytes, group: bytes) -> ErrorReply:
    return ErrorReply(
        f"NOGROUP No such key '{quotable(key)}' or consumer group '{quotable(group)}'"
        " in XREADGROUP with GROUP option"
    )


class GroupReader:
    """One stream of XREADGROUP: its group, and the id behind which to read (None for ``>``)."""

    def __init__(self, context: Context, options: ReadOptions, key: bytes, text: bytes) -> None:
        self.context = context
        self.key = key
        self.name = cast(bytes, options.group)
        self.consumer = options.consumer
        self.no_ack = options.no_ack
        self.count = options.count
        stream = cast(StreamValue | None, context.db.edit_read(key, STREAM, DELIVERED))
        group = None if stream is None else stream.group(self.name)
        if stream is None or group is None:
            raise _no_group(key, self.name)
        self.stream: StreamValue = stream
        self.group: StreamGroup = group
        self.after: bytes | None = None
        if text == b"$":
            raise ErrorReply(
                "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the"
                " history of this consumer by specifying a proper ID, or use the > ID to get new"
                " messages. The $ ID would just return an empty result set."
            )
        if text != b">":
            self.after = parse_id(text)
            if self.after == MAX_ID:
                self.after = None  # as in Redis, which has no other sign for ``>``

    def read(self) -> list[object] | None:
        """What the consumer gets, None if it has to wait for it."""
        stream = self.stream
        changes = self.context.db.changes
        before = stream.changes
        present = self.group.consumer(self.consumer)
        active = -1 if present is None else present.active
        if self.group.set_consumer(self.consumer, changes.now, active):
            changes.notify(self.context.db.index, self.key, XGROUP_CREATECONSUMER)
            self._journal([b"XGROUP", b"CREATECONSUMER", self.key, self.name, self.consumer])
        found: list[object] | None = None
        if self.after is not None:
            found = self._history(self.after)
        elif self.group.last_id() < stream.last_id():
            entries = stream.range(following(self.group.last_id()), MAX_ID, self.count, False)
            if entries:
                self._deliver(entries)
                found = shown_all(entries)
        if stream.changes != before:
            changes.withhold()
        return found

    def _journal(self, args: list[bytes]) -> None:
        self.context.db.changes.rewrite(self.context.db.index, args)

    def _deliver(self, entries: list[StreamEntry]) -> None:
        """New entries go to the consumer: they are pending, and the group is behind them."""
        group = self.group
        changes = self.context.db.changes
        now = changes.now
        read = place_behind(self.stream, entries, group.entries_read())
        group.set_position(entries[len(entries) - 1][0], read)
        if not self.no_ack:
            for entry in entries:
                pending = Pending(entry[0], self.consumer, now, 1)
                group.set_pending(pending)
                if changes.journalled:
                    self._journal(claim_effect(self.key, self.name, pending, pending.id))
            group.set_consumer(self.consumer, now, now)
        self._journal(position_effect(self.key, group))  # claims do not tell what was read

    def _history(self, after: bytes) -> list[object]:
        """The pending entries of the consumer behind an id; null where one is deleted."""
        now = self.context.db.changes.now
        start = following(after)
        found: list[object] = []
        while len(found) < self.count:
            step = min(_HISTORY_STEP, self.count - len(found))
            some = self.group.pending_range(start, MAX_ID, step, self.consumer)
            for pending in some:
                fields = self.stream.get(pending.id)
                found.append((format_id(pending.id), NULL_ARRAY if fields is None else fields))
                if fields is not None:
                    self.group.set_pending(
                        Pending(pending.id, pending.consumer, now, wrapped(int(pending.count) + 1))
                    )
            if len(some) < step or some[len(some) - 1].id == MAX_ID:
                break
            start = following(some[len(some) - 1].id)
        return found


@command(
    "XREADGROUP GROUP group-block=(group consumer) [COUNT count:integer]"
    " [BLOCK milliseconds:integer] [NOACK] STREAMS (key... id...)",
    group="stream",
    since="5.0.0",
    complexity="O(log N + M) for each stream, to return M entries",
    flags="blocking write",
    keys="RO access",
    summary="Hand new entries of streams to a consumer of a group, or return its pending ones.",
)
def xreadgroup(context: Context, args: list[bytes]) -> Reply:
    options = ReadOptions(context, args, True)
    count = options.streams
    keys = args[options.keys_at : options.keys_at + count]
    readers: list[GroupReader] = []
    for index in range(count):
        text = args[options.keys_at + count + index]
        readers.append(GroupReader(context, options, keys[index], text))
    found: list[tuple[object, object]] = []
    for reader in readers:
        entries = reader.read()
        if entries is not None:
            found.append((reader.key, entries))
    if found:
        return PairedMap(found)
    return options.wait(context, args, keys, True)
