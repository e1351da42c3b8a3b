"""Backends with one bug each in scans, samples and deadlines of hashes, and what must find it."""

from hypercache.backend import NO_EXPIRE, Database, Entry
from tests.contract.broken import Broken
from tests.contract.tiny import TinyDatabase, TinyHash, is_hash

Pairs = list[tuple[bytes, bytes]]


class HashScanDropsTheLast(TinyHash):
    def scan(self, cursor: int, count: int) -> tuple[int, Pairs]:
        following, pairs = super().scan(cursor, count)
        return following, pairs if following else pairs[:-1]


class HashScanNeverEnds(TinyHash):
    def scan(self, cursor: int, count: int) -> tuple[int, Pairs]:
        following, pairs = super().scan(cursor, count)
        return following or 1, pairs


class HashScanReturnsEverything(TinyHash):
    def scan(self, cursor: int, count: int) -> tuple[int, Pairs]:
        return 0, list(self.items())


class HashScanForgetsValues(TinyHash):
    def scan(self, cursor: int, count: int) -> tuple[int, Pairs]:
        following, pairs = super().scan(cursor, count)
        return following, [(field, value[:2048]) for field, value in pairs]


class HashScansByIndex(TinyHash):
    def scan(self, cursor: int, count: int) -> tuple[int, Pairs]:
        following = cursor + count if cursor + count < len(self.fields) else 0
        return following, list(self.fields.items())[cursor : cursor + count]


class HashScanKnowsItsCursors(TinyHash):
    def scan(self, cursor: int, count: int) -> tuple[int, Pairs]:
        if cursor >= 2**48:
            raise KeyError(cursor)
        return super().scan(cursor, count)


class HashSamplesTheFirst(TinyHash):
    def sample(self, pick: int) -> tuple[bytes, bytes]:
        return super().sample(0)


class HashSamplesByGap(TinyHash):
    def sample(self, pick: int) -> tuple[bytes, bytes]:
        return super().sample(min(pick >> 52, len(self.fields) - 1))


class SetKeepsTheFieldsDeadline(TinyHash):
    def set(self, field: bytes, value: bytes) -> bool:
        deadline = self.deadline(field)
        new = super().set(field, value)
        if deadline != NO_EXPIRE:
            self.deadlines[field] = deadline
        return new


class RemoveKeepsTheFieldsDeadline(TinyHash):
    def remove(self, field: bytes) -> bool:
        deadline = self.deadline(field)
        removed = super().remove(field)
        if deadline != NO_EXPIRE:
            self.deadlines[field] = deadline
        return removed


class RenewedDeadlinesStay(TinyHash):
    def next_deadline(self) -> int:
        self.least = min(getattr(self, "least", 2**60), *self.deadlines.values(), 2**60)
        return self.least if self.deadlines else NO_EXPIRE


class TakingNothingAwayCounts(TinyHash):
    def set_deadline(self, field: bytes, deadline: int) -> None:
        changes = self.changes
        super().set_deadline(field, deadline)
        self.changes = changes + 1


class DueFieldsOfAHashHaveNoOrder(TinyHash):
    def due(self, now: int, limit: int) -> list[bytes]:
        return [field for field, each in self.deadlines.items() if each <= now][:limit]


class DueFieldsAreEarly(TinyDatabase):
    def due_fields(self, now: int, limit: int) -> list[bytes]:
        return super().due_fields(now | 1023, limit)


class DueFieldsComeTwice(TinyDatabase):
    def due_fields(self, now: int, limit: int) -> list[bytes]:
        keys = super().due_fields(now, limit)
        return (keys + keys[:1])[:limit]


class DueFieldsIgnoreTheLimit(TinyDatabase):
    def due_fields(self, now: int, limit: int) -> list[bytes]:
        return super().due_fields(now, limit + 1)


class DueFieldsLookAtSome(TinyDatabase):
    def due_fields(self, now: int, limit: int) -> list[bytes]:
        return [key for key in super().due_fields(now, 1000) if key in list(self.entries)[:limit]]


class MoveForgetsTheNote(TinyDatabase):
    def move(self, key: bytes, target: Database, new_key: bytes) -> None:
        value = self.entries[key].value
        if is_hash(value):
            value.noted = NO_EXPIRE
        super().move(key, target, new_key)


class CopyForgetsTheFieldsDeadlines(TinyDatabase):
    def copy(self, key: bytes, target: Database, new_key: bytes) -> None:
        super().copy(key, target, new_key)
        copied = target.find(new_key)
        if copied is not None and is_hash(copied.value):
            copied.value.deadlines = {}


class CopySharesTheFieldsDeadlines(TinyDatabase):
    def copy(self, key: bytes, target: Database, new_key: bytes) -> None:
        super().copy(key, target, new_key)
        copied = target.find(new_key)
        value = self.entries[key].value
        if copied is not None and is_hash(copied.value) and is_hash(value):
            copied.value.deadlines = value.deadlines


class NotesOutliveTheirHash(TinyDatabase):
    def store(self, key: bytes, value: object, expire: int) -> Entry:
        old = self.find(key)
        if old is not None and is_hash(old.value) and is_hash(value):
            value.noted = old.value.noted
        return super().store(key, value, expire)


BROKEN_HASHES: tuple[tuple[str, Broken], ...] = (
    ("a_hash_scan_returns_every_field", HashScanDropsTheLast),
    ("a_hash_scan_returns_every_field", HashScanNeverEnds),
    ("a_hash_scan_returns_every_field", HashScanReturnsEverything),
    ("a_hash_scan_returns_every_field", HashScanForgetsValues),
    ("a_hash_scan_misses_no_field_that_stays", HashScansByIndex),
    ("any_cursor_will_do_in_a_hash", HashScanKnowsItsCursors),
    ("a_hash_sample_reaches_fields", HashSamplesTheFirst),
    ("a_hash_sample_reaches_fields", HashSamplesByGap),
    ("a_field_has_a_deadline", SetKeepsTheFieldsDeadline),
    ("a_field_has_a_deadline", RemoveKeepsTheFieldsDeadline),
    ("a_field_has_a_deadline", RenewedDeadlinesStay),
    ("a_field_has_a_deadline", TakingNothingAwayCounts),
    ("due_fields_of_a_hash_come_in_order", DueFieldsOfAHashHaveNoOrder),
    ("due_fields_is_never_early", DueFieldsAreEarly),
    ("due_fields_is_never_early", DueFieldsComeTwice),
    ("due_fields_is_never_early", DueFieldsIgnoreTheLimit),
    ("due_fields_forgets_nobody", DueFieldsLookAtSome),
    ("field_deadlines_follow_their_hash", MoveForgetsTheNote),
    ("field_deadlines_follow_their_hash", CopyForgetsTheFieldsDeadlines),
    ("field_deadlines_follow_their_hash", CopySharesTheFieldsDeadlines),
    ("field_deadlines_follow_their_hash", NotesOutliveTheirHash),
)
