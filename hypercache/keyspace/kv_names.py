"""Walking what is stored under names: SCAN and random elements, of databases and of values.

Names lie in the order of a hash (`layout.Namer`), and that is what a cursor walks.
"""

from typing import Final

from mypy_extensions import i64

from hypercache.keyspace.layout import NUMBER, after, number, position
from hypercache.keyspace.ordered import OrderedKV

# Up to so many names each is as likely as the others; of more, a random one is one of
# `SAMPLE_WINDOW` neighbours, which evens out the gaps between hashes.
SAMPLE_EXACT: Final = 64
SAMPLE_WINDOW: Final = 16
# `sample` gets 62 random bits: the upper ones choose a place among 2**48, all of them the
# neighbour.
SAMPLE_SHIFT: Final = 62 - 8 * NUMBER


def scan_names(
    kv: OrderedKV, prefix: bytes, size: i64, cursor: int, count: int
) -> tuple[int, list[tuple[bytes, bytes]]]:
    """One step of a scan over ``size`` names: the next cursor, and about ``count`` pairs.

    A step ends between two hashes: what shares one must not be split.
    """
    if cursor >> (8 * NUMBER):
        return 0, []
    skipped = len(prefix)
    stop = after(prefix)
    limit: int = max(min(count, size), 1)
    while True:
        pairs = kv.range(prefix + number(cursor), stop, limit + 1)
        following = 0
        cut = len(pairs)
        if cut > limit:
            cut = limit
            following = position(pairs[limit][0][skipped:])
            while cut > 0 and position(pairs[cut - 1][0][skipped:]) == following:
                cut -= 1
        if cut > 0 or not pairs:
            return following, pairs[:cut]
        limit *= 2


def sample_name(kv: OrderedKV, prefix: bytes, size: i64, pick: i64) -> tuple[bytes, bytes] | None:
    """One of ``size`` names and what is stored there, chosen by 62 random bits."""
    if size <= SAMPLE_EXACT:
        first = kv.range(prefix, after(prefix), pick % size + 1) if size > 0 else []
        return first[-1] if first else None
    start = prefix + number(pick >> SAMPLE_SHIFT)
    pairs = kv.range(start, after(prefix), SAMPLE_WINDOW)
    if len(pairs) < SAMPLE_WINDOW:
        pairs += kv.range(prefix, start, SAMPLE_WINDOW - len(pairs))
    return pairs[pick % len(pairs)] if pairs else None
