"""Histograms of latencies: counts by microseconds, in buckets an eighth of an octave wide.

Up to 15 microseconds a bucket holds one value; above, each power of two is divided into
eight, so a percentile is off by an eighth at most (the idea of HdrHistogram). `Command.record`
has the other half of this, inlined: it runs for every command.
"""

from typing import Final

from librt.vecs import vec
from mypy_extensions import i64

# Values up to here have a bucket each.
EXACT: Final[i64] = 16
PARTS: Final[i64] = 8
#: Enough for every 64-bit number.
BUCKETS: Final = 512
#: Powers of two that LATENCY HISTOGRAM tells apart.
OCTAVES: Final = 64


def largest_in(bucket: i64) -> i64:
    """The largest value that a bucket counts."""
    if bucket < EXACT:
        return bucket
    octave = bucket // PARTS - 1
    return ((PARTS + bucket % PARTS + 1) << octave) - 1


def percentile(buckets: vec[i64], percent: float) -> int:
    """A value that ``percent`` of the counted ones do not exceed; 0 when there are none."""
    total = 0
    for count in buckets:
        total += count
    wanted = max(percent / 100 * total, 1)
    seen = 0
    for bucket in range(i64(len(buckets))):
        seen += buckets[bucket]
        if seen >= wanted:
            return largest_in(bucket)
    return 0


def by_octave(buckets: vec[i64]) -> list[int]:
    """Counts by powers of two: item i counts the values below 2**i and not below 2**(i-1)."""
    found = [0] * OCTAVES if len(buckets) > 0 else []
    for bucket in range(i64(len(buckets))):
        if buckets[bucket] > 0:
            found[int(largest_in(bucket)).bit_length()] += buckets[bucket]
    return found
