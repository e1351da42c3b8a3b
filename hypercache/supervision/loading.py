"""From a name in the settings to a plugin with its own settings validated."""

from collections.abc import Mapping

from hypercache.extensions import PLUGINS, ExtensionError
from hypercache.plugin import Plugin
from hypercache.supervision.errors import PluginError


def load_plugin(name: str, settings: Mapping[str, object]) -> Plugin:
    """Find a plugin by its entry point and construct it; raises `PluginError`."""
    try:
        return PLUGINS.make(name, PLUGINS.load(PLUGINS.find(name)), settings)
    except ExtensionError as error:
        raise PluginError(str(error)) from error


def construct(name: str, plugin_class: type[Plugin], settings: Mapping[str, object]) -> Plugin:
    """A plugin with its settings validated; raises `PluginError`."""
    try:
        return PLUGINS.make(name, plugin_class, settings)
    except ExtensionError as error:
        raise PluginError(str(error)) from error
