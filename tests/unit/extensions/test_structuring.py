"""Settings as attrs objects: what backends and plugins have in common (see also test_loading)."""

from typing import Literal

import attrs
import pytest

from hypercache.extensions.structuring import SettingsError, structure


@attrs.frozen
class Inner:
    max_size: int = 1


@attrs.frozen
class Outer:
    page_size: int = 1
    by_name: dict[str, int] = attrs.field(factory=dict)
    inner: Inner = attrs.field(factory=Inner)
    sync: Literal["always", "no"] = "always"
    trace: Literal["on", "off"] = "off"
    level: Literal[1, 2] = 1


def refusal(settings: dict[str, object]) -> str:
    with pytest.raises(SettingsError) as caught:
        structure(settings, Outer)
    return str(caught.value)


def test_hyphens_in_names_mean_underscores() -> None:
    settings = {"page-size": 2, "inner": {"max-size": 3}, "by-name": {"a-b": 4}}
    assert structure(settings, Outer) == Outer(2, {"a-b": 4}, Inner(3))


def test_a_name_in_both_ways_is_refused() -> None:
    assert refusal({"page-size": 2, "page_size": 3}) == (
        "has 'page_size' twice, with a hyphen and with an underscore"
    )
    assert refusal({"inner": {"max_size": 2, "max-size": 2}}) == (
        "setting 'inner' has 'max_size' twice, with a hyphen and with an underscore"
    )


def test_unknown_name_is_told_as_it_was_written() -> None:
    known = "page_size, by_name, inner, sync, trace, level"
    assert refusal({"page-sice": 2}) == f"there is no setting 'page-sice' (allowed: {known})"


def test_yaml_reads_names_of_choices_as_truth_values() -> None:
    assert structure({"sync": False, "trace": True}, Outer) == Outer(sync="no", trace="on")
    assert structure({"trace": False, "level": 2}, Outer) == Outer(trace="off", level=2)
    assert refusal({"sync": True}) == "setting 'sync' must be one of always, no, is True"
    assert refusal({"level": 3}) == "setting 'level' must be one of 1, 2, is 3"
    assert refusal({"sync": ["no"]}) == "setting 'sync' must be one of always, no, is ['no']"


def test_a_class_needs_a_mapping() -> None:
    assert refusal({"inner": 3}) == "setting 'inner' must be a mapping of names to values, is 3"
