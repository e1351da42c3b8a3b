"""Filters of lookups: they deny nothing that was added, and let little else through."""

from bisect import bisect_left
from random import Random

import pytest

from hypercache.filters.segments import MOST_KEYS, SegmentedFilter, shape_for

WIDTH = 1 << 48


class Keys:
    """A filter beside the hashes that it should know, in order, as a store has them."""

    def __init__(self, rate: float = 0.01, expected: int = 0, seed: int = 1) -> None:
        self.random = Random(seed)
        self.hashes: list[int] = []
        self.filter = SegmentedFilter(rate, expected)

    def add(self, count: int) -> None:
        """Add so many hashes to both."""
        new = [self.random.randrange(WIDTH) for _ in range(count)]
        for value in new:
            self.filter.add(value)
        self.hashes = sorted(self.hashes + new)

    def remove(self, count: int) -> None:
        """Remove so many from both."""
        for value in self.random.sample(self.hashes, count):
            self.hashes.pop(bisect_left(self.hashes, value))
            self.filter.remove(value)

    def build(self, slices: int = 1_000_000, budget: int = 5000) -> None:
        """Hand the filter what it wants, in slices."""
        while slices > 0 and (wanted := self.filter.next_range()) is not None:
            slices -= 1
            start, stop = wanted
            first = bisect_left(self.hashes, start)
            found = self.hashes[first : bisect_left(self.hashes, stop)]
            if len(found) > budget:
                stop = found[budget]
                found = found[: bisect_left(found, stop)]
            self.filter.take(found, stop)

    def check(self) -> None:
        """None of the hashes is denied."""
        assert self.filter.check() == []
        assert all(self.filter.may_have(value) for value in self.hashes)

    def mistakes(self, tries: int) -> float:
        """The share of hashes let through that are not there."""
        passed = sum(self.filter.may_have(self.random.randrange(WIDTH)) for _ in range(tries))
        return passed / tries


def test_nothing_is_denied_while_keys_come_and_go_and_segments_are_built_in_slices() -> None:
    keys = Keys()
    for turn in range(12):
        keys.add(2000)
        keys.remove(500)
        keys.build(slices=turn % 3, budget=300)
        keys.check()
    keys.remove(len(keys.hashes) - 100)
    keys.check()
    keys.build()
    keys.check()
    numbers = keys.filter.statistics()
    assert numbers["lookup_filter_keys"] == 100
    assert numbers["lookup_filter_segments"] == numbers["lookup_filter_segments_built"]
    assert numbers["lookup_filter_bytes"] < 9 * 1000


def test_segments_are_halved_and_keep_their_rate_and_size() -> None:
    keys = Keys()
    for _ in range(4):
        keys.add(int(MOST_KEYS))
        keys.build()
    keys.check()
    numbers = keys.filter.statistics()
    assert numbers["lookup_filter_segments"] >= 4
    assert numbers["lookup_filter_bytes"] <= 2.3 * len(keys.hashes)
    assert 0 < keys.mistakes(20_000) <= 0.01


@pytest.mark.parametrize("rate", [0.01, 0.001, 0.0001])
def test_rates_are_kept(rate: float) -> None:
    assert shape_for(rate).rate() * 4 <= rate
    keys = Keys(rate)
    keys.add(3000)
    keys.build()
    assert keys.mistakes(20_000) <= rate
    with pytest.raises(ValueError, match="no filter has so low a rate"):
        SegmentedFilter(rate / 1e6)


def test_what_was_there_before_is_let_through_until_it_is_built() -> None:
    keys = Keys(expected=40_000)
    keys.hashes = sorted(keys.random.randrange(WIDTH) for _ in range(40_000))
    assert keys.mistakes(100) == 1.0
    keys.build(slices=1)
    assert 0 < keys.mistakes(1000) < 1
    keys.add(500)
    keys.build()
    keys.check()
    assert keys.mistakes(20_000) <= 0.01
    assert keys.filter.next_range() is None


def test_undone_changes_are_forgotten() -> None:
    keys = Keys()
    keys.add(1000)
    keys.filter.settle()
    for value in keys.hashes[:500]:
        keys.filter.remove(value)
    assert not keys.filter.may_have(keys.hashes[0])
    keys.filter.undo()
    keys.check()
    keys.build()
    keys.check()
    assert keys.mistakes(1000) < 0.02
    # Amid the building of that very segment.
    keys.add(6000)
    keys.filter.undo()
    keys.build(slices=1, budget=1000)
    keys.filter.remove(keys.hashes[0])
    keys.filter.undo()
    keys.build()
    keys.check()


def test_equal_hashes_are_let_through_when_they_are_too_many() -> None:
    keys = Keys()
    for _ in range(200):
        keys.filter.add(77)
    keys.hashes = [77] * 200
    keys.build()
    keys.check()
    for _ in range(199):
        keys.filter.remove(77)
        keys.hashes.pop()
        keys.check()
