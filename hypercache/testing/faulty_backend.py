"""A whole backend that fails on purpose: what the server's side is tested with."""

from collections.abc import Iterator
from typing import Final, cast

from hypercache.backend import Backend, BackendError, Database, Entry, SlotFollower, Snapshot
from hypercache.testing.faults import FaultPlan

#: Calls that change something: where one raises, the unit is to be rolled back.
WRITES: Final = (
    "put",
    "create",
    "unlink",
    "expire",
    "expire_fields",
    "move",
    "copy",
    "swap",
    "clear",
    "reclaim",
)


class FaultyBackend(Backend):
    """A backend that hands every call on to another one, unless its plan says otherwise.

        plan = FaultPlan()
        backend = FaultyBackend(MyBackend(), plan)
        plan.raise_at(1, BackendFull("no room left"), call="put")

    The plan knows the calls by the names of their methods: those of a `Database`, and ``begin``,
    ``commit``, ``reclaim``, ``sync``, ``maintain``, ``snapshot``. Where one raises, nothing was
    done, and where that one writes, `commit` raises until the unit is rolled back, as the contract
    has it. Where one is to be short, `find` and `sample` find nothing, `put` loses the last byte,
    `scan`, `due` and `due_fields` lose the last key, and the other writes are not done.

    Values go through as they are: `FaultyKV` makes also what is done with them fail.
    """

    def __init__(self, backend: Backend, plan: FaultPlan) -> None:
        super().__init__(backend.name)
        self.backend = backend
        self.plan = plan
        self.limits = backend.limits
        self._failure = ""
        self._take_traits()

    def _take_traits(self) -> None:
        self.durable = self.backend.durable
        self.wants_units = self.backend.wants_units
        self.keeps_access = self.backend.keeps_access
        self.snapshots = self.backend.snapshots
        self.sync_policy = self.backend.sync_policy
        self.refusal = self.backend.refusal

    def reached(self, call: str) -> bool:
        """Ask the plan; a write that fails spoils the unit."""
        try:
            return self.plan.reached(call)
        except Exception as error:
            if call in WRITES:
                self._failure = f"{type(error).__name__}: {error}"
            raise

    def open(self, databases: int) -> list[Database]:
        self.backend.limits = self.limits
        self.backend.progress = self.progress
        opened = self.backend.open(databases)
        self._take_traits()
        return [FaultyDatabase(database, self) for database in opened]

    def close(self) -> None:
        self.backend.close()

    def begin(self) -> None:
        self.reached("begin")
        self.backend.begin()
        self.refusal = self.backend.refusal

    def commit(self) -> None:
        if self._failure:
            raise BackendError(f"the unit has failed and is to be rolled back: {self._failure}")
        if self.reached("commit"):
            self.backend.rollback()
        else:
            self.backend.commit()

    def rollback(self) -> None:
        self._failure = ""
        self.backend.rollback()

    def reclaim(self, budget: int) -> bool:
        return False if self.reached("reclaim") else self.backend.reclaim(budget)

    def sync(self) -> None:
        self.reached("sync")
        self.backend.sync()

    def maintain(self) -> None:
        self.reached("maintain")
        self.backend.maintain()

    def snapshot(self) -> Snapshot:
        self.reached("snapshot")
        return self.backend.snapshot()

    def statistics(self) -> dict[str, int]:
        return self.backend.statistics()


class FaultyDatabase(Database):
    """One database of a `FaultyBackend`."""

    def __init__(self, database: Database, backend: FaultyBackend) -> None:
        self.database = database
        self._reached = backend.reached

    def find(self, key: bytes) -> Entry | None:
        return None if self._reached("find") else self.database.find(key)

    def put(self, key: bytes, value: bytes, expire: int) -> Entry:
        return self.database.put(key, value[:-1] if self._reached("put") else value, expire)

    def create(self, key: bytes, kind: int) -> Entry:
        self._reached("create")  # it has nothing to lose
        return self.database.create(key, kind)

    def unlink(self, key: bytes) -> bool:
        return True if self._reached("unlink") else self.database.unlink(key)

    def expire(self, key: bytes, deadline: int) -> None:
        if not self._reached("expire"):
            self.database.expire(key, deadline)

    def move(self, key: bytes, target: Database, new_key: bytes) -> None:
        if not self._reached("move"):
            self.database.move(key, cast(FaultyDatabase, target).database, new_key)

    def copy(self, key: bytes, target: Database, new_key: bytes) -> None:
        if not self._reached("copy"):
            self.database.copy(key, cast(FaultyDatabase, target).database, new_key)

    def swap(self, other: Database) -> None:
        if not self._reached("swap"):
            self.database.swap(cast(FaultyDatabase, other).database)

    def expire_fields(self, key: bytes, deadline: int) -> None:
        if not self._reached("expire_fields"):
            self.database.expire_fields(key, deadline)

    def due_fields(self, now: int, limit: int) -> list[bytes]:
        short = self._reached("due_fields")
        keys = self.database.due_fields(now, limit)
        return keys[:-1] if short else keys

    def has_volatile_fields(self) -> bool:
        return self.database.has_volatile_fields()

    def size(self) -> int:
        return self.database.size()

    def volatile(self) -> int:
        return self.database.volatile()

    def due(self, now: int, limit: int) -> list[bytes]:
        short = self._reached("due")
        keys = self.database.due(now, limit)
        return keys[:-1] if short else keys

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        short = self._reached("scan")
        following, keys = self.database.scan(cursor, count)
        return following, keys[:-1] if short else keys

    def sample(self, pick: int) -> bytes | None:
        return None if self._reached("sample") else self.database.sample(pick)

    def sample_volatile(self, pick: int) -> bytes | None:
        return self.database.sample_volatile(pick)

    def follow_slots(self, follower: SlotFollower | None) -> bool:
        return self.database.follow_slots(follower)

    def key_at(self, slot: int) -> bytes:
        return self.database.key_at(slot)

    def keys(self) -> Iterator[bytes]:
        self._reached("keys")
        return self.database.keys()

    def clear(self) -> None:
        if not self._reached("clear"):
            self.database.clear()

    def memory(self) -> int:
        self._reached("memory")
        return self.database.memory()

    def memory_of(self, key: bytes) -> int:
        self._reached("memory_of")
        return self.database.memory_of(key)

    def adjust(self, key: bytes, before: int, after: int) -> None:
        self.database.adjust(key, before, after)

    def check(self) -> list[str]:
        return self.database.check()
