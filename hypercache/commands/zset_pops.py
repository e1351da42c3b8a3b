"""Taking members off the ends of sorted sets, at once or as soon as there are any."""

from typing import Final

from mypy_extensions import i64

from hypercache.backend import ZSET, ZSetValue
from hypercache.commands.arguments import (
    MAX_I64,
    SYNTAX_ERROR,
    format_integer,
    parse_not_negative,
    parse_within,
)
from hypercache.commands.timeouts import deadline_in_seconds
from hypercache.commands.zsets import edit_zset
from hypercache.engine.blocking import KeyWait
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.keyspace.changes import ZPOPMAX, ZPOPMIN
from hypercache.reply import NULL_ARRAY, ErrorReply, Pairs, Reply

_FEW_KEYS: Final = "ERR numkeys should be greater than 0"
_FEW_MEMBERS: Final = "ERR count should be greater than 0"


def _find(context: Context, key: bytes, highest: bool) -> ZSetValue | None:
    """The sorted set under a key, to pop from."""
    return edit_zset(context, key, ZPOPMAX if highest else ZPOPMIN)


def _pop(members: ZSetValue, highest: bool, count: i64) -> list[tuple[object, object]]:
    """Remove up to ``count`` members with the lowest or highest scores; those in order."""
    size: i64 = members.length()
    if count > size:
        count = size
    start = size - count if highest else 0
    popped: list[tuple[object, object]] = []
    for member, score in members.range(start, start + count):
        popped.append((member, score))
    if highest and count > 1:
        popped.reverse()
    members.remove_range(start, start + count)
    return popped


def _pop_from(context: Context, args: list[bytes], highest: bool) -> Reply:
    """ZPOPMIN and ZPOPMAX."""
    if len(args) > 3:
        raise ErrorReply(SYNTAX_ERROR)
    count = parse_not_negative(args[2]) if len(args) == 3 else 1
    members = _find(context, args[1], highest)
    if members is None or count == 0:
        return []
    popped = _pop(members, highest, count)
    return Pairs(popped) if len(args) == 3 else [popped[0][0], popped[0][1]]


def _pop_from_first(
    context: Context, keys: list[bytes], highest: bool, count: i64, with_count: bool
) -> tuple[bytes, list[tuple[object, object]]] | None:
    """Pop from the first key that has members; journalled as what that is. None: none has."""
    for key in keys:
        members = _find(context, key, highest)
        if members is not None:
            popped = _pop(members, highest, count)
            effect = [b"ZPOPMAX" if highest else b"ZPOPMIN", key]
            if with_count:
                effect.append(format_integer(len(popped)))
            context.db.changes.rewrite(context.db.index, effect)
            return key, popped
    return None


@command(
    "ZPOPMIN key [count:integer]",
    group="sorted-set",
    since="5.0.0",
    complexity="O(log(N)*M) where N is the number of members and M that of those removed",
    flags="write fast",
    keys="RW access delete",
    summary="Remove the members with the lowest scores and return them.",
)
def zpopmin(context: Context, args: list[bytes]) -> Reply:
    return _pop_from(context, args, False)


@command(
    "ZPOPMAX key [count:integer]",
    group="sorted-set",
    since="5.0.0",
    complexity="O(log(N)*M) where N is the number of members and M that of those removed",
    flags="write fast",
    keys="RW access delete",
    summary="Remove the members with the highest scores and return them.",
)
def zpopmax(context: Context, args: list[bytes]) -> Reply:
    return _pop_from(context, args, True)


@command(
    "BZPOPMIN key... timeout:double",
    group="sorted-set",
    since="5.0.0",
    complexity="O(log(N)) where N is the number of members",
    flags="write fast blocking",
    keys="RW access delete",
    history=(("6.0.0", "`timeout` may have a fraction."),),
    summary="Remove the member with the lowest score, as soon as one of the keys has any.",
)
def bzpopmin(context: Context, args: list[bytes]) -> Reply:
    return _wait_for_one(context, args, False)


@command(
    "BZPOPMAX key... timeout:double",
    group="sorted-set",
    since="5.0.0",
    complexity="O(log(N)) where N is the number of members",
    flags="write fast blocking",
    keys="RW access delete",
    history=(("6.0.0", "`timeout` may have a fraction."),),
    summary="Remove the member with the highest score, as soon as one of the keys has any.",
)
def bzpopmax(context: Context, args: list[bytes]) -> Reply:
    return _wait_for_one(context, args, True)


def _wait_for_one(context: Context, args: list[bytes], highest: bool) -> Reply:
    keys = args[1:-1]
    deadline = deadline_in_seconds(args[-1], context.db.changes.now)
    found = _pop_from_first(context, keys, highest, 1, False)
    if found is None:
        return KeyWait(context, ZSET, keys, args, deadline, NULL_ARRAY)
    key, popped = found
    return [key, popped[0][0], popped[0][1]]


class PopOptions:
    """``numkeys key... MIN | MAX [COUNT count]`` from a place on."""

    def __init__(self, args: list[bytes], at: int) -> None:
        numkeys = parse_within(args[at], 1, MAX_I64, _FEW_KEYS)
        if numkeys >= len(args) - at - 1:
            raise ErrorReply(SYNTAX_ERROR)
        end: i64 = at + 1 + numkeys
        self.keys = args[at + 1 : end]
        where = args[end].lower()
        if where != b"min" and where != b"max":
            raise ErrorReply(SYNTAX_ERROR)
        self.highest = where == b"max"
        self.count: i64 = 1
        if len(args) > end + 1:
            if args[end + 1].lower() != b"count" or len(args) == end + 2:
                raise ErrorReply(SYNTAX_ERROR)
            self.count = parse_within(args[end + 2], 1, MAX_I64, _FEW_MEMBERS)
            if len(args) > end + 3:
                raise ErrorReply(SYNTAX_ERROR)

    def pop(self, context: Context) -> Reply | None:
        """The key that had members, and those; None when none has."""
        found = _pop_from_first(context, self.keys, self.highest, self.count, True)
        if found is None:
            return None
        key, popped = found
        return [key, popped]


@command(
    "ZMPOP numkeys:integer key... where=(MIN | MAX) [COUNT count:integer]",
    group="sorted-set",
    since="7.0.0",
    complexity="O(K) + O(M*log(N)) for K keys, N members, and M of those removed",
    flags="write",
    keys="RW access delete",
    summary="Remove members from the first of some sorted sets that has any.",
)
def zmpop(context: Context, args: list[bytes]) -> Reply:
    reply = PopOptions(args, 1).pop(context)
    return NULL_ARRAY if reply is None else reply


@command(
    "BZMPOP timeout:double numkeys:integer key... where=(MIN | MAX) [COUNT count:integer]",
    group="sorted-set",
    since="7.0.0",
    complexity="O(K) + O(M*log(N)) for K keys, N members, and M of those removed",
    flags="write blocking",
    keys="RW access delete",
    summary="Remove members of some sorted sets, as soon as one of them has any.",
)
def bzmpop(context: Context, args: list[bytes]) -> Reply:
    options = PopOptions(args, 2)
    deadline = deadline_in_seconds(args[1], context.db.changes.now)
    reply = options.pop(context)
    if reply is None:
        return KeyWait(context, ZSET, options.keys, args, deadline, NULL_ARRAY)
    return reply
