"""What sets have in common, all together, or beyond others: SINTER, SUNION, SDIFF."""

from typing import Final, cast

from mypy_extensions import i64

from hypercache.backend import SET, SetValue
from hypercache.commands.arguments import MAX_I64, SYNTAX_ERROR, parse_within
from hypercache.commands.sets import view_set
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.keyspace.changes import SDIFFSTORE, SINTERSTORE, SUNIONSTORE, Event
from hypercache.reply import ErrorReply, Members, Reply

# numkeys of a command whose keys are counted.
_FEW_KEYS: Final = "ERR numkeys should be greater than 0"
_MANY_KEYS: Final = "ERR Number of keys can't be greater than number of args"


def _sets(context: Context, keys: list[bytes]) -> list[SetValue | None]:
    """The sets under some keys; all of them are looked at, so that each type is checked."""
    return [view_set(context, key) for key in keys]


def intersect(values: list[SetValue | None], limit: i64 = 0) -> list[bytes]:
    """Members that all sets have, ``limit`` at the most unless it is 0.

    O(N * M) for M sets, the smallest of N members.
    """
    found: list[bytes] = []
    present: list[SetValue] = []
    for value in values:
        if value is None:
            return found
        present.append(value)
    present.sort(key=_length)
    smallest = present[0]
    others = [value for value in present[1:] if value is not smallest]
    for member in smallest.members():
        if all(other.contains(member) for other in others):
            found.append(member)
            if len(found) == limit:
                break
    return found


def _length(value: SetValue) -> int:
    return value.length()


def unite(values: list[SetValue | None]) -> list[bytes]:
    """Members of any set; O(N) for all members of all sets."""
    found: dict[bytes, None] = {}
    for value in values:
        if value is not None:
            for member in value.members():
                found[member] = None
    return list(found)


def subtract(values: list[SetValue | None]) -> list[bytes]:
    """Members of the first set that no other set has.

    Either each member of the first is looked up in the others, or all members of the others
    are taken away from it, whichever is less work; a look-up counts half.
    """
    first = values[0]
    if first is None:
        return []
    others: list[SetValue] = []
    total = first.length()
    for value in values[1:]:
        if value is first:
            return []
        if value is not None:
            others.append(value)
            total += value.length()
    if first.length() * (len(others) + 1) // 2 <= total:
        others.sort(key=_length, reverse=True)  # the largest is likeliest to have a member
        found: list[bytes] = []
        for member in first.members():
            if not any(other.contains(member) for other in others):
                found.append(member)
        return found
    left = dict.fromkeys(first.members())
    for value in others:
        for member in value.members():
            left.pop(member, None)
        if not left:
            break
    return list(left)


def _store(context: Context, key: bytes, members: list[bytes], event: Event) -> int:
    """Put a set of these members in the place of what is under a key; how many they are."""
    db = context.db
    if not members:
        db.delete(key)
        return 0
    value = cast(SetValue, db.replace(key, SET, event))
    for member in members:
        value.add(member)
    value.changes = 1  # as Redis counts it, however many they are
    return len(members)


@command(
    "SINTER key...",
    group="set",
    since="1.0.0",
    complexity="O(N*M) where N is the size of the smallest of M sets",
    flags="readonly",
    keys="RO access",
    tips="nondeterministic_output_order",
    summary="Return the members that all sets have.",
)
def sinter(context: Context, args: list[bytes]) -> Reply:
    return Members(list[object](intersect(_sets(context, args[1:]))))


@command(
    "SINTERCARD numkeys:integer key... [LIMIT limit:integer]",
    group="set",
    since="7.0.0",
    complexity="O(N*M) where N is the size of the smallest of M sets",
    flags="readonly",
    keys="RO access",
    summary="Count the members that all sets have, up to a limit.",
)
def sintercard(context: Context, args: list[bytes]) -> Reply:
    keys, limit = _parse_card(args)
    return len(intersect(_sets(context, keys), limit))


def _parse_card(args: list[bytes]) -> tuple[list[bytes], i64]:
    """The keys and the limit (0: none) of SINTERCARD."""
    count = parse_within(args[1], 1, MAX_I64, _FEW_KEYS)
    if count > len(args) - 2:
        raise ErrorReply(_MANY_KEYS)
    limit: i64 = 0
    at = count + 2
    while at < len(args):
        if args[at].lower() != b"limit" or at + 1 == len(args):
            raise ErrorReply(SYNTAX_ERROR)
        limit = parse_within(args[at + 1], 0, MAX_I64, "ERR LIMIT can't be negative")
        at += 2
    return args[2 : count + 2], limit


@command(
    "SINTERSTORE destination:key key...",
    group="set",
    since="1.0.0",
    complexity="O(N*M) where N is the size of the smallest of M sets",
    flags="write denyoom",
    keys="RW update; RO access",
    summary="Store the members that all sets have, and count them.",
)
def sinterstore(context: Context, args: list[bytes]) -> Reply:
    members = intersect(_sets(context, args[2:]))
    return _store(context, args[1], members, SINTERSTORE)


@command(
    "SUNION key...",
    group="set",
    since="1.0.0",
    complexity="O(N) where N is the number of members of all sets",
    flags="readonly",
    keys="RO access",
    tips="nondeterministic_output_order",
    summary="Return the members of all sets.",
)
def sunion(context: Context, args: list[bytes]) -> Reply:
    return Members(list[object](unite(_sets(context, args[1:]))))


@command(
    "SUNIONSTORE destination:key key...",
    group="set",
    since="1.0.0",
    complexity="O(N) where N is the number of members of all sets",
    flags="write denyoom",
    keys="OW update; RO access",
    summary="Store the members of all sets, and count them.",
)
def sunionstore(context: Context, args: list[bytes]) -> Reply:
    return _store(context, args[1], unite(_sets(context, args[2:])), SUNIONSTORE)


@command(
    "SDIFF key...",
    group="set",
    since="1.0.0",
    complexity="O(N) where N is the number of members of all sets",
    flags="readonly",
    keys="RO access",
    tips="nondeterministic_output_order",
    summary="Return the members of the first set that no other set has.",
)
def sdiff(context: Context, args: list[bytes]) -> Reply:
    return Members(list[object](subtract(_sets(context, args[1:]))))


@command(
    "SDIFFSTORE destination:key key...",
    group="set",
    since="1.0.0",
    complexity="O(N) where N is the number of members of all sets",
    flags="write denyoom",
    keys="OW update; RO access",
    summary="Store the members of the first set that no other set has, and count them.",
)
def sdiffstore(context: Context, args: list[bytes]) -> Reply:
    return _store(context, args[1], subtract(_sets(context, args[2:])), SDIFFSTORE)
