"""A cache of so many keys under an eviction policy, without a server: what hit ratios show."""

from collections import OrderedDict
from collections.abc import Iterable
from random import Random

from hypercache_memory.backend import MemoryDatabase

from hypercache.backend import NO_EXPIRE, EncodingLimits
from hypercache.keyspace.clock import Chance
from hypercache.keyspace.eviction import EvictionPolicy, Place


class Cache:
    """Asked for keys, it stores those that are not there, and evicts by the policy."""

    def __init__(self, kind: type[EvictionPolicy], capacity: int, seed: int = 1) -> None:
        self.database = MemoryDatabase([], EncodingLimits())
        self.place = Place(self.database, Chance(seed))
        self.policy = kind(self.place)
        self.capacity = capacity
        self.hits = 0
        self.asked = 0

    def ask(self, key: bytes) -> bool:
        """Whether a key was there; it is afterwards."""
        self.asked += 1
        entry = self.database.find(key)
        if entry is not None:
            self.hits += 1
            self.policy.used(key, entry)
            return True
        while self.database.size() >= self.capacity:
            victim = self.policy.victim()
            assert victim is not None
            self.remove(victim)
        self.put(key)
        return False

    def put(self, key: bytes, deadline: int = NO_EXPIRE) -> None:
        """Store a key."""
        self.policy.added(key, self.database.put(key, b"v", deadline))

    def remove(self, key: bytes) -> None:
        """A key goes."""
        entry = self.database.find(key)
        assert entry is not None
        self.policy.removed(key, entry)
        self.database.unlink(key)

    def ratio(self, keys: Iterable[bytes]) -> float:
        """The share of hits among these requests."""
        for key in keys:
            self.ask(key)
        return self.hits / self.asked


def lru_ratio(keys: Iterable[bytes], capacity: int) -> float:
    """What exact LRU has."""
    cache: OrderedDict[bytes, None] = OrderedDict()
    hits = asked = 0
    for key in keys:
        asked += 1
        if key in cache:
            hits += 1
            cache.move_to_end(key)
        else:
            if len(cache) >= capacity:
                cache.popitem(last=False)
            cache[key] = None
    return hits / asked


def zipf(count: int, keys: int, exponent: float, seed: int) -> list[bytes]:
    """Requests of which the k-th most popular key has a share of 1 / k ** exponent."""
    random = Random(seed)
    weights = [1 / rank**exponent for rank in range(1, keys + 1)]
    return [b"key %d" % key for key in random.choices(range(keys), weights, k=count)]


def with_scans(requests: list[bytes], every: int, length: int) -> list[bytes]:
    """The same with keys that come once, ``length`` in a row after ``every`` requests."""
    mixed: list[bytes] = []
    for number, key in enumerate(requests):
        if number % every == every - 1:
            mixed += [b"scan %d %d" % (number, each) for each in range(length)]
        mixed.append(key)
    return mixed
