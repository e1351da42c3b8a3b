"""Bugs in what eviction asks of a store, each with the rule that must find it."""

from hypercache.backend import Entry, SlotFollower
from tests.contract.tiny import TinyBackend, TinyDatabase


class SamplesAnyKey(TinyDatabase):
    def sample_volatile(self, pick: int) -> bytes | None:
        return self.sample(pick)


class SamplesTheSameVolatileKey(TinyDatabase):
    def sample_volatile(self, pick: int) -> bytes | None:
        return super().sample_volatile(0)


class _Dense(TinyDatabase):
    """Right: the last key takes the slot of one that goes."""

    def __init__(self, backend: TinyBackend, index: int) -> None:
        super().__init__(backend, index)
        self.pool: list[bytes] = []
        self.follower: SlotFollower | None = None

    def follow_slots(self, follower: SlotFollower | None) -> bool:
        self.follower = follower
        return True

    def key_at(self, slot: int) -> bytes:
        return self.pool[slot]

    def store(self, key: bytes, value: object, expire: int) -> Entry:
        old = self.entries.get(key)
        entry = super().store(key, value, expire)
        if old is None:
            entry.slot = len(self.pool)
            self.pool.append(key)
        else:
            entry.slot = old.slot
        return entry

    def unlink(self, key: bytes) -> bool:
        entry = self.entries.get(key)
        gone = super().unlink(key)
        if entry is not None:
            self.leave(entry.slot)
        return gone

    def leave(self, slot: int) -> None:
        last = self.pool.pop()
        if slot != len(self.pool):
            self.pool[slot] = last
            self.entries[last].slot = slot
            self.tell(len(self.pool), slot)

    def tell(self, source: int, target: int) -> None:
        if self.follower is not None:
            self.follower.moved(source, target)


class TellsOfNoMove(_Dense):
    def tell(self, source: int, target: int) -> None:
        pass


class TellsTheWrongWayRound(_Dense):
    def tell(self, source: int, target: int) -> None:
        super().tell(target, source)


class LeavesHoles(_Dense):
    def leave(self, slot: int) -> None:
        pass


#: The rule that must find it, and what is broken.
BROKEN_SLOTS: tuple[tuple[str, type[TinyDatabase]], ...] = (
    ("volatile_samples_have_a_deadline", SamplesAnyKey),
    ("volatile_samples_have_a_deadline", SamplesTheSameVolatileKey),
    ("slots_are_dense_and_followed", TellsOfNoMove),
    ("slots_are_dense_and_followed", TellsTheWrongWayRound),
    ("slots_are_dense_and_followed", LeavesHoles),
)
