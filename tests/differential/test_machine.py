"""A state machine of all data commands: every reply must be the one that redis-server gives.

The commands and their arguments come from the registry, so a command is tried from the day on
which it is declared, and one that never does anything here fails. See tests/machine.

``pytest -m soak`` plays HYPERCACHE_SOAK_COMMANDS requests (ten million), in sequences that
HYPERCACHE_SOAK_SEED determines; what it prints for a failure is replayed by "SEED/NUMBER".
"""

from collections.abc import Iterator

import pytest

from hypercache.testing.server import ServerProcess
from tests.machine.duel import Duel, SocketSide
from tests.machine.machine import UNFRUITFUL, play_bounded, registry, soak
from tests.machine.peers import OLDER, OLDER_DIVERGES, TARGET, limits, version
from tests.machine.script import LEFT_OUT, Script, is_exercised

REGISTRY = registry()


@pytest.fixture
def duel(server: ServerProcess, peer: ServerProcess) -> Iterator[Duel]:
    ours, theirs = SocketSide(server), SocketSide(peer)
    yield Duel(REGISTRY, ours, theirs, older=version(peer) < TARGET)
    ours.close()
    theirs.close()


@pytest.fixture
def script(peer: ServerProcess) -> Script:
    """Units of the commands and words that the peer knows."""
    commands = [each for each in REGISTRY.every() if is_exercised(each)]
    return Script(commands, limits(peer, commands))


def test_every_command_answers_as_redis_does(duel: Duel, script: Script) -> None:
    play_bounded(duel, script)
    fruitless = [each.name for each in script.commands if not duel.account.fruitful[each.name]]
    assert sorted(set(fruitless) - set(UNFRUITFUL)) == [], "never did anything: tests/machine"


def test_lists_name_commands_that_exist() -> None:
    """And what is left out or let pass has a reason."""
    known = {each.name for each in REGISTRY.every()}
    assert set(UNFRUITFUL) <= known
    assert set(LEFT_OUT) <= known
    assert set(OLDER) | set(OLDER_DIVERGES) <= known


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_soak(duel: Duel, script: Script) -> None:
    soak(duel, script)
