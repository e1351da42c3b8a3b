"""The memory backend and a durable one beside each other: they must never tell themselves apart.

Outside a unit every operation goes to both at once, and both answers are compared. Inside
one it goes to the durable one, and when the unit is committed, to the memory backend, whose
answers must be the same; when it is rolled back, the memory backend never hears of it.
"""

from collections.abc import Callable
from typing import cast

from hypercache_memory import MemoryBackend
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hypercache.backend import (
    HASH,
    KIND_NAMES,
    LIST,
    NO_EXPIRE,
    SET,
    STREAM,
    STRING,
    ZSET,
    Backend,
    Database,
    Entry,
    HashValue,
    Value,
)
from hypercache.keyspace.kv_backend import KVBackend
from tests.contract.value_calls import Step, content, steps

DATABASES = 3
#: Deadlines are whole seconds and clocks stand between them, so that lateness plays no role.
SECOND = 1000
NOW = 1_700_000_000 * SECOND

databases = st.integers(0, DATABASES - 1)
mostly_first = st.sampled_from([0, 0, 0, 0, 1])
#: Keys whose values are edited, by their kinds: a short one, and one longer than a key of the
#: store. Everything else may happen to them, too.
EDITED = [(name.encode(), name.encode() * 9) for name in KIND_NAMES]
keys = st.sampled_from([b"a", b"", b"k" * 40, b"k" * 41, *(key for pair in EDITED for key in pair)])
values = st.one_of(
    st.binary(max_size=80),
    st.sampled_from([2_048, 2_049, 4_096, 10_000]).map(lambda size: b"v" * size),
)
deadlines = st.one_of(
    st.just(NO_EXPIRE), st.integers(0, 5).map(lambda seconds: NOW + seconds * SECOND)
)
clocks = st.integers(-1, 6).map(lambda seconds: NOW + seconds * SECOND + SECOND // 2)

#: What to do with a backend's databases, and what it answers.
Operation = Callable[[list[Database]], object]


def seen(entry: Entry | None) -> object:
    """An entry, as something that can be compared."""
    if entry is None or isinstance(entry.value, bytes):
        return None if entry is None else (entry.value, entry.expire)
    value = cast(Value, entry.value)
    return (value.kind, value.length(), value.encoding(), entry.expire, content(value))


def edited(database: Database, key: bytes, step: Step) -> object:
    """Edit a value in place, made where there is none of the kind."""
    entry = database.find(key)
    value = None if entry is None else entry.value
    if not isinstance(value, Value) or value.kind != step.kind:
        value = cast(Value, database.create(key, step.kind).value)
    before = value.memory()
    changes = value.changes
    answer = step.perform(value)
    database.adjust(key, before, value.memory())
    return answer, int(value.changes - changes), seen(database.find(key))


def scanned(database: Database, count: int) -> set[bytes]:
    """All keys, as a scan finds them."""
    found: set[bytes] = set()
    cursor = 0
    while True:
        cursor, step = database.scan(cursor, count)
        found.update(step)
        if cursor == 0:
            return found


def expired(database: Database, now: int) -> set[bytes]:
    """Remove all keys past their deadline, as the active expiry cycle does."""
    found: set[bytes] = set()
    for _ in range(2 * database.size() + 10):
        for key in database.due(now, 3):
            assert database.unlink(key)
            found.add(key)
    return found


def with_due_fields(database: Database, now: int) -> set[bytes]:
    """Take note that no hash has fields that are due, as the active expiry cycle does."""
    found: set[bytes] = set()
    for _ in range(2 * database.size() + 10):
        for key in database.due_fields(now, 3):
            database.expire_fields(key, NO_EXPIRE)
            found.add(key)
    return found


class BesideMemory(RuleBasedStateMachine):
    """The rules; a subclass says how the durable backend is made and opened again."""

    def fresh(self) -> KVBackend:
        """A new backend, without data, not yet open."""
        raise NotImplementedError

    def again(self) -> KVBackend:
        """A backend that has the data of ``self.kv``, which is closed."""
        raise NotImplementedError

    @initialize()
    def open(self) -> None:
        self.kv = self.fresh()
        self.memory = MemoryBackend()
        self.kv_databases = self.kv.open(DATABASES)
        self.memory_databases = self.memory.open(DATABASES)
        self.unit: list[tuple[Operation, object]] | None = None

    def both(self, operation: Operation) -> None:
        answer = operation(self.kv_databases)
        if self.unit is not None:
            self.unit.append((operation, answer))
        else:
            assert operation(self.memory_databases) == answer

    # One key -------------------------------------------------------------------------------

    @rule(index=databases, key=keys)
    def find(self, index: int, key: bytes) -> None:
        self.both(lambda dbs: seen(dbs[index].find(key)))

    @rule(index=databases, key=keys, value=values, expire=deadlines)
    def put(self, index: int, key: bytes, value: bytes, expire: int) -> None:
        self.both(lambda dbs: seen(dbs[index].put(key, value, expire)))

    @rule(index=databases, key=keys, kind=st.integers(0, len(KIND_NAMES) - 1))
    def create(self, index: int, key: bytes, kind: int) -> None:
        self.both(lambda dbs: seen(dbs[index].create(key, kind)))

    @rule(index=databases, key=keys)
    def unlink(self, index: int, key: bytes) -> None:
        self.both(lambda dbs: dbs[index].unlink(key))

    @rule(index=databases, key=keys, deadline=deadlines)
    def expire(self, index: int, key: bytes, deadline: int) -> None:
        def operation(dbs: list[Database]) -> object:
            if dbs[index].find(key) is not None:
                dbs[index].expire(key, deadline)
            return seen(dbs[index].find(key))

        self.both(operation)

    @rule(index=databases, key=keys, other=databases, new_key=keys, copy=st.booleans())
    def move(self, index: int, key: bytes, other: int, new_key: bytes, copy: bool) -> None:
        def operation(dbs: list[Database]) -> object:
            if dbs[index].find(key) is None or (index, key) == (other, new_key):
                return None
            call = dbs[index].copy if copy else dbs[index].move
            call(key, dbs[other], new_key)
            return seen(dbs[other].find(new_key))

        self.both(operation)

    # Values --------------------------------------------------------------------------------

    def edit(self, index: int, step: Step, which: bool) -> None:
        key = EDITED[step.kind][which]
        self.both(lambda dbs: edited(dbs[index], key, step))

    # A rule for each kind, so that a run leaves some kinds out and gets further with others.

    @rule(index=mostly_first, step=steps(STRING), which=st.booleans())
    def edit_string(self, index: int, step: Step, which: bool) -> None:
        self.edit(index, step, which)

    @rule(index=mostly_first, step=steps(HASH), which=st.booleans())
    def edit_hash(self, index: int, step: Step, which: bool) -> None:
        self.edit(index, step, which)

    @rule(index=mostly_first, step=steps(LIST), which=st.booleans())
    def edit_list(self, index: int, step: Step, which: bool) -> None:
        self.edit(index, step, which)

    @rule(index=mostly_first, step=steps(SET), which=st.booleans())
    def edit_set(self, index: int, step: Step, which: bool) -> None:
        self.edit(index, step, which)

    @rule(index=mostly_first, step=steps(ZSET), which=st.booleans())
    def edit_zset(self, index: int, step: Step, which: bool) -> None:
        self.edit(index, step, which)

    @rule(index=mostly_first, step=steps(STREAM), which=st.booleans())
    def edit_stream(self, index: int, step: Step, which: bool) -> None:
        self.edit(index, step, which)

    @rule(index=databases, which=st.booleans(), deadline=deadlines)
    def expire_fields(self, index: int, which: bool, deadline: int) -> None:
        key = EDITED[HASH][which]

        def operation(dbs: list[Database]) -> None:
            entry = dbs[index].find(key)
            if entry is not None and isinstance(entry.value, HashValue):
                dbs[index].expire_fields(key, deadline)

        self.both(operation)

    @rule(index=databases, now=clocks)
    def due_fields(self, index: int, now: int) -> None:
        self.both(lambda dbs: with_due_fields(dbs[index], now))

    # Databases -----------------------------------------------------------------------------

    @rule(index=databases)
    def clear(self, index: int) -> None:
        self.both(lambda dbs: dbs[index].clear())

    @rule(index=databases, other=databases)
    def swap(self, index: int, other: int) -> None:
        if index != other:
            self.both(lambda dbs: dbs[index].swap(dbs[other]))

    @rule(index=databases, count=st.integers(1, 5))
    def scan(self, index: int, count: int) -> None:
        self.both(lambda dbs: scanned(dbs[index], count))

    @rule(index=databases, now=clocks)
    def expire_due(self, index: int, now: int) -> None:
        self.both(lambda dbs: expired(dbs[index], now))

    @rule(index=databases, pick=st.integers(0, 2**62 - 1))
    def sample(self, index: int, pick: int) -> None:
        self.both(
            lambda dbs: (dbs[index].sample(pick) in set(dbs[index].keys()), dbs[index].size())
        )

    @rule(budget=st.integers(1, 200))
    def reclaim(self, budget: int) -> None:
        for backend in (self.kv, cast(Backend, self.memory)):
            backend.reclaim(budget)

    # Units ---------------------------------------------------------------------------------

    @precondition(lambda self: self.unit is None)
    @rule()
    def begin(self) -> None:
        self.kv.begin()
        self.unit = []

    @precondition(lambda self: self.unit is not None)
    @rule()
    def commit(self) -> None:
        self.kv.commit()
        operations, self.unit = self.unit or [], None
        for operation, answer in operations:
            assert operation(self.memory_databases) == answer

    @precondition(lambda self: self.unit is not None)
    @rule()
    def rollback(self) -> None:
        self.kv.rollback()
        self.unit = None

    @precondition(lambda self: self.unit is None)
    @rule()
    def reopen(self) -> None:
        self.kv.close()
        self.kv = self.again()
        self.kv_databases = self.kv.open(DATABASES)
        self.consistent()

    @rule()
    def consistent(self) -> None:
        for database in self.kv_databases + self.memory_databases:
            assert database.check() == []

    @invariant()
    def same(self) -> None:
        if self.unit is None:
            for ours, theirs in zip(self.kv_databases, self.memory_databases, strict=True):
                assert ours.size() == theirs.size()
                assert ours.volatile() == theirs.volatile()
                assert set(ours.keys()) == set(theirs.keys())

    def teardown(self) -> None:
        self.consistent()
