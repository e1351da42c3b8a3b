"""The transcripts beside this file, played by redis-server 7.2.6 when they were written."""

from pathlib import Path

import pytest

from hypercache.testing.engine import EngineHarness
from tests.support.played import played
from tests.support.transcripts import Section, load

SECTIONS = [
    section
    for path in sorted((Path(__file__).parent / "transcripts").glob("*.txt"))
    for section in load(path)
]


@pytest.mark.parametrize("section", SECTIONS, ids=str)
def test_transcript(harness: EngineHarness, section: Section) -> None:
    assert played(harness, section) == section.written()
