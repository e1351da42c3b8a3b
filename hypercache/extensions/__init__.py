"""Backends, plugins, policies: found by entry point, checked, given their settings, all alike."""

from hypercache.extensions.family import (
    BACKENDS,
    PLUGINS,
    POLICIES,
    ExtensionError,
    Family,
    make_policy,
)
from hypercache.extensions.installed import Installed, Setting, installed, tools_offered

__all__ = [
    "BACKENDS",
    "PLUGINS",
    "POLICIES",
    "ExtensionError",
    "Family",
    "Installed",
    "Setting",
    "installed",
    "make_policy",
    "tools_offered",
]
