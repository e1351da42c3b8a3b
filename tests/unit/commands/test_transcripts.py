"""The transcripts beside this file, played by redis-server 7.2.6 when they were written."""

from pathlib import Path

import pytest

from hypercache.testing.engine import EngineHarness, HarnessClient
from hypercache.testing.resp import encode
from tests.support.transcripts import RESP3, Section, load

SECTIONS = [
    section
    for path in sorted((Path(__file__).parent / "transcripts").glob("*.txt"))
    for section in load(path)
]


@pytest.mark.parametrize("section", SECTIONS, ids=str)
def test_transcript(harness: EngineHarness, section: Section) -> None:
    clients: dict[str, HarnessClient] = {"": harness.first}

    received: dict[str, list[object]] = {"": []}

    def send(name: str, arguments: list[bytes]) -> None:
        if name not in clients:
            clients[name] = harness.client(3 if name.startswith(RESP3) else 2)
            clients[name].received()
            received[name] = []
        clients[name].send(encode(*arguments))

    def receive(name: str) -> object:
        received[name] += clients[name].replies()
        if not received[name]:
            harness.advance(1000)
            received[name] += clients[name].replies()
        return received[name].pop(0)

    assert section.play(send, receive) == section.written()
    for name, client in clients.items():
        assert received[name] + client.replies() == []
