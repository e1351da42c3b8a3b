"""Entries that were delivered and not acknowledged yet, in the order of their ids."""

from typing import Final

from mypy_extensions import i64

from hypercache.streams import Pending
from hypercache_memory.sizes import block, bytes_block

#: One pending entry: the object, its id, and its place in two lists.
PENDING_BYTES: Final[i64] = 64 + 64 + 2 * 9
# A group and a consumer, with their empty containers and their places in dicts.
_GROUP_BYTES: Final[i64] = 480
_CONSUMER_BYTES: Final[i64] = 360

# A block of entries is halved when it has so many.
_BLOCK: Final = 512


class PendingList:
    """Pending entries in blocks: what is found, put in or taken out moves one block at most.

    Entries mostly come with rising ids: a full last block is left full, and the next begun.
    """

    def __init__(self) -> None:
        self._blocks: list[list[Pending]] = []
        self.count: i64 = 0

    def _block_of(self, entry_id: bytes) -> i64:
        """The first block whose last id is not lower; the number of blocks if there is none."""
        blocks = self._blocks
        low: i64 = 0
        high: i64 = len(blocks)
        while low < high:
            middle = (low + high) >> 1
            entries = blocks[middle]
            if entries[len(entries) - 1].id < entry_id:
                low = middle + 1
            else:
                high = middle
        return low

    def find(self, entry_id: bytes) -> Pending | None:
        """The entry of an id, or None."""
        index = self._block_of(entry_id)
        if index == len(self._blocks):
            return None
        entries = self._blocks[index]
        found = entries[_place(entries, entry_id)]
        return found if found.id == entry_id else None

    def put(self, pending: Pending) -> Pending | None:
        """Put an entry in; the one of the same id that it replaces, or None."""
        blocks = self._blocks
        index = self._block_of(pending.id)
        if index == len(blocks):
            if index == 0 or len(blocks[index - 1]) >= _BLOCK:
                blocks.append([pending])
            else:
                blocks[index - 1].append(pending)
            self.count += 1
            return None
        entries = blocks[index]
        place = _place(entries, pending.id)
        old = entries[place]
        if old.id == pending.id:
            entries[place] = pending
            return old
        entries.insert(place, pending)
        self.count += 1
        if len(entries) > _BLOCK:
            blocks.insert(index + 1, entries[_BLOCK // 2 :])
            del entries[_BLOCK // 2 :]
        return None

    def remove(self, entry_id: bytes) -> Pending | None:
        """Take the entry of an id out, and hand it out; None if there is none."""
        index = self._block_of(entry_id)
        if index == len(self._blocks):
            return None
        entries = self._blocks[index]
        place = _place(entries, entry_id)
        found = entries[place]
        if found.id != entry_id:
            return None
        del entries[place]
        if not entries:
            del self._blocks[index]
        self.count -= 1
        return found

    def bounds(self) -> tuple[bytes, bytes] | None:
        """The lowest and the highest id, None when empty."""
        if not self._blocks:
            return None
        last = self._blocks[len(self._blocks) - 1]
        return self._blocks[0][0].id, last[len(last) - 1].id

    def range(self, start: bytes, stop: bytes, limit: i64) -> list[Pending]:
        """The first ``limit`` entries with ``start <= id <= stop``."""
        found: list[Pending] = []
        index = self._block_of(start)
        if index == len(self._blocks):
            return found
        place = _place(self._blocks[index], start)
        while index < len(self._blocks) and len(found) < limit:
            entries = self._blocks[index]
            while place < len(entries) and len(found) < limit:
                pending = entries[place]
                if pending.id > stop:
                    return found
                found.append(pending)
                place += 1
            place = 0
            index += 1
        return found

    def copy(self) -> "PendingList":
        """A list of its own with the same entries."""
        twin = PendingList()
        for entries in self._blocks:
            twin._blocks.append(entries[:])
        twin.count = self.count
        return twin

    def shed(self, budget: int) -> int:
        """Free up to ``budget`` entries, by whole blocks; how many."""
        freed = 0
        while self._blocks and freed < budget:
            freed += len(self._blocks.pop())
        self.count -= freed
        return freed


def _place(entries: list[Pending], entry_id: bytes) -> i64:
    """The first entry whose id is not lower; that of the last one is not."""
    low: i64 = 0
    high: i64 = len(entries) - 1
    if high > 0 and entries[0].id >= entry_id:
        return 0  # the oldest is acknowledged first
    while low < high:
        middle = (low + high) >> 1
        if entries[middle].id < entry_id:
            low = middle + 1
        else:
            high = middle
    return low


class ConsumerState:
    """What a stream keeps of a consumer: the fields of `hypercache.streams.Consumer`."""

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.seen: i64 = 0
        self.active: i64 = -1
        self.entries = PendingList()

    def memory(self) -> i64:
        """Bytes taken, less pending entries."""
        return _CONSUMER_BYTES + bytes_block(len(self.name))


class GroupState:
    """What a stream keeps of a group; ``memory`` is what all of it takes, in bytes."""

    def __init__(self, name: bytes, last_id: bytes, entries_read: i64) -> None:
        self.name = name
        self.last_id = last_id
        self.entries_read = entries_read
        self.entries = PendingList()
        self.consumers: dict[bytes, ConsumerState] = {}
        self.memory: i64 = _GROUP_BYTES + block(len(name))

    def copy(self) -> "GroupState":
        """A group of its own with the same consumers and pending entries."""
        twin = GroupState(self.name, self.last_id, self.entries_read)
        twin.entries = self.entries.copy()
        for name, consumer in self.consumers.items():
            own = ConsumerState(name)
            own.seen = consumer.seen
            own.active = consumer.active
            own.entries = consumer.entries.copy()
            twin.consumers[name] = own
        twin.memory = self.memory
        return twin

    def shed(self, budget: int) -> int:
        """Free about ``budget`` of what it holds; how many.

        The lists of group and consumer share entries: a block counts for each of them.
        """
        freed = self.entries.shed(budget)
        while self.consumers and freed < budget:
            name, consumer = self.consumers.popitem()
            freed += consumer.entries.shed(budget - freed) + 1
            if consumer.entries.count > 0:
                self.consumers[name] = consumer
        return freed
