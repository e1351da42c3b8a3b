"""Values of `KVBackend` beyond the contract: what is stored, what it costs, what is damaged."""

from collections import Counter
from itertools import pairwise

import pytest

from hypercache.backend import (
    HASH,
    KIND_NAMES,
    LIST,
    NO_EXPIRE,
    SET,
    STREAM,
    ZSET,
    BackendError,
    BackendFull,
    Database,
)
from hypercache.keyspace.kv_backend import KVBackend
from hypercache.streams import MIN_ID, Pending
from hypercache.testing import SortedDictKV
from tests.contract.costs import FLAT, LOGARITHMIC, add_one, calls, element, made
from tests.contract.frozen import FIRST, SECOND, frozen, frozen_lines, lines_of
from tests.contract.stores import CountingKV, FullKV, opened
from tests.contract.value_calls import content

NOW = 1_700_000_000_000
KINDS = (HASH, LIST, SET, ZSET, STREAM)
#: Too long for a key of the store.
LONG = b"m" * 600


def fill_hash(database: Database) -> None:
    hash_ = made(database, HASH)
    for field in (b"field", b"other", LONG):
        hash_.set(field, b"value")
    hash_.set_deadline(b"field", NOW)
    hash_.set_deadline(LONG, NOW + 1)
    database.expire_fields(b"hash", NOW)


def fill_list(database: Database) -> None:
    list_ = made(database, LIST)
    for each in (b"one", b"", b"v" * 5_000, b"four"):
        list_.push_right(each)
    list_.push_left(b"zero")


def fill_set(database: Database) -> None:
    for member in (b"member", b"17", LONG):
        made(database, SET).add(member)


def fill_zset(database: Database) -> None:
    """With members that have a level of their own in the index (3: two levels)."""
    zset = made(database, ZSET)
    members = (LONG, LONG + b"a", b"1", b"3", b"23", b"50", b"zero")
    scores = (2.0, 2.0, 1.5, -1.5, float("-inf"), 1e300, -0.0)
    for member, score in zip(members, scores, strict=True):
        zset.set(member, score)


def fill_stream(database: Database) -> None:
    stream = made(database, STREAM)
    for number in (1, 2, 3):
        stream.append(number.to_bytes(16, "big"), [b"field", b"%d" % number])
    stream.remove((2).to_bytes(16, "big"))
    group = stream.create_group(b"group", (1).to_bytes(16, "big"), 1)
    stream.create_group(LONG, MIN_ID, -1)
    for name in (b"consumer", LONG):
        group.set_consumer(name, NOW, -1)
    group.set_pending(Pending((1).to_bytes(16, "big"), b"consumer", NOW, 1))
    group.set_pending(Pending((3).to_bytes(16, "big"), LONG, NOW, 2))


def fill(database: Database) -> None:
    """A value of each kind, with one of each thing that is stored of it."""
    for fill_one in (fill_hash, fill_list, fill_set, fill_zset, fill_stream):
        fill_one(database)


def seen(database: Database) -> list[object]:
    """All that the values hold, read anew."""
    return [(content(made(database, kind)), made(database, kind).encoding()) for kind in KINDS]


# The layout ----------------------------------------------------------------------------------


def test_layout_of_values_is_frozen() -> None:
    """A change here loses people's data."""
    kv = SortedDictKV()
    backend, (database,) = opened(kv, databases=1)
    backend.begin()
    fill(database)
    backend.commit()
    assert lines_of(kv) == frozen_lines(SECOND[1])


@pytest.mark.parametrize("name", [FIRST[1], SECOND[1]])
def test_store_of_an_earlier_version_is_read(name: str) -> None:
    (database,) = KVBackend(frozen(name)).open(1)
    assert database.check() == []
    _, (fresh,) = opened(SortedDictKV(), databases=1)
    fill(fresh)
    assert seen(database) == seen(fresh)


@pytest.mark.parametrize("name", [FIRST[0], SECOND[0]])
def test_store_with_each_form_is_read(name: str) -> None:
    (database,) = KVBackend(frozen(name)).open(1)
    assert database.check() == []
    fields = {b"field": b"value", b"f" * 600: b"long field"}
    assert dict(made(database, HASH).items()) == fields


# Costs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_costs_do_not_grow_with_the_value(kind: int) -> None:
    """Calls of the store: the same for few elements and many; or for some, a few more a level."""
    few, many = calls(kind, 100), calls(kind, 4_000)
    for name in FLAT.get(kind, {}):
        assert many[name] <= few[name] <= 20, name
    for name in LOGARITHMIC.get(kind, {}):
        assert many[name] <= few[name] + 18 <= 36, name


@pytest.mark.parametrize("kind", KINDS)
def test_large_values_are_freed_in_slices(kind: int) -> None:
    kv = CountingKV()
    backend, (database, other) = opened(kv)
    empty = set(kv.data)
    for each in KINDS:
        for number in range(300):
            add_one(made(database, each), number)
    made(database, HASH).set_deadline(element(7), NOW)
    database.expire_fields(b"hash", NOW)
    key = KIND_NAMES[kind].encode()
    database.copy(key, other, b"copy")
    assert database.check() == other.check() == []
    backend.begin()
    before = len(kv.data)
    database.unlink(key)
    assert before - 4 <= len(kv.data) <= before + 1
    backend.commit()
    sizes = [len(kv.data)]
    while backend.reclaim(50):
        sizes.append(len(kv.data))
    assert all(more - fewer <= 51 for more, fewer in pairwise(sizes))
    assert len(sizes) > 4 or kind == LIST
    assert database.check() == other.check() == []
    for each in (database, other):
        each.clear()
    while backend.reclaim(50):
        pass
    assert set(kv.data) == empty


def test_copies_share_nothing() -> None:
    _, (database, other) = opened(SortedDictKV())
    fill(database)
    before = seen(database)
    for kind in KINDS:
        key = KIND_NAMES[kind].encode()
        database.copy(key, other, key)
        database.copy(key, database, b"copy")
    assert seen(other) == before
    made(other, HASH).set(b"field", b"changed")
    made(other, LIST).set(0, b"changed")
    made(other, SET).add(b"changed")
    made(other, ZSET).set(b"3", 7.0)
    made(other, STREAM).group(b"group").remove_consumer(LONG)
    assert all(one != two for one, two in zip(seen(other), before, strict=True))
    assert seen(database) == before
    assert database.check() == other.check() == []


# Labels --------------------------------------------------------------------------------------


def test_labels_between_two_neighbours_run_out() -> None:
    """The neighbours make room, on all levels of an index, and nobody changes places."""
    kv = SortedDictKV(max_key_size=64)
    _, (database, _) = opened(kv)
    zset = made(database, ZSET)
    members = [b"L" * 60 + b"%04d" % number for number in range(400)]
    for low, high in zip(members[:200], reversed(members[200:]), strict=True):
        zset.set(low, 1.0)
        zset.set(high, 1.0)
    assert [member for member, _ in zset.range(0, 400)] == members
    assert [zset.rank(member) for member in members] == list(range(400))
    assert [zset.rank_of_lex(member, True) for member in members] == list(range(1, 401))
    list_ = made(database, LIST)
    expected: list[bytes] = []
    for number in range(64 * 40):
        list_.insert(len(expected) // 2, b"%d" % number)
        expected.insert(len(expected) // 2, b"%d" % number)
    assert list_.range(0, len(expected)) == expected
    assert database.check() == []


# Stores that fail, stores that are damaged -------------------------------------------------------


def change(database: Database) -> None:
    """Writes of many kinds to what `fill` made."""
    hash_, list_, set_, zset, stream = (made(database, kind) for kind in KINDS)
    hash_.set(b"field", b"new")
    hash_.remove(LONG)
    list_.insert(2, b"v" * 4_000)
    list_.remove(b"one", 1, False)
    list_.remove_range(1, 3)
    set_.remove(LONG)
    set_.add(b"another")
    zset.set(b"3", 8.0)
    zset.remove_range(0, 2)
    zset.set(b"23", 1.0)
    stream.append((9).to_bytes(16, "big"), [b"field", b"value"])
    stream.remove_first(1)
    group = stream.group(b"group")
    group.set_pending(Pending((3).to_bytes(16, "big"), b"consumer", NOW, 3))
    group.set_position((9).to_bytes(16, "big"), 9)
    group.remove_consumer(LONG)
    stream.remove_group(b"group")


def test_full_store_undoes_the_unit() -> None:
    kv = FullKV()
    backend, (database, _) = opened(kv)
    fill(database)
    before, data = seen(database), dict(kv.data)
    room = 0
    while True:
        backend.begin()
        kv.room = room
        try:
            change(database)
        except BackendFull:
            kv.room = 10**9
            backend.rollback()
            assert dict(kv.data) == data
            room += 1
            continue
        break
    assert room > 25
    kv.room = 10**9
    backend.rollback()
    assert seen(database) == before
    assert database.check() == []


def test_check_sees_what_is_damaged() -> None:
    kv = SortedDictKV()
    _, (database,) = opened(kv, databases=1)
    fill(database)
    index = [key for key in kv.data if key[:7] == b"o" + made(database, ZSET).handle.prefix[1:]]
    damages: list[tuple[bytes, bytes | None]] = [
        (key, other)
        for key, saved in kv.data.items()
        if not key.startswith(b"m")
        for other in (None, saved + b"\x01")
    ]
    damages += [(key, kv.data[key][:-1] + b"\xfe") for key in index]
    assert len(damages) > 100
    for key, other in damages:
        saved = kv.data.pop(key)
        if other is not None:
            kv.data[key] = other
        assert database.check() != [], (key, other)
        kv.data[key] = saved
    assert database.check() == []


def test_group_is_not_used_after_it_was_removed() -> None:
    _, (database, _) = opened(SortedDictKV())
    fill_stream(database)
    group = made(database, STREAM).group(b"group")
    with pytest.raises(BackendError, match="there is no consumer b'nobody'"):
        group.set_pending(Pending(MIN_ID, b"nobody", NOW, 1))
    made(database, STREAM).remove_group(b"group")
    with pytest.raises(BackendError, match="used after it was removed"):
        group.last_id()


def test_hash_that_loses_its_deadlines_takes_no_more_room_than_before() -> None:
    kv = SortedDictKV()
    _, (database, _) = opened(kv)
    hash_ = made(database, HASH)
    hash_.set(b"field", b"value")
    before = dict(kv.data), database.memory()
    hash_.set_deadline(b"field", NOW)
    database.expire_fields(b"hash", NOW)
    assert database.due_fields(NOW, 1) == [b"hash"]
    assert database.memory() > before[1]
    hash_.set_deadline(b"field", NO_EXPIRE)
    database.expire_fields(b"hash", NO_EXPIRE)
    assert (dict(kv.data), database.memory()) == before


def test_names_of_a_small_value_are_equally_likely() -> None:
    _, (database, _) = opened(SortedDictKV())
    members = made(database, SET)
    for number in range(60):
        members.add(b"member %d" % number)
    assert len({members.sample(pick) for pick in range(60)}) == 60
    for number in range(60, 200):
        members.add(b"member %d" % number)
    drawn = Counter(members.sample(pick * (2**62 // 5_000) + pick) for pick in range(5_000))
    assert len(drawn) > 190
    assert max(drawn.values()) < 100


def test_names_are_ordered_where_they_rise_with_the_scores() -> None:
    """Redis leaves such ranges open; its own tests ask for them."""
    _, (database, _) = opened(SortedDictKV())
    zset = made(database, ZSET)
    for number, member in enumerate((b"a", b"b", b"c", LONG)):
        zset.set(member, number)
    bounds = (b"", b"a", b"b", b"bb", LONG, b"z")
    assert [zset.rank_of_lex(bound, False) for bound in bounds] == [0, 0, 1, 2, 3, 4]
    assert [zset.rank_of_lex(bound, True) for bound in bounds] == [0, 1, 2, 2, 4, 4]
