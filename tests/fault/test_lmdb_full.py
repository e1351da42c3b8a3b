"""An LMDB server whose disk is full, or whose store may not grow: nothing acknowledged is lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypercache_lmdb.tools import LMDBTools

from hypercache.backend_tools import unheard
from hypercache.testing.server import ServerProcess
from tests.support.disks import SmallDisk, small_disk
from tests.support.process import wait_until
from tests.support.resp import Client, Disconnected, ReplyError, connect
from tests.support.servers import StartServer

MB = 1 << 20
VALUE = "v" * 20_000
REFUSED = "MISCONF The lmdb backend cannot take more data: "
GOES_ON = "Commands that may grow the data are refused; reads and deletions go on."


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    with small_disk(folder, 48 * MB) as disk:
        yield disk


def settings(disk: SmallDisk, **more: str) -> dict[str, str]:
    """A server's settings whose store lies on a disk."""
    own = {"path": str(disk.folder / "store"), "log_size": str(MB)} | more
    return {"backend": "lmdb"} | {f"backend-settings.{name}": own[name] for name in own}


def fill(server: ServerProcess) -> tuple[list[str], str]:
    """Set keys until that is refused: those that were acknowledged, and the error."""
    kept: list[str] = []
    with connect(server) as client:
        for number in range(10_000):
            key = f"key {number}"
            reply = client.call("SET", key, VALUE)
            if isinstance(reply, ReplyError):
                return kept, reply.text
            kept.append(key)
    raise AssertionError("the disk is larger than was thought")


def expect(client: Client, keys: list[str]) -> None:
    """All of these are there, and nothing else."""
    assert client.call("DBSIZE") == len(keys)
    for start in range(0, len(keys), 50):
        some = keys[start : start + 50]
        assert client.call("MGET", *some) == [VALUE.encode()] * len(some)


def accepts(server: ServerProcess) -> bool:
    """Whether a write is taken."""
    try:
        with connect(server) as client:
            return client.call("SET", "new", VALUE) == "OK"
    except (Disconnected, ConnectionError):
        return False


def is_refused(client: Client) -> bool:
    reply = client.call("SET", "new", "value")
    return isinstance(reply, ReplyError) and reply.text.startswith(REFUSED)


def test_full_disk(disk: SmallDisk, start_server: StartServer) -> None:
    server = start_server(settings(disk), wrapper=disk.wrapper)
    disk.fill()
    kept, error = fill(server)
    assert len(kept) > 10
    assert error.startswith(REFUSED)
    assert error.endswith(GOES_ON)
    assert "No space left on device" in error
    with connect(server) as client:
        expect(client, kept)
        assert is_refused(client)
        for _ in range(3):
            assert client.call("DEL", kept.pop(), kept.pop(0)) == 2
        assert client.call("PEXPIRE", kept.pop(), "0") == 1
        expect(client, kept)
        assert client.call("MULTI") == "OK"
        assert client.call("DEL", kept[0]) == "QUEUED"
        assert isinstance(client.call("SET", "other", "value"), ReplyError)
        aborted = client.call("EXEC")
        assert isinstance(aborted, ReplyError)
        assert aborted.text.startswith("EXECABORT")
        expect(client, kept)
    server.kill()
    server.start()
    with connect(server) as client:
        expect(client, kept)
        assert client.call("DEL", kept.pop()) == 1
        expect(client, kept)
    assert server.stop() == 0
    server.start()
    disk.free()
    wait_until(lambda: accepts(server), "it takes writes again")
    with connect(server) as client:
        expect(client, [*kept, "new"])
    server.kill()
    assert LMDBTools().check(disk.folder / "store", unheard) == []


def test_disk_that_fills_up_and_has_room_again(disk: SmallDisk, start_server: StartServer) -> None:
    """Nobody restarts anything."""
    server = start_server(settings(disk, sync="always"), wrapper=disk.wrapper)
    kept: list[str] = []
    for _ in range(2):
        disk.fill()
        more, error = fill(server)
        kept += [key for key in more if key not in kept]
        assert error.startswith(REFUSED)
        disk.free()
        wait_until(lambda: accepts(server), "it takes writes again")
        with connect(server) as client:
            expect(client, [*kept, "new"])
            assert client.call("DEL", "new") == 1
