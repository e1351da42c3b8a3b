"""`LMDBKV` where things go wrong: full maps and disks, crashes, syncs that fail, old snapshots."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import lmdb
import pytest
from hypercache_lmdb import LMDBKV, LMDBSettings, environment, log

from hypercache.backend import BackendError, BackendFull
from tests.support.lmdb_stores import left_behind, names

MB = 1 << 20
State = dict[bytes, bytes]


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def seconds(self) -> float:
        return self.now


def opened(
    path: Path,
    clock: Clock | None = None,
    *,
    max_size: int = 0,
    sync: Literal["always", "everysec", "no"] = "everysec",
) -> LMDBKV:
    settings = LMDBSettings(
        path=str(path), map_size=MB, log_size=1 << 16, max_size=max_size, sync=sync
    )
    kv = LMDBKV(settings, (clock or Clock()).seconds)
    kv.open()
    return kv


def put(kv: LMDBKV, first: int, count: int, size: int = 100) -> State:
    """Put pairs in a transaction; what was put."""
    pairs = {
        b"%08d" % number: b"%d" % number * (size // 4) for number in range(first, first + count)
    }
    kv.begin()
    for key, value in pairs.items():
        kv.put(key, value)
    kv.commit()
    return pairs


def state(kv: LMDBKV) -> State:
    return dict(kv.range(b"", b"\xff", 1 << 30))


@pytest.fixture
def kv(tmp_path: Path) -> Iterator[LMDBKV]:
    store = opened(tmp_path / "store")
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


def test_largest_size_is_reached_and_left_again(tmp_path: Path) -> None:
    kv = opened(tmp_path / "store", max_size=40 * MB)
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
    kv = opened(tmp_path / "store", max_size=40 * MB)
    kv.begin()
    assert "has reached max_size" in kv.refusal
    kv.commit()
    assert len(state(kv)) == number
    kv.close()
    kv = opened(tmp_path / "store")
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


# Crashes -----------------------------------------------------------------------------------------


class Steps:
    """Keeps a store's folder as it was before each call of the system, and what it may hold."""

    CALLS = ("fsync", "fdatasync", "ftruncate", "posix_fallocate", "pwrite", "pwritev", "unlink")

    def __init__(self, folder: Path, target: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.target = target
        self.committed: State = {}
        self.following: State = {}
        self.taken: list[tuple[Path, State, State]] = []
        for name in self.CALLS:
            patch.setattr(os, name, self._before(getattr(os, name)))

    def _before(self, call: Callable[..., object]) -> Callable[..., object]:
        def step(*arguments: object) -> object:
            path = self.target / str(len(self.taken))
            left_behind(self.folder, path)
            self.taken.append((path, self.committed, self.following))
            return call(*arguments)

        return step

    def put(self, kv: LMDBKV, first: int, count: int) -> None:
        """Commit a transaction that puts pairs and removes one that there was."""
        kv.begin()
        self.following = dict(self.committed)
        for number in range(first, first + count):
            kv.put(b"%08d" % number, b"value" * 40)
            self.following[b"%08d" % number] = b"value" * 40
        gone = next(iter(self.committed), b"absent")
        assert kv.delete(gone) == (self.following.pop(gone, None) is not None)
        kv.commit()
        self.committed = self.following


def test_killed_at_any_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through checkpoints, their confirmation, a torn log and the folding at the end."""
    folder = tmp_path / "store"
    opened(folder).close()
    with monkeypatch.context() as patch:
        steps = Steps(folder, tmp_path, patch)
        kv = opened(folder)
        steps.put(kv, 0, 50)
        kv.maintain()
        steps.put(kv, 50, 50)
        kv.snapshot().close()
        steps.put(kv, 100, 50)
        kv.sync()
        kv.snapshot().close()  # before the last checkpoint was confirmed
        steps.put(kv, 150, 50)
        kv.maintain()
        steps.put(kv, 200, 50)
        kv.close()
    assert len(steps.taken) > 25
    for path, committed, following in steps.taken:
        kv = opened(path)
        found = state(kv)
        assert found in (committed, following), path.name
        more = put(kv, 1_000, 10)
        kv.close()
        kv = opened(path)
        assert state(kv) == found | more
        segments = [name for name in names(path) if name.startswith("log-")]
        assert len(segments) == 1
        kv.close()


def test_segments_that_nobody_needs_are_removed(tmp_path: Path) -> None:
    kv = opened(tmp_path)
    expected = put(kv, 0, 100)
    kv.snapshot().close()
    kv.maintain()
    number = max(log.segment_numbers(tmp_path)) - 1
    kv.close()
    for superfluous in (number - 2, number + 3):
        segment = log.Segment(tmp_path, superfluous, 1)
        segment.create()
        segment.append([log.OPERATION.pack(1, 1), b"x", b"y"], 8)
        segment.close()
    kv = opened(tmp_path)
    assert state(kv) == expected
    assert log.segment_numbers(tmp_path) == [number]
    kv.close()


# Syncing -------------------------------------------------------------------------------------


def failing(descriptor: int) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_log_that_cannot_be_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing pretends that all is well later; what is there can be read."""
    kv = opened(tmp_path, sync="always")
    expected = put(kv, 0, 100)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", failing)
        with pytest.raises(BackendError, match=r"log-0+1 could not be synced \(Input/output error"):
            kv.sync()
    for _ in range(2):
        with pytest.raises(BackendError, match="could not be synced"):
            kv.sync()
        kv.maintain()
        kv.begin()
        assert "see to the disk and restart the server" in kv.refusal
        kv.commit()
    assert state(kv) == expected
    kv.close()
    kv = opened(tmp_path)
    assert kv.refusal == ""
    assert state(kv) == expected
    kv.close()


def test_data_that_cannot_be_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log is kept, and the store goes back to the checkpoint that is on the disk."""
    kv = opened(tmp_path)
    expected = put(kv, 0, 100)
    kv.maintain()
    kv.snapshot().close()
    kv.maintain()
    confirmed = log.segment_numbers(tmp_path)[0]
    expected |= put(kv, 50, 100)
    kv.snapshot().close()
    expected |= put(kv, 100, 100)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", failing)
        with pytest.raises(BackendError, match="Input/output error"):
            kv.maintain()
    kv.maintain()
    kv.begin()
    assert "data.mdb could not be synced" in kv.refusal
    kv.commit()
    assert log.segment_numbers(tmp_path)[0] == confirmed
    assert state(kv) == expected
    kv.close()
    assert log.segment_numbers(tmp_path)[0] == confirmed
    kv = opened(tmp_path)
    assert kv.statistics()["lmdb_recovered_operations"] == 200
    assert state(kv) == expected
    kv.close()


def test_policy_no_syncs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kv = opened(tmp_path, sync="no")
    expected = put(kv, 0, 10)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", failing)
        kv.sync()
    assert kv.statistics()["lmdb_syncs"] == 0
    assert state(kv) == expected
    kv.close()


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
    kv = opened(tmp_path, clock)
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
            opened(tmp_path / "store")
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
    kv = opened(folder)
    put(kv, 0, 10)
    left_behind(folder, tmp_path / "killed")
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
    kv = opened(tmp_path / "store")
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
        opened(tmp_path)


# The format ------------------------------------------------------------------------------------


def test_format_is_frozen(tmp_path: Path) -> None:
    """Stores out there are laid out so: a change needs a new version and a way to get there."""
    kv = opened(tmp_path)
    put(kv, 0, 10)
    kv.close()
    assert names(tmp_path) == {"data.mdb", "lock.mdb", "owner", "log-000000000002"}
    env = lmdb.open(str(tmp_path), readonly=True, max_dbs=1)
    with env.begin() as transaction:
        data = env.open_db(b"data", txn=transaction, create=False)
        said = {bytes(key): bytes(value) for key, value in transaction.cursor() if key != b"data"}
        assert said == {
            b"!format": b"hypercache lmdb 1",
            b"!log": b"\x00\x00\x00\x00\x00\x00\x00\x02",
        }
        assert transaction.stat(data)["entries"] == 10
    env.close()


def test_store_of_format_1_opens(tmp_path: Path) -> None:
    """One that is made here of what the first version wrote, byte for byte."""
    env = lmdb.open(str(tmp_path), map_size=MB, max_dbs=1)
    data = env.open_db(b"data")
    with env.begin(write=True) as transaction:
        transaction.put(b"!format", b"hypercache lmdb 1")
        transaction.put(b"!log", bytes.fromhex("0000000000000003"))
        transaction.put(b"gone", b"old", db=data)
        transaction.put(b"kept", b"value", db=data)
    env.close()
    (tmp_path / "log-000000000003").write_bytes(
        bytes.fromhex(
            "48434c4d4c4f4731 0300000000000000 0700000000000000"
            "1800000000000000 145fbffb 00000000"
            "0300 05000000 6b6579 76616c7565"
            "0400 ffffffff 676f6e65"
        )
    )
    kv = opened(tmp_path)
    assert state(kv) == {b"kept": b"value", b"key": b"value"}
    kv.close()
