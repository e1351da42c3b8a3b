"""Every method of every typed value, with arguments to call it with, as steps that can be compared.

A step is performed on a value of any backend and answers something that is equal wherever the
contract leaves no choice. Arguments that a value's present state does not allow are bent until
it does: positions are taken modulo the length, ids follow the last one.
"""

from collections.abc import Callable
from typing import Any

import attrs
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from hypercache.backend import (
    HASH,
    LIST,
    NO_EXPIRE,
    SET,
    STREAM,
    STRING,
    ZSET,
    HashValue,
    ListValue,
    SetValue,
    StreamGroup,
    StreamValue,
    StringValue,
    ZSetValue,
)
from hypercache.streams import MAX_ID, MIN_ID, Pending

NOW = 1_700_000_000_000

#: Short, numeric, and longer than the tests' store has room for in a key.
elements = st.one_of(
    st.sampled_from([b"", b"a", b"\x00", b"\xff", b"12", b"-7", b"012", b"L" * 40, b"L" * 41]),
    st.integers(0, 40).map(lambda number: b"%d" % number),
    st.integers(0, 9).map(lambda number: b"L" * 45 + b"%d" % number),
)
values = st.one_of(st.binary(max_size=80), st.sampled_from([b"v" * 2_000, b"v" * 5_000]))
scores = st.sampled_from([0.0, -0.0, 1.0, -1.5, 2.0, 1e300, float("inf"), float("-inf")])
picks = st.integers(0, 2**62 - 1)
positions = st.integers(0, 500)
counts = st.sampled_from([1, 2, 3, 10, 1_000_000])
deadlines = st.integers(0, 4).map(lambda number: NOW + number)
numbers = st.integers(0, 12)
names = st.sampled_from([b"", b"one", b"two", b"n" * 60])

Perform = Callable[..., object]


def position(value: ListValue | ZSetValue, number: int) -> int:
    """A position where a value that is not empty has an element."""
    return number % value.length()


def between(value: ListValue | ZSetValue, start: int, size: int) -> tuple[int, int]:
    """Positions that enclose up to ``size`` elements."""
    start %= value.length() + 1
    return start, min(start + size, value.length())


def scanned(value: Any, count: int) -> list[Any]:
    """All elements, as a scan finds them, each once."""
    found: dict[Any, None] = {}
    cursor = 0
    for _ in range(10_000):
        cursor, step = value.scan(cursor, count)
        found.update(dict.fromkeys(step))
        if cursor == 0:
            return sorted(found)
    raise AssertionError("a scan that does not end")


def id_of(number: int) -> bytes:
    """One of the ids near those that the steps add."""
    return bytes(7) + bytes((1 + number // 4,)) + bytes(7) + bytes((number % 4,))


def appended(stream: StreamValue, distance: int, fields: list[bytes]) -> bytes:
    """Add an entry with an id somewhere above the last."""
    last = max(int.from_bytes(stream.last_id(), "big"), int.from_bytes(id_of(0), "big"))
    entry_id = (last + 1 + (distance << 62)).to_bytes(16, "big")
    stream.append(entry_id, fields)
    return entry_id


def an_id(stream: StreamValue, number: int) -> bytes:
    """The id of an entry if there are any, or one that was never there."""
    entries = stream.range(MIN_ID, MAX_ID, number + 1, False)
    return entries[-1][0] if entries else id_of(number)


def pending_facts(pending: Pending | None) -> object:
    """What can be compared of a pending entry."""
    if pending is None:
        return None
    return pending.id, pending.consumer, pending.time, pending.count


def consumer_facts(group: StreamGroup) -> list[object]:
    """What can be compared of a group's consumers."""
    return [(each.name, each.seen, each.active, each.pending) for each in group.consumers()]


def group_facts(group: StreamGroup) -> object:
    """A whole group."""
    pending = group.pending_range(MIN_ID, MAX_ID, 1_000_000, None)
    return (
        (group.name(), group.last_id(), group.entries_read(), group.pending_count()),
        consumer_facts(group),
        [pending_facts(each) for each in pending],
        group.pending_bounds(),
    )


def content(value: Any) -> object:
    """All that is in a value, as something that can be compared."""
    match value:
        case StringValue():
            return value.read(0, value.length())
        case HashValue():
            fields = sorted(value.items())
            return [(*field, value.deadline(field[0])) for field in fields]
        case ListValue():
            return value.range(0, value.length())
        case SetValue():
            return sorted(value.members())
        case ZSetValue():
            return [(member, repr(score)) for member, score in value.range(0, value.length())]
        case StreamValue():
            entries = value.range(MIN_ID, MAX_ID, 1_000_000, False)
            state = (value.last_id(), value.max_deleted_id(), value.entries_added())
            return state, entries, [group_facts(group) for group in value.groups()]
    raise AssertionError(f"nothing is known of {value!r}")


def fill(value: Any, count: int) -> None:
    """Add so many elements, enough to outgrow what is compact."""
    for number in range(count):
        element = b"%d" % number
        match value:
            case HashValue():
                value.set(element, b"v")
            case ListValue():
                value.push_right(element)
            case SetValue():
                value.add(element)
            case ZSetValue():
                value.set(element, float(number % 7))
            case StreamValue():
                appended(value, 0, [b"f", element])
            case StringValue():
                value.write(number * 100, element)


STRINGS: dict[str, tuple[SearchStrategy[Any], Perform]] = {
    "read": (
        st.tuples(st.integers(0, 9_000), st.integers(0, 9_000)),
        lambda value, start, size: value.read(start, start + size),
    ),
    "write": (
        st.tuples(st.integers(0, 9_000), values.filter(bool)),
        lambda value, offset, data: value.write(offset, data),
    ),
}

HASHES: dict[str, tuple[SearchStrategy[Any], Perform]] = {
    "get": (st.tuples(elements), lambda value, field: value.get(field)),
    "set": (st.tuples(elements, values), lambda value, field, data: value.set(field, data)),
    "remove": (st.tuples(elements), lambda value, field: value.remove(field)),
    "items": (st.tuples(), lambda value: sorted(value.items())),
    "scan": (st.tuples(counts), scanned),
    "sample": (
        st.tuples(picks),
        lambda value, pick: not value.length() or value.sample(pick) in list(value.items()),
    ),
    "deadline": (
        st.tuples(elements),
        lambda value, field: None if value.get(field) is None else value.deadline(field),
    ),
    "set_deadline": (
        st.tuples(elements, deadlines | st.just(NO_EXPIRE)),
        lambda value, field, deadline: (
            None if value.get(field) is None else value.set_deadline(field, deadline)
        ),
    ),
    "next_deadline": (st.tuples(), lambda value: value.next_deadline()),
    "due": (
        st.tuples(deadlines, counts),
        lambda value, now, limit: [value.deadline(field) for field in value.due(now, limit)],
    ),
}

LISTS: dict[str, tuple[SearchStrategy[Any], Perform]] = {
    "push_left": (st.tuples(elements | values), lambda value, data: value.push_left(data)),
    "push_right": (st.tuples(elements | values), lambda value, data: value.push_right(data)),
    "pop_left": (st.tuples(), lambda value: value.pop_left() if value.length() else None),
    "pop_right": (st.tuples(), lambda value: value.pop_right() if value.length() else None),
    "get": (
        st.tuples(positions),
        lambda value, at: value.get(position(value, at)) if value.length() else None,
    ),
    "set": (
        st.tuples(positions, elements | values),
        lambda value, at, data: value.set(position(value, at), data) if value.length() else None,
    ),
    "range": (
        st.tuples(positions, positions),
        lambda value, start, size: value.range(*between(value, start, size)),
    ),
    "insert": (
        st.tuples(positions, elements | values),
        lambda value, at, data: value.insert(at % (value.length() + 1), data),
    ),
    "remove_range": (
        st.tuples(positions, st.integers(0, 80)),
        lambda value, start, size: value.remove_range(*between(value, start, size)),
    ),
    "remove": (
        st.tuples(elements, counts, st.booleans()),
        lambda value, data, limit, backwards: value.remove(data, limit, backwards),
    ),
    "find": (
        st.tuples(elements, st.integers(0, 2), counts, counts, st.booleans()),
        lambda value, *arguments: value.find(*arguments),
    ),
}

SETS: dict[str, tuple[SearchStrategy[Any], Perform]] = {
    "add": (st.tuples(elements), lambda value, member: value.add(member)),
    "remove": (st.tuples(elements), lambda value, member: value.remove(member)),
    "contains": (st.tuples(elements), lambda value, member: value.contains(member)),
    "members": (st.tuples(), lambda value: sorted(value.members())),
    "scan": (st.tuples(counts), scanned),
    "sample": (
        st.tuples(picks),
        lambda value, pick: not value.length() or value.contains(value.sample(pick)),
    ),
}

ZSETS: dict[str, tuple[SearchStrategy[Any], Perform]] = {
    "score": (st.tuples(elements), lambda value, member: repr(value.score(member))),
    "set": (st.tuples(elements, scores), lambda value, member, score: value.set(member, score)),
    "remove": (st.tuples(elements), lambda value, member: value.remove(member)),
    "rank": (st.tuples(elements), lambda value, member: value.rank(member)),
    "rank_of_score": (
        st.tuples(scores, st.booleans()),
        lambda value, score, after: value.rank_of_score(score, after),
    ),
    "rank_of_lex": (
        st.tuples(elements, st.booleans()),
        # Any result is good where scores differ, but no failure.
        lambda value, member, after: (
            value.rank_of_lex(member, after)
            if len({score for _, score in value.items()}) < 2
            else isinstance(value.rank_of_lex(member, after), int)
        ),
    ),
    "range": (
        st.tuples(positions, positions),
        lambda value, start, size: value.range(*between(value, start, size)),
    ),
    "remove_range": (
        st.tuples(positions, st.integers(0, 80)),
        lambda value, start, size: value.remove_range(*between(value, start, size)),
    ),
    "items": (st.tuples(), lambda value: sorted(value.items())),
    "scan": (st.tuples(counts), scanned),
    "sample": (
        st.tuples(picks),
        lambda value, pick: not value.length() or value.sample(pick) in list(value.items()),
    ),
}


def with_group(perform: Perform) -> Perform:
    """A step on a group of a stream, made where there is none."""

    def on_stream(value: StreamValue, name: bytes, *arguments: object) -> object:
        group = value.group(name) or value.create_group(name, MIN_ID, 0)
        return perform(value, group, *arguments)

    return on_stream


def set_pending(
    value: StreamValue, group: StreamGroup, number: int, name: bytes, count: int
) -> bool:
    """Deliver an entry to a consumer that is there."""
    if group.consumer(name) is None:
        return False
    group.set_pending(Pending(an_id(value, number), name, NOW + count, count))
    return True


def removed_first(value: StreamValue, count: int) -> None:
    """Trim to no less than nothing."""
    value.remove_first(min(count, value.length()))


def first_node(value: StreamValue) -> bool:
    """How many entries lie in a node is the store's choice."""
    if value.length() == 0:
        return True
    count, last = value.first_node()
    entries = value.range(MIN_ID, last, 1_000_000, False)
    return 0 < count == len(entries) and 0 < value.nodes() <= value.length()


STREAMS: dict[str, tuple[SearchStrategy[Any], Perform]] = {
    "first_id": (st.tuples(), lambda value: value.first_id()),
    "last_id": (st.tuples(), lambda value: value.last_id()),
    "max_deleted_id": (st.tuples(), lambda value: value.max_deleted_id()),
    "entries_added": (st.tuples(), lambda value: value.entries_added()),
    "set_state": (
        st.tuples(numbers, numbers),
        lambda value, number, added: value.set_state(
            max(value.last_id(), id_of(number)), id_of(number), added
        ),
    ),
    "append": (
        st.tuples(st.integers(0, 3), st.lists(elements | values, min_size=2, max_size=2)),
        appended,
    ),
    "get": (st.tuples(numbers), lambda value, number: value.get(an_id(value, number))),
    "range": (
        st.tuples(numbers, numbers, counts, st.booleans()),
        lambda value, start, stop, limit, reverse: value.range(
            an_id(value, start), an_id(value, stop), limit, reverse
        ),
    ),
    "remove": (st.tuples(numbers), lambda value, number: value.remove(an_id(value, number))),
    "remove_first": (st.tuples(counts), removed_first),
    "remove_below": (
        st.tuples(numbers),
        lambda value, number: value.remove_below(an_id(value, number)),
    ),
    "first_node": (st.tuples(), first_node),
    "nodes": (st.tuples(), lambda value: (value.nodes() > 0) == (value.length() > 0)),
    "groups": (st.tuples(), lambda value: [group_facts(group) for group in value.groups()]),
    "group": (st.tuples(names), lambda value, name: value.group(name) is not None),
    "create_group": (
        st.tuples(names, numbers),
        lambda value, name, number: (
            None
            if value.group(name) is not None
            else group_facts(value.create_group(name, id_of(number), number - 1))
        ),
    ),
    "remove_group": (st.tuples(names), lambda value, name: value.remove_group(name)),
}

GROUPS: dict[str, tuple[SearchStrategy[Any], Perform]] = {
    "name": (st.tuples(names), with_group(lambda _, group: group.name())),
    "last_id": (st.tuples(names), with_group(lambda _, group: group.last_id())),
    "entries_read": (st.tuples(names), with_group(lambda _, group: group.entries_read())),
    "set_position": (
        st.tuples(names, numbers),
        with_group(lambda _, group, number: group.set_position(id_of(number), number - 1)),
    ),
    "pending_count": (st.tuples(names), with_group(lambda _, group: group.pending_count())),
    "pending": (
        st.tuples(names, numbers),
        with_group(lambda value, group, number: pending_facts(group.pending(an_id(value, number)))),
    ),
    "set_pending": (st.tuples(names, numbers, names, numbers), with_group(set_pending)),
    "remove_pending": (
        st.tuples(names, numbers),
        with_group(lambda value, group, number: group.remove_pending(an_id(value, number))),
    ),
    "pending_bounds": (st.tuples(names), with_group(lambda _, group: group.pending_bounds())),
    "pending_range": (
        st.tuples(names, numbers, numbers, counts, names | st.none()),
        with_group(
            lambda _, group, start, stop, limit, consumer: [
                pending_facts(each)
                for each in group.pending_range(id_of(start), id_of(stop), limit, consumer)
            ]
        ),
    ),
    "consumers": (st.tuples(names), with_group(lambda _, group: consumer_facts(group))),
    "consumer": (
        st.tuples(names, names),
        with_group(lambda _, group, name: group.consumer(name) is not None),
    ),
    "set_consumer": (
        st.tuples(names, names, numbers),
        with_group(lambda _, group, name, number: group.set_consumer(name, number, number - 1)),
    ),
    "remove_consumer": (
        st.tuples(names, names),
        with_group(lambda _, group, name: group.remove_consumer(name)),
    ),
}

#: By contract: the kind of value on which the calls are made, and the calls.
CALLS = {
    StringValue: (STRING, STRINGS),
    HashValue: (HASH, HASHES),
    ListValue: (LIST, LISTS),
    SetValue: (SET, SETS),
    ZSetValue: (ZSET, ZSETS),
    StreamValue: (STREAM, STREAMS),
    StreamGroup: (STREAM, GROUPS),
}


@attrs.frozen
class Step:
    """One call of a method of a value."""

    kind: int
    method: str
    arguments: tuple[Any, ...]
    how: Perform = attrs.field(repr=False)

    def perform(self, value: Any) -> object:
        """Make the call; what it answers."""
        return self.how(value, *self.arguments)


def drawn(
    kind: int, method: str, call: tuple[SearchStrategy[Any], Perform]
) -> SearchStrategy[Step]:
    """Steps that call one method."""
    arguments, how = call
    return st.builds(Step, st.just(kind), st.just(method), arguments, st.just(how))


def steps(kind: int) -> SearchStrategy[Step]:
    """Calls of all methods of a kind of values, and now and then many elements at once."""
    every = [
        drawn(kind, method, call)
        for of, calls in CALLS.values()
        if of == kind
        for method, call in calls.items()
    ]
    sizes = st.sampled_from([5, 20, 130, 300]).map(lambda size: (size,))
    return st.one_of(*every, drawn(kind, "fill", (sizes, fill)))
