"""What transcripts of sets cannot show: chance, events, effects, the two ways of SDIFF."""

import random

import pytest

from hypercache.testing.engine import EngineHarness
from tests.unit.commands.test_changes import observe
from tests.unit.commands.test_effects import Journalled

#: Commands, the events that redis-server 7.2.6 tells of them, and the changes that it counts.
TOLD = (
    ("SADD s a b c|SADD s a|SREM s x|SREM s a b|SREM s c", "sadd s|srem s|srem s|del s", 6),
    (
        "SADD s a b|SADD t b|SMOVE s t b|SMOVE s t a|SMOVE s t a|SMOVE t t a|SMOVE t u a",
        "sadd s|sadd t|srem s|srem s|del s|sadd t|srem t|sadd u",
        8,
    ),
    (
        "SADD s a b c d e f|SPOP s|SPOP s 2|SPOP s 0|SPOP none|SPOP none 3|SPOP s 9|SADD s a"
        "|SPOP s",
        "sadd s|spop s|spop s|spop s|del s|sadd s|spop s|del s",
        14,
    ),
    (
        "SADD s a b|SADD t b c|SINTERSTORE u s t|SUNIONSTORE u s t|SDIFFSTORE u s t"
        "|SINTERSTORE u s none|SINTERSTORE u s none|SUNIONSTORE s s t|SUNIONSTORE none none",
        "sadd s|sadd t|sinterstore u|sunionstore u|sdiffstore u|del u|sunionstore s",
        9,
    ),
    (
        "SADD s a b|SET u text|SUNIONSTORE u s|SDIFFSTORE u s s|SET u text|SUNIONSTORE u none",
        "sadd s|set u|sunionstore u|del u|set u|del u",
        7,
    ),
    (
        "ZADD z 1 a 2 b|SADD s b c|ZUNIONSTORE u 2 z s|ZINTERSTORE u 2 z s|ZDIFFSTORE u 2 z s"
        "|ZINTERSTORE u 2 z none|ZINTERSTORE u 2 z none|ZUNIONSTORE z 2 z s",
        "zadd z|sadd s|zunionstore u|zinterstore u|zdiffstore u|del u|zunionstore z",
        9,
    ),
)


def members(harness: EngineHarness, *request: bytes | str | int) -> list[bytes]:
    """The array that a command answers, checked to have no member twice."""
    reply = harness.command(*request)
    assert isinstance(reply, list)
    assert len(set(reply)) == len(reply)
    return reply


@pytest.mark.parametrize(("requests", "events", "changes"), TOLD)
def test_events_are_told_and_changes_counted_as_in_redis(
    harness: EngineHarness, requests: str, events: str, changes: int
) -> None:
    before = int(harness.engine.changes.dirty)
    assert observe(harness, *requests.split("|")) == events.split("|")
    assert harness.engine.changes.dirty - before == changes


@pytest.mark.parametrize("size", [3, 40, 2000])
@pytest.mark.parametrize("share", [0.01, 0.4, 0.9, 1.0, 3.0])
def test_spop_takes_as_many_as_it_is_told(harness: EngineHarness, size: int, share: float) -> None:
    every = {b"%d" % number for number in range(size)}
    harness.command("SADD", "s", *every)
    count = max(int(size * share), 1)
    taken = members(harness, "SPOP", "s", count)
    assert len(taken) == min(count, size)
    assert set(taken) <= every
    assert set(members(harness, "SMEMBERS", "s")) == every - set(taken)


@pytest.mark.parametrize("size", [3, 40, 2000])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.4, 0.9, 1.0, 3.0])
def test_srandmember_returns_distinct_members(
    harness: EngineHarness, size: int, share: float
) -> None:
    every = {b"%d" % number for number in range(size)}
    harness.command("SADD", "s", *every)
    count = max(int(size * share), 1)
    for request in (("SRANDMEMBER", "s", count), ("SRANDMEMBER", "s", 1)):
        found = members(harness, *request)
        assert len(found) == min(request[2], size)
        assert set(found) <= every
    assert harness.command("SCARD", "s") == size


def test_every_member_comes_up(harness: EngineHarness) -> None:
    every = {b"%d" % number for number in range(12)}
    harness.command("SADD", "s", *every)
    repeated = harness.command("SRANDMEMBER", "s", -600)
    assert isinstance(repeated, list)
    assert len(repeated) == 600
    assert set(repeated) == every
    for request in (("SRANDMEMBER", "s"), ("SRANDMEMBER", "s", 1), ("SRANDMEMBER", "s", 7)):
        seen: set[bytes] = set()
        for _ in range(200):
            reply = harness.command(*request)
            assert isinstance(reply, bytes | list)
            seen.update([reply] if isinstance(reply, bytes) else reply)
        assert seen == every
    popped = set()
    for _ in range(200):
        reply = harness.command("SPOP", "s")
        harness.command("SADD", "s", *every)
        popped.add(reply)
    assert popped == every


def test_no_request_asks_for_more_than_memory_holds(harness: EngineHarness) -> None:
    harness.command("SADD", "s", "a")
    reply = harness.command("SRANDMEMBER", "s", -9223372036854775807)
    assert str(reply) == "ReplyError(text='ERR value is out of range')"


def test_effects(harness: EngineHarness) -> None:
    journal = Journalled(harness)
    assert journal.effects("SADD", "s", "a", "b") == ["SADD s a b"]
    assert journal.effects("SADD", "s", "a") == []
    assert journal.effects("SPOP", "none") == []
    assert journal.effects("SPOP", "none", 3) == []
    assert journal.effects("SPOP", "s", 0) == []
    assert sorted(journal.effects("SPOP", "s") + journal.effects("SPOP", "s")) == [
        "SREM s a",
        "SREM s b",
    ]
    assert harness.command("EXISTS", "s") == 0
    harness.command("SADD", "s", "a", "b")
    assert journal.effects("SPOP", "s", 2) == ["DEL s"]
    harness.command("SADD", "s", *range(3000))
    (record,) = journal.records("SPOP", "s", 2500)
    assert [len(effect.split()) for effect in record] == [1026, 1026, 454]
    assert {tuple(effect.split()[:2]) for effect in record} == {("SREM", "s")}
    assert journal.effects("SUNIONSTORE", "t", "s") == ["SUNIONSTORE t s"]
    assert journal.effects("SMOVE", "s", "u", "none") == []


@pytest.mark.parametrize("seed", range(3))
def test_algebra_of_random_sets(harness: EngineHarness, seed: int) -> None:
    chance = random.Random(seed)
    keys = [b"a", b"b", b"c", b"none"]
    sets: dict[bytes, set[bytes]] = {}
    for key, size in zip(keys, (chance.choice((5, 300)), 40, 300, 0), strict=True):
        sets[key] = {b"%d" % chance.randrange(350) for _ in range(size)}
        if size:
            harness.command("SADD", key, *sets[key])
    for _ in range(8):
        chosen = [chance.choice(keys) for _ in range(chance.randrange(1, 7))]
        values = [sets[key] for key in chosen]
        common = set.intersection(*values)
        assert set(members(harness, "SUNION", *chosen)) == set.union(*values)
        assert set(members(harness, "SINTER", *chosen)) == common
        assert set(members(harness, "SDIFF", *chosen)) == set.difference(*values)
        assert harness.command("SINTERCARD", len(chosen), *chosen) == len(common)
        limited = harness.command("SINTERCARD", len(chosen), *chosen, "LIMIT", 3)
        assert limited == min(len(common), 3)
        for name in ("UNION", "INTER", "DIFF"):
            plain = sorted(members(harness, f"S{name}", *chosen))
            assert sorted(members(harness, f"Z{name}", len(chosen), *chosen)) == plain
            assert harness.command(f"Z{name}STORE", "t", len(chosen), *chosen) == len(plain)
            assert sorted(members(harness, "ZRANGE", "t", 0, -1)) == plain
            assert harness.command(f"S{name}STORE", "t", *chosen) == len(plain)
            assert sorted(members(harness, "SMEMBERS", "t")) == plain
