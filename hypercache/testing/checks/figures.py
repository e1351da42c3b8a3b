"""Rules about what a backend says of itself: traits, statistics, refusal."""

import re
from typing import Final

import attrs

from hypercache.backend import ALWAYS, CONTRACT_VERSIONS, EVERYSEC, NO, EncodingLimits
from hypercache.backend_tools import BackendTools
from hypercache.testing.checks import samples
from hypercache.testing.checks.rules import rule
from hypercache.testing.conformance import Recorder
from hypercache.testing.trial import Trial

POLICIES: Final = (ALWAYS, EVERYSEC, NO)
SNAKE_CASE: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def check_policy(recorder: Recorder, durable: bool, policy: object) -> None:
    """A sync policy is one that there is, and needs a durable store."""
    recorder.require(policy in POLICIES, f"a sync_policy out of {POLICIES}", policy)
    recorder.require(
        durable or policy == NO,
        f"the sync_policy {NO!r}, since the store says that it is not durable",
        policy,
    )


def check_statistics(recorder: Recorder, found: object) -> None:
    """Statistics are numbers by name."""
    if not isinstance(found, dict):
        recorder.fail("a dict from statistics()", type(found).__name__)
    for name, number in found.items():
        recorder.require(
            isinstance(name, str) and SNAKE_CASE.fullmatch(name) is not None,
            "snake_case names in statistics()",
            repr(name),
        )
        recorder.require(
            type(number) is int and number >= 0,
            f"an int that is not negative for {name!r} in statistics()",
            repr(number),
        )


@rule
def traits_are_valid(trial: Trial) -> None:
    """snapshots is a bool, sync_policy one of the three and "no" where the backend is not
    durable; refusal is empty as long as there is room; limits are there to be set;
    settings_type is an attrs class and tools a BackendTools class, or None; contract is a version
    that there is."""
    backend = trial.backend
    trial.require(
        backend.contract in CONTRACT_VERSIONS,
        f"a contract out of {CONTRACT_VERSIONS}",
        backend.contract,
    )
    value: object = backend.snapshots
    trial.require(isinstance(value, bool), "a bool for the trait snapshots", value)
    check_policy(trial, backend.durable, backend.sync_policy)
    trial.expect("refusal of a new backend", "", backend.refusal)
    limits: object = backend.limits
    trial.require(isinstance(limits, EncodingLimits), "EncodingLimits as limits", limits)
    settings: object = backend.settings_type
    trial.require(
        settings is None or (isinstance(settings, type) and attrs.has(settings)),
        "an attrs class or None as settings_type",
        repr(settings),
    )
    tools: object = backend.tools
    trial.require(
        tools is None or (isinstance(tools, type) and issubclass(tools, BackendTools)),
        "a BackendTools class or None as tools",
        repr(tools),
    )
    samples.fill(trial.databases[0], 20)
    trial.next_unit()
    trial.expect("refusal while there is room", "", backend.refusal)


@rule
def statistics_are_numbers(trial: Trial) -> None:
    """statistics() gives ints that are not negative by snake_case names, at any time: when the
    backend is new, in a unit, between units, after a rollback, before and after reclaim()."""
    backend = trial.backend
    check_statistics(trial, trial.call("statistics()", backend.statistics))
    for database in trial.databases:
        samples.fill(database, 100)
    check_statistics(trial, trial.call("statistics()", backend.statistics))
    trial.end_unit()
    check_statistics(trial, trial.call("statistics()", backend.statistics))
    trial.begin_unit()
    if trial.units:
        for database in trial.databases:
            database.clear()
        trial.undo_unit()
        check_statistics(trial, trial.call("statistics()", backend.statistics))
    trial.databases[0].clear()
    for key in samples.LARGE:
        trial.databases[1].unlink(key)
    check_statistics(trial, trial.call("statistics()", backend.statistics))
    trial.next_unit()
    trial.reclaim()
    check_statistics(trial, trial.call("statistics()", backend.statistics))


CHECKS = (traits_are_valid, statistics_are_numbers)
