"""Every difference from redis-server 7.2.6 has a reason, and every reason a difference."""

import pytest

from tests.support.compatibility import ROOT, Comparison, page


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return Comparison()


def test_the_page_is_current() -> None:
    assert (ROOT / "docs/compatibility.md").read_text("utf-8") == page(), "run `make docs`"


def test_missing_commands_have_reasons(comparison: Comparison) -> None:
    assert [name for name in comparison.missing if not comparison.why_missing(name)] == []
    needed = {part for name in comparison.missing for part in (name, name.partition("|")[0])}
    assert set(comparison.reasons["missing"]) <= needed


def test_different_metadata_have_reasons(comparison: Comparison) -> None:
    found = {(name, field) for name, fields in comparison.changed.items() for field in fields}
    told = {(name, field) for name, why in comparison.reasons["metadata"].items() for field in why}
    assert found == told


def test_own_commands_have_reasons(comparison: Comparison) -> None:
    ours = {name.partition("|")[0] for name in comparison.ours if name not in comparison.theirs}
    assert ours == set(comparison.reasons["ours"])


def test_what_is_said_of_behaviour_is_said_of_commands_that_are_there(
    comparison: Comparison,
) -> None:
    assert set(comparison.reasons["behaviour"]) <= set(comparison.ours)


def test_unknown_settings_have_reasons(comparison: Comparison) -> None:
    assert comparison.unknown_settings == sorted(comparison.reasons["settings"])


def test_missing_fields_of_info_have_reasons(comparison: Comparison) -> None:
    assert comparison.missing_fields == sorted(comparison.reasons["information"])
