"""Whole servers on durable backends: units, syncs, the ordered end, and LMDB in a process."""

import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
import trio
from trio.lowlevel import Task
from trio.testing import memory_stream_pair

from hypercache.backend import ALWAYS, Backend
from hypercache.config import load
from hypercache.durability import Durability
from hypercache.server import Server
from hypercache.testing.resp import Argument, decode_all, encode
from hypercache.transport.streams import serve_stream
from tests.support.fragile import FragileBackend
from tests.support.resp import connect, info
from tests.support.servers import StartServer


class Patrol(trio.abc.Instrument):
    """Looks after every step of every task whether a unit is open."""

    def __init__(self, backend: FragileBackend) -> None:
        self.kv = backend.fragile
        self.steps = 0
        self.culprits: set[str] = set()

    def after_task_step(self, task: Task) -> None:
        self.steps += 1
        if self.kv.is_open:
            self.culprits.add(task.name)


async def call(stream: trio.abc.Stream, *words: Argument) -> list[object]:
    """Send a command and return what comes first, decoded."""
    await stream.send_all(encode(*words))
    return decode_all(bytes(await stream.receive_some(65536)))


async def everything_that_opens_units(
    server: Server, connect: Callable[[], Awaitable[trio.SocketStream]]
) -> None:
    """Commands, waits, timers, pauses, expiry, and the stream transport."""
    one, two, three = [await connect() for _ in range(3)]
    assert await call(one, "SET", "gone", "value", "PX", 1) == ["OK"]
    assert await call(one, "HSET", "hash", "field", "value") == [1]
    assert await call(one, "HPEXPIRE", "hash", 1, "FIELDS", 1, "field") == [[1]]
    assert await call(one, "BLPOP", "nothing", 0.01) == [None]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(call, two, "BLMOVE", "from", "to", "LEFT", "LEFT", 5)
        nursery.start_soon(call, three, "BLPOP", "to", 5)
        await trio.sleep(0.01)
        assert await call(one, "RPUSH", "from", "element") == [1]
    await one.send_all(encode("MULTI") + encode("SET", "a", "1") + encode("EXEC"))
    assert await call(two, "CLIENT", "PAUSE", 30, "WRITE") == ["OK"]
    assert await call(three, "SET", "a", "2") == ["OK"]
    ours, theirs = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_stream, server.engine, theirs)
        assert await call(ours, "SET", "a", "3") == ["OK"]
        await ours.aclose()
    while server.engine.keyspaces[0].store.size() > 1:  # "gone" and "hash" go by themselves
        await trio.sleep(0.01)


@pytest.mark.trio
async def test_no_unit_is_open_while_another_task_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = FragileBackend(ALWAYS)
    patrol = Patrol(backend)
    server = server_on(backend, tmp_path, monkeypatch)
    trio.lowlevel.add_instrument(patrol)
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            await nursery.start(server.run)
            await everything_that_opens_units(
                server, lambda: trio.open_unix_socket(tmp_path / "socket")
            )
            server.request_stop()
    trio.lowlevel.remove_instrument(patrol)
    assert patrol.steps > 100
    assert patrol.culprits == set()


@pytest.mark.trio
async def test_last_replies_leave_and_then_the_backend_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    class Closing(FragileBackend):
        def close(self) -> None:
            told.append("close")
            super().close()

    async def stalling(action: Callable[[], None]) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(0.2)
        action()
        told.append(action.__name__)

    server = server_on(Closing(ALWAYS), tmp_path, monkeypatch)
    server.durability = Durability(server.engine, stalling)
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            await nursery.start(server.run)
            stream = await trio.open_unix_socket(tmp_path / "socket")
            await stream.send_all(encode("SET", "key", "value"))
            while not server.engine.delivery.gated:
                await trio.sleep(0.001)
            server.request_stop()
            assert decode_all(bytes(await stream.receive_some())) == ["OK"]
            told.append("reply")
            assert await stream.receive_some() == b""
    assert told.index("reply") > told.index("sync")
    assert told[-2:] == ["sync", "close"]


@pytest.mark.trio
async def test_stalling_disk_delays_no_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real thread that blocks, beside clients that read as fast as they can."""

    class Stalling(FragileBackend):
        def sync(self) -> None:
            time.sleep(0.3)

    server = server_on(Stalling(ALWAYS), tmp_path, monkeypatch)
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            await nursery.start(server.run)
            writer = await trio.open_unix_socket(tmp_path / "socket")
            reader = await trio.open_unix_socket(tmp_path / "socket")
            await writer.send_all(encode("SET", "key", "value"))
            while not server.engine.delivery.gated:
                await trio.sleep(0.001)
            reads = 0
            while server.engine.delivery.gated:
                assert await call(reader, "GET", "key") == [b"value"]
                reads += 1
            assert decode_all(bytes(await writer.receive_some(64))) == ["OK"]
            server.request_stop()
    assert reads >= 5


def test_fifty_clients_share_the_syncs_of_lmdb(start_server: StartServer) -> None:
    """And nothing that was acknowledged is lost when the server is killed."""
    server = start_server({"backend": "lmdb", "backend-settings": "sync=always"})
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(server)) for _ in range(50)]
        for number in range(5):
            for client in clients:
                client.send(encode("INCR", "n") + encode("SET", f"key:{number}", number))
            for client in clients:
                assert isinstance(client.read(), int)
                assert client.read() == "OK"
        found = info(clients[0], "backend")
    assert found["backend_sync_policy"] == "always"
    assert 5 <= int(found["backend_syncs"]) < 125
    assert found["backend_last_sync_status"] == "ok"
    assert int(found["backend_last_sync_usec"]) > 0
    server.kill()
    server.start()
    with connect(server) as client:
        assert client.call("GET", "n") == b"250"
        assert client.call("DBSIZE") == 6
        assert client.call("CONFIG", "GET", "backend") == [b"backend", b"lmdb"]


def server_on(backend: Backend, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server, not yet running, that listens on a Unix socket in the folder."""

    def opened(*_: object) -> Backend:
        return backend

    monkeypatch.setattr("hypercache.server.open_backend", opened)
    settings = ["--port", "0", "--unixsocket", str(folder / "socket"), "--dir", str(folder)]
    return Server(load(settings))
