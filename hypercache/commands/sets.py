"""Sets: distinct members under one key."""

from typing import Final, cast

from mypy_extensions import i64

from hypercache.backend import SET, SetValue
from hypercache.commands.arguments import MAX_I64, SYNTAX_ERROR, parse_between, parse_not_negative
from hypercache.commands.scanning import ScanOptions, parse_cursor
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.keyspace.changes import DEL, SADD, SPOP, SREM, Event
from hypercache.keyspace.clock import Chance
from hypercache.keyspace.glob import matches
from hypercache.reply import ErrorReply, Members, Reply

# Members that one SREM of SPOP's effects names at the most.
_EFFECT_MEMBERS: Final = 1024
# Members that SRANDMEMBER returns at the most when it may repeat them.
_REPEATED: Final[i64] = 1 << 24


def view_set(context: Context, key: bytes) -> SetValue | None:
    """The set under a key, to be read."""
    return cast(SetValue | None, context.db.view(key, SET))


def edit_set(context: Context, key: bytes, event: Event) -> SetValue | None:
    """The set under a key, to be changed; None if there is none."""
    return cast(SetValue | None, context.db.edit(key, SET, event))


@command(
    "SADD key member...",
    group="set",
    since="1.0.0",
    complexity="O(N) where N is the number of members named",
    flags="write denyoom fast",
    keys="RW insert",
    history=(("2.4.0", "More than one member."),),
    summary="Add members to a set and count those that are new.",
)
def sadd(context: Context, args: list[bytes]) -> Reply:
    members = cast(SetValue, context.db.make(args[1], SET, SADD))
    count = 0
    for at in range(2, len(args)):
        if members.add(args[at]):
            count += 1
    return count


@command(
    "SREM key member...",
    group="set",
    since="1.0.0",
    complexity="O(N) where N is the number of members named",
    flags="write fast",
    keys="RW delete",
    history=(("2.4.0", "More than one member."),),
    summary="Remove members of a set, and its key with the last of them.",
)
def srem(context: Context, args: list[bytes]) -> Reply:
    members = edit_set(context, args[1], SREM)
    count = 0
    if members is not None:
        for at in range(2, len(args)):
            if members.remove(args[at]):
                count += 1
    return count


@command(
    "SMOVE source:key destination:key member",
    group="set",
    since="1.0.0",
    complexity="O(1)",
    flags="write fast",
    keys="RW access delete; RW insert",
    summary="Move a member from one set to another.",
)
def smove(context: Context, args: list[bytes]) -> Reply:
    source = edit_set(context, args[1], SREM)
    if source is None:
        return 0
    destination = edit_set(context, args[2], SADD)
    if source is destination:
        return 1 if source.contains(args[3]) else 0
    if not source.remove(args[3]):
        return 0
    if destination is None:
        destination = cast(SetValue, context.db.make(args[2], SET, SADD))
    destination.add(args[3])
    return 1


@command(
    "SISMEMBER key member",
    group="set",
    since="1.0.0",
    complexity="O(1)",
    flags="readonly fast",
    keys="RO",
    summary="Tell whether a set has a member.",
)
def sismember(context: Context, args: list[bytes]) -> Reply:
    members = view_set(context, args[1])
    return 1 if members is not None and members.contains(args[2]) else 0


@command(
    "SMISMEMBER key member...",
    group="set",
    since="6.2.0",
    complexity="O(N) where N is the number of members asked for",
    flags="readonly fast",
    keys="RO access",
    summary="Tell of many members whether a set has them.",
)
def smismember(context: Context, args: list[bytes]) -> Reply:
    members = view_set(context, args[1])
    answers: list[object] = []
    for at in range(2, len(args)):
        answers.append(1 if members is not None and members.contains(args[at]) else 0)
    return answers


@command(
    "SCARD key",
    group="set",
    since="1.0.0",
    complexity="O(1)",
    flags="readonly fast",
    keys="RO",
    summary="Count the members of a set.",
)
def scard(context: Context, args: list[bytes]) -> Reply:
    members = view_set(context, args[1])
    return 0 if members is None else members.length()


@command(
    "SMEMBERS key",
    group="set",
    since="1.0.0",
    complexity="O(N) where N is the number of members",
    flags="readonly",
    keys="RO access",
    tips="nondeterministic_output_order",
    summary="Return all members of a set.",
)
def smembers(context: Context, args: list[bytes]) -> Reply:
    members = view_set(context, args[1])
    return Members([] if members is None else list(members.members()))


@command(
    "SPOP key [count:integer]",
    group="set",
    since="1.0.0",
    complexity="O(1) for one member, O(N) for N of them",
    flags="write fast",
    keys="RW access delete",
    tips="nondeterministic_output",
    history=(("3.2.0", "The argument `count`."),),
    summary="Remove random members of a set and return them.",
)
def spop(context: Context, args: list[bytes]) -> Reply:
    if len(args) > 2:
        return _pop_many(context, args)
    members = edit_set(context, args[1], SPOP)
    if members is None:
        return None
    db = context.db
    member = members.sample(db.chance.pick())
    members.remove(member)
    db.changes.rewrite(db.index, [b"SREM", args[1], member])
    return member


def _pop_many(context: Context, args: list[bytes]) -> Reply:
    if len(args) > 3:
        raise ErrorReply(SYNTAX_ERROR)
    count = parse_not_negative(args[2])
    key = args[1]
    members = edit_set(context, key, SPOP)
    popped: list[object] = []
    if members is None or count == 0:
        return Members(popped)
    db = context.db
    size: i64 = members.length()
    if count >= size:
        popped = list(members.members())
        db.delete(key, SPOP)
        db.changes.notify(db.index, key, DEL)
        db.changes.dirty += size - 1
        db.changes.rewrite(db.index, [b"DEL", key])
        return Members(popped)
    effect = [b"SREM", key]
    while count > 0:
        member = members.sample(db.chance.pick())
        members.remove(member)
        popped.append(member)
        effect.append(member)
        count -= 1
        if len(effect) == _EFFECT_MEMBERS + 2 or count == 0:
            db.changes.rewrite(db.index, effect)
            effect = [b"SREM", key]
    return Members(popped)


@command(
    "SRANDMEMBER key [count:integer]",
    group="set",
    since="1.0.0",
    complexity="O(1) for one member, O(N) for N of them",
    flags="readonly",
    keys="RO access",
    tips="nondeterministic_output",
    history=(("2.6.0", "The argument `count`."),),
    summary="Return random members of a set: distinct ones, or with a negative count any.",
)
def srandmember(context: Context, args: list[bytes]) -> Reply:
    if len(args) > 3:
        raise ErrorReply(SYNTAX_ERROR)
    chance = context.db.chance
    if len(args) == 2:
        members = view_set(context, args[1])
        return None if members is None else members.sample(chance.pick())
    count = parse_between(args[2], -MAX_I64, MAX_I64)
    members = view_set(context, args[1])
    if members is None or count == 0:
        return []
    if count < -_REPEATED:
        raise context.engine.delivery.refuse_reply(context, -count)
    if count > 0:
        return sample_distinct(members, count, chance)
    picked: list[object] = []
    while count < 0:
        picked.append(members.sample(chance.pick()))
        count += 1
    return picked


def sample_distinct(members: SetValue, count: i64, chance: Chance) -> list[bytes]:
    """Up to ``count`` random members, none twice."""
    size: i64 = members.length()
    if count < size // 3:
        found: set[bytes] = set()
        # A store that does not sample evenly may take longer than it takes to list them all.
        for _ in range(2 * count + 100):
            found.add(members.sample(chance.pick()))
            if len(found) == count:
                return list(found)
    everything = list(members.members())
    if count >= size:
        return everything
    at: i64 = 0
    while at < count:
        other = at + chance.below(size - at)
        everything[at], everything[other] = everything[other], everything[at]
        at += 1
    return everything[:count]


@command(
    "SSCAN key cursor:integer [MATCH pattern:pattern] [COUNT count:integer]",
    group="set",
    since="2.8.0",
    complexity="O(1) a call, O(N) for all N members",
    flags="readonly",
    keys="RO access",
    tips="nondeterministic_output",
    summary="Go through the members of a set, some a call.",
)
def sscan(context: Context, args: list[bytes]) -> Reply:
    cursor = parse_cursor(args[2])
    members = view_set(context, args[1])
    if members is None:
        return [b"0", []]
    options = ScanOptions(args, 3, False)
    following, found = members.scan(cursor, options.count)
    pattern = options.pattern
    if pattern is not None:
        found = [member for member in found if matches(pattern, member, False)]
    return [str(following).encode(), found]
