"""Backends with one bug each in what concerns a whole store: units, figures, snapshots, crashes.

What must find each, and words that its failure must have.
"""

import threading
from typing import ClassVar, cast

from hypercache.backend import (
    ALWAYS,
    NO_EXPIRE,
    BackendError,
    Database,
    Entry,
    Snapshot,
)
from tests.contract.broken import Broken
from tests.contract.tiny import TinyBackend, TinyDatabase, TinySnapshot, twin
from tests.contract.tiny_lists import TinyList
from tests.contract.tiny_sets import TinySet

# Units ----------------------------------------------------------------------------------------


class SwapIsNotUndone(TinyBackend):
    """Exchanges its objects, which is nothing that a rollback knows of."""

    def rollback(self) -> None:
        super().rollback()
        swapped = [_SwappingDatabase.swaps.pop() for _ in list(_SwappingDatabase.swaps)]
        for first, second in swapped:
            TinyDatabase.swap(first, second)

    def open(self, databases: int) -> list[Database]:
        self.database_type = _SwappingDatabase
        return super().open(databases)


class _SwappingDatabase(TinyDatabase):
    swaps: list[tuple[TinyDatabase, TinyDatabase]] = []

    def swap(self, other: Database) -> None:
        assert isinstance(other, TinyDatabase)
        super().swap(other)
        self.swaps.append((self, other))


# Traits and statistics -----------------------------------------------------------------------


class PolicyOfItsOwn(TinyBackend):
    def __init__(self) -> None:
        super().__init__()
        self.sync_policy = "sometimes"


class SyncsNothing(TinyBackend):
    def __init__(self) -> None:
        super().__init__()
        self.durable = False
        self.sync_policy = ALWAYS


class RefusesFromTheStart(TinyBackend):
    def __init__(self) -> None:
        super().__init__()
        self.refusal = "no room"


class SettingsAreAnything(TinyBackend):
    settings_type: ClassVar[type | None] = dict


class WrittenForAnotherContract(TinyBackend):
    contract: ClassVar[int] = 99


class CamelCaseStatistics(TinyBackend):
    def statistics(self) -> dict[str, int]:
        return {"deadObjects": len(self.dead)}


class CountsBelowZero(TinyBackend):
    def statistics(self) -> dict[str, int]:
        return {"dead_objects": len(self.dead) - 1}


class StatisticsAreFractions(TinyBackend):
    def statistics(self) -> dict[str, int]:
        return cast(dict[str, int], {"fill_ratio": 0.5})


# Memory figures ------------------------------------------------------------------------------


class CountsNoMembers(TinySet):
    def memory(self) -> int:
        return 50


class CountsTenfold(TinyDatabase):
    def memory_of(self, key: bytes) -> int:
        return 10 * super().memory_of(key)


class CopiesAreFree(TinyDatabase):
    def memory(self) -> int:
        return sum(self.memory_of(key) for key in self.entries if not key.startswith(b"copy of"))


class MovesAreCountedTwice(TinyDatabase):
    moved = 0

    def move(self, key: bytes, target: Database, new_key: bytes) -> None:
        self.moved += self.memory_of(key)
        super().move(key, target, new_key)

    def memory(self) -> int:
        return super().memory() + self.moved


class ListsNeverShrink(TinyList):
    most = 0

    def memory(self) -> int:
        self.most = max(self.most, super().memory())
        return self.most


class FiguresAreNotUndone(TinyDatabase):
    copied = 0

    def copy(self, key: bytes, target: Database, new_key: bytes) -> None:
        super().copy(key, target, new_key)
        self.copied += 1

    def memory(self) -> int:
        return super().memory() + self.copied


# Snapshots -----------------------------------------------------------------------------------


class SnapshotIsLive(TinyBackend):
    def snapshot(self) -> Snapshot:
        return TinySnapshot(list(self.databases))


class SnapshotSharesValues(TinyBackend):
    def snapshot(self) -> Snapshot:
        copies = self.copies()
        for copy, database in zip(copies, self.databases, strict=True):
            assert isinstance(copy, TinyDatabase)
            copy.entries = dict(database.entries)
        return TinySnapshot(copies)

    def commit(self) -> None:
        self.disk[:] = [dict(database.entries) for database in self.databases]


class SnapshotForgetsDeadlines(TinyBackend):
    def snapshot(self) -> Snapshot:
        copies = self.copies()
        for copy in copies:
            for key in list(copy.keys()):
                copy.expire(key, NO_EXPIRE)
        return TinySnapshot(copies)


class SnapshotCountsAnew(TinyBackend):
    class CountsTheDisk(TinyDatabase):
        def memory(self) -> int:
            live = self.backend.databases[self.index]
            return super().memory() if live is self else live.memory()

    database_type = CountsTheDisk


class SnapshotKeepsTheUndone(TinyBackend):
    class Noting(TinyDatabase):
        def store(self, key: bytes, value: object, expire: int) -> Entry:
            backend = self.backend
            assert isinstance(backend, SnapshotKeepsTheUndone)
            backend.stored[self.index][key] = value
            return super().store(key, value, expire)

    database_type = Noting

    def __init__(self) -> None:
        super().__init__()
        self.stored: list[dict[bytes, object]] = [{}, {}, {}]

    def snapshot(self) -> Snapshot:
        copies = self.copies()
        for copy, stored in zip(copies, self.stored, strict=True):
            if b"undone" in stored:
                copy.put(b"undone", b"v", NO_EXPIRE)
        return TinySnapshot(copies)


class OneSnapshotAtATime(TinyBackend):
    last: Snapshot | None = None

    def snapshot(self) -> Snapshot:
        copies = self.copies()
        if self.last is None:
            self.last = TinySnapshot(copies)
        for database, copy in zip(self.last.databases, copies, strict=True):
            assert isinstance(database, TinyDatabase)
            assert isinstance(copy, TinyDatabase)
            database.entries = copy.entries
        return TinySnapshot(self.last.databases)


class ClosesOnce(TinyBackend):
    class OnceOnly(TinySnapshot):
        closed = False

        def close(self) -> None:
            if self.closed:
                raise ValueError("closed already")
            self.closed = True

    def snapshot(self) -> Snapshot:
        return self.OnceOnly(self.copies())


class ClosingEndsAll(TinyBackend):
    class Closing(TinySnapshot):
        def close(self) -> None:
            first = self.databases[0]
            assert isinstance(first, TinyDatabase)
            backend = first.backend
            assert isinstance(backend, ClosingEndsAll)
            for snapshot in backend.open_ones:
                for database in snapshot.databases:
                    database.clear()

    def __init__(self) -> None:
        super().__init__()
        self.open_ones: list[Snapshot] = []

    def snapshot(self) -> Snapshot:
        self.open_ones.append(self.Closing(self.copies()))
        return self.open_ones[-1]


class BelongsToOneThread(TinyBackend):
    class Bound(TinyDatabase):
        def __init__(self, backend: TinyBackend, index: int) -> None:
            super().__init__(backend, index)
            self.thread = threading.get_ident()

        def find(self, key: bytes) -> Entry | None:
            if threading.get_ident() != self.thread:
                raise BackendError("objects created in a thread can only be used in it")
            return super().find(key)

    database_type = Bound


class FallsWithItsBackend(TinyBackend):
    class Falling(TinyDatabase):
        def find(self, key: bytes) -> Entry | None:
            _ = self.backend.databases[self.index]
            return super().find(key)

    database_type = Falling


class ClosesBeforeItsBackend(TinyBackend):
    class Dependent(TinySnapshot):
        def close(self) -> None:
            first = self.databases[0]
            assert isinstance(first, TinyDatabase)
            _ = first.backend.databases[0]

    def snapshot(self) -> Snapshot:
        return self.Dependent(self.copies())


class SnapshotsInSpite(TinyBackend):
    def __init__(self) -> None:
        super().__init__()
        self.snapshots = False


class RefusesWithoutWords(SnapshotsInSpite):
    def snapshot(self) -> Snapshot:
        raise BackendError


# Syncing and crashes -------------------------------------------------------------------------


class SyncCommits(TinyBackend):
    def sync(self) -> None:
        TinyBackend.commit(self)


class MaintainRollsBack(TinyBackend):
    def maintain(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            self.load()


class SyncsBetweenUnitsOnly(TinyBackend):
    in_unit = False

    def begin(self) -> None:
        self.in_unit = True

    def commit(self) -> None:
        super().commit()
        self.in_unit = False

    def sync(self) -> None:
        if self.in_unit:
            raise BackendError("a unit is open")


class KeepsTheOpenUnit(TinyDatabase):
    def store(self, key: bytes, value: object, expire: int) -> Entry:
        if key == b"in the open unit":
            self.backend.disk[self.index][key] = Entry(twin(value), expire, 0, -1)
        return super().store(key, value, expire)


class WritesOneUnitLate(TinyBackend):
    late: list[dict[bytes, Entry]] | None = None

    def commit(self) -> None:
        if self.late is not None:
            self.disk[:] = self.late
        self.late = [database.twins() for database in self.databases]

    def load(self) -> None:
        if self.late is not None:
            self.disk[:] = self.late
        super().load()


#: The rule that must find it, what is broken, and words of the failure.
BROKEN_STORES: tuple[tuple[str, Broken, str], ...] = (
    ("a_unit_can_be_undone", SwapIsNotUndone, "db0."),
    ("traits_are_valid", PolicyOfItsOwn, "a sync_policy out of"),
    ("traits_are_valid", SyncsNothing, "says that it is not durable"),
    ("traits_are_valid", RefusesFromTheStart, "refusal of a new backend is ''"),
    ("traits_are_valid", SettingsAreAnything, "an attrs class or None as settings_type"),
    ("traits_are_valid", WrittenForAnotherContract, "a contract out of (1,) | 99"),
    ("statistics_are_numbers", CamelCaseStatistics, "snake_case names in statistics()"),
    ("statistics_are_numbers", CountsBelowZero, "not negative for 'dead_objects'"),
    ("statistics_are_numbers", StatisticsAreFractions, "an int"),
    ("memory_grows_with_every_type", CountsNoMembers, "memory_of(b'set')"),
    ("memory_grows_with_every_type", CountsTenfold, "memory_of("),
    ("memory_follows_copies_and_moves", CopiesAreFree, "what copy() of b'text' adds to memory()"),
    ("memory_follows_copies_and_moves", MovesAreCountedTwice, "what move() takes from db0"),
    ("memory_shrinks_with_values", ListsNeverShrink, "after 360 of 400 elements are gone"),
    ("memory_is_balanced", FiguresAreNotUndone, "memory() of the databases after rollback()"),
    ("a_snapshot_stays_as_it_was", SnapshotIsLive, "the snapshot's db0.size()"),
    ("a_snapshot_stays_as_it_was", SnapshotSharesValues, "the snapshot's db0."),
    ("a_snapshot_stays_as_it_was", SnapshotForgetsDeadlines, "the snapshot's db0.volatile()"),
    ("a_snapshot_stays_as_it_was", SnapshotCountsAnew, "memory() of the snapshot's databases"),
    ("a_snapshot_has_only_what_was_committed", SnapshotIsLive, "in the snapshot's db0.find("),
    (
        "a_snapshot_has_only_what_was_committed",
        SnapshotKeepsTheUndone,
        "the snapshot's db1.size() is 0",
    ),
    ("several_snapshots_are_each_of_its_moment", OneSnapshotAtATime, "db0.size()"),
    ("several_snapshots_are_each_of_its_moment", ClosesOnce, "closed already"),
    ("several_snapshots_are_each_of_its_moment", ClosingEndsAll, "db0.size()"),
    ("snapshots_are_read_in_another_thread", BelongsToOneThread, "can only be used in it"),
    ("a_snapshot_outlives_its_backend", FallsWithItsBackend, "IndexError"),
    ("a_snapshot_outlives_its_backend", ClosesBeforeItsBackend, "IndexError"),
    ("no_snapshot_is_refused_in_words", SnapshotsInSpite, "the trait says there is none"),
    ("no_snapshot_is_refused_in_words", RefusesWithoutWords, "a BackendError with a text"),
    ("sync_runs_beside_units", SyncCommits, "db0."),
    ("sync_runs_beside_units", MaintainRollsBack, "db0."),
    ("sync_runs_beside_units", SyncsBetweenUnitsOnly, "a unit is open"),
    ("a_crash_keeps_what_was_committed", KeepsTheOpenUnit, "size()"),
    ("a_crash_keeps_what_was_committed", WritesOneUnitLate, "size()"),
)
