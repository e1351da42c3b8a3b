"""SIGKILL at any moment: what a server has promised to keep is there, in order and whole.

``make soak-kill`` plays HYPERCACHE_SOAK_ROUNDS (300) rounds, from HYPERCACHE_SOAK_SEED; tests
here play a few of them.
"""

import os
import random
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from hypercache.persistence.saving import TEMPORARY
from tests.support.faults import Orders
from tests.support.folders import quick_folder
from tests.support.killing.ledger import ALWAYS, EVERYSEC, Lost, Promise
from tests.support.killing.rounds import (
    Disturb,
    Rounds,
    Totals,
    amid_operations,
    command,
    commands,
    quiet,
    snapshots,
)
from tests.support.servers import RedisProcess, StartServer

ROUNDS: Final = int(os.environ.get("HYPERCACHE_SOAK_ROUNDS", "300"))
SEED: Final = os.environ.get("HYPERCACHE_SOAK_SEED") or str(random.SystemRandom().randrange(10**9))


@dataclass(frozen=True)
class Phase:
    """What a server is killed amid, and what it keeps. ``ballast`` keys make its files larger."""

    disturb: Disturb
    settings: dict[str, str]
    promise: Promise = ALWAYS
    ballast: int = 0
    #: Instead of ``disturb``: at operations on files after this command.
    amid: str = ""


def appending(policy: str, **more: str) -> dict[str, str]:
    """The settings of an append-only file."""
    return {"save": "", "appendonly": "yes", "appendfsync": policy} | more


PHASES: Final = {
    "always": Phase(quiet, appending("always")),
    "everysec": Phase(quiet, appending("everysec"), EVERYSEC),
    "always, amid a rewrite": Phase(command("BGREWRITEAOF"), appending("always"), ballast=20_000),
    "everysec, amid a rewrite": Phase(
        command("BGREWRITEAOF"), appending("everysec"), EVERYSEC, 20_000
    ),
    "always, amid a snapshot": Phase(command("BGSAVE"), appending("always"), ballast=20_000),
    "everysec, amid rotations": Phase(commands("BGREWRITEAOF"), appending("everysec"), EVERYSEC),
    "always, at operations of a rewrite": Phase(
        quiet, appending("always"), ballast=500, amid="BGREWRITEAOF"
    ),
    "everysec, at operations of a rewrite": Phase(
        quiet, appending("everysec"), EVERYSEC, 500, amid="BGREWRITEAOF"
    ),
    "always, at operations of a snapshot": Phase(
        quiet, appending("always"), ballast=500, amid="BGSAVE"
    ),
    "snapshots, at operations": Phase(
        quiet, {"save": ""}, Promise("nothing", since=0.0), 500, amid="BGSAVE"
    ),
    "snapshots": Phase(snapshots, {"save": ""}, ballast=2_000),
    "snapshots, rdb": Phase(snapshots, {"save": "", "snapshot-format": "rdb"}, ballast=2_000),
    "lmdb": Phase(quiet, {"backend": "lmdb", "save": "", "backend-settings.sync": "always"}),
}
SHORT: Final = ("always, at operations of a rewrite", "snapshots")


def play(start_server: StartServer, phase: Phase, seed: str, rounds: int) -> Totals:
    """Rounds with a server of ours."""
    with quick_folder() as temporary:
        folder = Path(temporary) / "data"
        folder.mkdir()
        orders = Orders(folder, Path(temporary) / "modules") if phase.amid else None
        wrapper = orders.wrapper if orders else []
        server = start_server(phase.settings, directory=folder, wrapper=wrapper)
        disturb = amid_operations(orders, phase.amid) if orders else phase.disturb
        game = Rounds(server, seed, disturb, phase.promise, phase.ballast, orders=orders)
        totals = game.play(rounds)
        expect_tidy(folder)
        return totals


def expect_tidy(folder: Path) -> None:
    """No file is left behind that is only for a while, and nobody else may read the others."""
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "server.output":
            assert not path.name.endswith(TEMPORARY), path
            assert path.stat().st_mode & 0o777 == 0o600, path


@pytest.mark.parametrize("name", SHORT)
def test_what_was_promised_survives(start_server: StartServer, name: str) -> None:
    totals = play(start_server, PHASES[name], SEED, 2)
    assert totals.writes > 50


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", PHASES)
def test_soak(start_server: StartServer, name: str) -> None:
    print(f"\n{name}: HYPERCACHE_SOAK_SEED={SEED}", flush=True)
    print(play(start_server, PHASES[name], SEED, -(-ROUNDS // len(PHASES))), flush=True)


# That the harness would notice ----------------------------------------------------------------


@pytest.fixture
def stranger(tmp_path: Path) -> RedisProcess:
    """A redis-server with an append-only file."""
    return RedisProcess(settings=appending("always"), directory=tmp_path)


def test_redis_keeps_its_promise(stranger: RedisProcess) -> None:
    with stranger:
        assert Rounds(stranger, SEED).play(2).missing == 0


def test_a_cut_file_is_noticed(stranger: RedisProcess) -> None:
    """Some bytes less at the end of the file, and the last acknowledged writes are missing."""

    def cut(folder: Path) -> None:
        (path,) = folder.glob("appendonlydir/*.incr.aof")
        os.truncate(path, path.stat().st_size - 2_000)

    with stranger, pytest.raises(Lost, match=r"promised|in their order"):
        Rounds(stranger, "cut", tamper=cut).play(1)


def test_a_hole_in_a_file_is_noticed(stranger: RedisProcess) -> None:
    """Commands less in the middle of the file, and no number of writes leads there."""

    def remove(folder: Path) -> None:
        (path,) = folder.glob("appendonlydir/*.incr.aof")
        text = path.read_bytes()
        left = re.sub(rb"\*3\r\n\$6\r\nINCRBY\r\n\$2\r\nn.\r\n\$1\r\n.\r\n", b"", text)
        assert left != text
        path.write_bytes(left)

    with stranger, pytest.raises(Lost, match="no number in their order"):
        Rounds(stranger, "hole", tamper=remove).play(1)
