"""Rules about calls whose costs do not grow with the size of a value.

It is the processor time of this process that counts, so that other programs are in nobody's way.
Caches and the speed of a processor they disturb: so the least of several measurements counts,
and what looks too slow is measured again and again before it is called so.
"""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, TypeVar, cast

from hypercache.backend import Value
from hypercache.testing.trial import Trial

ValueType = TypeVar("ValueType", bound=Value)

#: Measurements of which the least counts.
USUAL: Final = 5
#: Measurements after which what was too slow in all of them is too slow.
PATIENCE: Final = 20
#: Times the limit; what is above it after the usual number of measurements is too slow.
HOPELESS: Final = 4
#: Times that a call may take on a large value, compared with a small one, and seconds more.
SLOWER: Final = 6.0
SLACK: Final = 0.001


def costs_hardly_grow(
    trial: Trial,
    kind: int,
    sizes: tuple[int, int],
    fill: Callable[[ValueType, int], object],
    calls: Mapping[str, Callable[[ValueType], object]],
    times: int = 30,
    slower: float = SLOWER,
) -> None:
    """That many calls of each on a value of the second size take about as long as on one of the
    first. `fill` gives a new value its size."""
    database = trial.databases[0].database
    small: dict[str, float] = {}
    for size in sizes:
        value = cast(ValueType, database.create(b"value", kind).value)
        before = value.memory()
        fill(value, size)
        for name, call in calls.items():
            measure = partial(seconds, partial(call, value), times)
            if size == sizes[0]:
                small[name] = min(measure() for _ in range(USUAL))
                continue
            limit = slower * small[name] + SLACK
            took = within(limit, measure)
            trial.require(
                took <= limit,
                f"{name} of {size} in less than {slower:g} times {small[name] * 1000:.2f} ms, "
                f"which it takes of {sizes[0]}, {times} times each",
                f"{took * 1000:.2f} ms",
            )
        database.adjust(b"value", before, value.memory())
        database.unlink(b"value")
        trial.next_unit()


def within(limit: float, measure: Callable[[], float]) -> float:
    """A measurement that is not above the limit, or the least of many that all are."""
    best = measure()
    for attempt in range(1, PATIENCE):
        if best <= limit or (attempt >= USUAL and best > HOPELESS * limit):
            break
        best = min(best, measure())
    return best


def seconds(call: Callable[[], object], times: int = 1) -> float:
    """The processor time of that many calls in a row."""
    started = time.process_time()
    for _ in range(times):
        call()
    return time.process_time() - started
