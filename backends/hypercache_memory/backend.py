"""The memory backend: ``dict`` for lookups, a dense pool of keys for scanning and sampling.

Each database keeps ``key -> Entry`` in a dict, and the keys once more in a list without
gaps (the pool); an entry knows its slot. Unlinking moves the last key of the pool into the
gap. So a random key is one index away, and SCAN walks the pool *downwards*: what moves goes
from a higher slot to a lower one, from what was scanned to what will be, so a key can be
seen twice but never missed, and a cursor is just a number.
"""

import sys
from collections.abc import Iterator
from typing import Final, cast

from mypy_extensions import i64

from hypercache.backend import (
    NO_EXPIRE,
    Backend,
    BackendError,
    Database,
    EncodingLimits,
    Entry,
    HashValue,
    KeyWalk,
    SlotFollower,
    Value,
)
from hypercache_memory.compaction import Compaction
from hypercache_memory.deadlines import DeadlineLookup, Deadlines, NotedDeadlines
from hypercache_memory.kinds import check_value, copy_value, is_large, new_value, shed
from hypercache_memory.sizes import (
    DEADLINE_BYTES,
    ENTRY_BYTES,
    NOTED_BYTES,
    SLOT_BYTES,
    bytes_block,
)
from hypercache_memory.walk import PoolWalk

# Times that the size of the tables may be asked for before they are measured anew, and keys up to
# which they are measured each time: a small limit is soon exceeded by a table that grows.
_EVERY: Final[i64] = 64
_FEW: Final[i64] = 1024
#: A volatile key is looked for among all keys where one in so many is.
COMMON: Final[i64] = 8


class _EntryDeadlines(DeadlineLookup):
    def __init__(self, entries: dict[bytes, Entry]) -> None:
        self.entries = entries

    def deadline_of(self, key: bytes) -> i64:
        return self.entries[key].expire


class MemoryDatabase(Database):
    """One numbered database in memory."""

    def __init__(self, graveyard: list[object], limits: EncodingLimits) -> None:
        self._entries: dict[bytes, Entry] = {}
        self._pool: list[bytes] = []
        self._deadlines = Deadlines()
        self._lookup = _EntryDeadlines(self._entries)
        # Hashes with fields that have deadlines, by the earliest of these.
        self._fields = NotedDeadlines()
        self._used: i64 = 0
        # Bytes of the dict and the pool at so many keys, and how often they were asked for since.
        self._tables: i64 = 0
        self._sized: i64 = -1
        self._asked: i64 = 0
        self._compaction = Compaction()
        self._graveyard = graveyard
        self._limits = limits
        # The last walk; once closed it costs nothing and keeps nothing.
        self._walk: PoolWalk | None = None
        self._follower: SlotFollower | None = None

    def find(self, key: bytes) -> Entry | None:
        return self._entries.get(key)

    def put(self, key: bytes, value: bytes, expire: i64) -> Entry:
        return self._store(key, value, bytes_block(len(value)), expire)

    def _insert(self, key: bytes, value: object) -> Entry:
        entry = Entry(value, NO_EXPIRE, 0, len(self._pool))
        self._entries[key] = entry
        self._pool.append(key)
        self._used += bytes_block(len(key)) + ENTRY_BYTES
        return entry

    def _set_deadline(self, key: bytes, entry: Entry, deadline: i64) -> None:
        if entry.expire != NO_EXPIRE:
            self._deadlines.remove(key, entry.expire)
            self._used -= DEADLINE_BYTES
        entry.expire = deadline
        if deadline != NO_EXPIRE:
            self._deadlines.add(key, deadline)
            self._used += DEADLINE_BYTES

    def create(self, key: bytes, kind: int) -> Entry:
        value = new_value(kind, self._limits)
        return self._store(key, value, value.memory(), NO_EXPIRE)

    def _store(self, key: bytes, value: object, size: i64, deadline: i64) -> Entry:
        """Put a value whose bytes are ``size`` under a key, in the place of what was there."""
        entry = self._entries.get(key)
        if entry is None:
            entry = self._insert(key, value)
        else:
            self._release(entry.value)
            entry.value = value
            if self._fields.noted:
                self._fields.forget(key)
        self._used += size
        if entry.expire != deadline:
            self._set_deadline(key, entry, deadline)
        return entry

    def _release(self, value: object) -> None:
        """Account for a value that goes; one that is dear to free waits for `reclaim`."""
        if isinstance(value, bytes):
            self._used -= bytes_block(len(value))
            return
        typed = cast(Value, value)
        self._used -= typed.memory()
        if is_large(typed):
            self._graveyard.append(typed)

    def unlink(self, key: bytes) -> bool:
        entry = self._entries.get(key)
        if entry is None:
            return False
        self._remove(key, entry)
        self._release(entry.value)
        return True

    def _remove(self, key: bytes, entry: Entry) -> None:
        """Take a key out of every index; its value's bytes are the caller's to account."""
        if entry.expire != NO_EXPIRE:
            self._deadlines.remove(key, entry.expire)
            self._used -= DEADLINE_BYTES
        if self._fields.noted:
            self._fields.forget(key)
        hole = entry.slot
        if self._walk is not None and hole < self._walk.todo:
            top = self._walk.fill(hole)
            if top != hole and self._follower is not None:
                self._follower.moved(i64(top), i64(hole))
            hole = top
        last = self._pool.pop()
        if hole != len(self._pool):
            self._pool[hole] = last
            self._entries[last].slot = hole
            if self._follower is not None:
                self._follower.moved(len(self._pool), i64(hole))
        del self._entries[key]
        self._used -= bytes_block(len(key)) + ENTRY_BYTES

    def expire(self, key: bytes, deadline: i64) -> None:
        self._set_deadline(key, self._entries[key], deadline)

    def move(self, key: bytes, target: Database, new_key: bytes) -> None:
        destination = cast(MemoryDatabase, target)
        entry = self._entries[key]
        size = self._value_bytes(entry)
        deadline = entry.expire
        fields_deadline = self._fields.noted.get(key, NO_EXPIRE)
        self._remove(key, entry)
        self._used -= size
        moved = destination._store(new_key, entry.value, size, deadline)
        moved.access = entry.access
        if fields_deadline != NO_EXPIRE:
            destination._fields.note(new_key, fields_deadline)

    def copy(self, key: bytes, target: Database, new_key: bytes) -> None:
        destination = cast(MemoryDatabase, target)
        entry = self._entries[key]
        value = entry.value
        if isinstance(value, bytes):
            destination.put(new_key, value, entry.expire)
            return
        twin = copy_value(cast(Value, value), self._limits)
        destination._store(new_key, twin, twin.memory(), entry.expire)
        if key in self._fields.noted:
            destination._fields.note(new_key, self._fields.noted[key])

    def swap(self, other: Database) -> None:
        twin = cast(MemoryDatabase, other)
        self._entries, twin._entries = twin._entries, self._entries
        self._pool, twin._pool = twin._pool, self._pool
        self._deadlines, twin._deadlines = twin._deadlines, self._deadlines
        self._lookup, twin._lookup = twin._lookup, self._lookup
        self._fields, twin._fields = twin._fields, self._fields
        self._used, twin._used = twin._used, self._used
        self._sized = twin._sized = -1
        self._walk, twin._walk = twin._walk, self._walk
        self._compaction, twin._compaction = twin._compaction, self._compaction

    def expire_fields(self, key: bytes, deadline: i64) -> None:
        if deadline == NO_EXPIRE:
            self._fields.forget(key)
        else:
            self._fields.note(key, deadline)

    def due_fields(self, now: i64, limit: int) -> list[bytes]:
        return self._fields.due(now, limit)

    def has_volatile_fields(self) -> bool:
        return bool(self._fields.noted)

    def size(self) -> int:
        return len(self._entries)

    def volatile(self) -> int:
        return self._deadlines.count

    def due(self, now: i64, limit: int) -> list[bytes]:
        if self._deadlines.count == 0:
            return []
        return self._deadlines.due(now, limit, self._lookup)

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        # The cursor is the number of slots still to be scanned; a new scan has all of them.
        pool = self._pool
        stop = len(pool)
        if 0 < cursor < stop:
            stop = cursor
        start = max(stop - max(count, 1), 0)
        found = pool[start:stop]
        found.reverse()
        return start, found

    def sample(self, pick: i64) -> bytes | None:
        size: i64 = len(self._pool)
        return self._pool[pick % size] if size else None

    def sample_volatile(self, pick: i64) -> bytes | None:
        count = self._deadlines.count
        size: i64 = len(self._pool)
        if count * COMMON < size:
            return self._deadlines.sample(pick)
        turn: i64 = 0
        while turn < COMMON and count > 0:
            key = self._pool[(pick >> turn) % size]
            if self._entries[key].expire != NO_EXPIRE:
                return key
            turn += 1
        return self._deadlines.sample(pick)

    def follow_slots(self, follower: SlotFollower | None) -> bool:
        self._follower = follower
        return True

    def key_at(self, slot: int) -> bytes:
        return self._pool[slot]

    def keys(self) -> Iterator[bytes]:
        return iter(self._entries)

    def walk(self) -> KeyWalk:
        if self._walk is not None and self._walk.is_open:
            raise ValueError("another walk is under way")
        self._walk = PoolWalk(self, self._entries, self._pool, self._graveyard)
        return self._walk

    def clear(self) -> None:
        if self._walk is not None and self._walk.is_open:
            self._walk.own()
            self._walk = None
        elif self._entries:
            self._graveyard.append(self._entries)
        self._entries = {}
        self._lookup = _EntryDeadlines(self._entries)
        self._pool = []
        self._deadlines = Deadlines()
        self._fields = NotedDeadlines()
        self._used = 0
        self._sized = -1
        self._compaction = Compaction()

    def memory(self) -> int:
        # Asked before every command while there is a limit: the tables are measured now and then.
        size: i64 = len(self._pool)
        self._asked += 1
        drift = size - self._sized
        if self._asked >= _EVERY or size < _FEW or drift > size >> 6 or -drift > size >> 6:
            self._asked = 0
            self._sized = size
            self._tables = sys.getsizeof(self._entries) + sys.getsizeof(self._pool)
            self._compaction.note(self._used + self._tables)
        return self._used + self._tables + len(self._fields.noted) * NOTED_BYTES

    def compact(self, budget: int) -> bool:
        """Make the database small again, in slices, when most of it has gone; True for more."""
        if not self._compaction.is_due(self._used + self._tables):
            return False
        more = self._compaction.step(self._entries, self._pool, budget)
        if not more:
            self._sized = -1
            self._compaction.note(self.memory())
        return more

    def overhead(self) -> tuple[int, int]:
        count = len(self._entries)
        entries = sys.getsizeof(self._entries) + max(sys.getsizeof(self._pool), count * 8)
        deadlines = self.volatile() * DEADLINE_BYTES + len(self._fields.noted) * NOTED_BYTES
        return entries + count * ENTRY_BYTES, deadlines

    def memory_of(self, key: bytes) -> int:
        entry = self._entries[key]
        share = 24 + 12 + SLOT_BYTES  # an entry of the dict, its index at usual load, the pool
        if entry.expire != NO_EXPIRE:
            share += DEADLINE_BYTES
        if key in self._fields.noted:
            share += NOTED_BYTES
        return bytes_block(len(key)) + ENTRY_BYTES + share + self._value_bytes(entry)

    def _value_bytes(self, entry: Entry) -> i64:
        value = entry.value
        if isinstance(value, bytes):
            return bytes_block(len(value))
        return cast(Value, value).memory()

    def adjust(self, key: bytes, before: int, after: int) -> None:
        self._used += after - before

    def check(self) -> list[str]:
        wrong: list[str] = []
        used: i64 = 0
        volatile = 0
        for key, entry in self._entries.items():
            if not (0 <= entry.slot < len(self._pool)) or self._pool[entry.slot] != key:
                wrong.append(f"the pool does not hold {key!r} at its slot {entry.slot}")
            used += bytes_block(len(key)) + ENTRY_BYTES + self._value_bytes(entry)
            if entry.expire != NO_EXPIRE:
                volatile += 1
                used += DEADLINE_BYTES
            if isinstance(entry.value, Value):
                wrong += [f"{key!r}: {text}" for text in check_value(entry.value)]
        if len(self._pool) != len(self._entries):
            wrong.append(f"the pool has {len(self._pool)} keys, the dict {len(self._entries)}")
        if volatile != self._deadlines.count:
            wrong.append(f"{volatile} keys have a deadline, {self._deadlines.count} are listed")
        for key, noted in self._fields.noted.items():
            if key not in self._entries:
                wrong.append(f"deadlines of fields are noted for {key!r}, which is not there")
            elif not isinstance(self._entries[key].value, HashValue):
                wrong.append(f"the deadline {noted} is noted of fields of {key!r}, no hash")
        if used != self._used:
            wrong.append(f"{self._used} bytes are accounted, {used} are there")
        return wrong


class MemoryBackend(Backend):
    """Everything in this process's memory; nothing survives it without a persistence plugin."""

    def __init__(self) -> None:
        super().__init__("memory")
        self.keeps_access = True
        self._graveyard: list[object] = []
        self._reclaimed: i64 = 0
        self._databases: list[MemoryDatabase] = []

    def open(self, databases: int) -> list[Database]:
        self._databases = [MemoryDatabase(self._graveyard, self.limits) for _ in range(databases)]
        return list(self._databases)

    def close(self) -> None:
        self._databases = []
        self._graveyard.clear()

    def begin(self) -> None:
        """Nothing: the backend has no units."""

    def commit(self) -> None:
        """Nothing: the backend has no units."""

    def rollback(self) -> None:
        raise BackendError("rollback: the memory backend has no units")

    def reclaim(self, budget: int) -> bool:
        while self._graveyard and budget > 0:
            dead = self._graveyard[-1]
            if isinstance(dead, Value):
                freed = shed(dead, budget)
                self._reclaimed += freed < budget
            else:
                freed = _shed(cast(dict[bytes, Entry], dead), budget)
                self._reclaimed += freed
            if freed < budget:
                self._graveyard.pop()
            budget -= freed
        if self._graveyard:
            return True
        return any(database.compact(budget) for database in self._databases)

    def statistics(self) -> dict[str, int]:
        return {
            "lazyfree_pending_objects": len(self._graveyard),
            "lazyfreed_objects": self._reclaimed,
        }


def _shed(entries: dict[bytes, Entry], budget: int) -> int:
    freed = 0
    while entries and freed < budget:
        entries.popitem()
        freed += 1
    return freed
