"""Transcripts played on an engine without a server."""

from hypercache.testing.engine import EngineHarness, HarnessClient
from hypercache.testing.resp import encode
from tests.support.transcripts import RESP3, Section


def played(harness: EngineHarness, section: Section) -> str:
    """The section as it goes with this engine; fails where more replies come than are asked for."""
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

    text = section.play(send, receive)
    for name, client in clients.items():
        assert received[name] + client.replies() == []
    return text
