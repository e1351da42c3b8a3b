"""The latency monitor: what took longer than latency-monitor-threshold (LATENCY LATEST)."""

from collections import deque
from typing import Final

from mypy_extensions import i64

# Samples that an event keeps, one a second at most.
SAMPLES: Final = 160


class Series:
    """The samples of one event: Unix seconds and milliseconds, the worst of each second.

    ``worst`` is the worst of all times, in milliseconds.
    """

    def __init__(self) -> None:
        self.samples: deque[tuple[int, int]] = deque(maxlen=SAMPLES)
        self.worst = 0

    def add(self, at: int, milliseconds: int) -> None:
        """Take a sample."""
        self.worst = max(self.worst, milliseconds)
        if self.samples and self.samples[-1][0] == at:
            milliseconds = max(milliseconds, self.samples.pop()[1])
        self.samples.append((at, milliseconds))

    def figures(self) -> list[int]:
        """The milliseconds of all samples."""
        return [milliseconds for _, milliseconds in self.samples]


class LatencyMonitor:
    """Series by event. ``threshold`` is in microseconds; 0 watches nothing."""

    def __init__(self) -> None:
        self.threshold: i64 = 0
        self.events: dict[bytes, Series] = {}

    def add(self, event: bytes, now: i64, duration: i64) -> None:
        """Take note of an event at ``now`` if its duration, in microseconds too, is too long."""
        if 0 < self.threshold <= duration:
            series = self.events.setdefault(event, Series())
            series.add(now // 1000000, duration // 1000)

    def reset(self, event: bytes) -> bool:
        """Forget an event, named in any case; False when there was nothing to forget."""
        name = event.lower()
        return self.events.pop(name, None) is not None
