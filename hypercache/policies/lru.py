"""allkeys-lru and volatile-lru: the key that was not used for longest goes, nearly.

Redis' approximation: a clock in each key, and a few keys compared (Redis: evict.c).
"""

from mypy_extensions import i32, i64

from hypercache.backend import Entry
from hypercache.keyspace.eviction import Place
from hypercache.policies.notes import NotingPolicy


class Lru(NotingPolicy):
    """The most urgent is the longest idle: `Entry.access` is the time of the last use."""

    def rank(self, word: i64) -> i64:
        return -word

    def noted(self, word: i64) -> i64:
        now = self.place.seconds  # a time in the future was left by another policy
        return word if word < now else now

    def urgency(self, entry: Entry) -> i64:
        if i64(entry.access) > self.place.seconds:
            # Left by another policy, too: the key ages from now on, or it would never go.
            entry.access = i32(self.place.seconds)
        return -i64(entry.access)

    def newest(self) -> i64:
        return self.place.seconds

    def restore(self, entry: Entry, idle: i64, frequency: i64) -> None:
        super().restore(entry, idle, frequency)
        self.note(entry)


class AllKeysLru(Lru):
    """``allkeys-lru``: among all keys."""

    def __init__(self, place: Place) -> None:
        super().__init__(place, False)


class VolatileLru(Lru):
    """``volatile-lru``: among the keys with a deadline."""

    def __init__(self, place: Place) -> None:
        super().__init__(place, True)
