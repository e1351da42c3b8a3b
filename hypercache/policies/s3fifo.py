"""S3-FIFO (Yang et al., SOSP 2023): three queues, and most keys pass through the first only.

New keys come into a small queue, a tenth of all. Those used more than once there go on to the
main queue, the others leave and are remembered as ghosts: one that comes back goes to the main
queue at once. There a used key gets another turn for each use, three at most.
"""

from typing import Final

from mypy_extensions import i64

from hypercache.backend import Entry
from hypercache.keyspace.eviction import EvictionPolicy, Place
from hypercache.policies import marks
from hypercache.policies.ghosts import Ghosts
from hypercache.policies.links import NONE, Links

_SMALL: Final[i64] = 1
_MAIN: Final[i64] = 2
# The small queue's share is one in so many.
_SHARE: Final[i64] = 10
# Keys that are moved in one call at most: the next goes, used or not.
_PATIENCE: Final[i64] = 512


class S3Fifo(EvictionPolicy):
    """``allkeys-s3-fifo``."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.follows_uses = True
        self.follows_keys = True
        self.needs_entries = True
        self._links = Links(2)
        self._ghosts = Ghosts()
        place.database.follow_slots(self._links)

    def added(self, key: bytes, entry: Entry) -> None:
        links = self._links
        slot = i64(entry.slot)
        if links.list_of(slot) == 0:
            marks.begin(entry, self.place.seconds)
            known = self._ghosts.take(key, links.length(_SMALL) + links.length(_MAIN))
            links.push(_MAIN if known else _SMALL, slot)

    def used(self, key: bytes, entry: Entry) -> None:
        marks.use(entry, self.place.seconds)

    def removed(self, key: bytes, entry: Entry) -> None:
        links = self._links
        slot = i64(entry.slot)
        if slot == links.named and links.list_of(slot) == _SMALL:
            self._ghosts.add(key, links.length(_SMALL) + links.length(_MAIN))
        links.take(slot)

    def cleared(self) -> None:
        self._links.clear()
        self._ghosts.clear()

    def victim(self) -> bytes | None:
        links = self._links
        database = self.place.database
        patience = _PATIENCE
        links.spare_named()
        while True:
            small = links.length(_SMALL)
            main = links.length(_MAIN)
            is_small = main == 0 or small * _SHARE >= small + main
            slot = links.back(_SMALL if is_small else _MAIN)
            if slot == NONE:
                return None
            key = database.key_at(slot)
            entry = database.find(key)
            uses: i64 = 0 if entry is None else i64(marks.uses(entry))
            patience -= 1
            if entry is None or patience == 0 or uses <= (1 if is_small else 0):
                links.named = slot
                return key
            if is_small:
                marks.forget(entry)
                links.take(slot)
                links.push(_MAIN, slot)
            else:
                marks.forget_one(entry)
                links.promote(slot)

    def idle(self, entry: Entry) -> i64:
        return marks.idle(entry, self.place.seconds)

    def memory(self) -> i64:
        return self._links.memory() + self._ghosts.memory()

    def statistics(self) -> dict[str, int]:
        return {
            "small_queue_keys": self._links.length(_SMALL),
            "main_queue_keys": self._links.length(_MAIN),
        }

    def check(self) -> list[str]:
        return self._links.check(self.place.database.size())
