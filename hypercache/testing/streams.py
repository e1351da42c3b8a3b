"""A stream on trial: every call is made on it and on a model, and compared."""

from collections.abc import Callable
from typing import cast

from hypercache.backend import STREAM, StreamGroup, StreamValue, Value
from hypercache.streams import MIN_ID, Pending
from hypercache.testing.conformance import describe
from hypercache.testing.database_trial import DatabaseTrial
from hypercache.testing.stream_model import (
    GroupModel,
    StreamModel,
    consumer_facts,
    pending_facts,
)


class StreamTrial:
    """The stream under a key of a database on trial. Methods are those of `StreamValue`."""

    def __init__(self, database: DatabaseTrial, key: bytes) -> None:
        self.database = database
        self.key = key

    @classmethod
    def create(cls, database: DatabaseTrial, key: bytes) -> "StreamTrial":
        """A new empty stream under a key."""
        database.create(key, STREAM)
        return cls(database, key)

    @property
    def model(self) -> StreamModel:
        """What the stream should hold."""
        return cast(StreamModel, self.database.model[self.key].data)

    def expect(
        self, step: str, call: Callable[[StreamValue], object], answer: object, changes: int
    ) -> None:
        """Make a call, and compare what it answers and what it adds to ``changes``."""

        def change(value: Value) -> object:
            return call(cast(StreamValue, value))

        done = self.database.edit(self.key, step, change)
        self.database.trial.expect(f"{step}, and what it adds to changes,", (answer, changes), done)

    # Entries -------------------------------------------------------------------------------

    def append(self, entry_id: bytes, fields: list[bytes]) -> None:
        """Add an entry behind all others."""
        model = self.model
        step = f"append({describe(entry_id)}, {describe(fields)})"
        self.expect(step, lambda stream: stream.append(entry_id, list(fields)), None, 1)
        model.entries[entry_id] = fields
        model.last_id = entry_id
        model.added += 1

    def get(self, entry_id: bytes) -> None:
        """Read one entry."""
        fields = self.model.entries.get(entry_id)
        self.expect(f"get({describe(entry_id)})", lambda stream: stream.get(entry_id), fields, 0)

    def range(self, start: bytes, stop: bytes, limit: int, reverse: bool = False) -> None:
        """Read entries between two ids."""
        entries = self.model.selected(start, stop, limit, reverse)
        step = f"range({describe(start)}, {describe(stop)}, {limit}, {reverse})"
        self.expect(step, lambda stream: stream.range(start, stop, limit, reverse), entries, 0)

    def remove(self, entry_id: bytes) -> None:
        """Remove an entry, which may not be there."""
        model = self.model
        there = entry_id in model.entries
        step = f"remove({describe(entry_id)})"
        self.expect(step, lambda stream: stream.remove(entry_id), there, int(there))
        if there:
            del model.entries[entry_id]
            model.max_deleted_id = max(model.max_deleted_id, entry_id)

    def remove_first(self, count: int) -> None:
        """Remove entries from the first on."""
        step = f"remove_first({count})"
        self.expect(step, lambda stream: stream.remove_first(count), None, count)
        for entry_id in list(self.model.entries)[:count]:
            del self.model.entries[entry_id]

    def remove_below(self, entry_id: bytes) -> None:
        """Remove entries with lower ids."""
        gone = [each for each in self.model.entries if each < entry_id]
        step = f"remove_below({describe(entry_id)})"
        self.expect(step, lambda stream: stream.remove_below(entry_id), len(gone), len(gone))
        for each in gone:
            del self.model.entries[each]

    def set_state(self, last_id: bytes, max_deleted_id: bytes, added: int) -> None:
        """Set the ids and the counter that a stream keeps beside its entries."""
        model = self.model
        step = f"set_state({describe(last_id)}, {describe(max_deleted_id)}, {added})"
        self.expect(step, lambda stream: stream.set_state(last_id, max_deleted_id, added), None, 1)
        model.last_id, model.max_deleted_id, model.added = last_id, max_deleted_id, added

    def check_ends(self) -> None:
        """Ask for the first id and for the first node."""
        entries = list(self.model.entries)
        first = entries[0] if entries else MIN_ID
        self.expect("first_id()", lambda stream: stream.first_id(), first, 0)
        trial = self.database.trial
        stream = self.stream()
        nodes = trial.call("nodes()", lambda: int(stream.nodes()))
        trial.require(
            (nodes > 0) == bool(entries) and nodes <= len(entries),
            "nodes() is 0 for an empty stream, and else between 1 and the number of entries",
            nodes,
        )
        if entries:
            count, last = trial.call("first_node()", lambda: stream.first_node())
            trial.require(1 <= count <= len(entries), "first_node() has entries", count)
            trial.require(
                last >= entries[count - 1] and all(last < each for each in entries[count:]),
                f"the last id of a first node of {count} is {describe(entries[count - 1])}, or "
                "that of a removed entry behind it",
                last,
            )

    def stream(self) -> StreamValue:
        """The stream itself, to be read."""
        entry = self.database.find(self.key)
        assert entry is not None
        return cast(StreamValue, entry.value)

    # Groups --------------------------------------------------------------------------------

    def create_group(self, name: bytes, last_id: bytes, entries_read: int) -> "GroupTrial":
        """Make a consumer group."""
        step = f"create_group({describe(name)}, {describe(last_id)}, {entries_read}).name()"
        self.expect(
            step, lambda stream: stream.create_group(name, last_id, entries_read).name(), name, 1
        )
        self.model.groups[name] = GroupModel(last_id, entries_read)
        return GroupTrial(self, name)

    def remove_group(self, name: bytes) -> None:
        """Remove a consumer group, which may not be there."""
        there = name in self.model.groups
        step = f"remove_group({describe(name)})"
        self.expect(step, lambda stream: stream.remove_group(name), there, int(there))
        self.model.groups.pop(name, None)

    def check_groups(self, *absent: bytes) -> None:
        """Ask for the names of the groups, and for groups that are not there."""
        names = sorted(self.model.groups)
        step = "the names of groups()"
        self.expect(step, lambda stream: [each.name() for each in stream.groups()], names, 0)
        step = f"group() of {describe(list(absent))}"
        none = [None] * len(absent)
        self.expect(step, lambda stream: [stream.group(name) for name in absent], none, 0)


class GroupTrial:
    """A consumer group of a stream on trial. Methods are those of `StreamGroup`."""

    def __init__(self, stream: StreamTrial, name: bytes) -> None:
        self.stream = stream
        self.name = name

    @property
    def model(self) -> GroupModel:
        """What the group should hold."""
        return self.stream.model.groups[self.name]

    def _expect(
        self, step: str, call: Callable[[StreamGroup], object], answer: object, changes: int
    ) -> None:
        def ask(stream: StreamValue) -> object:
            group = stream.group(self.name)
            if group is None:
                self.stream.database.trial.fail(f"group({describe(self.name)}) is a group", "None")
            return call(group)

        self.stream.expect(f"group({describe(self.name)}).{step}", ask, answer, changes)

    def set_position(self, last_id: bytes, entries_read: int) -> None:
        """Set the id delivered last and the counter."""
        step = f"set_position({describe(last_id)}, {entries_read})"
        self._expect(step, lambda group: group.set_position(last_id, entries_read), None, 1)
        self.model.last_id, self.model.entries_read = last_id, entries_read

    def set_consumer(self, name: bytes, seen: int, active: int) -> None:
        """Make a consumer, or set its times."""
        new = name not in self.model.consumers
        step = f"set_consumer({describe(name)}, {seen}, {active})"
        self._expect(step, lambda group: group.set_consumer(name, seen, active), new, int(new))
        self.model.consumers[name] = seen, active

    def remove_consumer(self, name: bytes) -> None:
        """Remove a consumer, which may not be there, with what is pending for it."""
        model = self.model
        there = name in model.consumers
        step = f"remove_consumer({describe(name)})"
        self._expect(step, lambda group: group.remove_consumer(name), there, int(there))
        model.consumers.pop(name, None)
        model.pending = {key: each for key, each in model.pending.items() if each[0] != name}

    def set_pending(self, entry_id: bytes, consumer: bytes, time: int, count: int) -> None:
        """Let an entry be pending for a consumer."""
        step = f"set_pending({describe((entry_id, consumer, time, count))})"
        self._expect(
            step,
            lambda group: group.set_pending(Pending(entry_id, consumer, time, count)),
            None,
            1,
        )
        self.model.pending[entry_id] = consumer, time, count

    def remove_pending(self, entry_id: bytes) -> None:
        """Let an entry, which may not be pending, be pending no longer."""
        there = entry_id in self.model.pending
        step = f"remove_pending({describe(entry_id)})"
        self._expect(step, lambda group: group.remove_pending(entry_id), there, int(there))
        self.model.pending.pop(entry_id, None)

    def pending(self, entry_id: bytes) -> None:
        """Ask for the pending entry of an id."""

        def ask(group: StreamGroup) -> object:
            found = group.pending(entry_id)
            return None if found is None else pending_facts(found)

        held = self.model.pending.get(entry_id)
        answer = None if held is None else (entry_id, *held)
        self._expect(f"pending({describe(entry_id)})", ask, answer, 0)

    def pending_range(
        self, start: bytes, stop: bytes, limit: int, consumer: bytes | None = None
    ) -> None:
        """Ask for pending entries between two ids, perhaps of one consumer."""
        step = f"pending_range({', '.join(map(describe, (start, stop, limit, consumer)))})"
        self._expect(
            step,
            lambda group: [
                pending_facts(each) for each in group.pending_range(start, stop, limit, consumer)
            ],
            self.model.selected(start, stop, limit, consumer),
            0,
        )

    def check(self) -> None:
        """Ask for all that is counted or listed."""
        model = self.model
        ids = sorted(model.pending)
        bounds = (ids[0], ids[-1]) if ids else None
        self._expect("pending_count()", lambda group: int(group.pending_count()), len(ids), 0)
        self._expect("pending_bounds()", lambda group: group.pending_bounds(), bounds, 0)
        self._expect(
            "consumers()",
            lambda group: [consumer_facts(each) for each in group.consumers()],
            model.listed(),
            0,
        )
        for facts in model.listed():
            self.consumer(facts[0])

    def consumer(self, name: bytes) -> None:
        """Ask for one consumer, which may not be there."""

        def ask(group: StreamGroup) -> object:
            found = group.consumer(name)
            return None if found is None else consumer_facts(found)

        facts = [each for each in self.model.listed() if each[0] == name]
        self._expect(f"consumer({describe(name)})", ask, facts[0] if facts else None, 0)
