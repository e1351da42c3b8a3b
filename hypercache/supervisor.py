"""Starts, watches and stops plugins (see `hypercache.plugin` for the contract)."""

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from types import ModuleType
from typing import Final

import cattrs
import trio

from hypercache.engine.command import declared_in
from hypercache.engine.engine import ChangeObserver, Engine
from hypercache.engine.journal import ReplyGate, Sink
from hypercache.keyspace.changes import BeforeChange
from hypercache.observability.logs import get_logger
from hypercache.plugin import Plugin, PluginLog

GROUP: Final = "hypercache.plugins"
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 30.0
# A plugin that ran this long had recovered: its next pause is the first again.
RECOVERED: Final = 60.0
# How long a plugin may take to stop before it is reported, and given up.
STOP_DEADLINE: Final = 30.0


class PluginError(Exception):
    """A plugin cannot be loaded or configured: the text says which, why, and what to do."""


class Host:
    """One plugin's view of the server; remembers what to take back."""

    def __init__(self, engine: Engine, name: str, folder: str) -> None:
        self._engine = engine
        self._name = name
        self._folder = folder
        self._undo: list[Callable[[], None]] = []
        self._log: PluginLog = get_logger(f"plugin.{name}")

    @property
    def log(self) -> PluginLog:
        return self._log

    @property
    def data_folder(self) -> str:
        return self._folder

    def add_sink(self, sink: Sink) -> None:
        self._engine.add_sink(sink)
        self._undo.append(lambda: self._engine.remove_sink(sink))

    def add_gate(self, gate: ReplyGate) -> None:
        self._engine.add_gate(gate)
        self._undo.append(lambda: self._engine.remove_gate(gate))

    def safe(self, sink: Sink, offset: int) -> None:
        sink.safe = offset
        self._engine.gates_moved()

    def add_hook(self, hook: BeforeChange) -> None:
        self._engine.changes.hooks.append(hook)
        self._undo.append(lambda: self._engine.changes.hooks.remove(hook))

    def add_observer(self, observer: ChangeObserver) -> None:
        self._engine.observe(observer)
        self._undo.append(lambda: self._engine.unobserve(observer))

    def add_commands(self, module: ModuleType) -> None:
        self._engine.add_commands(declared_in(module.__name__), self._name)
        self._undo.append(lambda: self._engine.registry.remove(self._name))

    def add_information(self, section: str, fields: Callable[[], Mapping[str, object]]) -> None:
        self._engine.information[section] = fields
        self._undo.append(lambda: self._engine.information.pop(section))

    def take_back(self) -> None:
        """Undo every registration, last first."""
        while self._undo:
            self._undo.pop()()


def load_plugin(name: str, settings: Mapping[str, object]) -> Plugin:
    """Find a plugin by its entry point and construct it; raises `PluginError`."""
    found = {point.name: point for point in entry_points(group=GROUP)}
    if name not in found:
        known = ", ".join(sorted(found)) or "none"
        raise PluginError(f"plugin {name!r} is not installed (installed: {known}).")
    plugin_class = found[name].load()
    if not (isinstance(plugin_class, type) and issubclass(plugin_class, Plugin)):
        raise PluginError(f"plugin {name!r}: {plugin_class!r} is no subclass of Plugin.")
    return construct(name, plugin_class, settings)


def construct(name: str, plugin_class: type[Plugin], settings: Mapping[str, object]) -> Plugin:
    """A plugin with its settings validated; raises `PluginError`."""
    converter = cattrs.Converter(forbid_extra_keys=True)
    try:
        return plugin_class(converter.structure(dict(settings), plugin_class.settings_type))
    except Exception as error:
        reasons = "; ".join(cattrs.transform_error(error, path="settings"))
        raise PluginError(f"plugin {name!r}: {reasons}") from error


class _FirstStart:
    """Passes a plugin's ``started()`` on, and remembers it."""

    def __init__(self, status: trio.TaskStatus[None]) -> None:
        self._status = status
        self.happened = False

    def started(self, value: None = None) -> None:
        self.happened = True
        self._status.started(value)


class Supervisor:
    """Runs a server's plugins; `failed` is set when a critical one has ended."""

    def __init__(self, engine: Engine, plugins: Mapping[str, Plugin], folder: str) -> None:
        self._engine = engine
        self._folder = folder
        self._plugins = dict(plugins)
        self._running: list[tuple[str, trio.CancelScope, trio.Event]] = []
        self._log = get_logger("plugins")
        self.failed = trio.Event()
        self.failure: BaseException | None = None
        self.restarts: dict[str, int] = dict.fromkeys(plugins, 0)

    def order(self) -> list[str]:
        """The names in the order in which they start; raises `PluginError`."""
        ordered: list[str] = []

        def visit(name: str, path: tuple[str, ...]) -> None:
            if name in ordered:
                return
            if name in path:
                raise PluginError(f"plugins require each other: {' -> '.join((*path, name))}.")
            if name not in self._plugins:
                raise PluginError(f"plugin {path[-1]!r} requires {name!r}: add it to plugins.")
            for required in self._plugins[name].requires:
                visit(required, (*path, name))
            ordered.append(name)

        for name in self._plugins:
            visit(name, ())
        return ordered

    async def start(self, nursery: trio.Nursery) -> None:
        """Start every plugin, each once those before it have started.

        The first start decides: a plugin that cannot start stops the server's start.
        """
        for name in self.order():
            scope, ended = trio.CancelScope(), trio.Event()
            await nursery.start(self._supervise, name, scope, ended)
            self._running.append((name, scope, ended))
            self._log.info("plugin_started", plugin=name)

    async def stop(self) -> None:
        """Stop every plugin in the reverse order, each before the next."""
        while self._running:
            name, scope, ended = self._running.pop()
            scope.cancel()
            with trio.move_on_after(STOP_DEADLINE, shield=True) as deadline:
                await ended.wait()
            if deadline.cancelled_caught:
                self._log.error("plugin_stop_timeout", plugin=name, seconds=STOP_DEADLINE)
            else:
                self._log.info("plugin_stopped", plugin=name)

    async def _supervise(
        self,
        name: str,
        scope: trio.CancelScope,
        ended: trio.Event,
        task_status: trio.TaskStatus[None],
    ) -> None:
        """The life of one plugin, until its scope is cancelled."""
        plugin = self._plugins[name]
        first = _FirstStart(task_status)
        try:
            with scope:
                began = trio.current_time()
                failure = await self._run_once(plugin, name, first)
                if not first.happened:
                    raise PluginError(f"plugin {name!r} could not start: {failure}") from failure
                pause = FIRST_PAUSE
                while not plugin.critical:
                    if trio.current_time() - began > RECOVERED:
                        pause = FIRST_PAUSE
                    await trio.sleep(pause)
                    pause = min(pause * 2, LONGEST_PAUSE)
                    self.restarts[name] += 1
                    began = trio.current_time()
                    failure = await self._run_once(plugin, name, trio.TASK_STATUS_IGNORED)
                self.failure = failure
                self.failed.set()
        finally:
            ended.set()

    async def _run_once(
        self, plugin: Plugin, name: str, status: trio.TaskStatus[None]
    ) -> BaseException:
        """Run a plugin until it ends; why it ended. Cancellation passes through."""
        host = Host(self._engine, name, self._folder)
        try:
            await plugin.run(host, status)
            failure: BaseException = RuntimeError("run() returned, though nobody cancelled it")
        except Exception as error:  # noqa: BLE001 - a plugin's bug must not take the server down
            failure = error
        finally:
            host.take_back()
        self._log.error("plugin_failed", plugin=name, critical=plugin.critical, exception=failure)
        return failure
