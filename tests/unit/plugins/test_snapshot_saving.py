"""When snapshots are made: commands, save rules, FLUSHALL, the server's end; and what fails."""

import errno
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing
from hypercache_snapshot import saver
from hypercache_snapshot.plugin import SnapshotPlugin, SnapshotSettings

from hypercache.config import Settings
from hypercache.config.compound import SavePoint
from hypercache.engine.ending import Ending
from hypercache.keyspace.kv_backend import KVBackend
from hypercache.persistence import saving
from hypercache.persistence.capture import Capture
from hypercache.persistence.errors import SaveError
from hypercache.persistence.file_system import FileSystem
from hypercache.persistence.rdb_writer import RdbEncoder
from hypercache.testing import SortedDictKV
from hypercache.testing.engine import NOTHING, EngineHarness
from hypercache.testing.resp import ReplyError, encode
from tests.support.plugins import LogFile, supervised

pytestmark = pytest.mark.trio

UNDER_WAY = ReplyError("ERR Background save already in progress")
MISCONF = ReplyError(
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to "
    "disk. Commands that may modify the data set are disabled, because this instance is "
    "configured to report errors during writes if RDB snapshotting fails "
    "(stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB "
    "error."
)
RULE = (SavePoint(60, 2),)


class Disk(FileSystem):
    """One that is full while ``full``, and stands still while ``going`` is not set."""

    def __init__(self) -> None:
        self.full = False
        self.going = threading.Event()
        self.going.set()

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        assert self.going.wait(10)
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(descriptor, data)


class Running:
    """An engine with the plugin, its folder and its disk."""

    def __init__(self, folder: Path, settings: Settings, durable: bool) -> None:
        settings.dir = str(folder)
        backend = KVBackend(SortedDictKV())
        backend.durable = durable
        self.harness = EngineHarness(backend, settings=settings)
        self.folder = folder
        self.disk = Disk()
        self.plugin = SnapshotPlugin(SnapshotSettings())
        self.plugin.file_system = self.disk

    def files(self) -> list[str]:
        """The kinds of files that are there."""
        return sorted([path.suffix for path in self.folder.iterdir() if path.suffix != ".log"])

    def field(self, name: str) -> str:
        """A field of INFO persistence."""
        text = self.harness.client().command("INFO", "persistence")
        assert isinstance(text, bytes)
        [line] = [line for line in text.decode().splitlines() if line.startswith(name + ":")]
        return line.partition(":")[2]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let the plugin work until a condition holds."""
        with trio.fail_after(10):
            while not condition():
                await trio.sleep(0.001)

    async def idle(self) -> None:
        """Wait until no snapshot is under way."""
        await self.until(lambda: self.field("rdb_bgsave_in_progress") == "0")

    async def looked(self) -> None:
        """Let the plugin look at the rules, and do what they want."""
        await trio.sleep(0.03)
        await self.idle()


@asynccontextmanager
async def running(
    folder: Path, settings: Settings | None = None, *, durable: bool = False
) -> AsyncIterator[Running]:
    found = Running(folder, settings or Settings(save=()), durable)
    async with supervised(found.harness, {"snapshot": found.plugin}, str(folder)):
        try:
            yield found
        finally:
            found.disk.going.set()


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the rules often, and hand the thread one chunk at a time."""
    monkeypatch.setattr(saver, "PERIOD", 0.005)
    monkeypatch.setattr(saving, "QUEUE", 0)


async def test_save_answers_once_the_file_is_there(tmp_path: Path) -> None:
    async with running(tmp_path) as ours:
        harness = ours.harness
        harness.command("SET", "key", "value")
        harness.advance(5_000)
        assert harness.command("LASTSAVE") == harness.now // 1000 - 5
        ours.disk.going.clear()
        assert harness.command("SAVE") is NOTHING
        other = harness.client()
        assert other.command("GET", "key") == b"value"
        for words in (["SAVE"], ["BGSAVE"], ["BGSAVE", "SCHEDULE"]):
            assert other.command(*words) == UNDER_WAY
        assert harness.first.replies() == []
        ours.disk.going.set()
        await ours.idle()
        assert harness.first.replies() == ["OK"]
        assert harness.command("LASTSAVE") == harness.now // 1000
        assert ours.files() == [".hcs"]


async def test_bgsave(tmp_path: Path, log: LogFile) -> None:
    async with running(tmp_path) as ours:
        ours.harness.script("SET one 1\nSET two 2")
        assert ours.field("rdb_changes_since_last_save") == "2"
        ours.disk.going.clear()
        assert ours.harness.command("BGSAVE") == "Background saving started"
        assert ours.field("rdb_bgsave_in_progress") == "1"
        await ours.until(lambda: ours.field("snapshot_percent") == "100.0")
        ours.harness.command("SET", "one", "more")
        ours.disk.going.set()
        await ours.idle()
        assert ours.field("rdb_changes_since_last_save") == "1"
        assert ours.field("rdb_last_bgsave_status") == "ok"
        assert ours.field("rdb_saves") == "1"
        assert int(ours.field("snapshot_last_size")) > 100
        ours.harness.command("CONFIG", "RESETSTAT")
        assert ours.field("rdb_saves") == "0"
    [event] = log.events("snapshot_saved")
    assert event["message"] == "Background saving terminated with success"


async def test_bgsave_takes_schedule_only(tmp_path: Path) -> None:
    async with running(tmp_path) as ours:
        for words in (["NOW"], ["SCHEDULE", "SCHEDULE"]):
            reply = ours.harness.command("BGSAVE", *words)
            assert reply == ReplyError("ERR syntax error")
        assert ours.files() == []


async def test_what_stands_in_a_transaction(tmp_path: Path) -> None:
    async with running(tmp_path) as ours:
        ours.harness.command("MULTI")
        refused = ReplyError("ERR Command not allowed inside a transaction")
        assert ours.harness.client().command("MULTI") == "OK"
        assert ours.harness.command("BGSAVE") == "QUEUED"
        assert ours.harness.command("EXEC") == ["Background saving scheduled"]
        await ours.until(lambda: ours.files() == [".hcs"])
        ours.harness.command("MULTI")
        assert ours.harness.command("SAVE") == refused


async def test_another_walk_over_the_keys(tmp_path: Path) -> None:
    """The append-only file is being rewritten: one at a time."""
    async with running(tmp_path) as ours:
        capture = Capture(ours.harness.engine, RdbEncoder())
        assert ours.harness.command("BGSAVE") == ReplyError(
            "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE"
            " SCHEDULE in order to schedule a BGSAVE whenever possible."
        )
        scheduled = ours.harness.command("BGSAVE", "SCHEDULE")
        assert scheduled == "Background saving scheduled"
        assert ours.harness.command("SAVE") is NOTHING
        await trio.sleep(0.03)
        assert ours.files() == []
        capture.close()
        await ours.until(lambda: ours.field("rdb_saves") == "2")
        await ours.idle()
        assert ours.harness.first.replies() == ["OK"]


async def test_rdb_files_instead_of_native_ones(tmp_path: Path) -> None:
    async with running(tmp_path, Settings(save=(), snapshot_format="rdb")) as ours:
        ours.harness.command("SET", "key", "value")
        for _ in range(2):
            ours.harness.command("SAVE")
            await ours.idle()
        assert ours.files() == [".rdb"]
        assert (tmp_path / "dump.rdb").stat().st_mode & 0o777 == 0o600


async def test_as_many_are_kept_as_wanted(tmp_path: Path) -> None:
    async with running(tmp_path, Settings(save=(), snapshot_keep=3)) as ours:
        for _ in range(5):
            ours.harness.advance(1)
            ours.harness.command("SAVE")
            await ours.idle()
        assert ours.files() == [".hcs"] * 3


async def test_the_last_is_kept_where_the_clock_was_set_back(tmp_path: Path, log: LogFile) -> None:
    """Those that are there are named after a time that is still to come."""
    async with running(tmp_path, Settings(save=(), snapshot_keep=2)) as ours:
        for number in range(4):
            if number == 2:
                for path in tmp_path.glob("*.hcs"):
                    later = "dump-2931" + path.name.removeprefix("dump-")[4:]
                    path.rename(tmp_path / later)
            ours.harness.advance(1)
            ours.harness.command("SET", "key", number)
            ours.harness.command("SAVE")
            await ours.idle()
        assert ours.files() == [".hcs"] * 2
    assert len(log.events("snapshot_clock_behind")) == 2
    async with running(tmp_path, Settings(save=())) as ours:
        assert ours.harness.command("GET", "key") == b"3"


async def test_rules(tmp_path: Path) -> None:
    async with running(tmp_path, Settings(save=RULE)) as ours:
        ours.harness.command("SET", "key", "1")
        ours.harness.advance(61_000)
        await ours.looked()
        assert ours.files() == []  # too few changes
        ours.harness.command("SET", "key", "2")
        await ours.until(lambda: ours.files() == [".hcs"])
        await ours.idle()
        ours.harness.script("SET key 3\nSET key 4")
        ours.harness.advance(60_000)
        await ours.looked()
        assert ours.files() == [".hcs"]  # too early
        ours.harness.advance(1_000)
        await ours.until(lambda: ours.files() == [".hcs", ".hcs"])


async def test_writes_are_refused_while_snapshots_fail(tmp_path: Path) -> None:
    async with running(tmp_path, Settings(save=RULE)) as ours:
        harness = ours.harness
        ours.disk.full = True
        harness.command("SET", "key", "1")
        assert harness.command("SAVE") is NOTHING
        await ours.idle()
        assert harness.first.replies() == [ReplyError("ERR")]
        assert ours.field("rdb_last_bgsave_status") == "ok"  # only of those in the background
        harness.command("BGSAVE")
        await ours.idle()
        assert ours.files() == []
        assert "No space left on device" in ours.field("snapshot_last_error")
        assert ours.field("rdb_last_bgsave_status") == "err"
        assert harness.command("SET", "key", "2") == MISCONF
        assert harness.command("PING") == MISCONF
        assert harness.command("GET", "key") == b"1"
        harness.command("CONFIG", "SET", "stop-writes-on-bgsave-error", "no")
        assert harness.command("SET", "key", "3") == "OK"
        harness.command("CONFIG", "SET", "stop-writes-on-bgsave-error", "yes")
        assert harness.command("SET", "key", "4") == MISCONF
        harness.command("CONFIG", "SET", "save", "")
        assert harness.command("SET", "key", "5") == "OK"


async def test_rules_try_again_after_a_failure(tmp_path: Path) -> None:
    async with running(tmp_path, Settings(save=RULE)) as ours:
        ours.disk.full = True
        ours.harness.script("SET one 1\nSET two 2")
        ours.harness.advance(61_000)
        await ours.until(lambda: ours.field("rdb_last_bgsave_status") == "err")
        ours.disk.full = False
        await ours.looked()
        assert ours.files() == []
        ours.harness.advance(6_000)
        await ours.until(lambda: ours.field("rdb_last_bgsave_status") == "ok")
        assert ours.harness.command("SET", "three", "3") == "OK"


async def test_flushall_has_the_file_be_empty(tmp_path: Path) -> None:
    async with running(tmp_path, Settings(save=RULE, snapshot_keep=1)) as ours:
        ours.harness.script("SET one 1\nSET two 2")
        ours.harness.command("SAVE")
        await ours.idle()
        ours.harness.command("FLUSHALL")
        await ours.idle()
        ours.harness.command("DEBUG", "RELOAD")
    async with running(tmp_path) as again:
        assert again.harness.command("DBSIZE") == 0
        assert again.field("recovery_source") == "snapshot"


async def test_flushall_is_answered_once_that_is_saved(tmp_path: Path) -> None:
    """As in Redis, no snapshot is under way behind it; in a transaction nobody waits."""
    async with running(tmp_path, Settings(save=RULE)) as ours:
        client, other = ours.harness.client(), ours.harness.client()
        client.send(encode("SET", "key", "1") + encode("FLUSHALL") + encode("BGSAVE"))
        assert client.replies() == ["OK"]
        assert other.command("PING") == "PONG"
        await ours.idle()
        assert client.replies() == ["OK", "Background saving started"]
        client.send(encode("MULTI") + encode("FLUSHALL") + encode("EXEC"))
        assert client.replies() == ["OK", "QUEUED", ["OK"]]


async def test_flushall_ends_a_snapshot(tmp_path: Path) -> None:
    """Without rules nothing follows; who waits for SAVE gets one of what is there then."""
    async with running(tmp_path) as ours:
        ours.harness.command("SET", "key", "1")
        ours.disk.going.clear()
        ours.harness.command("BGSAVE")
        await ours.until(lambda: ours.files() != [])
        ours.harness.client().command("FLUSHALL")
        await trio.testing.wait_all_tasks_blocked()
        ours.disk.going.set()
        await ours.idle()
        assert ours.files() == []
        assert ours.field("rdb_last_bgsave_status") == "ok"
        ours.disk.going.clear()
        ours.harness.command("SAVE")
        await ours.until(lambda: ours.files() != [])
        ours.harness.client().command("FLUSHALL")
        await trio.testing.wait_all_tasks_blocked()
        ours.disk.going.set()
        await ours.idle()
        assert ours.harness.first.replies() == ["OK"]
        assert ours.files() == [".hcs"]


@pytest.mark.parametrize(
    ("rules", "durable", "save", "files"),
    [
        (RULE, False, None, 1),
        (RULE, False, False, 0),
        ((), False, None, 0),
        ((), False, True, 1),
        (RULE, True, None, 0),
        (RULE, True, True, 1),
    ],
)
async def test_the_end(
    tmp_path: Path, rules: tuple[SavePoint, ...], durable: bool, save: bool | None, files: int
) -> None:
    async with running(tmp_path, Settings(save=rules), durable=durable) as ours:
        ours.harness.command("SET", "key", "1")
        [last_save] = ours.harness.engine.shutdown.saves
        await last_save(Ending(save))
        assert len(ours.files()) == files
    assert ours.harness.engine.shutdown.saves == []


async def test_the_end_ends_what_is_under_way(tmp_path: Path) -> None:
    async with running(tmp_path) as ours:
        ours.disk.going.clear()
        ours.harness.command("SAVE")
        await ours.until(lambda: ours.files() != [])
        [last_save] = ours.harness.engine.shutdown.saves
        async with trio.open_nursery() as nursery:
            nursery.start_soon(last_save, Ending(False))
            await trio.testing.wait_all_tasks_blocked()
            ours.disk.going.set()
        assert ours.files() == []
        assert ours.harness.first.replies() == [ReplyError("ERR")]


async def test_the_end_that_fails(tmp_path: Path) -> None:
    async with running(tmp_path, Settings(save=RULE)) as ours:
        ours.disk.full = True
        [last_save] = ours.harness.engine.shutdown.saves
        with pytest.raises(SaveError, match="No space left on device"):
            await last_save(Ending())
        ours.disk.full = False
        assert ours.harness.command("BGSAVE") == "Background saving started"
        await ours.idle()
        assert ours.files() == [".hcs"]


async def test_rules_of_a_backend_that_keeps_the_data(tmp_path: Path, log: LogFile) -> None:
    async with running(tmp_path, Settings(save=RULE), durable=True) as ours:
        ours.harness.script("SET one 1\nSET two 2")
        ours.harness.advance(61_000)
        await ours.looked()
        assert ours.files() == []
    assert len(log.events("save_rules_ignored")) == 1


async def test_progress_is_logged(
    tmp_path: Path, log: LogFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saver, "PROGRESS_EVERY", 0.01)
    async with running(tmp_path) as ours:
        ours.harness.command("SET", "key", "1")
        ours.disk.going.clear()
        ours.harness.command("BGSAVE")
        await ours.until(lambda: log.events("snapshot_progress") != [])
        ours.disk.going.set()
        await ours.idle()
    assert log.events("snapshot_progress")[0]["of_keys"] == 1


async def test_leftovers_go_at_the_start(tmp_path: Path, log: LogFile) -> None:
    for name in ("dump.rdb.saving", "dump-20261122T120000.000001Z-1.hcs.saving"):
        (tmp_path / name).touch()
    async with running(tmp_path) as ours:
        assert ours.files() == []
    assert len(log.events("leftover_removed")) == 2
