"""`Members` against a Python list and set, with members whose places in the table collide."""

from itertools import count, islice

import pytest
from hypercache_memory.members import Members
from hypothesis import given
from hypothesis import strategies as st

# Members that all want one of three neighbouring slots, the last ones and the first, of any
# table of up to 256: probing runs over its end, and deletion shifts back over it.
COLLIDING = list(
    islice(
        (
            text
            for text in (b"%d" % number for number in count())
            if hash(text) & 255 in (254, 255, 0)
        ),
        60,
    )
)
SCATTERED = [b"%d" % number for number in range(60)]


class Pair:
    """Members and what they should be."""

    def __init__(self) -> None:
        self.members = Members()
        self.model: list[bytes] = []

    def toggle(self, member: bytes) -> None:
        """Add a member, or remove it if it is there."""
        position = int(self.members.find(member))
        assert position == (self.model.index(member) if member in self.model else -1)
        if position < 0:
            self.members.append(member)
            self.model.append(member)
        else:
            self.members.remove_at(position)
            self.model[position] = self.model[-1]
            self.model.pop()

    def verify(self, universe: list[bytes]) -> None:
        """Every member is found at its position, and nothing else is found."""
        assert self.members.items == self.model
        positions = {member: position for position, member in enumerate(self.model)}
        for member in universe:
            assert self.members.find(member) == positions.get(member, -1)


@pytest.mark.parametrize("universe", [COLLIDING, SCATTERED], ids=["colliding", "scattered"])
@given(data=st.data())
def test_any_changes(universe: list[bytes], data: st.DataObject) -> None:
    pair = Pair()
    indices = st.integers(0, len(universe) - 1)
    for part in data.draw(st.lists(st.lists(indices, min_size=5), max_size=8)):
        for index in part:
            pair.toggle(universe[index])
        pair.verify(universe)


@pytest.mark.parametrize("backwards", [False, True])
def test_growing_and_shrinking_through_all_sizes(backwards: bool) -> None:
    everything = [b"member %d" % number for number in range(3000)]
    pair = Pair()
    empty = pair.members.memory()
    for number, member in enumerate(everything):
        pair.toggle(member)
        if number % 250 == 0:
            pair.verify(everything)
    full = pair.members.memory()
    assert full - empty < 3000 * 33  # a pointer and three slots at the most
    for number, member in enumerate(everything[::-1] if backwards else everything):
        pair.toggle(member)
        if number % 250 == 0:
            pair.verify(everything)
    assert pair.members.memory() < full / 20


def test_a_copy_shares_nothing() -> None:
    pair = Pair()
    for member in COLLIDING[:30]:
        pair.toggle(member)
    twin = pair.members.copy()
    before = list(pair.model)
    for member in COLLIDING[20:]:
        pair.toggle(member)
    pair.verify(COLLIDING)
    assert twin.items == before
    assert [int(twin.find(member)) for member in before] == list(range(30))
    assert twin.find(COLLIDING[40]) == -1


def test_shedding_frees_what_it_says() -> None:
    members = Members()
    for member in SCATTERED:
        members.append(member)
    assert [members.shed(25) for _ in range(4)] == [25, 25, 10, 0]
    assert members.items == []
