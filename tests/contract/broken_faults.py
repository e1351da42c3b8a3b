"""Backends that do not bear a failing store, what must find each, and words of its failure."""

import threading
import time

from hypercache.backend import BackendError, BackendFull, Database, Entry
from tests.contract.broken import Broken
from tests.contract.tiny import TinyBackend, TinyDatabase


class HalfMoves(TinyDatabase):
    def move(self, key: bytes, target: Database, new_key: bytes) -> None:
        entry = self.entries.pop(key)
        self.backend.plan.reached("move")
        self.entries[key] = entry
        super().move(key, target, new_key)


class LetsErrorsThrough(TinyDatabase):
    def unlink(self, key: bytes) -> bool:
        try:
            return super().unlink(key)
        except BackendError as error:
            raise OSError(str(error)) from error


class UndoesOnlyWhatWorked(TinyBackend):
    def rollback(self) -> None:
        if self.plan.happened == 0:
            super().rollback()


class CommitsHalf(TinyBackend):
    def commit(self) -> None:
        self.disk[0] = self.databases[0].twins()
        super().commit()


class CommitSwallowsFailures(TinyBackend):
    def commit(self) -> None:
        try:
            super().commit()
        except BackendFull:
            self.load()
        except BackendError:
            for index, database in enumerate(self.databases):
                self.disk[index] = database.twins()


class ForgetsWhatItCouldNotRead(TinyDatabase):
    def find(self, key: bytes) -> Entry | None:
        try:
            return super().find(key)
        except BackendError:
            self.entries.pop(key, None)
            raise


class FailsOnceFailsForever(TinyDatabase):
    failed = False

    def find(self, key: bytes) -> Entry | None:
        if self.failed:
            raise BackendError("failed before")
        try:
            return super().find(key)
        except BackendError:
            self.failed = True
            raise


class MissesWhatComesLate(TinyDatabase):
    def find(self, key: bytes) -> Entry | None:
        began = time.perf_counter()
        entry = super().find(key)
        return None if time.perf_counter() - began > 0.0005 else entry


class SyncWaitsForTheStore(TinyBackend):
    class Locked(TinyDatabase):
        def store(self, key: bytes, value: object, expire: int) -> Entry:
            backend = self.backend
            assert isinstance(backend, SyncWaitsForTheStore)
            with backend.lock:
                return super().store(key, value, expire)

    database_type = Locked

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.RLock()

    def sync(self) -> None:
        with self.lock:
            super().sync()


class SyncFailsForGood(TinyBackend):
    failed = False

    def sync(self) -> None:
        if self.failed:
            raise BackendError("could not be synced before")
        try:
            super().sync()
        except BackendError:
            self.failed = True
            raise


class OpensInSpite(TinyBackend):
    def open(self, databases: int) -> list[Database]:
        try:
            return super().open(databases)
        except BackendError:
            return []


#: The rule that must find it, what is broken, and words of the failure.
BROKEN_FAULTS: tuple[tuple[str, Broken, str], ...] = (
    ("a_failure_leaves_the_last_commit", HalfMoves, "size()"),
    ("a_failure_leaves_the_last_commit", LetsErrorsThrough, "OSError"),
    ("a_failure_leaves_the_last_commit", UndoesOnlyWhatWorked, "db0.find("),
    ("a_failed_commit_is_undone", CommitsHalf, "db0."),
    ("a_failed_commit_is_undone", CommitSwallowsFailures, "BackendError from commit()"),
    ("a_failed_read_changes_nothing", ForgetsWhatItCouldNotRead, "db0.find("),
    ("a_failed_read_changes_nothing", FailsOnceFailsForever, "failed before"),
    ("a_stall_changes_nothing", MissesWhatComesLate, "None"),
    ("a_stall_changes_nothing", SyncWaitsForTheStore, "an end to 'sync() during a stall'"),
    ("failed_work_beside_units_is_harmless", SyncFailsForGood, "could not be synced before"),
    ("failed_work_beside_units_is_harmless", OpensInSpite, "BackendError from open()"),
)
