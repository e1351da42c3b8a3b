"""KEYSTATS: hot keys from samples, big keys at hand."""

import pytest

from hypercache.engine.big_keys import SPARE
from hypercache.engine.hot_keys import CAPACITY, HALF_LIFE, MAX_KEY
from hypercache.engine.observation import EVERYTHING
from hypercache.testing.engine import EngineHarness
from hypercache.testing.resp import Argument, ReplyError


def hot(harness: EngineHarness, *words: Argument) -> list[tuple[object, ...]]:
    """Database, key, share and rate of each hot key."""
    reply = harness.client(3).command("KEYSTATS", "HOT", *words)
    assert isinstance(reply, list), reply
    return [(each[b"db"], each[b"key"], each[b"share"], each[b"rate"]) for each in reply]


def big(harness: EngineHarness, *words: Argument) -> list[bytes]:
    """The big keys, largest first, whose sizes are what MEMORY USAGE says."""
    reply = harness.client(3).command("KEYSTATS", "BIG", *words)
    assert isinstance(reply, list), reply
    for each in reply:
        usage = harness.engine.keyspaces[each[b"db"]].store.memory_of(each[b"key"])
        assert each[b"bytes"] == usage
    return [each[b"key"] for each in reply]


def fill(harness: EngineHarness, count: int, prefix: str = "k") -> None:
    """Strings k1, k2, ... each longer than the one before."""
    for number in range(1, count + 1):
        harness.command("SET", f"{prefix}{number}", "x" * number * 100)


def test_both_are_off_unless_asked_for(harness: EngineHarness) -> None:
    for words in (("HOT",), ("BIG",)):
        reply = harness.command("KEYSTATS", *words)
        assert isinstance(reply, ReplyError)
        assert "CONFIG SET" in reply.text
    assert harness.engine.noted != EVERYTHING
    assert not harness.engine.changes.observed


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["COUNT"], "ERR syntax error"),
        (["LIMIT", 1], "ERR syntax error"),
        (["COUNT", 1, 2], "ERR syntax error"),
        (["COUNT", 0], "ERR count should be greater than 0"),
        (["COUNT", "x"], "ERR count should be greater than 0"),
    ],
)
def test_count_is_checked(harness: EngineHarness, words: list[Argument], error: str) -> None:
    assert harness.command("KEYSTATS", "HOT", *words) == ReplyError(error)
    assert harness.command("KEYSTATS", "BIG", *words) == ReplyError(error)


def test_hot_keys_are_counted(harness: EngineHarness) -> None:
    harness.engine.observation.hot.set_sampling(1)
    for _ in range(6):
        harness.command("GET", "often")
    harness.command("MSET", "once", "x", "twice", "x")
    harness.command("PING")
    harness.command("LPUSH", "twice", "x")  # it fails, but asks for the key
    other = harness.client()
    other.command("SELECT", 2)
    other.command("GET", "elsewhere")
    harness.clock.now += 2_000_000
    found = hot(harness, "COUNT", 2)
    assert found == [(0, b"often", 60.0, 3.0), (0, b"twice", 20.0, 1.0)]
    assert {(2, b"elsewhere"), (0, b"once")} == {each[:2] for each in hot(harness)[2:]}


def test_hot_keys_are_forgotten_and_sampling_ends(harness: EngineHarness) -> None:
    keys = harness.engine.observation.hot
    keys.set_sampling(1)
    harness.command("GET", "key")
    assert harness.command("KEYSTATS", "RESET") == "OK"
    assert hot(harness) == []
    keys.set_sampling(0)
    assert harness.engine.noted == harness.engine.slowlog.threshold


def test_long_keys_are_not_counted(harness: EngineHarness) -> None:
    harness.engine.observation.hot.set_sampling(1)
    harness.command("MGET", "x" * MAX_KEY, "x" * (MAX_KEY + 1))
    assert [each[1] for each in hot(harness)] == [b"x" * MAX_KEY]


def test_a_sample_is_enough_to_find_what_is_hot(harness: EngineHarness) -> None:
    harness.engine.observation.hot.set_sampling(10)
    for number in range(2000):
        harness.command("GET", "hot" if number % 2 else number)
    ((_, key, share, _),) = hot(harness, "COUNT", 1)
    assert key == b"hot"
    assert isinstance(share, float)
    assert 35 < share < 65
    assert 120 < harness.engine.observation.hot.total < 300


def test_counters_are_bounded_and_what_is_hot_stays() -> None:
    keys = EngineHarness().engine.observation.hot
    keys.set_sampling(1)
    for number in range(20_000):
        keys.add((0, b"%d" % number))
        if number % 50 == 0:
            keys.add((0, b"hot"))
        assert len(keys.counts) <= CAPACITY
    ((place, share, _),) = [(key.place, key.share, key.rate) for key in keys.hottest(1)]
    true = 100 * 400 / keys.total
    assert place == (0, b"hot")
    assert true - keys.error() <= share <= true


def test_what_was_long_ago_weighs_less(harness: EngineHarness) -> None:
    keys = harness.engine.observation.hot
    keys.set_sampling(1)
    for _ in range(8):
        harness.command("GET", "before")
    harness.clock.now += HALF_LIFE
    for _ in range(5):
        harness.command("GET", "now")
    assert [each[1] for each in hot(harness)] == [b"now", b"before"]
    harness.clock.now += 10 * HALF_LIFE
    harness.command("GET", "later")
    assert [each[1] for each in hot(harness)] == [b"later"]


def test_big_keys_are_known_as_they_change(harness: EngineHarness) -> None:
    harness.engine.observation.big.set_tracked(3)
    fill(harness, 10)
    assert big(harness) == [b"k10", b"k9", b"k8"]
    assert big(harness, "COUNT", 1) == [b"k10"]
    harness.command("DEL", "k10")
    harness.command("RENAME", "k9", "renamed")
    harness.command("HSET", "hash", *(word for n in range(100) for word in (n, "x" * 50)))
    assert big(harness) == [b"hash", b"renamed", b"k8"]
    harness.command("DEL", "hash")
    harness.command("APPEND", "k1", "x" * 5000)
    assert big(harness) == [b"k1", b"renamed", b"k8"]
    harness.command("PEXPIRE", "k1", 5)
    harness.advance(2000)
    harness.tick()
    assert big(harness) == [b"renamed", b"k8", b"k7"]
    harness.command("FLUSHDB")
    assert big(harness) == []


def test_keys_from_before_are_found_in_the_background(harness: EngineHarness) -> None:
    fill(harness, 10)
    harness.command("MOVE", "k9", 5)
    keys = harness.engine.observation.big
    keys.set_tracked(2)
    assert not keys.is_complete()
    walk(harness)
    assert big(harness) == [b"k10", b"k9"]
    harness.command("SWAPDB", 0, 5)
    walk(harness)
    assert big(harness) == [b"k10", b"k9"]


def walk(harness: EngineHarness) -> None:
    """Let the walk come to its end."""
    keys = harness.engine.observation.big
    for _ in range(100):
        harness.engine.background.tick(1000)
        harness.end_round()
        if keys.is_complete():
            return
    raise AssertionError("the walk has no end")


def test_removals_bring_up_keys_that_were_forgotten(harness: EngineHarness) -> None:
    keys = harness.engine.observation.big
    keys.set_tracked(2)
    walk(harness)
    fill(harness, 40)
    assert len(keys.sizes) <= 2 * 2 * SPARE
    for number in range(40, 3, -1):
        harness.command("DEL", f"k{number}")
    walk(harness)
    assert big(harness) == [b"k3", b"k2"]


def test_keys_of_one_size_are_as_good_as_each_other(harness: EngineHarness) -> None:
    for number in range(100, 200):
        harness.command("SET", number, "x")
    keys = harness.engine.observation.big
    keys.set_tracked(2)
    walk(harness)
    assert len(big(harness)) == 2
    assert keys.is_complete()
    harness.command("SET", 100, "y")
    harness.command("DEL", *next(iter(keys.sizes))[1:])
    assert len(big(harness)) == 2
    assert keys.is_complete()


def test_tracking_ends(harness: EngineHarness) -> None:
    keys = harness.engine.observation.big
    keys.set_tracked(2)
    fill(harness, 3)
    keys.set_tracked(0)
    assert keys.sizes == {}
    assert not harness.engine.changes.observed


def test_info_tells_how_much_is_known(harness: EngineHarness) -> None:
    harness.engine.observation.hot.set_sampling(1)
    harness.engine.observation.big.set_tracked(5)
    fill(harness, 3)
    told = harness.command("INFO", "keystats")
    assert isinstance(told, bytes)
    for line in (b"hot_keys_samples:3", b"hot_keys_counted:3", b"big_keys_known:3"):
        assert line in told.splitlines()
    plain = harness.command("INFO")
    assert isinstance(plain, bytes)
    assert b"# Keystats" not in plain
