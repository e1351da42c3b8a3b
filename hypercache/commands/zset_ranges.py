"""Ranges of sorted sets: by rank, by score, or bytewise among members of one score."""

from typing import Final, cast

from mypy_extensions import i64

from hypercache.backend import ZSET, ZSetValue
from hypercache.commands.arguments import SYNTAX_ERROR, parse_integer
from hypercache.commands.doubles import parse_border
from hypercache.commands.zsets import edit_zset, shown, view_zset
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.keyspace.changes import (
    ZRANGESTORE,
    ZREMRANGEBYLEX,
    ZREMRANGEBYRANK,
    ZREMRANGEBYSCORE,
    Event,
)
from hypercache.reply import ErrorReply, Reply

BY_RANK: Final = 0
BY_SCORE: Final = 1
BY_LEX: Final = 2

_LIMITED: Final = (
    "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"
)
_SCORED: Final = "ERR syntax error, WITHSCORES not supported in combination with BYLEX"
_NOT_A_STRING_BORDER: Final = "ERR min or max not valid string range item"

# What ends a range of members: the lowest of all, the highest, or one within or without.
_LOWEST: Final = 0
_HIGHEST: Final = 1
_WITH: Final = 2
_WITHOUT: Final = 3


class Borders:
    """The ends of a range, read from two words before the value is looked at.

    Raises `ErrorReply` for words that are none.
    """

    def __init__(self, kind: int, low: bytes, high: bytes) -> None:
        self.kind = kind
        self.first: i64 = 0
        self.last: i64 = 0
        self.low = 0.0
        self.high = 0.0
        self.low_open = False
        self.high_open = False
        self.low_end = _LOWEST
        self.high_end = _HIGHEST
        self.low_member = b""
        self.high_member = b""
        if kind == BY_SCORE:
            self.low, self.low_open = parse_border(low)
            self.high, self.high_open = parse_border(high)
        elif kind == BY_LEX:
            self.low_end = _end_of(low)
            self.high_end = _end_of(high)
            self.low_member = low[1:]
            self.high_member = high[1:]
        else:
            self.first = parse_integer(low)
            self.last = parse_integer(high)

    def find(self, members: ZSetValue, reverse: bool) -> tuple[i64, i64]:
        """Ranks ``start <= i < stop`` of what lies between. O(log n)."""
        size: i64 = members.length()
        if self.kind == BY_RANK:
            return self._find_ranks(size, reverse)
        if self.kind == BY_SCORE:
            start: i64 = members.rank_of_score(self.low, self.low_open)
            stop: i64 = members.rank_of_score(self.high, not self.high_open)
        else:
            start = _rank_of_end(members, self.low_end, self.low_member, False)
            stop = _rank_of_end(members, self.high_end, self.high_member, True)
        return start, stop if stop > start else start

    def _find_ranks(self, size: i64, reverse: bool) -> tuple[i64, i64]:
        first = self.first + size if self.first < 0 else self.first
        last = self.last + size if self.last < 0 else self.last
        if first < 0:
            first = 0
        if last >= size:
            last = size - 1
        if first > last:
            return 0, 0
        if reverse:
            return size - 1 - last, size - first
        return first, last + 1


def _end_of(text: bytes) -> int:
    """What an end of a range of members says; what stands behind a zero byte is not looked at."""
    mark = text[:1]
    if mark == b"[":
        return _WITH
    if mark == b"(":
        return _WITHOUT
    if text[1:2] in (b"", b"\0"):
        if mark == b"-":
            return _LOWEST
        if mark == b"+":
            return _HIGHEST
    raise ErrorReply(_NOT_A_STRING_BORDER)


def _rank_of_end(members: ZSetValue, end: int, member: bytes, is_high: bool) -> i64:
    if end == _LOWEST:
        return 0
    if end == _HIGHEST:
        return members.length()
    return members.rank_of_lex(member, (end == _WITH) == is_high)


class RangeOptions:
    """The words behind the borders: order, kind, LIMIT, WITHSCORES, as far as allowed."""

    def __init__(self, args: list[bytes], at: int, kind: int, reverse: bool, plain: bool) -> None:
        """``plain``: kind and order are fixed by the command. ``at`` is the first word."""
        self.kind = kind
        self.reverse = reverse
        self.with_scores = False
        self.offset: i64 = 0
        self.count: i64 = -1
        storing = at == 5
        while at < len(args):
            word = args[at].lower()
            if word == b"withscores" and not storing:
                self.with_scores = True
            elif word == b"limit" and at + 2 < len(args):
                self.offset = parse_integer(args[at + 1])
                self.count = parse_integer(args[at + 2])
                at += 2
            elif word == b"rev" and not plain and not self.reverse:
                self.reverse = True
            elif word == b"bylex" and not plain and self.kind == BY_RANK:
                self.kind = BY_LEX
            elif word == b"byscore" and not plain and self.kind == BY_RANK:
                self.kind = BY_SCORE
            else:
                raise ErrorReply(SYNTAX_ERROR)
            at += 1
        if self.count != -1 and self.kind == BY_RANK:
            raise ErrorReply(_LIMITED)
        if self.with_scores and self.kind == BY_LEX:
            raise ErrorReply(_SCORED)

    def borders(self, first: bytes, second: bytes) -> Borders:
        """The range between two words; in reverse order the higher one comes first."""
        if self.reverse and self.kind != BY_RANK:
            return Borders(self.kind, second, first)
        return Borders(self.kind, first, second)

    def select(self, members: ZSetValue, borders: Borders) -> list[tuple[bytes, float]]:
        """What lies between the borders, in the order asked for. O(log n + m)."""
        start, stop = borders.find(members, self.reverse)
        if self.kind == BY_RANK:  # LIMIT with a count of -1 gets here, and says nothing
            self.offset = 0
        size = stop - start
        if self.offset < 0 or self.offset >= size:
            return []
        count = size - self.offset
        if 0 <= self.count < count:
            count = self.count
        if not self.reverse:
            start += self.offset
            return members.range(start, start + count)
        stop -= self.offset
        found = members.range(stop - count, stop)
        found.reverse()
        return found


def _range(context: Context, args: list[bytes], options: RangeOptions) -> Reply:
    borders = options.borders(args[2], args[3])
    members = view_zset(context, args[1])
    if members is None:
        return []
    return shown(options.select(members, borders), options.with_scores)


@command(
    "ZRANGE key start stop [sortby=(BYSCORE | BYLEX)] [REV] [LIMIT offset:integer count:integer]"
    " [WITHSCORES]",
    group="sorted-set",
    since="1.2.0",
    complexity="O(log(N)+M) where N is the number of members and M that of those returned",
    flags="readonly",
    keys="RO access",
    history=(("6.2.0", "The options `REV`, `BYSCORE`, `BYLEX` and `LIMIT`."),),
    summary="Return the members between two ranks, scores or members.",
)
def zrange(context: Context, args: list[bytes]) -> Reply:
    return _range(context, args, RangeOptions(args, 4, BY_RANK, False, False))


@command(
    "ZREVRANGE key start:integer stop:integer [WITHSCORES]",
    group="sorted-set",
    since="1.2.0",
    complexity="O(log(N)+M) where N is the number of members and M that of those returned",
    flags="readonly",
    keys="RO access",
    deprecated_since="6.2.0",
    replaced_by="`ZRANGE` with the option `REV`",
    summary="Return the members between two ranks, counted from the highest score.",
)
def zrevrange(context: Context, args: list[bytes]) -> Reply:
    return _range(context, args, RangeOptions(args, 4, BY_RANK, True, True))


@command(
    "ZRANGEBYSCORE key min:double max:double [WITHSCORES] [LIMIT offset:integer count:integer]",
    group="sorted-set",
    since="1.0.5",
    complexity="O(log(N)+M) where N is the number of members and M that of those returned",
    flags="readonly",
    keys="RO access",
    deprecated_since="6.2.0",
    replaced_by="`ZRANGE` with the option `BYSCORE`",
    history=(("2.0.0", "The option `WITHSCORES`."),),
    summary="Return the members between two scores.",
)
def zrangebyscore(context: Context, args: list[bytes]) -> Reply:
    return _range(context, args, RangeOptions(args, 4, BY_SCORE, False, True))


@command(
    "ZREVRANGEBYSCORE key max:double min:double [WITHSCORES] [LIMIT offset:integer count:integer]",
    group="sorted-set",
    since="2.2.0",
    complexity="O(log(N)+M) where N is the number of members and M that of those returned",
    flags="readonly",
    keys="RO access",
    deprecated_since="6.2.0",
    replaced_by="`ZRANGE` with the options `REV` and `BYSCORE`",
    history=(("2.1.6", "Scores may be excluded from the range."),),
    summary="Return the members between two scores, the highest first.",
)
def zrevrangebyscore(context: Context, args: list[bytes]) -> Reply:
    return _range(context, args, RangeOptions(args, 4, BY_SCORE, True, True))


@command(
    "ZRANGEBYLEX key min max [LIMIT offset:integer count:integer]",
    group="sorted-set",
    since="2.8.9",
    complexity="O(log(N)+M) where N is the number of members and M that of those returned",
    flags="readonly",
    keys="RO access",
    deprecated_since="6.2.0",
    replaced_by="`ZRANGE` with the option `BYLEX`",
    summary="Return the members between two in bytewise order.",
)
def zrangebylex(context: Context, args: list[bytes]) -> Reply:
    return _range(context, args, RangeOptions(args, 4, BY_LEX, False, True))


@command(
    "ZREVRANGEBYLEX key max min [LIMIT offset:integer count:integer]",
    group="sorted-set",
    since="2.8.9",
    complexity="O(log(N)+M) where N is the number of members and M that of those returned",
    flags="readonly",
    keys="RO access",
    deprecated_since="6.2.0",
    replaced_by="`ZRANGE` with the options `REV` and `BYLEX`",
    summary="Return the members between two in bytewise order, the highest first.",
)
def zrevrangebylex(context: Context, args: list[bytes]) -> Reply:
    return _range(context, args, RangeOptions(args, 4, BY_LEX, True, True))


@command(
    "ZRANGESTORE dst:key src:key min max [sortby=(BYSCORE | BYLEX)] [REV]"
    " [LIMIT offset:integer count:integer]",
    group="sorted-set",
    since="6.2.0",
    complexity="O(log(N)+M) where N is the number of members and M that of those stored",
    flags="write denyoom",
    keys="OW update; RO access",
    summary="Store the members between two ranks, scores or members under another key.",
)
def zrangestore(context: Context, args: list[bytes]) -> Reply:
    options = RangeOptions(args, 5, BY_RANK, False, False)
    borders = options.borders(args[3], args[4])
    source = view_zset(context, args[2])
    found: list[tuple[bytes, float]] = []
    if source is not None:
        found = options.select(source, borders)
    return store(context, args[1], found, ZRANGESTORE)


def store(context: Context, key: bytes, found: list[tuple[bytes, float]], event: Event) -> int:
    """Put a sorted set in the place of what is under a key, or nothing; its length."""
    if not found:
        context.db.delete(key)
        return 0
    members = cast(ZSetValue, context.db.replace(key, ZSET, event))
    for member, score in found:
        members.set(member, score)
    return len(found)


@command(
    "ZCOUNT key min:double max:double",
    group="sorted-set",
    since="2.0.0",
    complexity="O(log(N)) where N is the number of members",
    flags="readonly fast",
    keys="RO access",
    summary="Count the members between two scores.",
)
def zcount(context: Context, args: list[bytes]) -> Reply:
    return _count(context, args, BY_SCORE)


@command(
    "ZLEXCOUNT key min max",
    group="sorted-set",
    since="2.8.9",
    complexity="O(log(N)) where N is the number of members",
    flags="readonly fast",
    keys="RO access",
    summary="Count the members between two in bytewise order.",
)
def zlexcount(context: Context, args: list[bytes]) -> Reply:
    return _count(context, args, BY_LEX)


def _count(context: Context, args: list[bytes], kind: int) -> int:
    borders = Borders(kind, args[2], args[3])
    members = view_zset(context, args[1])
    if members is None:
        return 0
    start, stop = borders.find(members, False)
    return int(stop - start)


@command(
    "ZREMRANGEBYRANK key start:integer stop:integer",
    group="sorted-set",
    since="2.0.0",
    complexity="O(log(N)+M) where N is the number of members and M that of those removed",
    flags="write",
    keys="RW delete",
    summary="Remove the members between two ranks.",
)
def zremrangebyrank(context: Context, args: list[bytes]) -> Reply:
    return _remove(context, args, BY_RANK, ZREMRANGEBYRANK)


@command(
    "ZREMRANGEBYSCORE key min:double max:double",
    group="sorted-set",
    since="1.2.0",
    complexity="O(log(N)+M) where N is the number of members and M that of those removed",
    flags="write",
    keys="RW delete",
    summary="Remove the members between two scores.",
)
def zremrangebyscore(context: Context, args: list[bytes]) -> Reply:
    return _remove(context, args, BY_SCORE, ZREMRANGEBYSCORE)


@command(
    "ZREMRANGEBYLEX key min max",
    group="sorted-set",
    since="2.8.9",
    complexity="O(log(N)+M) where N is the number of members and M that of those removed",
    flags="write",
    keys="RW delete",
    summary="Remove the members between two in bytewise order.",
)
def zremrangebylex(context: Context, args: list[bytes]) -> Reply:
    return _remove(context, args, BY_LEX, ZREMRANGEBYLEX)


def _remove(context: Context, args: list[bytes], kind: int, event: Event) -> int:
    borders = Borders(kind, args[2], args[3])
    members = edit_zset(context, args[1], event)
    if members is None:
        return 0
    start, stop = borders.find(members, False)
    if start < stop:
        members.remove_range(start, stop)
    return int(stop - start)
