"""Keys that are asked for most, from a sample of the commands (KEYSTATS HOT)."""

from typing import TYPE_CHECKING, Final

from mypy_extensions import i64

from hypercache.engine.command import SKIP_MONITOR, Command
from hypercache.engine.context import Place
from hypercache.engine.keys import find_keys

if TYPE_CHECKING:
    from hypercache.engine.context import Context
    from hypercache.engine.engine import Engine

# Counters that are kept at most. A key in more than one of 512 samples has one for sure.
CAPACITY: Final = 1024
# Longer keys are not counted: what is remembered has to be bounded in bytes too.
MAX_KEY: Final = 1024
# What was counted loses half of its weight in so many microseconds.
HALF_LIFE: Final[i64] = 60_000_000


class HotKey:
    """A key in the report; ``share`` is its part of all sampled accesses, in percent, ``rate``
    its accesses a second. Both may be too low by ``HotKeys.error``, as a share."""

    def __init__(self, place: Place, share: float, rate: float) -> None:
        self.place = place
        self.share = share
        self.rate = rate


class HotKeys:
    """Counts keys of one of ``sampling`` commands; 0 looks at none.

    When there are too many counters, each loses as much as the median one has, and those
    without anything left go: the cost per sample is constant, and no count is too low by more
    than what was taken away (Anderson et al., "A High-Performance Algorithm for Identifying
    Frequent Items in Data Streams", 2017).
    """

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self.sampling: i64 = 0
        self.counts: dict[Place, int] = {}
        self.total = 0
        self.taken = 0
        self._left: i64 = 0
        self._halved: i64 = 0
        # Microseconds before the last halving that the counts stand for.
        self._window: i64 = 0

    def set_sampling(self, sampling: i64) -> None:
        """Look at one of so many commands from now on, having seen nothing."""
        self.sampling = sampling
        self.reset()
        self.engine.observation.rearm()

    def reset(self) -> None:
        """Forget all counts."""
        self.counts = {}
        self.total = 0
        self.taken = 0
        self._left = 1
        self._window = 0
        self._halved = self.engine.time

    def note(self, context: "Context", command: Command, args: list[bytes]) -> None:
        """A command was executed. The gaps between samples are random, lest they follow a beat.

        Commands that run others (EVAL) are left to these.
        """
        if not command.key_specs or command.flags & SKIP_MONITOR:
            return
        self._left -= 1
        if self._left > 0:
            return
        self._left = 1 + self.engine.chance.below(2 * self.sampling - 1)
        if self.engine.time - self._halved >= HALF_LIFE:
            self.halve()
        index = context.db.index
        for position, _ in find_keys(command, args) or ():
            if len(args[position]) <= MAX_KEY:
                self.add((index, args[position]))

    def add(self, place: Place) -> None:
        """A key was asked for."""
        self.total += 1
        self.counts[place] = self.counts.get(place, 0) + 1
        if len(self.counts) > CAPACITY:
            self.shrink()

    def shrink(self) -> None:
        """Make room for as many counters as there are."""
        median = sorted(self.counts.values())[len(self.counts) // 2]
        self.taken += median
        self.counts = {
            place: count - median for place, count in self.counts.items() if count > median
        }

    def halve(self) -> None:
        """Let what was counted longer ago weigh less."""
        halvings = (self.engine.time - self._halved) // HALF_LIFE
        self._halved += halvings * HALF_LIFE
        self._window = (self._window + HALF_LIFE) >> 1
        if halvings > 1:
            self._window = HALF_LIFE >> 1  # nothing worth mentioning is left of what was before
        shift = int(min(halvings, 62))
        self.total >>= shift
        self.taken >>= shift
        self.counts = {
            place: count >> shift for place, count in self.counts.items() if count >> shift
        }

    def error(self) -> float:
        """How much too low the share of a key may be, in percent."""
        return 100 * self.taken / self.total if self.total else 0.0

    def hottest(self, count: int) -> list[HotKey]:
        """The keys most asked for, hottest first."""
        if self.engine.time - self._halved >= HALF_LIFE:
            self.halve()
        seconds = max(self._window + self.engine.time - self._halved, 1_000_000) / 1_000_000
        ranked = sorted(self.counts.items(), key=lambda item: -item[1])[:count]
        found: list[HotKey] = []
        for place, samples in ranked:
            rate = samples * int(self.sampling) / seconds
            found.append(HotKey(place, 100 * samples / self.total, rate))
        return found
