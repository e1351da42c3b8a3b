"""What a stream should hold: plain Python, slow and plainly right."""

from attrs import Factory, define

from hypercache.streams import MAX_ID, MIN_ID, Consumer, Pending, StreamGroup, StreamValue

#: More entries than any check makes.
ALL = 1 << 40


@define
class GroupModel:
    """A consumer group: times of consumers by name, pending entries by id.

    A consumer has (seen, active), a pending entry (consumer, time, count).
    """

    last_id: bytes
    entries_read: int
    consumers: dict[bytes, tuple[int, int]] = Factory(dict)
    pending: dict[bytes, tuple[bytes, int, int]] = Factory(dict)

    def copy(self) -> "GroupModel":
        """One that shares nothing with this."""
        return GroupModel(self.last_id, self.entries_read, dict(self.consumers), dict(self.pending))

    def selected(
        self, start: bytes, stop: bytes, limit: int, consumer: bytes | None
    ) -> list[tuple[bytes, bytes, int, int]]:
        """What `StreamGroup.pending_range` answers, as facts."""
        found = [
            (entry_id, *self.pending[entry_id])
            for entry_id in sorted(self.pending)
            if start <= entry_id <= stop
            and (consumer is None or self.pending[entry_id][0] == consumer)
        ]
        return found[:limit]

    def listed(self) -> list[tuple[bytes, int, int, int]]:
        """What `StreamGroup.consumers` answers, as facts."""
        owners = [owner for owner, _, _ in self.pending.values()]
        return [
            (name, *self.consumers[name], owners.count(name)) for name in sorted(self.consumers)
        ]


@define
class StreamModel:
    """A stream: fields by id, in order, and groups by name."""

    entries: dict[bytes, list[bytes]] = Factory(dict)
    last_id: bytes = MIN_ID
    max_deleted_id: bytes = MIN_ID
    added: int = 0
    groups: dict[bytes, GroupModel] = Factory(dict)

    def __len__(self) -> int:
        return len(self.entries)

    def copy(self) -> "StreamModel":
        """One that shares nothing with this."""
        groups = {name: group.copy() for name, group in self.groups.items()}
        entries = {entry_id: list(fields) for entry_id, fields in self.entries.items()}
        return StreamModel(entries, self.last_id, self.max_deleted_id, self.added, groups)

    def selected(
        self, start: bytes, stop: bytes, limit: int, reverse: bool
    ) -> list[tuple[bytes, list[bytes]]]:
        """What `StreamValue.range` answers."""
        found = [item for item in self.entries.items() if start <= item[0] <= stop]
        return (found[::-1] if reverse else found)[:limit]


def pending_facts(pending: Pending) -> tuple[bytes, bytes, int, int]:
    """A pending entry as something that can be compared."""
    return pending.id, pending.consumer, pending.time, pending.count


def consumer_facts(consumer: Consumer) -> tuple[bytes, int, int, int]:
    """A consumer as something that can be compared."""
    return consumer.name, consumer.seen, consumer.active, consumer.pending


def read_group(group: StreamGroup) -> GroupModel:
    """All that a group says of itself."""
    found = GroupModel(group.last_id(), group.entries_read())
    for consumer in group.consumers():
        found.consumers[consumer.name] = consumer.seen, consumer.active
    for pending in group.pending_range(MIN_ID, MAX_ID, ALL, None):
        found.pending[pending.id] = pending.consumer, pending.time, pending.count
    return found


def read_stream(stream: StreamValue) -> StreamModel:
    """All that a stream says of itself."""
    found = StreamModel(
        dict(stream.range(MIN_ID, MAX_ID, ALL, False)),
        stream.last_id(),
        stream.max_deleted_id(),
        stream.entries_added(),
    )
    for group in stream.groups():
        found.groups[group.name()] = read_group(group)
    return found


def describe_stream(stream: StreamModel) -> dict[str, object]:
    """A stream as a failure shows it."""
    return {
        "entries": stream.entries,
        "last_id": stream.last_id,
        "max_deleted_id": stream.max_deleted_id,
        "entries_added": stream.added,
    } | {
        f"group {name!r}": (group.last_id, group.entries_read, group.consumers, group.pending)
        for name, group in stream.groups.items()
    }
