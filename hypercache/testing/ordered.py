"""The conformance kit for `OrderedKV`, the small contract under ``KVBackend``.

In a test suite, one test a rule::

    from hypercache.testing import OrderedCheck, ordered_checks

    @pytest.mark.parametrize("check", ordered_checks(), ids=lambda check: check.name)
    def test_contract(check: OrderedCheck) -> None:
        check.run(MyKV, reopen=lambda kv: MyKV(kv.path))

or all at once: ``check_ordered_kv(MyKV, reopen=...)``.
"""

from hypercache.testing.checks.ordered import CHECKS, OrderedCheck
from hypercache.testing.ordered_trial import MakeKV, ReopenKV


def ordered_checks() -> list[OrderedCheck]:
    """Every rule of the contract, in the order in which to try them."""
    return list(CHECKS)


def check_ordered_kv(
    make: MakeKV, *, reopen: ReopenKV | None = None, crash: ReopenKV | None = None, seed: int = 0
) -> None:
    """Try every rule of the OrderedKV contract; raises `ConformanceError` at a broken one.

    ``make()`` gives a new, empty store, not opened yet; ``reopen(kv)`` gets one that was closed
    and gives another over the same data, and a durable store needs it; ``crash(kv)`` gets one that
    was not closed, in a transaction, and gives another over what a killed process would
    have left. Then `check_backend` with ``KVBackend(make())`` tells whether the whole holds.
    """
    for check in ordered_checks():
        check.run(make, reopen=reopen, crash=crash, seed=seed)
