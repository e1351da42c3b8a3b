"""Rules about sorted sets: their order, ranks, ranges, scans and samples."""

import math
from collections.abc import Callable
from functools import partial
from typing import Final, cast

from hypercache.backend import ZSET, ZSetValue
from hypercache.testing.checks.rules import rule
from hypercache.testing.costs import costs_hardly_grow
from hypercache.testing.trial import Trial
from hypercache.testing.zsets import ZSetTrial

SCORES: Final = (
    0.0,
    -0.0,
    1.0,
    -1.0,
    1.5,
    0.1,
    -0.1,
    1e300,
    -1e300,
    5e-324,
    -5e-324,
    2.0**53,
    math.inf,
    -math.inf,
)
MEMBERS: Final = (
    b"",
    b"\x00",
    b"\x00\x00",
    b"a",
    b"a\x00",
    b"aa",
    b"b",
    b"\x7f",
    b"\x80",
    b"\xff",
    b"\xff\xff",
    b"m" * 600,
    b"m" * 600 + b"\x00",
    b"m" * 70_000,
)
#: Steps that a full scan may take beyond the number of members.
SCAN_SLACK: Final = 1000
#: Of so many members, all may come in one step.
AT_ONCE: Final = 128
#: How many times longer what costs O(log n) may take for fifty times the members, at the most.
SLOWER: Final = 20


def _numbered(members: ZSetTrial, count: int) -> list[bytes]:
    """Add members in no order, three to a score."""
    names = [b"member %d" % number for number in range(count)]
    order = list(range(count))
    members.database.trial.random.shuffle(order)
    for number in order:
        members.set(names[number], float(number // 3))
    return names


# Order ---------------------------------------------------------------------------------------


@rule
def a_sorted_set_keeps_its_order(trial: Trial) -> None:
    """A sorted set holds its members in the order of their scores, infinite ones too, and
    bytewise within a score; 0.0 and -0.0 are one score. set() says whether a member is new,
    changes the score of one that is not, and changes nothing if that is its score already."""
    members = ZSetTrial.create(trial.databases[0], b"zset")
    for score in SCORES:
        for member in MEMBERS:
            members.set(member, score)
            members.score(member)
        members.range(0, len(MEMBERS))
        trial.next_unit()
    for number, score in enumerate(SCORES * 5):
        members.set(b"%d" % number, score)
        members.set(b"%d" % number, score)
    trial.verify()
    for member in (*MEMBERS, b"none"):
        members.remove(member)
        members.score(member)
        members.remove(member)
    trial.verify()
    members.set(b"again", -0.0)
    members.set(b"again", 0.0)
    members.range(0, len(members.scores))


@rule
def ranks_follow_the_order(trial: Trial) -> None:
    """rank() is the position of a member in the order, rank_of_score() and, where all members
    have one score, rank_of_lex() the position where a score or member would begin or end,
    whether it is there or not."""
    members = ZSetTrial.create(trial.databases[0], b"zset")
    names = _numbered(members, 400)
    for number, score in enumerate(SCORES * 3):
        members.set(b"%d" % number, score)
    for member in (*names[::7], b"5", b"none", b"", b"\xff"):
        members.rank(member)
    for score in (*SCORES, 3.0, 3.5, 132.0, 133.0, 134.0):
        members.rank_of_score(score, False)
        members.rank_of_score(score, True)
    trial.next_unit()
    for start, stop in ((0, 0), (0, 1), (0, 9), (100, 230), (441, 442), (0, 442), (442, 442)):
        members.range(start, stop)
    same = ZSetTrial.create(trial.databases[0], b"same")
    for member in MEMBERS:
        same.set(member, 1.5)
    names = [b"%d" % number for number in range(300)]
    for member in names:
        same.set(member, 1.5)
    for member in (*MEMBERS, *names[::9], b"0", b"99999", b"\xff\xff\xff", b"m" * 599):
        same.rank_of_lex(member, False)
        same.rank_of_lex(member, True)
    for member in names[::40]:
        members.call("rank_of_lex()", partial(_rank_of_lex, member))


def _rank_of_lex(member: bytes, value: ZSetValue) -> int:
    return value.rank_of_lex(member, True)


@rule
def ranges_are_removed_from_sorted_sets(trial: Trial) -> None:
    """remove_range() takes out the members between two ranks and nothing else, wherever they
    lie, and adds their number to changes; what is left is found by member, rank and score."""
    members = ZSetTrial.create(trial.databases[0], b"zset")
    names = _numbered(members, 900)
    size = 900
    for start, count in ((0, 1), (898, 1), (0, 100), (300, 250), (548, 0), (400, 148), (10, 389)):
        members.remove_range(start, start + count)
        size -= count
        members.range(max(start - 2, 0), min(start + 2, size))
        members.rank_of_score(150.0, True)
        for name in names[::50]:
            members.rank(name)
        trial.verify()
        trial.next_unit()
    for name in names[::2]:
        members.set(name, -1.0)
    trial.verify()
    members.remove_range(0, len(members.scores))
    members.set(b"again", 1.0)
    trial.verify()


@rule
def sorted_sets_do_not_mix(trial: Trial) -> None:
    """Sorted sets under different keys, copies, and those that take the key of a removed one
    share nothing; a unit that is undone leaves a sorted set as it was."""
    first, second = trial.databases[:2]
    places = ((first, b"a"), (first, b"b"), (second, b"a"))
    for number, place in enumerate(places):
        members = ZSetTrial.create(*place)
        for member in range(150):
            members.set(b"%d" % member, float(member * number))
    trial.next_unit()
    first.copy(b"a", second, b"copied")
    first.move(b"b", second, b"moved")
    copied, moved = ZSetTrial(second, b"copied"), ZSetTrial(second, b"moved")
    for members in (copied, moved, ZSetTrial(first, b"a")):
        members.set(b"7", -5.0)
        members.set(b"new", 5.0)
        members.remove(b"8")
        members.remove_range(20, 140)
    trial.verify()
    trial.next_unit()
    if trial.units:
        for members in (copied, moved):
            members.set(b"7", 7.0)
            members.set(b"undone", 1.0)
            members.remove_range(0, 9)
        first.unlink(b"a")
        trial.undo_unit()
        trial.verify()
    first.unlink(b"a")
    again = ZSetTrial.create(first, b"a")
    trial.next_unit()
    trial.reclaim()
    again.set(b"9", 1.0)
    trial.verify()


@rule
def sorted_sets_tell_their_encoding(trial: Trial) -> None:
    """A sorted set is a "listpack" as long as the limits allow, and a "skiplist" ever after."""
    limits = trial.backend.limits
    before = limits.zset_entries, limits.zset_value
    try:
        limits.zset_entries, limits.zset_value = 5, 10
        members = ZSetTrial.create(trial.databases[0], b"many")
        for number in range(5):
            members.set(b"%d" % number, 1.0)
            members.set(b"%d" % number, 2.0)
            _expect_encoding(members, "listpack")
        members.set(b"5", 1.0)
        _expect_encoding(members, "skiplist")
        members.remove_range(1, 6)
        _expect_encoding(members, "skiplist")
        members = ZSetTrial.create(trial.databases[0], b"long")
        members.set(b"m" * 10, 1.0)
        _expect_encoding(members, "listpack")
        members.set(b"m" * 11, 1.0)
        _expect_encoding(members, "skiplist")
    finally:
        limits.zset_entries, limits.zset_value = before


def _expect_encoding(members: ZSetTrial, expected: str) -> None:
    got = members.call("encoding()", lambda value: value.encoding())
    members.database.trial.expect("encoding()", expected, got)


# Scanning and sampling -----------------------------------------------------------------------


@rule
def a_sorted_set_scan_returns_every_member(trial: Trial) -> None:
    """A full iteration of scan() from 0 to 0 returns every member with its score that stays,
    whatever comes and goes meanwhile; steps are about as long as asked for, or have all of up
    to 128 members."""
    for size, disturbed in ((1, False), (40, True), (300, False), (300, True), (700, True)):
        members = ZSetTrial.create(trial.databases[0], b"zset")
        stayed = set(_numbered(members, size))
        trial.next_unit()
        count = 1 + trial.random.randrange(20)
        seen: dict[bytes, float] = {}
        cursor, steps = 0, 0
        while cursor != 0 or steps == 0:
            if steps > size + SCAN_SLACK:
                trial.fail(f"a scan that ends within {size + SCAN_SLACK} steps", "none")
            cursor, found = _scan(members, cursor, count)
            steps += 1
            seen.update(found)
            if disturbed:
                gone = trial.random.choice(sorted(members.scores))
                members.remove(gone)
                stayed.discard(gone)
                members.set(b"new %d" % trial.random.randrange(30), 1.0)
        scores = {member: members.scores[member] for member in stayed}
        missed = sorted(stayed - seen.keys())
        trial.require(not missed, "every member that stayed is seen", f"not seen: {missed}")
        trial.expect("the scores", scores, {member: seen[member] for member in stayed})


def _scan(members: ZSetTrial, cursor: int, count: int) -> tuple[int, list[tuple[bytes, float]]]:
    step = f"scan({cursor}, {count})"
    answer = members.call(step, lambda value: value.scan(cursor, count))
    following, found = cast(tuple[int, list[tuple[bytes, float]]], answer)
    trial = members.database.trial
    trial.require(0 <= following < 2**64, "a cursor from 0 to 2**64 - 1", following)
    most = max(2 * count + 50, AT_ONCE)
    trial.require(len(found) <= most, f"about {count} members", len(found))
    for member, score in found:
        trial.expect(f"the score of {member!r} in {step}", members.scores.get(member), score)
    return following, found


@rule
def samples_of_sorted_sets_are_their_members(trial: Trial) -> None:
    """sample() gives members with their scores, and not always the same ones."""
    members = ZSetTrial.create(trial.databases[0], b"zset")
    for size in (1, 2, 50, 300):
        _numbered(members, size)
        trial.next_unit()
        seen: set[bytes] = set()
        for _ in range(200):
            pick = trial.random.randrange(2**62)
            step = f"sample({pick})"
            answer = members.call(step, partial(_sample, pick))
            member, score = cast(tuple[bytes, float], answer)
            trial.expect(f"the score in {step}", members.scores.get(member), score)
            seen.add(member)
        least = min(size, 20)
        trial.require(len(seen) >= least, f"at least {least} different members", len(seen))


def _sample(pick: int, value: ZSetValue) -> tuple[bytes, float]:
    return value.sample(pick)


# Costs ---------------------------------------------------------------------------------------


@rule
def large_sorted_sets_are_about_as_quick(trial: Trial) -> None:
    """Setting and removing a member, ranks and short ranges, and the removal of a short range
    take about as long in a sorted set of many thousand members as in one of a hundred."""
    costs_hardly_grow(trial, ZSET, (100, 5_000), _fill, _CALLS, slower=SLOWER)


def _fill(value: ZSetValue, size: int) -> None:
    for number in range(size):
        value.set(b"%d" % (number * 7919 % size), float(number))


def _change(value: ZSetValue) -> None:
    value.set(b"another", value.length() / 2)
    value.remove(b"another")


def _cut(value: ZSetValue) -> None:
    value.set(b"another", 50.5)
    value.remove_range(51, 52)


_CALLS: Final[dict[str, Callable[[ZSetValue], object]]] = {
    "set() and remove()": _change,
    "set() and remove_range()": _cut,
    "rank()": lambda value: value.rank(b"50"),
    "rank_of_score()": lambda value: value.rank_of_score(value.length() / 2, False),
    "range()": lambda value: value.range(value.length() // 2, value.length() // 2 + 5),
    "memory()": lambda value: value.memory(),
}


CHECKS = (
    a_sorted_set_keeps_its_order,
    ranks_follow_the_order,
    ranges_are_removed_from_sorted_sets,
    sorted_sets_do_not_mix,
    sorted_sets_tell_their_encoding,
    a_sorted_set_scan_returns_every_member,
    samples_of_sorted_sets_are_their_members,
    large_sorted_sets_are_about_as_quick,
)
