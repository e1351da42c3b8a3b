"""What docs/backends.md promises to authors of backends: names and parameters that stay."""

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest

from hypercache import testing
from hypercache.testing import (
    Check,
    ConformanceError,
    FaultPlan,
    FaultyBackend,
    FaultyKV,
    OrderedCheck,
    SortedDictKV,
    backend_checks,
    check_backend,
    check_ordered_kv,
    ordered_checks,
)

RULES = Path(__file__).with_name("kit_rules.txt")
DOCS = Path(__file__).parents[2] / "docs"

#: Parameters by name; those behind the star have defaults, but for `make`. They may be added to.
SIGNATURES: tuple[tuple[Callable[..., object], str], ...] = (
    (check_backend, "make * reopen crash faulty seed examples"),
    (Check.run, "self make * reopen crash faulty seed examples"),
    (check_ordered_kv, "make * reopen crash seed"),
    (OrderedCheck.run, "self make * reopen crash seed"),
    (backend_checks, ""),
    (ordered_checks, ""),
    (FaultPlan, ""),
    (FaultPlan.raise_at, "self number error * call times"),
    (FaultPlan.stall_at, "self number until * call times"),
    (FaultPlan.shorten_at, "self number * call times"),
    (FaultPlan.forget, "self"),
    (FaultPlan.reached, "self call"),
    (FaultyKV, "kv plan"),
    (FaultyBackend, "backend plan"),
    (SortedDictKV, "data * max_key_size"),
    (SortedDictKV.after_crash, "self"),
)


def parameters(function: Callable[..., object]) -> str:
    """Names of parameters, a star before those that are given by name only."""
    names: list[str] = []
    for each in inspect.signature(function).parameters.values():
        if each.kind is each.KEYWORD_ONLY:
            if "*" not in names:
                names.append("*")
            assert each.default is not each.empty
        names.append(each.name)
    return " ".join(names)


@pytest.mark.parametrize(
    ("function", "expected"), SIGNATURES, ids=[each.__qualname__ for each, _ in SIGNATURES]
)
def test_parameters_stay(function: Callable[..., object], expected: str) -> None:
    assert parameters(function) == expected


def test_names_of_rules_stay() -> None:
    """A new rule gets its line here; none goes before a minor version has announced it."""
    names = [f"backend {check.name}" for check in backend_checks()]
    names += [f"ordered {check.name}" for check in ordered_checks()]
    assert sorted(names) == sorted(RULES.read_text("utf-8").splitlines())


def test_rules_are_sentences_of_their_own() -> None:
    rules = [check.rule for check in ordered_checks()]
    assert len(set(rules)) == len(rules)
    assert all(rule.endswith(".") and len(rule) > 40 for rule in rules)


def test_failures_keep_their_attributes() -> None:
    error = ConformanceError("check", "rule", "expected", "got", ["step"])
    assert isinstance(error, AssertionError)
    told = (error.check, error.rule, error.expected, error.got, error.steps)
    assert told == ("check", "rule", "expected", "got", ["step"])
    assert all(word in str(error) for word in ("check", "rule", "expected", "got", "1. step"))


def test_everything_that_is_exported_is_documented() -> None:
    text = "".join((DOCS / name).read_text("utf-8") for name in ("backends.md", "eviction.md"))
    of_servers = {"ServerFailed", "ServerProcess"}
    kit = [name for name in testing.__all__ if name not in of_servers]
    assert [name for name in kit if f"`{name}" not in text] == []
    for name in testing.__all__:
        assert (getattr(testing, name).__doc__ or "").strip()
