"""The journal of effects, who consumes it, and the gates that hold replies back.

Everything that changes data becomes a `Record` with an offset, in the order of execution.
At the end of a round the journal hands the round's records to its sinks (an append-only
file, replicas). A sink tells, at once or later, up to which offset the records are safe
with it. A `ReplyGate` is a rule over such offsets, "fsynced" or "acknowledged by two
replicas": a client's replies leave once every gate has passed the offset of its last write.

``appendfsync always``, quorum writes, WAIT and WAITAOF are all this one mechanism.
"""

from typing import Final

from mypy_extensions import i64, mypyc_attr

from hypercache.keyspace.changes import Effect

# What a sink is to WAIT and WAITAOF.
OTHER: Final = 0
LOCAL_FILE: Final = 1
REPLICA: Final = 2


class Record:
    """The effects of one command or transaction: applied together or not at all.

    ``offset`` is the journal's offset after this record; it grows by one per effect.
    """

    __slots__ = ("effects", "offset")

    def __init__(self, offset: i64, effects: list[Effect]) -> None:
        self.offset = offset
        self.effects = effects


@mypyc_attr(allow_interpreted_subclasses=True)
class Sink:
    """A consumer of the journal.

    ``safe`` is the offset up to which the records are safe with it: acknowledged by a
    replica, synced to a local file. ``synced`` is what a replica says it has synced to its own
    file. Whoever moves them forward outside `write` calls `Engine.gates_moved`, so that
    replies are let go.
    """

    name: str
    role: int
    safe: i64
    synced: i64

    def __init__(self, name: str, role: int = OTHER) -> None:
        self.name = name
        self.role = role
        self.safe = 0
        self.synced = 0

    def write(self, records: list[Record]) -> None:
        """Take the records of a round, in order. Must not block nor raise for bad luck."""
        raise NotImplementedError


class ReplyGate:
    """Passed by offset n when at least ``needed`` of its sinks are safe up to n."""

    def __init__(self, sinks: list[Sink], needed: int) -> None:
        self.sinks = sinks
        self.needed = needed

    def passed(self) -> int:
        """The highest offset that has passed."""
        if self.needed > len(self.sinks):
            return -1
        offsets: list[int] = [sink.safe for sink in self.sinks]
        offsets.sort(reverse=True)
        return offsets[self.needed - 1] if self.needed > 0 else 1 << 62

    def count(self, offset: i64) -> int:
        """How many of the sinks are safe up to an offset."""
        count = 0
        for sink in self.sinks:
            if sink.safe >= offset:
                count += 1
        return count


class Journal:
    """Offsets, the records of the present round, and the sinks and gates."""

    def __init__(self) -> None:
        self.offset: i64 = 0
        self.sinks: list[Sink] = []
        self.gates: list[ReplyGate] = []
        self._records: list[Record] = []

    def append(self, effects: list[Effect]) -> None:
        """Journal the effects of one atomic step."""
        self.offset += len(effects)
        if self.sinks:
            self._records.append(Record(self.offset, effects))

    def flush(self) -> None:
        """Hand the round's records to every sink."""
        records = self._records
        if not records:
            return
        self._records = []
        for sink in self.sinks:
            sink.write(records)

    def acknowledged(self, offset: i64) -> int:
        """How many replicas have everything up to an offset (WAIT)."""
        count = 0
        for sink in self.sinks:
            if sink.role == REPLICA and sink.safe >= offset:
                count += 1
        return count

    def synced(self, offset: i64) -> int:
        """How many replicas have everything up to an offset on their disks (WAITAOF)."""
        count = 0
        for sink in self.sinks:
            if sink.role == REPLICA and sink.synced >= offset:
                count += 1
        return count

    def has_local_file(self) -> bool:
        """Whether there is an append-only file of our own."""
        return any(sink.role == LOCAL_FILE for sink in self.sinks)

    def is_on_disk(self, offset: i64) -> bool:
        """Whether everything up to an offset is in an append-only file of our own."""
        return any(sink.role == LOCAL_FILE and sink.safe >= offset for sink in self.sinks)

    def attach(self, sink: Sink) -> None:
        """Add a sink; it sees what is journalled from now on."""
        sink.safe = self.offset
        sink.synced = self.offset
        self.sinks.append(sink)

    def detach(self, sink: Sink) -> None:
        """Remove a sink, also from every gate; a gate that has none left is lifted."""
        self.sinks.remove(sink)
        for gate in list(self.gates):
            if sink in gate.sinks:
                gate.sinks.remove(sink)
                if not gate.sinks:
                    self.gates.remove(gate)

    def passed(self) -> int:
        """The offset up to which replies may leave."""
        lowest = 1 << 62
        for gate in self.gates:
            offset = gate.passed()
            if offset < lowest:
                lowest = offset
        return lowest
