"""Time and chance, injected so that a failure replays."""

from librt.random import Random
from librt.time import time
from mypy_extensions import i64, mypyc_attr


@mypyc_attr(allow_interpreted_subclasses=True)
class Clock:
    """The wall clock. Tests put a clock of their own in its place."""

    def microseconds(self) -> i64:
        """Unix time in microseconds."""
        seconds: float = time()
        return i64(seconds * 1000000.0)


class Chance:
    """A source of random numbers that starts from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed & 0x7FFFFFFFFFFFFFFF)

    def below(self, stop: i64) -> i64:
        """A uniform integer in [0, stop), stop > 0."""
        return self._random.randrange(stop)

    def pick(self) -> i64:
        """A uniform integer in [0, 2**62), as `Database.sample` takes it."""
        return self._random.randrange(1 << 62)

    def fraction(self) -> float:
        """A uniform float in [0, 1)."""
        return self._random.random()
