"""How often keys are used: the counters of the LFU policies (Redis: evict.c, "LFU").

`Entry.access` then holds 24 bits: the minute of the last use (its low 16 bits) and, below it,
a counter of 8 bits that grows with the logarithm of the number of uses (Morris, 1978) and
loses one each ``decay_time`` minutes.
"""

from typing import Final

from mypy_extensions import i32, i64

from hypercache.backend import Entry
from hypercache.keyspace.clock import Chance

#: The counter of a new key, so that it does not look like the least used one at once.
INITIAL: Final[i64] = 5
#: Where counters stop.
HIGHEST: Final[i64] = 255

_MINUTE: Final[i64] = 60_000_000
_MINUTES: Final[i64] = 0xFFFF


class Frequency:
    """What the counters go by.

    ``log_factor`` is ``lfu-log-factor``, ``decay_time`` is ``lfu-decay-time`` (minutes; 0 is
    never), ``minutes`` the present minute.
    """

    def __init__(self) -> None:
        self.log_factor: i64 = 10
        self.decay_time: i64 = 1
        self.minutes: i64 = 0

    def keep_time(self, now: i64) -> None:
        """It is ``now``, in Unix microseconds."""
        self.minutes = now // _MINUTE & _MINUTES

    def access(self, counter: i64) -> i32:
        """What `Entry.access` is for a key with this counter that is used now."""
        return i32(self.minutes << 8 | counter)

    def age(self, access: i32) -> i64:
        """Minutes since the last use, modulo 65,536."""
        return self.minutes - (i64(access) >> 8) & _MINUTES

    def counter(self, access: i32) -> i64:
        """The counter as it has decayed until now."""
        counter: i64 = i64(access) & HIGHEST
        age = self.age(access)
        if age > 0 and self.decay_time > 0:
            counter -= age // self.decay_time
        return counter if counter > 0 else 0

    def use(self, entry: Entry, chance: Chance) -> None:
        """A key is used: the higher its counter, the less likely it grows."""
        counter = self.counter(entry.access)
        if counter < HIGHEST:
            above: i64 = counter - INITIAL if counter > INITIAL else 0
            if chance.fraction() * float(above * self.log_factor + 1) < 1.0:
                counter += 1
        entry.access = self.access(counter)
