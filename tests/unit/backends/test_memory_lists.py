"""The memory backend's lists against plain Python lists, with every split and merge."""

import random
import sys
from collections.abc import Callable

import pytest
from hypercache_memory.lists import MemoryList
from hypercache_memory.rows import Row
from hypothesis import given, settings
from hypothesis import strategies as st

from hypercache.backend import EncodingLimits
from hypercache.listpack import string_size
from hypercache.testing.costs import seconds, within

#: Few distinct elements, so that many are equal; some are packed with a long length, some are
#: too long for packing.
ELEMENTS = st.sampled_from([b"", b"a", b"b", b"17", b"m" * 60, b"n" * 130, b"l" * 700])
OPERATIONS = (
    *("push_left", "push_right", "push_many", "push_many", "pop_left", "pop_right", "pop_many"),
    *("set", "insert", "insert", "remove_range", "trim", "remove", "find", "range", "copy"),
)
PLACES = st.integers(0, 1 << 16)
Step = tuple[str, bytes, int, int, bool]
STEPS = st.lists(
    st.tuples(st.sampled_from(OPERATIONS), ELEMENTS, PLACES, PLACES, st.booleans()),
    min_size=5,
    max_size=60,
)
Subject = Row | MemoryList


def subjects() -> list[Subject]:
    """A row with tiny batches and chunks, a list as it is."""
    return [Row([], 2), MemoryList(EncodingLimits())]


def run(subject: Subject, model: list[bytes], step: Step) -> Subject:
    """Do the same to both; the subject from now on."""
    name, element, first, second, backwards = step
    size = len(model)
    start, stop = sorted((first % (size + 1), second % (size + 1)))
    if name == "push_left":
        subject.push_left(element)
        model.insert(0, element)
    elif name == "push_right":
        subject.push_right(element)
        model.append(element)
    elif name == "push_many":
        for number in range(first % 20):
            item = b"%d" % (number % 4) if backwards else element
            if second % 2:
                subject.push_left(item)
                model.insert(0, item)
            else:
                subject.push_right(item)
                model.append(item)
    elif name == "pop_left" and model:
        assert subject.pop_left() == model.pop(0)
    elif name == "pop_right" and model:
        assert subject.pop_right() == model.pop()
    elif name == "pop_many":
        for _ in range(min(first % 20, size)):
            if backwards:
                assert subject.pop_right() == model.pop()
            else:
                assert subject.pop_left() == model.pop(0)
    elif name == "set" and model:
        subject.set(first % size, element)
        model[first % size] = element
    elif name == "insert":
        subject.insert(start, element)
        model.insert(start, element)
    elif name == "remove_range":
        subject.remove_range(start, stop)
        del model[start:stop]
    elif name == "trim":
        subject.remove_range(stop, size)
        subject.remove_range(0, start)
        model[:] = model[start:stop]
    elif name == "remove":
        removed = remove(model, element, 1 + first % 5, backwards)
        assert subject.remove(element, 1 + first % 5, backwards) == removed
    elif name == "find":
        expected = find(model, element, first % 3, second % 4, first % 50, backwards)
        assert subject.find(element, first % 3, second % 4, first % 50, backwards) == expected
    elif name == "range":
        assert subject.range(start, stop) == model[start:stop]
    elif name == "copy":
        twin = subject.copy()
        subject.push_left(b"not in the twin")
        return twin
    return subject


def remove(model: list[bytes], element: bytes, limit: int, backwards: bool) -> int:
    """LREM on a plain list."""
    places = [place for place, item in enumerate(model) if item == element]
    places = places[-limit:] if backwards else places[:limit]
    for place in reversed(places):
        del model[place]
    return len(places)


def find(
    model: list[bytes], element: bytes, skip: int, count: int, depth: int, backwards: bool
) -> list[int]:
    """LPOS on a plain list."""
    places = list(range(len(model)))
    if backwards:
        places.reverse()
    return [place for place in places[:depth] if model[place] == element][skip : skip + count]


def agree(subject: Subject, model: list[bytes]) -> None:
    assert subject.check() == []
    assert subject.range(0, len(model)) == model
    for place, element in enumerate(model):
        assert subject.get(place) == element


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_lists_agree_with_plain_lists(steps: list[Step]) -> None:
    for subject in subjects():
        model: list[bytes] = []
        for step in steps:
            subject = run(subject, model, step)
            assert subject.check() == []
        agree(subject, model)


def test_long_programs_with_long_lists() -> None:
    chance = random.Random(7)
    names = ["push_many", "push_many", "pop_many", "set", "insert", "find", "remove", "trim"]
    for subject in subjects():
        model: list[bytes] = []
        for _ in range(600):
            name = chance.choice(names) if len(model) > 40 else "push_many"
            name = "push_many" if name == "trim" and chance.random() < 0.9 else name
            element = b"%d" % chance.randrange(9) * chance.choice((1, 1, 1, 70))
            step = (
                name,
                element,
                chance.randrange(999),
                chance.randrange(999),
                chance.random() < 0.5,
            )
            subject = run(subject, model, step)
            assert subject.check() == []
        agree(subject, model)


@pytest.mark.parametrize("left", [True, False])
def test_a_queue_keeps_its_order(left: bool) -> None:
    value = MemoryList(EncodingLimits())
    pushed = popped = 0
    chance = random.Random(3)
    for burst in range(300):
        for _ in range(chance.randrange(60)):
            (value.push_left if left else value.push_right)(b"%d" % pushed)
            pushed += 1
        for _ in range(min(chance.randrange(62), pushed - popped)):
            assert (value.pop_right if left else value.pop_left)() == b"%d" % popped
            popped += 1
        assert value.length() == pushed - popped
        if burst % 50 == 0:
            assert value.check() == []


def test_every_change_is_counted() -> None:
    value = MemoryList(EncodingLimits())
    for number in range(100):
        value.push_right(b"%d" % (number % 10))
    assert value.changes == 100
    value.set(5, b"5")
    value.insert(50, b"x")
    assert value.changes == 102
    assert value.remove(b"7", 4, False) == 4
    assert value.remove(b"none", 4, False) == 0
    value.remove_range(0, 0)
    assert value.changes == 106
    value.remove_range(10, 20)
    value.pop_left()
    value.pop_right()
    assert value.changes == 118
    value.get(3), value.range(0, 9), value.find(b"3", 0, 1, 99, True)
    assert value.changes == 118


def test_the_encoding_is_that_of_a_listpack_in_bytes() -> None:
    limits = EncodingLimits()
    value = MemoryList(limits)
    size, count = 7, 0
    while size + 50 <= 8192:
        value.push_right(b"e" * 50)
        size += string_size(b"e" * 50)
        count += 1
        assert value.encoding() == "listpack"
    value.push_right(b"e" * 50)
    assert value.encoding() == "quicklist"
    while value.length() * string_size(b"e" * 50) + 7 > 4096:
        assert value.encoding() == "quicklist"
        value.pop_left()
    assert value.encoding() == "listpack"


@pytest.mark.parametrize(("limit", "most"), [(5, 5), (1, 1), (0, 1), (-1, 2045), (-2, 4093)])
def test_the_encoding_follows_the_limit(limit: int, most: int) -> None:
    limits = EncodingLimits()
    limits.list_size = limit
    value = MemoryList(limits)
    while value.encoding() == "listpack":
        value.push_left(b"7")
    assert value.length() == most + 1
    while value.encoding() == "quicklist" and value.length() > 1:
        value.pop_right()
    assert value.length() == max(most // 2, 1) or limit < 0


def test_a_long_element_is_no_listpack() -> None:
    value = MemoryList(EncodingLimits())
    value.push_left(b"short")
    value.set(0, b"l" * 8192)
    assert value.encoding() == "quicklist"
    value.set(0, b"short")
    assert value.encoding() == "listpack"


def test_short_elements_are_packed() -> None:
    value = MemoryList(EncodingLimits())
    for number in range(1000):
        value.push_right(b"%d" % (number + 1000))
    assert value.memory() < 1000 * 7 * 2
    small = MemoryList(EncodingLimits())
    empty = small.memory()
    for _ in range(5):
        small.push_right(b"0123456789")
    assert small.memory() <= empty + 64


def test_memory_is_what_the_objects_take() -> None:
    """The figure counts each object that `sys.getsizeof` sees, and little more."""
    for length in (3, 100, 700, 5000):
        row = Row([])
        for _ in range(400):
            row.push_right(b"e" * length)
        strings = [*row._left, *row._right]
        for chunk in row._inner._chunks:
            strings += [chunk] if isinstance(chunk, bytes) else chunk
        seen = sum(map(sys.getsizeof, [*strings, row._left, row._right, row._inner._chunks]))
        assert seen <= row.memory() <= seen * 1.15 + 300


def test_shedding_frees_in_slices() -> None:
    value = MemoryList(EncodingLimits())
    for _ in range(10_000):
        value.push_left(b"element")
    freed, calls = 0, 0
    while (more := value.shed(500)) > 0:
        assert more < 800
        freed += more
        calls += 1
    assert freed == 10_000
    assert calls > 10


def test_ends_do_not_slow_down_with_the_length() -> None:
    def measure(count: int) -> Callable[[], float]:
        value = MemoryList(EncodingLimits())
        for _ in range(count):
            value.push_right(b"element")

        def push_and_pop() -> None:
            value.push_left(b"element")
            value.pop_right()

        return lambda: seconds(push_and_pop, 2000)

    short = measure(2_000)
    limit = 4 * min(short() for _ in range(5)) + 0.001
    assert within(limit, measure(60_000)) <= limit
