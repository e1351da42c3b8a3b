"""The plugin contract, version 1: what outsiders implement to extend a server.

A plugin is a class found through the entry-point group ``hypercache.plugins`` and started
when the setting ``plugins`` names it. It lives as one task of the server's nursery:
`Plugin.run` acquires what it needs, reports itself started, works until it is cancelled, and
releases everything on the way out. What it registered through its `PluginHost` (journal
sinks, reply gates, hooks, observers, commands) is taken back by the server when it ends,
however it ends.

Plugins start in the order of the settings, each after those that it ``requires``, and stop in
the reverse order, while the engine still runs. One that raises is logged and started
again after a pause that doubles from 0.1 to 30 seconds; one that is ``critical`` stops the
server cleanly instead, because serving without it would break a promise.
"""

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import ClassVar, Final, Protocol

import attrs
import trio

from hypercache.engine.engine import ChangeObserver
from hypercache.engine.journal import Record, ReplyGate, Sink
from hypercache.keyspace.changes import BeforeChange, Effect

CONTRACT_VERSION: Final = 1

__all__ = [
    "CONTRACT_VERSION",
    "BeforeChange",
    "ChangeObserver",
    "Effect",
    "NoSettings",
    "Plugin",
    "PluginHost",
    "PluginLog",
    "Record",
    "ReplyGate",
    "Sink",
]


@attrs.frozen
class NoSettings:
    """The settings of a plugin that has none."""


class PluginLog(Protocol):
    """A logger whose events carry the plugin's name as component."""

    def debug(self, event: str, **fields: object) -> None: ...
    def info(self, event: str, **fields: object) -> None: ...
    def warning(self, event: str, **fields: object) -> None: ...
    def error(self, event: str, **fields: object) -> None: ...


class PluginHost(Protocol):
    """What a server offers a plugin. Everything is called from the server's thread."""

    @property
    def log(self) -> PluginLog:
        """The plugin's logger."""

    @property
    def data_folder(self) -> str:
        """The server's working directory (``dir``)."""

    def add_sink(self, sink: Sink) -> None:
        """Send the journal's records to a sink from now on."""

    def add_gate(self, gate: ReplyGate) -> None:
        """Hold replies to writes back until the gate has passed them."""

    def safe(self, sink: Sink, offset: int) -> None:
        """A sink is safe up to an offset: replies behind gates may leave."""

    def add_hook(self, hook: BeforeChange) -> None:
        """Show each key to a hook before it changes."""

    def add_observer(self, observer: ChangeObserver) -> None:
        """Show each command's touched keys to an observer."""

    def add_commands(self, module: ModuleType) -> None:
        """Register the commands that a module declared with ``@command``."""

    def add_information(self, section: str, fields: Callable[[], Mapping[str, object]]) -> None:
        """Show a section of our own in INFO."""


class Plugin:
    """Base of all plugins. Constructed with its validated settings."""

    #: An attrs class; the plugin's part of the configuration is structured into it.
    settings_type: ClassVar[type] = NoSettings
    #: Names of plugins that must have started before this one.
    requires: ClassVar[tuple[str, ...]] = ()
    #: Whether the server must not go on without it.
    critical: ClassVar[bool] = False

    def __init__(self, settings: object) -> None:
        self.settings = settings

    async def run(self, host: PluginHost, task_status: trio.TaskStatus[None]) -> None:
        """Work until cancelled. Call ``task_status.started()`` once ready to serve."""
        raise NotImplementedError
