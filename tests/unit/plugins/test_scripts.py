"""EVAL and SCRIPT: what redis-server answers, and what a transcript cannot show."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hypercache.testing.engine import EngineHarness
from tests.support.played import played
from tests.support.scripts import with_scripts
from tests.support.transcripts import Section, load

SECTIONS = [
    section
    for path in sorted((Path(__file__).parent / "script_transcripts").glob("*.txt"))
    for section in load(path)
]


@pytest.fixture
def harness() -> Iterator[EngineHarness]:
    """An engine with scripts."""
    harness = EngineHarness()
    with_scripts(harness)
    yield harness
    harness.close()


@pytest.mark.parametrize("section", SECTIONS, ids=str)
def test_scripts_behave_as_those_of_redis(harness: EngineHarness, section: Section) -> None:
    assert played(harness, section) == section.written()
