"""Random sequences of commands: every reply must be the one that redis-server gives.

The redis-server is the one in PATH, 7.0 in Debian 12; what our target, 7.2, changed lies
outside the commands tried here. Replies are compared byte by byte, errors too, apart from
what cannot be equal: the order of keys, random keys and the reading of clocks.

``make test`` runs a fixed number of fixed examples. ``pytest -m soak`` runs new ones for
``HYPERCACHE_SOAK_SECONDS`` seconds (600).
"""

import os
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from hypercache.testing.server import ServerProcess
from tests.differential.rivals import Rivals, ends_soon
from tests.differential.strategies import (
    COMMANDS,
    EXPIRY,
    KEY,
    STRINGS,
    TRANSACTIONS,
    VALUE,
    Request,
    request,
)
from tests.support.once import share_of

SOAK_SECONDS = int(os.environ.get("HYPERCACHE_SOAK_SECONDS", "600"))
Step = tuple[int, Request]

PROTOCOLS = st.sampled_from([2, 3])
SIMPLE = st.one_of(request("GET", KEY), request("SET", KEY, VALUE), request("DEL", KEY))
LASTING = COMMANDS.filter(lambda request: not ends_soon(request))


def steps(commands: SearchStrategy[Request], most: int) -> SearchStrategy[list[Step]]:
    """A sequence of requests, each with the number of the connection that sends it."""
    return st.lists(st.tuples(st.sampled_from([0, 0, 0, 1]), commands), min_size=1, max_size=most)


def bounded(examples: int) -> settings:
    """The same examples in every run."""
    return settings(
        max_examples=share_of(examples),
        derandomize=True,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


@pytest.fixture
def rivals(server: ServerProcess, peer: ServerProcess) -> Iterator[Rivals]:
    opened = Rivals(server, peer)
    yield opened
    opened.close()


@bounded(400)
@given(protocol=PROTOCOLS, sequence=steps(STRINGS, 20))
def test_strings(rivals: Rivals, protocol: int, sequence: list[Step]) -> None:
    rivals.play(protocol, sequence)


@bounded(300)
@given(protocol=PROTOCOLS, sequence=steps(st.one_of(EXPIRY, EXPIRY, STRINGS), 20))
def test_expiry(rivals: Rivals, protocol: int, sequence: list[Step]) -> None:
    rivals.play(protocol, sequence)


@bounded(300)
@given(protocol=PROTOCOLS, sequence=steps(st.one_of(TRANSACTIONS, SIMPLE, COMMANDS), 30))
def test_transactions(rivals: Rivals, protocol: int, sequence: list[Step]) -> None:
    rivals.play(protocol, sequence)


@bounded(400)
@given(protocol=PROTOCOLS, sequence=steps(COMMANDS, 30))
def test_all_commands(rivals: Rivals, protocol: int, sequence: list[Step]) -> None:
    rivals.play(protocol, sequence)


@bounded(150)
@given(protocol=PROTOCOLS, requests=st.lists(LASTING, min_size=1, max_size=60))
def test_pipelines(rivals: Rivals, protocol: int, requests: list[Request]) -> None:
    rivals.play_at_once(protocol, requests)


@pytest.mark.soak
@pytest.mark.timeout(SOAK_SECONDS + 300)
def test_soak(server: ServerProcess, peer: ServerProcess) -> None:
    """New examples until the time is over."""
    rivals = Rivals(server, peer)
    bounds = settings(bounded(200), derandomize=False, database=None)

    @bounds
    @given(protocol=PROTOCOLS, sequence=steps(COMMANDS, 60))
    def play(protocol: int, sequence: list[Step]) -> None:
        rivals.play(protocol, sequence)

    @bounds
    @given(protocol=PROTOCOLS, requests=st.lists(LASTING, min_size=20, max_size=100))
    def play_at_once(protocol: int, requests: list[Request]) -> None:
        rivals.play_at_once(protocol, requests)

    deadline = time.monotonic() + SOAK_SECONDS
    while time.monotonic() < deadline:
        play()
        play_at_once()
    rivals.close()
