"""From a name and some settings to a plugin: what is found, what is refused, and in which words."""

import sys
from pathlib import Path
from typing import Literal

import attrs
import pytest

from hypercache.config import load
from hypercache.plugin import NoSettings, Plugin
from hypercache.supervision import PluginError, construct, load_plugin
from tests.support import sample_plugin
from tests.support.packages import PLUGINS, distribution


@attrs.frozen
class Limits:
    size: int = attrs.field(validator=attrs.validators.ge(1))
    names: list[str] = attrs.field(factory=list)


@attrs.frozen
class Settings:
    name: str = "x"
    count: int = 1
    share: float = 0.5
    loud: bool = False
    mode: Literal["fast", "safe"] = "safe"
    where: Path | None = None
    limits: Limits | None = None


class Configured(Plugin):
    settings_type = Settings


def refusal(settings: dict[str, object], plugin_class: type[Plugin] = Configured) -> str:
    with pytest.raises(PluginError) as caught:
        construct("box", plugin_class, settings)
    return str(caught.value)


# Settings --------------------------------------------------------------------------------------


def test_defaults() -> None:
    assert construct("box", Configured, {}).settings == Settings()
    assert construct("box", Plugin, {}).settings == NoSettings()


def test_every_type() -> None:
    settings = {
        "name": "a",
        "count": 2,
        "share": 1,
        "loud": True,
        "mode": "fast",
        "where": "/tmp",
        "limits": {"size": 3, "names": ["b", "c"]},
    }
    expected = Settings("a", 2, 1.0, True, "fast", Path("/tmp"), Limits(3, ["b", "c"]))
    assert construct("box", Configured, settings).settings == expected


def test_unknown_setting_names_plugin_key_and_what_is_allowed() -> None:
    assert refusal({"nam": "a"}) == (
        "plugin 'box': there is no setting 'nam' "
        "(allowed: name, count, share, loud, mode, where, limits)."
    )
    assert refusal({"a": 1}, Plugin) == "plugin 'box': there is no setting 'a' (allowed: none)."


def test_unknown_setting_inside_another() -> None:
    assert refusal({"limits": {"size": 1, "sice": 2}}) == (
        "plugin 'box': there is no setting 'limits.sice' (allowed: size, names)."
    )


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("count", "2", "must be an integer, is '2'"),
        ("count", 2.0, "must be an integer, is 2.0"),
        ("count", True, "must be an integer, is True"),
        ("loud", "no", "must be yes or no, is 'no'"),
        ("loud", 1, "must be yes or no, is 1"),
        ("share", "half", "must be a number, is 'half'"),
        ("share", False, "must be a number, is False"),
        ("name", 5, "must be a text, is 5"),
        ("name", None, "must be a text, is None"),
        ("mode", "slow", "must be one of fast, safe, is 'slow'"),
    ],
)
def test_wrong_type_is_refused_not_converted(setting: str, value: object, expected: str) -> None:
    assert refusal({setting: value}) == f"plugin 'box': setting {setting!r} {expected}."


def test_places_inside_lists_and_missing_settings() -> None:
    assert refusal({"limits": {"size": 1, "names": ["a", 7]}}) == (
        "plugin 'box': setting 'limits.names[1]' must be a text, is 7."
    )
    assert refusal({"limits": {}}) == "plugin 'box': setting 'limits.size' is missing."


def test_validator_of_the_plugin_speaks() -> None:
    assert refusal({"limits": {"size": 0}}) == (
        "plugin 'box': setting 'limits' 'size' must be >= 1: 0."
    )


def test_every_mistake_is_told_at_once() -> None:
    text = refusal({"count": "x", "loud": "y", "more": 1})
    for part in ("'count'", "'loud'", "'more'"):
        assert part in text


def test_constructor_that_raises() -> None:
    class Picky(Plugin):
        def __init__(self, settings: object) -> None:
            raise OSError("no such device")

    assert refusal({}, Picky) == "plugin 'box' cannot be made: no such device."


def test_unknown_contract_is_refused() -> None:
    class Newer(Plugin):
        contract = 2

    assert refusal({}, Newer) == (
        "plugin 'box' needs version 2 of the plugin contract; this server has 1."
    )


# Entry points ------------------------------------------------------------------------------------


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the import path for distributions of this test."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def failure(name: str) -> str:
    with pytest.raises(PluginError) as caught:
        load_plugin(name, {})
    return str(caught.value)


def test_plugin_is_found_by_its_entry_point(install: Path) -> None:
    distribution(
        install, "hypercache-ledger", PLUGINS, "ledger = tests.support.sample_plugin:Ledger"
    )
    plugin = load_plugin("ledger", {"gate": False})
    assert isinstance(plugin, sample_plugin.Ledger)
    assert plugin.settings == sample_plugin.Settings(gate=False)


def test_unknown_plugin_names_those_that_are_there(install: Path) -> None:
    distribution(
        install, "hypercache-ledger", PLUGINS, "ledger = tests.support.sample_plugin:Ledger"
    )
    text = failure("leger")
    assert text.startswith("plugin 'leger' is not installed (installed: ")
    assert "ledger" in text
    assert "take it out of the setting plugins" in text


def test_two_plugins_of_one_name_are_refused(install: Path) -> None:
    distribution(install, "one", PLUGINS, "same = tests.support.sample_plugin:Ledger")
    distribution(install, "two", PLUGINS, "same = hypercache.plugin:Plugin")
    text = failure("same")
    assert "more than once" in text
    assert "tests.support.sample_plugin:Ledger" in text


def test_plugin_that_cannot_be_imported(install: Path) -> None:
    (install / "wants_more.py").write_text("import module_that_is_not_there\n")
    distribution(
        install, "broken", PLUGINS, "broken = wants_more:Plugin", "absent = wants_more_still:P"
    )
    assert failure("broken") == (
        "plugin 'broken' (wants_more:Plugin) cannot be imported: "
        "No module named 'module_that_is_not_there'."
    )
    assert "No module named 'wants_more_still'" in failure("absent")
    assert "wants_more" not in sys.modules


def test_entry_point_of_something_else(install: Path) -> None:
    distribution(install, "odd", PLUGINS, "odd = hypercache.plugin:NoSettings")
    assert failure("odd") == (
        "plugin 'odd': <class 'hypercache.plugin.NoSettings'> is no subclass of Plugin."
    )


# From the configuration -------------------------------------------------------------------------


def test_settings_from_the_command_line_have_their_types() -> None:
    words = ["--set", "plugins=box box.count=7 box.loud=yes box.share=0.25 box.name=seven"]
    own = load(words).settings.plugins["box"]
    assert construct("box", Configured, own).settings == Settings("seven", 7, 0.25, True)


def test_settings_from_yaml_have_their_types(tmp_path: Path) -> None:
    path = tmp_path / "server.yaml"
    path.write_text("plugins:\n  box:\n    count: 7\n    loud: yes\n    limits: {size: 2}\n")
    own = load([str(path)]).settings.plugins["box"]
    expected = Settings(count=7, loud=True, limits=Limits(2))
    assert construct("box", Configured, own).settings == expected
