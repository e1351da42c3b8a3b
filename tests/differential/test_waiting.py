"""Clients that wait are served as redis-server serves them: whom, with what, in which order."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hypercache.testing.calls import Tape
from hypercache.testing.server import ServerProcess
from hypercache.testing.strategies import tapes
from tests.machine.machine import SOAK_SEED
from tests.machine.peers import TARGET, version
from tests.machine.waiting import play

SCENES = 3_000


@pytest.fixture
def servers(server: ServerProcess, peer: ServerProcess) -> tuple[ServerProcess, ServerProcess]:
    return server, peer


@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(protocol=st.sampled_from([2, 3]), tape=tapes(90))
def test_waits(servers: tuple[ServerProcess, ServerProcess], protocol: int, tape: Tape) -> None:
    play(servers, protocol, tape, version(servers[1]) >= TARGET)


def test_clients_are_served(servers: tuple[ServerProcess, ServerProcess]) -> None:
    """Random scenes do not pass because nobody ever gets anything."""
    source = random.Random(1)
    tape = Tape(source.randbytes(400))
    assert play(servers, 3, tape, version(servers[1]) >= TARGET) > 20


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_soak(servers: tuple[ServerProcess, ServerProcess]) -> None:
    seed = SOAK_SEED or str(random.SystemRandom().randrange(10**9))
    print(f"\nHYPERCACHE_SOAK_SEED={seed}, {SCENES:,} scenes", flush=True)
    source = random.Random(seed)
    for _ in range(SCENES):
        tape = Tape(source.randbytes(400))
        play(servers, source.choice((2, 3)), tape, version(servers[1]) >= TARGET)
