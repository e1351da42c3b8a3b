"""Sorted sets of the memory backend against a plain sorted list."""

import math
import random

import pytest
from hypercache_memory.ordered_check import check_order
from hypercache_memory.ordered_members import WIDTH, OrderedMembers
from hypercache_memory.zsets import MemoryZSet
from hypothesis import given, settings
from hypothesis import strategies as st

from hypercache.backend import EncodingLimits

SCORES = (0.0, -0.0, 1.0, 1.5, -2.0, 1e300, math.inf, -math.inf, 5e-324)
#: Nodes so narrow that a few dozen members split and join them on several levels.
NARROW = 6

members = st.integers(0, 60).map(lambda number: b"%d" % number)
scores = st.one_of(st.sampled_from(SCORES), st.integers(-9, 9).map(float))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("set"), members, scores),
        st.tuples(st.just("set"), members, scores),
        st.tuples(st.just("remove"), members, st.just(0.0)),
        st.tuples(st.just("cut"), st.integers(0, 60), st.integers(0, 30)),
    ),
    min_size=20,
    max_size=150,
)


def narrow() -> MemoryZSet:
    return MemoryZSet(EncodingLimits(), NARROW)


def ordered(model: dict[bytes, float]) -> list[tuple[bytes, float]]:
    return sorted(model.items(), key=lambda pair: (pair[1], pair[0]))


def agree(value: MemoryZSet, model: dict[bytes, float]) -> None:
    pairs = ordered(model)
    assert value.check() == []
    assert value.length() == len(pairs)
    assert value.range(0, len(pairs)) == pairs
    assert sorted(value.items()) == sorted(pairs)
    for rank, (member, score) in enumerate(pairs):
        assert value.rank(member) == rank
        assert value.score(member) == score
    for score in (*SCORES, 0.5):
        assert value.rank_of_score(score, False) == sum(other < score for _, other in pairs)
        assert value.rank_of_score(score, True) == sum(other <= score for _, other in pairs)


@settings(max_examples=60)
@given(steps)
def test_it_agrees_with_a_sorted_list(program: list[tuple[str, object, object]]) -> None:
    value, model = narrow(), dict[bytes, float]()
    for name, first, second in program:
        changes, length = value.changes, value.length()
        if name == "set":
            assert isinstance(first, bytes) and isinstance(second, float)
            changed = model.get(first) != second
            assert value.set(first, second) is (first not in model)
            assert value.changes - changes == changed
            if changed:
                model[first] = second
        elif name == "remove":
            assert isinstance(first, bytes)
            assert value.remove(first) is (first in model)
            model.pop(first, None)
            assert value.changes - changes == length - value.length()
        else:
            assert isinstance(first, int) and isinstance(second, int)
            start = min(first, length)
            stop = min(start + second, length)
            for member, _ in ordered(model)[start:stop]:
                del model[member]
            value.remove_range(start, stop)
            assert value.changes - changes == stop - start
    agree(value, model)
    twin = value.copy()
    while value.length():
        value.shed(7)
    agree(twin, model)


@pytest.mark.parametrize("width", [NARROW, 7, WIDTH])
@pytest.mark.parametrize("order", ["ascending", "descending", "shuffled"])
def test_it_grows_and_shrinks(width: int, order: str) -> None:
    value, model = MemoryZSet(EncodingLimits(), width), dict[bytes, float]()
    numbers = list(range(1500))
    if order == "descending":
        numbers.reverse()
    elif order == "shuffled":
        random.Random(7).shuffle(numbers)
    for number in numbers:
        model[b"%d" % number] = float(number // 3)
        assert value.set(b"%d" % number, float(number // 3))
    agree(value, model)
    for size in (1400, 900, 890, 60, 20, 3, 0):
        start = size // 2
        stop = start + len(model) - size
        for member, _ in ordered(model)[start:stop]:
            del model[member]
        value.remove_range(start, stop)
        agree(value, model)


def test_ranks_in_bytewise_order() -> None:
    value = narrow()
    words = sorted({b"%x" % (number * 37 % 256) for number in range(100)} | {b"", b"\xff", b"\x00"})
    for word in reversed(words):
        value.set(word, 1.0)
    for word in (*words, b"~", b"5", b"\xff\xff"):
        assert value.rank_of_lex(word, False) == sum(other < word for other in words)
        assert value.rank_of_lex(word, True) == sum(other <= word for other in words)


def test_ranks_in_bytewise_order_of_unequal_scores_do_not_fail() -> None:
    value = narrow()
    for number in range(100):
        value.set(b"%d" % (number * 37 % 100), float(number))
    for number in range(100):
        assert 0 <= value.rank_of_lex(b"%d" % number, number % 2 == 0) <= 100


def test_a_scan_misses_nothing_that_stays() -> None:
    value = MemoryZSet(EncodingLimits())
    rng = random.Random(3)
    for number in range(1000):
        value.set(b"%d" % number, float(number))
    gone, seen, cursor = set[bytes](), set[bytes](), 0
    while True:
        cursor, found = value.scan(cursor, 10)
        seen |= {member for member, _ in found}
        for _ in range(5):
            member = b"%d" % rng.randrange(1000)
            value.remove(member)
            gone.add(member)
            value.set(b"new %d" % rng.randrange(9), 1.0)
        if cursor == 0:
            break
    assert seen >= {b"%d" % number for number in range(1000)} - gone


def test_small_values_are_scanned_at_once() -> None:
    value = MemoryZSet(EncodingLimits())
    for number in range(100):
        value.set(b"%d" % number, float(number))
    cursor, found = value.scan(0, 5)
    assert (cursor, len(found)) == (0, 100)


def test_encodings_change_once() -> None:
    limits = EncodingLimits()
    limits.zset_entries = 3
    value = MemoryZSet(limits)
    for number in range(3):
        value.set(b"%d" % number, 1.0)
    assert value.encoding() == "listpack"
    value.set(b"3", 1.0)
    value.remove(b"3")
    assert value.encoding() == "skiplist"
    value = MemoryZSet(limits)
    value.set(b"x" * 65, 1.0)
    assert value.encoding() == "skiplist"


def test_samples_are_members() -> None:
    for count in (1, 5, 40):
        value = MemoryZSet(EncodingLimits())
        for number in range(count):
            value.set(b"%d" % number, float(number))
        found = {value.sample(pick) for pick in range(count)}
        assert found == {(b"%d" % number, float(number)) for number in range(count)}


def test_its_memory_follows_its_members() -> None:
    value = MemoryZSet(EncodingLimits())
    empty = value.memory()
    for number in range(5000):
        value.set(b"member %d" % number, float(number))
    assert 5000 * 80 < value.memory() - empty < 5000 * 130
    value.remove_range(0, 5000)
    assert value.memory() < empty + 1000


def test_the_check_sees_what_is_wrong() -> None:
    order = OrderedMembers(NARROW)
    for number in range(50):
        order.insert(float(number), b"%d" % number)
    assert check_order(order) == []
    root = order.root
    children = root.children
    assert children is not None
    root.counts[0] += 1
    assert any("its parent counts" in text for text in check_order(order))
    root.counts[0] -= 1
    children[1].scores[0] += 100.0
    assert len(check_order(order)) >= 2
