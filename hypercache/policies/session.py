"""``session``: for stores of sessions, which end by idleness rather than by age.

First goes what is past its deadline; then what was idle longer than its limit, the longest
first; then the oldest, but those that came lately have a grace period: a visitor who has just
logged in is not thrown out for one who has left. Where all are that new, the longest idle goes.

The limits are options of the store: ``idle-limit`` and ``grace-period``, in seconds.
"""

from typing import Final

from librt.vecs import append, vec
from mypy_extensions import i32, i64

from hypercache.backend import Entry, SlotFollower
from hypercache.keyspace.eviction import EvictionPolicy, Place
from hypercache.policies.links import NONE, Links

_QUEUE: Final[i64] = 1
IDLE_LIMIT: Final = 1800
GRACE_PERIOD: Final = 60


class _Ages(SlotFollower):
    """The keys by their last use and by their coming, and when each came."""

    def __init__(self) -> None:
        self.uses = Links(1)
        self.arrivals = Links(1)
        self.came: vec[i32] = vec[i32]()

    def push(self, slot: i64, seconds: i64) -> None:
        """A key has come."""
        while len(self.came) <= slot:
            self.came = append(self.came, i32(0))
        self.came[slot] = i32(seconds)
        self.uses.push(_QUEUE, slot)
        self.arrivals.push(_QUEUE, slot)

    def take(self, slot: i64) -> None:
        """A key goes."""
        self.uses.take(slot)
        self.arrivals.take(slot)

    def moved(self, source: i64, target: i64) -> None:
        self.uses.moved(source, target)
        self.arrivals.moved(source, target)
        if source < len(self.came):
            self.came[target] = self.came[source]


class Session(EvictionPolicy):
    """``session``."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.follows_uses = True
        self.follows_keys = True
        self.needs_entries = True
        self._ages = _Ages()
        place.database.follow_slots(self._ages)

    def added(self, key: bytes, entry: Entry) -> None:
        slot = i64(entry.slot)
        if self._ages.uses.list_of(slot) == 0:
            entry.access = i32(self.place.seconds)
            self._ages.push(slot, self.place.seconds)

    def used(self, key: bytes, entry: Entry) -> None:
        entry.access = i32(self.place.seconds)
        slot = i64(entry.slot)
        if self._ages.uses.list_of(slot) > 0:
            self._ages.uses.promote(slot)

    def removed(self, key: bytes, entry: Entry) -> None:
        self._ages.take(i64(entry.slot))

    def cleared(self) -> None:
        self._ages.uses.clear()
        self._ages.arrivals.clear()

    def victim(self) -> bytes | None:
        database = self.place.database
        due = database.due(self.place.now, 1)
        if due:
            return due[0]
        idlest = self._ages.uses.back(_QUEUE)
        if idlest == NONE:
            return None
        slot = idlest
        entry = database.find(database.key_at(idlest))
        if entry is None or self.idle(entry) <= self.place.option("idle-limit", IDLE_LIMIT):
            oldest = self._ages.arrivals.back(_QUEUE)
            age = self.place.seconds - i64(self._ages.came[oldest])
            if age > self.place.option("grace-period", GRACE_PERIOD):
                slot = oldest
        # So that another is named if this one stays.
        self._ages.uses.promote(slot)
        self._ages.arrivals.promote(slot)
        return database.key_at(slot)

    def memory(self) -> i64:
        ages = self._ages
        return ages.uses.memory() + ages.arrivals.memory() + i64(len(ages.came)) * 4

    def check(self) -> list[str]:
        size: i64 = self.place.database.size()
        return self._ages.uses.check(size) + self._ages.arrivals.check(size)
