"""MIGRATE against a server that a thread plays, and CLUSTER without a cluster."""

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from hypercache.rdb.dump import dump
from hypercache.testing.engine import EngineHarness
from hypercache.testing.resp import ReplyError, decode_next
from tests.support.sinks import MemorySink

OK = b"+OK\r\n"


class Peer:
    """Accepts one connection, and answers so many requests with what it is told."""

    def __init__(self, replies: list[bytes]) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.requests: list[list[bytes]] = []
        self._replies = replies
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self.listener.accept()
        with connection, connection.makefile("rwb") as stream:
            for reply in self._replies:
                request = decode_next(stream)
                assert isinstance(request, list)
                self.requests.append(request)
                stream.write(reply)
                stream.flush()

    def close(self) -> None:
        """Wait for the end of the conversation."""
        self._thread.join(5)
        self.listener.close()


@pytest.fixture
def peer() -> Iterator[Callable[..., Peer]]:
    peers: list[Peer] = []

    def start(*replies: bytes) -> Peer:
        peers.append(Peer(list(replies)))
        return peers[-1]

    yield start
    for each in peers:
        each.close()


def test_a_key_moves_with_its_time_to_live(
    harness: EngineHarness, peer: Callable[..., Peer]
) -> None:
    other = peer(OK, OK)
    harness.command("SET", "key", "value", "PX", 1500)
    entry = harness.engine.keyspaces[0].store.find(b"key")
    assert entry is not None
    payload = dump(entry)
    assert harness.command("MIGRATE", "127.0.0.1", other.port, "key", 3, 1000) == "OK"
    assert other.requests == [[b"SELECT", b"3"], [b"RESTORE", b"key", b"1500", payload]]
    assert harness.command("EXISTS", "key") == 0


def test_keys_are_copied_with_credentials(
    harness: EngineHarness, peer: Callable[..., Peer]
) -> None:
    other = peer(OK, OK, OK, OK)
    harness.script("SET a 1\nSET b 2")
    words = ["COPY", "REPLACE", "AUTH2", "me", "secret", "KEYS", "a", "missing", "b"]
    assert harness.command("MIGRATE", "127.0.0.1", other.port, "", 0, 1000, *words) == "OK"
    assert other.requests[0] == [b"AUTH", b"me", b"secret"]
    assert [(each[1], each[-1]) for each in other.requests[2:]] == [
        (b"a", b"REPLACE"),
        (b"b", b"REPLACE"),
    ]
    assert harness.command("EXISTS", "a", "b") == 2


def test_what_was_not_confirmed_stays(harness: EngineHarness, peer: Callable[..., Peer]) -> None:
    other = peer(OK, OK, b"-BUSYKEY Target key name already exists.\r\n")
    harness.script("SET a 1\nSET b 2\nSET c 3")
    sink = MemorySink()
    harness.engine.settlement.add_sink(sink)
    reply = harness.command("MIGRATE", "127.0.0.1", other.port, "", 0, 1000, "KEYS", "a", "b", "c")
    # The third reply never came.
    assert reply == ReplyError("IOERR error or timeout reading to target instance")
    assert harness.command("MGET", "a", "b", "c") == [None, b"2", b"3"]
    assert sink.commands() == [[b"DEL", b"a"]]


def test_errors_of_the_other_server_are_passed_on(
    harness: EngineHarness, peer: Callable[..., Peer]
) -> None:
    other = peer(b"-WRONGPASS no\r\n", b"-NOAUTH no\r\n", b"-NOAUTH no\r\n")
    harness.command("SET", "a", 1)
    reply = harness.command("MIGRATE", "127.0.0.1", other.port, "a", 0, 1000, "AUTH", "x")
    assert reply == ReplyError("ERR Target instance replied with error: WRONGPASS no")
    assert harness.command("GET", "a") == b"1"


def test_nobody_there(harness: EngineHarness) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    harness.command("SET", "a", 1)
    reply = harness.command("MIGRATE", "127.0.0.1", port, "a", 0, 1000)
    assert reply == ReplyError("IOERR error or timeout writing to target instance")
    reply = harness.command("MIGRATE", "127.0.0.1", "no port", "a", 0, 1000)
    assert reply == ReplyError("IOERR error or timeout connecting to the client")
    assert harness.command("GET", "a") == b"1"


def test_a_peer_that_keeps_silent_costs_the_timeout(harness: EngineHarness) -> None:
    harness.command("SET", "a", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        reply = harness.command("MIGRATE", "127.0.0.1", port, "a", 0, 20)
    assert reply == ReplyError("IOERR error or timeout reading to target instance")
    assert harness.command("GET", "a") == b"1"


@pytest.mark.parametrize("words", [["INFO"], ["KEYSLOT", "x"], ["SLOTS"], ["MYID"]])
def test_there_is_no_cluster(words: list[str]) -> None:
    refused = ReplyError("ERR This instance has cluster support disabled")
    harness = EngineHarness()
    assert harness.command("CLUSTER", *words) == refused
    assert harness.command("READONLY") == harness.command("ASKING") == refused
