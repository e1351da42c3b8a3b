"""Sorted sets: distinct members with scores, in the order of their scores, under one key."""

from typing import Final, cast

from mypy_extensions import i64

from hypercache.backend import ZSET, ZSetValue
from hypercache.commands.arguments import (
    MAX_I64,
    SYNTAX_ERROR,
    parse_between,
)
from hypercache.commands.doubles import parse_double
from hypercache.commands.scanning import ScanOptions, parse_cursor
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.keyspace.changes import ZADD, ZINCR, ZREM, Event
from hypercache.keyspace.clock import Chance
from hypercache.keyspace.glob import matches
from hypercache.reply import NULL_ARRAY, ErrorReply, Pairs, Reply, format_double, printable

_NOT_A_NUMBER: Final = "ERR resulting score is not a number (NaN)"
_OUT_OF_RANGE: Final = "ERR value is out of range"

# Words of ZADD stand in front of a score that does not begin with a letter.
_LETTERS: Final = 65
# Members that ZRANDMEMBER returns at the most when it may repeat them.
_REPEATED: Final[i64] = 1 << 24


def view_zset(context: Context, key: bytes) -> ZSetValue | None:
    """The sorted set under a key, to be read."""
    return cast(ZSetValue | None, context.db.view(key, ZSET))


def edit_zset(context: Context, key: bytes, event: Event) -> ZSetValue | None:
    """The sorted set under a key, to be changed; None if there is none."""
    return cast(ZSetValue | None, context.db.edit(key, ZSET, event))


class AddOptions:
    """When ZADD sets a score, and what it answers; ``at`` is where scores begin."""

    def __init__(self, args: list[bytes]) -> None:
        self.absent = False
        self.present = False
        self.greater = False
        self.less = False
        self.changed = False
        self.increment = False
        self.at = 2
        while self.at < len(args) and self._take(args[self.at].lower()):
            self.at += 1
        if self.at == len(args) or (len(args) - self.at) % 2 == 1:
            raise ErrorReply(SYNTAX_ERROR)
        if self.absent and self.present:
            raise ErrorReply("ERR XX and NX options at the same time are not compatible")
        if self.greater + self.less + self.absent > 1:
            raise ErrorReply("ERR GT, LT, and/or NX options at the same time are not compatible")
        if self.increment and len(args) - self.at > 2:
            raise ErrorReply("ERR INCR option supports a single increment-element pair")

    def _take(self, word: bytes) -> bool:
        if word == b"nx":
            self.absent = True
        elif word == b"xx":
            self.present = True
        elif word == b"gt":
            self.greater = True
        elif word == b"lt":
            self.less = True
        elif word == b"ch":
            self.changed = True
        elif word == b"incr":
            self.increment = True
        else:
            return False
        return True

    def let(self, old: float | None, new: float) -> bool:
        """Whether a member's score may become another; ``old`` is None for a new member."""
        if old is None:
            return not self.present
        return not (self.absent or (self.less and new >= old) or (self.greater and new <= old))


@command(
    "ZADD key [condition=(NX | XX)] [comparison=(GT | LT)] [change:CH] [increment:INCR]"
    " data=(score:double member)...",
    group="sorted-set",
    since="1.2.0",
    complexity="O(log(N)) for each member added, where N is the number of members",
    flags="write denyoom fast",
    keys="RW update",
    history=(
        ("2.4.0", "More than one member."),
        ("3.0.2", "The options `XX`, `NX`, `CH` and `INCR`."),
        ("6.2.0", "The options `GT` and `LT`."),
    ),
    summary="Add members to a sorted set, or change their scores.",
)
def zadd(context: Context, args: list[bytes]) -> Reply:
    first = args[2]
    if len(args) % 2 == 0 and first and first[0] < _LETTERS:
        return _add(context, args)
    options = AddOptions(args)
    if options.increment:
        score = parse_double(args[options.at])
        return increment(context, args[1], args[options.at + 1], score, options)
    return _add_with(context, args, options)


def _add(context: Context, args: list[bytes]) -> int:
    """ZADD without options."""
    count: i64 = len(args)
    score = parse_double(args[2])
    if count == 4:
        members = cast(ZSetValue, context.db.make(args[1], ZSET, ZADD))
        return 1 if members.set(args[3], score) else 0
    scores = [score]
    at: i64 = 4
    while at < count:
        scores.append(parse_double(args[at]))
        at += 2
    members = cast(ZSetValue, context.db.make(args[1], ZSET, ZADD))
    added = 0
    at = 3
    for score in scores:
        if members.set(args[at], score):
            added += 1
        at += 2
    return added


def _add_with(context: Context, args: list[bytes], options: AddOptions) -> int:
    scores = [parse_double(args[at]) for at in range(options.at, len(args), 2)]
    members = edit_zset(context, args[1], ZADD)
    if members is None:
        if options.present:
            return 0
        members = cast(ZSetValue, context.db.make(args[1], ZSET, ZADD))
    before: i64 = members.changes
    added = 0
    at = options.at + 1
    for score in scores:
        member = args[at]
        if options.let(members.score(member), score) and members.set(member, score):
            added += 1
        at += 2
    return int(members.changes - before) if options.changed else added


@command(
    "ZINCRBY key increment:integer member",
    group="sorted-set",
    since="1.2.0",
    complexity="O(log(N)) where N is the number of members",
    flags="write denyoom fast",
    keys="RW access update",
    summary="Add to the score of a member, which counts as 0 while there is none.",
)
def zincrby(context: Context, args: list[bytes]) -> Reply:
    return increment(context, args[1], args[3], parse_double(args[2]), None)


def increment(
    context: Context, key: bytes, member: bytes, delta: float, options: AddOptions | None
) -> Reply:
    """Add to a member's score if the options let it; the new score, or null."""
    members = edit_zset(context, key, ZINCR)
    old = None if members is None else members.score(member)
    if old is not None and options is not None and options.absent:
        return None
    score = delta if old is None else old + delta
    if score != score:
        raise ErrorReply(_NOT_A_NUMBER)
    if options is not None and not options.let(old, score):
        return None
    if members is None:
        members = cast(ZSetValue, context.db.make(key, ZSET, ZINCR))
    members.set(member, score)
    return score


@command(
    "ZREM key member...",
    group="sorted-set",
    since="1.2.0",
    complexity="O(M*log(N)) where N is the number of members and M that of those named",
    flags="write fast",
    keys="RW delete",
    history=(("2.4.0", "More than one member."),),
    summary="Remove members of a sorted set, and its key with the last of them.",
)
def zrem(context: Context, args: list[bytes]) -> Reply:
    members = edit_zset(context, args[1], ZREM)
    count = 0
    if members is not None:
        for at in range(2, len(args)):
            if members.remove(args[at]):
                count += 1
    return count


@command(
    "ZSCORE key member",
    group="sorted-set",
    since="1.2.0",
    complexity="O(1)",
    flags="readonly fast",
    keys="RO access",
    summary="Return the score of a member.",
)
def zscore(context: Context, args: list[bytes]) -> Reply:
    members = view_zset(context, args[1])
    return None if members is None else members.score(args[2])


@command(
    "ZMSCORE key member...",
    group="sorted-set",
    since="6.2.0",
    complexity="O(N) where N is the number of members asked for",
    flags="readonly fast",
    keys="RO access",
    summary="Return the scores of many members; null where there is none.",
)
def zmscore(context: Context, args: list[bytes]) -> Reply:
    members = view_zset(context, args[1])
    scores: list[object] = []
    for at in range(2, len(args)):
        scores.append(None if members is None else members.score(args[at]))
    return scores


@command(
    "ZCARD key",
    group="sorted-set",
    since="1.2.0",
    complexity="O(1)",
    flags="readonly fast",
    keys="RO",
    summary="Count the members of a sorted set.",
)
def zcard(context: Context, args: list[bytes]) -> Reply:
    members = view_zset(context, args[1])
    return 0 if members is None else members.length()


@command(
    "ZRANK key member [WITHSCORE]",
    group="sorted-set",
    since="2.0.0",
    complexity="O(log(N)) where N is the number of members",
    flags="readonly fast",
    keys="RO access",
    history=(("7.2.0", "The option `WITHSCORE`."),),
    summary="Return how many members are below one.",
)
def zrank(context: Context, args: list[bytes]) -> Reply:
    return _rank(context, args, False)


@command(
    "ZREVRANK key member [WITHSCORE]",
    group="sorted-set",
    since="2.0.0",
    complexity="O(log(N)) where N is the number of members",
    flags="readonly fast",
    keys="RO access",
    history=(("7.2.0", "The option `WITHSCORE`."),),
    summary="Return how many members are above one.",
)
def zrevrank(context: Context, args: list[bytes]) -> Reply:
    return _rank(context, args, True)


def _rank(context: Context, args: list[bytes], reverse: bool) -> Reply:
    with_score = len(args) > 3
    if len(args) > 4:
        name = printable(args[0].lower())
        raise ErrorReply(f"ERR wrong number of arguments for '{name}' command")
    if with_score and args[3].lower() != b"withscore":
        raise ErrorReply(SYNTAX_ERROR)
    members = view_zset(context, args[1])
    rank = -1 if members is None else members.rank(args[2])
    if members is None or rank < 0:
        return NULL_ARRAY if with_score else None
    if reverse:
        rank = members.length() - 1 - rank
    return [rank, members.score(args[2])] if with_score else rank


@command(
    "ZSCAN key cursor:integer [MATCH pattern:pattern] [COUNT count:integer]",
    group="sorted-set",
    since="2.8.0",
    complexity="O(1) a call, O(N) for all N members",
    flags="readonly",
    keys="RO access",
    tips="nondeterministic_output",
    summary="Go through the members of a sorted set with their scores, some a call.",
)
def zscan(context: Context, args: list[bytes]) -> Reply:
    cursor = parse_cursor(args[2])
    members = view_zset(context, args[1])
    if members is None:
        return [b"0", []]
    options = ScanOptions(args, 3, False)
    following, found = members.scan(cursor, options.count)
    pattern = options.pattern
    compact = members.encoding() == "listpack"
    words: list[object] = []
    for member, score in found:
        if pattern is None or matches(pattern, member, False):
            words.append(member)
            # Redis writes the scores of its skip lists with all digits here, and only here.
            words.append(format_double(score) if compact else b"%.17g" % score)
    return [str(following).encode(), words]


@command(
    "ZRANDMEMBER key options=[count:integer [WITHSCORES]]",
    group="sorted-set",
    since="6.2.0",
    complexity="O(N) where N is the number of members returned",
    flags="readonly",
    keys="RO access",
    tips="nondeterministic_output",
    summary="Return random members: distinct ones, or with a negative count any.",
)
def zrandmember(context: Context, args: list[bytes]) -> Reply:
    chance = context.db.chance
    if len(args) == 2:
        members = view_zset(context, args[1])
        return None if members is None else members.sample(chance.pick())[0]
    count = parse_between(args[2], -MAX_I64, MAX_I64)
    with_scores = len(args) > 3
    if len(args) > 4 or (with_scores and args[3].lower() != b"withscores"):
        raise ErrorReply(SYNTAX_ERROR)
    if with_scores and not -MAX_I64 // 2 <= count <= MAX_I64 // 2:
        raise ErrorReply(_OUT_OF_RANGE)
    members = view_zset(context, args[1])
    if members is not None and count < -_REPEATED:
        raise context.engine.delivery.refuse_reply(context, -count)
    found: list[tuple[bytes, float]] = []
    if members is not None and count > 0:
        found = _sample_distinct(members, count, chance)
    elif members is not None:
        while count < 0:
            found.append(members.sample(chance.pick()))
            count += 1
    return shown(found, with_scores)


def _sample_distinct(members: ZSetValue, count: i64, chance: Chance) -> list[tuple[bytes, float]]:
    """Up to ``count`` random members, none twice."""
    size: i64 = members.length()
    if count < size // 3:
        found: dict[bytes, float] = {}
        # A store that does not sample evenly may take longer than it takes to list them all.
        for _ in range(2 * count + 100):
            member, score = members.sample(chance.pick())
            found[member] = score
            if len(found) == count:
                return list(found.items())
    everything = list(members.items())
    if count >= size:
        return everything
    at: i64 = 0
    while at < count:
        other = at + chance.below(size - at)
        everything[at], everything[other] = everything[other], everything[at]
        at += 1
    return everything[:count]


def shown(found: list[tuple[bytes, float]], with_scores: bool) -> Reply:
    """Members as a reply, with their scores or without."""
    if with_scores:
        return Pairs(cast(list[tuple[object, object]], found))
    members: list[object] = []
    for member, _ in found:
        members.append(member)
    return members
