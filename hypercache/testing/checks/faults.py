"""Rules about stores that fail: nothing half-done stays, and the backend goes on.

They are tried where a ``faulty=`` argument is given: it makes a backend whose store does what a
`hypercache.testing.FaultPlan` says.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from hypercache.backend import HASH, BackendError, BackendFull
from hypercache.testing.checks import samples
from hypercache.testing.checks.rules import NOW, rule
from hypercache.testing.conformance import ConformanceError
from hypercache.testing.faults import FaultPlan
from hypercache.testing.trial import Trial

#: How many elements the values have that the units below change.
ELEMENTS: Final = 32
#: Calls of the store that are let stall, spread over all that the units make.
STALLS: Final = 12

Unit = Callable[[Trial], None]


def _edit(trial: Trial) -> None:
    samples.change(trial.databases[0])


def _carry(trial: Trial) -> None:
    first, second = trial.databases[:2]
    first.move(b"list", second, b"moved list")
    first.move(b"stream", first, b"renamed stream")
    first.copy(b"hash", second, b"copied hash")
    first.copy(b"zset", first, b"small zset")


def _remove(trial: Trial) -> None:
    first = trial.databases[0]
    for key in (b"long", b"set", b"small set"):
        first.unlink(key)
    first.expire(b"zset", NOW)
    first.create(b"text", HASH)
    first.set_field(b"text", b"field", b"value")
    for key in first.due(NOW + 200, 100):
        first.unlink(key)


def _sweep(trial: Trial) -> None:
    trial.databases[1].swap(trial.databases[2])
    trial.databases[0].clear()
    trial.databases[0].put(b"after", b"v" * 5_000, NOW)
    trial.backend.reclaim(40)


UNITS: Final[tuple[Unit, ...]] = (_edit, _carry, _remove, _sweep, Trial.reclaim)


def _prepared(trial: Trial, plan: FaultPlan) -> Trial:
    """A backend whose store follows the plan, with some data."""
    again = trial.again(plan)
    samples.fill(again.databases[0], ELEMENTS)
    again.databases[1].put(b"key", b"v" * 3_000, NOW)
    again.next_unit()
    return again


def _fault(number: int) -> BackendError:
    """What the store raises: any error, or that it is full."""
    kind = BackendFull if number % 2 else BackendError
    return kind(f"the store fails on purpose at its call {number}")


def _fails(call: Callable[[], object]) -> bool:
    """Whether a call raises `BackendError`; what else is wrong fails the check."""
    try:
        call()
    except BackendError:
        return True
    except ConformanceError as error:
        if isinstance(error.__cause__, BackendError):
            return True
        raise
    return False


def _calls_of(trial: Trial) -> int:
    """How many calls of the store all units make."""
    plan = FaultPlan()
    again = _prepared(trial, plan)
    before = plan.calls
    for unit in UNITS:
        unit(again)
        again.next_unit()
    calls = plan.calls - before
    trial.require(calls > 0, "a backend from faulty= whose store asks its plan", "no call")
    again.close()
    return calls


@rule
def a_failure_leaves_the_last_commit(trial: Trial) -> None:
    """Where a faulty= argument is given and the backend has units: whichever call of its store
    raises, what reaches the caller is BackendError, and after rollback() everything is as the last
    commit left it, figures and all; a commit() before that is refused, or had nothing half-done to
    keep. check() finds nothing, and the same unit succeeds when it is tried again."""
    if trial.setup.faulty is None or not trial.units:
        return
    calls = _calls_of(trial)
    places = min(trial.setup.examples, calls)
    for number in range(places):
        plan = FaultPlan()
        again = _prepared(trial, plan)
        plan.raise_at(1 + number * calls // places, _fault(number))
        for unit in UNITS:
            if not _survives(again, unit, keeps=number % 2 == 1):
                break
        plan.forget()  # stores with a salt of their own may need fewer calls than were counted
        again.verify()
        again.close()


def _survives(trial: Trial, unit: Unit, keeps: bool) -> bool:
    """Commit a unit, at the second attempt if the first one fails.

    ``keeps``: try to commit what a failure has left. Where that is possible, there is no second
    attempt, and this is False.
    """
    figures = _figures(trial)
    kept = False
    if _fails(partial(unit, trial)):
        trial.steps.append("the call before has failed")
        kept = keeps and not _fails(trial.end_unit)
        if not kept:
            trial.drop_unit()
    elif _fails(trial.end_unit):
        trial.drop_unit()
    else:
        _begin(trial)
        return True
    _begin(trial)
    trial.verify()
    if kept:
        return False
    trial.expect("memory() of the databases after rollback()", figures, trial.memory())
    unit(trial)
    trial.next_unit()
    return True


def _figures(trial: Trial) -> list[int]:
    """The memory figures, also when asking for them fails at first."""
    try:
        return trial.memory()
    except BackendError:
        return trial.memory()


def _begin(trial: Trial) -> None:
    """Begin a unit, also when that fails at first."""
    if _fails(trial.begin_unit):
        trial.begin_unit()


@rule
def a_failed_commit_is_undone(trial: Trial) -> None:
    """Whichever call of the store raises within commit(), commit() raises BackendError, nothing of
    the unit is stored once it is rolled back, and the next unit is committed."""
    if trial.setup.faulty is None or not trial.units:
        return
    calls = 1
    number = 0
    while number < calls:
        plan = FaultPlan()
        again = _prepared(trial, plan)
        _edit(again)
        again.databases[1].clear()
        before = plan.calls
        plan.raise_at(1 + number, _fault(number))
        failed = _fails(again.end_unit)
        plan.forget()
        again.require(failed == (plan.happened > 0), "BackendError from commit()", "none")
        if failed:
            again.drop_unit()
            calls = max(calls, number + 2)
        else:
            trial.require(plan.calls > before, "a call of the store in commit()", "none")
        again.begin_unit()
        again.verify()
        again.databases[0].put(b"afterwards", b"v")
        again.finish()
        number += 1


@rule
def a_failed_read_changes_nothing(trial: Trial) -> None:
    """A call that only reads and fails, raises BackendError and harms nothing: it succeeds when it
    is made again, and the unit goes on and is committed with all that it changed."""
    if trial.setup.faulty is None:
        return
    plan = FaultPlan()
    again = _prepared(trial, plan)
    first = again.databases[0]
    reads: tuple[Callable[[], object], ...] = (
        partial(samples.read, first),
        partial(samples.scan_all, first),
        partial(first.due, NOW + 1, 100),
        partial(first.due_fields, NOW + 100, 100),
        partial(first.memory_of, b"hash"),
        first.compare,
    )
    for number, look in enumerate(reads):
        for place in (1, 2, 5, 20):
            again.next_unit()
            first.put(b"before %d" % place, b"v" * number)
            plan.raise_at(place, _fault(number))
            if _fails(look):
                again.steps.append("the call before has failed")
            plan.forget()
            look()
            first.put(b"after %d" % place, b"v" * number, NOW)
            first.set_field(b"hash", b"after", b"%d %d" % (number, place))
    again.finish()


@rule
def a_stall_changes_nothing(trial: Trial) -> None:
    """While a call of the store stalls, sync(), maintain() and the reading of a snapshot go on in
    other threads; when it ends, the unit goes on as if nothing had been."""
    if trial.setup.faulty is None:
        return
    calls = _calls_of(trial)
    plan = FaultPlan()
    again = _prepared(trial, plan)
    snapshot = again.snapshot() if again.backend.snapshots else None
    stalled: list[int] = []

    def others() -> None:
        if not stalled or stalled[-1] != -1:
            stalled.append(-1)  # what they call themselves does not stall
            errands = [again.send("sync() during a stall", again.backend.sync)]
            errands.append(again.send("maintain() during a stall", again.backend.maintain))
            if snapshot is not None:
                errands.append(again.send("read a snapshot during a stall", snapshot.compare))
            for errand in errands:
                errand.finish()
            stalled[-1] = len(stalled)

    for number in range(STALLS):
        plan.stall_at(1 + number * calls // STALLS, others)
    for unit in UNITS:
        unit(again)
        again.next_unit()
    trial.require(len(stalled) > 0, "calls of the store that stall", "none")
    if snapshot is not None:
        snapshot.compare()
        snapshot.close()
    again.finish()


@rule
def failed_work_beside_units_is_harmless(trial: Trial) -> None:
    """When the store fails in sync(), maintain(), snapshot() or open(), they raise BackendError
    with a text, and units go on; the next call of the first three succeeds."""
    if trial.setup.faulty is None:
        return
    plan = FaultPlan()
    again = _prepared(trial, plan)
    works: list[Callable[[], object]] = [again.backend.sync, again.backend.maintain]
    if again.backend.snapshots:
        works.append(lambda: again.backend.snapshot().close())
    for number, work in enumerate(works):
        again.end_unit()
        plan.raise_at(1, _fault(number))
        _fails(partial(again.attempt, work))
        plan.forget()
        again.attempt(work)
        again.begin_unit()
        again.databases[0].put(b"after %d" % number, b"v")
        again.verify()
    again.finish()
    _open_fails(trial)


def _open_fails(trial: Trial) -> None:
    faulty = trial.setup.faulty
    if faulty is not None:
        for number in range(1, 6):
            plan = FaultPlan()
            backend = faulty(plan)
            plan.raise_at(number, _fault(number))
            failed = _fails(partial(trial.attempt, partial(backend.open, len(trial.databases))))
            trial.require(
                failed == (plan.happened > 0), "BackendError from open() of a failing store", "none"
            )
            backend.close()


CHECKS = (
    a_failure_leaves_the_last_commit,
    a_failed_commit_is_undone,
    a_failed_read_changes_nothing,
    a_stall_changes_nothing,
    failed_work_beside_units_is_harmless,
)
