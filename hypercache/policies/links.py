"""Doubly linked lists over the slots of a store's keys, in one array: eight bytes a key, no object.

A slot is in one list at most. Every operation costs O(1), also moving a key from the middle of
a list, and the lists follow the keys when a removal gives them other slots. All that is known of
a slot is one word, so that a step to it costs one look at memory that is far away.
"""

from typing import Final

from librt.vecs import append, vec
from mypy_extensions import i64

from hypercache.backend import SlotFollower

#: No slot: the end of a list.
NONE: Final[i64] = -1

# A word has the next node, the one before, and the number of the list, 0 for none.
_BEFORE: Final[i64] = 30
_LIST: Final[i64] = 60
_NODE: Final[i64] = (1 << 30) - 1
_BUT_NEXT: Final[i64] = (1 << 62) - (1 << 30)
_BUT_BEFORE: Final[i64] = (3 << 60) + (1 << 30) - 1


class Links(SlotFollower):
    """So many lists, three at most, with numbers from 1; a slot that is in none has the list 0.

    Every list is a ring through a head of its own, so no end is a special case: the first nodes
    of the array are the heads, and slot s is the node s + ``_heads``, less than 2**30.

    ``hand`` is a slot that a policy looks at next, or `NONE`: where that key goes, the hand is at
    the one before. ``named`` is the slot that it has named as a victim, until that key goes or is
    moved to the front.
    """

    def __init__(self, lists: i64) -> None:
        self._heads: i64 = lists + 1
        self._nodes: vec[i64] = vec[i64]()
        self._lengths: vec[i64] = vec[i64]()
        self.hand: i64 = NONE
        self.named: i64 = NONE
        self.clear()

    def clear(self) -> None:
        """Empty all lists."""
        self._nodes = vec[i64]()
        self._lengths = vec[i64]()
        self.hand = NONE
        self.named = NONE
        head: i64 = 0
        while head < self._heads:
            self._nodes = append(self._nodes, head << _BEFORE | head)
            self._lengths = append(self._lengths, i64(0))
            head += 1

    def list_of(self, slot: i64) -> i64:
        """The list that a slot is in, 0 for none."""
        nodes = self._nodes
        node = slot + self._heads
        return nodes[node] >> _LIST if node < len(nodes) else 0

    def length(self, number: i64) -> i64:
        """How many slots are in a list."""
        return self._lengths[number]

    def memory(self) -> i64:
        """Bytes that the array takes."""
        return i64(len(self._nodes)) * 8 + 200

    def front(self, number: i64) -> i64:
        """The first slot of a list, or `NONE`."""
        return self._slot(self._nodes[number] & _NODE)

    def back(self, number: i64) -> i64:
        """The last slot of a list, or `NONE`."""
        return self._slot(self._nodes[number] >> _BEFORE & _NODE)

    def before(self, slot: i64) -> i64:
        """The slot before one that is in a list, or `NONE`."""
        return self._slot(self._nodes[slot + self._heads] >> _BEFORE & _NODE)

    def _slot(self, node: i64) -> i64:
        return node - self._heads if node >= self._heads else NONE

    def push(self, number: i64, slot: i64) -> None:
        """Put a slot that is in no list before the first of one."""
        nodes = self._nodes
        node = slot + self._heads
        if node >= len(nodes):
            while len(nodes) <= node:
                nodes = append(nodes, i64(0))
            self._nodes = nodes
        head = nodes[number]
        first = head & _NODE
        nodes[node] = number << _LIST | number << _BEFORE | first
        nodes[number] = head & _BUT_NEXT | node
        nodes[first] = nodes[first] & _BUT_BEFORE | node << _BEFORE
        self._lengths[number] += 1

    def take(self, slot: i64) -> None:
        """Take a slot out of its list; one that is in none stays as it is."""
        nodes = self._nodes
        node = slot + self._heads
        word: i64 = nodes[node] if node < len(nodes) else 0
        number = word >> _LIST
        if number == 0:
            return
        if slot == self.hand:
            self.hand = self.before(slot)
        if slot == self.named:
            self.named = NONE
        before = word >> _BEFORE & _NODE
        after = word & _NODE
        nodes[before] = nodes[before] & _BUT_NEXT | after
        nodes[after] = nodes[after] & _BUT_BEFORE | before << _BEFORE
        nodes[node] = 0
        self._lengths[number] -= 1

    def promote(self, slot: i64) -> None:
        """Make a slot that is in a list its first."""
        number = self.list_of(slot)
        self.take(slot)
        self.push(number, slot)

    def spare_named(self) -> None:
        """The slot that was named has stayed: let it be the first of its list."""
        if self.named != NONE:
            self.promote(self.named)

    def moved(self, source: i64, target: i64) -> None:
        """The key of one slot has another now; the key that had this one is in no list."""
        nodes = self._nodes
        old = source + self._heads
        word: i64 = nodes[old] if old < len(nodes) else 0
        if word >> _LIST == 0:
            return
        if source == self.hand:
            self.hand = target
        if source == self.named:
            self.named = target
        node = target + self._heads
        before = word >> _BEFORE & _NODE
        after = word & _NODE
        nodes[old] = 0
        nodes[node] = word
        nodes[before] = nodes[before] & _BUT_NEXT | node
        nodes[after] = nodes[after] & _BUT_BEFORE | node << _BEFORE

    def check(self, size: i64) -> list[str]:
        """What is inconsistent, in words, where there are ``size`` slots."""
        wrong: list[str] = []
        nodes = self._nodes
        seen: i64 = 0
        number: i64 = 1
        while number < self._heads:
            count: i64 = 0
            node = nodes[number] & _NODE
            while node >= self._heads and count <= self._lengths[number]:
                if nodes[node] >> _LIST != number:
                    wrong.append(f"slot {node - self._heads} stands in list {number}, not its own")
                if node - self._heads >= size:
                    wrong.append(f"slot {node - self._heads} is listed, there are {size}")
                after = nodes[node] & _NODE
                if nodes[after] >> _BEFORE & _NODE != node:
                    wrong.append(f"the lists break behind slot {node - self._heads}")
                count += 1
                node = after
            if count != self._lengths[number]:
                wrong.append(f"list {number} counts {self._lengths[number]}, {count} are there")
            seen += count
            number += 1
        if seen > size:
            wrong.append(f"{seen} slots are listed, there are {size}")
        return wrong
