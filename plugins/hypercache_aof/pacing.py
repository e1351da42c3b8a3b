"""When a rewrite may begin, and when the file has grown enough for one."""

from typing import Final

#: Failures in a row after which rewrites wait, and how long: doubled from the first to the last.
FAILURES: Final = 3
FIRST_WAIT: Final = 60.0
LONGEST_WAIT: Final = 3600.0
# The same where nothing is safe without a rewrite.
FIRST_URGENT_WAIT: Final = 1.0
LONGEST_URGENT_WAIT: Final = 60.0


class Pace:
    """Counts failures in a row. Times are seconds of any clock that only grows.

    Redis (aofRewriteLimited): after three failures a rewrite waits for a minute, after each
    further one twice as long. Where writes are refused, or the file has just been switched on,
    it waits after each failure, but seconds.
    """

    def __init__(self) -> None:
        self.failures = 0
        self._until = 0.0

    def may_begin(self, now: float) -> bool:
        """Whether a rewrite may begin that nobody has asked for just now."""
        return now >= self._until

    def next_at(self) -> float:
        """When one may begin."""
        return self._until

    def failed(self, now: float, urgent: bool) -> None:
        """A rewrite has failed."""
        self.failures += 1
        if urgent:
            wait = FIRST_URGENT_WAIT * 2.0 ** min(self.failures - 1, 32)
            self._until = now + min(wait, LONGEST_URGENT_WAIT)
        elif self.failures >= FAILURES:
            wait = FIRST_WAIT * 2.0 ** min(self.failures - FAILURES, 32)
            self._until = now + min(wait, LONGEST_WAIT)

    def reset(self) -> None:
        """A rewrite has succeeded, or somebody has asked for one."""
        self.failures = 0
        self._until = 0.0


def has_grown(size: int, base: int, percentage: int, least: int) -> bool:
    """Whether ``size`` bytes are so many percent more than ``base``, and more than ``least``."""
    if not percentage or size <= least:
        return False
    return size * 100 // max(base, 1) - 100 >= percentage
