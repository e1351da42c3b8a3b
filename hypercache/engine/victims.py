"""Which key is evicted next: the stores' policies, and the choice between stores.

A store's policy names its victims. Where they may come from any store, those with the same policy
compare theirs, and different policies take turns.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from mypy_extensions import i64

from hypercache.backend import NO_EXPIRE, Database
from hypercache.engine.memory import NO_EVICTION
from hypercache.engine.stores import Store, StoreRules
from hypercache.keyspace.eviction import EvictionPolicy, Place
from hypercache.keyspace.keyspace import Keyspace
from hypercache.keyspace.live_keys import ALL
from hypercache.reply import ErrorReply

if TYPE_CHECKING:
    from hypercache.engine.engine import Engine

# Keys that a policy may name in vain: those that have gone, or that it must not evict.
_VAIN: Final = 8
_LEAST: Final[i64] = -(1 << 62)

# A policy as settings name it: session, or session(idle-limit=900,grace-period=30).
_NAMED: Final = re.compile(r"([^()]+)(?:\(([^()]*)\))?")
_OPTION: Final = re.compile(r" *([a-z][a-z0-9-]*) *= *([0-9]{1,15}) *")

#: Makes the policy of a name; raises ValueError with the reason where that cannot be.
MakePolicy = Callable[[str, Place], EvictionPolicy]


def no_policies(name: str, place: Place) -> EvictionPolicy:
    """What an engine knows on its own: none but ``noeviction``."""
    if name != NO_EVICTION:
        raise ValueError(f"there is no eviction policy {name!r}")
    return EvictionPolicy(place)


def options_of(text: str) -> tuple[str, dict[str, int]]:
    """The name of a policy, and its options in parentheses; raises ValueError."""
    named = _NAMED.fullmatch(text)
    if named is None:
        raise ValueError(f"{text!r} is no name of an eviction policy")
    options: dict[str, int] = {}
    for part in named[2].split(",") if named[2] else []:
        option = _OPTION.fullmatch(part)
        if option is None:
            raise ValueError(f"{part!r} is no option of an eviction policy: name=number is meant")
        options[option[1]] = int(option[2])
    return named[1], options


class Candidate:
    """A store whose keys may be evicted.

    ``policy`` is the name of the policy in force; ``key`` the victim that it has named and that
    still waits for its end, None for none; ``expected`` tells how many are about to go, 0 where
    the policy knows. ``broken``: it has raised, and is asked no more.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.policy = ""
        self.key: bytes | None = None
        self.expected: i64 = 0
        self.broken = False

    def describe(self) -> dict[str, object]:
        """The policy in STORES INFO."""
        policy = self.store.keyspace.policy
        fields: dict[str, object] = {
            "eviction_policy": self.policy,
            "eviction_policy_memory": int(policy.memory()),
        }
        for name, value in policy.statistics().items():
            fields[f"eviction_policy_{name}"] = value
        return fields


class Victims:
    """The policies of all stores. ``policy`` is that of stores without one of their own.

    A policy's name may be followed by options of its own: ``session(idle-limit=900)``.
    """

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self.make: MakePolicy = no_policies
        self.policy = NO_EVICTION
        self.samples: i64 = 5
        self._candidates = [Candidate(store) for store in engine.stores]
        self._turn = 0
        for candidate in self._candidates:
            self._select(candidate)
            candidate.store.information.append(candidate.describe)
        engine.stores.has_policy = self.knows
        engine.stores.judges.append(self._judge)

    # Policies ------------------------------------------------------------------------------

    def set_policy(self, name: str) -> None:
        """``maxmemory-policy`` has changed; raises ValueError, and changes nothing then."""
        if self._probe(name).needs_entries and not self._engine.backend.keeps_access:
            raise ValueError(unfit(name, self._engine.backend.name))
        self.policy = name
        self._engine.eviction.refresh()

    def set_samples(self, samples: i64) -> None:
        """``maxmemory-samples`` has changed."""
        self.samples = samples
        for keyspace in self._engine.keyspaces:
            keyspace.policy.place.samples = samples

    def knows(self, name: str) -> bool:
        """Whether there is a policy of a name."""
        try:
            self._probe(name)
        except ValueError:
            return False
        return True

    def _judge(self, store: Store, rules: StoreRules) -> None:
        """Whether a store can have the policy that its rules name."""
        if not rules.policy:
            return
        if self._probe(rules.policy).needs_entries and not store.backend.keeps_access:
            raise ErrorReply(f"ERR {unfit(rules.policy, store.backend.name)}")

    def _probe(self, name: str) -> EvictionPolicy:
        """A policy for no store, to see what it is like; raises ValueError."""
        return self._build(name, Place(Database(), self._engine.chance))

    def _build(self, text: str, place: Place) -> EvictionPolicy:
        """The policy of a name, with the options that follow it."""
        name, place.options = options_of(text)
        return self.make(name, place)

    def refresh(self) -> None:
        """Let every store have the policy that it is to have."""
        for candidate in self._candidates:
            keyspace = candidate.store.keyspace
            name = candidate.store.policy or self.policy
            if name != candidate.policy or keyspace.policy.place.database is not keyspace.store:
                self._select(candidate)
        changes = self._engine.changes
        changes.followed = any(each.follower is not None for each in self._engine.keyspaces)
        changes.set_no_touch(changes.no_touch)

    def _select(self, candidate: Candidate) -> None:
        keyspace = candidate.store.keyspace
        place = Place(keyspace.store, self._engine.chance)
        place.frequency = self._engine.changes.frequency
        place.samples = self.samples
        keep_time(place, keyspace)
        candidate.policy = candidate.store.policy or self.policy
        candidate.key = None
        candidate.broken = False
        keyspace.store.follow_slots(None)
        policy = self._build(candidate.policy, place)
        if policy.needs_entries and not candidate.store.backend.keeps_access:
            policy = EvictionPolicy(place)  # the policy of other stores, which this one cannot have
        keyspace.set_policy(policy)

    def keep_time(self) -> None:
        """The clocks have moved."""
        for keyspace in self._engine.keyspaces:
            keep_time(keyspace.policy.place, keyspace)

    # Evicting ------------------------------------------------------------------------------

    def expect(self, keyspaces: list[Keyspace], size: i64) -> None:
        """So many bytes are going to be evicted from one database, or from some."""
        if len(keyspaces) != 1:
            return  # one from here, one from there
        keyspace = keyspaces[0]
        candidate = self._candidates[keyspace.index]
        keys: i64 = keyspace.store.size()
        if keys == 0:
            return
        memory: i64 = keyspace.store.memory()
        candidate.expected = size // (memory // keys + 1) + 1

    def evict_one(self, keyspaces: list[Keyspace]) -> bool:
        """Evict a key from one of some databases; False where no policy names any."""
        if len(keyspaces) == 1:
            return self._evict(self._candidates[keyspaces[0].index])
        candidate = self._best(keyspaces)
        return candidate is not None and self._evict(candidate)

    def _evict(self, candidate: Candidate) -> bool:
        """Evict a key from a store: the one that was named before, or another."""
        keyspace = candidate.store.keyspace
        key = candidate.key
        candidate.key = None
        for _ in range(_VAIN):
            if key is None:
                key = self._name(candidate)
                if key is None:
                    return False
            if self._remove(keyspace, key):
                candidate.store.evicted += 1
                return True
            key = None
        return False

    def _name(self, candidate: Candidate) -> bytes | None:
        """A victim, in the words of the policy once it knows all keys."""
        keyspace = candidate.store.keyspace
        if keyspace.adopted != ALL or candidate.broken:
            return sampled(keyspace)
        try:
            if candidate.expected > 0:
                expected = candidate.expected
                candidate.expected = 0
                keyspace.policy.expect(expected)
            return keyspace.policy.victim()
        except Exception as error:  # noqa: BLE001 - anybody's code, and every command asks it
            candidate.broken = True
            fields: dict[str, object] = {"policy": candidate.policy, "error": repr(error)}
            fields["store"] = candidate.store.name
            self._engine.reporter.report("error", "eviction_policy_failed", fields)
            return sampled(keyspace)

    def _remove(self, keyspace: Keyspace, key: bytes) -> bool:
        engine = self._engine
        if engine.latency.threshold == 0:
            return keyspace.evict(key)
        began: i64 = engine.clock.microseconds()
        evicted = keyspace.evict(key)
        now: i64 = engine.clock.microseconds()
        engine.latency.add(b"eviction-del", now, now - began)
        return evicted

    def _best(self, keyspaces: list[Keyspace]) -> Candidate | None:
        """The store whose victim is to go next; None when no policy names any.

        The stores take turns, and the one whose turn it is stands for all with the same policy:
        of these the most urgent victim goes.
        """
        best: Candidate | None = None
        most: i64 = _LEAST
        policy = ""
        count = len(keyspaces)
        self._turn += 1
        start = self._turn
        for step in range(count):
            candidate = self._candidates[keyspaces[(start + step) % count].index]
            if best is None or candidate.policy == policy:
                urgency = self._urgency(candidate)
                if urgency > most:
                    best = candidate
                    most = urgency
                    policy = candidate.policy
        return best

    def _urgency(self, candidate: Candidate) -> i64:
        """How urgent a store's victim is, which is named if need be; `_LEAST` for none."""
        keyspace = candidate.store.keyspace
        key = candidate.key
        if key is None or not is_evictable(keyspace, key):
            key = self._name(candidate) if keyspace.store.size() > 0 else None
            if key is not None and not is_evictable(keyspace, key):
                key = None
            candidate.key = key
        entry = None if key is None else keyspace.store.find(key)
        return _LEAST if entry is None else keyspace.policy.urgency(entry)


def unfit(policy: str, backend: str) -> str:
    """Why a store refuses a policy."""
    return f"the eviction policy {policy!r} needs access times, which the {backend} backend has not"


def keep_time(place: Place, keyspace: Keyspace) -> None:
    """Move the clocks that a policy looks at."""
    place.seconds = i64(keyspace.changes.access)
    place.now = keyspace.changes.moment()


def is_evictable(keyspace: Keyspace, key: bytes) -> bool:
    """Whether a key is there, and one that the policy of its database may evict."""
    entry = keyspace.store.find(key)
    return entry is not None and (not keyspace.policy.volatile or entry.expire != NO_EXPIRE)


def sampled(keyspace: Keyspace) -> bytes | None:
    """A key that was not used for long, for a policy that cannot tell."""
    policy = keyspace.policy
    store = keyspace.store
    best: bytes | None = None
    longest: i64 = _LEAST
    turn: i64 = 0
    while turn < policy.place.samples:
        turn += 1
        pick = keyspace.chance.pick()
        key = store.sample_volatile(pick) if policy.volatile else store.sample(pick)
        entry = None if key is None else store.find(key)
        if entry is not None and policy.idle(entry) > longest:
            best = key
            longest = policy.idle(entry)
    return best
