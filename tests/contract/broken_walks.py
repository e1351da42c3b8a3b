"""Backends with one bug each in how they hand out all keys while these change."""

from hypercache.backend import Database, Entry, KeyWalk
from tests.contract.tiny import TinyDatabase


class SkippingWalk(KeyWalk):
    def next(self, count: int) -> list[bytes]:
        return super().next(count + 1)[:count]


class SkipsKeys(TinyDatabase):
    def walk(self) -> KeyWalk:
        return SkippingWalk(self)


class ListedWalk(KeyWalk):
    """Lists the keys once, and hands them out from the list."""

    def __init__(self, database: TinyDatabase) -> None:
        super().__init__(database)
        self.listed = sorted(database.entries)

    def next(self, count: int) -> list[bytes]:
        keys, self.listed = self.listed[:count], self.listed[count:]
        return keys

    def claim(self, key: bytes) -> bool:
        if key not in self.listed:
            return False
        self.listed.remove(key)
        return True


class OneWalkForAll(TinyDatabase):
    listed: KeyWalk | None = None

    def walk(self) -> KeyWalk:
        if self.listed is None and self.entries:
            self.listed = ListedWalk(self)
        return self.listed or KeyWalk(self)


class DeafWalk(KeyWalk):
    def claim(self, key: bytes) -> bool:
        return False


class HearsNoClaim(TinyDatabase):
    def walk(self) -> KeyWalk:
        return DeafWalk(self)


class GreedyWalk(KeyWalk):
    def claim(self, key: bytes) -> bool:
        self._passed.add(key)
        return self.database.find(key) is not None


class ClaimsTwice(TinyDatabase):
    def walk(self) -> KeyWalk:
        return GreedyWalk(self)


class StubbornWalk(KeyWalk):
    def follow(self, database: Database) -> None:
        """Stay."""


class StaysBehind(TinyDatabase):
    def walk(self) -> KeyWalk:
        return StubbornWalk(self)


class ForgetfulWalk(KeyWalk):
    def leave(self) -> bool:
        return True


class LosesWhatIsCleared(TinyDatabase):
    def walk(self) -> KeyWalk:
        return ForgetfulWalk(self)


class HidingWalk(KeyWalk):
    def claim(self, key: bytes) -> bool:
        assert isinstance(self.database, HidesFromScans)
        self.database.hidden |= {key}
        return super().claim(key)


class HidesFromScans(TinyDatabase):
    hidden: frozenset[bytes] = frozenset()

    def walk(self) -> KeyWalk:
        self.hidden = frozenset()
        return HidingWalk(self)

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        cursor, keys = super().scan(cursor, count)
        return cursor, [key for key in keys if key not in self.hidden]

    def store(self, key: bytes, value: object, expire: int) -> Entry:
        self.hidden -= {key}
        return super().store(key, value, expire)


#: The rule that must find it, what is broken, and words of the failure.
BROKEN_WALKS: tuple[tuple[str, type[TinyDatabase], str], ...] = (
    ("a_walk_hands_out_every_key", SkipsKeys, "has not handed out"),
    ("a_walk_hands_out_every_key", OneWalkForAll, "has not handed out"),
    ("a_walk_shows_what_there_was", HearsNoClaim, "hands out what was not before"),
    ("a_walk_shows_what_there_was", ClaimsTwice, "hands out what was not before"),
    ("a_walk_follows_a_swap", StaysBehind, "hands out what was not before"),
    ("a_walk_outlives_clearing", LosesWhatIsCleared, "has not handed out"),
    ("a_scan_misses_nothing_beside_a_walk", HidesFromScans, "every key that stayed is seen"),
)
