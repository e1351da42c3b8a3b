"""Which snapshot the data come back from at the start, and which of them stay."""

import os
from pathlib import Path

import pytest
import trio
from hypercache_snapshot.recovery import recover
from hypercache_snapshot.retention import Snapshots, time_named

from hypercache.backend import Backend
from hypercache.config import Settings
from hypercache.keyspace.kv_backend import KVBackend
from hypercache.persistence.capture import Capture
from hypercache.persistence.errors import LoadError
from hypercache.persistence.file_system import FileSystem
from hypercache.persistence.rdb_writer import RdbEncoder
from hypercache.persistence.saving import save_now
from hypercache.supervision.host import Host
from hypercache.testing import SortedDictKV
from hypercache.testing.engine import EngineHarness
from tests.support.snapshots import save

FILES = FileSystem()


def snapshots(folder: Path) -> Snapshots:
    return Snapshots(folder, "dump.rdb", FILES)


def saved(harness: EngineHarness, folder: Path) -> Path:
    """A native snapshot under its proper name."""
    engine = harness.engine
    return save(engine, snapshots(folder).path(engine.clock.microseconds(), engine.journal.offset))


def saved_rdb(harness: EngineHarness, folder: Path) -> Path:
    path = folder / "dump.rdb"
    save_now(Capture(harness.engine, RdbEncoder()), path, FILES)
    os.utime(path, (harness.now / 1000, harness.now / 1000))
    return path


def recovered(
    folder: Path, backend: Backend | None = None, settings: Settings | None = None,
    fall_back: bool = False,
) -> EngineHarness:  # fmt: skip
    harness = EngineHarness(backend, settings=settings)
    host = Host(harness.engine, "snapshot", str(folder))
    trio.run(lambda: recover(host, FILES, fall_back=fall_back))
    return harness


@pytest.fixture
def harness() -> EngineHarness:
    return EngineHarness()


def test_names(tmp_path: Path) -> None:
    path = snapshots(tmp_path).path(1_795_348_800_000_001, 42)
    assert path.name == "dump-20261122T120000.000001Z-0000000000000042.hcs"
    assert time_named(path) == 1_795_348_800_000_001
    assert time_named(tmp_path / "x.hcs") == 0
    assert time_named(tmp_path / "dump-20261322T120000.000001Z-0000000000000042.hcs") == 0


def test_retention(harness: EngineHarness, tmp_path: Path) -> None:
    ours = snapshots(tmp_path)
    made = []
    for _ in range(5):
        harness.advance(1)
        made.append(saved(harness, tmp_path))
    others = ("dump.rdb", "dump-1.hcs", "dump.hcs", "dumps-20261122T120000.000001Z-1.hcs",
              made[0].name + ".damaged")  # fmt: skip
    for name in others:
        (tmp_path / name).touch()
    (tmp_path / (made[0].name + ".saving")).touch()
    assert ours.newest_first() == made[::-1]
    assert ours.keep(2) == made[2::-1]
    assert ours.newest_first() == made[:2:-1]
    assert ours.keep(2) == []
    assert ours.remove_leftovers() == [tmp_path / (made[0].name + ".saving")]
    assert len(list(tmp_path.iterdir())) == 2 + len(others)


def test_nothing_to_recover(tmp_path: Path) -> None:
    recovery = recovered(tmp_path).engine.recovery
    assert (recovery.source, recovery.active) == ("", False)


def test_newest_by_the_time_inside(harness: EngineHarness, tmp_path: Path) -> None:
    for number in range(3):
        harness.command("SET", "key", number)
        (saved_rdb if number == 1 else saved)(harness, tmp_path)
        harness.advance(2000)
    newest = snapshots(tmp_path).newest_first()[0]
    found = recovered(tmp_path)
    assert found.command("GET", "key") == b"2"
    recovery = found.engine.recovery
    assert (recovery.source, recovery.path, recovery.active) == ("snapshot", str(newest), False)
    assert recovery.loaded_bytes == recovery.total_bytes == newest.stat().st_size
    assert (recovery.keys_loaded, found.engine.journal.offset) == (1, 3)
    newest.unlink()
    assert recovered(tmp_path).command("GET", "key") == b"1"  # of the RDB file
    (tmp_path / "dump.rdb").unlink()
    # The name is not asked: this one says that it is of the year 2099.
    last = snapshots(tmp_path).newest_first()[0]
    harness.command("SET", "key", "newer")
    saved(harness, tmp_path)
    last.rename(tmp_path / "dump-20990101T000000.000000Z-0000000000000000.hcs")
    assert recovered(tmp_path).command("GET", "key") == b"newer"


def test_one_that_somebody_has_put_there(harness: EngineHarness, tmp_path: Path) -> None:
    harness.command("SET", "key", "old")
    saved(harness, tmp_path)
    harness.advance(1000)
    harness.command("SET", "key", "new")
    save(harness.engine, tmp_path / "dump.hcs")
    assert recovered(tmp_path).command("GET", "key") == b"new"
    assert snapshots(tmp_path).keep(0) != []
    assert [each.name for each in tmp_path.iterdir()] == ["dump.hcs"]


def test_damaged_one_stops_the_start(harness: EngineHarness, tmp_path: Path) -> None:
    harness.command("SET", "old", "value")
    older = saved(harness, tmp_path)
    harness.advance(1000)
    harness.command("RPUSH", "new", *(os.urandom(50) for _ in range(20_000)))
    newest = saved(harness, tmp_path)
    data = bytearray(newest.read_bytes())
    data[-1] ^= 1
    newest.write_bytes(data)
    with pytest.raises(LoadError) as error:
        recovered(tmp_path)
    assert str(error.value).startswith(f"{newest}: damaged at offset ")
    assert f"{older} of 2023-11-14T22:13:20+00:00 is older" in str(error.value)
    found = recovered(tmp_path, fall_back=True)
    assert found.command("KEYS", "*") == [b"old"]
    assert found.engine.recovery.path == str(older)
    assert found.engine.recovery.keys_loaded == 1
    older.unlink()
    with pytest.raises(LoadError, match="There is no older snapshot"):
        recovered(tmp_path, fall_back=True)


def test_unreadable_head_counts_by_its_name(harness: EngineHarness, tmp_path: Path) -> None:
    saved(harness, tmp_path)
    harness.advance(1000)
    newest = saved(harness, tmp_path)
    newest.write_bytes(b"")
    with pytest.raises(LoadError, match="this is no snapshot"):
        recovered(tmp_path)


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "dump.rdb").symlink_to("/proc/self/mem")
    with pytest.raises(LoadError, match="cannot be read: "):
        recovered(tmp_path)


def test_durable_backend_with_data_is_left_alone(harness: EngineHarness, tmp_path: Path) -> None:
    harness.command("SET", "key", "of the file")
    saved(harness, tmp_path)
    backend = KVBackend(SortedDictKV())
    assert recovered(tmp_path, backend).command("GET", "key") == b"of the file"
    other = EngineHarness(KVBackend(SortedDictKV()))
    other.command("SET", "key", "of the backend")
    host = Host(other.engine, "snapshot", str(tmp_path))
    assert trio.run(lambda: recover(host, FILES)) is None
    assert other.command("GET", "key") == b"of the backend"
    assert other.engine.recovery.source == ""


@pytest.mark.parametrize("place", ["appendonlydir/appendonly.aof.manifest", "appendonly.aof"])
def test_append_only_file_goes_first(place: str, harness: EngineHarness, tmp_path: Path) -> None:
    harness.command("SET", "key", "value")
    saved(harness, tmp_path)
    plugins: dict[str, dict[str, object]] = {"snapshot": {}, "aof": {}}

    def keys(appendonly: bool, plugins: dict[str, dict[str, object]]) -> object:
        settings = Settings(appendonly=appendonly, plugins=plugins)
        return recovered(tmp_path, settings=settings).command("DBSIZE")

    assert keys(True, plugins) == 1  # there is none yet
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).touch()
    assert keys(True, plugins) == 0
    assert keys(False, plugins) == 1
    assert keys(True, {"snapshot": {}}) == 1


def test_what_another_plugin_has_recovered_stays(harness: EngineHarness, tmp_path: Path) -> None:
    harness.command("SET", "key", "value")
    saved(harness, tmp_path)
    other = EngineHarness()
    other.engine.recovery.source = "aof"
    host = Host(other.engine, "snapshot", str(tmp_path))
    assert trio.run(lambda: recover(host, FILES)) is None
    assert other.command("DBSIZE") == 0


def test_others_run_while_it_loads(harness: EngineHarness, tmp_path: Path) -> None:
    harness.command("SET", "key", os.urandom(5_000_000))
    saved(harness, tmp_path)
    target = EngineHarness()
    host = Host(target.engine, "snapshot", str(tmp_path))
    seen = []

    async def watch() -> None:
        while not seen or target.engine.recovery.active:
            await trio.lowlevel.checkpoint()
            seen.append(target.engine.recovery.loaded_bytes)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            await recover(host, FILES)

    trio.run(main)
    assert len(set(seen)) >= 2
    assert seen == sorted(seen)
