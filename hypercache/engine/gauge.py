"""A gauge: how near something is to its limit, in four levels.

A level is reached when the use rises to its threshold, and left when it falls some way below: a
use that lingers about a threshold crosses it once.
"""

from typing import Final

from mypy_extensions import i64

#: The levels by their numbers.
LEVELS: Final = ("normal", "warning", "critical", "panic")
NORMAL: Final[i64] = 0
PANIC: Final[i64] = 3

#: Percent of a limit from which each level but the first counts.
THRESHOLDS: Final = (85, 90, 95)
# By so many percent of the limit a use has to fall below a threshold to leave its level; below a
# very low one by half of it.
_BELOW: Final = 2


class Gauge:
    """What is used of a limit, in bytes; 0 for no limit, and then the level is normal.

    ``source`` says what of: ``data``, ``process`` or ``store``. ``crossings`` counts, for each
    level, how often it was reached from below.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.level: i64 = NORMAL
        self.used: i64 = 0
        self.limit: i64 = 0
        self.crossings = [0] * len(LEVELS)
        self._rises: list[int] = []
        self._falls: list[int] = []

    def hold_to(self, limit: int, thresholds: tuple[int, ...]) -> None:
        """Measure against a limit; as many levels as there are thresholds, in percent."""
        self.limit = limit
        self._rises = []
        self._falls = []
        if limit > 0:
            for percent in thresholds:
                self._rises.append(-(-limit * percent // 100))
                self._falls.append(-(-limit * (2 * percent - min(2 * _BELOW, percent)) // 200))

    def look(self, used: i64) -> bool:
        """Take what is used now; True when the level is another one."""
        self.used = used
        reached: i64 = 0
        for bound in self._rises:
            if used >= bound:
                reached += 1
        before = self.level
        if reached < before:
            kept: i64 = 0
            for bound in self._falls:
                if used >= bound:
                    kept += 1
            reached = min(kept, before)
        for level in range(int(before) + 1, int(reached) + 1):
            self.crossings[level] += 1
        self.level = reached
        return reached != before

    def name(self) -> str:
        """The level's name."""
        return LEVELS[self.level]

    def percent(self) -> float:
        """What is used of the limit, in percent."""
        return 100 * int(self.used) / int(self.limit) if self.limit > 0 else 0.0

    def restart(self) -> None:
        """Begin counting crossings anew (CONFIG RESETSTAT)."""
        self.crossings = [0] * len(LEVELS)
