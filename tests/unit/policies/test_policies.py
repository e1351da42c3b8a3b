"""Every policy that comes with the server keeps the contract, found by its entry point."""

from random import Random

import pytest

from hypercache.eviction import Place
from hypercache.extensions import POLICIES
from hypercache.policies.lfu import AllKeysLfu
from hypercache.policies.lru import AllKeysLru
from hypercache.policies.notes import NotingPolicy
from hypercache.testing import PolicyCheck, policy_checks
from hypercache.testing.policy_trial import PolicyTrial, memory_backend
from tests.support.caching import Cache

NAMES = [point.name for point in POLICIES.points()]


def test_all_of_redis_are_there() -> None:
    redis = {
        "noeviction",
        "allkeys-lru",
        "allkeys-lfu",
        "allkeys-random",
        "volatile-lru",
        "volatile-lfu",
        "volatile-random",
        "volatile-ttl",
    }
    assert redis <= set(NAMES)


@pytest.mark.parametrize("check", policy_checks(), ids=lambda check: check.name)
@pytest.mark.parametrize("name", NAMES)
def test_contract(name: str, check: PolicyCheck) -> None:
    check.run(POLICIES.load(POLICIES.find(name)))


@pytest.mark.parametrize("kind", [AllKeysLru, AllKeysLfu])
def test_no_key_is_more_urgent_than_noted(kind: type[NotingPolicy]) -> None:
    """Through removals, walks and restores; else a key would be spared that should go."""
    random = Random(3)
    policies: list[NotingPolicy] = []

    def make(place: Place) -> NotingPolicy:
        policies.append(kind(place))
        return policies[0]

    trial = PolicyTrial("notes", "notes", make, memory_backend(), 1)
    for turn in range(3000):
        key = b"key:%d" % random.randrange(300)
        chosen = random.randrange(10)
        if chosen < 5:
            trial.put(key)
        elif chosen < 7:
            trial.use(key)
        elif chosen < 8:
            trial.remove(key)
        elif chosen < 9:
            trial.evict()
        elif turn % 7 == 0 and (entry := trial.store.find(key)) is not None:
            policies[0].restore(entry, random.randrange(50), random.randrange(9))
        if turn % 400 == 100:
            trial.begin_walk()
        if turn % 400 == 300:
            trial.end_walk()
        trial.advance(random.randrange(3))
        policies[0].place.frequency.minutes = turn // 50
        if turn % 16 > 0:
            continue
        words = policies[0].notes.words
        for slot in range(min(len(words), trial.store.size())):
            found = trial.store.find(trial.store.key_at(slot))
            assert found is not None
            assert policies[0].rank(words[slot]) >= policies[0].urgency(found)


@pytest.mark.parametrize("kind", [AllKeysLru, AllKeysLfu])
def test_several_victims_at_once_are_as_good(kind: type[NotingPolicy]) -> None:
    """Half of the keys are used after they were seen: none of them goes."""
    cache = Cache(kind, 2000)
    for number in range(2000):
        cache.put(b"%d" % number)
    cache.policy.expect(16)
    cache.place.seconds = 180
    cache.place.frequency.minutes = 3
    used = [b"%d" % number for number in range(0, 2000, 2)]
    for key in used:
        entry = cache.database.find(key)
        assert entry is not None
        entry.access = 180
        if kind is AllKeysLfu:
            entry.access = cache.place.frequency.access(4)
    for _ in range(25):
        cache.policy.expect(16)
        for _ in range(16):
            victim = cache.policy.victim()
            assert victim is not None
            cache.remove(victim)
    assert all(cache.database.find(key) is not None for key in used)
    assert cache.database.size() == 1600


def test_what_was_expected_is_forgotten() -> None:
    """Keys that were found together, and have gone or come to use since, are not named."""
    cache = Cache(AllKeysLru, 3000)
    for number in range(3000):
        cache.put(b"%d" % number)
    cache.policy.expect(16)
    cache.policy.expect(1)
    for number in range(0, 3000, 3):
        cache.remove(b"%d" % number)
    for _ in range(100):
        victim = cache.policy.victim()
        assert victim is not None
        cache.remove(victim)
    cache.policy.expect(16)
    cache.policy.cleared()
    assert cache.policy.victim() is not None
