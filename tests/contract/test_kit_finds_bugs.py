"""The kit is worth something only if it finds what is wrong: each bug by the rule it breaks."""

import pytest

from hypercache.backend import Backend
from hypercache.testing import (
    ConformanceError,
    backend_checks,
    check_backend,
    conformance,
)
from tests.contract.broken import BROKEN, Broken, CutsWhatMovesFar, DueComesTwice, build
from tests.contract.broken_faults import BROKEN_FAULTS, SyncWaitsForTheStore
from tests.contract.broken_hashes import BROKEN_HASHES
from tests.contract.broken_stores import BROKEN_STORES
from tests.contract.broken_walks import BROKEN_WALKS
from tests.contract.tiny import TinyBackend

CHECKS = {check.name: check for check in backend_checks()}
BUGS = [(name, broken, "") for name, broken in BROKEN + BROKEN_HASHES] + [
    *BROKEN_STORES,
    *BROKEN_FAULTS,
    *BROKEN_WALKS,
]


def after(broken: Broken, backend: Backend) -> Backend:
    """Another backend with the bug over the same store, closed or not."""
    assert isinstance(backend, TinyBackend)
    return build(broken, backend.disk)


def failure(name: str, broken: Broken) -> ConformanceError:
    """What the kit says of a bug."""
    with pytest.raises(ConformanceError) as caught:
        CHECKS[name].run(
            lambda: build(broken),
            reopen=lambda old: after(broken, old),
            crash=lambda old: after(broken, old),
            faulty=lambda plan: build(broken, plan=plan),
        )
    return caught.value


@pytest.mark.parametrize(("name", "broken", "words"), BUGS, ids=[each[1].__name__ for each in BUGS])
def test_bug_is_found_by_its_rule(
    name: str, broken: Broken, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if broken is SyncWaitsForTheStore:  # which would wait for a minute
        monkeypatch.setattr(conformance, "PATIENCE", 0.3)
    error = failure(name, broken)
    assert error.check == name
    assert error.rule == CHECKS[name].rule
    assert error.steps
    assert words in f"{error.expected} | {error.got}"


def test_every_rule_finds_something() -> None:
    assert {name for name, _, _ in BUGS} == set(CHECKS)


def test_all_at_once_stops_at_the_first_broken_rule() -> None:
    with pytest.raises(ConformanceError) as caught:
        check_backend(lambda: build(DueComesTwice))
    assert caught.value.check == "due_is_never_early"


def test_failure_tells_rule_expectation_and_steps() -> None:
    with pytest.raises(ConformanceError) as caught:
        CHECKS["due_is_never_early"].run(lambda: build(DueComesTwice))
    text = str(caught.value)
    assert "check 'due_is_never_early' failed" in text
    assert "rule:     due() hands out present keys" in text
    assert "expected: no key twice" in text
    assert text.splitlines()[-1].lstrip().startswith(f"{len(caught.value.steps)}. db0.due(")


def test_random_program_is_cut_down_to_what_matters() -> None:
    check = CHECKS["random_programs_agree_with_a_model"]
    with pytest.raises(ConformanceError) as caught:
        check.run(lambda: build(CutsWhatMovesFar))
    called = [step for step in caught.value.steps if step.startswith("db")]
    assert 2 <= len(called) <= 3
    assert ".put(" in called[0]
    assert ".move(" in called[1]


def test_same_seed_gives_the_same_failure() -> None:
    errors = []
    for _ in range(2):
        with pytest.raises(ConformanceError) as caught:
            CHECKS["random_programs_agree_with_a_model"].run(
                lambda: build(CutsWhatMovesFar), seed=7
            )
        errors.append(str(caught.value))
    assert errors[0] == errors[1]


def test_durable_backend_needs_reopen() -> None:
    with pytest.raises(ConformanceError, match="a reopen= argument"):
        CHECKS["a_durable_backend_keeps_its_data"].run(TinyBackend)
