"""The differential tests on LMDB: every reply must be the one that redis-server gives.

Fewer examples than on memory (`test_machine`, `test_commands`); ``pytest -m soak`` plays as many.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypercache.testing.pytest_plugin import emptied
from hypercache.testing.server import ServerProcess
from tests.differential.rivals import Rivals
from tests.differential.test_commands import (
    COMMANDS,
    LASTING,
    PROTOCOLS,
    Request,
    Step,
    bounded,
    steps,
)
from tests.machine.duel import Duel, SocketSide
from tests.machine.machine import play_bounded, registry, soak
from tests.machine.peers import TARGET, limits, version
from tests.machine.script import Script, is_exercised
from tests.support.folders import quick_folder
from tests.support.servers import server_process

REGISTRY = registry()
#: Small enough for checkpoints to happen all the time.
SETTINGS = {"backend": "lmdb", "backend-settings.log_size": "262144"}


@pytest.fixture(scope="module")
def _lmdb_server() -> Iterator[ServerProcess]:
    with quick_folder() as folder, server_process(SETTINGS, directory=Path(folder)) as server:
        yield server


@pytest.fixture
def server(_lmdb_server: ServerProcess) -> Iterator[ServerProcess]:
    yield from emptied(_lmdb_server)


@pytest.fixture
def duel(server: ServerProcess, peer: ServerProcess) -> Iterator[Duel]:
    ours, theirs = SocketSide(server), SocketSide(peer)
    yield Duel(REGISTRY, ours, theirs, older=version(peer) < TARGET)
    ours.close()
    theirs.close()


@pytest.fixture
def script(peer: ServerProcess) -> Script:
    commands = [each for each in REGISTRY.every() if is_exercised(each)]
    return Script(commands, limits(peer, commands))


@pytest.fixture
def rivals(server: ServerProcess, peer: ServerProcess) -> Iterator[Rivals]:
    opened = Rivals(server, peer)
    yield opened
    opened.close()


def test_every_command_answers_as_redis_does(duel: Duel, script: Script) -> None:
    play_bounded(duel, script, examples=3, sequences=6)


@bounded(40)
@given(protocol=PROTOCOLS, sequence=steps(COMMANDS, 30))
def test_commands(rivals: Rivals, protocol: int, sequence: list[Step]) -> None:
    rivals.play(protocol, sequence)


@bounded(20)
@given(protocol=PROTOCOLS, requests=st.lists(LASTING, min_size=1, max_size=60))
def test_pipelines(rivals: Rivals, protocol: int, requests: list[Request]) -> None:
    rivals.play_at_once(protocol, requests)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_soak(duel: Duel, script: Script) -> None:
    soak(duel, script)
