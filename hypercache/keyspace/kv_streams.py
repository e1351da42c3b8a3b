"""Streams of a `KVBackend`: a pair for each entry, in the order of their ids."""

from mypy_extensions import i64

from hypercache.backend import StreamGroup, StreamValue
from hypercache.keyspace.kv_handle import Handle
from hypercache.keyspace.kv_store import CHUNK
from hypercache.keyspace.kv_stream_groups import KVGroup
from hypercache.keyspace.kv_stream_layout import (
    CONSUMER,
    CONSUMER_NAME,
    ENTRY,
    GROUP,
    PENDING,
    PENDING_OF,
    GroupState,
    State,
    decode_fields,
    decode_group,
    encode_fields,
)
from hypercache.keyspace.layout import Namer, after
from hypercache.streams import MIN_ID, StreamEntry, wrapped


class KVStream(StreamValue):
    """A stream; what it is besides its entries is in the extra of its record."""

    def __init__(self, handle: Handle, namer: Namer) -> None:
        super().__init__()
        self.handle = handle
        self.namer = namer
        self._entries = handle.prefix + ENTRY
        self._groups = handle.prefix + GROUP

    def length(self) -> int:
        return self.handle.use().length

    def memory(self) -> int:
        return self.handle.use().used

    def encoding(self) -> str:
        return "stream"

    # State -----------------------------------------------------------------------------------

    def _state(self) -> State:
        return State(self.handle.use().extra)

    def last_id(self) -> bytes:
        return self._state().last_id

    def max_deleted_id(self) -> bytes:
        return self._state().max_deleted_id

    def entries_added(self) -> int:
        return self._state().entries_added

    def set_state(self, last_id: bytes, max_deleted_id: bytes, entries_added: int) -> None:
        handle = self.handle
        state = self._state()
        state.last_id = last_id
        state.max_deleted_id = max_deleted_id
        state.entries_added = entries_added
        with handle.store:
            handle.set_extra(state.encode())
            handle.settle(handle.record.length)
        self.changes += 1

    # Entries -----------------------------------------------------------------------------------

    def first_id(self) -> bytes:
        self.handle.use()
        pairs = self.handle.kv.range(self._entries, after(self._entries), 1)
        return pairs[0][0][len(self._entries) :] if pairs else MIN_ID

    def append(self, entry_id: bytes, fields: list[bytes]) -> None:
        handle = self.handle
        state = self._state()
        state.last_id = entry_id
        state.entries_added = wrapped(state.entries_added + 1)
        with handle.store:
            handle.add(self._entries + entry_id, encode_fields(fields))
            handle.set_extra(state.encode())
            handle.settle(handle.record.length + 1)
        self.changes += 1

    def get(self, entry_id: bytes) -> list[bytes] | None:
        self.handle.use()
        raw = self.handle.kv.get(self._entries + entry_id)
        return None if raw is None else decode_fields(raw)

    def range(self, start: bytes, stop: bytes, limit: i64, reverse: bool) -> list[StreamEntry]:
        self.handle.use()
        if limit < 1:
            return []
        prefix = self._entries
        end = prefix + stop + b"\x00"
        pairs = self.handle.kv.range(prefix + start, end, int(limit), reverse)
        return [(key[len(prefix) :], decode_fields(raw)) for key, raw in pairs]

    def remove(self, entry_id: bytes) -> bool:
        handle = self.handle
        state = self._state()
        key = self._entries + entry_id
        raw = handle.kv.get(key)
        if raw is None:
            return False
        state.max_deleted_id = max(state.max_deleted_id, entry_id)
        with handle.store:
            handle.drop(key, raw)
            handle.set_extra(state.encode())
            handle.settle(handle.record.length - 1)
        self.changes += 1
        return True

    def remove_first(self, count: i64) -> None:
        self._remove_first(count, after(self._entries))

    def remove_below(self, entry_id: bytes) -> int:
        return self._remove_first(self.handle.use().length, self._entries + entry_id)

    def _remove_first(self, count: i64, stop: bytes) -> i64:
        """Remove up to ``count`` entries whose keys are below ``stop``; how many."""
        handle = self.handle
        length = handle.use().length
        left = count
        with handle.store:
            while left > 0:
                pairs = handle.kv.range(self._entries, stop, int(min(left, CHUNK)))
                if not pairs:
                    break
                for key, raw in pairs:
                    handle.drop(key, raw)
                left -= len(pairs)
            handle.settle(length - (count - left))
        self.changes += count - left
        return count - left

    # There are no nodes, but what trims with ``~``, or asks how many there are, means as many
    # entries as a full one has, counted from the first that was ever added.

    def first_node(self) -> tuple[int, bytes]:
        gone = self._state().entries_added - self.handle.record.length
        entries = self._node_entries()
        prefix = self._entries
        pairs = self.handle.kv.range(prefix, after(prefix), int(entries - gone % entries))
        return len(pairs), pairs[-1][0][len(prefix) :]

    def nodes(self) -> int:
        entries = self._node_entries()
        return (self.handle.use().length + entries - 1) // entries

    def _node_entries(self) -> i64:
        limit = self.handle.store.limits.stream_entries
        return limit if limit > 0 else CHUNK

    # Groups ------------------------------------------------------------------------------------

    def groups(self) -> list[StreamGroup]:
        names: dict[bytes, bytes] = {}
        for key, raw in self.handle.pairs(self._groups):
            names[decode_group(raw).name] = key
        found: list[StreamGroup] = []
        for name in sorted(names):
            found.append(KVGroup(self, self.handle, self.namer, names[name]))
        return found

    def group(self, name: bytes) -> StreamGroup | None:
        self.handle.use()
        key = self._groups + self.namer.name(name)
        if self.handle.kv.get(key) is None:
            return None
        return KVGroup(self, self.handle, self.namer, key)

    def create_group(self, name: bytes, last_id: bytes, entries_read: int) -> StreamGroup:
        handle = self.handle
        state = self._state()
        key = self._groups + self.namer.name(name)
        group = GroupState(state.next_number, last_id, entries_read, 0, name)
        state.next_number += 1
        with handle.store:
            handle.add(key, group.encode())
            handle.set_extra(state.encode())
            handle.settle(handle.record.length)
        self.changes += 1
        return KVGroup(self, handle, self.namer, key)

    def remove_group(self, name: bytes) -> bool:
        handle = self.handle
        handle.use()
        key = self._groups + self.namer.name(name)
        raw = handle.kv.get(key)
        if raw is None:
            return False
        group = decode_group(raw)
        with handle.store:
            handle.drop(key, raw)
            for tag in (PENDING, PENDING_OF, CONSUMER, CONSUMER_NAME):
                handle.drop_all(handle.prefix + group.under(tag))
            handle.settle(handle.record.length)
        self.changes += 1
        return True
