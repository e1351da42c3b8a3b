"""Ordered stores with one bug each, what must find it, and words that its failure must have."""

import threading

from sortedcontainers import SortedDict

from hypercache.backend import BackendError
from hypercache.keyspace.ordered import OrderedKV
from hypercache.testing import SortedDictKV


class ShortKeys(SortedDictKV):
    def __init__(self) -> None:
        super().__init__(max_key_size=63)


class CutsValues(SortedDictKV):
    def put(self, key: bytes, value: bytes) -> None:
        super().put(key, value[:65_535])


class NoEmptyValues(SortedDictKV):
    def get(self, key: bytes) -> bytes | None:
        return super().get(key) or None


class ReadsCommittedOnly(SortedDictKV):
    def get(self, key: bytes) -> bytes | None:
        for changed, value in self._undo or []:
            if changed == key:
                return value
        return super().get(key)


class DeleteSaysYes(SortedDictKV):
    def delete(self, key: bytes) -> bool:
        super().delete(key)
        return True


class StopIncluded(SortedDictKV):
    def range(
        self, start: bytes, stop: bytes, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        return super().range(start, stop + b"\x00", limit, reverse)


class LimitBeforeReverse(SortedDictKV):
    def range(
        self, start: bytes, stop: bytes, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        pairs = super().range(start, stop, limit)
        return pairs[::-1] if reverse else pairs


class LimitIgnored(SortedDictKV):
    def delete_range(self, start: bytes, stop: bytes, limit: int) -> int:
        return super().delete_range(start, stop, 1_000_000)


class SignedOrder(SortedDictKV):
    def range(
        self, start: bytes, stop: bytes, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        pairs = super().range(start, stop, 1_000_000, reverse)
        pairs.sort(key=lambda pair: [(byte + 128) % 256 for byte in pair[0]], reverse=reverse)
        return pairs[:limit]


class RollbackForgetsDeletions(SortedDictKV):
    def rollback(self) -> None:
        self._undo = [(k, old) for k, old in self._undo or [] if k in self.data]
        super().rollback()


class RollbackDoesNothing(SortedDictKV):
    def rollback(self) -> None:
        self.commit()


class LosesTheData(SortedDictKV):
    def close(self) -> None:
        self.data.clear()


class UnknownPolicy(SortedDictKV):
    def open(self) -> None:
        self.sync_policy = "seldom"


class FullFromTheStart(SortedDictKV):
    def open(self) -> None:
        self.refusal = "no room"


class ExchangeAnswersTheNew(SortedDictKV):
    def exchange(self, key: bytes, value: bytes) -> bytes | None:
        super().exchange(key, value)
        return value


class ExchangeStoresNothingNew(SortedDictKV):
    def exchange(self, key: bytes, value: bytes) -> bytes | None:
        old = self.get(key)
        if old is not None:
            self.put(key, value)
        return old


class ExchangeIsNotUndone(SortedDictKV):
    def exchange(self, key: bytes, value: bytes) -> bytes | None:
        if self._undo is None:
            raise BackendError("exchange: no transaction is open")
        old = self.data.get(key)
        self.data[key] = value
        return old


class SnapshotIsTheStore(SortedDictKV):
    def snapshot(self) -> OrderedKV:
        return SortedDictKV(self.data)


class OneSnapshot(SortedDictKV):
    last: SortedDictKV | None = None

    def snapshot(self) -> OrderedKV:
        if self.last is None:
            self.last = SortedDictKV(SortedDict(self.data))
        return self.last


class ClosingSnapshotsClears(SortedDictKV):
    class Part(SortedDictKV):
        def close(self) -> None:
            self.data.clear()

    shared: "SortedDict[bytes, bytes] | None" = None

    def snapshot(self) -> OrderedKV:
        if self.shared is None or list(self.shared.items()) != list(self.data.items()):
            self.shared = SortedDict(self.data)
        return self.Part(self.shared)


class SnapshotsWithoutTheTrait(SortedDictKV):
    def open(self) -> None:
        self.snapshots = False


class NoWordsForNoSnapshot(SnapshotsWithoutTheTrait):
    def snapshot(self) -> OrderedKV:
        raise BackendError


class ThreadBound(SortedDictKV):
    class Bound(SortedDictKV):
        def range(
            self, start: bytes, stop: bytes, limit: int, reverse: bool = False
        ) -> list[tuple[bytes, bytes]]:
            if threading.current_thread() is not threading.main_thread():
                raise BackendError("used in another thread than it was made in")
            return super().range(start, stop, limit, reverse)

    def snapshot(self) -> OrderedKV:
        return self.Bound(SortedDict(self.data))


class SyncEndsTheTransaction(SortedDictKV):
    def sync(self) -> None:
        if self._undo:
            self._undo.clear()


class SyncFailsBetweenTransactions(SortedDictKV):
    def sync(self) -> None:
        if self._undo is None:
            raise BackendError("nothing to sync")


class MaintainCompacts(SortedDictKV):
    def maintain(self) -> None:
        for key in [key for key, value in self.data.items() if len(value) > 1_000]:
            self.data.pop(key, None)


class StatisticsWithDashes(SortedDictKV):
    def statistics(self) -> dict[str, int]:
        return {"stored-keys": len(self.data)}


class StatisticsBelowZero(SortedDictKV):
    def statistics(self) -> dict[str, int]:
        return {"undone": -1 if self._undo else 0}


class CrashKeepsTheOpenTransaction(SortedDictKV):
    def after_crash(self) -> SortedDictKV:
        return CrashKeepsTheOpenTransaction(SortedDict(self.data))


class CrashLosesLargeValues(SortedDictKV):
    def after_crash(self) -> SortedDictKV:
        found = super().after_crash()
        for key in [key for key, value in found.data.items() if len(value) > 4_096]:
            del found.data[key]
        return found


#: The rule that must find it, what is broken, and words of the failure.
BROKEN_KV: tuple[tuple[str, type[SortedDictKV], str], ...] = (
    ("traits", ShortKeys, "max_key_size >= 64"),
    ("traits", UnknownPolicy, "a sync_policy out of"),
    ("traits", FullFromTheStart, "refusal of a new store is ''"),
    ("keys_and_values", CutsValues, "get("),
    ("keys_and_values", NoEmptyValues, "is b'' | None"),
    ("keys_and_values", ReadsCommittedOnly, "get("),
    ("keys_and_values", DeleteSaysYes, "is False | True"),
    ("exchange", ExchangeAnswersTheNew, "exchange(b'a', b'') is None | b''"),
    ("exchange", ExchangeStoresNothingNew, "exchange("),
    ("exchange", ExchangeIsNotUndone, "range("),
    ("order", StopIncluded, "range("),
    ("order", LimitBeforeReverse, "range("),
    ("order", LimitIgnored, "delete_range("),
    ("order", SignedOrder, "range("),
    ("transactions", RollbackForgetsDeletions, "range("),
    ("transactions", RollbackDoesNothing, "range("),
    ("random_operations", LimitIgnored, "delete_range("),
    ("snapshots", SnapshotIsTheStore, "the snapshot's range("),
    ("snapshots", OneSnapshot, "the snapshot's range("),
    ("snapshots", ClosingSnapshotsClears, "the snapshot's range("),
    ("snapshots", SnapshotsWithoutTheTrait, "the trait says there is none"),
    ("snapshots", NoWordsForNoSnapshot, "a BackendError with a text"),
    ("snapshots_in_threads", ThreadBound, "used in another thread"),
    ("sync", SyncEndsTheTransaction, "range("),
    ("sync", SyncFailsBetweenTransactions, "nothing to sync"),
    ("sync", MaintainCompacts, "range("),
    ("statistics", StatisticsWithDashes, "snake_case names in statistics() | 'stored-keys'"),
    ("statistics", StatisticsBelowZero, "not negative for 'undone'"),
    ("durability", LosesTheData, "range("),
    ("crash", CrashKeepsTheOpenTransaction, "range("),
    ("crash", CrashLosesLargeValues, "range("),
)
