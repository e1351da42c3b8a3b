"""Sets of the memory backend: layouts, encodings, memory, scanning."""

import random
import sys

import pytest
from hypercache_memory.sets import MemorySet
from hypothesis import given
from hypothesis import strategies as st

from hypercache.backend import EncodingLimits

# Lengths and bytes that could be taken for the length of a packed member.
MEMBERS = [
    b"",
    b"\x01",
    b"\x01\x01",
    b"\x02\x01\x01",
    b"\x00",
    b"a",
    b"\x01a",
    b"aa",
    b"\x02aa",
    b"x" * 127,
    b"x" * 128,
    b"\x7f" + b"x" * 126,
    *[b"member %d" % number for number in range(40)],
]


def filled(*members: bytes, limits: EncodingLimits | None = None) -> MemorySet:
    value = MemorySet(limits or EncodingLimits())
    for member in members:
        assert value.add(member)
    return value


@given(
    st.lists(
        st.one_of(st.sampled_from(MEMBERS), st.sampled_from(MEMBERS[:9])), min_size=1, max_size=80
    )
)
def test_any_changes(toggled: list[bytes]) -> None:
    value = filled()
    model: set[bytes] = set()
    for number, member in enumerate(toggled, 1):
        assert value.contains(member) == (member in model)
        if member in model:
            assert value.remove(member)
            assert not value.remove(member)
            model.discard(member)
        else:
            assert value.add(member)
            assert not value.add(member)
            model.add(member)
        assert value.length() == len(model)
        assert value.changes == number
    assert sorted(value.members()) == sorted(model)
    if model:
        assert {value.sample(pick) for pick in range(len(model))} == model


@pytest.mark.parametrize("size", [0, 1, 9, 30, 200, 5000])
def test_memory_is_what_was_there_before(size: int) -> None:
    value = filled()
    empty = value.memory()
    for number in range(size):
        value.add(b"member %d" % number)
    full = value.memory()
    content = sum(sys.getsizeof(b"member %d" % number) for number in range(size))
    if size > 100:
        assert content < full - empty < content * 3
    for number in range(size):
        value.remove(b"member %d" % number)
    assert value.memory() <= empty + (0 if size < 30 else 600)


def test_a_small_set_takes_little() -> None:
    value = filled(*[b"member %02d" % number for number in range(10)])
    assert value.memory() < 320


@pytest.mark.parametrize(
    ("members", "encoding"),
    [
        ([b"1", b"2", b"-3", b"0"], "intset"),
        ([b"%d" % (2**63 - 1), b"%d" % -(2**63)], "intset"),
        ([b"%d" % 2**63], "listpack"),
        ([b"%d" % (-(2**63) - 1)], "listpack"),
        ([b"-0"], "listpack"),
        ([b"-"], "listpack"),
        ([b""], "listpack"),
        ([b"01"], "listpack"),
        ([b"+1"], "listpack"),
        ([b"1 "], "listpack"),
        ([b"1", b"a"], "listpack"),
        ([b"1", b"a" * 64], "listpack"),
        ([b"1", b"a" * 65], "hashtable"),
        ([b"a" * 65], "hashtable"),
        ([b"%d" % number for number in range(512)], "intset"),
        ([b"%d" % number for number in range(513)], "hashtable"),
        ([b"%d" % number for number in range(127)] + [b"a"], "listpack"),
        ([b"%d" % number for number in range(128)] + [b"a"], "hashtable"),
        ([b"a%d" % number for number in range(128)], "listpack"),
        ([b"a%d" % number for number in range(129)], "hashtable"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_encoding(members: list[bytes], encoding: str) -> None:
    value = filled(*members)
    assert value.encoding() == encoding
    assert value.copy().encoding() == encoding
    for member in members[1:]:
        value.remove(member)
    assert value.encoding() == encoding


def test_encoding_follows_the_settings_with_the_next_change() -> None:
    limits = EncodingLimits()
    value = filled(b"1", b"2", b"3", limits=limits)
    limits.set_integers = 2
    assert value.encoding() == "intset"
    value.add(b"4")
    assert value.encoding() == "hashtable"
    limits.set_value = 3
    limits.set_integers = 512
    assert filled(b"1234", b"a", limits=limits).encoding() == "hashtable"
    assert filled(b"123", b"a", limits=limits).encoding() == "listpack"


def test_what_is_compact_is_scanned_at_once_and_integers_in_order() -> None:
    integers = filled(*[b"%d" % number for number in range(300, -1, -1)])
    assert integers.scan(0, 1) == (0, [b"%d" % number for number in range(301)])
    assert list(integers.members()) == integers.scan(7, 10)[1]
    words = filled(*[b"a%d" % number for number in range(128)])
    assert words.scan(0, 10) == (0, [b"a%d" % number for number in range(128)])


def test_scan_misses_no_member_that_stays() -> None:
    chance = random.Random(7)
    for count in (1, 3, 50):
        value = filled(*[b"a%d" % number for number in range(400)])
        stays = {b"a%d" % number for number in range(400)}
        seen: set[bytes] = set()
        cursor, steps = -1, 0
        while cursor != 0:
            cursor, found = value.scan(max(cursor, 0), count)
            seen.update(found)
            steps += 1
            gone = value.sample(chance.getrandbits(62))
            value.remove(gone)
            stays.discard(gone)
            value.add(b"new %d" % steps)
        assert stays <= seen
        assert steps <= 400 / count + 1


def test_a_copy_shares_nothing() -> None:
    for size in (5, 500):
        value = filled(*[b"a%d" % number for number in range(size)])
        twin = value.copy()
        assert twin.memory() == value.memory()
        value.remove(b"a1")
        twin.add(b"other")
        assert (value.length(), twin.length()) == (size - 1, size + 1)
        assert twin.contains(b"a1")
        assert not value.contains(b"other")
