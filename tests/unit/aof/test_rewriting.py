"""Rewriting, switching on and off, and what BGREWRITEAOF answers."""

import errno
import os
from pathlib import Path

import pytest
import trio
from hypercache_aof.annotations import opening_line
from trio.testing import MockClock

from hypercache.persistence.capture import Capture
from hypercache.persistence.rdb_writer import RdbEncoder
from hypercache.testing.engine import NOTHING
from hypercache.testing.resp import ReplyError, encode
from tests.support.append_only import AppendOnlyServer, Disk, append_only
from tests.support.plugins import supervised

pytestmark = pytest.mark.trio

STARTED = "Background append only file rewriting started"
SCHEDULED = "Background append only file rewriting scheduled"
UNDER_WAY = ReplyError("ERR Background append only file rewriting already in progress")
BROKEN = OSError(errno.EIO, os.strerror(errno.EIO))


def names(server: AppendOnlyServer) -> list[str]:
    return [path.name.removeprefix("appendonly.aof.") for path in sorted(server.folder.iterdir())]


async def recovered(folder: Path, *command: str) -> object:
    """What a command answers in a server that starts on a folder."""
    async with append_only(folder) as server:
        return server.harness.command(*command)


async def test_rewrite_replaces_what_there_was(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with append_only(tmp_path) as server:
        client = server.harness.first
        for _ in range(100):
            client.command("INCR", "n")
        client.command("RPUSH", "list", *map(str, range(2000)))
        client.command("SELECT", 5)
        before = int(server.info()["aof_current_size"])
        assert client.command("BGREWRITEAOF") == STARTED
        assert client.command("BGREWRITEAOF") == UNDER_WAY
        assert server.info()["aof_rewrite_in_progress"] == "1"
        for _ in range(20):
            client.send(encode("INCR", "m") + encode("RPOP", "list"))
            await trio.lowlevel.checkpoint()
        info = await server.rewritten()
        assert names(server) == ["2.base.rdb", "2.incr.aof", "manifest"]
        assert int(info["aof_current_size"]) < before
        assert (info["aof_rewrites"], info["aof_last_bgrewrite_status"]) == ("1", "ok")
        assert info["aof_last_rewrite_time_sec"] == "0"
    assert await recovered(tmp_path, "GET", "n") == b"100"
    async with append_only(tmp_path) as again:
        client = again.client()
        client.command("SELECT", 5)
        assert client.command("GET", "m") == b"20"


async def test_rewrite_waits_for_another_capture(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with append_only(tmp_path) as server:
        harness = server.harness
        harness.script("MULTI\nBGREWRITEAOF")
        assert harness.command("EXEC") == [SCHEDULED]
        await server.rewritten()
        assert names(server)[0] == "2.base.rdb"
        capture = Capture(harness.engine, RdbEncoder())
        assert harness.command("BGREWRITEAOF") == SCHEDULED
        await trio.sleep(2)
        info = server.info()
        assert (info["aof_rewrite_scheduled"], info["aof_rewrite_in_progress"]) == ("1", "0")
        capture.close()
        info = await server.rewritten()
        assert info["aof_rewrite_scheduled"] == "0"
        assert names(server)[0] == "3.base.rdb"


async def test_file_that_has_grown_is_rewritten(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with append_only(tmp_path, auto_aof_rewrite_min_size=4096) as server:
        await trio.sleep(1)
        assert names(server)[0] == "1.base.rdb", "not below its size"
        for _ in range(100):
            server.harness.command("SET", "key", "value" * 10)
        await server.rewritten()
        assert names(server)[0] == "2.base.rdb"
        server.harness.command("CONFIG", "SET", "auto-aof-rewrite-percentage", "0")
        for _ in range(100):
            server.harness.command("SET", "key", "value" * 10)
        await server.rewritten()
        assert names(server)[0] == "2.base.rdb"


async def test_rewrites_that_fail_wait_longer_and_longer(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    disk = Disk()
    async with append_only(tmp_path, disk, auto_aof_rewrite_min_size=1) as server:
        disk.plan.raise_at(1, BROKEN, call="create_base", times=10_000)
        for _ in range(100):
            assert server.harness.command("SET", "key", "value" * 10) == "OK"
        failures = "aof_rewrites_consecutive_failures"
        info = await server.until(failures, "3")
        assert info["aof_last_bgrewrite_status"] == "err"
        for number, seconds in (("3", 60), ("4", 120)):
            await trio.sleep(seconds - 5)
            assert server.info()[failures] == number
            await server.until(failures, str(int(number) + 1))
        assert server.harness.command("SET", "key", "still written") == "OK"
        disk.plan.forget()
        assert server.harness.command("BGREWRITEAOF") == STARTED, "who asks need not wait"
        info = await server.rewritten()
        assert info["aof_rewrites_consecutive_failures"] == "0"
        assert [name for name in names(server) if "base" in name] != ["1.base.rdb"]
    assert await recovered(tmp_path, "GET", "key") == b"still written"


@pytest.mark.parametrize(
    "call", ["append", "write", "sync", "create", "create_base", "rename", "sync_folder"]
)
async def test_whatever_fails_in_a_rewrite_nothing_is_lost(
    call: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    disk = Disk()
    for number in range(1, 7):
        folder = tmp_path / str(number)
        folder.mkdir()
        async with append_only(folder, disk, appendfsync="always") as server:
            client = server.client()
            client.send(encode("SET", "key", "1"))
            await trio.sleep(0.01)
            disk.plan.raise_at(number, BROKEN, call=call)
            client.send(encode("BGREWRITEAOF"))
            await server.rewritten()
            disk.plan.forget()
            await server.until("aof_last_write_status", "ok")
            client = server.client()
            client.send(encode("APPEND", "key", "2"))
            await trio.sleep(3)
            assert client.replies() == [2]
            disk.plan.forget()
        assert await recovered(folder, "GET", "key") == b"12"


async def test_switched_on_and_off_while_the_server_runs(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with append_only(tmp_path, appendfsync="always") as server:
        client = server.client()
        client.send(encode("SET", "key", "1"))
        await trio.sleep(0.1)
        assert client.replies() == ["OK"]
        assert client.command("CONFIG", "SET", "appendonly", "no") == "OK"
        await trio.sleep(0.1)
        assert client.command("SET", "key", "not in the file") == "OK"
        assert client.command("WAITAOF", 1, 0, 0) == ReplyError(
            "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."
        )
        assert (server.info()["aof_enabled"], "aof_offset" in server.info()) == ("0", False)
        assert client.command("CONFIG", "SET", "appendonly", "yes") == "OK"
        assert server.info()["aof_rewrite_in_progress"] == "1"
        assert client.command("INCR", "n") in (1, NOTHING)
        await server.rewritten()
        client.replies()
        assert client.command("INCR", "n") is NOTHING
        await trio.sleep(0.1)
        assert client.replies() == [2]
        assert client.command("WAITAOF", 1, 0, 0) == [1, 0]
    assert await recovered(tmp_path, "MGET", "key", "n") == [b"not in the file", b"2"]


async def test_switched_on_where_it_was_off_at_the_start(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    disk = Disk()
    server = AppendOnlyServer(tmp_path, disk)
    server.settings.appendonly = False
    async with server.running():
        client = server.client()
        client.command("SET", "key", "1")
        assert disk.calls == [], "what is off costs nothing"
        assert not server.harness.engine.changes.journalled
        assert client.command("BGREWRITEAOF") == STARTED, "also without the file, as in Redis"
        await server.rewritten()
        assert names(server) == ["1.base.rdb", "manifest"]
        disk.plan.raise_at(1, BROKEN, call="create_base")
        client.command("CONFIG", "SET", "appendonly", "yes")
        await server.until("aof_last_bgrewrite_status", "err")
        assert client.command("INCR", "key") == 2, "nothing is promised yet"
        await server.until("aof_last_bgrewrite_status", "ok")
        assert names(server) == ["2.incr.aof", "3.base.rdb", "manifest"]
        assert client.command("INCR", "key") == 3
    assert await recovered(tmp_path, "GET", "key") == b"3"


async def test_increment_of_a_killed_server_is_not_appended_to(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """It was killed before there was a first base: no manifest names the increment."""
    (tmp_path / "appendonlydir").mkdir()
    (tmp_path / "appendonlydir" / "appendonly.aof.1.incr.aof").write_bytes(opening_line(7))
    async with append_only(tmp_path) as server:
        assert server.client().command("INCR", "n") == 1
        assert names(server) == ["1.base.rdb", "2.incr.aof", "manifest"]
    assert await recovered(tmp_path, "GET", "n") == b"1"


async def test_files_from_before_it_was_off_are_replaced(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Nothing was loaded from them; as in Redis, what is there now counts."""
    async with append_only(tmp_path) as server:
        server.client().command("SET", "old", "1")
    disk = Disk()
    server = AppendOnlyServer(tmp_path, disk)
    server.settings.appendonly = False
    async with server.running():
        assert server.client().command("SET", "new", "1") == "OK"
        disk.plan.raise_at(1, BROKEN, call="create_base")
        server.client().command("CONFIG", "SET", "appendonly", "yes")
        await server.until("aof_last_bgrewrite_status", "err")
        assert "1.base.rdb" in names(server), "until there is another"
        await server.until("aof_last_bgrewrite_status", "ok")
        assert names(server) == ["3.base.rdb", "3.incr.aof", "manifest"]
    assert await recovered(tmp_path, "MGET", "old", "new") == [None, b"1"]


async def test_files_without_a_manifest_are_kept(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Nobody knows what belongs together, so nothing is loaded; but nobody else has it either."""
    async with append_only(tmp_path) as server:
        server.client().command("SET", "old", "1")
    folder = tmp_path / "appendonlydir"
    (manifest,) = folder.glob("*.manifest")
    manifest.unlink()
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.stat().st_size}
    assert len(before) == 2
    async with append_only(tmp_path) as server:
        assert server.client().command("SET", "new", "1") == "OK"
        for name, content in before.items():
            assert (folder / f"{name}.unlisted").read_bytes() == content
    (manifest,) = folder.glob("*.manifest")
    manifest.unlink()
    async with append_only(tmp_path) as server:
        assert server.client().command("SET", "new", "1") == "OK"
        assert {path.name for path in folder.glob("*.unlisted")} == {
            f"{n}.unlisted" for n in before
        }
    assert await recovered(tmp_path, "MGET", "old", "new") == [None, b"1"]


async def test_waitaof_ends_with_the_file(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with append_only(tmp_path, appendfsync="no") as server:
        waiting = server.client()
        waiting.command("SET", "key", "1")
        assert waiting.command("WAITAOF", 1, 0, 0) is NOTHING
        server.harness.command("CONFIG", "SET", "appendonly", "no")
        await trio.sleep(0.1)
        assert waiting.replies() == [
            ReplyError(
                "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."
            )
        ]


async def test_durable_backends_need_no_file(tmp_path: Path, autojump_clock: MockClock) -> None:
    refusal = "appendonly is for backends that lose their data: this one keeps them on disk"
    server = AppendOnlyServer(tmp_path, Disk())
    server.harness.engine.backend.durable = True
    with pytest.raises(ExceptionGroup) as caught:
        async with server.running():
            raise AssertionError("it has started")
    assert refusal in str(caught.value.exceptions[0])
    server.settings.appendonly = False
    async with supervised(server.harness, {"aof": server.plugin}, str(tmp_path)):
        reply = server.harness.command("CONFIG", "SET", "appendonly", "yes")
        assert isinstance(reply, ReplyError)
        assert refusal in reply.text
        assert server.harness.command("CONFIG", "GET", "appendonly") == [b"appendonly", b"no"]
