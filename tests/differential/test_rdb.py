"""RDB files travel between redis-server and us: what one saves, the other loads."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from hypercache.engine.libraries import Libraries
from hypercache.persistence.rdb_writer import RdbEncoder
from hypercache.testing.engine import EngineHarness
from hypercache.testing.resp import Argument
from hypercache.testing.server import ServerProcess
from tests.support.rdb_files import digest, fill, load, save
from tests.support.servers import RedisProcess, tool

SOURCE = b"#!lua name=lib\nredis.register_function('f', function() return 7 end)\n" + b"-- x" * 20
#: How much larger our files may be.
FACTOR = 1.2


@pytest.fixture(scope="module")
def process() -> Iterator[ServerProcess]:
    """A redis-server of this module's own, whose files are exchanged."""
    with RedisProcess(settings={"enable-debug-command": "yes"}) as server:
        yield server


@pytest.fixture
def theirs(process: ServerProcess) -> Iterator[redis.Redis]:
    with redis.Redis(port=process.port, single_connection_client=True) as client:
        client.flushall()
        client.function_flush()
        client.config_set("maxmemory-policy", "noeviction")
        yield client


@pytest.fixture(scope="module")
def filled() -> EngineHarness:
    harness = EngineHarness()
    fill(harness.command)
    return harness


def raw(client: redis.Redis, *request: Argument) -> object:
    """A reply without the conversions of redis-py."""
    client.connection.send_command(*request)
    return client.connection.read_response()


def dumped(process: ServerProcess) -> Path:
    return Path(process.directory) / "dump.rdb"


def knows(client: redis.Redis) -> int:
    """The version of RDB that a server writes."""
    version = str(client.info("server")["redis_version"])
    return 11 if tuple(map(int, version.split(".")[:2])) >= (7, 2) else 10


@pytest.mark.parametrize("settings", [{}, {"rdbcompression": "no"}, {"limits": "none"}])
def test_we_load_what_they_save(
    process: ServerProcess, theirs: redis.Redis, filled: EngineHarness, settings: dict[str, str]
) -> None:
    limits = "0" if settings.get("limits") else None
    names = ["hash-max-listpack-entries", "zset-max-listpack-entries", "set-max-intset-entries"]
    before = {name: theirs.config_get(name)[name] for name in names}
    theirs.config_set("rdbcompression", settings.get("rdbcompression", "yes"))
    for name in names:
        theirs.config_set(name, limits or before[name])
    fill(lambda *request: raw(theirs, *request))
    theirs.save()
    for name in names:
        theirs.config_set(name, before[name])
    theirs.config_set("rdbcompression", "yes")
    after = EngineHarness()
    reader = load(after.engine, dumped(process), steps=5000)
    assert reader.facts[b"redis-ver"].decode() == theirs.info("server")["redis_version"]
    assert digest(after.engine) == digest(filled.engine)


def test_they_load_what_we_save(
    process: ServerProcess, theirs: redis.Redis, filled: EngineHarness
) -> None:
    fill(lambda *request: raw(theirs, *request))
    theirs.save()
    expected = raw(theirs, "DEBUG", "DIGEST")
    path = dumped(process)
    size = path.stat().st_size
    save(filled.engine, path, RdbEncoder(knows(theirs)))
    assert path.stat().st_size <= FACTOR * size
    subprocess.run([tool("redis-check-rdb"), str(path)], check=True, capture_output=True)
    raw(theirs, "DEBUG", "RELOAD", "NOSAVE")
    assert raw(theirs, "DEBUG", "DIGEST") == expected
    databases = theirs.info("keyspace")
    assert {name: each["expires"] for name, each in databases.items()} == {
        "db0": 2,
        "db3": 0,
        "db5": 1,
    }


class Library(Libraries):
    """Keeps sources, as a plugin would."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []

    def sources(self) -> list[bytes]:
        return self.kept

    def restore(self, sources: list[bytes]) -> None:
        self.kept = list(sources)


def test_functions_and_use(process: ServerProcess, theirs: redis.Redis) -> None:
    theirs.config_set("maxmemory-policy", "allkeys-lfu")
    theirs.function_load(SOURCE)
    theirs.set("k", "v")
    for _ in range(3):
        theirs.get("k")
    theirs.save()
    frequency = theirs.object("FREQ", "k")
    ours = EngineHarness()
    ours.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu")
    ours.engine.libraries = Library()
    load(ours.engine, dumped(process))
    assert ours.engine.libraries.sources() == [SOURCE]
    assert ours.command("OBJECT", "FREQ", "k") == frequency
    theirs.flushall()
    theirs.function_flush()
    save(ours.engine, dumped(process), RdbEncoder(knows(theirs)))
    raw(theirs, "DEBUG", "RELOAD", "NOSAVE")
    assert theirs.fcall("f", 0) == 7
    assert theirs.object("FREQ", "k") == frequency


def test_idle_times(process: ServerProcess, theirs: redis.Redis) -> None:
    theirs.config_set("maxmemory-policy", "allkeys-lru")
    payload = theirs.set("k", "v") and theirs.dump("k")
    raw(theirs, "RESTORE", "k", 0, payload, "REPLACE", "IDLETIME", 1000)
    theirs.save()
    ours = EngineHarness()
    ours.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    load(ours.engine, dumped(process))
    assert ours.command("OBJECT", "IDLETIME", "k") in (1000, 1001)
    save(ours.engine, dumped(process), RdbEncoder(knows(theirs)))
    raw(theirs, "DEBUG", "RELOAD", "NOSAVE")
    assert raw(theirs, "OBJECT", "IDLETIME", "k") in range(1000, 1010)
