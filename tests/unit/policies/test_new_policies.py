"""SIEVE, S3-FIFO, W-TinyLFU and session: whom they name, and what their hit ratios are."""

from random import Random

import pytest

from hypercache.keyspace.eviction import EvictionPolicy
from hypercache.policies.s3fifo import S3Fifo
from hypercache.policies.session import Session
from hypercache.policies.sieve import Sieve
from hypercache.policies.wtinylfu import WTinyLfu
from tests.support.caching import Cache, lru_ratio, with_scans, zipf

NEW = (Sieve, S3Fifo, WTinyLfu)
EVERY = (*NEW, Session)


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("seed", range(3))
def test_lists_stay_true(kind: type[EvictionPolicy], seed: int) -> None:
    """Whatever comes and goes, each key is known once, and every victim is a key."""
    random = Random(seed)
    cache = Cache(kind, 40, seed)
    walk = None
    for step in range(600):
        cache.place.seconds = step
        key = b"%d" % random.randrange(80)
        present = cache.database.find(key) is not None
        if present and random.random() < 0.3:
            cache.remove(key)
        else:
            cache.ask(key)
        if step % 200 == 50:
            walk = cache.database.walk()
        elif walk is not None and step % 10 == 0:
            walk.next(3)
        if walk is not None and step % 200 == 190:
            walk.close()
            walk = None
        if step % 10 == 0:
            assert cache.policy.check() == []
            victim = cache.policy.victim()
            assert victim is None or cache.database.find(victim) is not None
    while cache.database.size() > 0:
        victim = cache.policy.victim()
        assert victim is not None
        cache.remove(victim)
    assert cache.policy.victim() is None
    assert cache.policy.check() == []
    assert cache.policy.memory() > 0


@pytest.mark.parametrize("kind", EVERY)
def test_another_is_named_if_one_stays(kind: type[EvictionPolicy]) -> None:
    cache = Cache(kind, 50)
    for number in range(50):
        cache.put(b"%d" % number)
    assert len({cache.policy.victim() for _ in range(30)}) > 20


@pytest.mark.parametrize("kind", EVERY)
def test_a_policy_that_comes_late_learns_all_keys(kind: type[EvictionPolicy]) -> None:
    """The keys are told in slices, some of them twice, while others go."""
    cache = Cache(EvictionPolicy, 1000)
    for number in range(100):
        cache.put(b"%d" % number)
    late = kind(cache.place)
    cache.policy = late
    for slot in range(99, 9, -1):
        if slot == 50:
            cache.remove(b"3")
            cache.remove(b"60")
        key = cache.database.key_at(min(slot, cache.database.size() - 1))
        entry = cache.database.find(key)
        assert entry is not None
        late.added(key, entry)
        late.added(key, entry)
    assert late.check() == []
    for key in list(cache.database.keys()):
        entry = cache.database.find(key)
        assert entry is not None
        late.added(key, entry)
    evicted = set()
    while (victim := late.victim()) is not None:
        cache.remove(victim)
        evicted.add(victim)
    assert len(evicted) == 98
    late.cleared()
    assert late.victim() is None


@pytest.mark.parametrize("kind", NEW)
def test_more_hits_than_lru_on_skewed_requests(kind: type[EvictionPolicy]) -> None:
    requests = zipf(12_000, 2_000, 1.0, 3)
    assert Cache(kind, 100).ratio(requests) > lru_ratio(requests, 100) + 0.03


@pytest.mark.parametrize("kind", NEW)
def test_scans_do_less_harm_than_with_lru(kind: type[EvictionPolicy]) -> None:
    requests = with_scans(zipf(8_000, 2_000, 1.0, 4), 500, 200)
    assert Cache(kind, 100).ratio(requests) > lru_ratio(requests, 100) + 0.03


def test_sieve_spares_what_was_used() -> None:
    cache = Cache(Sieve, 4)
    for key in (b"a", b"b", b"c", b"d", b"a", b"e"):
        cache.ask(key)
    assert sorted(cache.database.keys()) == [b"a", b"c", b"d", b"e"]
    cache.ask(b"f")  # the hand goes on where it was
    assert sorted(cache.database.keys()) == [b"a", b"d", b"e", b"f"]


def test_s3_fifo_takes_a_ghost_into_the_main_queue() -> None:
    cache = Cache(S3Fifo, 10)
    for number in range(11):
        cache.ask(b"%d" % number)
    assert cache.policy.statistics() == {"small_queue_keys": 10, "main_queue_keys": 0}
    cache.ask(b"0")
    assert cache.policy.statistics() == {"small_queue_keys": 9, "main_queue_keys": 1}
    cache.remove(b"5")  # deleted, not evicted: no ghost
    cache.ask(b"5")
    assert cache.policy.statistics() == {"small_queue_keys": 9, "main_queue_keys": 1}


def test_w_tinylfu_protects_what_is_used_again() -> None:
    cache = Cache(WTinyLfu, 300)
    for number in range(300):
        cache.ask(b"%d" % number)
    for number in range(100):
        cache.ask(b"%d" % number)
    cache.ask(b"one more")  # what was used is looked at when a key has to go
    assert cache.policy.statistics()["protected_keys"] >= 99
    for number in range(1000):  # keys that are used once contest in vain
        cache.ask(b"once %d" % number)
    kept = sum(cache.database.find(b"%d" % number) is not None for number in range(100))
    assert kept >= 95


def test_session_evicts_the_expired_then_the_idle_then_the_old() -> None:
    cache = Cache(Session, 100)
    place = cache.place
    place.options = {"idle-limit": 100, "grace-period": 10}
    place.now = 1_000_000
    cache.put(b"oldest")
    place.seconds = 5
    cache.put(b"idle")
    cache.put(b"expired", 900_000)
    place.seconds = 50
    assert cache.ask(b"oldest")
    place.seconds = 104
    cache.put(b"new")
    for key in (b"expired", b"oldest"):  # "idle" is idle for 99 seconds, which is no more than 100
        assert cache.policy.victim() == key
        cache.remove(key)
    cache.put(b"back")
    place.seconds = 106
    assert cache.policy.victim() == b"idle"
    cache.remove(b"idle")
    assert cache.ask(b"new")
    assert cache.policy.victim() == b"back"  # all have come lately: the longest idle


def test_idle_times_are_kept() -> None:
    for kind in EVERY:
        cache = Cache(kind, 10)
        cache.place.seconds = 7
        cache.put(b"key")
        cache.ask(b"key")
        cache.place.seconds = 20
        entry = cache.database.find(b"key")
        assert entry is not None
        assert cache.policy.idle(entry) == 13
