"""``hypercache convert``: the same data in another format."""

from pathlib import Path

import pytest

from hypercache.backend_tools import unheard
from hypercache.persistence.loader import Loader
from hypercache.persistence.rdb_tools import RdbTools
from hypercache.testing.engine import EngineHarness
from tests.support.contents import values
from tests.support.snapshots import KeptLibraries, fill, loaded, save
from tests.unit.cli.conftest import Hypercache

LIBRARY = b"#!lua name=lib\nredis.register_function('f', function() return 1 end)\n"


@pytest.fixture(scope="module")
def harness() -> EngineHarness:
    made = EngineHarness()
    made.clock.now = 4_000_000_000_000_000  # so that nothing has expired when this is run
    fill(made)
    made.engine.libraries = KeptLibraries(LIBRARY)
    return made


def test_there_and_back(harness: EngineHarness, hypercache: Hypercache, tmp_path: Path) -> None:
    save(harness.engine, tmp_path / "a.hcs")
    keys = len(values(harness.engine))
    outcome = hypercache("convert", "a.hcs", "b.rdb")
    assert (outcome.status, outcome.out) == (
        0,
        f"a.hcs (native): {keys} keys\nb.rdb (rdb): written\n",
    )
    assert "load: 100 %" in outcome.err
    assert f"100 % ({keys} of {keys})" in outcome.err
    outcome = hypercache("convert", "b.rdb", "appendonlydir")
    assert outcome.out == f"b.rdb (rdb): {keys} keys\nappendonlydir (aof): written\n"
    outcome = hypercache("convert", "appendonlydir", "c", "--to", "native")
    assert outcome.out == f"appendonlydir (aof): {keys} keys\nc (native): written\n"
    found = loaded(tmp_path / "c")
    assert values(found.engine) == values(harness.engine)
    assert found.engine.libraries.sources() == [LIBRARY]


@pytest.mark.parametrize("version", ["10", "11"])
def test_version_of_rdb_files(
    version: str, harness: EngineHarness, hypercache: Hypercache, tmp_path: Path
) -> None:
    small = EngineHarness()
    small.command("SET", "key", "value")
    save(small.engine, tmp_path / "a.hcs")
    hypercache("convert", "a.hcs", "b.rdb", f"--rdb-version={version}")
    assert (tmp_path / "b.rdb").read_bytes()[:9] == f"REDIS00{version}".encode()
    other = EngineHarness()
    loader = Loader(other.engine)
    loader.begin()
    RdbTools().load(tmp_path / "b.rdb", loader, unheard)
    loader.end()
    assert values(other.engine) == values(small.engine)


def test_expired_keys_are_told_of(hypercache: Hypercache, tmp_path: Path) -> None:
    harness = EngineHarness()
    harness.command("SET", "key", "value")
    harness.command("SET", "leaving", "value", "PX", 1)
    save(harness.engine, tmp_path / "a.hcs")
    outcome = hypercache("convert", "a.hcs", "b.rdb")
    assert outcome.out.startswith("a.hcs (native): 1 keys (1 expired ones were left out)\n")


def test_damaged_source_leaves_nothing(
    harness: EngineHarness, hypercache: Hypercache, tmp_path: Path
) -> None:
    path = save(harness.engine, tmp_path / "a.hcs")
    path.write_bytes(path.read_bytes()[:-3])
    outcome = hypercache("convert", "a.hcs", "b.rdb")
    assert outcome.status == 1
    assert outcome.err.splitlines()[-1].startswith("hypercache convert: a.hcs: damaged at offset ")
    assert not (tmp_path / "b.rdb").exists()


@pytest.mark.parametrize(
    ("words", "status", "complaint"),
    [
        (("gone", "b.rdb"), 1, "gone is not there"),
        (("text", "b.rdb"), 1, "text is in none of the formats "),
        (("text", "text", "--to", "rdb"), 1, "text is there already: move it away"),
        (("text", "b"), 2, "the name 'b' tells no format: say --to"),
        (("text", "b", "--to", "csv"), 2, "there is no format 'csv' (there are: "),
        (("text", "b", "--to"), 2, "--to has no value"),
        (("text", "b", "--to", "rdb", "--to=rdb"), 2, "--to is there twice"),
        (("text", "b.rdb", "--rdb-version", "9"), 2, "--rdb-version is 10 (Redis 7.0) or 11"),
        (("text",), 2, "an argument is missing"),
    ],
)
def test_what_cannot_be_converted(
    hypercache: Hypercache, words: tuple[str, ...], status: int, complaint: str, tmp_path: Path
) -> None:
    (tmp_path / "text").write_text("text")
    outcome = hypercache("convert", *words)
    assert outcome.status == status
    assert complaint in outcome.err
    assert outcome.out == ""
