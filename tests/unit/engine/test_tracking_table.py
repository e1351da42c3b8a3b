"""The table of tracked keys against a model of sets."""

from hypothesis import given, settings
from hypothesis import strategies as st

from hypercache.engine.tracking_table import TrackingTable
from hypercache.keyspace.clock import Chance

KEYS = st.integers(0, 9).map(lambda number: b"key%d" % number)
STEPS = st.lists(st.tuples(st.sampled_from("rrrtp"), KEYS, st.integers(1, 4)), max_size=60)


@given(STEPS)
@settings(max_examples=100, deadline=None)
def test_it_is_a_set_of_readers_for_each_key(steps: list[tuple[str, bytes, int]]) -> None:
    table = TrackingTable()
    model: dict[bytes, set[int]] = {}
    chance = Chance(1)
    for action, key, client in steps:
        if action == "r":
            table.remember(key, client)
            model.setdefault(key, set()).add(client)
        elif action == "t":
            taken = table.take(key)
            assert len(taken) == len(set(taken))
            assert set(taken) == model.pop(key, set())
        elif model:
            assert table.any_key(chance) in model
        assert len(table) == len(model)
        assert table.items == sum(map(len, model.values()))
    for key, readers in model.items():
        assert set(table.take(key)) == readers
    assert (len(table), table.items) == (0, 0)


def test_every_key_may_be_picked() -> None:
    table = TrackingTable()
    for number in range(20):
        table.remember(b"%d" % number, 1)
    table.take(b"3")
    chance = Chance(7)
    picked = {table.any_key(chance) for _ in range(1000)}
    assert picked == {b"%d" % number for number in range(20) if number != 3}
    table.clear()
    assert (len(table), table.items, table.take(b"1")) == (0, 0, [])
