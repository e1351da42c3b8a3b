"""Starting on LMDB stores in every state: torn, in use, full, killed while it was starting."""

import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest
from hypercache_lmdb import log
from hypercache_lmdb.tools import LMDBTools

from hypercache.backend_tools import unheard
from hypercache.testing.server import ServerFailed, ServerProcess
from tests.support.process import wait_until
from tests.support.resp import Client, Disconnected, ReplyError, connect
from tests.support.servers import StartServer, server_process

LMDB = {"backend": "lmdb"}


def store(server: ServerProcess) -> Path:
    """The folder of a server's store."""
    return server.directory / "lmdb"


def fill(client: Client, count: int, value: str = "value") -> None:
    """Set so many keys."""
    client.pipeline(*[("SET", f"key {number}", f"{value} {number}") for number in range(count)])


def expect(client: Client, count: int, value: str = "value") -> None:
    """These keys, and no others."""
    assert client.call("DBSIZE") == count
    wanted = [f"{value} {number}".encode() for number in range(count)]
    assert client.call("MGET", *[f"key {number}" for number in range(count)]) == wanted


def ignore(_key: bytes, _value: bytes | None) -> None:
    """What a log holds, where only its end is of interest."""


def expect_sound(server: ServerProcess) -> None:
    """The store of a server that is not running has nothing wrong."""
    assert LMDBTools().check(store(server), unheard) == []


def test_killed_while_it_starts(start_server: StartServer) -> None:
    """Again and again, while it reads its log back: nothing is lost."""
    server = start_server(LMDB)
    with connect(server) as client:
        fill(client, 3_000, "x" * 500)
    chance = random.Random(1)
    for _ in range(4):
        server.kill()
        server.launch()
        wait_until(lambda: bool(server.output), "it is starting")
        time.sleep(chance.uniform(0, 0.15))
        server.kill()
    server.start()
    with connect(server) as client:
        expect(client, 3_000, "x" * 500)
    server.kill()
    expect_sound(server)


def test_log_that_was_cut_off(start_server: StartServer) -> None:
    """What is whole is there; the last write is not; and new ones take its place."""
    server = start_server(LMDB)
    with connect(server) as client:
        fill(client, 100)
        client.call("SET", "last", "x" * 500)
    server.kill()
    number = log.segment_numbers(store(server))[-1]
    end = log.replay(store(server), number, ignore).end
    os.truncate(log.segment_path(store(server), number), end - 23)
    server.start()
    with connect(server) as client:
        expect(client, 100)
        assert client.call("SET", "last", "again") == "OK"
    server.kill()
    expect_sound(server)
    server.start()
    with connect(server) as client:
        assert client.call("GET", "last") == b"again"
        assert client.call("DBSIZE") == 101


def test_two_servers_on_one_folder(start_server: StartServer) -> None:
    server = start_server(LMDB | {"backend-settings.path": "shared"})
    path = server.directory / "shared"
    second = server_process(LMDB | {"backend-settings.path": str(path)})
    with pytest.raises(ServerFailed, match="ended with status 1") as failed, second:
        pytest.fail("both servers are running")
    assert f"{path} is in use by another process (PID {server.pid})" in str(failed.value)
    with connect(server) as client:
        assert client.call("SET", "key", "value") == "OK"


def test_folder_that_may_not_be_written(start_server: StartServer, tmp_path: Path) -> None:
    """A file stands where the folder should be made: that stops root as well."""
    path = tmp_path / "file"
    path.write_text("")
    for place in (path, path / "store"):
        server = server_process(LMDB | {"backend-settings.path": str(place)})
        with pytest.raises(ServerFailed, match=f"{place} cannot be created"), server:
            pytest.fail("it is running")


def test_folder_of_something_else(start_server: StartServer, tmp_path: Path) -> None:
    """A data file that is none of LMDB is refused and left alone."""
    server = start_server(LMDB)
    server.stop()
    data = store(server) / "data.mdb"
    data.write_bytes(b"x" * 10_000)
    with pytest.raises(ServerFailed, match=r"data\.mdb|cannot be opened"):
        server.start()
    assert data.read_bytes() == b"x" * 10_000


def test_held_replies_leave_when_it_is_told_to_end(start_server: StartServer) -> None:
    """With sync always, SIGTERM under load: whoever was told OK finds the write again."""
    server = start_server(LMDB | {"backend-settings.sync": "always"})
    told = [0] * 8

    def work(number: int) -> None:
        with connect(server) as client:
            try:
                while True:
                    value = told[number] + 1
                    assert client.call("SET", f"counter {number}", str(value)) == "OK"
                    told[number] = value
            except (Disconnected, ConnectionError):
                return

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(told))]
    for thread in threads:
        thread.start()
    wait_until(lambda: min(told) > 5, "all are writing")
    server.send_signal(signal.SIGTERM)
    assert server.wait_ended() == 0
    for thread in threads:
        thread.join(10)
    server.start()
    with connect(server) as client:
        for number, value in enumerate(told):
            found = client.call("GET", f"counter {number}")
            assert found in (b"%d" % value, b"%d" % (value + 1))


def test_store_that_has_reached_its_size(start_server: StartServer) -> None:
    """Writes are refused, reads and deletions go on, also after a restart; then there is room."""
    server = start_server(
        LMDB
        | {"backend-settings.max_size": str(40 << 20), "backend-settings.log_size": str(1 << 20)}
    )
    value = "v" * 60_000
    with connect(server) as client:
        count = 0
        while not isinstance(reply := client.call("SET", f"key {count}", value), ReplyError):
            count += 1
            assert count < 5_000
    assert "the store has reached max_size (41943040 bytes)" in reply.text
    for kill in (False, True):
        with connect(server) as client:
            assert client.call("DBSIZE") == count
            assert client.call("GET", "key 0") == value.encode()
            assert isinstance(client.call("SET", "other", value), ReplyError)
        if kill:
            server.kill()
            server.start()
    with connect(server) as client:
        for number in range(count):
            assert client.call("UNLINK", f"key {number}") == 1
    wait_until(lambda: takes(server, value), "what was removed can be used again")
    server.kill()
    expect_sound(server)


def takes(server: ServerProcess, value: str) -> bool:
    """Whether a write is taken."""
    with connect(server) as client:
        return client.call("SET", "new", value) == "OK"
