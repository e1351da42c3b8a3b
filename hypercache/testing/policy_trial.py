"""What the checks of eviction policies work with: a database as the keyspace handles it."""

from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import Final

from hypercache_memory import MemoryBackend

from hypercache.backend import NO_EXPIRE, Backend, Database, Entry, KeyWalk, SlotFollower
from hypercache.keyspace.clock import Chance
from hypercache.keyspace.eviction import EvictionPolicy, Place
from hypercache.testing.conformance import Recorder

MakePolicy = Callable[[Place], EvictionPolicy]

#: A moment for deadlines, Unix time in milliseconds: no check looks at the real clock.
NOW: Final = 1_700_000_000_000


class CountedDatabase(Database):
    """A database that counts what a policy asks it for, in ``asked``."""

    def __init__(self, inner: Database) -> None:
        self.inner = inner
        self.asked = 0

    def find(self, key: bytes) -> Entry | None:
        self.asked += 1
        return self.inner.find(key)

    def size(self) -> int:
        return self.inner.size()

    def volatile(self) -> int:
        return self.inner.volatile()

    def due(self, now: int, limit: int) -> list[bytes]:
        found = self.inner.due(now, limit)
        self.asked += 1 + len(found)
        return found

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        following, keys = self.inner.scan(cursor, count)
        self.asked += 1 + len(keys)
        return following, keys

    def keys(self) -> Iterator[bytes]:
        every = self.inner.keys()
        for key in every:
            self.asked += 1
            yield key

    def sample(self, pick: int) -> bytes | None:
        self.asked += 1
        return self.inner.sample(pick)

    def sample_volatile(self, pick: int) -> bytes | None:
        self.asked += 1
        return self.inner.sample_volatile(pick)

    def follow_slots(self, follower: SlotFollower | None) -> bool:
        return self.inner.follow_slots(follower)

    def key_at(self, slot: int) -> bytes:
        self.asked += 1
        return self.inner.key_at(slot)

    def memory(self) -> int:
        return self.inner.memory()

    def memory_of(self, key: bytes) -> int:
        self.asked += 1
        return self.inner.memory_of(key)


class PolicyTrial(Recorder):
    """A policy and its database, in which keys come and go as the keyspace has them."""

    def __init__(self, check: str, rule: str, make: MakePolicy, backend: Backend, seed: int):
        super().__init__(check, rule)
        self.random = Random(seed)
        self.stores = backend.open(2)
        self._in_unit = backend.wants_units
        if self._in_unit:
            backend.begin()
        self.store = self.stores[0]
        self.database = CountedDatabase(self.store)
        self.place = Place(self.database, Chance(seed))
        self.place.now = NOW
        self.policy = self.call("the constructor", lambda: make(self.place))
        self.follows = self.policy.follows_keys or self.policy.follows_uses
        self.walk: KeyWalk | None = None

    def advance(self, seconds: int) -> None:
        """Let time pass."""
        self.place.seconds += seconds
        self.place.now += seconds * 1000
        self.place.frequency.keep_time(self.place.now * 1000)

    def put(self, key: bytes, deadline: int = NO_EXPIRE, tell: bool = True) -> None:
        """Store a key; ``tell``: not one of those that were there before the policy."""
        found = self.store.find(key)
        if self.walk is not None:
            self.walk.claim(key)
        if found is not None:
            self.use(key)
            access = found.access
            self.store.put(key, b"value", deadline).access = access
            return
        entry = self.store.put(key, b"value", deadline)
        entry.access = int(self.place.seconds)
        if tell and self.follows:
            self.call(f"added({key!r})", lambda: self.policy.added(key, entry))

    def use(self, key: bytes) -> None:
        """A key is read."""
        entry = self.store.find(key)
        if entry is None:
            return
        if self.policy.follows_uses:
            self.call(f"used({key!r})", lambda: self.policy.used(key, entry))
        else:
            entry.access = int(self.place.seconds)

    def remove(self, key: bytes) -> None:
        """A key goes."""
        entry = self.store.find(key)
        if entry is None:
            return
        if self.follows:
            self.call(f"removed({key!r})", lambda: self.policy.removed(key, entry))
        if self.walk is not None:
            self.walk.claim(key)
        self.store.unlink(key)

    def begin_walk(self) -> None:
        """Walk over all keys, as a snapshot does; not amid a unit."""
        if self.walk is None and not self._in_unit:
            self.walk = self.store.walk()
            self.walk.next(10)

    def end_walk(self) -> None:
        """The walk is over."""
        if self.walk is not None:
            self.walk.close()
            self.walk = None

    def clear(self) -> None:
        """All keys go."""
        self.end_walk()
        self.store.clear()
        self.call("cleared()", self.policy.cleared)

    def adopt(self, keys: list[bytes]) -> None:
        """Show the policy keys that were there before it; some may have gone since."""
        for key in keys:
            entry = self.store.find(key)
            if entry is not None:
                self.call(f"added({key!r})", partial(self.policy.added, key, entry))

    def victim(self) -> bytes | None:
        """Ask for a victim; fails where it must not be evicted, or where that took too long."""
        self.database.asked = 0
        key = self.call("victim()", self.policy.victim)
        limit = 2048 + 16 * int(self.place.samples)
        self.require(
            self.database.asked <= limit,
            f"a victim for at most {limit} questions to the database",
            self.database.asked,
        )
        if key is not None:
            entry = self.store.find(key)
            self.require(entry is not None, "a key that is there", key)
            if self.policy.volatile and entry is not None:
                self.require(entry.expire != NO_EXPIRE, "a key with a deadline", key)
        return key

    def evict(self) -> bool:
        """Evict a key; False when the policy names none."""
        key = self.victim()
        if key is None:
            return False
        self.remove(key)
        return True

    def consistent(self) -> None:
        """Fail unless the policy finds itself consistent, and its figures make sense."""
        problems = self.call("check()", self.policy.check)
        self.require(not problems, "check() finds nothing", problems)
        memory = self.call("memory()", lambda: int(self.policy.memory()))
        self.require(memory >= 0, "memory() is not negative", memory)
        for name, value in self.call("statistics()", self.policy.statistics).items():
            self.require(
                name.isidentifier() and name == name.lower() and value >= 0,
                "statistics with names in snake_case and numbers that are not negative",
                f"{name} = {value}",
            )


def memory_backend() -> Backend:
    """Where the policy has slots to follow."""
    return MemoryBackend()
