"""Whether a server stays well while something bad is done to it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from hypercache.testing.server import ServerProcess
from tests.support.process import open_files, resident_bytes, wait_until
from tests.support.resp import Client, connect, info

MEGABYTE = 1_000_000


class Bystander(threading.Thread):
    """A well-behaved client at work: every reply must be right and in time."""

    def __init__(self, server: ServerProcess) -> None:
        super().__init__(daemon=True)
        self._client = connect(server, timeout=20.0)
        self._ending = threading.Event()
        self.requests = 0
        self.slowest = 0.0
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            while not self._ending.is_set():
                started = time.monotonic()
                value = b"value %d" % self.requests
                replies = self._client.pipeline(("SET", "bystander", value), ("GET", "bystander"))
                assert replies == ["OK", value], replies
                self.slowest = max(self.slowest, time.monotonic() - started)
                self.requests += 1
                time.sleep(0.002)
        except BaseException as error:  # noqa: BLE001 - handed to the test, which raises it
            self.error = error

    def finish(self) -> None:
        """Stop; raises what went wrong."""
        self._ending.set()
        self.join(30)
        self._client.close()
        if self.error is not None:
            raise self.error


@contextmanager
def stays_well(
    server: ServerProcess, delay: float = 2.0, memory: int = 64 * MEGABYTE
) -> Iterator[None]:
    """While the block does its worst and after it, the server is as it was.

    Another client gets right replies, none later than ``delay`` seconds. Afterwards the
    connections of the block are gone, no file stays open, and the process has no more than
    ``memory`` bytes more than before (allocators keep some).
    """
    with connect(server) as observer:
        connected = clients(observer)
        before, files = resident_bytes(server.pid), open_files(server.pid)
        bystander = Bystander(server)
        bystander.start()
        try:
            yield
        finally:
            bystander.finish()
        assert bystander.requests > 0
        assert bystander.slowest <= delay, f"another client waited {bystander.slowest:.2f} s"
        wait_until(lambda: clients(observer) <= connected, "the connections of the test are gone")
        wait_until(lambda: open_files(server.pid) <= files, "their files are closed")
        wait_until(
            lambda: resident_bytes(server.pid) <= before + memory,
            f"memory is back at {before / MEGABYTE:.0f} MB (+{memory / MEGABYTE:.0f})",
            20.0,
        )
        assert observer.call("PING") == "PONG"


def clients(observer: Client) -> int:
    """How many clients are connected, ``observer`` included."""
    return int(info(observer, "clients")["connected_clients"])
