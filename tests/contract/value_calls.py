"""Every method of every typed value, with arguments to call it with, as steps that can be compared.

A step is performed on a value of any backend and answers something that is equal wherever the
contract leaves no choice. Arguments that a value's present state does not allow are bent until
it does: positions are taken modulo the length, ids follow the last one.
"""

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
from hypercache.streams import MAX_ID, MIN_ID
from tests.contract.stream_calls import GROUPS, STREAMS, appended, delivered, group_facts
from tests.contract.value_arguments import (
    NOW,
    Perform,
    counts,
    deadlines,
    elements,
    picks,
    positions,
    scores,
    values,
)


def position(value: ListValue | ZSetValue, number: int) -> int:
    """A position where a value that is not empty has an element."""
    return number % value.length()


def between(value: ListValue | ZSetValue, start: int, size: int) -> tuple[int, int]:
    """Positions that enclose up to ``size`` elements."""
    start %= value.length() + 1
    return start, min(start + size, value.length())


def a_member(zset: ZSetValue, member: bytes, number: int) -> bytes:
    """A member that is there, if there are any, or as often the given one."""
    if number % 2 or zset.length() == 0:
        return member
    at = position(zset, number)
    return zset.range(at, at + 1)[0][0]


def rank_of_lex(zset: ZSetValue, member: bytes, after: bool) -> int:
    """Any result is good where scores differ, but no failure."""
    rank = zset.rank_of_lex(member, after)
    return rank if len({score for _, score in zset.items()}) < 2 else 0


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
                value.set_deadline(element, NOW + number % 4 if number % 3 == 0 else NO_EXPIRE)
            case ListValue():
                value.push_right(element)
            case SetValue():
                value.add(element)
            case ZSetValue():
                value.set(element, float(number % 7) if count > 200 else 1.0)
            case StreamValue():
                delivered(value, appended(value, 0, [b"f", element]), number)
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
    "remove": (
        st.tuples(elements, positions),
        lambda value, member, at: value.remove(a_member(value, member, at)),
    ),
    "rank": (
        st.tuples(elements, positions),
        lambda value, member, at: value.rank(a_member(value, member, at)),
    ),
    "rank_of_score": (
        st.tuples(scores, st.booleans()),
        lambda value, score, after: value.rank_of_score(score, after),
    ),
    "rank_of_lex": (
        st.tuples(elements, positions, st.booleans()),
        lambda value, member, at, after: rank_of_lex(value, a_member(value, member, at), after),
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
