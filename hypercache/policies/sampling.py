"""Victims by sampling: what Redis' policies that compare keys have in common (Redis: evict.c).

Each time a few keys are sampled, and the best of all that were sampled so far and are still
there goes. A pool of 16 keeps them in order, so that the choice comes close to the best of all.
"""

from typing import Final

from librt.vecs import append, vec
from mypy_extensions import i64

from hypercache.backend import NO_EXPIRE
from hypercache.keyspace.eviction import EvictionPolicy, Place

#: Candidates that are kept.
POOL: Final[i64] = 16

# Random numbers one from another, where none has to be hard to guess: a linear congruential
# generator modulo 2**62 (Knuth, MMIX), of which the upper bits are used.
_FACTOR: Final[i64] = 6364136223846793005 % (1 << 62)
_STEP: Final[i64] = 1442695040888963407
_MODULUS: Final[i64] = (1 << 62) - 1
_LOW_BITS: Final[i64] = 14


def next_random(random: i64) -> i64:
    """The random number that follows another one, below 2**62."""
    return (random * _FACTOR + _STEP) & _MODULUS


def pick_of(random: i64) -> i64:
    """The part of a random number that may choose a key: `Database.sample`."""
    return random >> _LOW_BITS


class SamplingPolicy(EvictionPolicy):
    """Evicts the key with the greatest `urgency` of those that it has sampled."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        # The candidates, the most urgent last, and how urgent each was when it was sampled.
        self._keys: list[bytes] = []
        self._urgencies: vec[i64] = vec[i64]()
        for _ in range(POOL):
            self._urgencies = append(self._urgencies, 0)
        self._random: i64 = place.chance.pick()

    def victim(self) -> bytes | None:
        keys = self._keys
        self._sample()
        while keys:
            key = keys.pop()
            entry = self.place.database.find(key)
            if entry is not None and (not self.volatile or entry.expire != NO_EXPIRE):
                return key
            if not keys:
                self._sample()  # none of them was there any more
        return None

    def _sample(self) -> None:
        """Look at a few more keys."""
        database = self.place.database
        volatile = self.volatile
        random = self._random
        turn: i64 = self.place.samples
        while turn > 0:
            turn -= 1
            random = next_random(random)
            pick = pick_of(random)
            key = database.sample_volatile(pick) if volatile else database.sample(pick)
            if key is None:
                break
            entry = database.find(key)
            if entry is not None:
                self._offer(key, self.urgency(entry))
        self._random = random

    def _offer(self, key: bytes, urgency: i64) -> None:
        """Put a key among the candidates, unless all of many are better."""
        urgencies = self._urgencies
        count: i64 = len(self._keys)
        at: i64 = 0
        if count < POOL:
            at = count
            while at > 0 and urgencies[at - 1] > urgency:
                urgencies[at] = urgencies[at - 1]
                at -= 1
            self._keys.insert(at, key)
        else:
            if urgency < urgencies[0]:
                return
            while at + 1 < count and urgencies[at + 1] <= urgency:
                urgencies[at] = urgencies[at + 1]
                at += 1
            del self._keys[0]
            self._keys.insert(at, key)
        urgencies[at] = urgency

    def cleared(self) -> None:
        self._keys.clear()
