"""allkeys-lfu and volatile-lfu: the key that is used least goes, nearly.

Uses are counted by a logarithmic counter that decays (see `hypercache.keyspace.frequency`), and a
few keys compared (Redis: evict.c).
"""

from mypy_extensions import i32, i64

from hypercache.backend import Entry
from hypercache.keyspace.eviction import Place
from hypercache.keyspace.frequency import HIGHEST, INITIAL
from hypercache.policies.notes import NotingPolicy


class Lfu(NotingPolicy):
    """The most urgent has the lowest counter, which is in `Entry.access`.

    When it is selected while there are keys, these keep what another policy has noted: it looks
    like counters, and wears off as they are used and decay.
    """

    def __init__(self, place: Place, volatile: bool) -> None:
        super().__init__(place, volatile)
        self.follows_uses = True
        self._decay_time: i64 = 0

    def added(self, key: bytes, entry: Entry) -> None:
        entry.access = self.place.frequency.access(INITIAL)
        self.notes.set(i64(entry.slot), i64(entry.access))

    def used(self, key: bytes, entry: Entry) -> None:
        self.place.frequency.use(entry, self.place.chance)

    def victim(self) -> bytes | None:
        decay_time = self.place.frequency.decay_time
        if decay_time != self._decay_time:  # counters that were noted may have fallen faster
            self._decay_time = decay_time
            self.notes.clear()
        return super().victim()

    def rank(self, word: i64) -> i64:
        return HIGHEST - self.place.frequency.counter(i32(word))

    def noted(self, word: i64) -> i64:
        return word

    def newest(self) -> i64:
        return i64(self.place.frequency.access(INITIAL))

    def idle(self, entry: Entry) -> i64:
        return -1

    def frequency(self, entry: Entry) -> i64:
        return self.place.frequency.counter(entry.access)

    def restore(self, entry: Entry, idle: i64, frequency: i64) -> None:
        if frequency >= 0:
            entry.access = self.place.frequency.access(frequency)
            self.note(entry)


class AllKeysLfu(Lfu):
    """``allkeys-lfu``: among all keys."""

    def __init__(self, place: Place) -> None:
        super().__init__(place, False)


class VolatileLfu(Lfu):
    """``volatile-lfu``: among the keys with a deadline."""

    def __init__(self, place: Place) -> None:
        super().__init__(place, True)
