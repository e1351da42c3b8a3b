"""The steps of `value_calls` on streams and on their consumer groups."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from hypercache.backend import StreamGroup, StreamValue
from hypercache.streams import MAX_ID, MIN_ID, Pending
from tests.contract.value_arguments import NOW, Perform, counts, elements, values

numbers = st.integers(0, 12)
NAMES = (b"one", b"n" * 60)
names = st.sampled_from(NAMES)


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


def pending_id(value: StreamValue, group: StreamGroup, number: int) -> bytes:
    """The id of a pending entry if there are any, or that of another."""
    found = group.pending_range(MIN_ID, MAX_ID, number + 1, None)
    return found[-1].id if found else an_id(value, number)


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


def with_group(perform: Perform) -> Perform:
    """A step on a group of a stream, made where there is none."""

    def on_stream(value: StreamValue, name: bytes, *arguments: object) -> object:
        group = value.group(name) or value.create_group(name, MIN_ID, 0)
        return perform(value, group, *arguments)

    return on_stream


def set_pending(
    value: StreamValue, group: StreamGroup, number: int, name: bytes, count: int
) -> None:
    """Deliver an entry to a consumer, made where there is none."""
    if group.consumer(name) is None:
        group.set_consumer(name, NOW, NOW)
    entry_id = an_id(value, number) if count % 2 else pending_id(value, group, number)
    group.set_pending(Pending(entry_id, name, NOW + count, count))


def delivered(value: StreamValue, entry_id: bytes, number: int) -> None:
    """Deliver an entry to the one or the other consumer of a group."""
    group = value.group(NAMES[0]) or value.create_group(NAMES[0], MIN_ID, 0)
    name = NAMES[number % 2]
    if group.consumer(name) is None:
        group.set_consumer(name, NOW, NOW)
    group.set_pending(Pending(entry_id, name, NOW, number))


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
    "remove_first": (st.tuples(st.integers(0, 20)), removed_first),
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
        with_group(
            lambda value, group, number: group.remove_pending(pending_id(value, group, number))
        ),
    ),
    "pending_bounds": (st.tuples(names), with_group(lambda _, group: group.pending_bounds())),
    "pending_range": (
        st.tuples(names, numbers, numbers, counts, names | st.none()),
        with_group(
            lambda _, group, start, stop, limit, consumer: [
                pending_facts(each)
                for each in group.pending_range(id_of(start), id_of(9 * stop), limit, consumer)
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
