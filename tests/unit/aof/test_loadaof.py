"""DEBUG LOADAOF: all data anew from the append-only file, without a restart."""

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from hypercache.persistence.errors import LoadError
from hypercache.persistence.loader import Loader
from hypercache.testing.engine import EngineHarness
from hypercache.testing.resp import ReplyError, encode
from tests.support.append_only import append_only

pytestmark = pytest.mark.trio

REFUSED = ReplyError("ERR Error trying to load the AOF files, check server logs.")


def allow_debug(harness: EngineHarness) -> None:
    harness.engine.protected_commands["DEBUG"] = "yes"


@pytest.mark.parametrize("policy", ["always", "everysec", "no"])
async def test_data_are_back(policy: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    async with append_only(tmp_path, appendfsync=policy) as server:
        harness = server.harness
        allow_debug(harness)
        client, watcher = server.client(), server.client()
        client.send(encode("SET", "a", "1") + encode("SELECT", 3) + encode("INCR", "b"))
        await server.rewritten()
        watcher.command("WATCH", "a")
        harness.engine.keyspaces[0].store.unlink(b"a")  # as if it had never been there
        client.send(encode("INCR", "b") + encode("DEBUG", "LOADAOF") + encode("GET", "b"))
        await trio.sleep(0.1)
        assert client.replies()[-2:] == ["OK", b"2"]
        assert harness.command("GET", "a") == b"1"
        watcher.send(encode("MULTI") + encode("GET", "a") + encode("EXEC"))
        assert watcher.replies()[-1] is None
        assert client.command("SET", "c", "3") is not None
    async with append_only(tmp_path) as server:
        assert server.harness.command("GET", "a") == b"1"


async def test_files_that_cannot_be_loaded(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with append_only(tmp_path) as server:
        allow_debug(server.harness)
        client = server.client()
        client.command("SET", "a", "1")
        (path,) = (tmp_path / "appendonlydir").glob("*.incr.aof")
        with path.open("ab") as file:
            file.write(b"*1\r\n")
        client.send(encode("MULTI") + encode("DEBUG", "LOADAOF") + encode("EXEC"))
        text = "ERR DEBUG LOADAOF isn't allowed inside a transaction"
        assert client.replies()[-1] == [ReplyError(text)]
        assert client.command("DEBUG", "LOADAOF") == REFUSED
        path.write_bytes(path.read_bytes()[:-4])
        assert client.command("DEBUG", "LOADAOF") == "OK"
        assert client.command("GET", "a") == b"1"


async def test_nothing_is_removed_while_the_file_cannot_be_completed() -> None:
    """The thread has a batch: with ``always`` that is nearly always so."""
    harness = EngineHarness()
    allow_debug(harness)
    harness.command("SET", "key", "value")

    class Busy:
        def complete(self) -> None:
            raise LoadError("the append-only file is being written, or cannot be")

        def repeat(self, loader: Loader) -> None:
            raise AssertionError("not asked for")

    harness.engine.shared["aof"] = Busy()
    assert harness.command("DEBUG", "LOADAOF") == REFUSED
    assert harness.command("GET", "key") == b"value"


async def test_who_is_heard_meanwhile() -> None:
    """A slow script of the file lets others be heard: they are told what is going on."""
    harness = EngineHarness()
    allow_debug(harness)
    other = harness.client()
    told: list[object] = []

    class File:
        def complete(self) -> None:
            assert not told

        def repeat(self, loader: Loader) -> None:
            told.append(other.command("PING"))

    harness.engine.shared["aof"] = File()
    assert harness.command("DEBUG", "LOADAOF") == "OK"
    assert told == [ReplyError("LOADING Redis is loading the dataset in memory")]
    assert other.command("PING") == "PONG"


async def test_without_an_append_only_file() -> None:
    harness = EngineHarness()
    allow_debug(harness)
    assert harness.command("DEBUG", "LOADAOF") == REFUSED
