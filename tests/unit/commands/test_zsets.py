"""Sorted sets: what clients that wait get, what observers and the journal see, digests."""

import random

import pytest

from hypercache.testing.engine import NOTHING, EngineHarness, HarnessClient
from hypercache.testing.resp import Argument, ReplyError
from tests.unit.commands.test_changes import observe
from tests.unit.commands.test_effects import Journalled

WRONG_TYPE = ReplyError("WRONGTYPE Operation against a key holding the wrong kind of value")
LONG = "x" * 65


def blocked(harness: EngineHarness, *arguments: Argument, version: int = 2) -> HarnessClient:
    """A new client that waits."""
    client = harness.client(version)
    assert client.command(*arguments) is NOTHING
    return client


# Waiting -----------------------------------------------------------------------------------


def test_clients_get_what_is_added(harness: EngineHarness) -> None:
    lowest = blocked(harness, "BZPOPMIN", "y", "z", 0)
    highest = blocked(harness, "BZPOPMAX", "z", 0, version=3)
    many = blocked(harness, "BZMPOP", 0, 2, "y", "z", "MAX", "COUNT", 2, version=3)
    assert harness.command("ZADD", "z", 1, "a", 2, "b", 3, "c", 4, "d") == 4
    assert lowest.replies() == [[b"z", b"a", b"1"]]
    assert highest.replies() == [[b"z", b"d", 4.0]]
    assert many.replies() == [[b"z", [[b"c", 3.0], [b"b", 2.0]]]]
    assert harness.command("EXISTS", "z") == 0


def test_the_rest_stays_for_whoever_came_later(harness: EngineHarness) -> None:
    clients = [blocked(harness, "BZPOPMIN", "z", 0) for _ in range(3)]
    harness.command("ZADD", "z", 5, "a", 4, "b")
    assert [client.replies() for client in clients] == [
        [[b"z", b"b", b"4"]],
        [[b"z", b"a", b"5"]],
        [],
    ]
    harness.command("ZINCRBY", "z", 7, "c")
    assert clients[2].replies() == [[b"z", b"c", b"7"]]


@pytest.mark.parametrize(
    "request_",
    [
        "ZRANGESTORE z source 0 -1",
        "RENAME source z",
        "COPY source z",
        "GEOADD z 13 38 a",
        "ZUNIONSTORE z 1 source",
    ],
)
def test_a_sorted_set_may_come_in_any_way(harness: EngineHarness, request_: str) -> None:
    harness.command("ZADD", "source", 3, "a")
    client = blocked(harness, "BZPOPMAX", "none", "z", 0)
    harness.command(*request_.split(" "))
    ((key, member, _),) = client.replies()
    assert (key, member) == (b"z", b"a")


def test_a_key_of_another_type_is_waited_past(harness: EngineHarness) -> None:
    client = blocked(harness, "BZPOPMIN", "z", 0)
    harness.command("SET", "z", "v")
    assert client.replies() == []
    harness.command("DEL", "z")
    harness.command("ZADD", "z", 1, "a")
    assert client.replies() == [[b"z", b"a", b"1"]]


def test_a_wait_ends_in_time(harness: EngineHarness) -> None:
    clients = [
        blocked(harness, "BZPOPMIN", "z", "0.5"),
        blocked(harness, "BZMPOP", "0.5", 1, "z", "MIN"),
    ]
    harness.advance(499)
    assert [client.replies() for client in clients] == [[], []]
    harness.advance(1)
    assert [client.replies() for client in clients] == [[None], [None]]


def test_an_added_member_that_is_taken_at_once_counts(harness: EngineHarness) -> None:
    blocked(harness, "BZPOPMIN", "z", 0)
    harness.script("MULTI\nZADD z 1 a\nZADD z 2 b")
    assert harness.command("EXEC") == [1, 1]
    assert harness.command("ZRANGE", "z", 0, -1) == [b"b"]


# Observers and the journal -----------------------------------------------------------------


def test_events(harness: EngineHarness) -> None:
    assert observe(harness, "ZADD z 1 a 2 b", "ZADD z 1 a", "ZADD z XX 3 a", "ZADD z NX 4 a") == [
        "zadd z",
        "zadd z",
    ]
    assert observe(harness, "ZADD z INCR 1 a", "ZINCRBY z 1 a", "ZINCRBY z 0 a") == [
        "zincr z",
        "zincr z",
    ]
    assert observe(harness, "ZREM z none", "ZREM z a", "ZPOPMIN z", "ZPOPMAX z") == [
        "zrem z",
        "zpopmin z",
        "del z",
    ]
    harness.command("ZADD", "z", 0, "a", 0, "b", 0, "c", 0, "d")
    assert observe(
        harness,
        "ZREMRANGEBYRANK z 0 0",
        "ZREMRANGEBYSCORE z 1 2",
        "ZREMRANGEBYSCORE z 0 0",
        "ZREMRANGEBYLEX z - +",
    ) == ["zremrangebyrank z", "zremrangebyscore z", "del z"]
    harness.command("ZADD", "z", 0, "a", 0, "b")
    assert observe(harness, "ZRANGESTORE y z 0 0", "ZRANGESTORE y z 9 9", "ZPOPMAX z 5") == [
        "zrangestore y",
        "del y",
        "zpopmax z",
        "del z",
    ]
    assert observe(harness, "ZADD none XX 1 a", "ZINCRBY none nan a", "ZRANGESTORE y z 0 0") == []


def test_effects(harness: EngineHarness) -> None:
    journal = Journalled(harness)
    assert journal.effects("ZADD", "z", 1, "a", 2, "b", 3, "c") == ["ZADD z 1 a 2 b 3 c"]
    assert journal.effects("ZADD", "z", "INCR", "0.5", "a") == ["ZADD z INCR 0.5 a"]
    assert journal.effects("ZADD", "z", "NX", 5, "a") == []
    assert journal.effects("ZPOPMIN", "z") == ["ZPOPMIN z"]
    assert journal.effects("ZMPOP", 2, "none", "z", "MAX", "COUNT", 9) == ["ZPOPMAX z 2"]
    assert journal.effects("ZMPOP", 1, "z", "MAX") == []
    harness.command("ZADD", "z", 1, "a", 2, "b", 3, "c")
    assert journal.effects("BZPOPMAX", "none", "z", 0) == ["ZPOPMAX z"]
    assert journal.effects("BZMPOP", 0, 2, "none", "z", "MIN", "COUNT", 9) == ["ZPOPMIN z 2"]
    blocked(harness, "BZPOPMIN", "z", 0)
    assert journal.effects("ZADD", "z", 1, "a") == ["ZADD z 1 a", "ZPOPMIN z"]


def test_a_request_that_fails_changes_nothing(harness: EngineHarness) -> None:
    harness.command("ZADD", "z", "inf", "a")
    assert observe(harness, "ZADD z 1 b x c", "ZINCRBY z -inf a", "ZADD z INCR -inf a") == []
    assert harness.command("ZRANGE", "z", 0, -1, "WITHSCORES") == [b"a", b"inf"]


# The rest ----------------------------------------------------------------------------------


def test_digests_are_those_of_redis(harness: EngineHarness) -> None:
    """The figures are what redis-server 7.2.6 answers."""
    harness.engine.protected_commands["DEBUG"] = "yes"
    scores = "1 a 2.5 b inf c -inf d 0 e 1e17 f 1e-7 g 123456789012345 h 4611686018427387904 i"
    harness.command("ZADD", "z", *scores.split(" "), "1e21", "j")
    digest = harness.command("DEBUG", "DIGEST-VALUE", "z")
    assert digest == ["374cef12cb02ef9c48ea6e3b6c4c26b90f87b64c"]
    harness.command("ZADD", "z", 3, LONG, "-0", "k")
    digest = harness.command("DEBUG", "DIGEST-VALUE", "z")
    assert digest == ["aa816c56c86cef9ebe2c65fda2cb0f73380ca614"]
    assert harness.command("DEBUG", "DIGEST") == "769de7ec0105bd6ac276980f9908d9c70a468b43"


def test_a_scan_finds_every_member_with_its_score(harness: EngineHarness) -> None:
    for number in range(500):
        harness.command("ZADD", "z", number / 2, f"member {number}")
    seen: dict[object, object] = {}
    cursor: object = b"0"
    steps = 0
    while steps == 0 or cursor != b"0":
        reply = harness.command("ZSCAN", "z", cursor, "COUNT", 20)
        assert isinstance(reply, list)
        cursor, words = reply
        seen.update(zip(words[::2], words[1::2], strict=True))
        steps += 1
    assert steps > 5
    assert seen == {b"member %d" % n: b"%.17g" % (n / 2) for n in range(500)}


@pytest.mark.parametrize("size", [1, 7, 100, 300])
def test_random_members_are_distinct_unless_asked_otherwise(
    harness: EngineHarness, size: int
) -> None:
    scores = {b"%d" % number: b"%d" % (number * 3) for number in range(size)}
    for member, score in scores.items():
        harness.command("ZADD", "z", score, member)
    for count in (1, 2, 5, 90, 250, 400):
        reply = harness.command("ZRANDMEMBER", "z", count, "WITHSCORES")
        assert isinstance(reply, list)
        assert len(reply) == 2 * min(count, size)
        found = dict(zip(reply[::2], reply[1::2], strict=True))
        assert len(found) == min(count, size)
        assert found.items() <= scores.items()
    reply = harness.command("ZRANDMEMBER", "z", -1000)
    assert isinstance(reply, list)
    assert len(reply) == 1000
    assert set(reply) <= scores.keys()
    assert len(set(reply)) >= min(size, 50)


def test_ranges_are_slices_of_a_sorted_list(harness: EngineHarness) -> None:
    rng = random.Random(5)
    model = {b"%d" % rng.randrange(10**6): float(rng.randrange(-9, 9)) for _ in range(300)}
    for member, score in model.items():
        harness.command("ZADD", "z", int(score), member)
    pairs = sorted(model.items(), key=lambda pair: (pair[1], pair[0]))
    for _ in range(150):
        low, high = rng.randrange(-10, 10), rng.randrange(-10, 10)
        low_open, high_open = rng.choice([True, False]), rng.choice([True, False])
        offset, count = rng.randrange(4), rng.randrange(-1, 40)
        reverse = rng.choice([True, False])
        found = [
            member
            for member, score in pairs
            if (score > low if low_open else score >= low)
            and (score < high if high_open else score <= high)
        ]
        if reverse:
            found.reverse()
        borders = ["(" * low_open + str(low), "(" * high_open + str(high)]
        assert harness.command("ZCOUNT", "z", *borders) == len(found)
        words = ["REV"] * reverse + ["LIMIT", offset, count]
        if reverse:
            borders.reverse()
        reply = harness.command("ZRANGE", "z", *borders, "BYSCORE", *words)
        assert reply == found[offset:][: len(found) if count < 0 else count]
