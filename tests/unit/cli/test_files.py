"""``hypercache check`` with files of data: native snapshots and RDB files."""

from pathlib import Path

import pytest

from hypercache.persistence.capture import Capture
from hypercache.persistence.file_system import FileSystem
from hypercache.persistence.rdb_writer import RdbEncoder
from hypercache.persistence.saving import save_now
from hypercache.testing.engine import EngineHarness
from tests.support.snapshots import save
from tests.unit.cli.conftest import Hypercache


@pytest.fixture
def engine() -> EngineHarness:
    harness = EngineHarness()
    for number in range(200):
        harness.command("SET", f"key:{number}", "value")
    return harness


@pytest.mark.parametrize("name", ["snapshot", "native", "rdb"])
def test_check_of_a_good_file(
    name: str, engine: EngineHarness, hypercache: Hypercache, tmp_path: Path
) -> None:
    if name == "rdb":
        save_now(Capture(engine.engine, RdbEncoder()), tmp_path / "file", FileSystem())
    else:
        save(engine.engine, tmp_path / "file")
    outcome = hypercache("check", name, "file")
    assert (outcome.status, outcome.out) == (0, "file: no problems found\n")
    assert "check: 100 %" in outcome.err


def test_check_and_fix_of_a_damaged_snapshot(
    engine: EngineHarness, hypercache: Hypercache, tmp_path: Path
) -> None:
    path = save(engine.engine, tmp_path / "a.hcs")
    data = path.read_bytes()
    path.write_bytes(data[:-3])
    outcome = hypercache("check", "snapshot", "a.hcs")
    assert outcome.status == 1
    assert outcome.out.splitlines() == [
        f"a.hcs: offset {data.rindex(b'HCF') - 1}: the file ends amid a frame",
        f"a.hcs: offset {len(data) - 3}: the file ends without the frame that ends a snapshot",
        "a.hcs: damaged; with --fix what can be saved of it is saved",
    ]
    outcome = hypercache("check", "snapshot", "a.hcs", "--fix")
    assert outcome.status == 0
    assert outcome.out.splitlines()[2:] == [
        "a.hcs: 200 of 200 keys are left, 0 are lost",
        "a.hcs: repaired; the damaged file is kept as a.hcs.damaged",
        "a.hcs: it can be loaded now",
    ]
    assert hypercache("check", "snapshot", "a.hcs").status == 0


def test_fix_of_what_cannot_be_saved(hypercache: Hypercache, tmp_path: Path) -> None:
    (tmp_path / "a.hcs").write_text("text")
    outcome = hypercache("check", "snapshot", "--fix", "a.hcs")
    assert outcome.status == 1
    assert outcome.out == "a.hcs: this is no snapshot in the native format\n"


@pytest.mark.parametrize(
    ("words", "status", "complaint"),
    [
        (("snapshot", "gone"), 1, "hypercache check: gone is not there\n"),
        (("drawer", "store", "--fix"), 2, "'drawer' has no --fix: it is for files of data"),
        (("watcher", "file"), 1, "backend 'watcher' is not installed"),
        (("snapshot",), 2, "an argument is missing"),
        (("snapshot", "file", "--repair"), 2, "unknown option '--repair'"),
    ],
)
def test_what_cannot_be_checked(
    hypercache: Hypercache, words: tuple[str, ...], status: int, complaint: str
) -> None:
    outcome = hypercache("check", *words)
    assert outcome.status == status
    assert complaint in outcome.err
