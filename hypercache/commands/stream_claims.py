"""Pending entries that change hands: XCLAIM and XAUTOCLAIM."""

from typing import Final, cast

from mypy_extensions import i64

from hypercache.backend import STREAM, StreamGroup, StreamValue
from hypercache.commands.arguments import MAX_I64, SYNTAX_ERROR, parse_integer
from hypercache.commands.stream_effects import claim_effect, position_effect
from hypercache.commands.stream_groups import no_group
from hypercache.commands.stream_ids import following, format_id, parse_id, parse_start
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.keyspace.changes import DELIVERED, XGROUP_CREATECONSUMER
from hypercache.reply import ErrorReply, Reply, quotable
from hypercache.streams import MAX_ID, MIN_ID, Pending, wrapped

# XAUTOCLAIM looks at so many pending entries for each that it may return.
_ATTEMPTS: Final = 10
_HIGHEST_COUNT: Final = MAX_I64 // 16
# Pending entries that are fetched at a time.
_STEP: Final = 1000


class Claimer:
    """Takes pending entries of a group for a consumer, and writes down what the journal gets.

    ``time`` and ``count`` are what a claimed entry has then; a count below 0 leaves it to
    go up by one, and where only ids are returned, to stay.
    """

    def __init__(self, context: Context, args: list[bytes], group: StreamGroup) -> None:
        self.changes = context.db.changes
        self.database = context.db.index
        self.key = args[1]
        self.group = group
        self.consumer = args[3]
        self.just_ids = False
        self.time: i64 = self.changes.moment()
        self.count: i64 = -1

    def begin(self) -> None:
        """The consumer is there, and was seen now."""
        present = self.group.consumer(self.consumer)
        active = -1 if present is None else present.active
        if self.group.set_consumer(self.consumer, self.changes.moment(), active):
            self.changes.notify(self.database, self.key, XGROUP_CREATECONSUMER)
            name = self.group.name()
            self.changes.rewrite(
                self.database, [b"XGROUP", b"CREATECONSUMER", self.key, name, self.consumer]
            )

    def claim(self, stream: StreamValue, entry_id: bytes, old: Pending | None) -> object | None:
        """Take an entry, and show it; None when the stream has it no more."""
        fields = stream.get(entry_id)
        if fields is None:
            return None
        count = self.count
        if count < 0:
            count = 1 if old is None else old.count
            if not self.just_ids:
                count = wrapped(int(count) + 1)
        pending = Pending(entry_id, self.consumer, self.time, count)
        self.group.set_pending(pending)
        moment = self.changes.moment()
        self.group.set_consumer(self.consumer, moment, moment)
        self.journal(pending)
        text = format_id(entry_id)
        return text if self.just_ids else (text, fields)

    def drop(self, pending: Pending) -> None:
        """A pending entry is no more in the stream: nobody can have it."""
        self.journal(pending)
        self.group.remove_pending(pending.id)

    def journal(self, pending: Pending) -> None:
        """Journal how an entry is pending; claiming one that is deleted removes it."""
        if self.changes.journalled:
            last_id = self.group.last_id()
            effect = claim_effect(self.key, self.group.name(), pending, last_id)
            self.changes.rewrite(self.database, effect)


class _ClaimOptions:
    """The ids of XCLAIM, and the options behind them."""

    def __init__(self, args: list[bytes], now: i64) -> None:
        self.ids: list[bytes] = []
        self.time: i64 = -1
        self.count: i64 = -1
        self.force = False
        self.just_ids = False
        self.last_id = MIN_ID
        at = 5
        while at < len(args):
            try:
                self.ids.append(parse_id(args[at]))
            except ErrorReply:
                break  # an option, or nothing that is known
            at += 1
        while at < len(args):
            at += self._option(args, at, now)
        if self.time < 0 or self.time > now:
            self.time = now

    def _option(self, args: list[bytes], at: int, now: i64) -> int:
        """Read one option; how many words it took."""
        option = args[at].lower()
        if option == b"force":
            self.force = True
            return 1
        if option == b"justid":
            self.just_ids = True
            return 1
        if at + 1 == len(args) or option not in (b"idle", b"time", b"retrycount", b"lastid"):
            raise ErrorReply(f"ERR Unrecognized XCLAIM option '{quotable(args[at])}'")
        if option == b"lastid":
            self.last_id = parse_id(args[at + 1])
            return 2
        name = option.decode().upper()
        number = parse_integer(args[at + 1], f"ERR Invalid {name} option argument for XCLAIM")
        if option == b"idle":
            self.time = now - number if number >= 0 else now
        elif option == b"time":
            self.time = number
        else:
            self.count = number
        return 2


def _edit(context: Context, args: list[bytes]) -> tuple[StreamValue, StreamGroup]:
    """The stream and the group whose entries are claimed."""
    stream = cast(StreamValue | None, context.db.edit_read(args[1], STREAM, DELIVERED))
    group = None if stream is None else stream.group(args[2])
    if stream is None or group is None:
        raise no_group(args[1], args[2])
    return stream, group


@command(
    "XCLAIM key group consumer min-idle-time id... [IDLE ms:integer]"
    " [TIME unix-time-milliseconds:unix-time] [RETRYCOUNT count:integer] [FORCE] [JUSTID]"
    " [LASTID lastid]",
    group="stream",
    since="5.0.0",
    complexity="O(log N) for each id",
    flags="write fast",
    keys="RW update",
    tips="nondeterministic_output",
    summary="Make a consumer the one for whom given entries are pending.",
)
def xclaim(context: Context, args: list[bytes]) -> Reply:
    stream, group = _edit(context, args)
    least = parse_integer(args[4], "ERR Invalid min-idle-time argument for XCLAIM")
    changes = context.db.changes
    options = _ClaimOptions(args, changes.moment())
    before = stream.changes
    claimer = Claimer(context, args, group)
    claimer.time = options.time
    claimer.count = options.count
    claimer.just_ids = options.just_ids
    moved = options.last_id > group.last_id()
    if moved:
        group.set_position(options.last_id, group.entries_read())
    claimer.begin()
    found: list[object] = []
    touched = 0
    for entry_id in options.ids:
        old = group.pending(entry_id)
        if old is None and not options.force:
            continue
        if old is not None and least > 0 and changes.moment() - old.time < least:
            if stream.get(entry_id) is not None:
                continue
            claimer.drop(old)
            touched += 1
            continue
        entry = claimer.claim(stream, entry_id, old)
        if entry is not None:
            found.append(entry)
            touched += 1
        elif old is not None:
            claimer.drop(old)
            touched += 1
    if moved and touched == 0:
        changes.rewrite(context.db.index, position_effect(args[1], group))
    if stream.changes != before:
        changes.withhold()
    return found


class _AutoClaim:
    """One call of XAUTOCLAIM: goes through the pending entries of a group from an id on."""

    def __init__(self, args: list[bytes]) -> None:
        self.least: i64 = parse_integer(
            args[4], "ERR Invalid min-idle-time argument for XAUTOCLAIM"
        )
        self.start = parse_start(args[5])
        self.count: i64 = 100
        self.just_ids = False
        self.found: list[object] = []
        self.deleted: list[object] = []
        at = 6
        while at < len(args):
            option = args[at].lower()
            if option == b"count" and at + 1 < len(args):
                self.count = _parse_count(args[at + 1])
                at += 2
            elif option == b"justid":
                self.just_ids = True
                at += 1
            else:
                raise ErrorReply(SYNTAX_ERROR)

    def run(self, stream: StreamValue, claimer: Claimer) -> bytes:
        """Claim what has been idle long enough; the id at which to go on, ``MIN_ID`` at the end."""
        start = self.start
        attempts = self.count * _ATTEMPTS
        missing = self.count
        while True:
            # One more than may be looked at, for it is where the next call goes on.
            step = min(min(attempts, missing), _STEP) + 1
            some = claimer.group.pending_range(start, MAX_ID, step, None)
            for index in range(len(some)):
                pending = some[index]
                if attempts == 0 or missing == 0:
                    return pending.id
                attempts -= 1
                if self._take(stream, claimer, pending):
                    missing -= 1
            if len(some) < step or some[len(some) - 1].id == MAX_ID:
                return MIN_ID
            start = following(some[len(some) - 1].id)

    def _take(self, stream: StreamValue, claimer: Claimer, pending: Pending) -> bool:
        """Claim one entry, or drop it when it is deleted; False when it has not been idle."""
        if self.least > 0 and claimer.changes.moment() - pending.time < self.least:
            if stream.get(pending.id) is not None:
                return False
            entry: object = None
        else:
            entry = claimer.claim(stream, pending.id, pending)
        if entry is not None:
            self.found.append(entry)
        else:
            claimer.drop(pending)
            self.deleted.append(format_id(pending.id))
        return True


def _parse_count(text: bytes) -> i64:
    count = parse_integer(text, "ERR COUNT must be > 0")
    if count < 1 or count > _HIGHEST_COUNT:
        raise ErrorReply("ERR COUNT must be > 0")
    return count


@command(
    "XAUTOCLAIM key group consumer min-idle-time start [COUNT count:integer] [JUSTID]",
    group="stream",
    since="6.2.0",
    complexity="O(M log N) for M entries that are looked at",
    flags="write fast",
    keys="RW delete",
    tips="nondeterministic_output",
    history=(("7.0.0", "The ids of deleted entries that were pending no longer."),),
    summary="Make a consumer the one for whom entries are pending that were idle for long.",
)
def xautoclaim(context: Context, args: list[bytes]) -> Reply:
    search = _AutoClaim(args)
    stream, group = _edit(context, args)
    before = stream.changes
    claimer = Claimer(context, args, group)
    claimer.just_ids = search.just_ids
    claimer.begin()
    cursor = search.run(stream, claimer)
    if stream.changes != before:
        context.db.changes.withhold()
    return [format_id(cursor), search.found, search.deleted]
