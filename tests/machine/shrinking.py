"""Delta debugging: the units of a sequence that matter for a failure.

After Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (2002).
"""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

_T = TypeVar("_T")


def shrunk(
    items: Sequence[_T], fails: Callable[[list[_T]], bool], seconds: float = 60.0
) -> list[_T]:
    """The items left when no piece can be taken out that the failure does not need.

    ``fails`` tells whether it fails with some of the items; it does so with all of them. After
    ``seconds`` the best found so far is returned.
    """
    end = time.monotonic() + seconds
    kept = list(items)
    size = max(1, len(kept) // 2)
    while True:
        start = 0
        removed = False
        while start < len(kept):
            if time.monotonic() > end:
                return kept
            rest = kept[:start] + kept[start + size :]
            if rest and fails(rest):
                kept, removed = rest, True
            else:
                start += size
        if size == 1 and not removed:
            return kept
        size = max(1, size // 2)
