"""Members in the order of (score, member), in a B+-tree whose inner nodes count.

Leaves hold the entries in order, as parallel arrays: scores unboxed, members as bytes. An
inner node holds, for each child, its lowest entry and how many entries lie below it. So a
search is the same binary search on every level, a rank is the sum of the counts to the left
of the way down, and changing, ranking and selecting cost O(log n). Nodes hold up to ``width``
entries (or children) and, but for the root, at least a quarter of that.

Removal works on runs: what a leaf has of them goes at once, and a node that has too little
left is joined with a neighbour, and parted again if that is too much for one. So removing m
entries costs O(m + log n). The lowest entries in inner nodes are always those of today: no
removed member lives on in one.

Source: Bayer & McCreight 1972; Knuth, TAOCP 6.2.4; counted: Tatham's "counted B-trees".
"""

from typing import Final

from librt.vecs import append, extend, pop, vec
from mypy_extensions import i64, mypyc_attr

#: Entries of a leaf, children of an inner node. One less than a power of two less one: an
#: array grows to that size by doubling, and holds one entry more just before it is split.
WIDTH: Final[i64] = 126
# An object with its list and the headers of its arrays.
_NODE_BYTES: Final[i64] = 200
# A score and a pointer, in arrays that are about three quarters full.
_PLACE_BYTES: Final[i64] = 21


@mypyc_attr(acyclic=True)
class Node:
    """A leaf, or an inner node: then ``children`` is a list, and the arrays speak of those."""

    def __init__(
        self,
        scores: vec[float],
        members: list[bytes],
        counts: vec[i64],
        children: "list[Node] | None",
    ) -> None:
        self.scores = scores
        self.members = members
        self.counts = counts
        self.children = children

    def size(self) -> i64:
        """How many entries lie in or below this node."""
        if self.children is None:
            return len(self.members)
        return _sum(self.counts, len(self.counts))

    def below(self, score: float, member: bytes) -> i64:
        """How many of this node's own entries are lower than (score, member)."""
        scores = self.scores
        low: i64 = 0
        high: i64 = len(scores)
        while low < high:
            middle = (low + high) >> 1
            other = scores[middle]
            if other < score or (other == score and self.members[middle] < member):
                low = middle + 1
            else:
                high = middle
        return low

    def child_of(self, score: float, member: bytes) -> i64:
        """Which child has, or should have, an entry: the last whose lowest is not above it."""
        at = self.below(score, member)
        if at < len(self.members) and self.scores[at] == score and self.members[at] == member:
            return at
        return at - 1 if at > 0 else 0

    def insert(self, score: float, member: bytes, width: i64) -> "Node | None":
        """Put in an entry that is not there; a new right neighbour if this had to be split."""
        children = self.children
        if children is None:
            at = self.below(score, member)
            self._open(at, score, member)
        else:
            at = self.child_of(score, member)
            child = children[at]
            sibling = child.insert(score, member, width)
            self.counts[at] += 1
            self._show_lowest(at, child)
            if sibling is None:
                return None
            moved = sibling.size()
            self.counts[at] -= moved
            at += 1
            self._open(at, sibling.scores[0], sibling.members[0])
            self._open_count(at, moved)
            children.insert(at, sibling)
        size: i64 = len(self.members)
        if size <= width:
            return None
        # Entries that come in ascending order leave fuller nodes behind.
        return self._split(size - (width + 3) // 4 if at == size - 1 else size // 2)

    def remove(self, score: float, member: bytes, width: i64) -> None:
        """Remove a present entry."""
        children = self.children
        if children is None:
            self._close(self.below(score, member), 1)
            return
        at = self.child_of(score, member)
        children[at].remove(score, member, width)
        self._shrink(at, 1, width)

    def remove_run(self, rank: i64, most: i64, width: i64, gone: list[bytes]) -> None:
        """Remove up to ``most`` entries from a rank on, those of one leaf, into a list."""
        children = self.children
        if children is None:
            size: i64 = len(self.members) - rank
            if size > most:
                size = most
            gone.extend(self.members[rank : rank + size])
            self._close(rank, size)
            return
        at: i64 = 0
        counts = self.counts
        while rank >= counts[at]:
            rank -= counts[at]
            at += 1
        before: i64 = len(gone)
        children[at].remove_run(rank, most, width, gone)
        self._shrink(at, len(gone) - before, width)

    def _shrink(self, at: i64, count: i64, width: i64) -> None:
        """A child has lost entries: make up for it."""
        children = self.children
        assert children is not None
        self.counts[at] -= count
        child = children[at]
        if len(child.members) * 4 >= width:
            self._show_lowest(at, child)
        else:
            self._join(children, at - 1 if at > 0 else 0, width)

    def copy(self) -> "Node":
        """One of its own, with all that is below."""
        children = self.children
        twins: list[Node] | None = None
        if children is not None:
            twins = []
            for child in children:
                twins.append(child.copy())
        return Node(self.scores[:], self.members[:], self.counts[:], twins)

    def _show_lowest(self, at: i64, child: "Node") -> None:
        self.scores[at] = child.scores[0]
        self.members[at] = child.members[0]

    def _open(self, at: i64, score: float, member: bytes) -> None:
        """Put an entry of its own before the one at a place."""
        self.members.insert(at, member)
        scores = append(self.scores, score)
        place: i64 = len(scores) - 1
        while place > at:
            scores[place] = scores[place - 1]
            place -= 1
        scores[at] = score
        self.scores = scores

    def _open_count(self, at: i64, count: i64) -> None:
        counts = append(self.counts, count)
        place: i64 = len(counts) - 1
        while place > at:
            counts[place] = counts[place - 1]
            place -= 1
        counts[at] = count
        self.counts = counts

    def _close(self, at: i64, count: i64) -> None:
        """Take out entries of its own."""
        if count == 1:
            self.scores, _ = pop(self.scores, at)
            self.members.pop(at)
            return
        self.scores = extend(self.scores[:at], self.scores[at + count :])
        del self.members[at : at + count]

    def _split(self, at: i64) -> "Node":
        """Part with what is at and behind a place, as a right neighbour."""
        children = self.children
        right: list[Node] | None = None
        if children is not None:
            right = children[at:]
            self.children = children[:at]
        sibling = Node(self.scores[at:], self.members[at:], self.counts[at:], right)
        self.scores = self.scores[:at]
        self.members = self.members[:at]
        self.counts = self.counts[:at]
        return sibling

    def _absorb(self, right: "Node") -> None:
        """Take over all that a right neighbour has."""
        self.scores = extend(self.scores, right.scores)
        self.members.extend(right.members)
        self.counts = extend(self.counts, right.counts)
        if self.children is not None and right.children is not None:
            self.children.extend(right.children)

    def _join(self, children: "list[Node]", at: i64, width: i64) -> None:
        """Join a child with the one behind it, or share out if that is too much for one."""
        left = children[at]
        if at + 1 == len(children):
            self._show_lowest(at, left)
            return
        right = children[at + 1]
        both = self.counts[at] + self.counts[at + 1]
        left._absorb(right)
        size: i64 = len(left.members)
        if size <= width:
            self._close(at + 1, 1)
            self.counts, _ = pop(self.counts, at + 1)
            children.pop(at + 1)
            self.counts[at] = both
        else:
            right = left._split(size // 2)
            children[at + 1] = right
            self._show_lowest(at + 1, right)
            self.counts[at + 1] = right.size()
            self.counts[at] = both - self.counts[at + 1]
        self._show_lowest(at, left)


@mypyc_attr(acyclic=True)
class OrderedMembers:
    """All members of a sorted set in order; ``size`` of them. Ranks count from the lowest."""

    def __init__(self, width: i64 = WIDTH) -> None:
        self.width = width
        self.size: i64 = 0
        self.root = Node(vec[float](), [], vec[i64](), None)

    def insert(self, score: float, member: bytes) -> None:
        """Put in an entry that is not there. O(log n)."""
        self.size += 1
        left = self.root
        right = left.insert(score, member, self.width)
        if right is None:
            return
        moved = right.size()
        scores = append(append(vec[float](), left.scores[0]), right.scores[0])
        counts = append(append(vec[i64](), self.size - moved), moved)
        self.root = Node(scores, [left.members[0], right.members[0]], counts, [left, right])

    def remove(self, score: float, member: bytes) -> None:
        """Remove a present entry. O(log n)."""
        self.root.remove(score, member, self.width)
        self.size -= 1
        self._lower()

    def remove_range(self, start: i64, stop: i64) -> list[bytes]:
        """Remove the entries at ranks ``start <= i < stop``; their members. O(log n + m)."""
        gone: list[bytes] = []
        count = stop - start
        while len(gone) < count:
            self.root.remove_run(start, count - len(gone), self.width, gone)
            self._lower()
        self.size -= count
        return gone

    def _lower(self) -> None:
        """A root with one child is none."""
        children = self.root.children
        while children is not None and len(children) == 1:
            self.root = children[0]
            children = self.root.children

    def rank(self, score: float, member: bytes) -> i64:
        """How many entries are lower than (score, member). O(log n)."""
        rank: i64 = 0
        node = self.root
        children = node.children
        while children is not None:
            at = node.child_of(score, member)
            rank += _sum(node.counts, at)
            node = children[at]
            children = node.children
        return rank + node.below(score, member)

    def rank_of_score(self, score: float, after: bool) -> i64:
        """How many entries have a score below (``after``: or equal to) this one. O(log n)."""
        rank: i64 = 0
        node = self.root
        children = node.children
        while children is not None:
            at = _place_of_score(node, score, after)
            # Its last child that begins below has the border.
            if at > 0:
                at -= 1
            rank += _sum(node.counts, at)
            node = children[at]
            children = node.children
        return rank + _place_of_score(node, score, after)

    def rank_of_lex(self, member: bytes, after: bool) -> i64:
        """How many entries have a member below (``after``: or equal to) this one. O(log n)."""
        rank: i64 = 0
        node = self.root
        children = node.children
        while children is not None:
            at = _place_of_lex(node, member, after)
            if at > 0:
                at -= 1
            rank += _sum(node.counts, at)
            node = children[at]
            children = node.children
        return rank + _place_of_lex(node, member, after)

    def range(self, start: i64, stop: i64) -> list[tuple[bytes, float]]:
        """Members and scores at ranks ``start <= i < stop``. O(log n + m)."""
        found: list[tuple[bytes, float]] = []
        _collect(self.root, start, stop, found)
        return found

    def copy(self) -> "OrderedMembers":
        """One of its own with the same entries."""
        twin = OrderedMembers(self.width)
        twin.size = self.size
        twin.root = self.root.copy()
        return twin

    def memory(self) -> i64:
        """Bytes of the nodes, without the members themselves, by the number of entries."""
        # Two thirds of the places are taken.
        nodes: i64 = (self.size * 3 >> 8) + 1
        return _NODE_BYTES * nodes + _PLACE_BYTES * self.size


def _sum(counts: vec[i64], stop: i64) -> i64:
    total: i64 = 0
    at: i64 = 0
    while at < stop:
        total += counts[at]
        at += 1
    return total


def _place_of_score(node: Node, score: float, after: bool) -> i64:
    """How many of a node's own entries have a score below (``after``: or equal to) this one."""
    scores = node.scores
    low: i64 = 0
    high: i64 = len(scores)
    while low < high:
        middle = (low + high) >> 1
        other = scores[middle]
        if other < score or (after and other == score):
            low = middle + 1
        else:
            high = middle
    return low


def _place_of_lex(node: Node, member: bytes, after: bool) -> i64:
    """How many of a node's own members are below (``after``: or equal to) this one."""
    members = node.members
    low: i64 = 0
    high: i64 = len(members)
    while low < high:
        middle = (low + high) >> 1
        other = members[middle]
        if other < member or (after and other == member):
            low = middle + 1
        else:
            high = middle
    return low


def _collect(node: Node, start: i64, stop: i64, found: list[tuple[bytes, float]]) -> None:
    """Add a node's entries at ``start <= i < stop``, counted from its first."""
    children = node.children
    if children is None:
        members = node.members
        scores = node.scores
        end: i64 = len(members)
        if end > stop:
            end = stop
        while start < end:
            found.append((members[start], scores[start]))
            start += 1
        return
    counts = node.counts
    at: i64 = 0
    last: i64 = len(counts)
    while start < stop and at < last:
        count = counts[at]
        if start < count:
            _collect(children[at], start, stop, found)
            start = count
        start -= count
        stop -= count
        at += 1
