"""Journal sinks that tests look into and acknowledge by hand."""

from hypercache.engine.journal import OTHER, Record, Sink
from hypercache.testing.engine import EngineHarness


class MemorySink(Sink):
    """Keeps all records. ``prompt``: they are safe at once, as with an fsync in `write`."""

    def __init__(self, name: str = "memory", role: int = OTHER, *, prompt: bool = False) -> None:
        super().__init__(name, role)
        self.records: list[Record] = []
        self.prompt = prompt

    def write(self, records: list[Record]) -> None:
        self.records += records
        if self.prompt:
            self.safe = records[-1].offset

    def commands(self) -> list[list[bytes]]:
        """All effects so far, as commands."""
        return [effect.args for record in self.records for effect in record.effects]

    def last(self) -> int:
        """The offset up to which it has records."""
        return self.records[-1].offset if self.records else self.since


def acknowledge(harness: EngineHarness, sink: Sink, offset: int | None = None) -> None:
    """A sink is safe up to an offset, or up to all that there is."""
    sink.safe = harness.engine.journal.offset if offset is None else offset
    harness.engine.gates_moved()
