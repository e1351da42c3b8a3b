"""Consumer groups of streams, as the memory backend keeps them."""

from typing import TYPE_CHECKING

from mypy_extensions import i64

from hypercache.backend import StreamGroup
from hypercache.streams import Consumer, Pending
from hypercache_memory.pending import PENDING_BYTES, ConsumerState, GroupState

if TYPE_CHECKING:
    from hypercache_memory.streams import MemoryStream


class MemoryGroup(StreamGroup):
    """A handle to a group: made when it is asked for, so that stream and group are no cycle."""

    def __init__(self, stream: "MemoryStream", state: GroupState) -> None:
        self._stream = stream
        self._state = state

    def _changed(self, size: i64) -> None:
        """Count a change, and the bytes by which the group grew."""
        self._stream.changes += 1
        self._stream.content += size
        self._state.memory += size

    def name(self) -> bytes:
        return self._state.name

    def last_id(self) -> bytes:
        return self._state.last_id

    def entries_read(self) -> int:
        return self._state.entries_read

    def set_position(self, last_id: bytes, entries_read: int) -> None:
        self._state.last_id = last_id
        self._state.entries_read = entries_read
        self._changed(0)

    def pending_count(self) -> int:
        return self._state.entries.count

    def pending(self, entry_id: bytes) -> Pending | None:
        return self._state.entries.find(entry_id)

    def set_pending(self, pending: Pending) -> None:
        owner = self._state.consumers[pending.consumer]
        # Each request spells the consumer's name anew: keep one object for all entries.
        kept = Pending(pending.id, owner.name, pending.time, pending.count)
        old = self._state.entries.put(kept)
        if old is not None and old.consumer != owner.name:
            self._state.consumers[old.consumer].entries.remove(old.id)
        owner.entries.put(kept)
        self._changed(PENDING_BYTES if old is None else 0)

    def remove_pending(self, entry_id: bytes) -> bool:
        old = self._state.entries.remove(entry_id)
        if old is None:
            return False
        self._state.consumers[old.consumer].entries.remove(entry_id)
        self._changed(-PENDING_BYTES)
        return True

    def pending_bounds(self) -> tuple[bytes, bytes] | None:
        return self._state.entries.bounds()

    def pending_range(
        self, start: bytes, stop: bytes, limit: i64, consumer: bytes | None
    ) -> list[Pending]:
        if consumer is None:
            return self._state.entries.range(start, stop, limit)
        owner = self._state.consumers.get(consumer)
        return [] if owner is None else owner.entries.range(start, stop, limit)

    def consumers(self) -> list[Consumer]:
        found: list[Consumer] = []
        for name in sorted(self._state.consumers):
            found.append(_present(self._state.consumers[name]))
        return found

    def consumer(self, name: bytes) -> Consumer | None:
        state = self._state.consumers.get(name)
        return None if state is None else _present(state)

    def set_consumer(self, name: bytes, seen: i64, active: i64) -> bool:
        state = self._state.consumers.get(name)
        is_new = state is None
        if state is None:
            state = ConsumerState(name)
            self._state.consumers[name] = state
            self._changed(state.memory())
        state.seen = seen
        state.active = active
        return is_new

    def remove_consumer(self, name: bytes) -> bool:
        state = self._state.consumers.pop(name, None)
        if state is None:
            return False
        for pending in state.entries.range(bytes(16), b"\xff" * 16, state.entries.count):
            self._state.entries.remove(pending.id)
        self._changed(-state.memory() - state.entries.count * PENDING_BYTES)
        return True


def _present(state: ConsumerState) -> Consumer:
    return Consumer(state.name, state.seen, state.active, state.entries.count)
