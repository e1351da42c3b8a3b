"""Disks that are full, fail, take writes in parts or none: refused, said, healed; nothing lost."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from hypercache.persistence.saving import TEMPORARY
from hypercache.testing.server import ServerProcess
from tests.support.disks import SmallDisk, small_disk
from tests.support.faults import Orders
from tests.support.process import wait_until
from tests.support.resp import Client, Disconnected, ReplyError, connect, info
from tests.support.servers import StartServer

MB: Final = 1 << 20
VALUE: Final = "v" * 50_000
FILE_FAILS: Final = "MISCONF Errors writing to the AOF file: "
SNAPSHOTS_FAIL: Final = (
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to "
    "disk. Commands that may modify the data set are disabled, because this instance is "
    "configured to report errors during writes if RDB snapshotting fails "
    "(stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB "
    "error."
)


class Setter:
    """Sets keys one after the other, also beyond failures. ``kept`` were acknowledged, ``open``
    had no answer: they may be there or not; all others were refused."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.kept: list[str] = []
        self.open: list[str] = []
        self.number = 0

    def set(self) -> str:
        """Set one more: empty, or how that was refused."""
        key = f"key {self.number}"
        self.number += 1
        try:
            with connect(self.server) as client:
                reply = client.call("SET", key, VALUE)
        except (Disconnected, ConnectionError) as error:
            self.open.append(key)
            return f"disconnected {error}"
        if isinstance(reply, ReplyError):
            return reply.text
        self.kept.append(key)
        return ""

    def until_refused(self) -> str:
        """Set keys until an error says why not; that."""
        for _ in range(2_000):
            error = self.set()
            if error and not error.startswith("disconnected"):
                return error
        raise AssertionError("writes go on")

    def expect(self) -> None:
        """What was acknowledged is there, and nothing that was refused."""
        with connect(self.server, timeout=30) as client:
            names = client.call("KEYS", "*")
            assert isinstance(names, list)
            found = {name.decode() for name in names}
            assert set(self.kept) <= found <= {*self.kept, *self.open}
            for key in self.kept[-20:]:
                assert client.call("GET", key) == VALUE.encode()


def status(client: Client) -> dict[str, str]:
    """What INFO says of files."""
    return info(client, "persistence")


def expect_no_leftovers(folder: Path) -> None:
    """No file is left that was only for a while."""
    assert list(folder.rglob(f"*{TEMPORARY}")) == []


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    with small_disk(folder, 16 * MB) as disk:
        yield disk


@pytest.fixture
def orders(tmp_path: Path) -> Orders:
    folder = tmp_path / "data"
    folder.mkdir()
    return Orders(folder, tmp_path / "modules")


def appending(policy: str) -> dict[str, str]:
    return {"save": "", "appendonly": "yes", "appendfsync": policy}


@pytest.mark.parametrize("policy", ["always", "everysec"])
def test_full_disk_below_an_append_only_file(
    disk: SmallDisk, start_server: StartServer, policy: str
) -> None:
    server = start_server(appending(policy), directory=disk.folder, wrapper=disk.wrapper)
    setter = Setter(server)
    for _ in range(3):
        assert setter.set() == ""
    disk.fill()
    assert setter.until_refused() == f"{FILE_FAILS}No space left on device"
    setter.expect()
    with connect(server) as client:
        assert status(client)["aof_last_write_status"] == "err"
        reply = client.call("PING")
        assert isinstance(reply, ReplyError)
        assert reply.text.startswith(FILE_FAILS)
    disk.free()
    wait_until(lambda: setter.set() == "", "it takes writes again")
    setter.expect()
    with connect(server) as client:
        assert status(client)["aof_last_write_status"] == "ok"
    server.kill()
    server.start()
    setter.expect()
    expect_no_leftovers(disk.folder)


def test_full_disk_below_a_snapshot(disk: SmallDisk, start_server: StartServer) -> None:
    settings = {"save": "3600 1"}
    server = start_server(settings, directory=disk.folder, wrapper=disk.wrapper)
    setter = Setter(server)
    assert setter.set() == ""
    with connect(server) as client:
        assert client.call("SAVE") == "OK"
        assert setter.set() == ""
        disk.fill()
        client.call("BGSAVE")
        wait_until(lambda: status(client)["rdb_last_bgsave_status"] == "err", "it fails")
        assert setter.until_refused() == SNAPSHOTS_FAIL
        setter.expect()
        expect_no_leftovers(disk.folder)
        disk.free()
        client.call("BGSAVE")
        wait_until(lambda: status(client)["rdb_last_bgsave_status"] == "ok", "it succeeds")
        assert setter.set() == ""
        assert client.call("SAVE") == "OK"
    server.kill()
    server.start()
    setter.expect()


def test_append_only_file_that_fails(
    orders: Orders, start_server: StartServer, tmp_path: Path
) -> None:
    """What has failed to reach the disk is not acknowledged; and it heals by itself."""
    folder = tmp_path / "data"
    server = start_server(appending("always"), directory=folder, wrapper=orders.wrapper)
    setter = Setter(server)
    for order in ("fail fdatasync EIO", "fail write EIO"):
        assert setter.set() == ""
        kept = len(setter.kept)
        orders.give(order)
        assert setter.until_refused() == f"{FILE_FAILS}Input/output error"
        assert len(setter.kept) == kept
        setter.expect()
        orders.withdraw()
        wait_until(lambda: setter.set() == "", "it takes writes again")
    orders.give("short")
    for _ in range(20):
        assert setter.set() == ""
    server.kill()
    orders.withdraw()
    server.start()
    setter.expect()
    expect_no_leftovers(folder)


def test_snapshots_that_fail(orders: Orders, start_server: StartServer, tmp_path: Path) -> None:
    """The old one stays, and the next one that succeeds lets writes in again."""
    folder = tmp_path / "data"
    server = start_server({"save": "3600 1"}, directory=folder, wrapper=orders.wrapper)
    setter = Setter(server)
    with connect(server) as client:
        for order in ("fail open EROFS", "fail rename EIO", "fail fsync EIO"):
            assert setter.set() == ""
            orders.give(order)
            client.call("BGSAVE")
            wait_until(lambda: status(client)["rdb_last_bgsave_status"] == "err", "it fails")
            assert setter.set() == SNAPSHOTS_FAIL
            orders.withdraw()
            expect_no_leftovers(folder)
            assert client.call("SAVE") == "OK"
        orders.give("fail write ENOSPC")
        assert setter.set() == ""
        assert isinstance(client.call("SAVE"), ReplyError)
    server.kill()
    orders.withdraw()
    server.start()
    setter.kept.pop()
    setter.expect()
