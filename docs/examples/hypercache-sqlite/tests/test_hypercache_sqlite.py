"""The store and the backend over it keep their contracts; what is ours alone works too."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from hypercache_sqlite import SQLiteBackend, SQLiteKV, SQLiteSettings, SQLiteTools

from hypercache.backend import NO_EXPIRE, Backend, BackendError
from hypercache.backend_tools import unheard
from hypercache.keyspace.ordered import OrderedKV
from hypercache.testing import Check, backend_checks, check_ordered_kv

NewSettings = Callable[[], SQLiteSettings]


@pytest.fixture
def new(tmp_path: Path) -> NewSettings:
    """Settings for a store that is not there yet, again and again."""
    numbers = itertools.count()
    return lambda: SQLiteSettings(str(tmp_path / f"{next(numbers)}.sqlite"), reserve=0)


def test_store(new: NewSettings) -> None:
    def reopen(closed: OrderedKV) -> OrderedKV:
        assert isinstance(closed, SQLiteKV)
        return SQLiteKV(SQLiteSettings(str(closed.path), reserve=0))

    check_ordered_kv(lambda: SQLiteKV(new()), reopen=reopen)


@pytest.mark.parametrize("check", backend_checks(), ids=lambda check: check.name)
def test_backend(new: NewSettings, check: Check) -> None:
    def reopen(closed: Backend) -> Backend:
        assert isinstance(closed, SQLiteBackend)
        assert isinstance(closed.kv, SQLiteKV)
        return SQLiteBackend(SQLiteSettings(str(closed.kv.path), reserve=0))

    check.run(lambda: SQLiteBackend(new()), reopen=reopen, examples=10)


def test_two_servers_do_not_share_a_file(new: NewSettings) -> None:
    settings = new()
    first, second = SQLiteKV(settings), SQLiteKV(settings)
    first.open()
    with pytest.raises(BackendError, match="is in use: stop the other server first"):
        second.open()
    first.close()
    second.open()
    second.close()


def test_little_room_is_told_until_there_is_more(new: NewSettings) -> None:
    kv = SQLiteKV(SQLiteSettings(new().path, reserve=1 << 60))
    kv.open()
    assert "bytes are free on the disk, and 1152921504606846976 have to stay" in kv.refusal
    kv.reserve = 0
    kv.maintain()
    assert kv.refusal == ""
    kv.close()


def test_what_is_committed_goes_from_the_log_into_the_table(new: NewSettings) -> None:
    kv = SQLiteKV(new())
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


def test_failures_of_sqlite_name_the_file(new: NewSettings, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="nowhere/file: unable to open database file"):
        SQLiteKV(SQLiteSettings(str(tmp_path / "nowhere" / "file"))).open()
    (tmp_path / "text").write_text("This is a text, and no database of SQLite. " * 100)
    with pytest.raises(BackendError, match="text: file is not a database"):
        SQLiteKV(SQLiteSettings(str(tmp_path / "text"))).open()


def test_copy_of_a_store_in_use(new: NewSettings, tmp_path: Path) -> None:
    backend = SQLiteBackend(new())
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
