"""The memory backend's streams against a dict, pending entries against a sorted list."""

from bisect import insort

from hypercache_memory.kinds import is_large, shed
from hypercache_memory.pending import PendingList
from hypercache_memory.streams import MemoryStream
from hypothesis import given, settings
from hypothesis import strategies as st

from hypercache.backend import EncodingLimits
from hypercache.streams import MAX_ID, MIN_ID, Pending

#: Values around the lengths where a length takes more bytes.
FIELDS = st.lists(
    st.one_of(
        st.binary(max_size=3),
        st.sampled_from([b"v" * size for size in (63, 64, 127, 128, 300, 5_000)]),
        st.integers(-(2**70), 2**70).map(lambda number: b"%d" % number),
    ),
    min_size=1,
    max_size=3,
).flatmap(
    lambda values: st.sampled_from([(b"a", b"b", b"c"), (b"a", b"a", b"")]).map(
        lambda names: [word for pair in zip(names, values, strict=False) for word in pair]
    )
)
GAPS = st.sampled_from([1, 1, 1, 2, 1 << 64, 5 << 64, (1 << 64) - 1, 1 << 110, 1 << 124])
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["append"] * 6 + ["remove", "remove", "first", "below", "copy"]),
        GAPS,
        st.lists(st.sampled_from([b"", b"1", b"v" * 90]), min_size=2, max_size=2),
        st.integers(0, 200),
    ),
    max_size=40,
)


def make_id(number: int) -> bytes:
    return number.to_bytes(16, "big")


def fresh(entries: int = 100, size: int = 4096) -> MemoryStream:
    limits = EncodingLimits()
    limits.stream_entries = entries
    limits.stream_bytes = size
    return MemoryStream(limits)


def agree(stream: MemoryStream, model: dict[bytes, list[bytes]], place: int) -> None:
    """Compare everything, and a range that begins and ends anywhere."""
    items = list(model.items())
    assert stream.length() == len(items)
    assert stream.first_id() == (items[0][0] if items else MIN_ID)
    assert stream.range(MIN_ID, MAX_ID, 1 << 40, False) == items
    assert stream.range(MIN_ID, MAX_ID, place, True) == items[::-1][:place]
    if items:
        start, stop = sorted((items[place % len(items)][0], items[place * 7 % len(items)][0]))
        inside = [item for item in items if start <= item[0] <= stop]
        assert stream.range(start, stop, 3, False) == inside[:3]
        assert stream.range(start, stop, 3, True) == inside[::-1][:3]
        assert stream.get(start) == model[start]


@settings(max_examples=20, deadline=None)
@given(
    entries=st.sampled_from([0, 1, 4, 100]),
    size=st.sampled_from([0, 60, 300, 4096]),
    steps=STEPS,
    fields=FIELDS,
)
def test_a_stream_is_a_dict(
    entries: int, size: int, steps: list[tuple[str, int, list[bytes], int]], fields: list[bytes]
) -> None:
    stream = fresh(entries, size)
    model: dict[bytes, list[bytes]] = {}
    last = 0
    for name, gap, words, place in steps:
        ids = list(model)
        if name == "append" and last + gap < 1 << 128:
            last += gap
            model[make_id(last)] = words if place % 2 else fields
            stream.append(make_id(last), model[make_id(last)])
        elif name == "remove" and ids:
            gone = ids[place % len(ids)]
            assert stream.remove(gone)
            assert not stream.remove(gone)
            del model[gone]
        elif name == "first":
            count = place % (len(ids) + 1)
            stream.remove_first(count)
            for gone in ids[:count]:
                del model[gone]
        elif name == "below" and ids:
            lowest = ids[place % len(ids)]
            assert stream.remove_below(lowest) == sum(each < lowest for each in ids)
            model = {each: words for each, words in model.items() if each >= lowest}
        elif name == "copy":
            stream = stream.copy()
        agree(stream, model, place)
    stream.remove_first(stream.length())
    assert stream.nodes() == 0
    assert stream.content == 0


def test_names_are_kept_once() -> None:
    small, large = fresh(), fresh()
    for number in range(1, 2001):
        small.append(make_id(number), [b"n", b"v"])
        large.append(make_id(number), [b"n" * 1000, b"v"])
    assert large.nodes() > 1
    assert large.memory() - small.memory() < 5_000


def test_memory_is_a_small_multiple_of_the_content() -> None:
    stream = fresh()
    for number in range(1, 5_001):
        stream.append(make_id(number << 64), [b"field", b"value:%08d" % number])
    assert stream.memory() < 5_000 * 45


def test_a_large_stream_is_freed_in_slices() -> None:
    stream = fresh(entries=10)
    for number in range(1, 2001):
        stream.append(make_id(number), [b"n", b"v"])
    group = stream.create_group(b"g", MIN_ID, 0)
    group.set_consumer(b"c", 1, 1)
    for number in range(1, 2001):
        group.set_pending(Pending(make_id(number), b"c", 1, 1))
    assert is_large(stream)
    slices = 0
    while shed(stream, 50) >= 50:
        slices += 1
    assert 5 <= slices <= 100
    assert stream.nodes() == 0
    assert stream.groups() == []


def test_an_emptied_stream_with_many_pending_entries_is_large() -> None:
    stream = fresh()
    assert not is_large(stream)
    group = stream.create_group(b"g", MIN_ID, 0)
    group.set_consumer(b"c", 1, 1)
    for number in range(100):
        group.set_pending(Pending(make_id(number), b"c", 1, 1))
    assert is_large(stream)


@settings(max_examples=12, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["put", "remove", "drop"]), st.integers(0, 2000)), max_size=25
    )
)
def test_pending_entries_are_a_sorted_list(steps: list[tuple[str, int]]) -> None:
    entries = PendingList()
    ids: list[int] = []
    for number in range(0, 2000, 2):
        entries.put(Pending(make_id(number), b"c", 0, 0))
        ids.append(number)
    for name, number in steps:
        if name == "put":
            for each in range(number, number + 40):
                old = entries.put(Pending(make_id(each), b"c", each, 1))
                assert (old is None) == (each not in ids)
                if old is None:
                    insort(ids, each)
        elif name == "remove":
            for each in [each for each in ids if number <= each < number + 300]:
                assert entries.remove(make_id(each)) is not None
                assert entries.remove(make_id(each)) is None
                ids.remove(each)
        elif ids:
            assert entries.remove(make_id(ids[0])) is not None
            del ids[0]
        found = entries.range(make_id(number), MAX_ID, 30)
        assert [each.id for each in found] == [make_id(n) for n in ids if n >= number][:30]
        assert entries.count == len(ids)
        assert entries.bounds() == ((make_id(ids[0]), make_id(ids[-1])) if ids else None)
        assert (entries.find(make_id(number)) is not None) == (number in ids)
