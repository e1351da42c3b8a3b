"""SIEVE (Zhang et al., NSDI 2024): one queue, a mark a key, one hand.

New keys come to the front and never move. The hand goes from the back to the front: a key that
was used since it passed last is spared once, the first that was not goes. So keys that are used
once leave early, though a hit moves nothing.
"""

from typing import Final

from mypy_extensions import i64

from hypercache.backend import Entry
from hypercache.keyspace.eviction import EvictionPolicy, Place
from hypercache.policies import marks
from hypercache.policies.links import NONE, Links

_QUEUE: Final[i64] = 1
# Keys that the hand spares in one call at most: the next goes, used or not.
_PATIENCE: Final[i64] = 512


class Sieve(EvictionPolicy):
    """``allkeys-sieve``."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.follows_uses = True
        self.follows_keys = True
        self.needs_entries = True
        self._links = Links(1)
        place.database.follow_slots(self._links)

    def added(self, key: bytes, entry: Entry) -> None:
        slot = i64(entry.slot)
        if self._links.list_of(slot) == 0:
            marks.begin(entry, self.place.seconds)
            self._links.push(_QUEUE, slot)

    def used(self, key: bytes, entry: Entry) -> None:
        marks.use(entry, self.place.seconds)

    def removed(self, key: bytes, entry: Entry) -> None:
        self._links.take(i64(entry.slot))

    def cleared(self) -> None:
        self._links.clear()

    def victim(self) -> bytes | None:
        links = self._links
        database = self.place.database
        patience = _PATIENCE
        slot = links.hand if links.hand != NONE else links.back(_QUEUE)
        while slot != NONE:
            key = database.key_at(slot)
            entry = database.find(key)
            links.hand = links.before(slot)
            patience -= 1
            if entry is None or marks.uses(entry) == 0 or patience == 0:
                return key
            marks.forget(entry)
            slot = links.hand if links.hand != NONE else links.back(_QUEUE)
        return None

    def idle(self, entry: Entry) -> i64:
        return marks.idle(entry, self.place.seconds)

    def memory(self) -> i64:
        return self._links.memory()

    def check(self) -> list[str]:
        return self._links.check(self.place.database.size())
