"""Streams of the smallest backend, and streams with one bug each."""

from typing import Self

from hypercache.backend import StreamGroup, StreamValue
from hypercache.streams import MAX_ID, MIN_ID, Consumer, Pending, StreamEntry


class TinyGroup(StreamGroup):
    def __init__(self, stream: "TinyStream", name: bytes, last_id: bytes, read: int) -> None:
        self.stream = stream
        self.named = name
        self.last = last_id
        self.read = read
        self.entries: dict[bytes, Pending] = {}
        self.times: dict[bytes, tuple[int, int]] = {}

    def twin(self, stream: "TinyStream") -> "TinyGroup":
        copy = type(self)(stream, self.named, self.last, self.read)
        copy.entries = dict(self.entries)
        copy.times = dict(self.times)
        return copy

    def name(self) -> bytes:
        return self.named

    def last_id(self) -> bytes:
        return self.last

    def entries_read(self) -> int:
        return self.read

    def set_position(self, last_id: bytes, entries_read: int) -> None:
        self.last, self.read = last_id, entries_read
        self.stream.changes += 1

    def pending_count(self) -> int:
        return len(self.entries)

    def pending(self, entry_id: bytes) -> Pending | None:
        return self.entries.get(entry_id)

    def set_pending(self, pending: Pending) -> None:
        self.entries[pending.id] = pending
        self.stream.changes += 1

    def remove_pending(self, entry_id: bytes) -> bool:
        there = self.entries.pop(entry_id, None) is not None
        self.stream.changes += there
        return there

    def pending_bounds(self) -> tuple[bytes, bytes] | None:
        return (min(self.entries), max(self.entries)) if self.entries else None

    def pending_range(
        self, start: bytes, stop: bytes, limit: int, consumer: bytes | None
    ) -> list[Pending]:
        ids = sorted(each for each in self.entries if start <= each <= stop)
        found = [self.entries[each] for each in ids]
        return [each for each in found if consumer in (None, each.consumer)][:limit]

    def consumers(self) -> list[Consumer]:
        return [each for name in sorted(self.times) if (each := self.consumer(name))]

    def consumer(self, name: bytes) -> Consumer | None:
        if name not in self.times:
            return None
        count = len(self.pending_range(MIN_ID, MAX_ID, 1 << 40, name))
        return Consumer(name, *self.times[name], count)

    def set_consumer(self, name: bytes, seen: int, active: int) -> bool:
        new = name not in self.times
        self.times[name] = seen, active
        self.stream.changes += new
        return new

    def remove_consumer(self, name: bytes) -> bool:
        if self.times.pop(name, None) is None:
            return False
        self.entries = {key: each for key, each in self.entries.items() if each.consumer != name}
        self.stream.changes += 1
        return True


class TinyStream(StreamValue):
    group_type = TinyGroup

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[bytes, list[bytes]] = {}
        self.last = MIN_ID
        self.deleted = MIN_ID
        self.added = 0
        self.named: dict[bytes, TinyGroup] = {}

    def twin(self) -> Self:
        """A stream that shares nothing with this."""
        copy = type(self)()
        copy.entries = dict(self.entries)
        copy.last, copy.deleted, copy.added = self.last, self.deleted, self.added
        copy.named = {name: group.twin(copy) for name, group in self.named.items()}
        return copy

    def length(self) -> int:
        return len(self.entries)

    def memory(self) -> int:
        return 50 + 100 * len(self.entries)

    def encoding(self) -> str:
        return "stream"

    def first_id(self) -> bytes:
        return next(iter(self.entries), MIN_ID)

    def last_id(self) -> bytes:
        return self.last

    def max_deleted_id(self) -> bytes:
        return self.deleted

    def entries_added(self) -> int:
        return self.added

    def set_state(self, last_id: bytes, max_deleted_id: bytes, entries_added: int) -> None:
        self.last, self.deleted, self.added = last_id, max_deleted_id, entries_added
        self.changes += 1

    def append(self, entry_id: bytes, fields: list[bytes]) -> None:
        self.entries[entry_id] = fields
        self.last = entry_id
        self.added += 1
        self.changes += 1

    def get(self, entry_id: bytes) -> list[bytes] | None:
        return self.entries.get(entry_id)

    def range(self, start: bytes, stop: bytes, limit: int, reverse: bool) -> list[StreamEntry]:
        found: list[StreamEntry] = []
        ids = reversed(self.entries) if reverse else iter(self.entries)
        for entry_id in ids:
            if len(found) == limit or (entry_id < start if reverse else entry_id > stop):
                break
            if start <= entry_id <= stop:
                found.append((entry_id, self.entries[entry_id]))
        return found

    def remove(self, entry_id: bytes) -> bool:
        if self.entries.pop(entry_id, None) is None:
            return False
        self.deleted = max(self.deleted, entry_id)
        self.changes += 1
        return True

    def remove_first(self, count: int) -> None:
        for _ in range(count):
            del self.entries[next(iter(self.entries))]
        self.changes += count

    def remove_below(self, entry_id: bytes) -> int:
        count = sum(each < entry_id for each in self.entries)
        self.remove_first(count)
        return count

    def first_node(self) -> tuple[int, bytes]:
        return 1, self.first_id()

    def nodes(self) -> int:
        return 1 if self.entries else 0

    def groups(self) -> list[StreamGroup]:
        return [self.named[name] for name in sorted(self.named)]

    def group(self, name: bytes) -> StreamGroup | None:
        return self.named.get(name)

    def create_group(self, name: bytes, last_id: bytes, entries_read: int) -> StreamGroup:
        self.named[name] = self.group_type(self, name, last_id, entries_read)
        self.changes += 1
        return self.named[name]

    def remove_group(self, name: bytes) -> bool:
        there = self.named.pop(name, None) is not None
        self.changes += there
        return there


# Streams that are wrong -----------------------------------------------------------------


class ComparesIdsWithSign(TinyStream):
    def range(self, start: bytes, stop: bytes, limit: int, reverse: bool) -> list[StreamEntry]:
        found = super().range(start, stop, limit, reverse)
        return [item for item in found if item[0][0] < 128]


class ForgetsWhatItAdded(TinyStream):
    def remove_first(self, count: int) -> None:
        super().remove_first(count)
        self.added -= count


class KeepsNamesOnce(TinyStream):
    def append(self, entry_id: bytes, fields: list[bytes]) -> None:
        pairs = dict(zip(fields[::2], fields[1::2], strict=True))
        super().append(entry_id, [word for pair in pairs.items() for word in pair])


class CountsEmptyNodes(TinyStream):
    def nodes(self) -> int:
        return 1


class LeavesTheLastOut(TinyStream):
    def range(self, start: bytes, stop: bytes, limit: int, reverse: bool) -> list[StreamEntry]:
        found = super().range(start, stop, limit, reverse)
        return [item for item in found if item[0] != stop]


class LimitsFromTheFront(TinyStream):
    def range(self, start: bytes, stop: bytes, limit: int, reverse: bool) -> list[StreamEntry]:
        found = super().range(start, stop, limit, False)
        return found[::-1] if reverse else found


class RemembersTheLastRemoved(TinyStream):
    def remove(self, entry_id: bytes) -> bool:
        there = super().remove(entry_id)
        self.deleted = entry_id if there else self.deleted
        return there


class RemembersWhatItTrims(TinyStream):
    def remove_below(self, entry_id: bytes) -> int:
        ids = [each for each in self.entries if each < entry_id]
        return sum(self.remove(each) for each in ids)


class RemovesTheIdItself(TinyStream):
    def remove_below(self, entry_id: bytes) -> int:
        count = super().remove_below(entry_id)
        return count + self.remove(entry_id)


class CountsTrimmingOnce(TinyStream):
    def remove_first(self, count: int) -> None:
        before = self.changes
        super().remove_first(count)
        self.changes = before + min(count, 1)


class TellsAHalfNode(TinyStream):
    def first_node(self) -> tuple[int, bytes]:
        return min(2, len(self.entries)), self.first_id()


class StateOnlyRises(TinyStream):
    def set_state(self, last_id: bytes, max_deleted_id: bytes, entries_added: int) -> None:
        super().set_state(last_id, max(self.deleted, max_deleted_id), entries_added)


class GroupsByAge(TinyStream):
    def groups(self) -> list[StreamGroup]:
        return list(self.named.values())


class GroupsComeBack(TinyStream):
    def __init__(self) -> None:
        super().__init__()
        self.gone: dict[bytes, TinyGroup] = {}

    def remove_group(self, name: bytes) -> bool:
        if name in self.named:
            self.gone[name] = self.named[name]
        return super().remove_group(name)

    def create_group(self, name: bytes, last_id: bytes, entries_read: int) -> StreamGroup:
        group = super().create_group(name, last_id, entries_read)
        if name in self.gone:
            self.named[name].times = self.gone[name].times
        return group


class SharesGroups(TinyStream):
    def twin(self) -> Self:
        copy = super().twin()
        copy.named = dict(self.named)
        return copy


class SearchesFromTheFront(TinyStream):
    def get(self, entry_id: bytes) -> list[bytes] | None:
        for each, fields in self.entries.items():
            if each == entry_id:
                return fields
        return None


class AddsUpItsEntries(TinyStream):
    def memory(self) -> int:
        return 50 + sum(100 for _ in self.entries)


class _UnknownIsNothing(TinyGroup):
    def set_position(self, last_id: bytes, entries_read: int) -> None:
        super().set_position(max(self.last, last_id), entries_read)


class PositionsOnlyRise(TinyStream):
    group_type = _UnknownIsNothing


class _KeepsTheOwner(TinyGroup):
    def set_pending(self, pending: Pending) -> None:
        old = self.entries.get(pending.id)
        owner = pending.consumer if old is None else old.consumer
        super().set_pending(Pending(pending.id, owner, pending.time, pending.count))


class PendingKeepsItsOwner(TinyStream):
    group_type = _KeepsTheOwner


class _ByArrival(TinyGroup):
    def pending_range(
        self, start: bytes, stop: bytes, limit: int, consumer: bytes | None
    ) -> list[Pending]:
        found = [each for each in self.entries.values() if start <= each.id <= stop]
        return [each for each in found if consumer in (None, each.consumer)][:limit]


class PendingByArrival(TinyStream):
    group_type = _ByArrival


class _LimitsFirst(TinyGroup):
    def pending_range(
        self, start: bytes, stop: bytes, limit: int, consumer: bytes | None
    ) -> list[Pending]:
        found = super().pending_range(start, stop, limit, None)
        return [each for each in found if consumer in (None, each.consumer)]


class LimitsBeforeItSelects(TinyStream):
    group_type = _LimitsFirst


class _TimesAreChanges(TinyGroup):
    def set_consumer(self, name: bytes, seen: int, active: int) -> bool:
        new = super().set_consumer(name, seen, active)
        self.stream.changes += not new
        return new


class CountsTimes(TinyStream):
    group_type = _TimesAreChanges


class _LeavesPending(TinyGroup):
    def remove_consumer(self, name: bytes) -> bool:
        entries = self.entries
        there = super().remove_consumer(name)
        self.entries = entries
        return there


class LeavesPendingEntries(TinyStream):
    group_type = _LeavesPending


BROKEN_STREAMS: tuple[tuple[str, type[TinyStream]], ...] = (
    ("a_stream_keeps_its_entries", ComparesIdsWithSign),
    ("a_stream_keeps_its_entries", ForgetsWhatItAdded),
    ("a_stream_keeps_its_entries", KeepsNamesOnce),
    ("a_stream_keeps_its_entries", CountsEmptyNodes),
    ("streams_are_read_between_ids", LeavesTheLastOut),
    ("streams_are_read_between_ids", LimitsFromTheFront),
    ("entries_of_streams_are_removed", RemembersTheLastRemoved),
    ("entries_of_streams_are_removed", RemembersWhatItTrims),
    ("entries_of_streams_are_removed", RemovesTheIdItself),
    ("entries_of_streams_are_removed", CountsTrimmingOnce),
    ("entries_of_streams_are_removed", TellsAHalfNode),
    ("a_stream_keeps_its_state", StateOnlyRises),
    ("groups_keep_their_position", GroupsByAge),
    ("groups_keep_their_position", GroupsComeBack),
    ("groups_keep_their_position", PositionsOnlyRise),
    ("pending_entries_are_in_order", PendingKeepsItsOwner),
    ("pending_entries_are_in_order", PendingByArrival),
    ("pending_entries_are_in_order", LimitsBeforeItSelects),
    ("consumers_come_and_go", CountsTimes),
    ("consumers_come_and_go", LeavesPendingEntries),
    ("streams_do_not_mix", SharesGroups),
    ("long_streams_cost_no_more", SearchesFromTheFront),
    ("long_streams_cost_no_more", AddsUpItsEntries),
)
