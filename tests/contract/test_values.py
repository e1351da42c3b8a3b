"""Single values, in memory and over ordered keys: long sequences of calls, answer by answer.

`test_state_machine` has many keys and units beside; here a sequence goes deep into one value.
"""

from typing import cast

import pytest
from hypercache_memory import MemoryBackend
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from hypercache.backend import KIND_NAMES, Backend, Value
from hypercache.keyspace.kv_backend import KVBackend
from hypercache.testing import SortedDictKV
from tests.contract.value_calls import CALLS, Step, content, steps
from tests.support.once import share_of

KEY = b"key"
# Cutting a failure down would take longer than a test may.
PHASES = (Phase.explicit, Phase.generate)


class Pair:
    """The same value in both backends, one of them with short keys."""

    def __init__(self, kind: int) -> None:
        kv = KVBackend(SortedDictKV(max_key_size=64), salt=b"8 bytes!")
        backends: tuple[Backend, Backend] = (MemoryBackend(), kv)
        self.databases = [backend.open(1)[0] for backend in backends]
        self.values = [cast(Value, database.create(KEY, kind).value) for database in self.databases]

    def perform(self, step: Step) -> None:
        """Make a call on both values; neither may tell which one it is."""
        seen = []
        for database, value in zip(self.databases, self.values, strict=True):
            before = value.memory()
            answer = step.perform(value)
            database.adjust(KEY, before, value.memory())
            seen.append((answer, value.changes, value.length(), value.encoding()))
        assert seen[0] == seen[1], step

    def compare(self) -> None:
        """All that is in the values, and whether it is stored consistently."""
        assert content(self.values[0]) == content(self.values[1])
        for database in self.databases:
            assert database.check() == []


@pytest.mark.parametrize("kind", range(len(KIND_NAMES)), ids=KIND_NAMES)
def test_calls_on_one_value_answer_the_same(kind: int) -> None:
    @settings(max_examples=share_of(40), deadline=None, derandomize=True, phases=PHASES)
    @given(st.lists(steps(kind), min_size=10, max_size=80))
    def run(calls: list[Step]) -> None:
        pair = Pair(kind)
        for number, step in enumerate(calls):
            pair.perform(step)
            if number % 16 == 15:
                pair.compare()
        pair.compare()

    run()


@pytest.mark.parametrize("contract", CALLS, ids=lambda contract: contract.__name__)
def test_every_method_of_every_contract_is_called(contract: type) -> None:
    general = set(vars(Value))
    methods = {name for name in vars(contract) if not name.startswith("_")} - general
    assert set(CALLS[contract][1]) == methods
