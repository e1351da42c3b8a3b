"""The order in which plugins start: that of the settings, as far as requirements allow."""

import pytest

from hypercache.supervision import PluginError, Supervisor
from hypercache.testing.engine import EngineHarness
from tests.support.plugins import Scripted


def order(plugins: dict[str, Scripted]) -> list[str]:
    return Supervisor(EngineHarness().engine, plugins, ".").order()


def test_order_of_the_settings() -> None:
    assert order({"b": Scripted(), "a": Scripted(), "c": Scripted()}) == ["b", "a", "c"]


def test_required_plugins_come_first() -> None:
    plugins = {
        "top": Scripted(requires=("left", "right")),
        "left": Scripted(requires=("base",)),
        "right": Scripted(requires=("base",)),
        "base": Scripted(),
    }
    assert order(plugins) == ["base", "left", "right", "top"]


def test_what_brings_data_back_comes_last() -> None:
    plugins = {
        "file": Scripted(recovers=True),
        "commands": Scripted(),
        "snapshot": Scripted(recovers=True, requires=("disk",)),
        "disk": Scripted(),
    }
    assert order(plugins) == ["commands", "disk", "file", "snapshot"]


def test_missing_requirement_names_both() -> None:
    with pytest.raises(PluginError, match="'aof' requires 'disk': add it to the setting plugins"):
        order({"aof": Scripted(requires=("disk",))})


def test_circle_is_shown_without_what_leads_to_it() -> None:
    plugins = {
        "lead": Scripted(requires=("a",)),
        "a": Scripted(requires=("b",)),
        "b": Scripted(requires=("a",)),
    }
    with pytest.raises(PluginError, match=r"^plugins require each other: a -> b -> a\.$"):
        order(plugins)


def test_plugin_that_requires_itself() -> None:
    with pytest.raises(PluginError, match="a -> a"):
        order({"a": Scripted(requires=("a",))})
