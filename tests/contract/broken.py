"""Backends with one bug each, and the rule of the kit that must find it."""

from collections.abc import Iterator

from hypercache.backend import NO_EXPIRE, STRING, Database, Entry, Value
from hypercache.testing import FaultPlan
from tests.contract.broken_filters import BROKEN_FILTERS
from tests.contract.broken_slots import BROKEN_SLOTS
from tests.contract.tiny import VALUE_TYPES, TinyBackend, TinyDatabase, TinyHash, TinyString
from tests.contract.tiny_lists import BROKEN_LISTS
from tests.contract.tiny_sets import BROKEN_SETS
from tests.contract.tiny_streams import BROKEN_STREAMS
from tests.contract.tiny_zsets import BROKEN_ZSETS


class OneDatabaseShort(TinyBackend):
    def open(self, databases: int) -> list[Database]:
        return super().open(databases)[1:]


class RaisesForAbsentKeys(TinyDatabase):
    def find(self, key: bytes) -> Entry | None:
        return self.entries[key]


class CutsLongKeys(TinyDatabase):
    def find(self, key: bytes) -> Entry | None:
        return super().find(key[:511])

    def put(self, key: bytes, value: bytes, expire: int) -> Entry:
        return super().put(key[:511], value, expire)


class StripsKeys(TinyDatabase):
    def find(self, key: bytes) -> Entry | None:
        return super().find(key.rstrip(b"\x00"))

    def put(self, key: bytes, value: bytes, expire: int) -> Entry:
        return super().put(key.rstrip(b"\x00"), value, expire)


class PutKeepsTheDeadline(TinyDatabase):
    def put(self, key: bytes, value: bytes, expire: int) -> Entry:
        old = self.find(key)
        return super().put(key, value, expire if old is None else old.expire)


class CreateKeepsTheDeadline(TinyDatabase):
    def create(self, key: bytes, kind: int) -> Entry:
        old = self.find(key)
        entry = super().create(key, kind)
        entry.expire = NO_EXPIRE if old is None else old.expire
        return entry


class CreateKeepsTheValue(TinyDatabase):
    def create(self, key: bytes, kind: int) -> Entry:
        old = self.find(key)
        if old is not None and not isinstance(old.value, bytes):
            return old
        return super().create(key, kind)


class WrapsValuesAnew(TinyDatabase):
    def find(self, key: bytes) -> Entry | None:
        entry = super().find(key)
        if entry is not None and isinstance(entry.value, TinyHash):
            value = TinyHash()
            value.fields = entry.value.fields
            return Entry(value, entry.expire, 0, -1)
        return entry


class LeavesNoGap(TinyString):
    def write(self, offset: int, data: bytes) -> None:
        super().write(min(offset, len(self.data)), data)


class ReadsBeyondTheEnd(TinyString):
    def read(self, start: int, stop: int) -> bytes:
        return super().read(start, stop).ljust(min(stop - start, 100), b"\x00")


class CutsOffWhenItWrites(TinyString):
    def write(self, offset: int, data: bytes) -> None:
        super().write(offset, data)
        del self.data[max(offset + len(data), 5_000) :]


class SetSaysNew(TinyHash):
    def set(self, field: bytes, value: bytes) -> bool:
        super().set(field, value)
        return True


class CountsRealChangesOnly(TinyHash):
    def set(self, field: bytes, value: bytes) -> bool:
        if self.fields.get(field) == value:
            return False
        return super().set(field, value)


class CountsRemovalsOfNothing(TinyHash):
    def remove(self, field: bytes) -> bool:
        removed = super().remove(field)
        if not removed:
            self.changes += 1
        return removed


class ListsTheFirstFields(TinyHash):
    def items(self) -> Iterator[tuple[bytes, bytes]]:
        return iter(list(self.fields.items())[:256])


class SharesValuesBetweenDatabases(TinyDatabase):
    def create(self, key: bytes, kind: int) -> Entry:
        entry = super().create(key, kind)
        for other in self.backend.databases[: self.index]:
            found = other.entries.get(key)
            if found is not None:
                entry.value = found.value
        return entry


class UnlinkLeavesFields(TinyDatabase):
    left: dict[bytes, object] = {}

    def unlink(self, key: bytes) -> bool:
        entry = self.find(key)
        if entry is not None:
            self.left[key] = entry.value
        return super().unlink(key)

    def create(self, key: bytes, kind: int) -> Entry:
        entry = super().create(key, kind)
        old = self.left.get(key)
        if isinstance(old, TinyHash) and kind != STRING:
            entry.value = old
        return entry


class UnlinkSaysYes(TinyDatabase):
    def unlink(self, key: bytes) -> bool:
        super().unlink(key)
        return True


class CountsWrongAfterUnlink(TinyDatabase):
    removed = 0

    def unlink(self, key: bytes) -> bool:
        found = super().unlink(key)
        self.removed += len(key) > 1000
        return found

    def size(self) -> int:
        return len(self.entries) + self.removed


class KeepsDeadlines(TinyDatabase):
    def expire(self, key: bytes, deadline: int) -> None:
        if deadline != NO_EXPIRE:
            super().expire(key, deadline)


class CountsRenewedDeadlines(TinyDatabase):
    renewed = 0

    def expire(self, key: bytes, deadline: int) -> None:
        if NO_EXPIRE not in (deadline, self.entries[key].expire):
            self.renewed += 1
        super().expire(key, deadline)

    def volatile(self) -> int:
        return super().volatile() + self.renewed


class MoveLosesTheDeadline(TinyDatabase):
    def move(self, key: bytes, target: Database, new_key: bytes) -> None:
        self.entries[key].expire = NO_EXPIRE
        super().move(key, target, new_key)


class MoveLeavesTheKey(TinyDatabase):
    def move(self, key: bytes, target: Database, new_key: bytes) -> None:
        entry = self.entries[key]
        super().move(key, target, new_key)
        if target is not self:
            self.entries[key] = entry


class MoveDoesNotReplace(TinyDatabase):
    def move(self, key: bytes, target: Database, new_key: bytes) -> None:
        if target.find(new_key) is None:
            super().move(key, target, new_key)
        else:
            self.unlink(key)


class CopySharesTheValue(TinyDatabase):
    def copy(self, key: bytes, target: Database, new_key: bytes) -> None:
        super().copy(key, target, new_key)
        copied = target.find(new_key)
        if copied is not None:
            copied.value = self.entries[key].value


class CopyLosesTheDeadline(TinyDatabase):
    def copy(self, key: bytes, target: Database, new_key: bytes) -> None:
        super().copy(key, target, new_key)
        target.expire(new_key, NO_EXPIRE)


class ForgetsTheAccessClock(TinyBackend):
    def __init__(self) -> None:
        super().__init__()
        self.keeps_access = True

    def open(self, databases: int) -> list[Database]:
        self.database_type = _FreshEntries
        return super().open(databases)


class _FreshEntries(TinyDatabase):
    def find(self, key: bytes) -> Entry | None:
        entry = super().find(key)
        return None if entry is None else Entry(entry.value, entry.expire, 0, -1)


class DueIsEarly(TinyDatabase):
    def due(self, now: int, limit: int) -> list[bytes]:
        return super().due(now | 1023, limit)


class DueComesTwice(TinyDatabase):
    def due(self, now: int, limit: int) -> list[bytes]:
        keys = super().due(now, limit)
        return (keys + keys[:1])[:limit]


class DueIgnoresTheLimit(TinyDatabase):
    def due(self, now: int, limit: int) -> list[bytes]:
        return super().due(now, limit + 1)


class DueLooksAtSome(TinyDatabase):
    def due(self, now: int, limit: int) -> list[bytes]:
        entries = list(self.entries.items())[:limit]
        return [k for k, e in entries if e.expire != NO_EXPIRE and e.expire <= now]


class ScansByIndex(TinyDatabase):
    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        keys = list(self.entries)
        following = cursor + count if cursor + count < len(keys) else 0
        return following, keys[cursor : cursor + count]


class ScanMovesWhatIsReplaced(TinyDatabase):
    def __init__(self, backend: TinyBackend, index: int) -> None:
        super().__init__(backend, index)
        self.numbers: dict[bytes, int] = {}
        self.last = 2**40

    def store(self, key: bytes, value: object, expire: int) -> Entry:
        self.last -= 1
        self.numbers[key] = self.last
        return super().store(key, value, expire)

    def ordered(self) -> list[tuple[int, bytes]]:
        return sorted((self.numbers.get(key, 1), key) for key in self.entries)


class ScanNeverEnds(TinyDatabase):
    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        following, keys = super().scan(cursor, count)
        return following or 1, keys


class ScanDropsTheLast(TinyDatabase):
    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        following, keys = super().scan(cursor, count)
        return following, keys if following else keys[:-1]


class ScanReturnsEverything(TinyDatabase):
    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        return super().scan(cursor, 1_000_000)


class ScanKnowsItsCursors(TinyDatabase):
    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        if cursor and cursor not in [position for position, _ in self.ordered()]:
            raise KeyError(cursor)
        return super().scan(cursor, count)


class SamplesTheFirst(TinyDatabase):
    def sample(self, pick: int) -> bytes | None:
        return super().sample(0)


class SamplesByGap(TinyDatabase):
    def sample(self, pick: int) -> bytes | None:
        keys = list(self.entries)
        return keys[min(pick >> 50, len(keys) - 1)] if keys else None


class SamplesWhatWasThere(TinyDatabase):
    def __init__(self, backend: TinyBackend, index: int) -> None:
        super().__init__(backend, index)
        self.pool: list[bytes] = []

    def store(self, key: bytes, value: object, expire: int) -> Entry:
        if key not in self.entries:
            self.pool.append(key)
        return super().store(key, value, expire)

    def sample(self, pick: int) -> bytes | None:
        return self.pool[pick % len(self.pool)] if self.entries else None


class ClearsEveryDatabase(TinyDatabase):
    def clear(self) -> None:
        for database in self.backend.databases:
            database.entries = {}


class ClearKeepsVolatileKeys(TinyDatabase):
    def clear(self) -> None:
        self.entries = {k: e for k, e in self.entries.items() if e.expire != NO_EXPIRE}


class SwapCopies(TinyDatabase):
    def swap(self, other: Database) -> None:
        assert isinstance(other, TinyDatabase)
        self.entries = dict(other.entries)


class CountsNoMemory(TinyDatabase):
    def memory(self) -> int:
        return 0


class CountsKeysOnly(TinyDatabase):
    def memory_of(self, key: bytes) -> int:
        return 60


class CountsNoEdits(TinyDatabase):
    def memory(self) -> int:
        plain = [k for k, e in self.entries.items() if isinstance(e.value, bytes)]
        return sum(self.memory_of(key) for key in plain)


class MemoryOnlyGrows(TinyDatabase):
    most = 0

    def memory(self) -> int:
        self.most = max(self.most, super().memory() // 2)
        return max(super().memory(), self.most)


class UnlinkFreesAtOnce(TinyDatabase):
    def unlink(self, key: bytes) -> bool:
        entry = self.find(key)
        if entry is not None and isinstance(entry.value, TinyHash):
            for field in list(entry.value.fields):
                entry.value.remove(field)
        return super().unlink(key)


class MoveCopies(TinyDatabase):
    def move(self, key: bytes, target: Database, new_key: bytes) -> None:
        value = self.entries[key].value
        if isinstance(value, TinyHash):
            copied = TinyHash()
            for field, item in value.items():
                copied.set(field, item)
            self.entries[key].value = copied
        super().move(key, target, new_key)


class ClearRemovesOneByOne(TinyDatabase):
    def clear(self) -> None:
        for key in list(self.entries):
            self.unlink(key)


class RollbackForgetsDeadlines(TinyBackend):
    def rollback(self) -> None:
        kept = [{k: e.expire for k, e in db.entries.items()} for db in self.databases]
        super().rollback()
        for database, deadlines in zip(self.databases, kept, strict=True):
            for key, entry in database.entries.items():
                entry.expire = deadlines.get(key, entry.expire)


class RollbackKeepsEdits(TinyBackend):
    def commit(self) -> None:
        for index, database in enumerate(self.databases):
            self.disk[index] = dict(database.entries)

    def load(self) -> None:
        for database, entries in zip(self.databases, self.disk, strict=True):
            database.entries = dict(entries)


class RollbackForgetsTheSecondDatabase(TinyBackend):
    def rollback(self) -> None:
        entries = self.databases[1].entries
        super().rollback()
        self.databases[1].entries = entries


class ReclaimsTheLiving(TinyBackend):
    def reclaim(self, budget: int) -> bool:
        if self.dead:
            for database in self.databases:
                database.entries.pop(b"kept", None)
        return super().reclaim(budget)


class ReclaimNeverEnds(TinyBackend):
    def reclaim(self, budget: int) -> bool:
        return True


class LosesDeadlinesOnDisk(TinyBackend):
    def open(self, databases: int) -> list[Database]:
        opened = super().open(databases)
        for database in self.databases:
            for entry in database.entries.values():
                entry.expire = NO_EXPIRE
        return opened


class CommitsAtClose(TinyBackend):
    def commit(self) -> None:
        """Nothing is written, so that a rollback undoes what was committed."""


class ReadsTheDirtyDisk(TinyBackend):
    def rollback(self) -> None:
        super().commit()


class CutsWhatMovesFar(TinyDatabase):
    def move(self, key: bytes, target: Database, new_key: bytes) -> None:
        super().move(key, target, new_key)
        entry = target.find(new_key)
        if entry is not None and isinstance(entry.value, bytes) and len(new_key) > 511:
            entry.value = entry.value[:2_000]


#: What is broken: a backend, a database, or a value.
Broken = type[TinyBackend] | type[TinyDatabase] | type[Value]
#: The rule that must find it, and what is broken.
BROKEN: tuple[tuple[str, Broken], ...] = (
    ("a_new_backend_is_empty", OneDatabaseShort),
    ("a_new_backend_is_empty", RaisesForAbsentKeys),
    ("a_string_that_was_put_is_found", CutsLongKeys),
    ("a_string_that_was_put_is_found", StripsKeys),
    ("put_replaces_value_and_deadline", PutKeepsTheDeadline),
    ("create_makes_an_empty_value", CreateKeepsTheDeadline),
    ("create_makes_an_empty_value", CreateKeepsTheValue),
    ("a_key_has_one_value_object", WrapsValuesAnew),
    ("a_string_value_is_edited_in_place", LeavesNoGap),
    ("a_string_value_is_edited_in_place", ReadsBeyondTheEnd),
    ("a_string_value_is_edited_in_place", CutsOffWhenItWrites),
    ("a_hash_value_is_edited_in_place", SetSaysNew),
    ("a_hash_value_is_edited_in_place", CountsRealChangesOnly),
    ("a_hash_value_is_edited_in_place", CountsRemovalsOfNothing),
    ("a_hash_value_is_edited_in_place", ListsTheFirstFields),
    ("two_values_do_not_mix", SharesValuesBetweenDatabases),
    ("two_values_do_not_mix", UnlinkLeavesFields),
    ("unlink_removes_a_key", UnlinkSaysYes),
    ("unlink_removes_a_key", CountsWrongAfterUnlink),
    ("a_deadline_is_set_and_removed", KeepsDeadlines),
    ("a_deadline_is_set_and_removed", CountsRenewedDeadlines),
    ("move_keeps_value_and_deadline", MoveLosesTheDeadline),
    ("move_keeps_value_and_deadline", MoveLeavesTheKey),
    ("move_keeps_value_and_deadline", MoveDoesNotReplace),
    ("copy_shares_nothing", CopySharesTheValue),
    ("copy_shares_nothing", CopyLosesTheDeadline),
    ("the_access_clock_is_kept", ForgetsTheAccessClock),
    ("due_is_never_early", DueIsEarly),
    ("due_is_never_early", DueComesTwice),
    ("due_is_never_early", DueIgnoresTheLimit),
    ("due_forgets_nobody", DueLooksAtSome),
    ("a_scan_returns_every_key", ScanNeverEnds),
    ("a_scan_returns_every_key", ScanDropsTheLast),
    ("a_scan_returns_every_key", ScanReturnsEverything),
    ("a_scan_misses_no_key_that_stays", ScansByIndex),
    ("a_scan_misses_no_key_that_stays", ScanMovesWhatIsReplaced),
    ("any_cursor_will_do", ScanKnowsItsCursors),
    ("sample_reaches_keys", SamplesTheFirst),
    ("sample_reaches_keys", SamplesByGap),
    ("sample_follows_removals", SamplesWhatWasThere),
    ("clear_empties_one_database", ClearsEveryDatabase),
    ("clear_empties_one_database", ClearKeepsVolatileKeys),
    ("swap_exchanges_two_databases", SwapCopies),
    ("memory_follows_the_data", CountsNoMemory),
    ("memory_follows_the_data", CountsKeysOnly),
    ("memory_counts_values_edited_in_place", CountsNoEdits),
    ("memory_falls_when_keys_go", MemoryOnlyGrows),
    ("costs_do_not_depend_on_size", UnlinkFreesAtOnce),
    ("costs_do_not_depend_on_size", MoveCopies),
    ("costs_do_not_depend_on_size", ClearRemovesOneByOne),
    ("a_unit_can_be_undone", RollbackForgetsDeadlines),
    ("a_unit_can_be_undone", RollbackKeepsEdits),
    ("a_unit_can_be_undone", RollbackForgetsTheSecondDatabase),
    ("reclaim_frees_only_what_is_dead", ReclaimsTheLiving),
    ("reclaim_frees_only_what_is_dead", ReclaimNeverEnds),
    ("a_durable_backend_keeps_its_data", LosesDeadlinesOnDisk),
    ("a_durable_backend_keeps_its_data", CommitsAtClose),
    ("a_durable_backend_keeps_its_data", ReadsTheDirtyDisk),
    ("random_programs_agree_with_a_model", CutsWhatMovesFar),
    *BROKEN_LISTS,
    *BROKEN_SETS,
    *BROKEN_ZSETS,
    *BROKEN_STREAMS,
    *BROKEN_SLOTS,
    *BROKEN_FILTERS,
)


def build(
    broken: Broken, disk: list[dict[bytes, Entry]] | None = None, plan: FaultPlan | None = None
) -> TinyBackend:
    """A backend with that bug."""
    if issubclass(broken, TinyBackend):
        backend = broken()
        backend.disk = [] if disk is None else disk
        backend.plan = backend.plan if plan is None else plan
        return backend
    tiny = TinyBackend(disk, plan)
    if issubclass(broken, TinyDatabase):
        tiny.database_type = broken
        return tiny
    (name,) = [name for name, base in VALUE_TYPES.items() if issubclass(broken, base)]
    tiny.database_type = type("BrokenValues", (TinyDatabase,), {name: broken})
    return tiny
