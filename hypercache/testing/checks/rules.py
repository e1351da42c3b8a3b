"""What a check is, and how one is run."""

from collections.abc import Callable
from typing import Final

import attrs

from hypercache.testing.trial import Faulty, Make, Reopen, Setup, Trial

Body = Callable[[Trial], None]

#: A moment for deadlines, Unix time in milliseconds: no check looks at the real clock.
NOW: Final = 1_700_000_000_000
#: Random programs that are tried.
EXAMPLES: Final = 50


@attrs.frozen
class Check:
    """One rule of the contract: a stable name, a sentence, and what tries it."""

    name: str
    rule: str
    body: Body

    def run(
        self,
        make: Make,
        *,
        reopen: Reopen | None = None,
        crash: Reopen | None = None,
        faulty: Faulty | None = None,
        seed: int = 0,
        examples: int = EXAMPLES,
    ) -> None:
        """Try the rule as `check_backend` does; raises `ConformanceError`."""
        setup = Setup(make, reopen, crash, faulty, seed, examples)
        trial = Trial(self.name, self.rule, setup)
        trial.attempt(lambda: self.body(trial))
        trial.attempt(trial.finish)


def rule(body: Body) -> Check:
    """Make a function a check: its name and its docstring, white space folded, say the rule."""
    return Check(body.__name__, " ".join((body.__doc__ or "").split()), body)
