"""Backends and plugins: found by entry point, checked, and given their settings, all alike."""

from hypercache.extensions.family import BACKENDS, PLUGINS, ExtensionError, Family
from hypercache.extensions.installed import Installed, Setting, installed, tools_offered

__all__ = [
    "BACKENDS",
    "PLUGINS",
    "ExtensionError",
    "Family",
    "Installed",
    "Setting",
    "installed",
    "tools_offered",
]
