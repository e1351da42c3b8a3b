"""The transcripts of the command tests are true: redis-server plays them in the same way."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from hypercache.testing.server import ServerProcess
from tests.support.resp import Client, connect
from tests.support.transcripts import Section, load

FOLDER = Path(__file__).parent.parent / "unit" / "commands" / "transcripts"
# The peer is Redis 7.0; the transcripts show 7.2.
NEW_IN_7_2 = ("WAITAOF",)
SECTIONS = [
    section
    for path in sorted(FOLDER.glob("*.txt"))
    for section in load(path)
    if not any(step.arguments[0].decode() in NEW_IN_7_2 for step in section.steps)
]


@pytest.fixture
def clients(peer: ServerProcess) -> Iterator["Clients"]:
    with Clients(peer) as clients:
        yield clients


class Clients(ExitStack):
    """Connections by the names that a transcript gives them."""

    def __init__(self, server: ServerProcess) -> None:
        super().__init__()
        self._server = server
        self._connections: dict[str, Client] = {}

    def send(self, name: str, arguments: list[bytes]) -> object:
        """Send a request as that client."""
        if name not in self._connections:
            self._connections[name] = self.enter_context(connect(self._server))
        return self._connections[name].call(*arguments)


@pytest.mark.parametrize("section", SECTIONS, ids=str)
def test_transcript_is_true(clients: Clients, section: Section) -> None:
    assert section.play(clients.send) == section.written()
