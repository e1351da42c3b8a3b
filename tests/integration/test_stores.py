"""Stores of a whole server: memory with an append-only file beside LMDB, killed and started."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
import redis

from hypercache.testing.server import ServerFailed, ServerProcess
from tests.support.servers import StartServer

CONFIGURATION = """\
appendonly: yes
appendfsync: always
stores:
  disk: {database: 3, backend: lmdb, backend-settings: {sync: always}}
  timed: {database: 5, default-expiry: 1h}
"""


def client_of(server: ServerProcess) -> redis.Redis:
    """A client with one connection, so that SELECT lasts."""
    return redis.Redis(port=server.port, single_connection_client=True)


def call(client: redis.Redis, *words: str) -> object:
    """A command that redis-py does not know; its errors are raised."""
    execute = cast(Callable[..., object], client.execute_command)
    return execute(*words)


def test_everything_is_there_after_a_crash(start_server: StartServer, tmp_path: Path) -> None:
    file = tmp_path / "server.yaml"
    file.write_text(CONFIGURATION)
    server = start_server(config=file, directory=tmp_path)
    with client_of(server) as client:
        assert call(client, "STORES CREATE", "run", "BACKEND", "lmdb") == 1
        assert call(client, "STORES CREATE", "named", "POLICY", "allkeys-lru") == 2
        client.set("memory", 1)
        client.rpush("moved", 1, 2)
        client.set("copied", 1)
        assert client.move("moved", 3)
        assert client.copy("copied", "copy", destination_db=1)
        for name in ("run", "named", "disk", "timed"):
            call(client, "SELECT", name)
            client.set("name", name)
        call(client, "SELECT", "0")
        assert client.bgrewriteaof()
    server.kill()
    again = start_server(config=file, directory=tmp_path)
    with client_of(again) as client:
        assert sorted(client.keys()) == [b"copied", b"memory"]
        found = {}
        for name in ("run", "named", "disk", "timed"):
            call(client, "SELECT", name)
            found[name] = client.get("name")
        assert found == {name: name.encode() for name in found}
        assert 0 < client.pttl("name") <= 3_600_000
        call(client, "SELECT", "disk")
        assert client.lrange("moved", 0, -1) == [b"1", b"2"]
        assert not client.exists("memory")
        assert call(client, "STORES DROP", "run")
        call(client, "SELECT", "1")
        assert client.dbsize() == 0
    again.stop()
    last = start_server(config=file, directory=tmp_path)
    with client_of(last) as client:
        stores = client.info("stores").values()
        assert sorted(each["name"] for each in stores) == ["disk", "named", "timed"]


LIBRARY = "#!lua name=mylib\nredis.register_function('f', function() return 1 end)"


def test_what_belongs_to_no_store_is_journalled_from_any(
    start_server: StartServer, tmp_path: Path
) -> None:
    """SWAPDB and FUNCTION, also where a store is selected that files have nothing of."""
    file = tmp_path / "server.yaml"
    file.write_text(CONFIGURATION)
    server = start_server(config=file, directory=tmp_path)
    with client_of(server) as client:
        client.rpush("k", "list")
        call(client, "SELECT", "disk")
        client.swapdb(0, 4)
        client.function_load(LIBRARY)
        with client.pipeline(transaction=True) as transaction:
            transaction.swapdb(1, 0)
            transaction.execute()
        call(client, "SELECT", "0")
        client.append("k", "text")
    server.kill()
    again = start_server(config=file, directory=tmp_path)
    with client_of(again) as client:
        assert client.get("k") == b"text"
        call(client, "SELECT", "4")
        assert client.lrange("k", 0, -1) == [b"list"]
        assert call(client, "FUNCTION LIST")
        call(client, "SELECT", "disk")
        client.function_delete("mylib")
    again.kill()
    with client_of(start_server(config=file, directory=tmp_path)) as client:
        assert not call(client, "FUNCTION LIST")


def test_server_that_cannot_have_its_stores_does_not_start(
    start_server: StartServer, tmp_path: Path
) -> None:
    (tmp_path / "stores.json").write_text("{")
    with pytest.raises(ServerFailed, match=r"stores\.json is damaged"):
        start_server(directory=tmp_path)
