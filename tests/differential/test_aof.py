"""Append-only folders travel between redis-server and us: what one writes, the other repeats."""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
import trio
from hypercache_aof.recovery import recover
from hypothesis import given
from hypothesis import strategies as st

from hypercache.persistence.loader import Loader
from hypercache.supervision.host import Host
from hypercache.testing.engine import EngineHarness
from hypercache.testing.resp import Argument, encode
from hypercache.testing.server import ServerProcess
from tests.differential.strategies import COMMANDS, TRANSACTIONS, Request
from tests.differential.test_commands import LASTING, bounded
from tests.support.aof import FILES, FolderWriter, Outcome, digest, folder_in
from tests.support.rdb_files import fill
from tests.support.servers import RedisProcess, server_process, tool

SETTINGS = {
    "appendonly": "yes",
    "appendfsync": "no",
    "auto-aof-rewrite-percentage": "0",
    "enable-debug-command": "yes",
}
SOURCE = "#!lua name=lib\nredis.register_function('f', function() return 7 end)\n"


@pytest.fixture(scope="module")
def process() -> Iterator[ServerProcess]:
    """A redis-server of this module's own, which notes the time, too."""
    with RedisProcess(settings=SETTINGS | {"aof-timestamp-enabled": "yes"}) as server:
        yield server


@pytest.fixture
def theirs(process: ServerProcess) -> Iterator[redis.Redis]:
    with redis.Redis(port=process.port, single_connection_client=True) as client:
        client.flushall()
        yield client


def raw(client: redis.Redis, *request: Argument) -> object:
    """A reply without the conversions of redis-py; an error is a reply, too."""
    client.connection.send_command(*request)
    try:
        return client.connection.read_response()
    except redis.ResponseError as error:
        return error


def fill_alike(call: Callable[..., object]) -> None:
    """Values of every type, without the scores that servers before 7.2 digest in another way."""
    fill(call)
    for database in (5, 0):
        call("SELECT", database)
        call("DEL", "z")
        call("ZADD", "z", "1.5", "a", "-inf", "b", "7", "c")


def their_digest(client: redis.Redis) -> bytes:
    found = raw(client, "DEBUG", "DIGEST")
    assert isinstance(found, bytes)
    return bytes.fromhex(found.decode())


def rewrite(client: redis.Redis) -> None:
    client.bgrewriteaof()
    deadline = time.monotonic() + 20
    while client.info("persistence")["aof_rewrite_in_progress"]:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_we_repeat_what_they_write(
    process: ServerProcess, theirs: redis.Redis, preamble: str
) -> None:
    theirs.config_set("aof-use-rdb-preamble", preamble)
    fill_alike(lambda *request: raw(theirs, *request))
    rewrite(theirs)
    for line in ("MULTI", "INCR n", "SPOP set", "SELECT 9", "XADD s * f v", "EXEC", "SWAPDB 9 0",
                 "PEXPIRE n 5000000", "GETEX n PERSIST", "MOVE n 4", "COPY s t DB 2"):  # fmt: skip
        raw(theirs, *line.split())
    folder = folder_in(process.directory)
    assert folder.read().files()[0].name.endswith("rdb" if preamble == "yes" else "base.aof")
    outcome = Outcome(folder, Loader(EngineHarness().engine))
    assert outcome.digest == their_digest(theirs)
    assert outcome.tear is None


@bounded(4)
@given(sequence=st.lists(st.one_of(LASTING, TRANSACTIONS), min_size=100, max_size=150))
def test_we_repeat_whatever_they_write(process: ServerProcess, sequence: list[Request]) -> None:
    with redis.Redis(port=process.port, single_connection_client=True) as client:
        client.flushall()
        for request in sequence:
            raw(client, *request)
        raw(client, "DISCARD")
        outcome = Outcome(folder_in(process.directory), Loader(EngineHarness().engine))
        assert outcome.digest == their_digest(client)


def checked(path: Path) -> str:
    """What redis-check-aof says of a folder that it finds valid."""
    done = subprocess.run(
        [tool("redis-check-aof"), str(folder_in(path).manifest_path)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout


@bounded(2)
@given(sequence=st.lists(COMMANDS, min_size=100, max_size=200))
def test_they_repeat_what_we_write(
    tmp_path_factory: pytest.TempPathFactory, sequence: list[Request]
) -> None:
    """Then they append, we go on from there, and so do they again."""
    path = tmp_path_factory.mktemp("ours")
    harness = EngineHarness()
    harness.clock.now = time.time_ns() // 1000
    fill_alike(harness.command)
    writer = FolderWriter(harness, folder_in(path), version=10)
    for number, request in enumerate(sequence):
        harness.first.send(encode(*request))
        if number == 50:
            writer.rotate()
    writer.end()
    assert "All AOF files and manifest are valid" in checked(path)
    with (
        RedisProcess(settings=SETTINGS, directory=path) as server,
        redis.Redis(port=server.port, single_connection_client=True) as client,
    ):
        assert their_digest(client) == digest(harness.engine)
        raw(client, "SET", "appended", "by a stock server")
        expected = their_digest(client)
    after = EngineHarness()
    after.clock.now = time.time_ns() // 1000
    recovered = trio.run(recover, Host(after.engine, "aof", str(path)), FILES)
    assert digest(after.engine) == expected
    assert recovered is not None
    assert recovered.offset == harness.engine.journal.offset + 1
    assert "All AOF files and manifest are valid" in checked(path)


def test_a_folder_of_theirs_is_served(
    process: ServerProcess, theirs: redis.Redis, tmp_path: Path
) -> None:
    """With functions in the base and in the increment, by a whole server."""
    fill_alike(lambda *request: raw(theirs, *request))
    theirs.function_load(SOURCE)
    rewrite(theirs)
    theirs.function_load(SOURCE.replace("lib", "lib2").replace("'f'", "'g'").replace("7", "8"))
    theirs.set("last", "1")
    expected = their_digest(theirs)
    shutil.copytree(process.directory / "appendonlydir", tmp_path / "appendonlydir")
    settings = {"appendonly": "yes", "enable-debug-command": "yes"}
    with (
        server_process(settings, directory=tmp_path) as server,
        redis.Redis(port=server.port, single_connection_client=True) as ours,
    ):
        assert their_digest(ours) == expected
        assert (ours.fcall("f", 0), ours.fcall("g", 0)) == (7, 8)
        assert ours.set("more", "1")
    assert "All AOF files and manifest are valid" in checked(tmp_path)
