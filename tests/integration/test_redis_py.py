"""redis-py, in RESP2 and RESP3, with and without hiredis' parser behind it."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from hypercache.testing.server import ServerProcess
from tests.support.process import wait_until
from tests.support.servers import StartServer


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def client(server: ServerProcess, request: pytest.FixtureRequest) -> Iterator[Any]:
    options = {"protocol": request.param, "decode_responses": True, "client_name": "tests"}
    connected: Any
    with redis.Redis(port=server.port, **options) as connected:
        yield connected


def test_default_connection(server: ServerProcess) -> None:
    """As most programs connect: the library's own choice of protocol and handshake."""
    with redis.Redis.from_url(server.url) as client:
        assert client.ping() is True
        assert client.set("key", b"\x00\xff") is True
        assert client.get("key") == b"\x00\xff"


def test_handshake_tells_who_connects(client: Any) -> None:
    mine = client.client_info()
    assert mine["name"] == "tests"
    assert mine["lib-name"].startswith("redis-py")
    assert mine["lib-ver"] == redis.__version__
    assert mine["resp"] == str(client.get_connection_kwargs()["protocol"])
    assert int(mine["id"]) == client.client_id()
    (listed,) = client.client_list(client_id=[mine["id"]])
    assert listed["name"] == "tests"
    assert client.client_setname("other")
    assert client.client_getname() == "other"


def test_password(start_server: StartServer) -> None:
    server = start_server({"requirepass": "secret"})

    def connected(**options: Any) -> Any:
        return redis.Redis(port=server.port, retry=Retry(NoBackoff(), 0), **options)

    for protocol in (2, 3):
        with connected(password="secret", protocol=protocol) as client:
            assert client.ping() is True
        with connected(protocol=protocol) as client, pytest.raises(redis.AuthenticationError):
            client.get("key")
        with (
            connected(password="wrong", protocol=protocol) as client,
            pytest.raises(redis.AuthenticationError),
        ):
            client.ping()


def test_strings(client: Any) -> None:
    assert client.set("n", 41) is True
    assert client.incr("n") == 42
    assert client.decrby("n", 2) == 40
    assert client.incrbyfloat("n", 0.5) == 40.5
    assert client.append("text", "hello") == 5
    assert client.setrange("text", 5, " world") == 11
    assert client.getrange("text", 6, -1) == "world"
    assert client.strlen("text") == 11
    assert client.set("text", "new", nx=True) is None
    assert client.set("text", "new", xx=True, get=True) == "hello world"
    assert client.getdel("text") == "new"
    assert client.get("text") is None
    assert client.mset({"a": "1", "b": "2"}) is True
    assert client.msetnx({"b": "3", "c": "3"}) is False
    assert client.mget("a", "b", "c") == ["1", "2", None]
    assert client.set("binary", bytes(range(256))) is True
    assert client.strlen("binary") == 256
    assert client.lcs("a", "b") == ""


def test_keys(client: Any) -> None:
    client.mset({f"key:{i}": i for i in range(300)})
    assert set(client.scan_iter()) == {f"key:{i}" for i in range(300)}
    assert set(client.scan_iter(match="key:1?", count=50)) == {f"key:1{i}" for i in range(10)}
    assert list(client.scan_iter(_type="hash")) == []
    assert sorted(client.keys("key:29?")) == [f"key:29{i}" for i in range(10)]
    assert client.exists("key:1", "key:2", "missing") == 2
    assert client.rename("key:1", "renamed") is True
    assert client.renamenx("key:2", "renamed") is False
    assert client.copy("renamed", "key:1") is True
    assert client.type("renamed") == "string"
    assert client.randomkey().startswith(("key:", "renamed"))
    assert client.touch("key:1", "missing") == 1
    assert client.unlink("key:1", "key:2", "missing") == 2
    assert client.object("encoding", "key:3") == "int"
    assert client.memory_usage("key:3") > 8
    assert client.dbsize() == 299
    with pytest.raises(redis.ResponseError, match="no such key"):
        client.rename("missing", "other")


def test_expiry(client: Any) -> None:
    now = time.time()
    assert client.set("a", "1", ex=100) is True
    assert client.ttl("a") in (99, 100)
    assert abs(client.expiretime("a") - (now + 100)) < 2
    assert client.persist("a") is True
    assert client.ttl("a") == -1
    assert client.ttl("missing") == -2
    assert client.expire("a", 100, nx=True) is True
    assert client.expire("a", 50, gt=True) is False
    assert client.pexpireat("a", int((now + 5) * 1000)) is True
    assert 0 < client.pttl("a") <= 5000
    assert client.getex("a", persist=True) == "1"
    assert client.psetex("short", 40, "x") is True
    wait_until(lambda: client.get("short") is None, "a key of 40 ms is gone")


def test_pipeline(client: Any) -> None:
    with client.pipeline(transaction=False) as pipe:
        pipe.set("text", "x").incr("text").get("text").incr("n")
        ok, error, text, number = pipe.execute(raise_on_error=False)
    assert ok is True
    assert isinstance(error, redis.ResponseError)
    assert (text, number) == ("x", 1)


def test_transaction(client: Any) -> None:
    with client.pipeline() as pipe:
        assert pipe.set("n", 1).incr("n").expire("n", 100).execute() == [True, 2, True]
    with client.pipeline() as pipe:
        pipe.set("n", 1)
        pipe.execute_command("NOSUCHCOMMAND")
        with pytest.raises(redis.ResponseError, match="unknown command"):
            pipe.execute()
    assert client.get("n") == "2"


def test_watch(client: Any) -> None:
    client.set("n", 1)
    with client.pipeline() as pipe:
        pipe.watch("n")
        value = int(pipe.get("n"))
        client.set("n", 10)
        pipe.multi()
        pipe.set("n", value + 1)
        with pytest.raises(redis.WatchError):
            pipe.execute()
    assert client.get("n") == "10"


def test_watch_loses_no_increment(client: Any) -> None:
    """Optimistic locking by several threads at once."""
    client.set("n", 0)

    def increment(pipe: Any) -> None:
        value = int(pipe.get("n"))
        pipe.multi()
        pipe.set("n", value + 1)

    def work() -> None:
        for _ in range(25):
            client.transaction(increment, "n")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert client.get("n") == "100"


def test_databases(client: Any, server: ServerProcess) -> None:
    with redis.Redis(port=server.port, db=3, decode_responses=True) as other:
        other.set("key", "three")
        assert client.get("key") is None
        assert client.swapdb(0, 3) is True
        assert client.get("key") == "three"
        assert client.move("key", 3) is True
        assert other.get("key") == "three"
        assert other.flushdb() is True
        assert other.dbsize() == 0


def test_server_commands(client: Any) -> None:
    assert client.info("server")["redis_mode"] == "standalone"
    assert isinstance(client.info()["used_memory"], int)
    assert client.config_get("maxmemory*")["maxmemory-policy"] == "noeviction"
    assert client.config_set("slowlog-max-len", 128) is True
    assert client.config_resetstat() is True
    assert client.slowlog_reset() is True
    assert client.slowlog_get() == []
    assert client.command_count() > 80
    assert client.command_getkeys("MSET", "a", "1", "b", "2") == ["a", "b"]
    assert client.command()["get"]["arity"] == 2
    assert abs(client.time()[0] - time.time()) < 5
    assert client.echo("text") == "text"


def test_unknown_subcommands_have_clean_errors(client: Any) -> None:
    """What newer libraries try must not upset the connection."""
    with pytest.raises(redis.ResponseError, match="unknown subcommand 'MAINT_NOTIFICATIONS'"):
        client.execute_command("CLIENT", "MAINT_NOTIFICATIONS", "ON")
    assert client.ping() is True


def test_reconnects_after_kill(client: Any, server: ServerProcess) -> None:
    client.set("key", "value")
    with redis.Redis(port=server.port) as killer:
        assert killer.client_kill_filter(_id=client.client_id()) == 1
    assert client.get("key") == "value"


def test_many_threads_share_one_client(client: Any) -> None:
    def work(number: int) -> None:
        for i in range(50):
            client.incr("total")
            client.set(f"{number}:{i}", "x" * i)
            assert client.strlen(f"{number}:{i}") == i

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert client.get("total") == "200"
    assert client.dbsize() == 201


def test_bloom_and_cuckoo_filters(client: Any) -> None:
    """The library's API for RedisBloom: both protocols, infos as its classes read them."""
    bloom, cuckoo = client.bf(), client.cf()
    resp3 = client.get_connection_kwargs()["protocol"] == 3
    assert bloom.reserve("b", 0.01, 1000)
    assert [bool(new) for new in bloom.madd("b", "x", "y", "x")] == [True, True, False]
    assert bloom.exists("b", "x")
    assert not bloom.exists("b", "z")
    assert bloom.card("b") == 2
    assert bloom.info("b")["Number of items inserted" if resp3 else "insertedNum"] == 2
    assert cuckoo.create("c", 1000, expansion=2, bucket_size=4, max_iterations=10)
    assert cuckoo.add("c", "x")
    assert not cuckoo.addnx("c", "x")
    assert [bool(new) for new in cuckoo.insert("c", ["y"])] == [True]
    assert cuckoo.count("c", "x") == 1
    assert cuckoo.delete("c", "x")
    assert cuckoo.info("c")["Bucket size" if resp3 else "bucketSize"] == 4
    raw = redis.Redis(port=client.get_connection_kwargs()["port"])  # chunks are no text
    for name, kind in (("b", raw.bf()), ("c", raw.cf())):
        cursor, data = kind.scandump(name, 0)
        parts = []
        while cursor:
            parts.append((cursor, data))
            cursor, data = kind.scandump(name, cursor)
        for cursor, data in parts:
            assert kind.loadchunk(f"{name}2", cursor, data)
    raw.close()
    assert bloom.exists("b2", "y")
    assert cuckoo.exists("c2", "y")
