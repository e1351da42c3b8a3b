"""The journal of effects, who consumes it, and the gates that hold replies back.

Everything that changes data becomes a `Record` with an offset, in the order of execution.
At the end of a round the journal hands the round's records to its sinks (an append-only
file, replicas). A sink tells, at once or later, up to which offset the records are safe
with it. A `ReplyGate` is a rule over such offsets, "fsynced" or "acknowledged by two
replicas": a client's replies leave once every gate has passed the offset of its last write.

``appendfsync always``, quorum writes, WAIT and WAITAOF are all this one mechanism.
"""

from collections.abc import Callable, Sequence
from typing import Final

from mypy_extensions import i64, mypyc_attr

from hypercache.keyspace.changes import Effect

# What a sink is to WAIT and WAITAOF.
OTHER: Final = 0
LOCAL_FILE: Final = 1
REPLICA: Final = 2

_NOTHING: Final[frozenset[int]] = frozenset()
# An offset that nothing reaches.
BEYOND: Final[i64] = 1 << 62


@mypyc_attr(acyclic=True)
class Record:
    """The effects of one command or transaction: applied together or not at all.

    ``offset`` is the journal's offset after this record; it grows by one per effect. Most
    records have one effect, ``first``; ``more`` are those after it, or None.
    """

    __slots__ = ("first", "more", "offset")

    def __init__(self, offset: i64, first: Effect, more: list[Effect] | None) -> None:
        self.offset = offset
        self.first = first
        self.more = more

    @property
    def effects(self) -> list[Effect]:
        """All of them."""
        return [self.first] if self.more is None else [self.first, *self.more]


@mypyc_attr(allow_interpreted_subclasses=True)
class Sink:
    """A consumer of the journal.

    ``safe`` is the offset up to which the records are safe with it: acknowledged by a
    replica, synced to a local file. ``synced`` is what a replica says it has synced to its own
    file. Both start at 0, nothing, and only grow; whoever moves them outside `write` calls
    `Engine.gates_moved`, so that replies are let go. ``since`` is the offset at which it was
    attached: it gets the records after that. ``failed`` is told when `write` has raised.
    """

    name: str
    role: int
    safe: i64
    synced: i64
    since: i64
    failed: Callable[[Exception], None] | None

    def __init__(self, name: str, role: int = OTHER) -> None:
        self.name = name
        self.role = role
        self.safe = 0
        self.synced = 0
        self.since = 0
        self.failed = None

    def write(self, records: list[Record]) -> None:
        """Take the records of a round, in order. Must not block nor change the list.

        A sink that raises has lost records: it gets no more, and its gates stay shut.
        """
        raise NotImplementedError


class ReplyGate:
    """Passed by an offset once at least ``needed`` of its sinks are safe up to it.

    What has passed stays passed, whatever sinks come and go, and so does what was written
    before the gate was there. A gate with fewer sinks than it needs lets nothing more pass:
    whoever wants no gate any more removes the gate, not its sinks.
    """

    def __init__(self, sinks: Sequence[Sink], needed: int = 1) -> None:
        if needed < 1:
            raise ValueError("a reply gate needs at least one sink to be safe")
        self.sinks: list[Sink] = list(sinks)
        self.needed = needed
        self._passed: i64 = 0

    def passed(self) -> i64:
        """The highest offset that has passed."""
        sinks = self.sinks
        if len(sinks) >= self.needed:
            if len(sinks) == 1:
                self.let_pass(sinks[0].safe)
            else:
                offsets: list[int] = []
                for sink in sinks:
                    offsets.append(sink.safe)
                offsets.sort(reverse=True)
                self.let_pass(offsets[self.needed - 1])
        return self._passed

    def let_pass(self, offset: i64) -> None:
        """Let everything up to an offset pass, safe or not."""
        if offset > self._passed:
            self._passed = offset


class SinkFailure:
    """A sink that raised, and what."""

    __slots__ = ("error", "sink")

    def __init__(self, sink: Sink, error: Exception) -> None:
        self.sink = sink
        self.error = error


class Journal:
    """Offsets, the ``records`` of the present round, and the sinks and gates."""

    def __init__(self) -> None:
        self.offset: i64 = 0
        self.sinks: list[Sink] = []
        self.gates: list[ReplyGate] = []
        self.records: list[Record] = []
        # A backend that is durable by itself: no sink, but as good as a file of our own.
        self.store: Sink | None = None
        # Databases that no file of our own has anything of: their backends keep them.
        self.left_out: frozenset[int] = frozenset()

    def append(self, effects: list[Effect]) -> None:
        """Journal the effects of one atomic step."""
        self.offset += len(effects)
        if self.sinks:
            more = effects[1:] if len(effects) > 1 else None
            self.records.append(Record(self.offset, effects[0], more))

    def append_one(self, effect: Effect) -> None:
        """Journal an atomic step of one effect, as most are."""
        self.offset += 1
        if self.sinks:
            self.records.append(Record(self.offset, effect, None))

    def resume(self, offset: i64) -> None:
        """Go on from the offset that recovered data have; before anything is journalled."""
        self.offset = max(self.offset, offset)

    def flush(self) -> list[SinkFailure]:
        """Hand the round's records to every sink; those that raised are detached."""
        failures: list[SinkFailure] = []
        records = self.records
        self.records = []
        for sink in list(self.sinks):
            new = records
            if records[0].offset <= sink.since:
                new = [record for record in records if record.offset > sink.since]
            if not new:
                continue
            if self.left_out and sink.role == LOCAL_FILE:
                new = [self._without_data(record) for record in new]
            try:
                sink.write(new)
            except Exception as error:  # noqa: BLE001 - a sink's bug must not end the round
                self.detach(sink)
                failures.append(SinkFailure(sink, error))
        return failures

    def _without_data(self, record: Record) -> Record:
        """A record for a file of our own: what it leaves out is passed over like a message."""
        effects: list[Effect] = []
        for effect in record.effects:
            if effect.database in self.left_out and not effect.transient:
                effect = Effect(effect.database, effect.args, True)
            effects.append(effect)
        return Record(record.offset, effects[0], effects[1:] if len(effects) > 1 else None)

    def forget(self, offset: i64, lasting: frozenset[int] = _NOTHING) -> None:
        """Drop the present round's records: its changes are undone. Go back to an offset.

        What has happened in ``lasting`` databases stays: nothing undoes it.
        """
        records = self.records
        self.records = []
        self.offset = offset
        if lasting:
            for record in records:
                kept = [effect for effect in record.effects if effect.database in lasting]
                if kept:
                    self.append(kept)

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
        """Whether there is an append-only file of our own, or a backend on disk for all data."""
        if self.store is not None and not self.left_out:
            return True
        return any(sink.role == LOCAL_FILE for sink in self.sinks)

    def is_on_disk(self, offset: i64) -> bool:
        """Whether everything up to an offset is in such a file, or such a backend.

        Where some data are in the one and some in the other, both have to be that far.
        """
        if self.store is not None:
            if self.store.safe < offset and self.left_out:
                return False
            if self.store.safe >= offset and not self.left_out:
                return True
        return any(sink.role == LOCAL_FILE and sink.safe >= offset for sink in self.sinks)

    def attach(self, sink: Sink) -> None:
        """Add a sink; it gets what is journalled from now on, and has nothing yet."""
        sink.since = self.offset
        self.sinks.append(sink)

    def detach(self, sink: Sink) -> None:
        """Remove a sink, also from every gate; does nothing when it is not attached."""
        if sink in self.sinks:
            self.sinks.remove(sink)
        for gate in self.gates:
            if sink in gate.sinks:
                gate.sinks.remove(sink)

    def passed(self) -> i64:
        """The offset up to which replies may leave."""
        lowest = BEYOND
        for gate in self.gates:
            offset = gate.passed()
            if offset < lowest:
                lowest = offset
        return lowest
