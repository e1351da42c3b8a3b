"""Making a database small again after most of its keys have gone.

A dict keeps its table whatever is deleted, and CPython gives memory back in arenas of a megabyte,
once nothing is left in them. So what is left of a database that has shrunk moves together in few
arenas, and the table of the dict is renewed: CPython does that itself, at the size that it needs,
when so many keys were put in as it has room for.
"""

import sys
from typing import Final

from mypy_extensions import i64

from hypercache.backend import NO_EXPIRE, Entry
from hypercache_memory.arenas import SMALL, Arenas
from hypercache_memory.sizes import ENTRY_BLOCK, bytes_block

# A database is made smaller when it has lost so many bytes, and more than half of what it had.
WORTH: Final[i64] = 8 << 20
# Longer values come from the C library, which gives their pages back by itself.
_LONGEST: Final[i64] = 1 << 17
# Bytes of the table of a dict for each key, at most, when it has just been made.
_ROOMY: Final[i64] = 160
_SMALL_TABLE: Final[i64] = 1 << 16
# The stages of a pass.
_IDLE: Final = 0
_SURVEY: Final = 1
_PLUG: Final = 2
_OPEN: Final = 3
_MOVE: Final = 4
_RELEASE: Final = 5
_TABLE: Final = 6


class Compaction:
    """Compacts one database: survey of what is left; plugging of holes, and opening of those that
    are to be used; moving, key by key; release; the dict's table. Keys are taken from the last slot
    of the pool to the first, so that each of them is met whatever comes and goes meanwhile.

    ``highest`` are the most bytes that the database had since the last time.
    """

    def __init__(self) -> None:
        self.highest: i64 = 0
        self._stage = _IDLE
        self._todo: i64 = 0
        self._laps: i64 = 0
        self._arenas = Arenas()

    def note(self, used: i64) -> None:
        """The database has so many bytes now."""
        if used > self.highest:
            self.highest = used

    def is_due(self, used: i64) -> bool:
        """Whether there is something to do: a pass is under way, or is worth beginning."""
        if self._stage != _IDLE:
            return True
        return self.highest - used > WORTH and used < self.highest // 2

    def step(self, entries: dict[bytes, Entry], pool: list[bytes], budget: i64) -> bool:
        """Do a slice of about ``budget`` keys; False at the end of the pass."""
        if self._stage == _IDLE:
            self._begin(_SURVEY, len(pool))
        if self._stage == _PLUG:
            if not self._arenas.plug(budget):
                self._arenas.choose()
                self._stage = _OPEN
        elif self._stage == _OPEN:
            if not self._arenas.open(budget):
                self._begin(_MOVE, len(pool))
        elif self._stage == _RELEASE:
            if not self._arenas.release(budget):
                self._arenas = Arenas()
                self._begin(_TABLE, len(pool))
        else:
            self._walk(entries, pool, budget)
        return self._stage != _IDLE

    def _begin(self, stage: int, size: i64) -> None:
        self._stage = stage
        self._todo = size
        self._laps = 0

    def _walk(self, entries: dict[bytes, Entry], pool: list[bytes], budget: i64) -> None:
        """Do a slice of a stage that takes key by key."""
        size: i64 = len(pool)
        stop = self._todo if self._todo < size else size
        start = stop - budget if stop > budget else 0
        self._todo = start
        if stop == 0:
            self._advance(entries, pool)
        elif self._stage == _SURVEY:
            _survey(self._arenas, entries, pool, start, stop)
        elif self._stage == _MOVE:
            _move(self._arenas, entries, pool, start, stop)
        else:
            _put_again(entries, pool, start, stop)

    def _advance(self, entries: dict[bytes, Entry], pool: list[bytes]) -> None:
        """A stage has come to the first slot."""
        if not pool:
            entries.clear()
        if self._stage == _SURVEY:
            if self._arenas.are_sparse():
                self._stage = _PLUG
            else:
                self._begin(_MOVE, len(pool))
        elif self._stage == _MOVE:
            self._stage = _RELEASE
        else:
            # Not before the table has been renewed; after so many laps it would have been.
            self._laps += 1
            self._todo = len(pool)
            if self._laps > 32 or not _is_roomy(entries):
                self._stage = _IDLE
                self.highest = 0


def _is_roomy(entries: dict[bytes, Entry]) -> bool:
    """Whether a dict's table is larger than its keys need."""
    table: i64 = sys.getsizeof(entries)
    return table > _SMALL_TABLE and table > _ROOMY * len(entries)


def _survey(
    arenas: Arenas, entries: dict[bytes, Entry], pool: list[bytes], start: i64, stop: i64
) -> None:
    """Note where the keys of some slots lie, their entries and their strings."""
    slot = start
    while slot < stop:
        key = pool[slot]
        entry = entries[key]
        arenas.note(key, bytes_block(len(key)))
        arenas.note(entry, ENTRY_BLOCK)
        value = entry.value
        if isinstance(value, bytes):
            arenas.note(value, bytes_block(len(value)))
        slot += 1


def _move(
    arenas: Arenas, entries: dict[bytes, Entry], pool: list[bytes], start: i64, stop: i64
) -> None:
    """Allocate the keys of some slots anew, with their entries and strings, where they are in an
    arena that is to be emptied, or in no arena at all."""
    slot = start
    while slot < stop:
        key = pool[slot]
        entry = entries[key]
        value = entry.value
        if isinstance(value, bytes) and _is_to_move(arenas, value):
            if len(value) < SMALL:
                arenas.hold(value)
            entry.value = bytes(memoryview(value))
        if arenas.is_outside(entry):
            arenas.hold(entry)
            entry = Entry(entry.value, entry.expire, entry.access, entry.slot)
            entries[key] = entry
        # Indexes of deadlines have the keys of others too.
        if entry.expire == NO_EXPIRE and _is_to_move(arenas, key):
            arenas.hold(key)
            del entries[key]
            key = bytes(memoryview(key))
            pool[slot] = key
            entries[key] = entry
        slot += 1


def _is_to_move(arenas: Arenas, string: bytes) -> bool:
    block = bytes_block(len(string))
    return block <= _LONGEST and (block > SMALL or arenas.is_outside(string))


def _put_again(entries: dict[bytes, Entry], pool: list[bytes], start: i64, stop: i64) -> None:
    """Take keys out of the dict and put them in again: that uses up the room of its table."""
    slot = start
    while slot < stop:
        key = pool[slot]
        entry = entries.pop(key)
        entries[key] = entry
        slot += 1
