"""Rules about lists."""

from collections.abc import Callable
from typing import Final, cast

from hypercache.backend import LIST, ListValue
from hypercache.testing.checks.rules import rule
from hypercache.testing.costs import costs_hardly_grow
from hypercache.testing.lists import ListTrial
from hypercache.testing.trial import Trial

#: Elements around the limits of what stores pack, share or keep elsewhere.
ELEMENTS: Final = (b"", b"\x00", b"\xff\r\n", b"17", *(b"e" * size for size in (63, 64, 127, 128)))
LONG: Final = (b"l" * 2_048, b"l" * 5_000, b"l" * 70_000)
#: Enough elements for whatever a store keeps together to be split several times.
MANY: Final = 700


def _fill(trial: Trial, elements: ListTrial, count: int) -> None:
    """Push some of every size at both ends."""
    for number in range(count):
        element = trial.random.choice(ELEMENTS) if number % 3 else b"%d" % number
        if trial.random.random() < 0.5:
            elements.push_left(element)
        else:
            elements.push_right(element)


@rule
def a_list_keeps_its_order(trial: Trial) -> None:
    """A ListValue takes elements of any bytes at both ends, gives them back in their order from
    either end, counts every change, and may be emptied and filled again."""
    database = trial.databases[0]
    elements = ListTrial.create(database, b"list")
    for element in (*ELEMENTS, *LONG):
        elements.push_left(element)
        elements.push_right(element)
    trial.next_unit()
    for _ in (*ELEMENTS, *LONG):
        elements.pop_right()
        elements.pop_left()
    database.find(b"list")
    for round_ in range(3):
        for number in range(MANY):
            if (number % 3 == 0) is (round_ > 0):
                elements.push_left(b"%d" % number)
            else:
                elements.push_right(b"%d" % number)
        database.find(b"list")
        trial.next_unit()
        for number in range(MANY - round_):
            if round_ == 0 or (round_ == 1 and number % 2):
                elements.pop_left()
            else:
                elements.pop_right()
        database.find(b"list")


@rule
def a_list_is_read_anywhere(trial: Trial) -> None:
    """get() and range() answer the elements at any positions, from none to all of them."""
    elements = ListTrial.create(trial.databases[0], b"list")
    _fill(trial, elements, 300)
    for element in LONG:
        elements.insert(150, element)
    trial.next_unit()
    size = len(elements.model)
    for index in range(size):
        elements.get(index)
    places = [0, 1, 2, 64, 127, 128, 129, 149, 155, size // 2, size - 65, size - 1, size]
    for start in places:
        for stop in places:
            if start <= stop:
                elements.range(start, stop)


@rule
def a_list_is_edited_anywhere(trial: Trial) -> None:
    """set() and insert() change the element at one position, insert() behind the last one too,
    and leave all others in their order; a set() that changes nothing counts as well."""
    elements = ListTrial.create(trial.databases[0], b"list")
    elements.insert(0, b"first")
    elements.insert(1, b"last")
    elements.set(0, b"first")
    _fill(trial, elements, 200)
    for number in range(400):
        index = trial.random.randrange(len(elements.model))
        element = LONG[number % 3] if number % 40 == 0 else b"%d" % number
        if number % 2:
            elements.set(index, element)
        else:
            elements.insert(index, element)
    for _ in range(300):
        elements.insert(300, b"at one place")
    for index in (0, len(elements.model) - 1):
        elements.set(index, b"at an end")
    trial.databases[0].find(b"list")


@rule
def ranges_are_removed_from_lists(trial: Trial) -> None:
    """remove_range() removes the elements between two positions, at the ends or inside, some or
    all, and counts each of them."""
    database = trial.databases[0]
    elements = ListTrial.create(database, b"list")
    for round_ in range(12):
        _fill(trial, elements, 400)
        trial.next_unit()
        while len(elements.model) > 20:
            start, stop = sorted(trial.random.randrange(len(elements.model) + 1) for _ in "12")
            if round_ % 3 == 0:
                start = 0
            elif round_ % 3 == 1:
                stop = len(elements.model)
            elements.remove_range(start, min(stop, start + 150))
            elements.push_left(b"left")
            elements.push_right(b"right")
        database.find(b"list")
    elements.remove_range(0, len(elements.model))
    database.find(b"list")
    elements.push_left(b"again")


@rule
def equal_elements_are_found_and_removed(trial: Trial) -> None:
    """find() and remove() compare whole elements byte for byte, from the first or from the last
    on, skip, count, stop and answer as they are told."""
    database = trial.databases[0]
    elements = ListTrial.create(database, b"list")
    kinds = (b"", b"a", b"aa", b"a" * 130, b"1", b"01", b"\x01a", LONG[0])
    for number in range(500):
        elements.push_right(kinds[(number * 3 + number // 9) % 7] if number % 50 else kinds[-1])
    trial.next_unit()
    for element in (*kinds, b"none", b"a" * 129, b"A"):
        for backwards in (False, True):
            for skip, count, depth in ((0, 1, 500), (0, 500, 500), (3, 2, 500), (1, 9, 77)):
                elements.find(element, skip, count, depth, backwards)
            elements.find(element, 0, 500, 1, backwards)
    for round_ in range(4):
        for element in (*kinds, b"none"):
            elements.remove(element, (1, 7, 20, 500)[round_], round_ % 2 == 1)
        database.find(b"list")
    trial.require(not elements.model, "nothing left", elements.model)


@rule
def lists_do_not_mix(trial: Trial) -> None:
    """Lists under different keys, copies, and lists that take the key of a removed one share
    nothing; a unit that is undone leaves a list as it was."""
    first, second = trial.databases[:2]
    lists = [ListTrial.create(*place) for place in ((first, b"a"), (first, b"b"), (second, b"a"))]
    for number in range(150):
        for place, elements in enumerate(lists):
            elements.push_right(b"%d in %d" % (number, place))
    trial.next_unit()
    first.copy(b"a", second, b"copied")
    first.move(b"b", second, b"moved")
    copied, moved = ListTrial(second, b"copied"), ListTrial(second, b"moved")
    for elements in (copied, moved, lists[0]):
        elements.set(75, b"changed")
        elements.insert(70, b"inserted")
        elements.pop_left()
        elements.remove_range(100, 149)
    trial.verify()
    trial.next_unit()
    if trial.units:
        for elements in (copied, moved):
            elements.remove(b"changed", 9, False)
            elements.push_left(b"undone")
            elements.remove_range(0, 90)
        first.unlink(b"a")
        trial.undo_unit()
        trial.verify()
    first.unlink(b"a")
    again = ListTrial.create(first, b"a")
    trial.next_unit()
    trial.reclaim()
    for number in range(40):
        again.push_left(b"%d" % number)
    trial.verify()


@rule
def lists_tell_their_encoding(trial: Trial) -> None:
    """A list is a "listpack" as long as the limits allow, and a "quicklist" beyond; shrunk to
    half of them it is a "listpack" again."""
    database = trial.databases[0]
    elements = ListTrial.create(database, b"list")
    limits = trial.backend.limits
    before = limits.list_size
    try:
        for limit, size, most in ((4, 3, 4), (-1, 98, 40), (-2, 498, 16)):
            limits.list_size = limit
            while len(elements.model) < most:
                elements.push_right(b"e" * size)
                _expect_encoding(trial, elements, "listpack")
            elements.push_left(b"e" * size)
            _expect_encoding(trial, elements, "quicklist")
            while len(elements.model) > most // 2 + 1:
                elements.pop_right()
                _expect_encoding(trial, elements, "quicklist")
            elements.remove_range(0, 2)
            _expect_encoding(trial, elements, "listpack")
            elements.remove_range(0, len(elements.model))
    finally:
        limits.list_size = before


def _expect_encoding(trial: Trial, elements: ListTrial, expected: str) -> None:
    entry = elements.database.database.find(elements.key)
    assert entry is not None
    value = cast(ListValue, entry.value)
    what = f"encoding() of {len(elements.model)} elements"
    trial.expect(what, expected, trial.attempt(value.encoding))


@rule
def the_ends_of_long_lists_are_near(trial: Trial) -> None:
    """push and pop at both ends of a list, and get() near them, take the same time whether it
    has a hundred elements or many thousands; memory() of a list is asked for as quickly."""
    costs_hardly_grow(trial, LIST, (100, 10_000), _prolong, _CALLS, times=50)


def _prolong(value: ListValue, length: int) -> None:
    for number in range(length):
        value.push_right(b"%d" % number)


def _shift_left(value: ListValue) -> None:
    value.push_left(b"element")
    value.pop_left()


def _shift_right(value: ListValue) -> None:
    value.push_right(b"element")
    value.pop_right()


def _look(value: ListValue) -> None:
    value.get(3)
    value.get(value.length() - 3)


_CALLS: Final[dict[str, Callable[[ListValue], object]]] = {
    "push_left() and pop_left()": _shift_left,
    "push_right() and pop_right()": _shift_right,
    "get() near the ends": _look,
    "memory()": lambda value: value.memory(),
}


CHECKS = (
    a_list_keeps_its_order,
    a_list_is_read_anywhere,
    a_list_is_edited_anywhere,
    ranges_are_removed_from_lists,
    equal_elements_are_found_and_removed,
    lists_do_not_mix,
    lists_tell_their_encoding,
    the_ends_of_long_lists_are_near,
)
