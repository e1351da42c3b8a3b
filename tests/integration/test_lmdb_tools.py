"""Checking, copying and compacting LMDB stores of servers that are written to, and killed."""

import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from hypercache_lmdb import LMDBBackend, LMDBSettings
from hypercache_lmdb.tools import LMDBTools

from hypercache.backend import BackendError, HashValue
from hypercache.backend_tools import unheard
from hypercache.testing.resp import encode
from hypercache.testing.server import ServerProcess
from tests.support.process import wait_until
from tests.support.resp import Disconnected, connect
from tests.support.servers import StartServer

TOOLS = LMDBTools()
SETTINGS = {"backend": "lmdb", "backend-settings": "path=store log_size=65536"}


def hypercache(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run the command line."""
    command = [sys.executable, "-P", "-m", "hypercache", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


class Writer(threading.Thread):
    """Numbers transactions: each writes a string, a field and the number itself, or nothing."""

    def __init__(self, server: ServerProcess) -> None:
        super().__init__()
        self.server = server
        #: The last number that was acknowledged.
        self.acknowledged = -1
        self.stopped = threading.Event()

    def run(self) -> None:
        try:
            # A server that is killed ends this as well.
            with suppress(OSError, Disconnected), connect(self.server) as client:
                number = 0
                while not self.stopped.is_set():
                    last = number + 50
                    for each in range(number, last):
                        client.send(
                            encode("MULTI")
                            + encode("SET", f"key:{each}", each)
                            + encode("HSET", "hash", f"field:{each % 5_000}", each)
                            + encode("SET", "number", each)
                            + encode("EXEC")
                        )
                    for each in range(number, last):
                        for _ in range(4):
                            client.read()
                        assert isinstance(client.read(), list)
                        self.acknowledged = each
                    number = last
                    self.stopped.wait(0.05)  # some thousand in all: they are all read back
        finally:
            self.stopped.set()

    def wait_for(self, number: int) -> None:
        """Wait until that transaction was acknowledged."""
        wait_until(lambda: self.acknowledged >= number or self.stopped.is_set(), "writes", 30)
        assert self.acknowledged >= number


def last_number(path: Path) -> int:
    """The number of the last transaction that a store has; all before it must be whole."""
    backend = LMDBBackend(LMDBSettings(path=str(path)))
    database = backend.open(16)[0]

    def text(key: bytes) -> bytes:
        entry = database.find(key)
        assert entry is not None
        assert isinstance(entry.value, bytes)
        return entry.value

    last = int(text(b"number"))
    assert database.size() == last + 3
    for number in range(last + 1):
        assert text(b"key:%d" % number) == b"%d" % number
    entry = database.find(b"hash")
    assert entry is not None
    assert isinstance(entry.value, HashValue)
    for number in range(max(0, last - 4_999), last + 1):
        assert entry.value.get(b"field:%d" % (number % 5_000)) == b"%d" % number
    backend.close()
    return last


@pytest.fixture
def writer(start_server: StartServer) -> Writer:
    return Writer(start_server(SETTINGS))


def test_tools_beside_a_server_that_is_written_to(writer: Writer, tmp_path: Path) -> None:
    store = writer.server.directory / "store"
    writer.start()
    try:
        for number in range(5):
            writer.wait_for(200 * (number + 1))
            before = writer.acknowledged
            target = tmp_path / str(number)
            TOOLS.copy(store, target, unheard)
            assert TOOLS.check(target, unheard) == []
            assert before <= last_number(target) <= writer.acknowledged + 50
            assert TOOLS.check(store, unheard) == []
        with pytest.raises(BackendError, match=rf"\(PID {writer.server.pid}\): stop it"):
            TOOLS.compact(store, unheard)
    finally:
        writer.stopped.set()
        writer.join()


def test_tools_after_a_server_was_killed(writer: Writer, tmp_path: Path) -> None:
    server = writer.server
    store = server.directory / "store"
    writer.start()
    writer.wait_for(1_000)
    server.kill()
    writer.join()
    assert hypercache("check", "lmdb", store).stdout == f"{store}: no problems found\n"
    assert hypercache("copy", "lmdb", store, tmp_path / "copy").returncode == 0
    done = hypercache("compact", "lmdb", store)
    assert (done.returncode, done.stdout) == (0, f"{store}: compacted\n")
    server.start()
    with connect(server) as client:
        number = client.call("GET", "number")
        assert isinstance(number, bytes)
        assert int(number) >= writer.acknowledged
    server.stop()
    assert last_number(store) == last_number(tmp_path / "copy") == int(number)
