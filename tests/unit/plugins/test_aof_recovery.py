"""How the data come back from append-only files at the start, and what is tidied up then."""

import re
import shutil
from pathlib import Path

import pytest
import trio
from hypercache_aof.annotations import end_line, opening_line
from hypercache_aof.recovery import Recovered, load_now, recover

from hypercache.config import Settings
from hypercache.keyspace.kv_backend import KVBackend
from hypercache.persistence.errors import LoadError
from hypercache.persistence.file_system import FileSystem
from hypercache.persistence.loader import Loader
from hypercache.supervision.host import Host
from hypercache.testing import SortedDictKV
from hypercache.testing.engine import EngineHarness
from hypercache.testing.resp import encode
from tests.support.aof import FILES, FolderWriter, digest, folder_in
from tests.support.plugins import LogFile

TORN_OFF = Settings(aof_load_truncated=False)


def started(
    path: Path, settings: Settings | None = None, files: FileSystem = FILES
) -> tuple[EngineHarness, Recovered | None]:
    """A server that starts in a folder."""
    harness = EngineHarness(settings=settings)
    host = Host(harness.engine, "aof", str(path))
    return harness, trio.run(recover, host, files)


def refused(path: Path, settings: Settings | None = None) -> str:
    with pytest.raises(LoadError) as caught:
        started(path, settings)
    return str(caught.value)


def written(path: Path, *lines: str, end: bool = True) -> tuple[EngineHarness, FolderWriter]:
    """A server that has executed commands, one a line, and has ended; ``-`` rotates."""
    harness = EngineHarness()
    harness.command("SET", "base", "1", "PX", 1000)
    writer = FolderWriter(harness, folder_in(path))
    for line in lines:
        if line == "-":
            writer.rotate()
        else:
            harness.command(*line.split())
    if end:
        writer.end()
    return harness, writer


def test_everything_comes_back(tmp_path: Path, log: LogFile) -> None:
    before, _ = written(
        tmp_path, "SET a 1", "SELECT 2", "HSET h f v", "-", "MULTI", "DEL x", "SADD s 1 2 3",
        "SPOP s", "EXEC", "SELECT 0", "SWAPDB 0 2",
    )  # fmt: skip
    after, recovered = started(tmp_path)
    assert digest(after.engine) == digest(before.engine)
    assert recovered is not None
    assert recovered.offset == after.engine.journal.offset == before.engine.journal.offset
    folder = folder_in(tmp_path)
    sizes = [folder.path_of(file).stat().st_size for file in recovered.manifest.files()]
    assert (recovered.base_size, recovered.size) == (sizes[0], sum(sizes))
    recovery = after.engine.recovery
    assert (recovery.source, recovery.path) == ("aof", str(folder.path))
    assert recovery.total_bytes == recovery.loaded_bytes == sum(sizes)
    assert (recovery.keys_loaded, recovery.active) == (1, False)
    (event,) = log.events("aof_loaded")
    assert (event["commands"], event["keys"], event["in_order"]) == (5, 1, True)
    assert log.events("aof_tail_cut") == []


def test_keys_expire_after_loading_not_before(tmp_path: Path) -> None:
    """The base's key is past its deadline now, and was not when it got a new one."""
    harness = EngineHarness()
    harness.command("SET", "k", "v", "PX", 1000)
    writer = FolderWriter(harness, folder_in(tmp_path))
    harness.command("PERSIST", "k")
    harness.command("SET", "gone", "v", "PX", 500)
    writer.end()
    after = EngineHarness()
    after.clock.now += 3_600_000_000
    trio.run(recover, Host(after.engine, "aof", str(tmp_path)), FILES)
    assert after.command("GET", "k") == b"v"
    assert after.command("GET", "gone") is None


def test_clients_are_told_loading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tasks run while files are loaded, and see how far it has come."""
    written(tmp_path, *[f"SET key:{number} {number}" for number in range(400)])
    monkeypatch.setattr("hypercache_aof.recovery._STEP", 0)
    harness = EngineHarness()
    seen: list[int] = []

    async def look() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            await recover(Host(harness.engine, "aof", str(tmp_path)), FILES)
            nursery.cancel_scope.cancel()

    async def watch() -> None:
        while True:
            if harness.engine.recovery.active:
                seen.append(int(harness.engine.recovery.loaded_bytes))
            await trio.lowlevel.checkpoint()

    trio.run(look)
    assert len(set(seen)) > 5
    assert seen == sorted(seen)


def test_torn_tail(tmp_path: Path, log: LogFile) -> None:
    before, writer = written(tmp_path, "SET a 1", end=False)
    whole, state = writer.path.stat().st_size, digest(before.engine)
    before.first.send(b"".join(encode("SET", f"k{number}", "x") for number in range(3)))
    data = writer.path.read_bytes()
    writer.path.write_bytes(data[:-5] + bytes(100))
    after, recovered = started(tmp_path)
    assert digest(after.engine) == state
    assert recovered is not None
    assert recovered.tear is not None
    (event,) = log.events("aof_tail_cut")
    assert (event["path"], event["offset"]) == (str(writer.path), whole)
    assert (event["bytes"], event["commands"]) == (len(data) - 5 + 100 - whole, 3)
    assert event["level"] == "warning"
    assert writer.path.read_bytes() == data[:whole] + end_line(recovered.offset, whole)
    again, _ = started(tmp_path)
    assert digest(again.engine) == state
    assert len(log.events("aof_tail_cut")) == 1


def test_torn_tail_that_must_not_be(tmp_path: Path) -> None:
    _, writer = written(tmp_path, "SET a 1", end=False)
    data = writer.path.read_bytes()
    writer.path.write_bytes(data[:-1])
    text = refused(tmp_path, TORN_OFF)
    offset = len(opening_line(0))
    assert text.startswith(f"{writer.path}: ends amid what begins at offset {offset}: ")
    assert f"'hypercache check aof {writer.path.parent} --fix'" in text
    assert writer.path.read_bytes() == data[:-1]


def test_damage(tmp_path: Path) -> None:
    _, writer = written(tmp_path, "SET a 1", "SET b 2")
    data = writer.path.read_bytes()
    writer.path.write_bytes(data.replace(b"a", b"A", 1))
    text = refused(tmp_path)
    assert re.match(rf"{writer.path}: damaged at offset \d+: ", text)
    assert f"'hypercache check aof {writer.path.parent} --fix'" in text


def test_commands_that_cannot_be_repeated(tmp_path: Path) -> None:
    _, writer = written(tmp_path, end=False)
    size = writer.path.stat().st_size
    for words in (("NOSUCH", "x"), ("SET", "k"), ("LPUSH", "base", "x"), ("BLPOP", "k", "0")):
        data = writer.path.read_bytes()[:size]
        writer.path.write_bytes(data + encode("SET", "a", "1") + encode(*words))
        assert f"damaged at offset {size + len(encode('SET', 'a', '1'))}: " in refused(tmp_path)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    _, writer = written(tmp_path, "SET a 1")
    writer.path.unlink()
    assert f"{writer.path} cannot be read: No such file" in refused(tmp_path)


def test_nothing_to_load(tmp_path: Path) -> None:
    assert started(tmp_path)[1] is None
    folder_in(tmp_path).path.mkdir()
    assert started(tmp_path)[1] is None
    written(tmp_path, "SET a 1")
    harness = EngineHarness()
    harness.engine.recovery.source = "snapshot"
    assert trio.run(recover, Host(harness.engine, "aof", str(tmp_path)), FILES) is None
    assert harness.command("DBSIZE") == 0


def test_backends_with_data_of_their_own(tmp_path: Path) -> None:
    written(tmp_path, "SET a 1")
    harness = EngineHarness(KVBackend(SortedDictKV()))
    harness.command("SET", "mine", "1")
    with pytest.raises(LoadError, match="the backend has data of its own"):
        trio.run(recover, Host(harness.engine, "aof", str(tmp_path)), FILES)


def test_backends_on_disk_may_load(tmp_path: Path) -> None:
    before, _ = written(tmp_path, "SET a 1", "RPUSH l 1 2")
    harness = EngineHarness(KVBackend(SortedDictKV()))
    trio.run(recover, Host(harness.engine, "aof", str(tmp_path)), FILES)
    assert digest(harness.engine) == digest(before.engine)


def test_damaged_manifest(tmp_path: Path) -> None:
    written(tmp_path, "SET a 1")
    path = folder_in(tmp_path).manifest_path
    path.write_bytes(path.read_bytes().replace(b"type i", b"type h"))
    text = refused(tmp_path)
    assert text.startswith(f"{path}: damaged at offset 0: its checksum is wrong")
    assert f"'hypercache check aof {path.parent} --fix'" in text


# Several files ----------------------------------------------------------------------------------


def test_a_file_that_was_cut_between_batches(tmp_path: Path) -> None:
    """Only the last one may lack its end."""
    written(tmp_path, "SET a 1", "-", "SET b 2", end=False)
    first = folder_in(tmp_path).path / "appendonly.aof.1.incr.aof"
    data = first.read_bytes()
    first.write_bytes(data[: data.rindex(b"#HC:end")])
    assert f"{first}: damaged at offset " in refused(tmp_path)
    assert "its end is missing" in refused(tmp_path)


def test_what_is_left_of_a_crash(tmp_path: Path, log: LogFile) -> None:
    harness, _ = written(tmp_path, "SET a 1", end=False)
    folder = folder_in(tmp_path)
    gone = [
        "temp-appendonly.aof.manifest",  # a manifest that did not come to be
        "appendonly.aof.2.base.rdb",  # a base that no manifest names
        "appendonly.aof.3.base.rdb.saving",
        "appendonly.aof.2.incr.aof",  # nothing in it but its first line
    ]
    for name in gone:
        (folder.path / name).write_bytes(opening_line(1) if "incr" in name else b"x")
    kept = ["appendonly.aof.9.incr.aof", "appendonly.aof.0.base.rdb", "readme"]
    for name in kept:
        (folder.path / name).write_bytes(opening_line(1) + encode("SET", "b", "2"))
    named = folder.names()
    after, recovered = started(tmp_path)
    assert folder.names() == sorted(set(named) - set(gone))
    assert {event["path"] for event in log.events("aof_leftover_removed")} == {
        str(folder.path / name) for name in gone
    }
    assert {event["path"] for event in log.events("aof_file_unlisted")} == {
        str(folder.path / name) for name in kept[:2]
    }
    assert digest(after.engine) == digest(harness.engine)
    assert recovered is not None
    assert recovered.manifest.new_increment(folder.stem).number == 10


def test_history_is_removed(tmp_path: Path) -> None:
    _, writer = written(tmp_path, "SET a 1", "-", "-")
    folder = folder_in(tmp_path)
    manifest = writer.manifest.copy()
    manifest.new_base(folder.stem)
    manifest.retire(1)
    shutil.copy(folder.path / "appendonly.aof.1.base.rdb", folder.path_of(manifest.files()[0]))
    folder.write(manifest)
    after, recovered = started(tmp_path, Settings(aof_disable_auto_gc=True))
    assert len(folder.names()) == 6
    after, recovered = started(tmp_path)
    assert recovered is not None
    assert folder.names() == [
        "appendonly.aof.2.base.rdb", "appendonly.aof.3.incr.aof", "appendonly.aof.manifest",
    ]  # fmt: skip
    assert folder.read().encode() == recovered.manifest.encode()
    assert after.command("KEYS", "*") == [b"base"]


def test_an_increment_that_the_manifest_lacks(tmp_path: Path, log: LogFile) -> None:
    """It begins where the last one ends: the manifest could not be written any more."""
    harness, writer = written(tmp_path, "SET a 1", "-", "SET b 2", "-", "SET c 3")
    manifest = writer.manifest.copy()
    last = manifest.increments.pop()
    folder_in(tmp_path).write(manifest)
    after, recovered = started(tmp_path)
    assert digest(after.engine) == digest(harness.engine)
    assert recovered is not None
    assert recovered.manifest.increments[-1].name == last.name
    assert [event["file"] for event in log.events("aof_increment_adopted")] == [last.name]
    path = folder_in(tmp_path).path_of(last)
    path.write_bytes(opening_line(5000) + encode("SET", "c", "3"))
    after, recovered = started(tmp_path)
    assert after.command("GET", "c") is None
    assert path.exists()


# Older servers ----------------------------------------------------------------------------------


def stock(path: Path, *files: tuple[str, str, bytes]) -> None:
    """A folder as a stock server writes it: names, kinds and contents."""
    folder = folder_in(path)
    folder.path.mkdir()
    lines = []
    for number, (name, kind, data) in enumerate(files, 1):
        (folder.path / name).write_bytes(data)
        lines.append(f"file {name} seq {number} type {kind}\n")
    folder.manifest_path.write_text("".join(lines), "utf-8")


def select(number: int) -> bytes:
    return encode("SELECT", number)


def test_folder_of_a_stock_server(tmp_path: Path) -> None:
    stock(
        tmp_path,
        ("appendonly.aof.1.base.aof", "b", select(0) + encode("SET", "a", "1")),
        ("appendonly.aof.1.incr.aof", "i", b""),
        ("appendonly.aof.2.incr.aof", "i", select(3) + encode("MULTI") + encode("SET", "b", "2")
         + encode("EXEC")),
        ("appendonly.aof.3.incr.aof", "i", b"#TS:1\r\n" + select(0) + encode("INCR", "a")[:-3]),
    )  # fmt: skip
    harness, recovered = started(tmp_path)
    assert recovered is not None
    assert recovered.tear is not None
    assert harness.command("GET", "a") == b"1"
    harness.command("SELECT", 3)
    assert harness.command("GET", "b") == b"2"
    assert recovered.offset == harness.engine.journal.offset == 2
    # From now on nothing can be cut off any of its files without being noticed.
    folder_in(tmp_path).write(recovered.manifest)
    assert started(tmp_path)[1] is not None
    path = folder_in(tmp_path).path / "appendonly.aof.1.incr.aof"
    path.write_bytes(b"")
    assert f"{path}: damaged at offset 0: its end is missing" in refused(tmp_path)


def test_torn_file_of_a_stock_server_amid_others(tmp_path: Path) -> None:
    stock(
        tmp_path,
        ("appendonly.aof.1.incr.aof", "i", select(0)[:-2]),
        ("appendonly.aof.2.incr.aof", "i", select(0)),
    )
    text = refused(tmp_path)
    assert "appendonly.aof.1.incr.aof: damaged at offset 0: it ends amid what begins" in text


@pytest.mark.parametrize("crashed", [False, True])
def test_single_file_of_redis_6(tmp_path: Path, log: LogFile, crashed: bool) -> None:
    old = tmp_path / "appendonly.aof"
    data = select(0) + encode("SET", "a", "1") + encode("INCR", "a")
    old.write_bytes(data + b"*1\r\n")
    folder = folder_in(tmp_path)
    if crashed:  # after the manifest was written, before the file was moved
        stock(tmp_path, ("appendonly.aof", "b", b""))
        (folder.path / "appendonly.aof").unlink()
    harness, recovered = started(tmp_path)
    assert harness.command("GET", "a") == b"2"
    assert recovered is not None
    assert not old.exists()
    taken = folder.path / "appendonly.aof"
    assert taken.read_bytes() == data + end_line(2, len(data))
    assert folder.read().files()[0].line() == "file appendonly.aof seq 1 type b"
    assert recovered.manifest.new_base(folder.stem).name == "appendonly.aof.2.base.rdb"
    assert [event["path"] for event in log.events("aof_taken_over")] == [str(old)]
    again, _ = started(tmp_path)
    assert again.command("GET", "a") == b"2"


def test_single_file_with_an_rdb_in_front(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    written(other)
    base = folder_in(other).path / "appendonly.aof.1.base.rdb"
    tail = select(0) + encode("SET", "a", "1") + encode("DEL", "base")
    (tmp_path / "appendonly.aof").write_bytes(base.read_bytes() + tail + tail[:-4])
    harness, recovered = started(tmp_path)
    assert harness.command("KEYS", "*") == [b"a"]
    assert recovered is not None
    assert recovered.tear is not None
    # Only the command that is not whole is cut, not the one before it.
    assert recovered.tear.offset == len(base.read_bytes() + tail + tail) - len(
        encode("DEL", "base")
    )


def test_a_single_file_beside_a_folder_is_left_alone(tmp_path: Path) -> None:
    written(tmp_path, "SET a 1")
    (tmp_path / "appendonly.aof").write_bytes(encode("SET", "a", "2"))
    harness, _ = started(tmp_path)
    assert harness.command("GET", "a") == b"1"
    assert (tmp_path / "appendonly.aof").exists()


# DEBUG LOADAOF ----------------------------------------------------------------------------------


def test_loading_in_the_place_of_all_data(tmp_path: Path) -> None:
    harness, writer = written(tmp_path, "SET a 1", end=False)
    state, data = digest(harness.engine), writer.path.read_bytes()
    harness.engine.settlement.remove_sink(writer)
    harness.command("SET", "b", "2")
    load_now(folder_in(tmp_path), Loader(harness.engine), checksum=True)
    assert digest(harness.engine) == state
    assert writer.path.read_bytes() == data
    writer.path.write_bytes(data[:-1])
    with pytest.raises(LoadError, match="ends amid"):
        load_now(folder_in(tmp_path), Loader(harness.engine), checksum=True)
    assert harness.command("DBSIZE") == 0
