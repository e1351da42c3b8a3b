"""Checking, compacting and copying stores of LMDB: at rest, killed, damaged, and broken off."""

import fcntl
import os
import re
from collections.abc import Callable
from pathlib import Path

import lmdb
import pytest
from hypercache_lmdb import LMDBBackend, environment, log
from hypercache_lmdb.reading import reading
from hypercache_lmdb.tools import LMDBTools

from hypercache.backend import BackendError
from hypercache.backend_tools import unheard
from tests.support.folders import copy_sparse
from tests.support.lmdb_stores import Contents, Filled, contents, names

TOOLS = LMDBTools()


def check(path: Path) -> list[str]:
    return TOOLS.check(path, unheard)


def raw(path: Path) -> dict[str, bytes]:
    """The bytes of all files, less those that LMDB's readers write to."""
    return {
        each.name: each.read_bytes().rstrip(b"\x00")
        for each in path.iterdir()
        if each.name != "lock.mdb"
    }


class Killed:
    """A store with keys in LMDB and others in the log only, as a killed server leaves it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "killed"
        store = Filled(folder / "served")
        store.fill(0, 500)
        store.backend.maintain()
        store.fill(500, 300)
        self.contents: Contents = store.contents()
        copy_sparse(folder / "served", self.path)
        store.backend.close()


@pytest.fixture
def killed(tmp_path: Path) -> Killed:
    return Killed(tmp_path)


def changed(path: Path, key: bytes, value: bytes | None) -> None:
    """Change a pair behind the backs of all who keep accounts."""
    env = lmdb.open(str(path), map_size=1 << 25, max_dbs=1)
    with env.begin(write=True, db=env.open_db(environment.DATA)) as transaction:
        if value is None:
            assert transaction.delete(key)
        else:
            transaction.put(key, value)
    env.close()


def test_backend_offers_them() -> None:
    assert LMDBBackend.tools is LMDBTools


# Checking --------------------------------------------------------------------------------------


def test_check_finds_nothing_wrong_and_changes_nothing(killed: Killed, tmp_path: Path) -> None:
    before = raw(killed.path)
    assert check(killed.path) == []
    assert raw(killed.path) == before
    assert contents(killed.path) == killed.contents
    assert check(killed.path) == []
    assert check(tmp_path / "served") == []


def test_check_reports_its_progress(killed: Killed) -> None:
    told: list[tuple[str, int, int]] = []

    def progress(what: str, done: int, total: int) -> None:
        told.append((what, done, total))

    TOOLS.check(killed.path, progress)
    complete = {what for what, done, total in told if done == total}
    assert {"checking database 0", "checking database 1", "looking for orphans"} <= complete
    assert all(0 <= done <= total for _, done, total in told)


def test_check_sees_what_the_log_removes(tmp_path: Path) -> None:
    store = Filled(tmp_path / "store", log_size=1 << 30)
    store.fill(0, 1_000)
    store.backend.kv.snapshot().close()  # a checkpoint
    strings, hashes = store.databases
    store.backend.begin()
    for number in range(0, 1_000, 2):
        assert strings.unlink(b"%d" % number)
    hashes.clear()
    store.backend.commit()
    copy_sparse(tmp_path / "store", tmp_path / "killed")
    store.backend.close()
    assert check(tmp_path / "killed") == []
    assert len(contents(tmp_path / "killed")[0]) == 500


DAMAGE: list[tuple[bytes, bytes | None, str]] = [
    (b"o\x00\x00\x7f\x00\x00\x00field", b"value", "object 2130706432 belongs to no key"),
    (b"f\x00\x00\x7f\x00\x00\x00field", b"8 bytes.", "object 2130706432 belongs to no key"),
    (b"k\x00\x00\x00\x00\x00\x77name..", b"\x01value", "space 119 has b'k'"),
    (b"x\x00\x00\x00\x00\x00\x7712345678name", b"", "space 119 has b'x'"),
    (b"go\x00\x00\x00\x00\x00\x07", b"", "the store counts 0 graves, has 1"),
    (b"go\x00\x00\x00\x00\x00\x07", b"", "object 7 belongs to two keys"),
    (b"go\x00\x00\x7f\x00\x00\x00", b"", "would give the number of object"),
    (b"gs\x00\x00\x7f\x00\x00\x00", b"", "would give the number of space"),
    (b"!", b"", "b'!' is nothing that HyperCache stores"),
    (b"z", b"", "b'z' is nothing that HyperCache stores"),
    (b"h", b"", "b'h' is nothing that HyperCache stores"),
]


@pytest.mark.parametrize(("key", "value", "expected"), DAMAGE)
def test_check_finds_what_belongs_to_nobody(
    tmp_path: Path, key: bytes, value: bytes | None, expected: str
) -> None:
    store = Filled(tmp_path / "store")
    store.fill(0, 800)
    store.backend.close()
    changed(tmp_path / "store", key, value)
    assert any(expected in problem for problem in check(tmp_path / "store"))


@pytest.mark.parametrize("prefix", [b"k", b"o"])
def test_check_finds_what_is_missing(tmp_path: Path, prefix: bytes) -> None:
    path = tmp_path / "store"
    store = Filled(path)
    store.fill(0, 800)
    key = store.backend.kv.range(prefix, prefix + b"\xff", 1)[0][0]
    store.backend.close()
    changed(path, key, None)
    assert any(re.search(r"counts \d+ (keys|fields), has \d+", each) for each in check(path))


def is_well(path: Path) -> bool:
    try:
        return check(path) == []
    except BackendError:  # what the store says about itself cannot be read
        return False


def test_check_finds_damaged_pages(tmp_path: Path) -> None:
    path = tmp_path / "store"
    store = Filled(path)
    store.fill(0, 2_000)
    store.backend.close()
    found = 0
    with (path / environment.DATA_FILE).open("r+b") as file:
        pages = [file.read(4_096) for _ in range(100)]
        for number, page in enumerate(pages[10:60], 10):
            if not page.strip(b"\x00"):
                continue
            file.seek(number * 4_096)
            file.write(page[:16] + bytes(8) + page[24:])
            file.flush()
            found += not is_well(path)
            file.seek(number * 4_096)
            file.write(page)
            file.flush()
    assert found > 10  # others are free
    assert check(path) == []


def present(path: Path) -> Path:
    """The segment that was appended to."""
    with reading(path) as store:
        (first, _) = store.segments  # the other one is prepared
    return log.segment_path(path, first)


def test_check_tells_of_damage_in_the_middle_of_the_log(killed: Killed) -> None:
    last = present(killed.path)
    whole = last.read_bytes()
    last.write_bytes(whole[:60] + b"?" + whole[61:])
    (problem,) = check(killed.path)
    assert re.search(r"log-\d+: the batch of \d+ bytes at 24 is damaged, and whole ones", problem)


def test_check_tells_of_files_that_are_no_log(killed: Killed) -> None:
    last = present(killed.path)
    last.write_bytes(b"?" * 100)
    (problem,) = check(killed.path)
    assert problem.startswith(f"{last} is no segment")


@pytest.mark.parametrize("tool", [check, lambda path: TOOLS.compact(path, unheard)])
def test_folders_that_are_no_store(tmp_path: Path, tool: Callable[[Path], object]) -> None:
    with pytest.raises(BackendError, match=r"holds no store: it has no data.mdb"):
        tool(tmp_path)
    env = lmdb.open(str(tmp_path), map_size=1 << 20)
    with env.begin(write=True) as transaction:
        transaction.put(b"key", b"value")
    env.close()
    with pytest.raises(BackendError, match="that HyperCache did not write: use another path"):
        tool(tmp_path)


def test_store_that_was_never_filled(tmp_path: Path) -> None:
    environment.make_folder(tmp_path / "store")
    env = environment.open_environment(tmp_path / "store", 1 << 20)
    with env.begin(write=True) as transaction:
        transaction.put(environment.FORMAT_KEY, environment.FORMAT)
    env.close()
    assert check(tmp_path / "store") == []
    TOOLS.copy(tmp_path / "store", tmp_path / "copy", unheard)
    assert contents(tmp_path / "copy") == [{}, {}]


# Copying ---------------------------------------------------------------------------------------


def test_copy_has_what_the_store_had(killed: Killed, tmp_path: Path) -> None:
    before = raw(killed.path)
    target = tmp_path / "backups" / "copy"
    TOOLS.copy(killed.path, target, unheard)
    assert raw(killed.path) == before
    (segment,) = names(target) - {environment.DATA_FILE}
    assert segment.startswith("log-")
    assert (target / segment).stat().st_size < 1 << 20  # nothing reserved
    assert (target / environment.DATA_FILE).stat().st_size < 1 << 20  # no hole
    assert {path.stat().st_mode & 0o777 for path in target.iterdir()} == {0o600}
    assert check(target) == []
    assert contents(target) == killed.contents == contents(killed.path)
    assert check(target) == []


def test_copy_of_a_copy(killed: Killed, tmp_path: Path) -> None:
    source = killed.path
    for name in ("first", "second"):
        TOOLS.copy(source, tmp_path / name, unheard)
        source = tmp_path / name
    assert contents(source) == killed.contents


def test_copies_go_to_new_or_empty_folders(killed: Killed, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    TOOLS.copy(killed.path, target, unheard)
    before = raw(target)
    with pytest.raises(BackendError, match="is there already: name a folder that is empty or new"):
        TOOLS.copy(killed.path, target, unheard)
    assert raw(target) == before
    (tmp_path / "file").touch()
    with pytest.raises(BackendError, match="is there already"):
        TOOLS.copy(killed.path, tmp_path / "file", unheard)


class Interrupted(BaseException):
    """Control-C."""


@pytest.mark.parametrize("existed", [False, True])
def test_copy_that_is_broken_off_leaves_nothing(
    killed: Killed, tmp_path: Path, existed: bool
) -> None:
    target = tmp_path / "target"
    if existed:
        target.mkdir()

    def interrupt(what: str, done: int, total: int) -> None:
        assert names(target) > {environment.FRESH_FILE}
        raise Interrupted

    with pytest.raises(Interrupted):
        TOOLS.copy(killed.path, target, interrupt)
    assert target.exists() == existed
    assert not existed or names(target) == set()
    TOOLS.copy(killed.path, target, unheard)  # nothing is locked


def test_copy_that_was_killed_is_no_store(killed: Killed, tmp_path: Path) -> None:
    target = tmp_path / "target"

    def kill(what: str, done: int, total: int) -> None:
        if not (tmp_path / "killed copy").exists():
            copy_sparse(target, tmp_path / "killed copy")

    TOOLS.copy(killed.path, target, kill)
    with pytest.raises(BackendError, match="is a copy that was broken off"):
        Filled(tmp_path / "killed copy")
    with pytest.raises(BackendError, match="holds no store"):
        check(tmp_path / "killed copy")


def test_full_disk_is_told(killed: Killed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(BackendError, match="target: No space left on device"):
            TOOLS.copy(killed.path, tmp_path / "target", unheard)
        with pytest.raises(BackendError, match="killed: No space left on device"):
            TOOLS.compact(killed.path, unheard)
    assert not (tmp_path / "target").exists()
    assert contents(killed.path) == killed.contents


# Compacting ------------------------------------------------------------------------------------


def test_compacting_gives_room_back(tmp_path: Path) -> None:
    path = tmp_path / "store"
    store = Filled(path)
    store.fill(0, 5_000)
    store.backend.begin()
    for number in range(100, 5_000):
        store.databases[0].unlink(b"%d" % number)
    store.databases[1].clear()
    store.backend.commit()
    while store.backend.reclaim(10_000):
        pass
    expected = store.contents()
    store.backend.close()
    before = (path / environment.DATA_FILE).stat().st_blocks * 512
    told: list[str] = []
    TOOLS.compact(path, lambda what, _done, _total: told.append(what))
    after = (path / environment.DATA_FILE).stat().st_blocks * 512
    assert after < 100_000 < before
    assert told[-1] == f"{before:,} bytes on the disk before, {after:,} now"
    assert check(path) == []
    assert contents(path) == expected


def test_compacting_folds_the_log_in(killed: Killed) -> None:
    TOOLS.compact(killed.path, unheard)
    assert environment.FRESH_FILE not in names(killed.path)
    with reading(killed.path) as store:
        (first,) = store.segments
    assert log.replay(killed.path, first, lambda _key, _value: None).batches == 0
    assert check(killed.path) == []
    assert contents(killed.path) == killed.contents


def test_store_goes_on_after_compacting(killed: Killed, tmp_path: Path) -> None:
    """Through checkpoints, crashes and compacting again."""
    for turn in range(3):
        TOOLS.compact(killed.path, unheard)
        store = Filled(killed.path)
        store.fill(1_000 * turn, 700)
        store.backend.maintain()
        store.fill(1_000 * turn + 700, 300)
        expected = store.contents()
        copy_sparse(killed.path, tmp_path / f"again {turn}")
        store.backend.close()
        assert contents(killed.path) == expected
        killed.path = tmp_path / f"again {turn}"
        assert check(killed.path) == []
    assert contents(killed.path) == expected


def test_compacting_that_is_killed_at_any_step(
    killed: Killed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever step is the last one: the store is whole, and what is left over goes."""
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1
        copy_sparse(killed.path, tmp_path / f"step {steps}")

    def progress(what: str, done: int, total: int) -> None:
        step()

    rename, sync_folder = Path.rename, log.sync_folder

    def stepping_rename(path: Path, target: Path) -> Path:
        step()
        renamed = rename(path, target)
        step()
        return renamed

    def stepping_sync(folder: Path) -> None:
        sync_folder(folder)
        step()

    monkeypatch.setattr(Path, "rename", stepping_rename)
    monkeypatch.setattr(log, "sync_folder", stepping_sync)
    TOOLS.compact(killed.path, progress)
    monkeypatch.undo()
    assert steps >= 6
    for number in range(1, steps + 1):
        path = tmp_path / f"step {number}"
        assert contents(path) == killed.contents
        assert environment.FRESH_FILE not in names(path)
        TOOLS.compact(path, unheard)
        assert check(path) == []


def test_stores_in_use_are_not_compacted(tmp_path: Path) -> None:
    store = Filled(tmp_path / "store")
    with pytest.raises(BackendError, match=rf"is in use by another process \(PID {os.getpid()}\)"):
        TOOLS.compact(tmp_path / "store", unheard)
    store.fill(0, 100)
    store.backend.close()
    with (tmp_path / "store" / environment.DATA_FILE).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)  # as those do that read
        with pytest.raises(BackendError, match=r"is being checked, copied or compacted: try again"):
            TOOLS.compact(tmp_path / "store", unheard)


def test_reader_waits_for_compacting(killed: Killed) -> None:
    def read(what: str, done: int, total: int) -> None:
        if what == "copying":
            with pytest.raises(BackendError, match="is being checked, copied or compacted"):
                check(killed.path)

    TOOLS.compact(killed.path, read)
    assert check(killed.path) == []
