"""What can go wrong with plugins."""


class PluginError(Exception):
    """A plugin cannot be loaded, configured or started: which, why, and what to do."""


class CriticalPluginFailed(PluginError):
    """A plugin that the server must not go on without has crashed; the cause is attached."""
