"""Batches on their way to the disk: the policies, what fails, and the end."""

import errno
import os
import time
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from hypercache.group_commit import Beginner, begin_nothing
from hypercache.testing.engine import NOTHING
from hypercache.testing.resp import ReplyError, encode
from tests.support.append_only import AppendOnlyServer, Disk, append_only, begin_soon, contents

pytestmark = pytest.mark.trio

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
BROKEN = OSError(errno.EIO, os.strerror(errno.EIO))
NO_SPACE = ReplyError("MISCONF Errors writing to the AOF file: No space left on device")
NO_DISK = ReplyError("MISCONF Errors writing to the AOF file: Input/output error")


@pytest.fixture(params=[begin_nothing, begin_soon], autouse=True)
def begin(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Beginner:
    """Commits that a task begins, and those that the round's end does."""
    beginner: Beginner = request.param
    monkeypatch.setattr(AppendOnlyServer, "begin", staticmethod(beginner))
    return beginner


async def recovered(folder: Path, *keys: str) -> list[object]:
    """What a server that starts on a folder has."""
    async with append_only(folder) as server:
        return [server.harness.command("GET", key) for key in keys]


@pytest.mark.parametrize("policy", ["always", "everysec", "no"])
async def test_everything_is_back_after_an_ordered_end(
    policy: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    for round_ in range(3):
        async with append_only(tmp_path, appendfsync=policy) as server:
            client = server.client()
            client.send(encode("INCR", "n") + encode("SET", f"key{round_}", "value"))
            client.send(encode("SELECT", "3") + encode("RPUSH", "list", str(round_)))
            await trio.sleep(0.1)
            assert client.replies() == [round_ + 1, "OK", "OK", round_ + 1]
    assert await recovered(tmp_path, "n", "key0", "key1", "key2") == [b"3", *[b"value"] * 3]


async def test_always_holds_replies_until_the_sync_has_returned(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    disk = Disk()
    async with append_only(tmp_path, disk, appendfsync="always") as server:
        writer, reader = server.client(), server.client()
        before = disk.calls.count("sync")
        assert writer.command("SET", "key", "value") is NOTHING
        assert reader.command("GET", "key") == b"value", "readers are not delayed"
        await wait_all_tasks_blocked()
        assert writer.replies() == ["OK"]
        assert disk.calls.count("sync") == before + 1


async def test_rounds_share_a_sync(
    tmp_path: Path, autojump_clock: MockClock, begin: Beginner
) -> None:
    disk = Disk()
    async with append_only(tmp_path, disk, appendfsync="always") as server:
        clients = [server.client() for _ in range(20)]
        before = disk.calls.count("sync")
        for client in clients:
            assert client.command("INCR", "n") is NOTHING
        await trio.sleep(1)
        assert [client.replies() for client in clients] == [[n] for n in range(1, 21)]
        # The first need not wait for others that nobody knows of.
        assert disk.calls.count("sync") - before in ([1] if begin is begin_nothing else [1, 2])


async def test_everysec_writes_at_the_end_of_the_round_and_syncs_later(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    disk = Disk()
    async with append_only(tmp_path, disk) as server:
        await trio.sleep(1.5)
        before = disk.calls.count("sync")
        assert server.harness.command("SET", "key", "value") == "OK"
        assert b"SET\r\n$3\r\nkey" in contents(tmp_path)
        assert server.harness.command("WAITAOF", 1, 0, 0) is NOTHING
        assert disk.calls.count("sync") == before
        await trio.sleep(1.1)
        assert disk.calls.count("sync") == before + 1
        assert server.harness.first.replies() == [[1, 0]]
        await trio.sleep(5)
        assert disk.calls.count("sync") == before + 1, "nothing is new"
        assert server.info()["aof_synced_offset"] == server.info()["aof_offset"] == "1"


async def test_no_syncs_only_at_the_end(tmp_path: Path, autojump_clock: MockClock) -> None:
    disk = Disk()
    async with append_only(tmp_path, disk, appendfsync="no") as server:
        before = disk.calls.count("sync")
        assert server.harness.command("SET", "key", "value") == "OK"
        await trio.sleep(5)
        assert disk.calls.count("sync") == before
    assert disk.calls.count("sync") > before


async def test_policy_changes_while_the_server_runs(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with append_only(tmp_path) as server:
        client = server.client()
        assert client.command("CONFIG", "SET", "appendfsync", "always") == "OK"
        assert client.command("SET", "key", "1") is NOTHING
        assert client.command("CONFIG", "SET", "appendfsync", "everysec") is NOTHING, "behind it"
        await trio.sleep(0.1)
        assert client.replies() == ["OK", "OK"]
        assert client.command("SET", "key", "2") == "OK"


@pytest.mark.parametrize("policy", ["always", "everysec"])
async def test_full_disk_refuses_writes_until_there_is_room(
    policy: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    disk = Disk()
    async with append_only(tmp_path, disk, appendfsync=policy) as server:
        writer, reader = server.client(), server.client()
        assert writer.command("SET", "key", "1") in ("OK", NOTHING)
        await trio.sleep(0.1)
        size = len(contents(tmp_path))
        disk.plan.shorten_at(1, call="write")
        disk.plan.raise_at(2, FULL, call="write", times=3)
        reply = writer.command("SET", "key", "2")
        await wait_all_tasks_blocked()
        assert writer.closed == (policy == "always"), "it is unknown what will become of it"
        assert reply == (NOTHING if policy == "always" else "OK")
        assert writer.replies() == []
        assert len(contents(tmp_path)) == size, "cut back to the last whole batch"
        assert reader.command("SET", "key", "3") == NO_SPACE
        assert reader.command("PING") == NO_SPACE
        assert reader.command("GET", "key") == b"2"
        assert server.info()["aof_last_write_status"] == "err"
        await trio.sleep(4)
        assert server.info()["aof_last_write_status"] == "ok"
        assert server.info()["aof_last_error"] == "No space left on device"
        assert reader.command("SET", "key", "4") in ("OK", NOTHING)
        await trio.sleep(0.1)
    assert await recovered(tmp_path, "key") == [b"4"]


async def test_short_writes_are_completed(tmp_path: Path, autojump_clock: MockClock) -> None:
    disk = Disk()
    async with append_only(tmp_path, disk) as server:
        disk.plan.shorten_at(1, call="write", times=10)
        assert server.harness.command("SET", "key", "value") == "OK"
        assert server.harness.command("SET", "key", "other") == "OK"
    assert await recovered(tmp_path, "key") == [b"other"]


async def test_file_that_cannot_be_cut_is_cut_before_the_next_batch(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    disk = Disk()
    async with append_only(tmp_path, disk) as server:
        disk.plan.shorten_at(1, call="write")
        disk.plan.raise_at(2, BROKEN, call="write")
        disk.plan.raise_at(1, BROKEN, call="truncate")
        assert server.harness.command("SET", "key", "value") == "OK"
        assert server.harness.command("SET", "key", "value") == NO_DISK
        await trio.sleep(2)
        assert server.harness.command("APPEND", "key", "more") == 9
    assert await recovered(tmp_path, "key") == [b"valuemore"]


@pytest.mark.parametrize("policy", ["always", "everysec"])
async def test_failed_sync_is_healed_by_a_new_base(
    policy: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Nobody knows what of the old file is on the disk: it is not trusted any more."""
    disk = Disk()
    async with append_only(tmp_path, disk, appendfsync=policy) as server:
        writer, reader = server.client(), server.client()
        await trio.sleep(1.1)
        disk.plan.raise_at(1, BROKEN, call="sync", times=4)
        writer.command("SET", "key", "1")
        await trio.sleep(0.05 if policy == "always" else 1.05)
        assert writer.closed == (policy == "always")
        assert reader.command("SET", "key", "2") == NO_DISK
        assert reader.command("GET", "key") == b"1"
        for _ in range(200):
            await trio.sleep(0.1)
            await trio.to_thread.run_sync(time.sleep, 0.002)  # a thread writes the new base
            if reader.command("PING") == "PONG":
                break
        assert reader.command("SET", "key", "3") in ("OK", NOTHING)
        await trio.sleep(0.1)
        names = sorted(path.name for path in server.folder.iterdir())
        assert "appendonly.aof.1.incr.aof" not in names
        assert len(names) == 3
    assert await recovered(tmp_path, "key") == [b"3"]


async def test_end_on_a_broken_disk_acknowledges_nothing(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    disk = Disk()
    async with append_only(tmp_path, disk, appendfsync="always") as server:
        client = server.client()
        disk.plan.raise_at(1, BROKEN, call="write", times=100)
        assert client.command("SET", "key", "1") is NOTHING
    assert client.replies() == []
    assert client.closed
    assert await recovered(tmp_path, "key") == [None]


async def test_crash_acknowledges_nothing(tmp_path: Path, autojump_clock: MockClock) -> None:
    """A bug of ours ends the plugin, and with it the server; nobody is told otherwise."""
    disk = Disk()
    async with append_only(tmp_path, disk, appendfsync="always") as server:
        client = server.client()
        disk.plan.raise_at(1, RuntimeError("bug"), call="sync")
        assert client.command("SET", "key", "1") is NOTHING
        await trio.sleep(1)
    assert client.replies() == []
    assert client.closed
    assert await recovered(tmp_path, "key") == [b"1"], "and it is there once"


async def test_last_replies_leave_with_the_end(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with append_only(tmp_path, appendfsync="always") as server:
        client = server.client()
        assert client.command("SET", "key", "1") is NOTHING
    assert client.replies() == ["OK"]
    assert b"#HC:end,1," in contents(tmp_path)


async def test_times_between_batches(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with append_only(tmp_path, aof_timestamp_enabled=True) as server:
        assert server.harness.command("SET", "key", "1") == "OK"
        assert server.harness.command("CONFIG", "SET", "aof-timestamp-enabled", "no") == "OK"
        assert server.harness.command("SET", "key", "2") == "OK"
    assert contents(tmp_path).count(b"#TS:") == 1
    assert await recovered(tmp_path, "key") == [b"2"]
