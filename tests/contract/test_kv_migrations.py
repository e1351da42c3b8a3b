"""Stores of earlier formats are migrated when they are opened, whatever interrupts it."""

import pytest
from sortedcontainers import SortedDict

from hypercache import __version__
from hypercache.backend import (
    LIST,
    NO_EXPIRE,
    BackendError,
    BackendFull,
    Database,
    ListValue,
)
from hypercache.keyspace.kv_backend import KVBackend
from hypercache.keyspace.kv_migrations import migrate
from hypercache.keyspace.kv_store import Store
from hypercache.keyspace.layout import META_FORMAT, META_MIGRATION, META_VERSION, Namer
from hypercache.testing import SortedDictKV
from tests.contract.frozen import FIRST, SECOND, frozen, frozen_lines, lines_of
from tests.contract.stores import SALT, FullKV, opened

NOW = 1_700_000_000_000
DATABASES = {"kv_layout_1_lists": 2}


class Killed(BaseException):
    """The process ends here."""


class KilledKV(SortedDictKV):
    """Ends the process at a commit; what was committed before is in ``kept``."""

    def __init__(self, data: dict[bytes, bytes], lives: int) -> None:
        super().__init__(SortedDict(data))
        self.lives = lives
        self.commits = 0
        self.kept = dict(data)
        self.most_written = 0
        self.written = 0

    def put(self, key: bytes, value: bytes) -> None:
        self.written += 1
        super().put(key, value)

    def commit(self) -> None:
        if self.commits == self.lives:
            super().rollback()
            raise Killed
        super().commit()
        self.commits += 1
        self.kept = dict(self.data)
        self.most_written = max(self.most_written, self.written)
        self.written = 0


def elements(database: Database) -> list[bytes]:
    """What the long list holds."""
    entry = database.find(b"list")
    assert entry is not None
    assert isinstance(entry.value, ListValue)
    return entry.value.range(0, entry.value.length())


def expected(count: int) -> list[bytes]:
    """What was written into it."""
    found = [b"v" * 5_000 if number % 3 else b"%d" % number for number in range(count)]
    found.insert(count // 2, b"v" * 5_000)
    return found


def fill_lists(databases: list[Database]) -> None:
    """What the frozen stores with long lists were filled with."""
    for database, count in zip(databases, (90, 40), strict=True):
        list_ = database.create(b"list", LIST).value
        assert isinstance(list_, ListValue)
        for number in range(count):
            list_.push_right(b"v" * 5_000 if number % 3 else b"%d" % number)
        list_.insert(count // 2, b"v" * 5_000)
        short = database.create(b"short list", LIST).value
        assert isinstance(short, ListValue)
        short.push_left(b"element")
        database.put(b"key", b"value", NOW)
    lost = databases[0].create(b"lost", LIST).value
    assert isinstance(lost, ListValue)
    for _ in range(40):
        lost.push_left(b"v" * 5_000)
    databases[0].unlink(b"lost")


def is_of_the_lost(line: str) -> bool:
    """Whether a line is of the object that nobody owns any more: it is not migrated."""
    return line.startswith("6f000000000005")


@pytest.mark.parametrize(("old", "new"), list(zip(FIRST, SECOND, strict=True)))
def test_older_store_becomes_what_this_version_writes(old: str, new: str) -> None:
    kv = frozen(old)
    databases = KVBackend(kv).open(DATABASES.get(old, 1))
    assert lines_of(kv) == frozen_lines(new)
    assert kv.data[META_VERSION] == __version__.encode()
    assert [database.check() for database in databases] == [[]] * len(databases)


def test_long_lists_are_written_as_they_are_migrated() -> None:
    kv = SortedDictKV()
    _, databases = opened(kv)
    fill_lists(databases)
    fresh = [line for line in lines_of(kv) if not is_of_the_lost(line)]
    migrated = [line for line in frozen_lines(SECOND[2]) if not is_of_the_lost(line)]
    assert fresh == migrated
    assert len(migrated) > 174 - 40 + 20


#: Transactions after which a store of 6 records and 133 chunks is not migrated yet, by their size.
DEATHS = {1: 7, 7: 1, 64: 1, 1_000: 0}


@pytest.mark.parametrize("budget", DEATHS)
def test_migration_that_is_killed_goes_on(budget: int) -> None:
    whole = frozen(FIRST[2])
    migrated(whole, budget, [])
    kv = KilledKV(dict(frozen(FIRST[2]).data), lives=1)
    deaths = 0
    while True:
        try:
            migrated(kv, budget, [])
            break
        except Killed:
            deaths += 1
            between = kv.kept[META_FORMAT]
            assert between == b"hypercache kv 1 to 2"
            kv = KilledKV(kv.kept, lives=1)
    assert deaths == DEATHS[budget]
    assert kv.most_written < 2 * 64 + 8
    assert dict(kv.data) == dict(whole.data)
    _, databases = opened(kv)
    assert [elements(database) for database in databases] == [expected(90), expected(40)]
    assert [database.check() for database in databases] == [[], []]


def migrated(kv: SortedDictKV, budget: int, told: list[tuple[str, int, int]]) -> None:
    """Migrate a store in transactions of so many records and chunks."""
    store = Store(kv)
    salt = store.open(2, SALT)
    migrate(store, Namer(salt, kv.max_key_size), lambda *step: told.append(step), budget)
    assert META_MIGRATION not in kv.data


def test_progress_is_told() -> None:
    told: list[tuple[str, int, int]] = []
    migrated(frozen(FIRST[2]), 2, told)
    assert {what for what, _, _ in told} == {"migrating the store to format 2"}
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    assert [done for _, done, _ in told if done in {0, 1, 6}][-1] == 6
    assert all(total == 6 for _, _, total in told)
    told.clear()
    kv = frozen(FIRST[2])
    backend = KVBackend(kv)
    backend.progress = lambda *step: told.append(step)
    backend.open(2)
    assert told == [("migrating the store to format 2", 6, 6)]
    backend = KVBackend(SortedDictKV(kv.data))
    backend.progress = lambda *step: told.append(step)
    backend.open(2)
    assert len(told) == 1


def test_many_records_are_migrated_in_bounded_transactions() -> None:
    kv = SortedDictKV()
    _, (database, other) = opened(kv)
    for number in range(2_500):
        database.put(b"%d" % number, b"value", NO_EXPIRE)
    other.put(b"lost", b"value", NO_EXPIRE)
    other.clear()
    other.put(b"key", b"value", NO_EXPIRE)
    kv.data[META_FORMAT] = b"hypercache kv 1"
    killed = KilledKV(dict(kv.data), lives=3)
    with pytest.raises(Killed):
        KVBackend(killed).open(2)
    again = KilledKV(killed.kept, lives=3)
    databases = KVBackend(again).open(2)
    assert again.commits == 1
    assert [database.size() for database in databases] == [2_500, 1]
    assert [database.check() for database in databases] == [[], []]


@pytest.mark.parametrize("found", [b"hypercache kv 3", b"hypercache kv 2 to 3"])
def test_newer_store_is_refused_and_left_alone(found: bytes) -> None:
    kv = frozen(SECOND[0])
    kv.data[META_FORMAT] = found
    kv.data[META_VERSION] = b"7.5.1"
    before = dict(kv.data)
    with pytest.raises(BackendError) as refused:
        KVBackend(kv).open(1)
    assert str(refused.value) == (
        f"the store has the format 3, HyperCache {__version__} reads formats up to 2:"
        " open it with the version that wrote it (7.5.1), or a later one"
    )
    assert dict(kv.data) == before


def test_unknown_format_is_refused() -> None:
    kv = frozen(SECOND[0])
    kv.data[META_FORMAT] = b"hypercache rows 1"
    with pytest.raises(BackendError, match=r"b'hypercache rows 1', which HyperCache .* not know"):
        KVBackend(kv).open(1)


def test_migration_without_room_goes_on_when_there_is_some() -> None:
    whole = frozen(FIRST[2])
    migrated(whole, 1_000, [])
    kv = FullKV(frozen(FIRST[2]).data)
    before = dict(kv.data)
    for room in range(20):
        kv.room = room
        with pytest.raises(BackendFull):
            KVBackend(kv).open(2)
        assert dict(kv.data) == before
    kv.room = 10**9
    KVBackend(kv).open(2)
    assert dict(kv.data) == dict(whole.data)
