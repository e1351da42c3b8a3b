"""The conformance kit for eviction policies (`hypercache.eviction`).

In a test suite, one test a rule::

    from hypercache.testing import PolicyCheck, policy_checks

    @pytest.mark.parametrize("check", policy_checks(), ids=lambda check: check.name)
    def test_contract(check: PolicyCheck) -> None:
        check.run(MyPolicy)

or all at once: ``check_policy(MyPolicy)``.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

import attrs

from hypercache.backend import NO_EXPIRE
from hypercache.keyspace.eviction import CONTRACT_VERSIONS
from hypercache.keyspace.frequency import HIGHEST
from hypercache.keyspace.kv_backend import KVBackend
from hypercache.testing.policy_trial import NOW, MakePolicy, PolicyTrial, memory_backend
from hypercache.testing.sorted_kv import SortedDictKV

Body = Callable[[PolicyTrial], None]

# Keys of a small store and of one where looking at all of them shows.
_FEW: Final = 60
_MANY: Final = 3000


@attrs.frozen
class PolicyCheck:
    """One rule of the contract: a stable name, a sentence, and what tries it."""

    name: str
    rule: str
    body: Body

    def run(self, make: MakePolicy, *, seed: int = 0) -> None:
        """Try the rule as `check_policy` does; raises `ConformanceError`."""
        trial = PolicyTrial(self.name, self.rule, make, memory_backend(), seed)
        self._try(trial)
        if not trial.policy.needs_entries:
            backend = KVBackend(SortedDictKV())
            self._try(PolicyTrial(self.name, self.rule, make, backend, seed))

    def _try(self, trial: PolicyTrial) -> None:
        self.body(trial)
        trial.consistent()


def rule(body: Body) -> PolicyCheck:
    """Make a function a check: its name and its docstring, white space folded, say the rule."""
    return PolicyCheck(body.__name__, " ".join((body.__doc__ or "").split()), body)


def policy_checks() -> list[PolicyCheck]:
    """Every rule of the contract, in the order in which to try them."""
    return list(CHECKS)


def check_policy(make: MakePolicy, *, seed: int = 0) -> None:
    """Try every rule of the contract; raises `ConformanceError` at a broken one.

    ``make(place)`` gives a new policy: its class, usually.
    """
    for check in policy_checks():
        check.run(make, seed=seed)


def fill(trial: PolicyTrial, count: int, tell: bool = True) -> list[bytes]:
    """Store keys, every second one with a deadline."""
    keys = [b"key:%d" % number for number in range(count)]
    for number, key in enumerate(keys):
        trial.put(key, NOW + 10_000_000 + number if number % 2 else NO_EXPIRE, tell)
    return keys


def drain(trial: PolicyTrial) -> int:
    """Evict until the policy names no more; how many there were."""
    evicted = 0
    while trial.evict():
        evicted += 1
    return evicted


def expect_drained(trial: PolicyTrial, before: int) -> None:
    """All that may be evicted has been, by a policy that evicts at all."""
    evicted = drain(trial)
    if evicted == 0:
        return
    left = trial.store.volatile() if trial.policy.volatile else trial.store.size()
    trial.expect("keys left that may be evicted", 0, left)


def traits(trial: PolicyTrial) -> None:
    """The constructor leaves everything as it is; the version is one that the server keeps; a
    policy that is told nothing works on any backend.
    """
    policy = trial.policy
    trial.require(policy.contract in CONTRACT_VERSIONS, "a known version", int(policy.contract))
    trial.expect("questions in the constructor", 0, trial.database.asked)


def empty_store(trial: PolicyTrial) -> None:
    """There is no victim in an empty store, before keys were there and after all have gone."""
    trial.expect("victim()", None, trial.victim())
    for key in fill(trial, _FEW):
        trial.remove(key)
    trial.expect("victim()", None, trial.victim())
    fill(trial, _FEW)
    trial.clear()
    trial.expect("victim()", None, trial.victim())


def everything_goes(trial: PolicyTrial) -> None:
    """Asked again and again, a policy that names a victim at all names every key that may be
    evicted, each while it is there; a volatile one only keys with a deadline.
    """
    fill(trial, _FEW)
    trial.advance(1)
    expect_drained(trial, _FEW)


def asked_in_vain(trial: PolicyTrial) -> None:
    """A victim that stays does no harm: the policy goes on naming keys that are there."""
    fill(trial, _FEW)
    names = trial.victim() is not None
    for _ in range(3 * _FEW):
        trial.require((trial.victim() is not None) == names, "a victim as before", "another answer")
        trial.use(b"key:%d" % trial.random.randrange(_FEW))
    trial.consistent()
    expect_drained(trial, _FEW)


def bounded_work(trial: PolicyTrial) -> None:
    """However many keys there are and however all of them were used, naming a victim asks the
    database for a bounded number of keys.
    """
    keys = fill(trial, _MANY)
    trial.advance(5)
    for _ in range(2):
        for key in keys:
            trial.use(key)
    del trial.steps[:]
    for _ in range(10):
        trial.evict()


def deadlines_change(trial: PolicyTrial) -> None:
    """Keys get deadlines and lose them without a word to the policy."""
    keys = fill(trial, _FEW)
    for number, key in enumerate(keys):
        if trial.store.find(key) is not None:
            trial.store.expire(key, NO_EXPIRE if number % 2 else NOW + 5_000_000 + number)
        if number % 7 == 0:
            trial.evict()
    expect_drained(trial, _FEW)


def adoption(trial: PolicyTrial) -> None:
    """A policy takes over keys that were there before it, in any order and more than once, while
    others come, are used and go, some of them before it has heard of them.
    """
    keys = fill(trial, _FEW, tell=False)
    if not trial.policy.follows_keys:
        return
    trial.random.shuffle(keys)
    for start in range(0, _FEW, 10):
        trial.adopt(keys[start : start + 10] + keys[:3])
        trial.use(keys[-1 - start // 10])
        trial.remove(keys[-1 - start // 10])
        trial.put(b"new:%d" % start)
        trial.consistent()
        trial.evict()
    expect_drained(trial, _FEW)


def random_history(trial: PolicyTrial) -> None:
    """Whatever comes in whatever order, also while all keys are walked for a snapshot, the
    policy stays consistent and its victims are keys that may be evicted.
    """
    random = trial.random
    for turn in range(1500):
        key = b"key:%d" % random.randrange(_FEW)
        chosen = random.randrange(12)
        if chosen < 4:
            trial.put(key, NOW + random.randrange(1, 10**9) if random.random() < 0.5 else NO_EXPIRE)
        elif chosen < 8:
            trial.use(key)
        elif chosen < 9:
            trial.remove(key)
        elif chosen < 11:
            trial.evict()
        else:
            trial.advance(random.randrange(100))
        if turn % 500 == 250:
            trial.begin_walk()
        if turn % 500 == 400:
            trial.end_walk()
        if turn % 100 == 0:
            trial.consistent()
    expect_drained(trial, _FEW)


def begun_anew(trial: PolicyTrial) -> None:
    """After `cleared` a policy knows nothing of the keys before: others take their place (SWAPDB),
    and it is shown those.
    """
    fill(trial, _FEW)
    for turn in range(_FEW):
        trial.use(b"key:%d" % (turn % 7))
    others = trial.stores[1]
    names = [b"other:%d" % number for number in range(_FEW)]
    for name in names:
        others.put(name, b"value", NOW + 10_000_000)
    trial.store.swap(others)
    trial.call("cleared()", trial.policy.cleared)
    if trial.policy.follows_keys:
        trial.adopt(names)
    trial.consistent()
    expect_drained(trial, _FEW)


def figures(trial: PolicyTrial) -> None:
    """Of every key: `idle` is -1 or not negative, grows with time and falls with a use;
    `frequency` is -1 or a counter of 8 bits; `restore` takes whatever a client says.
    """
    keys = fill(trial, _FEW)
    trial.advance(100)
    trial.use(keys[0])
    for key in keys:
        entry = trial.store.find(key)
        assert entry is not None
        for idle, frequency in ((-1, -1), (0, 0), (17, 255), ((1 << 62) - 1, 3)):
            trial.call("restore()", partial(trial.policy.restore, entry, idle, frequency))
            seconds = int(trial.policy.idle(entry))
            uses = int(trial.policy.frequency(entry))
            trial.require(seconds >= -1, "idle() is -1 or more", seconds)
            trial.require(-1 <= uses <= HIGHEST, "frequency() is from -1 to 255", uses)
    trial.consistent()
    expect_drained(trial, _FEW)


CHECKS: Final = tuple(
    rule(body)
    for body in (
        traits,
        empty_store,
        everything_goes,
        asked_in_vain,
        bounded_work,
        deadlines_change,
        adoption,
        random_history,
        begun_anew,
        figures,
    )
)
