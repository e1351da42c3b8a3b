"""The hashes of items: the same in every process, for filters outlive theirs.

XXH3 of 64 bits (https://xxhash.com), as the package xxhash computes it.
"""

from typing import Final

import xxhash
from mypy_extensions import i64

# Positive as a signed number, and small enough for sums.
_MASK: Final = (1 << 62) - 1


def first(item: bytes) -> i64:
    """62 bits."""
    return i64(xxhash.xxh3_64_intdigest(item) & _MASK)


def second(item: bytes) -> i64:
    """62 other bits."""
    return i64(xxhash.xxh3_64_intdigest(item, 1) & _MASK)
