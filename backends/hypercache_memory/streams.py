"""Streams, as the memory backend keeps them."""

from typing import Final

from librt.vecs import append, vec
from mypy_extensions import i64

from hypercache.backend import EncodingLimits, StreamGroup, StreamValue
from hypercache.streams import MIN_ID, StreamEntry
from hypercache_memory.packed import size_at, text_at
from hypercache_memory.pending import GroupState
from hypercache_memory.sizes import VALUE_BYTES, block, bytes_block
from hypercache_memory.stream_groups import MemoryGroup
from hypercache_memory.stream_nodes import (
    NODE_BYTES,
    FieldNames,
    Node,
    Tail,
    fields_at,
    fields_between,
    has_id,
    id_at,
    next_record,
    raw_size,
    seek,
)

# Behind it `entries_added` is the lowest number (see `hypercache.streams.wrapped`).
MAX_COUNT: Final[i64] = 9223372036854775807

# Streams with more nodes or pending entries than this are freed in slices.
_LARGE: Final = 64


class MemoryStream(StreamValue):
    """Nodes in the order of their ids; the last one is open for more entries.

    A node is found by bisection. Removing one moves the pointers to those behind it, 8 bytes
    for a node of up to a hundred entries.
    """

    def __init__(self, limits: EncodingLimits) -> None:
        super().__init__()
        self._limits = limits
        self._nodes: list[Node] = []
        self._tail = Tail()
        self._length: i64 = 0
        self._added: i64 = 0
        self._last = MIN_ID
        self._max_deleted = MIN_ID
        self._groups: dict[bytes, GroupState] = {}
        # Bytes of all nodes, and of all groups, without the open records.
        self.content: i64 = 0

    def length(self) -> int:
        return self._length

    def memory(self) -> int:
        return VALUE_BYTES + block(56 + 9 * len(self._nodes)) + self._tail.memory() + self.content

    def encoding(self) -> str:
        return "stream"

    def first_id(self) -> bytes:
        if not self._nodes:
            return MIN_ID
        node = self._nodes[0]
        return id_at(self._data(node), node.start)

    def last_id(self) -> bytes:
        return self._last

    def max_deleted_id(self) -> bytes:
        return self._max_deleted

    def entries_added(self) -> int:
        return self._added

    def set_state(self, last_id: bytes, max_deleted_id: bytes, entries_added: int) -> None:
        self._last = last_id
        self._max_deleted = max_deleted_id
        self._added = entries_added
        self.changes += 1

    # Nodes -----------------------------------------------------------------------------

    def _data(self, node: Node) -> bytes:
        """The records of a node."""
        return node.data if node.data else self._tail.writer.getvalue()

    def _set_data(self, node: Node, data: bytes) -> None:
        """Give a node other records."""
        if node.data:
            self.content += bytes_block(len(data)) - bytes_block(len(node.data))
            node.data = data
        else:
            self._tail.replace(data)

    def _find(self, entry_id: bytes) -> i64:
        """The last node that begins at this id or before, -1 if there is none."""
        nodes = self._nodes
        low: i64 = 0
        high: i64 = len(nodes)
        if high > 0 and nodes[high - 1].first <= entry_id:
            return high - 1
        while low < high:
            middle = (low + high) >> 1
            if nodes[middle].first <= entry_id:
                low = middle + 1
            else:
                high = middle
        return low - 1

    def _open_node(self, entry_id: bytes, fields: list[bytes]) -> Node:
        """Begin a node with its first entry."""
        names: FieldNames | None = None
        if self._nodes:
            names = self._nodes[len(self._nodes) - 1].names
        if names is not None and names.fit(fields):
            names.nodes += 1
        else:
            names = FieldNames(fields[::2])
            self.content += names.memory()
        node = Node(entry_id, names)
        self._nodes.append(node)
        self.content += NODE_BYTES
        self._tail.open(entry_id, names)
        return node

    def _seal(self) -> None:
        """Close the open node: its records become one object."""
        node = self._nodes[len(self._nodes) - 1]
        node.data = self._tail.writer.getvalue()[node.start :]
        node.start = 0
        self.content += bytes_block(len(node.data))
        self._tail.close()

    def _drop(self, start: i64, stop: i64) -> None:
        """Remove whole nodes."""
        nodes = self._nodes
        index = start
        while index < stop:
            node = nodes[index]
            self.content -= NODE_BYTES
            if node.data:
                self.content -= bytes_block(len(node.data))
            else:
                self._tail.close()
            node.names.nodes -= 1
            if node.names.nodes == 0:
                self.content -= node.names.memory()
            index += 1
        del nodes[start:stop]

    def first_node(self) -> tuple[int, bytes]:
        node = self._nodes[0]
        return node.count, node.last

    def nodes(self) -> int:
        return len(self._nodes)

    # Entries ---------------------------------------------------------------------------

    def append(self, entry_id: bytes, fields: list[bytes]) -> None:
        tail = self._tail
        if tail.is_open:
            node = self._nodes[len(self._nodes) - 1]
            if tail.is_full(raw_size(fields), tail.entries - node.count, self._limits):
                self._seal()
                node = self._open_node(entry_id, fields)
        else:
            node = self._open_node(entry_id, fields)
        tail.add(entry_id, fields, node.names.fit(fields))
        node.last = entry_id
        node.count += 1
        self._last = entry_id
        self._length += 1
        self._added = -MAX_COUNT - 1 if self._added == MAX_COUNT else self._added + 1
        self.changes += 1
        if tail.is_full(0, tail.entries - node.count, self._limits):
            self._seal()

    def get(self, entry_id: bytes) -> list[bytes] | None:
        index = self._find(entry_id)
        if index < 0:
            return None
        node = self._nodes[index]
        data = self._data(node)
        at = seek(data, node.start, entry_id)
        return fields_at(data, at, node.names) if has_id(data, at, entry_id) else None

    def range(self, start: bytes, stop: bytes, limit: i64, reverse: bool) -> list[StreamEntry]:
        found: list[StreamEntry] = []
        if start > stop:
            return found
        if reverse:
            index = self._find(stop)
            while index >= 0 and len(found) < limit and self._nodes[index].last >= start:
                self._read_back(self._nodes[index], start, stop, limit, found)
                index -= 1
            return found
        index = max(self._find(start), 0)
        while index < len(self._nodes) and len(found) < limit and self._nodes[index].first <= stop:
            self._read(self._nodes[index], start, stop, limit, found)
            index += 1
        return found

    def _read(
        self, node: Node, start: bytes, stop: bytes, limit: i64, found: list[StreamEntry]
    ) -> None:
        """Read on through one node, up to ``limit`` in all."""
        data = self._data(node)
        at = node.start if start <= node.first else seek(data, node.start, start)
        end: i64 = len(data)
        whole = node.last <= stop
        names = node.names
        missing: i64 = limit - len(found)
        while at < end and missing > 0:
            text = text_at(data, at)
            at = text + size_at(data, at)
            entry_id = data[text + 1 : text + 17]
            if not whole and entry_id > stop:
                return
            found.append((entry_id, fields_between(data, text, at, names)))
            missing -= 1

    def _read_back(
        self, node: Node, start: bytes, stop: bytes, limit: i64, found: list[StreamEntry]
    ) -> None:
        """Read backwards through one node: records are found forwards first."""
        data = self._data(node)
        missing: i64 = limit - len(found)
        whole = node.last <= stop
        at = node.start
        if start > node.first:
            at = seek(data, at, start)
        elif whole:
            # All of its entries are asked for: those that are too many are the first.
            excess = node.count - missing
            while excess > 0:
                at = next_record(data, at)
                excess -= 1
        end: i64 = len(data)
        places = vec[i64]()
        while at < end and (whole or id_at(data, at) <= stop):
            places = append(places, at)
            at = next_record(data, at)
        next_: i64 = len(places) - 1
        while next_ >= 0 and missing > 0:
            at = places[next_]
            found.append((id_at(data, at), fields_at(data, at, node.names)))
            missing -= 1
            next_ -= 1

    def remove(self, entry_id: bytes) -> bool:
        index = self._find(entry_id)
        if index < 0:
            return False
        node = self._nodes[index]
        data = self._data(node)
        at = seek(data, node.start, entry_id)
        if not has_id(data, at, entry_id):
            return False
        if node.count == 1:
            self._drop(index, index + 1)
        else:
            node.count -= 1
            following = next_record(data, at)
            if at == node.start:
                node.start = following
            else:
                self._set_data(node, data[:at] + data[following:])
        self._length -= 1
        self.changes += 1
        if entry_id > self._max_deleted:
            self._max_deleted = entry_id
        return True

    def remove_first(self, count: i64) -> None:
        dropped: i64 = 0
        left = count
        while left > 0 and self._nodes[dropped].count <= left:
            left -= self._nodes[dropped].count
            dropped += 1
        if left > 0:
            node = self._nodes[dropped]
            data = self._data(node)
            node.count -= left
            while left > 0:
                node.start = next_record(data, node.start)
                left -= 1
        if dropped > 0:
            self._drop(0, dropped)
        self._length -= count
        self.changes += count

    def remove_below(self, entry_id: bytes) -> int:
        count: i64 = 0
        for node in self._nodes:
            if node.last < entry_id:
                count += node.count
                continue
            if node.first < entry_id:
                at = node.start
                data = self._data(node)
                stop = seek(data, at, entry_id)
                while at < stop:
                    at = next_record(data, at)
                    count += 1
            break
        if count > 0:
            self.remove_first(count)
        return count

    # Groups ----------------------------------------------------------------------------

    def groups(self) -> list[StreamGroup]:
        found: list[StreamGroup] = []
        for name in sorted(self._groups):
            found.append(MemoryGroup(self, self._groups[name]))
        return found

    def group(self, name: bytes) -> StreamGroup | None:
        state = self._groups.get(name)
        return None if state is None else MemoryGroup(self, state)

    def create_group(self, name: bytes, last_id: bytes, entries_read: int) -> StreamGroup:
        state = GroupState(name, last_id, entries_read)
        self._groups[name] = state
        self.content += state.memory
        self.changes += 1
        return MemoryGroup(self, state)

    def remove_group(self, name: bytes) -> bool:
        state = self._groups.pop(name, None)
        if state is None:
            return False
        self.content -= state.memory
        self.changes += 1
        return True

    # Copying and freeing ----------------------------------------------------------------

    def copy(self) -> "MemoryStream":
        """A stream of its own with the same entries, state and groups."""
        twin = MemoryStream(self._limits)
        names: FieldNames | None = None
        source: FieldNames | None = None
        for node in self._nodes:
            if names is not None and node.names is source:
                names.nodes += 1
            else:
                source = node.names
                names = FieldNames(source.items)
            twin._nodes.append(node.copy(names))
        if self._tail.is_open:
            twin._tail = self._tail.copy()
        for name, state in self._groups.items():
            twin._groups[name] = state.copy()
        twin._length = self._length
        twin._added = self._added
        twin._last = self._last
        twin._max_deleted = self._max_deleted
        twin.content = self.content
        return twin

    def is_large(self) -> bool:
        """Whether it is too dear to be freed at once."""
        if len(self._nodes) > _LARGE or len(self._groups) > _LARGE:
            return True
        pending: i64 = 0
        for state in self._groups.values():
            pending += state.entries.count + len(state.consumers)
        return pending > _LARGE

    def shed(self, budget: int) -> int:
        """Free up to ``budget`` nodes and pending entries; nobody can reach them any more."""
        freed = 0
        while self._nodes and freed < budget:
            self._nodes.pop()
            freed += 1
        while self._groups and freed < budget:
            name, state = self._groups.popitem()
            freed += state.shed(budget - freed) + 1
            if state.entries.count > 0 or state.consumers:
                self._groups[name] = state
        return freed
