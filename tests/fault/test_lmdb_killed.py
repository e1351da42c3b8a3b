"""kill -9 at any moment under an LMDB server: what was acknowledged is there, nothing is torn.

``pytest -m soak`` goes on for HYPERCACHE_SOAK_SECONDS (600), from HYPERCACHE_SOAK_SEED.
"""

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from hypercache_lmdb import LMDBBackend, LMDBSettings
from hypercache_lmdb.tools import LMDBTools

from hypercache.backend_tools import unheard
from hypercache.testing.server import ServerProcess
from tests.machine.killed import Killed
from tests.machine.machine import registry
from tests.machine.script import Limits, Script
from tests.support.folders import copy_sparse, quick_folder
from tests.support.servers import StartServer

KILLS: Final = 2
SOAK_SECONDS: Final = int(os.environ.get("HYPERCACHE_SOAK_SECONDS", "600"))
SOAK_SEED: Final = os.environ.get("HYPERCACHE_SOAK_SEED", "")
SETTINGS: Final = {
    "backend": "lmdb",
    "databases": "2",
    "backend-settings.log_size": "65536",
    "backend-settings.map_size": "1048576",
    "save": "",
}
REGISTRY: Final = registry()
#: As where both backends run in one process (tests/contract/test_machine.py); and WAITAOF tells
#: that a store has what memory has not.
LIMITS: Final = Limits(
    frozenset({b"object|idletime", b"waitaof"}), {b"xadd": {b"~"}, b"xtrim": {b"~"}}
)


def problems(directory: Path) -> list[str]:
    """What is wrong in the store of a server's folder, as it is and after a sweep."""
    with quick_folder() as temporary:
        copied = Path(temporary) / "lmdb"
        copy_sparse(directory / "lmdb", copied)
        wrong = LMDBTools().check(copied, unheard)
        backend = LMDBBackend(LMDBSettings(path=str(copied)))
        databases = backend.open(2)
        while backend.reclaim(10_000):
            pass
        assert backend.statistics()["lazyfree_pending_objects"] == 0
        wrong += [each for database in databases for each in database.check()]
        backend.close()
        return wrong + LMDBTools().check(copied, unheard)


@pytest.fixture(params=["everysec", "always"])
def server(start_server: StartServer, request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
    with quick_folder() as temporary:
        folder = Path(temporary)
        yield start_server(SETTINGS | {"backend-settings.sync": request.param}, directory=folder)


def play(server: ServerProcess, seed: str, kills: int, seconds: float) -> Killed:
    """Kill a server so often, or as often as there is time for."""
    script = Script(REGISTRY.every(), LIMITS)
    killed = Killed(server, REGISTRY, script, problems, seed)
    deadline = time.monotonic() + seconds
    try:
        while killed.kills < kills and time.monotonic() < deadline:
            killed.round()
    except AssertionError as error:
        raise AssertionError(f"HYPERCACHE_SOAK_SEED={seed}: {error}") from error
    finally:
        killed.close()
    return killed


def test_what_was_acknowledged_survives(server: ServerProcess) -> None:
    killed = play(server, "bounded", KILLS, 60)
    assert killed.kills == KILLS
    assert killed.requests > 10 * KILLS


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_soak(server: ServerProcess) -> None:
    seed = SOAK_SEED or str(random.SystemRandom().randrange(10**9))
    print(f"\nHYPERCACHE_SOAK_SEED={seed}, {SOAK_SECONDS} seconds", flush=True)
    killed = play(server, seed, 1_000_000, SOAK_SECONDS)
    print(f"{killed.kills} kills, {killed.requests:,} requests in their last moments")
