"""Sorted sets of the tiny backend, and such with one bug each that the kit must find."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from hashlib import blake2s

from hypercache.backend import ZSET, EncodingLimits, ZSetValue

PER_ZSET = 50


def position(member: bytes) -> int:
    """Where a scan meets a member."""
    return int.from_bytes(blake2s(member, digest_size=7).digest(), "big") + 1


class TinyZSet(ZSetValue):
    """A dict, and a list that is sorted."""

    def __init__(self, limits: EncodingLimits) -> None:
        super().__init__(ZSET)
        self.limits = limits
        self.scores: dict[bytes, float] = {}
        self.order: list[tuple[float, bytes]] = []
        self.bytes = 0
        self.large = False

    def twin(self) -> "TinyZSet":
        """A sorted set that shares nothing with this one."""
        copy = type(self)(self.limits)
        copy.scores = dict(self.scores)
        copy.order = list(self.order)
        copy.bytes = self.bytes
        copy.large = self.large
        return copy

    def length(self) -> int:
        return len(self.order)

    def memory(self) -> int:
        return PER_ZSET + self.bytes

    def encoding(self) -> str:
        return "skiplist" if self.large else "listpack"

    def score(self, member: bytes) -> float | None:
        return self.scores.get(member)

    def set(self, member: bytes, score: float) -> bool:
        old = self.scores.get(member)
        if old == score:
            return False
        if old is not None:
            del self.order[self.place(old, member)]
        else:
            self.bytes += len(member) + 8
        self.scores[member] = score
        insort(self.order, (score, member))
        self.changes += 1
        limits = self.limits
        self.large |= len(self.order) > limits.zset_entries or len(member) > limits.zset_value
        return old is None

    def place(self, score: float, member: bytes) -> int:
        return bisect_left(self.order, (score, member))

    def remove(self, member: bytes) -> bool:
        score = self.scores.get(member)
        if score is None:
            return False
        rank = self.place(score, member)
        self.remove_range(rank, rank + 1)
        return True

    def remove_range(self, start: int, stop: int) -> None:
        for _, member in self.order[start:stop]:
            del self.scores[member]
            self.bytes -= len(member) + 8
        del self.order[start:stop]
        self.changes += stop - start

    def rank(self, member: bytes) -> int:
        score = self.scores.get(member)
        return -1 if score is None else self.place(score, member)

    def rank_of_score(self, score: float, after: bool) -> int:
        bisect = bisect_right if after else bisect_left
        return bisect(self.order, score, key=lambda pair: pair[0])

    def rank_of_lex(self, member: bytes, after: bool) -> int:
        bisect = bisect_right if after else bisect_left
        return bisect(self.order, member, key=lambda pair: pair[1])

    def range(self, start: int, stop: int) -> list[tuple[bytes, float]]:
        return [(member, score) for score, member in self.order[start:stop]]

    def items(self) -> Iterator[tuple[bytes, float]]:
        return iter(self.scores.items())

    def scan(self, cursor: int, count: int) -> tuple[int, list[tuple[bytes, float]]]:
        ordered = sorted((position(member), member) for member in self.scores)
        ahead = [item for item in ordered if item[0] >= cursor]
        following = ahead[count][0] if len(ahead) > count else 0
        return following, [(member, self.scores[member]) for _, member in ahead[:count]]

    def sample(self, pick: int) -> tuple[bytes, float]:
        score, member = self.order[pick % len(self.order)]
        return member, score


class OrdersByScoreAlone(TinyZSet):
    def place(self, score: float, member: bytes) -> int:
        return self.order.index((score, member))

    def set(self, member: bytes, score: float) -> bool:
        new = super().set(member, score)
        self.order.sort(key=lambda pair: pair[0], reverse=False)
        if member == b"a\x00":
            self.order.remove((score, member))
            insort(self.order, (score, member), key=lambda pair: pair[0])
        return new


class CutsScores(TinyZSet):
    def set(self, member: bytes, score: float) -> bool:
        return super().set(member, float(f"{score:.17f}") if abs(score) < 1 else score)


class CountsEqualScores(TinyZSet):
    def set(self, member: bytes, score: float) -> bool:
        self.changes += member in self.scores and self.scores[member] == score
        return super().set(member, score)


class TellsMinusZeroApart(TinyZSet):
    def set(self, member: bytes, score: float) -> bool:
        if self.scores.get(member) == score and str(self.scores[member]) != str(score):
            self.remove(member)
            super().set(member, score)
            return False
        return super().set(member, score)


class CountsEqualForBelow(TinyZSet):
    def rank_of_score(self, score: float, after: bool) -> int:
        return super().rank_of_score(score, after or score == 133.0)


class RanksTheAbsent(TinyZSet):
    def rank(self, member: bytes) -> int:
        return max(super().rank(member), 0)


class StripsMembers(TinyZSet):
    def rank_of_lex(self, member: bytes, after: bool) -> int:
        return super().rank_of_lex(member.rstrip(b"\x00"), after)


class FailsWithoutOneScore(TinyZSet):
    def rank_of_lex(self, member: bytes, after: bool) -> int:
        if self.order[0][0] != self.order[-1][0]:
            raise ValueError("members of different scores")
        return super().rank_of_lex(member, after)


class RemovesOneTooFew(TinyZSet):
    def remove_range(self, start: int, stop: int) -> None:
        super().remove_range(start, stop - 1 if stop - start > 200 else stop)


class LeavesScoresBehind(TinyZSet):
    def remove_range(self, start: int, stop: int) -> None:
        gone = self.order[start:stop]
        super().remove_range(start, stop)
        if len(gone) > 1:
            score, member = gone[-1]
            self.scores[member] = score


class CountsRangesOnce(TinyZSet):
    def remove_range(self, start: int, stop: int) -> None:
        changes = self.changes
        super().remove_range(start, stop)
        self.changes = changes + min(stop - start, 1)


class CopiesShareTheOrder(TinyZSet):
    def twin(self) -> "TinyZSet":
        copy = super().twin()
        copy.order = self.order
        return copy


class ShrinksBack(TinyZSet):
    def encoding(self) -> str:
        return "skiplist" if len(self.order) > self.limits.zset_entries else "listpack"


class LooksAtNoLength(TinyZSet):
    def set(self, member: bytes, score: float) -> bool:
        new = super().set(member, score)
        self.large = len(self.order) > self.limits.zset_entries or (self.large and len(member) < 9)
        return new


class ScansByPosition(TinyZSet):
    def scan(self, cursor: int, count: int) -> tuple[int, list[tuple[bytes, float]]]:
        following = cursor + count if cursor + count < len(self.order) else 0
        return following, self.range(cursor, cursor + count)


class ScansWithoutScores(TinyZSet):
    def scan(self, cursor: int, count: int) -> tuple[int, list[tuple[bytes, float]]]:
        following, found = super().scan(cursor, count)
        return following, [(member, 0.0) for member, _ in found]


class ScansAllAtOnce(TinyZSet):
    def scan(self, cursor: int, count: int) -> tuple[int, list[tuple[bytes, float]]]:
        return 0, self.range(0, len(self.order))


class SamplesTheLowest(TinyZSet):
    def sample(self, pick: int) -> tuple[bytes, float]:
        return super().sample(pick % 10)


class SamplesOldScores(TinyZSet):
    def sample(self, pick: int) -> tuple[bytes, float]:
        member, _ = super().sample(pick)
        return member, 0.0


class SortsAllAnew(TinyZSet):
    def set(self, member: bytes, score: float) -> bool:
        if member == b"another":
            self.order = sorted(self.order, key=lambda pair: (pair[0], pair[1]))
        return super().set(member, score)


class CountsToTheRank(TinyZSet):
    def rank(self, member: bytes) -> int:
        score = self.scores.get(member)
        return -1 if score is None else sum(pair < (score, member) for pair in self.order)


class AddsUpItsMemory(TinyZSet):
    def memory(self) -> int:
        return PER_ZSET + sum(len(repr(pair)) for pair in sorted(self.scores.items()))


#: The rule that must find it, and what is broken.
BROKEN_ZSETS: tuple[tuple[str, type[TinyZSet]], ...] = (
    ("a_sorted_set_keeps_its_order", OrdersByScoreAlone),
    ("a_sorted_set_keeps_its_order", CutsScores),
    ("a_sorted_set_keeps_its_order", CountsEqualScores),
    ("a_sorted_set_keeps_its_order", TellsMinusZeroApart),
    ("ranks_follow_the_order", CountsEqualForBelow),
    ("ranks_follow_the_order", RanksTheAbsent),
    ("ranks_follow_the_order", StripsMembers),
    ("ranks_follow_the_order", FailsWithoutOneScore),
    ("ranges_are_removed_from_sorted_sets", RemovesOneTooFew),
    ("ranges_are_removed_from_sorted_sets", LeavesScoresBehind),
    ("ranges_are_removed_from_sorted_sets", CountsRangesOnce),
    ("sorted_sets_do_not_mix", CopiesShareTheOrder),
    ("sorted_sets_tell_their_encoding", ShrinksBack),
    ("sorted_sets_tell_their_encoding", LooksAtNoLength),
    ("a_sorted_set_scan_returns_every_member", ScansByPosition),
    ("a_sorted_set_scan_returns_every_member", ScansWithoutScores),
    ("a_sorted_set_scan_returns_every_member", ScansAllAtOnce),
    ("samples_of_sorted_sets_are_their_members", SamplesTheLowest),
    ("samples_of_sorted_sets_are_their_members", SamplesOldScores),
    ("large_sorted_sets_are_about_as_quick", SortsAllAnew),
    ("large_sorted_sets_are_about_as_quick", CountsToTheRank),
    ("large_sorted_sets_are_about_as_quick", AddsUpItsMemory),
)
