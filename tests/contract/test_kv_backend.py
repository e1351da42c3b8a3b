"""`KVBackend` beyond the contract: what it stores, what it costs, and stores that fail."""

from collections.abc import Callable

import pytest

from hypercache.backend import (
    HASH,
    NO_EXPIRE,
    STRING,
    BackendError,
    BackendFull,
    Database,
    HashValue,
    StringValue,
)
from hypercache.keyspace.kv_backend import KVBackend
from hypercache.testing import SortedDictKV
from tests.contract.frozen import SECOND, frozen_lines, lines_of
from tests.contract.stores import CountingKV, FullKV, opened

NOW = 1_700_000_000_000


def fill(database: Database) -> None:
    """One of each form of value."""
    database.put(b"short", b"value", NOW)
    database.put(b"long", b"v" * 3_000, NO_EXPIRE)
    database.put(b"k" * 600, b"long key", NOW + 1)
    hash_ = hash_of(database, b"hash")
    hash_.set(b"field", b"value")
    hash_.set(b"f" * 600, b"long field")
    text_of(database, b"text").write(5_000, b"text")


def hash_of(database: Database, key: bytes) -> HashValue:
    entry = database.find(key) or database.create(key, HASH)
    assert isinstance(entry.value, HashValue)
    return entry.value


def text_of(database: Database, key: bytes) -> StringValue:
    entry = database.find(key) or database.create(key, STRING)
    assert isinstance(entry.value, StringValue)
    return entry.value


# The layout ----------------------------------------------------------------------------------


def test_layout_is_frozen() -> None:
    """A change here loses people's data."""
    kv = SortedDictKV()
    backend, databases = opened(kv, databases=1)
    backend.begin()
    fill(databases[0])
    for number in range(20):
        hash_of(databases[0], b"dead").set(b"%d" % number, b"v")
    databases[0].unlink(b"dead")
    backend.commit()
    lines = [line for line in lines_of(kv) if not is_of_dead(line)]
    assert lines == frozen_lines(SECOND[0])


def is_of_dead(line: str) -> bool:
    return line.startswith("6f000000000004")


# Costs ---------------------------------------------------------------------------------------


def test_operations_take_the_calls_that_the_documentation_says() -> None:
    kv = CountingKV()
    backend, (database, other) = opened(kv)
    backend.begin()
    database.put(b"key", b"value", NO_EXPIRE)
    hash_ = hash_of(database, b"hash")
    for number in range(1_000):
        hash_.set(b"field %d" % number, b"value")
    backend.commit()
    backend.begin()
    expected: tuple[tuple[Callable[[], object], list[str]], ...] = (
        (lambda: database.find(b"key"), ["get"]),
        (lambda: database.find(b"absent"), ["get"]),
        (lambda: database.find(b"hash"), ["get"]),
        (lambda: database.find(b"hash"), []),
        (lambda: database.put(b"key", b"another", NO_EXPIRE), ["exchange"]),
        (lambda: database.put(b"new", b"value", NO_EXPIRE), ["exchange"]),
        (lambda: hash_of(database, b"hash").set(b"field 1", b"other"), ["exchange"]),
        (lambda: hash_of(database, b"hash").set(b"new", b"value"), ["exchange"]),
        (lambda: database.expire(b"key", NOW), ["get", "put", "put"]),
        (lambda: database.move(b"hash", other, b"moved"), ["get", "delete", "put"]),
        (lambda: other.unlink(b"moved"), ["get", "delete", "put"]),
        (lambda: database.clear(), ["put"]),
        (lambda: database.scan(0, 10), ["range"]),
    )
    for call, calls in expected:
        kv.calls.clear()
        call()
        assert kv.calls == calls
    kv.calls.clear()
    backend.commit()
    assert kv.calls == ["put"] * 3  # two databases' counters, and the numbers
    backend.begin()
    database.find(b"key")
    kv.calls.clear()
    backend.commit()
    assert kv.calls == []


def test_record_of_a_value_is_written_once_a_unit() -> None:
    kv = CountingKV()
    backend, (database, _) = opened(kv)
    hash_of(database, b"hash")
    backend.begin()
    for number in range(10):
        hash_of(database, b"hash").set(b"%d" % number, b"value")
    assert database.check() == []
    kv.calls.clear()
    for number in range(10, 500):
        hash_of(database, b"hash").set(b"%d" % number, b"value")
    assert kv.calls == ["exchange"] * 490
    kv.calls.clear()
    backend.commit()
    assert kv.calls == ["put"] * 2  # the record, the database's counters
    assert hash_of(database, b"hash").length() == 500
    assert database.check() == []


def test_record_that_was_not_written_yet_goes_where_its_key_goes() -> None:
    """Whatever happens to a key in the unit in which its value has changed."""
    endings: tuple[Callable[[Database, Database], object], ...] = (
        lambda one, two: one.move(b"hash", two, b"moved"),
        lambda one, two: one.copy(b"hash", two, b"copy"),
        lambda one, two: one.swap(two),
        lambda one, _: one.clear(),
        lambda one, _: one.unlink(b"hash"),
        lambda one, _: one.put(b"hash", b"value", NO_EXPIRE),
        lambda one, _: one.create(b"hash", HASH),
        lambda one, _: one.expire(b"hash", NOW),
        lambda one, _: one.expire_fields(b"hash", NOW),
    )
    for ending in endings:
        kv = SortedDictKV()
        backend, databases = opened(kv)
        hash_of(databases[0], b"hash").set(b"field", b"value")
        backend.begin()
        for number in range(40):
            hash_of(databases[0], b"hash").set(b"%d" % number, b"value")
        hash_of(databases[0], b"hash").set_deadline(b"field", NOW)
        ending(*databases)
        backend.reclaim(20)
        backend.commit()
        assert [database.check() for database in databases] == [[], []]
        again = KVBackend(SortedDictKV(kv.data)).open(2)
        assert [state_of_hashes(database) for database in again] == [
            state_of_hashes(database) for database in databases
        ]
        for database in databases:
            database.clear()
        while backend.reclaim(10):
            pass
        assert not [key for key in kv.data if not key.startswith(b"m")]


def state_of_hashes(database: Database) -> list[tuple[bytes, object]]:
    """All keys with the fields that they have."""
    found: list[tuple[bytes, object]] = []
    for key in list(database.keys()):
        entry = database.find(key)
        assert entry is not None
        hash_ = entry.value
        content = sorted(hash_.items()) if isinstance(hash_, HashValue) else hash_
        found.append((key, content))
    return found


# Stores that fail ------------------------------------------------------------------------------


def state(databases: list[Database]) -> list[object]:
    """All that can be seen from outside."""
    return [
        (
            sorted(database.keys()),
            database.size(),
            database.volatile(),
            database.memory(),
            database.due(NOW + 10, 100),
            sorted(hash_of(database, b"hash").items()),
            text_of(database, b"text").read(0, 10_000),
            database.check(),
        )
        for database in databases
    ]


def change(databases: list[Database]) -> None:
    """Many kinds of writes; 40 of them or more."""
    first, second = databases
    fill(second)
    hash_of(first, b"hash").set(b"another", b"v" * 100)
    text_of(first, b"text").write(0, b"t" * 9_000)
    first.expire(b"short", NO_EXPIRE)
    first.expire(b"hash", NOW)
    first.move(b"hash", second, b"moved")
    second.copy(b"moved", first, b"hash")
    first.put(b"short", b"v" * 5_000, NOW)
    second.clear()
    fill(second)
    first.unlink(b"long")


@pytest.mark.parametrize("room", range(36))
def test_full_store_undoes_the_unit(room: int) -> None:
    kv = FullKV()
    backend, databases = opened(kv)
    backend.begin()
    for database in databases:
        fill(database)
    backend.commit()
    before = state(databases)
    backend.begin()
    kv.room = room
    with pytest.raises(BackendFull, match="no room left"):
        change(databases)
    kv.room = 10**9
    with pytest.raises(BackendError, match=r"the unit has failed .* no room left"):
        databases[0].put(b"later", b"value", NO_EXPIRE)
    with pytest.raises(BackendError, match=r"the unit has failed .* no room left"):
        backend.commit()
    backend.rollback()
    assert state(databases) == before
    kv.room = 10**9
    backend.begin()
    change(databases)
    backend.commit()
    while backend.reclaim(10):
        pass
    assert [database.check() for database in databases] == [[], []]


@pytest.mark.parametrize("room", range(3))
def test_operation_outside_a_unit_is_all_or_nothing(room: int) -> None:
    kv = FullKV()
    backend, databases = opened(kv)
    for database in databases:
        fill(database)
    before = state(databases)
    calls = (
        lambda: databases[0].put(b"new", b"v" * 3_000, NOW),
        lambda: hash_of(databases[0], b"hash").set(b"new", b"value"),
        lambda: text_of(databases[0], b"text").write(0, b"t" * 9_000),
        lambda: databases[0].expire(b"short", NOW + 5),
        lambda: databases[0].copy(b"hash", databases[1], b"copy"),
        lambda: databases[0].clear(),
    )
    for call in calls:
        kv.room = room
        with pytest.raises(BackendFull):
            call()
        kv.room = 10**9
        assert state(databases) == before
    assert backend.statistics() == {"lazyfree_pending_objects": 0}


def test_failing_commit_ends_and_undoes_the_unit() -> None:
    kv = FullKV()
    backend, databases = opened(kv)
    for database in databases:
        fill(database)
    before = state(databases)
    backend.begin()
    change(databases)
    kv.commit_fails = True
    with pytest.raises(BackendFull):
        backend.commit()
    kv.commit_fails = False
    backend.rollback()
    assert state(databases) == before
    backend.begin()
    change(databases)
    kv.room = 1  # enough for a part of the counters
    with pytest.raises(BackendFull):
        backend.commit()
    kv.room = 10**9
    backend.rollback()
    assert state(databases) == before
    with pytest.raises(BackendError, match="no unit is open"):
        backend.rollback()
    backend.begin()
    change(databases)
    backend.rollback()
    assert state(databases) == before


# Misuse ----------------------------------------------------------------------------------------


def test_units_do_not_nest() -> None:
    backend, _ = opened(SortedDictKV())
    backend.begin()
    with pytest.raises(BackendError, match="a unit is open already"):
        backend.begin()
    backend.commit()
    with pytest.raises(BackendError, match="no unit is open"):
        backend.commit()


def test_value_is_not_used_after_its_time() -> None:
    backend, (database, other) = opened(SortedDictKV())
    backend.begin()
    hash_ = hash_of(database, b"hash")
    database.unlink(b"hash")
    with pytest.raises(BackendError, match="used after its key was replaced or removed"):
        hash_.set(b"field", b"value")
    hash_ = hash_of(database, b"hash")
    text = text_of(other, b"text")
    backend.commit()
    with pytest.raises(BackendError, match="or its unit was over"):
        hash_.length()
    with pytest.raises(BackendError, match="or its unit was over"):
        text.read(0, 1)


def test_kinds_of_later_versions_are_refused() -> None:
    _, (database, _) = opened(SortedDictKV())
    with pytest.raises(BackendError, match="does not know values of kind 6"):
        database.create(b"key", 6)


def test_absent_key_has_no_deadline_to_set() -> None:
    _, (database, _) = opened(SortedDictKV())
    with pytest.raises(BackendError, match="no such key: b'absent'"):
        database.expire(b"absent", NOW)


# Opening -----------------------------------------------------------------------------------------


def test_store_of_something_else_is_refused() -> None:
    kv = SortedDictKV()
    kv.begin()
    kv.put(b"somebody's", b"data")
    kv.commit()
    with pytest.raises(BackendError, match="HyperCache did not write them"):
        opened(kv)
    assert dict(kv.data) == {b"somebody's": b"data"}


def test_record_of_a_later_version_is_refused() -> None:
    kv = SortedDictKV()
    _, (database, _) = opened(kv)
    database.create(b"key", HASH)
    place = next(key for key in kv.data if key.startswith(b"k"))
    kv.data[place] = b"\x3e" + kv.data[place][1:]
    _, (database, _) = opened(kv)
    with pytest.raises(BackendError, match="the form 62, which this version does not know"):
        database.find(b"key")


def test_fewer_databases_than_hold_keys_are_refused() -> None:
    kv = SortedDictKV()
    _, databases = opened(kv, databases=16)
    databases[11].put(b"key", b"value", NO_EXPIRE)
    with pytest.raises(BackendError, match="database 11 holds 1 keys, but only 4 databases"):
        opened(kv, databases=4)
    _, databases = opened(kv, databases=12)
    assert databases[11].size() == 1
    _, databases = opened(kv, databases=20)
    assert [database.size() for database in databases] == [0] * 11 + [1] + [0] * 8


def test_store_with_too_short_keys_is_refused() -> None:
    with pytest.raises(BackendError, match="can have 63 bytes; HyperCache needs 64"):
        opened(SortedDictKV(max_key_size=63))


def test_existing_store_keeps_its_salt() -> None:
    kv = SortedDictKV()
    _, (database, _) = opened(kv)
    for number in range(100):
        database.put(b"%d" % number, b"v", NO_EXPIRE)
    order = list(database.keys())
    for salt in (None, b"another!"):
        again = KVBackend(SortedDictKV(kv.data), salt=salt).open(2)[0]
        assert list(again.keys()) == order


def test_random_salt_makes_another_order() -> None:
    orders = []
    for _ in range(2):
        database = KVBackend(SortedDictKV()).open(1)[0]
        for number in range(30):
            database.put(b"%d" % number, b"v", NO_EXPIRE)
        orders.append(list(database.keys()))
    assert orders[0] != orders[1]


def test_check_sees_what_is_damaged() -> None:
    kv = SortedDictKV()
    backend, (database, other) = opened(kv)
    fill(database)
    assert backend.statistics() == {"lazyfree_pending_objects": 0}
    for prefix in (b"k", b"x", b"o"):
        for key in [key for key in kv.data if key.startswith(prefix)]:
            saved = kv.data.pop(key)
            assert database.check() != []
            assert other.check() == []
            kv.data[key] = saved
    assert database.check() == []
    kv.data[b"o\x00\x00\x00\x00\x00\xff lost"] = b""
    assert database.check() == ["object 255 belongs to no key"]
