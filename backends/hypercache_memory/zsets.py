"""Sorted sets, as the memory backend keeps them."""

from collections.abc import Iterator
from typing import Final

from librt.vecs import append, pop, vec
from mypy_extensions import i64

from hypercache.backend import ZSET, EncodingLimits, ZSetValue
from hypercache_memory.members import Members
from hypercache_memory.ordered_check import check_order
from hypercache_memory.ordered_members import WIDTH, OrderedMembers
from hypercache_memory.sizes import VALUE_BYTES, bytes_block

# Up to so many members are compared one by one where they lie in order: no second index.
_FEW: Final[i64] = 16
# Redis' listpacks know no -0: adding this makes it 0, and nothing else of any other score.
_UNSIGNED: Final = 0.0
# A score in an array that grows by doubling.
_SCORE_BYTES: Final[i64] = 12


class MemoryZSet(ZSetValue):
    """Members in order, counted, and from the 17th on in a hash table too.

    The table gives a member's position in a dense list, and its score lies at that position
    in a list beside it. Members of both orders are the same objects.
    """

    def __init__(self, limits: EncodingLimits, width: i64 = WIDTH) -> None:
        super().__init__(ZSET)
        self._limits = limits
        self._order = OrderedMembers(width)
        self._index: Members | None = None
        # At the positions of the index; empty without one.
        self._scores: vec[float] = vec[float]()
        self._content: i64 = 0
        self._listpack = True

    def length(self) -> int:
        return self._order.size

    def memory(self) -> int:
        size = VALUE_BYTES + self._order.memory() + self._content
        index = self._index
        if index is not None:
            size += index.memory() + _SCORE_BYTES * self._order.size
        return size

    def encoding(self) -> str:
        return "listpack" if self._listpack else "skiplist"

    def score(self, member: bytes) -> float | None:
        index = self._index
        if index is None:
            leaf = self._order.root
            at = _find(leaf.members, member)
            return leaf.scores[at] if at >= 0 else None
        at = index.find(member)
        return self._scores[at] if at >= 0 else None

    def set(self, member: bytes, score: float) -> bool:
        index = self._index
        if index is not None:
            at = index.find(member)
            if at >= 0:
                self._change(self._scores[at], score, at)
                return False
        else:
            at = _find(self._order.root.members, member)
            if at >= 0:
                self._change(self._order.root.scores[at], score, at)
                return False
        self._add(member, score)
        return True

    def _add(self, member: bytes, score: float) -> None:
        order = self._order
        index = self._index
        if self._listpack:
            limits = self._limits
            if len(member) > limits.zset_value or order.size >= limits.zset_entries:
                self._listpack = False
            else:
                score += _UNSIGNED
        if index is None and (order.size >= _FEW or order.size >= order.width):
            index = self._build_index()
        if index is not None:
            index.append(member)
            self._scores = append(self._scores, score)
        order.insert(score, member)
        self._content += bytes_block(len(member))
        self.changes += 1

    def _change(self, old: float, score: float, at: i64) -> None:
        """Another score for the member at a position of the index, or of the only leaf."""
        if old == score:
            return
        if self._listpack:
            score += _UNSIGNED
        order = self._order
        index = self._index
        if index is None:
            member = order.root.members[at]
        else:
            member = index.items[at]
            self._scores[at] = score
        order.remove(old, member)
        order.insert(score, member)
        self.changes += 1

    def _build_index(self) -> Members:
        index = Members()
        leaf = self._order.root
        for member in leaf.members:
            index.append(member)
        self._scores = leaf.scores[:]
        self._index = index
        return index

    def remove(self, member: bytes) -> bool:
        order = self._order
        index = self._index
        if index is None:
            at = _find(order.root.members, member)
            if at < 0:
                return False
            order.remove(order.root.scores[at], member)
        else:
            at = index.find(member)
            if at < 0:
                return False
            order.remove(self._scores[at], member)
            self._leave_index(index, at)
        self._content -= bytes_block(len(member))
        self.changes += 1
        return True

    def _leave_index(self, index: Members, at: i64) -> None:
        """Take a position out of the index: its last member moves there, its score too."""
        index.remove_at(at)
        scores, last = pop(self._scores)
        if at < len(scores):
            scores[at] = last
        self._scores = scores

    def remove_range(self, start: i64, stop: i64) -> None:
        index = self._index
        for member in self._order.remove_range(start, stop):
            if index is not None:
                self._leave_index(index, index.find(member))
            self._content -= bytes_block(len(member))
        self.changes += stop - start

    def rank(self, member: bytes) -> int:
        index = self._index
        if index is None:
            return _find(self._order.root.members, member)
        at = index.find(member)
        return self._order.rank(self._scores[at], member) if at >= 0 else -1

    def rank_of_score(self, score: float, after: bool) -> int:
        return self._order.rank_of_score(score, after)

    def rank_of_lex(self, member: bytes, after: bool) -> int:
        return self._order.rank_of_lex(member, after)

    def range(self, start: i64, stop: i64) -> list[tuple[bytes, float]]:
        return self._order.range(start, stop)

    def items(self) -> Iterator[tuple[bytes, float]]:
        index = self._index
        if index is None:
            leaf = self._order.root
            return _pairs(leaf.members, leaf.scores)
        return _pairs(index.items, self._scores)

    def scan(self, cursor: int, count: int) -> tuple[int, list[tuple[bytes, float]]]:
        index = self._index
        if self._listpack or index is None:
            return 0, self._order.range(0, self._order.size)
        # The cursor is the number of positions still to be scanned, as in `MemoryDatabase.scan`.
        stop: i64 = self._order.size
        if 0 < cursor < stop:
            stop = cursor
        start = stop - count if 0 < count < stop else 0
        found: list[tuple[bytes, float]] = []
        at = stop
        while at > start:
            at -= 1
            found.append((index.items[at], self._scores[at]))
        return start, found

    def sample(self, pick: i64) -> tuple[bytes, float]:
        at = pick % self._order.size
        index = self._index
        if index is None:
            leaf = self._order.root
            return leaf.members[at], leaf.scores[at]
        return index.items[at], self._scores[at]

    def copy(self) -> "MemoryZSet":
        """A sorted set of its own with the same members."""
        twin = MemoryZSet(self._limits)
        twin._order = self._order.copy()
        index = self._index
        if index is not None:
            twin_index = Members()
            for member in index.items:
                twin_index.append(member)
            twin._index = twin_index
            twin._scores = self._scores[:]
        twin._content = self._content
        twin._listpack = self._listpack
        return twin

    def shed(self, budget: int) -> int:
        """Free up to ``budget`` members of a sorted set that nobody can reach any more."""
        order = self._order
        size = order.size
        freed = min(size, budget)
        index = self._index
        if index is not None:
            del index.items[size - freed :]
        order.remove_range(size - freed, size)
        return freed

    def check(self) -> list[str]:
        """What is inconsistent, in words; empty when all is well. O(n log n)."""
        wrong = check_order(self._order)
        pairs = self._order.range(0, self._order.size)
        content: i64 = 0
        for member, score in pairs:
            content += bytes_block(len(member))
            if self.score(member) != score:
                wrong.append(f"{member!r} is ordered at {score}, and found at {self.score(member)}")
        if content != self._content:
            wrong.append(f"{self._content} bytes are accounted, {content} are there")
        index = self._index
        if index is not None:
            held: set[int] = {id(member) for member in index.items}
            for member, _ in pairs:
                if id(member) not in held:
                    wrong.append(f"{member!r} is held twice")
            if len(index.items) != len(pairs) or len(self._scores) != len(pairs):
                sizes = f"{len(index.items)} positions, {len(self._scores)} scores"
                wrong.append(f"{len(pairs)} members, {sizes}")
        elif self._order.root.children is not None or len(pairs) > _FEW:
            wrong.append(f"{len(pairs)} members have no index")
        return wrong


def _pairs(members: list[bytes], scores: vec[float]) -> Iterator[tuple[bytes, float]]:
    """Members with the scores at the same places."""
    return zip(members, scores, strict=True)


def _find(members: list[bytes], member: bytes) -> i64:
    """The place of one of a few members, -1 when it is not there."""
    at: i64 = 0
    end: i64 = len(members)
    while at < end:
        if members[at] == member:
            return at
        at += 1
    return -1
