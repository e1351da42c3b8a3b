"""Whole sessions of random requests: the server survives, answers, and answers in order.

Every command that the server knows is tried, but those that end or halt it, or lock the
test out. Several connections send pipelines in arbitrary pieces, with transactions, changes
of protocol and switched-off replies in between. Afterwards each connection that is still
open answers a last question, and so does a new one.

``pytest -m soak`` goes on for ``HYPERCACHE_SOAK_SECONDS`` seconds (600).
"""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from itertools import chain

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from hypercache.testing.server import ServerProcess
from tests.support.health import stays_well
from tests.support.resp import Client, connect, encode

SOAK_SECONDS = int(os.environ.get("HYPERCACHE_SOAK_SECONDS", "600"))

#: Commands that end, halt or hand over the server, or lock other clients out, and why not.
LEFT_OUT = {
    b"shutdown": "ends the server",
    b"debug": "halts or ends the server",
    b"acl": "locks the test out",
    b"config": "sets passwords, limits and addresses",
    b"client|kill": "ends the other connections",
    b"client|pause": "halts everybody",
    b"failover": "hands over",
    b"replicaof": "hands over",
    b"slaveof": "hands over",
    b"sync": "starts a replication stream",
    b"psync": "starts a replication stream",
    b"module": "loads programs",
    b"migrate": "waits for other machines",
    b"monitor": "echoes all others",
    b"pfselftest": "halts the server for seconds",
    b"bgsave": "starts processes",
    b"bgrewriteaof": "starts processes",
    b"save": "halts the server",
}

Session = list[tuple[int, bytes]]

NUMBERS = [b"0", b"1", b"-1", b"3", b"100", b"9223372036854775807", b"-9223372036854775808", b"1.5"]
WORDS = [b"*", b"", b"NX", b"EX", b"PX", b"GET", b"COUNT", b"MATCH", b"TYPE", b"LIMIT", b"REPLACE"]
NAMES = [b"a", b"b", b"c", b"\x00\xff\r\n", b"key", b"default", b"value" * 30]
ARGUMENTS = st.lists(st.sampled_from(NUMBERS + WORDS + NAMES), max_size=6)

#: Changes of a connection's state, tried more often than by chance.
STATE = st.sampled_from(
    [
        (b"MULTI",),
        (b"EXEC",),
        (b"DISCARD",),
        (b"WATCH", b"a"),
        (b"HELLO", b"2"),
        (b"HELLO", b"3"),
        (b"HELLO", b"4"),
        (b"HELLO", b"3", b"SETNAME", b"fuzz"),
        (b"CLIENT", b"REPLY", b"OFF"),
        (b"CLIENT", b"REPLY", b"SKIP"),
        (b"CLIENT", b"REPLY", b"ON"),
        (b"SELECT", b"1"),
        (b"RESET",),
        (b"QUIT",),
    ]
)


def sessions(commands: list[bytes]) -> SearchStrategy[Session]:
    """Chunks of bytes for three connections, cut from pipelines at arbitrary places."""
    words = st.sampled_from(commands).map(lambda name: tuple(name.split(b"|")))
    request = st.one_of(
        STATE, st.tuples(words, ARGUMENTS).map(lambda parts: (*parts[0], *parts[1]))
    )
    pipeline = st.lists(request, min_size=1, max_size=8).map(
        lambda requests: b"".join(encode(*arguments) for arguments in requests)
    )
    pieces = st.tuples(pipeline, st.integers(0, 200)).map(
        lambda cut: [cut[0][: cut[1]], cut[0][cut[1] :]]
    )
    chunks = st.tuples(st.integers(0, 2), pieces).map(
        lambda sent: [(sent[0], piece) for piece in sent[1] if piece]
    )
    return st.lists(chunks, min_size=1, max_size=10).map(
        lambda parts: list(chain.from_iterable(parts))
    )


@pytest.fixture
def commands(client: Client) -> list[bytes]:
    """Every command and sub-command of the server that may be tried."""
    documents = client.call("COMMAND")
    assert isinstance(documents, list)
    names: list[bytes] = []
    for entry in documents:
        if "blocking" in entry[2]:
            continue  # waits for other clients
        names += [sub[0] for sub in entry[9]] or [entry[0]]
    tried = [n for n in names if n not in LEFT_OUT and n.partition(b"|")[0] not in LEFT_OUT]
    assert len(tried) > 60
    return sorted(tried)


def last_word(client: Client, sent: bytes) -> None:
    """The connection answers a last question; after QUIT it ends (with ours, if need be)."""
    marker = b"last word of a session"
    request = encode("RESET") + encode("ECHO", marker)
    if b"QUIT" in sent.upper():
        client.send_last(request)
        client.read_to_end()
    else:
        client.send(request)
        answer = client.read_to_end(marker)
        assert marker in answer, answer[-200:]


def run(server: ServerProcess, session: Session) -> None:
    """One session, and proof that the server is still well."""
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(server, timeout=10.0)) for _ in range(3)]
        sent = [b"", b"", b""]
        for number, chunk in session:
            sent[number] += chunk
            with suppress(BrokenPipeError, ConnectionResetError):  # after QUIT
                clients[number].send(chunk)
        for client, data in zip(clients, sent, strict=True):
            last_word(client, data)
        newcomer = stack.enter_context(connect(server))
        assert newcomer.call("PING") == "PONG"


@pytest.fixture
def well(server: ServerProcess) -> Iterator[None]:
    with stays_well(server, memory=96_000_000):
        yield


# Without shrinking: a failure here is often one of waiting, and hundreds of those take hours.
BOUNDS = settings(
    max_examples=150,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def test_sessions(server: ServerProcess, commands: list[bytes], well: None) -> None:
    @BOUNDS
    @given(session=sessions(commands))
    def play(session: Session) -> None:
        run(server, session)

    play()


@pytest.mark.soak
@pytest.mark.timeout(SOAK_SECONDS + 300)
def test_sessions_soak(server: ServerProcess, commands: list[bytes], well: None) -> None:
    """New sessions until the time is over."""

    @settings(BOUNDS, derandomize=False)
    @given(session=sessions(commands))
    def play(session: Session) -> None:
        run(server, session)

    deadline = time.monotonic() + SOAK_SECONDS
    while time.monotonic() < deadline:
        play()
