"""What sorted sets have in common, all together, or beyond others: ZINTER, ZUNION, ZDIFF.

Inputs may be sets as well: their members have the score 1.
"""

import math
from typing import Final, cast

from mypy_extensions import i64

from hypercache.backend import SET, ZSET, SetValue, Value, ZSetValue
from hypercache.commands.arguments import MAX_I64, SYNTAX_ERROR, parse_integer, parse_within
from hypercache.commands.doubles import parse_double
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.keyspace.changes import ZDIFFSTORE, ZINTERSTORE, ZUNIONSTORE, Event
from hypercache.keyspace.keyspace import WRONG_TYPE, kind_of
from hypercache.reply import ErrorReply, Pairs, Reply

# AGGREGATE: what becomes of the scores of one member.
_SUM: Final = 0
_MIN: Final = 1
_MAX: Final = 2

# What a command takes besides its keys.
_WEIGHTED: Final = 1
_SCORED: Final = 2
_LIMITED: Final = 4

_NOT_A_WEIGHT: Final = "ERR weight value is not a float"


class Input:
    """A set or a sorted set to be combined, or neither where there is no key."""

    def __init__(self, value: Value | None) -> None:
        self.value = value
        self.weight = 1.0
        self.members: SetValue | None = None
        self.scores: ZSetValue | None = None
        if value is not None and value.kind == SET:
            self.members = cast(SetValue, value)
        elif value is not None:
            self.scores = cast(ZSetValue, value)

    def length(self) -> int:
        """Number of members."""
        return 0 if self.value is None else self.value.length()

    def score(self, member: bytes) -> float | None:
        """The score of a member, not weighted yet; None when it is not there."""
        if self.scores is not None:
            return self.scores.score(member)
        if self.members is not None and self.members.contains(member):
            return 1.0
        return None

    def items(self) -> list[tuple[bytes, float]]:
        """All members with their scores, not weighted yet."""
        if self.scores is not None:
            return list(self.scores.items())
        if self.members is not None:
            return [(member, 1.0) for member in self.members.members()]
        return []


class Request:
    """The inputs and the options of a call; ``limit`` 0 is none."""

    def __init__(self, context: Context, args: list[bytes], at: int, takes: int) -> None:
        """``at`` is where the number of keys stands; ``takes`` says which options there are."""
        count = parse_integer(args[at])
        if count < 1:
            name = args[0].lower().decode()
            raise ErrorReply(f"ERR at least 1 input key is needed for '{name}' command")
        if count > len(args) - at - 1:
            raise ErrorReply(SYNTAX_ERROR)
        self.inputs: list[Input] = []
        self.aggregate = _SUM
        self.scored = False
        self.limit: i64 = 0
        at += 1
        for key in args[at : at + count]:
            self.inputs.append(_input(context, key))
        self._parse_options(args, at + count, takes)

    def _parse_options(self, args: list[bytes], at: i64, takes: int) -> None:
        count: i64 = len(args)
        while at < count:
            option = args[at].lower()
            left = count - at - 1
            if option == b"weights" and takes & _WEIGHTED and left >= len(self.inputs):
                for each in self.inputs:
                    at += 1
                    each.weight = parse_double(args[at], _NOT_A_WEIGHT)
            elif option == b"aggregate" and takes & _WEIGHTED and left >= 1:
                at += 1
                self.aggregate = _parse_aggregate(args[at])
            elif option == b"withscores" and takes & _SCORED:
                self.scored = True
            elif option == b"limit" and takes & _LIMITED and left >= 1:
                at += 1
                self.limit = parse_within(args[at], 0, MAX_I64, "ERR LIMIT can't be negative")
            else:
                raise ErrorReply(SYNTAX_ERROR)
            at += 1


def _input(context: Context, key: bytes) -> Input:
    entry = context.db.view_any(key)
    if entry is None:
        return Input(None)
    kind = kind_of(entry)
    if kind != SET and kind != ZSET:
        raise ErrorReply(WRONG_TYPE)
    return Input(cast(Value, entry.value))


def _parse_aggregate(word: bytes) -> int:
    name = word.lower()
    if name == b"sum":
        return _SUM
    if name == b"min":
        return _MIN
    if name == b"max":
        return _MAX
    raise ErrorReply(SYNTAX_ERROR)


def _weigh(score: float, weight: float) -> float:
    """The product, where infinity times 0 is 0."""
    product = score * weight
    return product if product == product else 0.0


def _combine(first: float, second: float, aggregate: int) -> float:
    """Two weighted scores of one member as one; a sum that is no number is 0.

    The second may be none itself (infinity times 0): the least and the greatest pass over it.
    """
    if aggregate == _SUM:
        total = first + second
        return total if total == total else 0.0
    if aggregate == _MIN:
        return second if second < first else first
    return second if second > first else first


def _length(each: Input) -> int:
    return each.length()


def _unite(request: Request) -> dict[bytes, float]:
    """Members of any input; O(N) for all members of all inputs."""
    found: dict[bytes, float] = {}
    # In Redis' order: sums of doubles depend on it.
    for each in sorted(request.inputs, key=_length):
        for member, score in each.items():
            weighted = _weigh(score, each.weight)
            present = found.get(member)
            if present is not None:
                weighted = _combine(present, weighted, request.aggregate)
            found[member] = weighted
    return found


def _intersect(request: Request) -> dict[bytes, float]:
    """Members of all inputs; O(N * M) for M inputs, the smallest of N members."""
    found: dict[bytes, float] = {}
    inputs = sorted(request.inputs, key=_length)
    smallest = inputs[0]
    others = inputs[1:]
    for member, score in smallest.items():
        total = _weigh(score, smallest.weight)
        for other in others:
            second = other.score(member)
            if second is None:
                break
            total = _combine(total, second * other.weight, request.aggregate)
        else:
            found[member] = total
            if len(found) == request.limit:
                break
    return found


def _subtract(request: Request) -> dict[bytes, float]:
    """Members of the first input that no other has; which way is less work, as with SDIFF."""
    first = request.inputs[0]
    others: list[Input] = []
    total = first.length()
    for other in request.inputs[1:]:
        if other.value is not None:
            if other.value is first.value:
                return {}
            others.append(other)
            total += other.length()
    if first.length() * len(request.inputs) // 2 <= total:
        others.sort(key=_length, reverse=True)  # the largest is likeliest to have a member
        found: dict[bytes, float] = {}
        for member, score in first.items():
            if all(other.score(member) is None for other in others):
                found[member] = score
        return found
    left = dict(first.items())
    for other in others:
        for member, _ in other.items():
            left.pop(member, None)
        if not left:
            break
    return left


def _ordered(found: dict[bytes, float]) -> list[tuple[float, bytes]]:
    """In the order of a sorted set."""
    return sorted([(score, member) for member, score in found.items()])


def _answer(request: Request, found: dict[bytes, float]) -> Reply:
    ordered = _ordered(found)
    if request.scored:
        pairs: list[tuple[object, object]] = []
        for score, member in ordered:
            pairs.append((member, score))
        return Pairs(pairs)
    return [member for _, member in ordered]


def _store(context: Context, key: bytes, found: dict[bytes, float], event: Event) -> int:
    """Put a sorted set in the place of what is under a key; how many members it has."""
    db = context.db
    if not found:
        db.delete(key)
        return 0
    value = cast(ZSetValue, db.replace(key, ZSET, event))
    ordered = _ordered(found)
    for score, member in ordered:
        value.set(member, score)
    if value.encoding() == "skiplist":
        # As long as it was small a score of -0 was kept as 0; Redis makes it large at once.
        for score, member in ordered:
            if score == 0.0 and math.copysign(1.0, score) < 0.0:
                value.remove(member)
                value.set(member, score)
    value.changes = 1  # as Redis counts it, however many they are
    return len(found)


@command(
    "ZUNION numkeys:integer key... [WEIGHTS weight:integer...] [AGGREGATE (SUM | MIN | MAX)]"
    " [WITHSCORES]",
    group="sorted-set",
    since="6.2.0",
    complexity="O(N)+O(M*log(M)) for N members of all inputs and M of the result",
    flags="readonly",
    keys="RO access",
    summary="Return the members of all sorted sets, each with its scores combined.",
)
def zunion(context: Context, args: list[bytes]) -> Reply:
    request = Request(context, args, 1, _WEIGHTED | _SCORED)
    return _answer(request, _unite(request))


@command(
    "ZUNIONSTORE destination:key numkeys:integer key... [WEIGHTS weight:integer...]"
    " [AGGREGATE (SUM | MIN | MAX)]",
    group="sorted-set",
    since="2.0.0",
    complexity="O(N)+O(M*log(M)) for N members of all inputs and M of the result",
    flags="write denyoom",
    keys="OW update; RO access",
    summary="Store the members of all sorted sets with combined scores, and count them.",
)
def zunionstore(context: Context, args: list[bytes]) -> Reply:
    found = _unite(Request(context, args, 2, _WEIGHTED))
    return _store(context, args[1], found, ZUNIONSTORE)


@command(
    "ZINTER numkeys:integer key... [WEIGHTS weight:integer...] [AGGREGATE (SUM | MIN | MAX)]"
    " [WITHSCORES]",
    group="sorted-set",
    since="6.2.0",
    complexity="O(N*K)+O(M*log(M)) for K inputs, the smallest of N members, and M of the result",
    flags="readonly",
    keys="RO access",
    summary="Return the members that all sorted sets have, each with its scores combined.",
)
def zinter(context: Context, args: list[bytes]) -> Reply:
    request = Request(context, args, 1, _WEIGHTED | _SCORED)
    return _answer(request, _intersect(request))


@command(
    "ZINTERSTORE destination:key numkeys:integer key... [WEIGHTS weight:integer...]"
    " [AGGREGATE (SUM | MIN | MAX)]",
    group="sorted-set",
    since="2.0.0",
    complexity="O(N*K)+O(M*log(M)) for K inputs, the smallest of N members, and M of the result",
    flags="write denyoom",
    keys="OW update; RO access",
    summary="Store the members that all sorted sets have with combined scores, and count them.",
)
def zinterstore(context: Context, args: list[bytes]) -> Reply:
    found = _intersect(Request(context, args, 2, _WEIGHTED))
    return _store(context, args[1], found, ZINTERSTORE)


@command(
    "ZINTERCARD numkeys:integer key... [LIMIT limit:integer]",
    group="sorted-set",
    since="7.0.0",
    complexity="O(N*K) for K inputs, the smallest of N members",
    flags="readonly",
    keys="RO access",
    summary="Count the members that all sorted sets have, up to a limit.",
)
def zintercard(context: Context, args: list[bytes]) -> Reply:
    return len(_intersect(Request(context, args, 1, _LIMITED)))


@command(
    "ZDIFF numkeys:integer key... [WITHSCORES]",
    group="sorted-set",
    since="6.2.0",
    complexity="O(L + (N-K)log(N)) for L members of all inputs, N of the first, K of the result",
    flags="readonly",
    keys="RO access",
    summary="Return the members of the first sorted set that no other has.",
)
def zdiff(context: Context, args: list[bytes]) -> Reply:
    request = Request(context, args, 1, _SCORED)
    return _answer(request, _subtract(request))


@command(
    "ZDIFFSTORE destination:key numkeys:integer key...",
    group="sorted-set",
    since="6.2.0",
    complexity="O(L + (N-K)log(N)) for L members of all inputs, N of the first, K of the result",
    flags="write denyoom",
    keys="OW update; RO access",
    summary="Store the members of the first sorted set that no other has, and count them.",
)
def zdiffstore(context: Context, args: list[bytes]) -> Reply:
    return _store(context, args[1], _subtract(Request(context, args, 2, 0)), ZDIFFSTORE)
