"""What of a store of LMDB is there again: after crashes, failing syncs, in the frozen format."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import lmdb
import pytest
from hypercache_lmdb import LMDBKV, log

from hypercache.backend import BackendError
from tests.support.folders import copy_sparse
from tests.support.lmdb_stores import MB, State, names, opened_kv, put, state

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
        self.copying = False
        for name in self.CALLS:
            patch.setattr(os, name, self._before(getattr(os, name)))

    def _before(self, call: Callable[..., object]) -> Callable[..., object]:
        def step(*arguments: object) -> object:
            if not self.copying:
                self.copying = True
                path = self.target / str(len(self.taken))
                copy_sparse(self.folder, path)
                self.taken.append((path, self.committed, self.following))
                self.copying = False
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
    opened_kv(folder).close()
    with monkeypatch.context() as patch:
        steps = Steps(folder, tmp_path, patch)
        kv = opened_kv(folder)
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
        kv = opened_kv(path)
        found = state(kv)
        assert found in (committed, following), path.name
        more = put(kv, 1_000, 10)
        kv.close()
        kv = opened_kv(path)
        assert state(kv) == found | more
        segments = [name for name in names(path) if name.startswith("log-")]
        assert len(segments) == 1
        kv.close()


def test_segments_that_nobody_needs_are_removed(tmp_path: Path) -> None:
    kv = opened_kv(tmp_path)
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
    kv = opened_kv(tmp_path)
    assert state(kv) == expected
    assert log.segment_numbers(tmp_path) == [number]
    kv.close()


# Syncing -------------------------------------------------------------------------------------


def failing(descriptor: int) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_log_that_cannot_be_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing pretends that all is well later; what is there can be read."""
    kv = opened_kv(tmp_path, sync="always")
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
    kv = opened_kv(tmp_path)
    assert kv.refusal == ""
    assert state(kv) == expected
    kv.close()


def test_data_that_cannot_be_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log is kept, and the store goes back to the checkpoint that is on the disk."""
    kv = opened_kv(tmp_path)
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
    kv = opened_kv(tmp_path)
    assert kv.statistics()["lmdb_recovered_operations"] == 200
    assert state(kv) == expected
    kv.close()


def test_policy_no_syncs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kv = opened_kv(tmp_path, sync="no")
    expected = put(kv, 0, 10)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", failing)
        kv.sync()
    assert kv.statistics()["lmdb_syncs"] == 0
    assert state(kv) == expected
    kv.close()


# The format ------------------------------------------------------------------------------------


def test_format_is_frozen(tmp_path: Path) -> None:
    """Stores out there are laid out so: a change needs a new version and a way to get there."""
    kv = opened_kv(tmp_path)
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
    kv = opened_kv(tmp_path)
    assert state(kv) == {b"kept": b"value", b"key": b"value"}
    kv.close()
