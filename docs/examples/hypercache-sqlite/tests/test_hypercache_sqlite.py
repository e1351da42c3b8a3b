"""The store and the backend over it keep their contracts; what is ours alone works too."""

import itertools
import shutil
from pathlib import Path

import pytest
from hypercache_sqlite import SQLiteBackend, SQLiteKV, SQLiteSettings, SQLiteTools

from hypercache.backend import NO_EXPIRE, Backend, BackendError, BackendFull
from hypercache.backend_tools import unheard
from hypercache.keyspace.kv_backend import KVBackend
from hypercache.keyspace.ordered import OrderedKV
from hypercache.testing import Check, FaultyKV, OrderedCheck, backend_checks, ordered_checks


class Stores:
    """Makes stores in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.numbers = itertools.count()

    def settings(self) -> SQLiteSettings:
        """Settings for a store that is not there yet."""
        return SQLiteSettings(str(self.folder / f"{next(self.numbers)}.sqlite"), reserve=0)

    def make(self) -> SQLiteKV:
        """A new store."""
        return SQLiteKV(self.settings())

    def reopen(self, closed: OrderedKV) -> SQLiteKV:
        """Another one over the file of one that was closed."""
        assert isinstance(closed, SQLiteKV)
        return SQLiteKV(SQLiteSettings(str(closed.path), reserve=0))

    def crash(self, killed: OrderedKV) -> SQLiteKV:
        """Another one with the files of one that was not closed."""
        assert isinstance(killed, SQLiteKV)
        copy = self.make()
        shutil.copy(killed.path, copy.path)
        shutil.copy(f"{killed.path}-wal", f"{copy.path}-wal")
        return copy


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    return Stores(tmp_path)


@pytest.mark.parametrize("check", ordered_checks(), ids=lambda check: check.name)
def test_store(stores: Stores, check: OrderedCheck) -> None:
    check.run(stores.make, reopen=stores.reopen, crash=stores.crash)


def backend_over(kv: OrderedKV) -> SQLiteBackend:
    """A backend with the settings of a store."""
    assert isinstance(kv, SQLiteKV)
    return SQLiteBackend(SQLiteSettings(str(kv.path), reserve=0))


def kv_of(backend: Backend) -> OrderedKV:
    """The store of a backend."""
    assert isinstance(backend, KVBackend)
    return backend.kv


@pytest.mark.parametrize("check", backend_checks(), ids=lambda check: check.name)
def test_backend(stores: Stores, check: Check) -> None:
    check.run(
        lambda: SQLiteBackend(stores.settings()),
        reopen=lambda closed: backend_over(stores.reopen(kv_of(closed))),
        crash=lambda killed: backend_over(stores.crash(kv_of(killed))),
        faulty=lambda plan: KVBackend(FaultyKV(stores.make(), plan)),
        examples=5,
    )


def test_two_servers_do_not_share_a_file(stores: Stores) -> None:
    settings = stores.settings()
    first, second = SQLiteKV(settings), SQLiteKV(settings)
    first.open()
    with pytest.raises(BackendError, match="is in use: stop the other server first"):
        second.open()
    first.close()
    second.open()
    second.close()


def test_little_room_is_told_until_there_is_more(stores: Stores) -> None:
    kv = SQLiteKV(SQLiteSettings(stores.settings().path, reserve=1 << 60))
    kv.open()
    assert "bytes are free on the disk, and 1152921504606846976 have to stay" in kv.refusal
    kv.reserve = 0
    kv.maintain()
    assert kv.refusal == ""
    kv.close()


def test_full_store_can_be_rolled_back_and_read(stores: Stores) -> None:
    kv = stores.make()
    kv.open()
    kv.begin()
    kv.put(b"first", b"value")
    kv.commit()
    kv.execute("PRAGMA max_page_count = 10")
    kv.begin()
    with pytest.raises(BackendFull, match="database or disk is full"):
        kv.put(b"second", b"value" * 100_000)
    kv.rollback()
    assert kv.get(b"first") == b"value"
    assert kv.get(b"second") is None
    kv.close()


def test_what_is_committed_goes_from_the_log_into_the_table(stores: Stores) -> None:
    kv = SQLiteKV(stores.settings())
    kv.open()
    for number in range(3):
        kv.begin()
        kv.put(b"key", b"%d" % number * 100_000)
        kv.commit()
        kv.sync()
    assert kv.path.stat().st_size < 100_000 < kv.statistics()["sqlite_log_bytes"]
    kv.maintain()
    assert kv.path.stat().st_size > 100_000
    kv.close()


def test_failures_of_sqlite_name_the_file(stores: Stores, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="nowhere/file: unable to open database file"):
        SQLiteKV(SQLiteSettings(str(tmp_path / "nowhere" / "file"))).open()
    (tmp_path / "text").write_text("This is a text, and no database of SQLite. " * 100)
    with pytest.raises(BackendError, match="text: file is not a database"):
        SQLiteKV(SQLiteSettings(str(tmp_path / "text"))).open()


def test_copy_of_a_store_in_use(stores: Stores, tmp_path: Path) -> None:
    backend = SQLiteBackend(stores.settings())
    [db] = backend.open(1)
    backend.begin()
    db.put(b"key", b"value", NO_EXPIRE)
    backend.commit()
    assert isinstance(backend.kv, SQLiteKV)
    target = tmp_path / "copy"
    SQLiteTools().copy(backend.kv.path, target, unheard)
    backend.close()
    copied = SQLiteBackend(SQLiteSettings(str(target), reserve=0))
    [db] = copied.open(1)
    entry = db.find(b"key")
    assert entry is not None
    assert entry.value == b"value"
    copied.close()
    with pytest.raises(BackendError, match="unable to open database file"):
        SQLiteTools().copy(tmp_path / "none", target, unheard)
