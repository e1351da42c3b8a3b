"""Linked lists over slots, against plain lists."""

from random import Random

import pytest

from hypercache.policies.ghosts import Ghosts
from hypercache.policies.links import NONE, Links
from hypercache.policies.sketch import Sketch


class Model:
    """The same lists as Python's, and keys with dense slots as the memory backend has them."""

    def __init__(self, lists: int) -> None:
        self.links = Links(lists)
        self.lists: dict[int, list[str]] = {number: [] for number in range(1, lists + 1)}
        self.pool: list[str] = []

    def add(self, key: str) -> None:
        self.pool.append(key)

    def slot(self, key: str) -> int:
        return self.pool.index(key)

    def push(self, number: int, key: str) -> None:
        self.links.push(number, self.slot(key))
        self.lists[number].insert(0, key)

    def take(self, key: str) -> None:
        self.links.take(self.slot(key))
        for keys in self.lists.values():
            if key in keys:
                keys.remove(key)

    def promote(self, key: str) -> None:
        self.links.promote(self.slot(key))
        for keys in self.lists.values():
            if key in keys:
                keys.remove(key)
                keys.insert(0, key)

    def remove(self, key: str) -> None:
        """The key goes; the last key of the pool takes its slot."""
        self.take(key)
        slot = self.slot(key)
        last = self.pool.pop()
        if slot < len(self.pool):
            self.pool[slot] = last
            self.links.moved(len(self.pool), slot)

    def list_of(self, key: str) -> int:
        return next((number for number, keys in self.lists.items() if key in keys), 0)

    def check(self) -> None:
        assert self.links.check(len(self.pool)) == []
        for number, keys in self.lists.items():
            assert self.links.length(number) == len(keys)
            found = []
            slot = self.links.back(number)
            while slot != NONE:
                found.append(self.pool[slot])
                slot = self.links.before(slot)
            assert found == keys[::-1]
            front = self.links.front(number)
            assert (self.pool[front] if front != NONE else None) == (keys[0] if keys else None)
        for slot, key in enumerate(self.pool):
            assert self.links.list_of(slot) == self.list_of(key)


@pytest.mark.parametrize("seed", range(8))
def test_lists_are_those_of_a_model(seed: int) -> None:
    random = Random(seed)
    model = Model(3)
    for step in range(250):
        key = str(random.randrange(30))
        if key not in model.pool:
            model.add(key)
        elif model.list_of(key) == 0:
            model.push(random.randrange(3) + 1, key)
        else:
            random.choice((model.take, model.promote, model.remove))(key)
        if step % 5 == 0:
            model.check()
    model.links.clear()
    assert [model.links.length(number) for number in (1, 2, 3)] == [0, 0, 0]
    assert model.links.check(0) == []


def test_the_hand_follows_its_key() -> None:
    """Where that goes it is at the one before; where it gets another slot, there."""
    links = Links(1)
    for slot in range(4):
        links.push(1, slot)  # from the back: 0, 1, 2, 3
    links.hand = 1
    links.take(1)
    assert links.hand == 2
    links.hand = 3
    links.moved(3, 1)
    assert links.hand == 1
    links.take(1)
    assert links.hand == NONE


def test_a_wrong_list_is_told() -> None:
    links = Links(1)
    links.push(1, 7)
    assert links.check(7) == ["slot 7 is listed, there are 7"]
    assert links.check(8) == []
    assert links.memory() > 0


def test_ghosts_are_known_once_and_for_a_while() -> None:
    ghosts = Ghosts()
    for number in range(500):
        ghosts.add(b"%d" % number, 500)
    assert not ghosts.take(b"never there", 500)
    known = sum(ghosts.take(b"%d" % number, 500) for number in range(500))
    assert known > 400  # some have lost both of their places
    assert not any(ghosts.take(b"%d" % number, 500) for number in range(500))
    ghosts.add(b"old", 500)
    for number in range(11):
        ghosts.add(b"later %d" % number, 500)
    assert not ghosts.take(b"old", 10)


def test_ghosts_stay_when_the_store_grows() -> None:
    ghosts = Ghosts()
    ghosts.add(b"key", 1)
    before = ghosts.memory()
    for number in range(100):
        ghosts.add(b"%d" % number, 3000)
    assert ghosts.memory() > before
    assert ghosts.take(b"key", 3000)
    ghosts.clear()
    assert ghosts.memory() == before


def test_a_sketch_counts_and_forgets() -> None:
    sketch = Sketch()
    sketch.add(b"often", 7)
    sketch.add(b"often", 2)
    sketch.add(b"once", 1)
    assert 4 <= sketch.count(b"often") <= 10  # one word has been halved, perhaps one of its own
    assert sketch.count(b"once") <= 2
    assert sketch.count(b"never") <= 1
    sketch.fit(1000)
    assert 4 <= sketch.count(b"often") <= 10
    for number in range(12_000):  # every word is halved at least once
        sketch.add(b"other %d" % (number % 50), 1)
    assert sketch.count(b"often") <= 5
    assert sketch.count(b"other 1") >= 5
    sketch.clear()
    assert sketch.count(b"often") == 0


def test_a_counter_stops_at_its_end() -> None:
    sketch = Sketch()
    for uses in range(100):
        sketch.add(b"key", uses % 15 + 1)
    assert sketch.count(b"key") in range(5, 16)
