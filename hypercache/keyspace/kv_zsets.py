"""Sorted sets of a `KVBackend`: members with scores, and an index with counts by score."""

from collections.abc import Iterator
from typing import Final

from mypy_extensions import i64

from hypercache.backend import ZSET, ZSetValue
from hypercache.keyspace.kv_handle import Handle
from hypercache.keyspace.kv_labels import LABEL, NONE, between, encode_label, label_of, make_room
from hypercache.keyspace.kv_names import scan_names
from hypercache.keyspace.kv_ranks import RankIndex, level_of
from hypercache.keyspace.kv_scores import (
    SCORE,
    decode_element,
    decode_member,
    encode_element,
    encode_member,
    encode_score,
    label_in,
    longest_place,
    score_of,
)
from hypercache.keyspace.layout import COMPACT, WIDE, ZSET_MEMBER, Namer, after

# So near an end the elements are counted singly.
_NEAR: Final[i64] = 16
# Up to so many elements may come in one step of a scan.
_AT_ONCE: Final[i64] = 128
# Behind all labels.
_LAST: Final = b"\xff" * LABEL


class KVZSet(ZSetValue):
    """A sorted set: two pairs of the store for each member, and few more for the counts."""

    def __init__(self, handle: Handle, namer: Namer) -> None:
        super().__init__(ZSET)
        self.handle = handle
        self.namer = namer
        self.index = RankIndex(handle)
        self._members = handle.prefix + ZSET_MEMBER
        self._longest = longest_place(handle.kv.max_key_size)

    def length(self) -> int:
        return self.handle.use().length

    def memory(self) -> int:
        return self.handle.use().used

    def encoding(self) -> str:
        return "listpack" if self.handle.use().encoding == COMPACT else "skiplist"

    # One member ------------------------------------------------------------------------------

    def score(self, member: bytes) -> float | None:
        self.handle.use()
        raw = self.handle.kv.get(self._members + self.namer.name(member))
        return None if raw is None else score_of(raw)

    def set(self, member: bytes, score: float) -> bool:
        handle = self.handle
        record = handle.use()
        name = self.namer.name(member)
        key = self._members + name
        old = handle.kv.get(key)
        if old is not None and score_of(old) == score:
            return False
        with handle.store:
            if old is not None:
                self._cut(name, member, old)
                record.length -= 1
            limits = handle.store.limits
            if record.length >= limits.zset_entries or len(member) > limits.zset_value:
                handle.set_encoding(WIDE)
            if record.encoding == COMPACT:
                score += 0.0  # Redis' listpacks know no -0
            label: i64 = NONE
            is_long = len(member) > self._longest
            place = encode_score(score) + member
            if is_long:
                group = place[: SCORE + self._longest]
                label = self._label(group, member)
                place = group + encode_label(label)
            raw = encode_member(name, member, score, label)
            if old is None:
                handle.add(key, raw)
            else:
                handle.replace(key, raw, old)
            self.index.add(place, encode_element(member, score, is_long), level_of(name))
            handle.settle(record.length + 1)
        self.changes += 1
        return old is None

    def remove(self, member: bytes) -> bool:
        handle = self.handle
        record = handle.use()
        name = self.namer.name(member)
        key = self._members + name
        old = handle.kv.get(key)
        if old is None:
            return False
        with handle.store:
            self._cut(name, member, old)
            handle.drop(key, old)
            handle.settle(record.length - 1)
        self.changes += 1
        return True

    def rank(self, member: bytes) -> int:
        self.handle.use()
        raw = self.handle.kv.get(self._members + self.namer.name(member))
        return -1 if raw is None else self.index.below(self._place(member, raw))

    def _place(self, member: bytes, raw: bytes) -> bytes:
        """Where the index has a member, given what is stored under its name."""
        place = encode_score(score_of(raw)) + member
        if len(member) > self._longest:
            return place[: SCORE + self._longest] + label_in(raw)
        return place

    def _cut(self, name: bytes, member: bytes, raw: bytes) -> None:
        """Take a member out of the index, given what is stored under its name."""
        key = self.index.level(0) + self._place(member, raw)
        self.index.cut([(key, self.handle.kv.get(key) or b"")], level_of(name))

    # Ranks -----------------------------------------------------------------------------------

    def rank_of_score(self, score: float, after: bool) -> int:
        self.handle.use()
        bound = encode_score(score)
        if after:
            bound = (int.from_bytes(bound, "big") + 1).to_bytes(SCORE, "big")
        return self.index.below(bound)

    def rank_of_lex(self, member: bytes, after: bool) -> int:
        length = self.handle.use().length
        if length == 0:
            return 0
        skipped = len(self.index.level(0))
        score = self._element(0)[0][skipped : skipped + SCORE]
        if self._element(length - 1)[0][skipped : skipped + SCORE] != score:
            return self._rank_among_scores(member, after)
        bound = score + member
        if len(member) > self._longest:
            group = bound[: SCORE + self._longest]
            following = self._neighbours(group, member, after)[1]
            bound = group + (_LAST if following == NONE else encode_label(following))
        elif after:
            bound += b"\x00"
        return self.index.below(bound)

    def _rank_among_scores(self, member: bytes, after: bool) -> i64:
        """The same where scores differ: right where names and scores rise together."""
        skipped = len(self.index.level(0))
        first: i64 = 0
        stop = self.handle.use().length
        while first < stop:
            middle = first + (stop - first) // 2
            key, raw = self._element(middle)
            other = decode_element(key[skipped:], raw)[0]
            if other < member or (after and other == member):
                first = middle + 1
            else:
                stop = middle
        return first

    def range(self, start: i64, stop: i64) -> list[tuple[bytes, float]]:
        skipped = len(self.index.level(0))
        pairs = self._elements(start, stop)
        return [decode_element(key[skipped:], raw) for key, raw in pairs]

    def remove_range(self, start: i64, stop: i64) -> None:
        handle = self.handle
        record = handle.use()
        if start >= stop:
            return
        skipped = len(self.index.level(0))
        with handle.store:
            pairs = self._elements(start, stop)
            top = 0
            for place, raw in pairs:
                name = self.namer.name(decode_element(place[skipped:], raw)[0])
                top = max(top, level_of(name))
                key = self._members + name
                handle.drop(key, handle.kv.get(key) or b"")
            self.index.cut(pairs, top)
            handle.settle(record.length - len(pairs))
        self.changes += len(pairs)

    def _elements(self, start: i64, stop: i64) -> list[tuple[bytes, bytes]]:
        """The pairs of level 0 at ranks ``start <= i < stop``."""
        length = self.handle.use().length
        if start >= stop:
            return []
        lowest = self.index.level(0)
        end = after(lowest)
        kv = self.handle.kv
        if start <= _NEAR:
            return kv.range(lowest, end, int(stop))[start:]
        if length - stop <= _NEAR:
            pairs = kv.range(lowest, end, int(length - start), True)[length - stop :]
            pairs.reverse()
            return pairs
        place, skip = self.index.start_of(start)
        return kv.range(lowest + place, end, int(skip + stop - start))[skip:]

    def _element(self, rank: i64) -> tuple[bytes, bytes]:
        return self._elements(rank, rank + 1)[0]

    # All members -----------------------------------------------------------------------------

    def items(self) -> Iterator[tuple[bytes, float]]:
        lowest = self.index.level(0)
        for key, raw in self.handle.pairs(lowest):
            yield decode_element(key[len(lowest) :], raw)

    def scan(self, cursor: int, count: int) -> tuple[int, list[tuple[bytes, float]]]:
        length = self.handle.use().length
        if length <= _AT_ONCE and self.handle.record.encoding == COMPACT:
            return 0, list(self.items())  # by score, as Redis does with what is compact
        following, pairs = scan_names(self.handle.kv, self._members, length, cursor, count)
        skipped = len(self._members)
        return following, [decode_member(key[skipped:], raw) for key, raw in pairs]

    def sample(self, pick: i64) -> tuple[bytes, float]:
        key, raw = self._element(pick % self.handle.use().length)
        return decode_element(key[len(self.index.level(0)) :], raw)

    # Members that are too long for a place ------------------------------------------------------

    def _neighbours(self, group: bytes, member: bytes, after_equal: bool) -> tuple[i64, i64]:
        """Between which labels a long member belongs, among those that begin as it does.

        ``NONE`` where there is no neighbour. Bisects the labels: 63 lookups at the most.
        """
        prefix = self.index.level(0) + group
        low: i64 = NONE
        high: i64 = NONE
        first: i64 = 0
        stop: i64 = (1 << 63) - 1
        while first < stop:
            middle = first + (stop - first) // 2
            end = prefix + encode_label(stop)
            pairs = self.handle.kv.range(prefix + encode_label(middle), end, 1)
            if not pairs:
                stop = middle
                continue
            key, raw = pairs[0]
            other = raw[1:]
            if other < member or (after_equal and other == member):
                low = label_of(key)
                first = low + 1
            else:
                high = label_of(key)
                stop = middle
        return low, high

    def _label(self, group: bytes, member: bytes) -> i64:
        """A label for a new long member."""
        while True:
            low, high = self._neighbours(group, member, False)
            label = between(low, high)
            if label != NONE:
                return label
            self._make_room(group, low)

    def _make_room(self, group: bytes, low: i64) -> None:
        """Move the members that follow a label, on all levels."""
        handle = self.handle
        kv = handle.kv
        lowest = self.index.level(0)
        prefix = lowest + group
        moves = make_room(kv, prefix, prefix + _LAST, low)
        counts: list[tuple[bytes, bytes]] = []
        for old, new, raw in moves:
            kv.delete(old)
            member = raw[1:]
            name = self.namer.name(member)
            for level in range(1, level_of(name) + 1):
                key = self.index.level(level) + old[len(lowest) :]
                counts.append((self.index.level(level) + new[len(lowest) :], kv.get(key) or b""))
                kv.delete(key)
            key = self._members + name
            stored = kv.get(key) or b""
            kv.put(key, encode_member(name, member, score_of(stored), label_of(new)))
        for _, new, raw in moves:
            kv.put(new, raw)
        for new, raw in counts:
            kv.put(new, raw)
