"""Clients that wait for keys, and what INFO says."""

from hypercache.testing.engine import NOTHING, EngineHarness, HarnessClient
from hypercache.testing.resp import Argument


def blocked(harness: EngineHarness, *arguments: Argument, version: int = 2) -> HarnessClient:
    """A new client that waits."""
    client = harness.client(version)
    assert client.command(*arguments) is NOTHING
    return client


def info(harness: EngineHarness, section: str, name: str) -> str:
    """A field of INFO."""
    reply = harness.command("INFO", section)
    assert isinstance(reply, bytes)
    fields = dict(line.split(":", 1) for line in reply.decode().split("\r\n") if ":" in line)
    return fields[name]


def stats(harness: EngineHarness, command: str) -> dict[str, str]:
    """What INFO commandstats says of a command; empty if it was never called."""
    reply = harness.command("INFO", "commandstats")
    assert isinstance(reply, bytes)
    for line in reply.decode().split("\r\n"):
        if line.startswith(f"cmdstat_{command}:"):
            return dict(field.split("=") for field in line.partition(":")[2].split(","))
    return {}
