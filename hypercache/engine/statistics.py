"""Figures that need more than one look at a counter: rates, peaks, and where counting began.

Counters are plain attributes of the engine, which adds to them; everything here is worked
out when somebody asks, or ten times a second by `Engine.sample`.
"""

import resource
import secrets
from pathlib import Path
from time import thread_time_ns
from typing import Final

from mypy_extensions import i64

# Rates are means over so many samples, taken at least so many microseconds apart.
SAMPLES: Final = 16
PERIOD: Final[i64] = 100_000


class Rate:
    """How fast a counter grows, per second, over the last `SAMPLES` samples."""

    def __init__(self) -> None:
        self._samples = [0] * SAMPLES
        self._next = 0
        self._value: i64 = 0

    def sample(self, value: i64, elapsed: i64) -> None:
        """Take the counter's value, ``elapsed`` microseconds after the last time."""
        grown = value - self._value
        self._samples[self._next] = grown * 1000000 // elapsed if elapsed > 0 and grown > 0 else 0
        self._next = (self._next + 1) % SAMPLES
        self._value = value

    def mean(self) -> int:
        """Per second, averaged over the samples."""
        return sum(self._samples) // SAMPLES

    def restart(self) -> None:
        """Forget the samples; the counter begins again at zero."""
        self._samples = [0] * SAMPLES
        self._value = 0


class Statistics:
    """The rates of a server, and what identifies this run of it.

    ``run_id`` and ``replication_id`` are 40 hexadecimal digits. ``base_memory`` are the
    bytes that the process took before it held data.
    """

    def __init__(self, now: i64) -> None:
        self.run_id = secrets.token_hex(20)
        self.replication_id = secrets.token_hex(20)
        self.base_memory = resident_memory()
        self.commands = Rate()
        self.bytes_in = Rate()
        self.bytes_out = Rate()
        self.cycles = Rate()
        self.work = Rate()
        self.peak_memory = 0
        # What the backend had freed bit by bit when counting began.
        self.reclaimed_before = 0
        self._sampled: i64 = now
        self._work_before = loop_microseconds()

    def sample(
        self, now: i64, commands: i64, bytes_in: i64, bytes_out: i64, cycles: i64, memory: int
    ) -> None:
        """Take the counters of the engine; does nothing when called too soon."""
        if memory > self.peak_memory:
            self.peak_memory = memory
        elapsed: i64 = now - self._sampled
        if 0 <= elapsed < PERIOD:
            return
        self._sampled = now
        self.commands.sample(commands, elapsed)
        self.bytes_in.sample(bytes_in, elapsed)
        self.bytes_out.sample(bytes_out, elapsed)
        self.cycles.sample(cycles, elapsed)
        self.work.sample(self.loop_work(), elapsed)

    def loop_work(self) -> int:
        """Microseconds that the thread of the loop has worked since counting began."""
        return loop_microseconds() - self._work_before

    def restart(self, reclaimed: int) -> None:
        """Begin counting anew (CONFIG RESETSTAT); the peak of memory stays.

        ``reclaimed`` are the objects that the backend has freed bit by bit so far.
        """
        self.reclaimed_before = reclaimed
        self._work_before = loop_microseconds()
        for rate in (self.commands, self.bytes_in, self.bytes_out, self.cycles, self.work):
            rate.restart()


def loop_microseconds() -> int:
    """Processor time of this thread in microseconds."""
    return thread_time_ns() // 1000


def resident_memory() -> int:
    """Bytes of the process in memory; the highest so far where the system does not tell more."""
    try:
        pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    except (OSError, ValueError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return pages * resource.getpagesize()
