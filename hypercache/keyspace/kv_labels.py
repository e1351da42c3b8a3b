"""Labels: numbers that give an order to what has none of its own, with room in between.

The chunks of a list lie under labels, and so do members of a sorted set that are too long for
a key. Whoever is put between two neighbours gets the number in the middle; where there is
none left, as many of the following ones move as it takes to make room again.
"""

from struct import Struct
from typing import Final

from mypy_extensions import i64

from hypercache.keyspace.ordered import OrderedKV

#: Bytes of a label in a key.
LABEL: Final = 8
#: No label: there is no neighbour, or no room.
NONE: Final[i64] = -1

# The first label of all, in the middle of 63 bits, and the distance at both ends: it takes
# 2**46 of them to reach the end of the numbers.
_FIRST: Final[i64] = 1 << 62
_STEP: Final[i64] = 1 << 16
# Neighbours that are moved at first to make room; twice as many each time that it is not enough.
_MOVED: Final = 8
_LABEL: Final = Struct(">Q")


def encode_label(label: i64) -> bytes:
    """Eight bytes that sort as the label does."""
    return _LABEL.pack(label)


def label_of(key: bytes) -> i64:
    """The label at the end of a key."""
    return int(_LABEL.unpack_from(key, len(key) - LABEL)[0])


def between(low: i64, high: i64) -> i64:
    """A label between two neighbours, either of them perhaps ``NONE``; ``NONE`` without room."""
    if low == NONE:
        return _FIRST if high == NONE else high - _STEP
    if high == NONE:
        return low + _STEP
    middle = low + (high - low) // 2
    return NONE if middle == low else middle


def make_room(
    kv: OrderedKV, prefix: bytes, stop: bytes, low: i64
) -> list[tuple[bytes, bytes, bytes]]:
    """New labels for those that follow ``low`` under a prefix, so that there is room behind it.

    Old keys, new keys and values, for the caller to move: first all away, then all back.
    """
    count = _MOVED
    while True:
        pairs = kv.range(prefix + encode_label(low + 1), stop, count + 1)
        step: i64 = _STEP
        if len(pairs) > count:
            step = (label_of(pairs[count][0]) - low) // (count + 2)
            pairs.pop()
        # Room for as many as are moved, so that the next move is that far away.
        if step > len(pairs):
            label = low + step
            moves: list[tuple[bytes, bytes, bytes]] = []
            for key, raw in pairs:
                label += step
                moves.append((key, prefix + encode_label(label), raw))
            return moves
        count *= 2
