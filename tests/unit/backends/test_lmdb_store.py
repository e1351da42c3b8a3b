"""`LMDBKV` where things go wrong: full maps and disks, crashes, syncs that fail, old snapshots."""

import errno
import mmap
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import lmdb
import pytest
from hypercache_lmdb import LMDBKV, LMDBSettings, environment, log

from hypercache.backend import BackendError, BackendFull
from tests.support.folders import copy_sparse
from tests.support.lmdb_stores import MB, Clock, names, opened_kv, put, state


@pytest.fixture
def kv(tmp_path: Path) -> Iterator[LMDBKV]:
    store = opened_kv(tmp_path / "store")
    yield store
    store.close()


# The map ---------------------------------------------------------------------------------------


def test_map_grows_while_the_store_is_used(kv: LMDBKV) -> None:
    small = kv.statistics()["lmdb_map_bytes"]
    for number in range(0, 4_000, 100):
        kv.begin()
        assert kv.refusal == ""
        kv.commit()
        put(kv, number, 100, 10_000)
        kv.maintain()
    assert kv.statistics()["lmdb_map_bytes"] >= 2 * small
    assert kv.statistics()["lmdb_tree_bytes"] > small
    assert len(state(kv)) == 4_000


def test_map_that_a_snapshot_keeps_from_growing(kv: LMDBKV) -> None:
    """Writes are refused until it is closed; reads and removals go on."""
    put(kv, 0, 10)
    snapshot = kv.snapshot()
    number = 0
    while not kv.refusal:
        put(kv, number, 100, 10_000)
        number += 100
        kv.maintain()
        kv.begin()
        kv.commit()
    assert "the memory map of" in kv.refusal
    kv.begin()
    assert kv.delete(b"%08d" % 0)
    kv.commit()
    assert kv.get(b"%08d" % 1) is not None
    snapshot.close()
    put(kv, number, 1)  # a checkpoint enlarges the map
    kv.maintain()
    kv.begin()
    assert kv.refusal == ""
    kv.commit()
    assert len(state(kv)) == number


def test_map_that_finds_no_address_space(kv: LMDBKV, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with ``ulimit -v``: writes are refused, and the store goes on."""

    def exhausted(*_: object, **__: object) -> None:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    number = 0
    with monkeypatch.context() as patch:
        patch.setattr(mmap, "mmap", exhausted)
        while not kv.refusal:
            put(kv, number, 100, 10_000)
            number += 100
            kv.maintain()
            kv.begin()
            kv.commit()
    assert "the memory map of" in kv.refusal
    assert len(state(kv)) == number
    kv.maintain()
    kv.begin()
    assert kv.refusal == ""
    kv.commit()


def test_largest_size_is_reached_and_left_again(tmp_path: Path) -> None:
    kv = opened_kv(tmp_path / "store", max_size=40 * MB)
    number = 0
    while not kv.refusal:
        put(kv, number, 100, 10_000)
        number += 100
        kv.maintain()
        kv.begin()
        kv.commit()
    assert "has reached max_size (41943040 bytes): remove keys" in kv.refusal
    assert kv.statistics()["lmdb_file_bytes"] <= 40 * MB
    kv.close()
    kv = opened_kv(tmp_path / "store", max_size=40 * MB)
    kv.begin()
    assert "has reached max_size" in kv.refusal
    kv.commit()
    assert len(state(kv)) == number
    kv.close()
    kv = opened_kv(tmp_path / "store")
    put(kv, number, 100, 10_000)
    assert kv.refusal == ""
    kv.close()


def test_full_disk_refuses_what_grows_and_undoes_it(
    kv: LMDBKV, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = put(kv, 0, 1_000)

    def full(descriptor: int, start: int, length: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full)
        while not kv.refusal:
            expected |= put(kv, len(expected), 1_000)
            kv.begin()
            kv.commit()
        assert "No space left on device" in kv.refusal
        kv.begin()
        with pytest.raises(BackendFull):
            kv.put(b"large", bytes(100 * MB))
        kv.rollback()
        kv.begin()
        kv.delete(b"%08d" % 0)
        kv.put(b"small", b"value")
        kv.rollback()
        assert state(kv) == expected
        kv.begin()
        assert kv.delete(b"%08d" % 0)
        kv.commit()
        del expected[b"%08d" % 0]
        assert state(kv) == expected
    kv.maintain()
    expected |= put(kv, 0, 10)
    kv.begin()
    kv.commit()
    assert kv.refusal == ""
    assert state(kv) == expected


def test_failing_log_undoes_the_transaction(kv: LMDBKV, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = put(kv, 0, 100)

    def full(descriptor: int, parts: list[bytes], at: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwritev", full)
        with pytest.raises(BackendFull, match="log-000000000001: No space left"):
            put(kv, 50, 100)
        assert state(kv) == expected
    expected |= put(kv, 200, 10)
    assert state(kv) == expected
    kv.close()
    kv.open()
    assert state(kv) == expected


def test_rollback_of_changes_in_every_place(kv: LMDBKV) -> None:
    """In what the log has and in what LMDB has."""
    expected = put(kv, 0, 1_000)
    kv.snapshot().close()
    expected |= put(kv, 500, 1_000)
    kv.begin()
    kv.put(b"%08d" % 0, b"other")
    kv.put(b"%08d" % 1_200, b"other")
    kv.put(b"new", bytes(100_000))
    assert kv.delete_range(b"%08d" % 300, b"%08d" % 700, 1_000) == 400
    kv.rollback()
    assert state(kv) == expected
    kv.begin()
    kv.rollback()
    assert state(kv) == expected


# Snapshots -----------------------------------------------------------------------------------


def test_snapshot_keeps_its_pages(kv: LMDBKV) -> None:
    """Also those that many later checkpoints have replaced."""
    expected = put(kv, 0, 1_000)
    snapshot = kv.snapshot()
    for turn in range(20):
        put(kv, 0, 1_000, 100 + turn)
        kv.maintain()
    pinned = kv.statistics()["lmdb_file_bytes"]
    assert dict(snapshot.range(b"", b"\xff", 1 << 20)) == expected
    assert snapshot.get(b"%08d" % 7) == expected[b"%08d" % 7]
    snapshot.close()
    for turn in range(20):
        put(kv, 0, 1_000, 100 + turn)
        kv.maintain()
    assert kv.statistics()["lmdb_file_bytes"] <= pinned + MB


def test_snapshot_is_ended_at_its_age(tmp_path: Path) -> None:
    clock = Clock()
    kv = opened_kv(tmp_path, clock)
    put(kv, 0, 10)
    old = kv.snapshot()
    clock.now += 3_599
    young = kv.snapshot()
    kv.maintain()
    put(kv, 10, 10)
    assert old.get(b"%08d" % 0) is not None
    assert kv.statistics()["lmdb_snapshots"] == 2
    clock.now += 2
    kv.maintain()
    put(kv, 20, 10)
    with pytest.raises(BackendError, match="was closed, or has grown older than snapshot_age"):
        old.get(b"%08d" % 0)
    with pytest.raises(BackendError, match="was closed, or has grown older than snapshot_age"):
        old.range(b"", b"\xff", 10)
    assert len(young.range(b"", b"\xff", 100)) == 10
    old.close()
    old.close()
    assert kv.statistics()["lmdb_snapshots"] == 1
    kv.close()
    with pytest.raises(BackendError, match="was closed"):
        young.get(b"%08d" % 0)


# Opening and closing -------------------------------------------------------------------------


def test_one_owner(kv: LMDBKV, tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(BackendError, match=rf"in use by another process \(PID {os.getpid()}\)"):
            opened_kv(tmp_path / "store")
    put(kv, 0, 10)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def corrupt_log(folder: Path) -> None:
    for number in log.segment_numbers(folder):
        log.segment_path(folder, number).write_bytes(b"?" * 100)


def foreign(folder: Path) -> None:
    for name in names(folder):
        (folder / name).unlink()
    env = lmdb.open(str(folder), map_size=MB)
    with env.begin(write=True) as transaction:
        transaction.put(b"key", b"value")
    env.close()


def newer(folder: Path) -> None:
    env = lmdb.open(str(folder), map_size=MB, max_dbs=1)
    with env.begin(write=True) as transaction:
        transaction.put(environment.FORMAT_KEY, b"hypercache lmdb 2")
    env.close()


def no_data_file(folder: Path) -> None:
    (folder / environment.DATA_FILE).write_bytes(b"?" * 10_000)


def a_folder_for_a_log(folder: Path) -> None:
    for number in log.segment_numbers(folder):
        log.segment_path(folder, number).unlink()
        log.segment_path(folder, number).mkdir()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (corrupt_log, "is no segment 1 of a log"),
        (foreign, "holds an LMDB database that HyperCache did not write: use another path"),
        (newer, "has version 2 of the store's format, and this HyperCache knows version 1: open"),
        (no_data_file, "data.mdb is no data file of LMDB|cannot be opened: .*INVALID"),
        (a_folder_for_a_log, "Is a directory"),
    ],
)
def test_store_that_does_not_open_releases_everything(
    tmp_path: Path, damage: Callable[[Path], None], reason: str
) -> None:
    folder = tmp_path / "store"
    kv = opened_kv(folder)
    put(kv, 0, 10)
    copy_sparse(folder, tmp_path / "killed")
    kv.close()
    folder = tmp_path / "killed"
    damage(folder)
    before = descriptors()
    for _ in range(2):
        kv = LMDBKV(LMDBSettings(path=str(folder)))
        with pytest.raises(BackendError, match=reason):
            kv.open()
        kv.close()
        kv.close()
        assert descriptors() == before
    os.close(environment.own(folder))


def test_closing_in_every_state(tmp_path: Path) -> None:
    LMDBKV(LMDBSettings(path=str(tmp_path / "never opened"))).close()
    assert not (tmp_path / "never opened").exists()
    kv = opened_kv(tmp_path / "store")
    expected = put(kv, 0, 10)
    snapshot = kv.snapshot()
    kv.close()
    kv.close()
    snapshot.close()
    kv.open()
    assert state(kv) == expected
    kv.close()


def test_copy_that_was_broken_off_is_refused(tmp_path: Path) -> None:
    (tmp_path / environment.FRESH_FILE).touch()
    with pytest.raises(BackendError, match="is a copy that was broken off: remove the folder"):
        opened_kv(tmp_path)


# Idle stores -------------------------------------------------------------------------------------


def test_log_of_an_idle_store_is_folded_in(tmp_path: Path) -> None:
    clock = Clock()
    kv = opened_kv(tmp_path / "store", clock)
    put(kv, 0, 10)
    kv.maintain()
    kv.fold_if_idle()
    clock.now += 1.5
    put(kv, 10, 10)
    kv.fold_if_idle()  # written to just now
    clock.now += 1.5
    kv.fold_if_idle()
    assert kv.statistics()["lmdb_checkpoints"] == 0
    clock.now += 1.5
    kv.fold_if_idle()
    figures = kv.statistics()
    assert figures["lmdb_checkpoints"] == 1
    assert figures["lmdb_log_operations"] == 0
    clock.now += 10
    kv.fold_if_idle()
    assert kv.statistics()["lmdb_checkpoints"] == 1
    assert len(state(kv)) == 20
    kv.close()


def test_sync_of_a_checkpoint_confirms_no_later_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is overdue may be made while a worker thread still syncs the one before."""
    kv = opened_kv(tmp_path / "store")
    put(kv, 0, 10)
    kv.snapshot().close()  # makes a checkpoint
    put(kv, 10, 10)
    sync = os.fdatasync

    def overtaken(descriptor: int) -> None:
        monkeypatch.setattr(os, "fdatasync", sync)
        sync(descriptor)
        kv.snapshot().close()

    monkeypatch.setattr(os, "fdatasync", overtaken)
    kv.maintain()
    assert [segment.number for segment in kv.log.unconfirmed] == [2]
    assert log.segment_path(kv.folder, 2).exists()
    kv.maintain()
    assert kv.log.unconfirmed == []
    kv.close()
