"""The transcripts beside this file, played by redis-server 7.2.6 when they were written."""

from pathlib import Path

import pytest

from hypercache.testing.engine import NOTHING, EngineHarness, HarnessClient
from tests.support.transcripts import RESP3, Section, load

SECTIONS = [
    section
    for path in sorted((Path(__file__).parent / "transcripts").glob("*.txt"))
    for section in load(path)
]


@pytest.mark.parametrize("section", SECTIONS, ids=str)
def test_transcript(harness: EngineHarness, section: Section) -> None:
    clients: dict[str, HarnessClient] = {"": harness.first}

    def send(name: str, arguments: list[bytes]) -> object:
        if name not in clients:
            clients[name] = harness.client(3 if name.startswith(RESP3) else 2)
        reply = clients[name].command(*arguments)
        if reply is NOTHING:
            harness.advance(1000)
            (reply,) = clients[name].replies()
        return reply

    assert section.play(send) == section.written()
