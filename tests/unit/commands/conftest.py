"""Every command test runs on both backends: the dict and the sorted keys and values."""

from collections.abc import Iterator

import pytest
from hypercache_memory import MemoryBackend

from hypercache.backend import Backend
from hypercache.keyspace.kv_backend import KVBackend
from hypercache.testing import SortedDictKV
from hypercache.testing.engine import EngineHarness

BACKENDS = ("memory", "kv")


def make_backend(name: str) -> Backend:
    """A new, empty backend."""
    return MemoryBackend() if name == "memory" else KVBackend(SortedDictKV())


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """The name of the backend that a test runs on."""
    return str(request.param)


@pytest.fixture
def harness(backend: str) -> Iterator[EngineHarness]:
    """An engine and its first client; what it has stored must be consistent in the end."""
    harness = EngineHarness(make_backend(backend))
    yield harness
    for keyspace in harness.engine.keyspaces:
        assert keyspace.store.check() == []
    harness.close()
