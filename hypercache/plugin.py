"""The plugin contract, version 1: what outsiders implement to extend a server.

A plugin is a class found through the entry-point group ``hypercache.plugins`` and started
when the setting ``plugins`` names it. It lives as one task of the server's nursery:
`Plugin.run` acquires what it needs, reports itself started, works until it is cancelled, and
releases everything on the way out. What it registered through its `PluginHost` (journal
sinks, reply gates, hooks, observers, commands) is taken back by the server when it ends,
however it ends.

Plugins start in the order of the settings, each after those that it ``requires`` and before
those that bring data back (``recovers``), while clients are told LOADING; they stop in the
reverse order, when no client is served any more and while the engine still runs. One that
raises, in its task or in anything it registered, has crashed: that is logged and it is started
again after a pause that doubles from 0.1 to 30 seconds. One that is ``critical`` stops the
server cleanly instead, because serving without it would break a promise: replies behind its
gates never leave.

docs/plugins.md explains it with an example.
"""

from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import ClassVar, Final, Protocol

import attrs
import trio

from hypercache.backend import NO_EXPIRE, Entry
from hypercache.config import Settings
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.engine.ending import Ending, LastSave
from hypercache.engine.journal import LOCAL_FILE, OTHER, REPLICA, Record, ReplyGate, Sink
from hypercache.engine.libraries import Libraries
from hypercache.engine.pressure import PressureChange
from hypercache.engine.recovery import Recovery
from hypercache.engine.settlement import ChangeObserver
from hypercache.engine.waiting import Wait
from hypercache.keyspace.changes import BeforeChange, Effect, Event, Touch
from hypercache.persistence.capture import Capture
from hypercache.persistence.encoder import Encoder, Origin, ValueParts
from hypercache.persistence.loader import Loader
from hypercache.protocol.inline import split_words
from hypercache.reply import OK, ErrorReply, Reply

#: The versions of this contract that the server keeps.
CONTRACT_VERSIONS: Final = (1,)

__all__ = [
    "CONTRACT_VERSIONS",
    "LOCAL_FILE",
    "NO_EXPIRE",
    "OK",
    "OTHER",
    "REPLICA",
    "BeforeChange",
    "Capture",
    "ChangeObserver",
    "Context",
    "Effect",
    "Encoder",
    "Ending",
    "Entry",
    "ErrorReply",
    "Event",
    "LastSave",
    "Libraries",
    "Loader",
    "NoSettings",
    "Origin",
    "Plugin",
    "PluginHost",
    "PluginLog",
    "PressureChange",
    "Record",
    "Recovery",
    "Reply",
    "ReplyGate",
    "Sink",
    "Touch",
    "ValueParts",
    "Wait",
    "command",
    "split_words",
]


@attrs.frozen
class NoSettings:
    """The settings of a plugin that has none."""


class PluginLog(Protocol):
    """A logger whose events carry ``plugin.<name>`` as their component."""

    def debug(self, event: str, message: str | None = None, **fields: object) -> None: ...
    def info(self, event: str, message: str | None = None, **fields: object) -> None: ...
    def warning(self, event: str, message: str | None = None, **fields: object) -> None: ...
    def error(self, event: str, message: str | None = None, **fields: object) -> None: ...


class PluginHost(Protocol):
    """What a server offers a plugin. Everything is called from the server's thread.

    A host serves one run of a plugin: after a restart there is a new one, and nothing is
    registered.
    """

    @property
    def log(self) -> PluginLog:
        """The plugin's logger."""

    @property
    def data_folder(self) -> str:
        """The server's working directory (``dir``)."""

    @property
    def offset(self) -> int:
        """The journal's offset now: all that was ever changed lies before it."""

    @property
    def settings(self) -> Settings:
        """The server's settings; to be read only, and anew whenever they matter."""

    @property
    def durable(self) -> bool:
        """Whether the backend keeps the data on disk by itself."""

    def follow(self, names: Sequence[str], apply: Callable[[], None]) -> None:
        """Have ``apply()`` called when one of these settings was changed at run time.

        It may raise `hypercache.config.ConfigError`: then the change is refused with its text,
        and it is called again with the old values.
        """

    @property
    def recovery(self) -> Recovery:
        """What is known of the loading of data at the start; who loads reports here."""

    def loader(self) -> Loader:
        """Bring data back. Only while clients are told LOADING: before ``started()``."""

    def capture(self, encoder: Encoder) -> Capture:
        """All data as they are now, for an encoder; close it in the end. One at a time.

        To be called between rounds, as a plugin's task is. Raises `BackendError`, or
        ValueError while there is another.
        """

    def refuse_writes(self, reason: str) -> None:
        """Answer commands that change data, and PING, with this error line; "" ends that."""

    def before_end(self, save: LastSave) -> None:
        """Have ``save(ending)`` awaited before the server ends, while no client is served.

        Where it raises `hypercache.persistence.errors.SaveError` the server goes on, and who
        asked for its end is told so; with ``ending.force`` it ends all the same.
        """

    def add_sink(self, sink: Sink) -> None:
        """Send the journal's records to a sink from now on; it has nothing yet."""

    def remove_sink(self, sink: Sink) -> None:
        """Send a sink nothing more. Gates that cannot do without it stay where they are."""

    def add_gate(self, gate: ReplyGate) -> None:
        """Hold replies to writes from now on back until the gate has passed them."""

    def remove_gate(self, gate: ReplyGate) -> None:
        """Lift a gate: replies that it alone has held leave."""

    @property
    def waiting(self) -> int:
        """How many clients have replies that gates hold back."""

    def drop_held(self, gate: ReplyGate) -> None:
        """Close the connections of clients whose replies a gate holds back, without a word.

        For when it is unknown whether what they have written will ever be safe.
        """

    def after_writes(self, follower: Callable[[], None]) -> Callable[[], None]:
        """Have ``follower()`` called after each round that has changed something.

        Its replies have been sent by then, or wait behind gates (`waiting`). What is returned
        ends that when it is called.
        """

    def safe(self, sink: Sink, offset: int) -> None:
        """A sink has everything up to an offset: replies behind gates may leave.

        Raises ValueError for an offset that the journal has not reached. An offset that is
        not beyond the one before changes nothing.
        """

    def synced(self, sink: Sink, offset: int) -> None:
        """A replica has everything up to an offset on its disk (WAITAOF); else as `safe`."""

    def add_hook(self, hook: BeforeChange) -> None:
        """Show each key to a hook before it changes."""

    def add_observer(self, observer: ChangeObserver) -> None:
        """Show each command's touched keys to an observer."""

    def follow_pressure(self, follower: Callable[[PressureChange], None]) -> None:
        """Have ``follower(change)`` called when memory has reached another level of pressure.

        Of all data, of the process, or of a store with a limit of its own: ten times a second at
        most each, between two rounds. It is to note what it needs, and to leave work to the
        plugin's task.
        """

    def add_commands(self, module: ModuleType) -> None:
        """Register the commands that a module declared with `command`.

        Raises `GrammarError` when a name is taken; then none is registered.
        """

    def declare_scripts(self, declared: Mapping[bytes, Callable[[list[bytes]], int]]) -> None:
        """Tell what calls of some commands declare of the script that they run.

        By the command's name, from its arguments: flags of `hypercache.engine.scripts`.
        """

    def add_information(self, section: str, fields: Callable[[], Mapping[str, object]]) -> None:
        """Show a section in INFO; fields for a section of the core are shown inside it.

        Raises ValueError when another plugin has a section of its own of that name.
        """

    def keep_libraries(self, libraries: Libraries) -> None:
        """Let files of data hold these libraries of functions, and bring them back."""

    def share(self, thing: object) -> None:
        """Let the plugin's commands (``context.engine.shared[name]``) and others find a thing."""

    def shared(self, name: str) -> object:
        """What another plugin shares; KeyError when it shares nothing now."""


class Plugin:
    """Base of all plugins. Constructed with its validated settings."""

    #: The version of this contract that the plugin was written for.
    contract: ClassVar[int] = 1
    #: An attrs class; the plugin's part of the configuration is structured into it.
    settings_type: ClassVar[type] = NoSettings
    #: A `hypercache.persistence.tools.FileTools` class, or None: what ``hypercache check`` and
    #: ``convert`` do with this plugin's files.
    tools: ClassVar[type | None] = None
    #: Names of plugins that must have started before this one.
    requires: ClassVar[tuple[str, ...]] = ()
    #: Whether it brings data back as it starts: then after all that do not, whose commands the
    #: data may need.
    recovers: ClassVar[bool] = False
    #: Whether the server must not go on without it.
    critical: ClassVar[bool] = False
    #: Seconds it may take to stop before it is given up.
    stop_deadline: ClassVar[float] = 30.0

    def __init__(self, settings: object) -> None:
        self.settings = settings

    async def run(self, host: PluginHost, task_status: trio.TaskStatus[None]) -> None:
        """Work until cancelled. Call ``task_status.started()`` once ready to serve.

        Returning without having been cancelled counts as a crash. After a crash it is called
        again on the same object, with a new host.
        """
        raise NotImplementedError
