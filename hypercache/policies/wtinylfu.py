"""W-TinyLFU (Einziger, Friedman & Manes, ACM Transactions on Storage 2017).

A new key has a moment in a small window, a hundredth of all. From there it comes into the main
part only if it was used more often lately than the key that would go for it. The main part is
segmented: what is used again in its probation becomes protected, four fifths of it at most.

The paper's segments are in the order of the last use, and every use is counted at once. Here a
use only leaves a mark in the key, so that it costs a read nothing: what it brings about (to be
counted, to go to the front, to be protected) happens when the key is at the end of its segment.
"""

from typing import Final

from mypy_extensions import i32, i64

from hypercache.backend import Entry
from hypercache.keyspace.eviction import EvictionPolicy, Place
from hypercache.policies import marks
from hypercache.policies.links import NONE, Links
from hypercache.policies.sketch import Sketch

_WINDOW: Final[i64] = 1
_PROBATION: Final[i64] = 2
_PROTECTED: Final[i64] = 3
# The window is one in so many keys, and so many hundredths of the others may be protected.
_SHARE: Final[i64] = 100
_PROTECTION: Final[i64] = 80
# How many times its share the window may have while its keys contest for a place.
_SLACK: Final[i64] = 4
# From so many uses on a key that is not chosen gets another chance once in 128 times: else
# whoever knows the counters keeps a key of his choice out.
_WARM: Final[i64] = 6
# Uses that are counted between two looks at a key: as many as the sketch counts.
_MARKS: Final[i32] = 15
# Keys that are moved in one call at most: the next goes, used or not.
_PATIENCE: Final[i64] = 512


class WTinyLfu(EvictionPolicy):
    """``allkeys-w-tinylfu``."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.follows_uses = True
        self.follows_keys = True
        self.needs_entries = True
        self._links = Links(3)
        self._sketch = Sketch()
        # For so many new keys to come, memory counts as short: they have to contest for a place.
        self._contested: i64 = 0
        place.database.follow_slots(self._links)

    def added(self, key: bytes, entry: Entry) -> None:
        links = self._links
        slot = i64(entry.slot)
        if links.list_of(slot) > 0:
            return
        marks.begin(entry, self.place.seconds)
        links.push(_WINDOW, slot)
        keys = self._keys()
        self._sketch.fit(keys)
        self._sketch.add(key, 1)
        room = keys // _SHARE + 1
        if self._contested > 0:
            self._contested -= 1
            room *= _SLACK
        if links.length(_WINDOW) > room:
            self._admit(links.back(_WINDOW))

    def _keys(self) -> i64:
        links = self._links
        return links.length(_WINDOW) + links.length(_PROBATION) + links.length(_PROTECTED)

    def _admit(self, slot: i64) -> None:
        """From the window into the main part."""
        self._links.take(slot)
        self._links.push(_PROBATION, slot)

    def used(self, key: bytes, entry: Entry) -> None:
        marks.use(entry, self.place.seconds, _MARKS)

    def removed(self, key: bytes, entry: Entry) -> None:
        self._links.take(i64(entry.slot))

    def cleared(self) -> None:
        self._links.clear()
        self._sketch.clear()
        self._contested = 0

    def victim(self) -> bytes | None:
        """The key that main would lose, or the one that would come for it: the less used."""
        links = self._links
        keys = self._keys()
        self._contested = keys
        slot = self._last_of_main()
        candidate = self._last_of_window()
        if slot == NONE:
            slot = candidate
        elif candidate not in (NONE, links.named) and links.length(_WINDOW) > keys // _SHARE:
            database = self.place.database
            mine = self._sketch.count(database.key_at(candidate))
            its = self._sketch.count(database.key_at(slot))
            if mine > its or self._lucky(mine):
                self._admit(candidate)
            else:
                slot = candidate
        if slot == NONE:
            return None
        links.promote(slot)  # so that another is named if this one stays
        if slot == candidate:
            links.named = slot
        return self.place.database.key_at(slot)

    def _last_of_main(self) -> i64:
        """The key that main loses if it loses one; those that were used are protected first."""
        links = self._links
        patience = _PATIENCE
        while True:
            slot = links.back(_PROBATION)
            if slot == NONE:
                return links.back(_PROTECTED)
            patience -= 1
            if not self._count_uses(slot) or patience == 0:
                return slot
            links.take(slot)
            links.push(_PROTECTED, slot)
            protected = links.length(_PROTECTED)
            if protected * 100 > (protected + links.length(_PROBATION)) * _PROTECTION:
                self._admit(links.back(_PROTECTED))

    def _last_of_window(self) -> i64:
        """The key that has been in the window for longest without being used."""
        links = self._links
        patience = _PATIENCE
        while True:
            slot = links.back(_WINDOW)
            patience -= 1
            if slot == NONE or not self._count_uses(slot) or patience == 0:
                return slot
            links.promote(slot)

    def _count_uses(self, slot: i64) -> bool:
        """Count the uses of a key since the last look at it; whether there were any."""
        database = self.place.database
        key = database.key_at(slot)
        entry = database.find(key)
        if entry is None:
            return False
        uses = i64(marks.uses(entry))
        if uses == 0:
            return False
        marks.forget(entry)
        self._sketch.add(key, uses)
        return True

    def _lucky(self, uses: i64) -> bool:
        return uses >= _WARM and self.place.chance.below(128) == 0

    def idle(self, entry: Entry) -> i64:
        return marks.idle(entry, self.place.seconds)

    def memory(self) -> i64:
        return self._links.memory() + self._sketch.memory()

    def statistics(self) -> dict[str, int]:
        return {
            "window_keys": self._links.length(_WINDOW),
            "probation_keys": self._links.length(_PROBATION),
            "protected_keys": self._links.length(_PROTECTED),
        }

    def check(self) -> list[str]:
        return self._links.check(self.place.database.size())
