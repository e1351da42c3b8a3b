"""Finds, configures, starts, watches and stops plugins (`hypercache.plugin` is the contract)."""

from hypercache.supervision.errors import CriticalPluginFailed, PluginError
from hypercache.supervision.loading import construct, load_plugin
from hypercache.supervision.supervisor import Supervisor

__all__ = ["CriticalPluginFailed", "PluginError", "Supervisor", "construct", "load_plugin"]
