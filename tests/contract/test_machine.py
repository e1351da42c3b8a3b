"""A state machine of all data commands on both backends: clients cannot tell them apart.

The same as tests/differential/test_machine.py, between two engines in this process: here the
commands that no redis-server knows are compared as well, and time passes.
"""

from collections.abc import Iterator

import pytest

from hypercache.keyspace.kv_backend import KVBackend
from hypercache.testing import SortedDictKV
from hypercache.testing.engine import EngineHarness
from tests.machine.duel import Duel, EngineSide
from tests.machine.machine import UNFRUITFUL, play_bounded, registry, soak
from tests.machine.script import Limits, Script

REGISTRY = registry()
#: How much a trim takes off that need not be exact is each backend's own affair, and so is
#: whether it knows when a key was last used.
LIMITS = Limits(frozenset({b"object|idletime"}), {b"xadd": {b"~"}, b"xtrim": {b"~"}})
SCRIPT = Script(REGISTRY.every(), LIMITS)


@pytest.fixture
def harnesses() -> Iterator[tuple[EngineHarness, EngineHarness]]:
    """An engine on each backend; the data that they end with must be consistent."""
    memory = EngineHarness()
    kv = EngineHarness(KVBackend(SortedDictKV(max_key_size=64)))
    yield memory, kv
    for harness in (memory, kv):
        for keyspace in harness.engine.keyspaces:
            assert keyspace.store.check() == []
        harness.close()


@pytest.fixture
def duel(harnesses: tuple[EngineHarness, EngineHarness]) -> Duel:
    memory, kv = harnesses
    return Duel(REGISTRY, EngineSide(memory), EngineSide(kv))


def test_backends_answer_the_same(duel: Duel) -> None:
    play_bounded(duel, SCRIPT, examples=10, sequences=12)
    fruitless = [each.name for each in SCRIPT.commands if not duel.account.fruitful[each.name]]
    assert sorted(set(fruitless) - set(UNFRUITFUL)) == [], "never did anything: tests/machine"


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_soak(duel: Duel) -> None:
    soak(duel, SCRIPT)
