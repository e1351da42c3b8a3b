"""A third backend, as small as the contract allows: dicts, copied at the beginning of a unit.

Slow, plainly right, and easy to break: `broken.py` subclasses it with one bug each.
"""

from collections.abc import Iterator
from functools import cache
from hashlib import blake2s
from typing import TypeGuard

from hypercache.backend import (
    HASH,
    LIST,
    NO_EXPIRE,
    SET,
    STREAM,
    STRING,
    ZSET,
    Backend,
    BackendError,
    Database,
    Entry,
    HashValue,
    Snapshot,
    StringValue,
    Value,
)
from hypercache.testing import FaultPlan
from tests.contract.tiny_lists import TinyList
from tests.contract.tiny_sets import TinySet
from tests.contract.tiny_streams import TinyStream
from tests.contract.tiny_zsets import TinyZSet

PER_KEY = 50


class TinyHash(HashValue):
    def __init__(self, fields: dict[bytes, bytes] | None = None) -> None:
        super().__init__(HASH)
        self.fields = {} if fields is None else fields
        self.bytes = sum(map(len, self.fields)) + sum(map(len, self.fields.values()))
        self.deadlines: dict[bytes, int] = {}
        #: What `Database.expire_fields` noted.
        self.noted = NO_EXPIRE

    def length(self) -> int:
        return len(self.fields)

    def memory(self) -> int:
        return PER_KEY + self.bytes

    def encoding(self) -> str:
        return "hashtable"

    def get(self, field: bytes) -> bytes | None:
        return self.fields.get(field)

    def set(self, field: bytes, value: bytes) -> bool:
        old = self.fields.get(field)
        self.fields[field] = value
        self.changes += 1
        self.bytes += len(value) + (len(field) if old is None else -len(old))
        self.deadlines.pop(field, None)
        return old is None

    def remove(self, field: bytes) -> bool:
        old = self.fields.pop(field, None)
        if old is None:
            return False
        self.changes += 1
        self.bytes -= len(old) + len(field)
        self.deadlines.pop(field, None)
        return True

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        return iter(self.fields.items())

    def scan(self, cursor: int, count: int) -> tuple[int, list[tuple[bytes, bytes]]]:
        ordered = sorted((position(field), field) for field in self.fields)
        ahead = [item for item in ordered if item[0] >= cursor]
        following = ahead[count][0] if len(ahead) > count else 0
        return following, [(field, self.fields[field]) for _, field in ahead[:count]]

    def sample(self, pick: int) -> tuple[bytes, bytes]:
        return list(self.fields.items())[pick % len(self.fields)]

    def deadline(self, field: bytes) -> int:
        return self.deadlines.get(field, NO_EXPIRE)

    def set_deadline(self, field: bytes, deadline: int) -> None:
        if self.deadlines.pop(field, None) is not None or deadline != NO_EXPIRE:
            self.changes += 1
        if deadline != NO_EXPIRE:
            self.deadlines[field] = deadline

    def next_deadline(self) -> int:
        return min(self.deadlines.values(), default=NO_EXPIRE)

    def due(self, now: int, limit: int) -> list[bytes]:
        due = sorted((d, field) for field, d in self.deadlines.items() if d <= now)
        return [field for _, field in due[:limit]]


class TinyString(StringValue):
    def __init__(self, data: bytes = b"") -> None:
        super().__init__(STRING)
        self.data = bytearray(data)

    def length(self) -> int:
        return len(self.data)

    def memory(self) -> int:
        return PER_KEY + len(self.data)

    def encoding(self) -> str:
        return "raw"

    def read(self, start: int, stop: int) -> bytes:
        return bytes(self.data[start:stop])

    def write(self, offset: int, data: bytes) -> None:
        self.data.extend(bytes(max(offset - len(self.data), 0)))
        self.data[offset : offset + len(data)] = data
        self.changes += 1


@cache
def position(key: bytes) -> int:
    """Where a scan finds a key."""
    return int.from_bytes(blake2s(key, digest_size=6).digest(), "big")


def twin(value: object) -> object:
    """A value that shares nothing with the given one."""
    if isinstance(value, TinyHash):
        copy = type(value)(dict(value.fields))
        copy.deadlines = dict(value.deadlines)
        copy.noted = value.noted
        return copy
    if isinstance(value, TinyString):
        return type(value)(bytes(value.data))
    if isinstance(value, TinyList | TinySet | TinyZSet | TinyStream):
        return value.twin()
    return value


def is_hash(value: object) -> TypeGuard[TinyHash]:
    """Whether a value is one of our hashes."""
    return isinstance(value, TinyHash)


# What a database calls the type of its values of each kind.
VALUE_TYPES: dict[str, type[Value]] = {
    "hash_type": TinyHash,
    "string_type": TinyString,
    "list_type": TinyList,
    "set_type": TinySet,
    "zset_type": TinyZSet,
    "stream_type": TinyStream,
}


class TinyDatabase(Database):
    hash_type = TinyHash
    string_type = TinyString
    list_type = TinyList
    set_type = TinySet
    zset_type = TinyZSet
    stream_type = TinyStream

    def __init__(self, backend: "TinyBackend", index: int) -> None:
        self.backend = backend
        self.index = index
        self.entries: dict[bytes, Entry] = {}

    def find(self, key: bytes) -> Entry | None:
        self.backend.plan.reached("find")
        return self.entries.get(key)

    def put(self, key: bytes, value: bytes, expire: int) -> Entry:
        return self.store(key, value, expire)

    def store(self, key: bytes, value: object, expire: int) -> Entry:
        self.backend.plan.reached("store")
        entry = self.entries[key] = Entry(value, expire, 0, -1)
        return entry

    def create(self, key: bytes, kind: int) -> Entry:
        if kind == LIST:
            return self.store(key, self.list_type(self.backend.limits), NO_EXPIRE)
        if kind == SET:
            return self.store(key, self.set_type(self.backend.limits), NO_EXPIRE)
        if kind == STREAM:
            return self.store(key, self.stream_type(), NO_EXPIRE)
        if kind == ZSET:
            return self.store(key, self.zset_type(self.backend.limits), NO_EXPIRE)
        value = self.hash_type() if kind == HASH else self.string_type()
        return self.store(key, value, NO_EXPIRE)

    def unlink(self, key: bytes) -> bool:
        self.backend.plan.reached("unlink")
        entry = self.entries.pop(key, None)
        if entry is None:
            return False
        self.backend.dead.append(entry.value)
        return True

    def expire(self, key: bytes, deadline: int) -> None:
        self.entries[key].expire = deadline

    def move(self, key: bytes, target: Database, new_key: bytes) -> None:
        self.backend.plan.reached("move")
        assert isinstance(target, TinyDatabase)
        target.entries[new_key] = self.entries.pop(key)

    def copy(self, key: bytes, target: Database, new_key: bytes) -> None:
        assert isinstance(target, TinyDatabase)
        entry = self.entries[key]
        target.store(new_key, twin(entry.value), entry.expire)

    def swap(self, other: Database) -> None:
        assert isinstance(other, TinyDatabase)
        self.entries, other.entries = other.entries, self.entries

    def expire_fields(self, key: bytes, deadline: int) -> None:
        value = self.entries[key].value
        assert isinstance(value, TinyHash)
        value.noted = deadline

    def due_fields(self, now: int, limit: int) -> list[bytes]:
        noted = [(k, e.value.noted) for k, e in self.entries.items() if is_hash(e.value)]
        return [key for key, deadline in noted if deadline != NO_EXPIRE and deadline <= now][:limit]

    def size(self) -> int:
        return len(self.entries)

    def volatile(self) -> int:
        return sum(entry.expire != NO_EXPIRE for entry in self.entries.values())

    def due(self, now: int, limit: int) -> list[bytes]:
        due = [k for k, e in self.entries.items() if e.expire != NO_EXPIRE and e.expire <= now]
        return due[:limit]

    def ordered(self) -> list[tuple[int, bytes]]:
        """Positions and keys in the order of a hash."""
        return sorted((position(key), key) for key in self.entries)

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        ahead = [item for item in self.ordered() if item[0] >= cursor]
        following = ahead[count][0] if len(ahead) > count else 0
        return following, [key for _, key in ahead[:count]]

    def sample(self, pick: int) -> bytes | None:
        keys = list(self.entries)
        return keys[pick % len(keys)] if keys else None

    def keys(self) -> Iterator[bytes]:
        return iter(self.entries)

    def clear(self) -> None:
        self.backend.plan.reached("clear")
        self.backend.dead.append(self.entries)
        self.entries = {}

    def memory(self) -> int:
        return sum(self.memory_of(key) for key in self.entries)

    def memory_of(self, key: bytes) -> int:
        value = self.entries[key].value
        size = len(value) if isinstance(value, bytes) else 0
        return PER_KEY + len(key) + (value.memory() if isinstance(value, Value) else size)

    def adjust(self, key: bytes, before: int, after: int) -> None:
        """Nothing: memory() adds up anew each time."""

    def check(self) -> list[str]:
        return []

    def twins(self) -> dict[bytes, Entry]:
        """Entries that share nothing with ours."""
        return {k: Entry(twin(e.value), e.expire, e.access, -1) for k, e in self.entries.items()}


class TinySnapshot(Snapshot):
    def close(self) -> None:
        """Nothing: the copies go with it."""


class TinyBackend(Backend):
    """``disk`` survives: another backend with the same one finds what was committed.

    ``plan`` says what fails; nothing if not given.
    """

    database_type: type[TinyDatabase] = TinyDatabase

    def __init__(
        self, disk: list[dict[bytes, Entry]] | None = None, plan: FaultPlan | None = None
    ) -> None:
        super().__init__("tiny")
        self.durable = True
        self.wants_units = True
        self.snapshots = True
        self.disk = [] if disk is None else disk
        self.plan = FaultPlan() if plan is None else plan
        self.dead: list[object] = []
        self.databases: list[TinyDatabase] = []

    def open(self, databases: int) -> list[Database]:
        self.plan.reached("open")
        while len(self.disk) < databases:
            self.disk.append({})
        self.databases = [self.database_type(self, index) for index in range(databases)]
        self.load()
        return list(self.databases)

    def load(self) -> None:
        """Take everything from the disk."""
        for database, entries in zip(self.databases, self.disk, strict=True):
            database.entries = entries
            database.entries = database.twins()

    def close(self) -> None:
        self.databases = []

    def begin(self) -> None:
        self.plan.reached("begin")  # the disk has what was before the unit

    def commit(self) -> None:
        self.plan.reached("commit")
        for index, database in enumerate(self.databases):
            self.disk[index] = database.twins()

    def rollback(self) -> None:
        self.load()

    def reclaim(self, budget: int) -> bool:
        if budget < 1:
            raise BackendError(f"reclaim: a budget of {budget}")
        del self.dead[:budget]
        return bool(self.dead)

    def sync(self) -> None:
        self.plan.reached("sync")

    def maintain(self) -> None:
        self.plan.reached("maintain")

    def snapshot(self) -> Snapshot:
        self.plan.reached("snapshot")
        return TinySnapshot(self.copies())

    def copies(self) -> list[Database]:
        """Databases of their own, with what was committed."""
        copies: list[Database] = []
        for index, entries in enumerate(self.disk):
            copy = self.database_type(self, index)
            copy.entries = entries
            copy.entries = copy.twins()
            copies.append(copy)
        return copies

    def statistics(self) -> dict[str, int]:
        return {"dead_objects": len(self.dead)}
