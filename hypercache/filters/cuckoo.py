"""A cuckoo filter: which hashes may have been added, in less than two bytes for each.

Source: Fan, Andersen, Kaminsky, Mitzenmacher, "Cuckoo Filter: Practically Better Than Bloom"
(CoNEXT 2014). A hash leaves a fingerprint in one of two buckets, and the other bucket follows
from the fingerprint and the one, so that fingerprints can be moved without their hashes. A bucket
is one machine word, whose fingerprints are compared all at once.

Hashes are numbers of 48 bits, of which the upper ones may be the same for all.
"""

from typing import Final

from librt.vecs import vec
from mypy_extensions import i64

_HASH: Final[i64] = (1 << 48) - 1
_LOWER: Final[i64] = (1 << 24) - 1
_WORD: Final[i64] = 0xFFFFFFFF
# Odd numbers that spread hashes, and fingerprints, over the buckets.
_SPREAD: Final[i64] = 0x5BD1E995
# Fingerprints per thousand places from which on a table takes no more, how many are moved for one.
_FULL: Final[i64] = 950
_KICKS: Final[i64] = 200
_LEAST_BUCKETS: Final[i64] = 8


class Shape:
    """How fingerprints lie in a word: so many lanes of so many bits; an empty lane is 0."""

    def __init__(self, lanes: int, bits: int) -> None:
        self.lanes: i64 = lanes
        self.bits: i64 = bits
        self.mask: i64 = (1 << bits) - 1
        self.ones: i64 = sum(1 << (bits * lane) for lane in range(lanes))
        self.highs: i64 = sum(1 << (bits * lane + bits - 1) for lane in range(lanes))

    def rate(self) -> float:
        """The false positives of a table that is full, as a share of all that are absent."""
        return 2 * int(self.lanes) * int(_FULL) / 1000 / int(self.mask)


class Table:
    """Buckets for about ``expected`` fingerprints; it has ``count`` of at most ``limit``."""

    def __init__(self, shape: Shape, expected: i64) -> None:
        size: i64 = expected * 1000 // (shape.lanes * _FULL) + 1
        self.size: i64 = size if size > _LEAST_BUCKETS else _LEAST_BUCKETS
        self.limit: i64 = self.size * shape.lanes * _FULL // 1000
        self.count: i64 = 0
        self._shape = shape
        self._buckets: vec[i64] = vec[i64]([0] * int(self.size))
        self._turn: i64 = 0

    def memory(self) -> i64:
        """Bytes of the buckets."""
        return self.size * 8

    def has(self, value: i64) -> bool:
        """Whether a hash may have been added; False if it certainly was not."""
        shape = self._shape
        fingerprint = fingerprint_of(shape, value)
        first = self._bucket_of(value)
        wanted = fingerprint * shape.ones
        # A lane that is equal becomes 0: the test for a zero byte of Bit Twiddling Hacks.
        found = self._buckets[first] ^ wanted
        if found - shape.ones & ~found & shape.highs != 0:
            return True
        found = self._buckets[self._other(fingerprint, first)] ^ wanted
        return found - shape.ones & ~found & shape.highs != 0

    def add(self, value: i64) -> bool:
        """Add a hash; False, and nothing changed, if it finds no place.

        Fingerprints move to their other buckets where both are full.
        """
        fingerprint = fingerprint_of(self._shape, value)
        first = self._bucket_of(value)
        second = self._other(fingerprint, first)
        if self._settle(fingerprint, first) or self._settle(fingerprint, second):
            return True
        return self._kick(fingerprint, second)

    def add_all(self, values: list[int]) -> bool:
        """Add hashes; False if one of them finds no place."""
        return all(self.add(value) for value in values)

    def remove(self, value: i64) -> None:
        """Take away one of the fingerprints that the hash of a key that was added left."""
        shape = self._shape
        fingerprint = fingerprint_of(shape, value)
        bucket = self._bucket_of(value)
        lane = self._lane_of(fingerprint, bucket)
        if lane < 0:
            bucket = self._other(fingerprint, bucket)
            lane = self._lane_of(fingerprint, bucket)
        self._buckets[bucket] = self._buckets[bucket] ^ fingerprint << lane * shape.bits
        self.count -= 1

    def check(self) -> list[str]:
        """What is inconsistent, in words."""
        shape = self._shape
        count: i64 = 0
        for word in self._buckets:
            lane: i64 = 0
            while lane < shape.lanes:
                if word >> lane * shape.bits & shape.mask != 0:
                    count += 1
                lane += 1
        if count == self.count:
            return []
        return [f"a table of the filter counts {self.count} fingerprints, and has {count}"]

    def _bucket_of(self, value: i64) -> i64:
        """The first bucket of a hash."""
        return ((value * _SPREAD & _HASH) >> 16) * self.size >> 32

    def _other(self, fingerprint: i64, bucket: i64) -> i64:
        """The other bucket of a fingerprint; of that one, it is this."""
        other = ((fingerprint * _SPREAD & _WORD) * self.size >> 32) - bucket
        return other if other >= 0 else other + self.size

    def _lane_of(self, fingerprint: i64, bucket: i64) -> i64:
        """The lane of a bucket that holds a fingerprint, or 0 for an empty one; -1 for none."""
        shape = self._shape
        word = self._buckets[bucket]
        lane: i64 = 0
        while lane < shape.lanes:
            if word >> lane * shape.bits & shape.mask == fingerprint:
                return lane
            lane += 1
        return -1

    def _settle(self, fingerprint: i64, bucket: i64) -> bool:
        """Put a fingerprint into a bucket that has room."""
        lane = self._lane_of(0, bucket)
        if lane < 0:
            return False
        self._buckets[bucket] = self._buckets[bucket] | fingerprint << lane * self._shape.bits
        self.count += 1
        return True

    def _kick(self, fingerprint: i64, bucket: i64) -> bool:
        """Put a fingerprint into a full bucket, and what was there into its other one, and so on.

        Any lane does as long as it changes: no chance is needed.
        """
        lanes = self._shape.lanes
        path: list[int] = []
        while len(path) < _KICKS:
            self._turn = (self._turn + 1) % lanes
            path.append(int(bucket * lanes + self._turn))
            fingerprint = self._exchange(bucket, self._turn, fingerprint)
            bucket = self._other(fingerprint, bucket)
            if self._settle(fingerprint, bucket):
                return True
        for step in reversed(path):
            place: i64 = step
            fingerprint = self._exchange(place // lanes, place % lanes, fingerprint)
        return False

    def _exchange(self, bucket: i64, lane: i64, fingerprint: i64) -> i64:
        """Put a fingerprint in the place of another one; that."""
        shape = self._shape
        shift = lane * shape.bits
        word = self._buckets[bucket]
        old: i64 = word >> shift & shape.mask
        self._buckets[bucket] = word ^ (old ^ fingerprint) << shift
        return old


def fingerprint_of(shape: Shape, value: i64) -> i64:
    """The fingerprint of a hash: 1 to the shape's mask."""
    return ((value & _LOWER) * shape.mask >> 24) + 1
