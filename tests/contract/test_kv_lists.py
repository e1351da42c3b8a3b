"""Lists of `KVBackend` of many chunks: the index stays right, and positions take few calls."""

from collections.abc import Callable
from random import Random

import pytest

from hypercache.backend import (
    LIST,
    NO_EXPIRE,
    BackendError,
    BackendFull,
    Database,
    ListValue,
)
from tests.contract.stores import CountingKV, FullKV, opened


def list_of(database: Database) -> ListValue:
    entry = database.find(b"list") or database.create(b"list", LIST)
    assert isinstance(entry.value, ListValue)
    return entry.value


def of_size(random: Random, number: int) -> bytes:
    """Few of them fill a chunk, and some are too long for one."""
    return b"%d " % number + b"v" * random.choice([10, 900, 1_500, 3_000, 5_000])


def change(random: Random, list_: ListValue, model: list[bytes], number: int) -> None:
    """One change of a random kind, of the list and of its model."""
    at = random.randrange(len(model))
    match random.randrange(9):
        case 0:
            list_.push_left(element := of_size(random, number))
            model.insert(0, element)
        case 1:
            list_.push_right(element := of_size(random, number))
            model.append(element)
        case 2:
            assert list_.pop_left() == model.pop(0)
        case 3:
            assert list_.pop_right() == model.pop()
        case 4 | 5 | 6:
            list_.insert(at, element := of_size(random, number))
            model.insert(at, element)
        case 7:
            list_.set(at, element := of_size(random, number))
            model[at] = element
        case _:
            backwards = random.random() < 0.5
            assert list_.remove(model[at], 1, backwards) == 1
            model.remove(model[at])


@pytest.mark.parametrize("seed", range(6))
def test_index_stays_right_whatever_changes(seed: int) -> None:
    random = Random(seed)
    _, (database, _) = opened(CountingKV())
    list_ = list_of(database)
    model = [of_size(random, number) for number in range(300)]
    for element in model:
        list_.push_right(element)
    for number in range(300, 600):
        change(random, list_, model, number)
        if number % 20 == 0:
            assert database.check() == []
    for _ in range(12):
        start = random.randrange(len(model) + 1)
        stop = min(start + random.choice([0, 1, 5, 60]), len(model))
        list_.remove_range(start, stop)
        del model[start:stop]
        assert database.check() == []
    list_ = list_of(database)
    assert list_.range(0, len(model)) == model
    for at in range(len(model)):
        assert list_.get(at) == model[at]
        assert list_.range(at, min(at + 3, len(model))) == model[at : at + 3]
    while model:
        assert list_.pop_left() == model.pop(0)
        if len(model) % 10 == 0:
            assert database.check() == []


def test_removing_equal_elements_all_over_keeps_the_index() -> None:
    _, (database, _) = opened(CountingKV())
    list_ = list_of(database)
    for number in range(4_000):
        list_.push_left(b"same" if number % 3 else b"v" * 200)
    assert list_.remove(b"same", 1_000, True) == 1_000
    assert database.check() == []
    assert list_.remove(b"same", 10_000, False) == 1_666
    assert database.check() == []
    assert list_.range(0, list_.length()) == [b"v" * 200] * 1_334


def test_short_lists_have_no_index_and_the_first_chunk_is_never_in_it() -> None:
    kv = CountingKV()
    _, (database, _) = opened(kv)
    for number in range(64):
        list_of(database).push_right(b"%d" % number)
    assert sum(key.startswith(b"o") for key in kv.data) == 1
    for _ in range(200):
        list_of(database).push_left(b"v" * 4_000)
        list_of(database).push_right(b"v" * 4_000)
    assert database.check() == []
    for _ in range(464 - 64):
        list_of(database).pop_right()
    assert sum(key.startswith(b"o") for key in kv.data) <= 64 + 32


def test_end_of_a_list_is_written_once_a_unit() -> None:
    kv = CountingKV()
    backend, (database, _) = opened(kv)
    list_of(database).push_right(b"0")
    backend.begin()
    kv.calls.clear()
    for number in range(1, 60):
        list_of(database).push_right(b"%d" % number)
    for number in range(59, 10, -1):
        assert list_of(database).pop_right() == b"%d" % number
    assert kv.calls == ["get", "range"]
    backend.commit()
    assert kv.calls == ["get", "range", "put", "put", "put"]  # chunk, record, counters
    assert list_of(database).range(0, 11) == [b"%d" % number for number in range(11)]
    assert database.check() == []


ENDINGS: tuple[Callable[[Database, Database], object], ...] = (
    lambda one, two: one.move(b"list", two, b"moved"),
    lambda one, two: one.copy(b"list", two, b"copy"),
    lambda one, two: one.swap(two),
    lambda one, _: one.clear(),
    lambda one, _: one.unlink(b"list"),
    lambda one, _: one.put(b"list", b"value", NO_EXPIRE),
    lambda one, _: one.create(b"list", LIST),
    lambda one, _: list_of(one).range(0, 20),
    lambda one, _: list_of(one).get(10),
    lambda one, _: list_of(one).set(19, b"set"),
    lambda one, _: list_of(one).insert(10, b"inserted"),
    lambda one, _: list_of(one).insert(0, b"inserted"),
    lambda one, _: list_of(one).find(b"19", 0, 1, 100, True),
    lambda one, _: list_of(one).remove(b"19", 1, True),
    lambda one, _: list_of(one).remove_range(10, 20),
    lambda one, _: list_of(one).pop_left(),
    lambda one, _: list_of(one).push_left(b"first"),
)


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_was_held_back_is_there_for_whatever_comes_next(
    ending: Callable[[Database, Database], object],
) -> None:
    """A unit of pushes and something else leaves what two units leave."""
    stores: list[dict[bytes, bytes]] = []
    for is_split in (False, True):
        kv = CountingKV()
        backend, (one, two) = opened(kv)
        list_of(one).push_right(b"0")
        backend.begin()
        for number in range(1, 20):
            list_of(one).push_right(b"%d" % number)
        if is_split:
            backend.commit()
            backend.begin()
        ending(one, two)
        backend.reclaim(3)
        backend.commit()
        assert one.check() == two.check() == []
        stores.append(dict(kv.data))
    assert stores[0] == stores[1]


def test_what_was_held_back_is_undone_with_the_unit() -> None:
    kv = CountingKV()
    backend, (database, _) = opened(kv)
    list_of(database).push_right(b"0")
    before = dict(kv.data)
    backend.begin()
    list_of(database).push_right(b"1")
    backend.rollback()
    backend.begin()
    backend.commit()
    assert dict(kv.data) == before
    assert list_of(database).range(0, 1) == [b"0"]


def test_reading_that_cannot_write_what_was_held_back_fails_the_unit() -> None:
    readings: tuple[Callable[[Database], object], ...] = (
        lambda database: list_of(database).get(0),
        lambda database: list_of(database).find(b"0", 0, 1, 10, False),
        lambda database: database.scan(0, 10),
        lambda database: database.sample(1),
        lambda database: list(database.keys()),
        lambda database: database.check(),
    )
    for reading in readings:
        kv = FullKV()
        backend, (database, _) = opened(kv)
        list_of(database).push_right(b"0")
        before = dict(kv.data)
        backend.begin()
        list_of(database).push_right(b"1")
        kv.room = 0
        with pytest.raises(BackendFull):
            reading(database)
        kv.room = 10**9
        with pytest.raises(BackendError, match="the unit has failed"):
            backend.commit()
        backend.rollback()
        assert dict(kv.data) == before


POSITIONS: tuple[tuple[str, int, Callable[[ListValue, int], object]], ...] = (
    ("LINDEX", 16, lambda list_, at: list_.get(at)),
    ("LSET", 18, lambda list_, at: list_.set(at, b"other %06d" % at)),
    ("LRANGE", 17, lambda list_, at: list_.range(at, at + 10)),
    ("LINSERT", 40, lambda list_, at: list_.insert(at, b"new")),
    ("LTRIM's part", 40, lambda list_, at: list_.remove_range(at, at + 30)),
)


def test_positions_take_few_calls() -> None:
    """In the middle of 2,000 chunks, of which a walk would read hundreds."""
    kv = CountingKV()
    backend, (database, _) = opened(kv)
    backend.begin()
    for number in range(20_000):
        list_of(database).push_right(b"%06d" % number + b"v" * 394)
    assert sum(key.startswith(b"o") for key in kv.data) > 2_000
    for name, most, operation in POSITIONS:
        total = 0
        for at in range(500, 19_000, 500):
            kv.calls.clear()
            operation(list_of(database), at)
            total += len(kv.calls)
        assert total / 37 <= most, f"{name}: {total / 37:.1f} calls"
        print(name, total / 37)
    assert database.check() == []
