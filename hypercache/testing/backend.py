"""The conformance kit for backends: whoever implements `hypercache.backend` runs it.

In a test suite, one test a rule::

    from hypercache.testing import Check, backend_checks

    @pytest.mark.parametrize("check", backend_checks(), ids=lambda check: check.name)
    def test_contract(check: Check) -> None:
        check.run(MyBackend)

or all at once: ``check_backend(MyBackend)``. Nothing here needs pytest.
"""

from hypercache.testing.checks import (
    accounts,
    databases,
    faults,
    figures,
    filters,
    hashes,
    keys,
    lists,
    programs,
    safety,
    sets,
    slots,
    snapshots,
    stores,
    streams,
    walks,
    zsets,
)
from hypercache.testing.checks.rules import EXAMPLES, Check
from hypercache.testing.trial import Faulty, Make, Reopen


def backend_checks() -> list[Check]:
    """Every rule of the contract, in the order in which to try them."""
    return [
        *keys.CHECKS,
        *hashes.CHECKS,
        *lists.CHECKS,
        *sets.CHECKS,
        *zsets.CHECKS,
        *streams.CHECKS,
        *databases.CHECKS,
        *figures.CHECKS,
        *stores.CHECKS,
        *accounts.CHECKS,
        *snapshots.CHECKS,
        *slots.CHECKS,
        *walks.CHECKS,
        *filters.CHECKS,
        *safety.CHECKS,
        *faults.CHECKS,
        *programs.CHECKS,
    ]


def check_backend(
    make: Make,
    *,
    reopen: Reopen | None = None,
    crash: Reopen | None = None,
    faulty: Faulty | None = None,
    seed: int = 0,
    examples: int = EXAMPLES,
) -> None:
    """Try every rule of the Backend contract; raises `ConformanceError` at the first broken one.

    ``make()`` gives a new, empty backend, not opened yet. ``reopen(backend)`` gets one that
    was closed and gives another over the same store; a durable backend needs it.
    ``crash(backend)`` gets one that was not closed, in a unit if it has any, and gives another
    over what a killed process would have left. ``faulty(plan)`` is a ``make()`` whose store does
    what a `FaultPlan` says. Rules that need one of the last two are left out without it.

    ``seed`` and ``examples`` (random programs, and places of failure, that are tried) make other
    runs; the same figures repeat one.
    """
    for check in backend_checks():
        check.run(make, reopen=reopen, crash=crash, faulty=faulty, seed=seed, examples=examples)
