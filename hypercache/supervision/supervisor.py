"""Starts, watches and stops plugins."""

from collections.abc import Mapping
from typing import Final

import trio

from hypercache.engine.engine import Engine
from hypercache.observability.logs import get_logger
from hypercache.plugin import Plugin
from hypercache.supervision.errors import CriticalPluginFailed, PluginError
from hypercache.supervision.host import Host

# Seconds between a crash and the next start: doubled from the first to the longest.
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 30.0
# A plugin that ran so many seconds had recovered: its next pause is the first again.
RECOVERED: Final = 60.0


class _Life:
    """A plugin from its first start to its end."""

    def __init__(self, name: str, plugin: Plugin) -> None:
        self.name = name
        self.plugin = plugin
        self.scope = trio.CancelScope()
        self.ended = trio.Event()
        self.started = False
        self.restarts = 0


class _FirstStart:
    """Passes a plugin's ``started()`` on, and remembers it."""

    def __init__(self, life: _Life, status: trio.TaskStatus[None]) -> None:
        self._life = life
        self._status = status

    def started(self, value: None = None) -> None:
        self._status.started(value)
        self._life.started = True


class Supervisor:
    """Runs a server's plugins.

    ``failed`` is set, and ``failure`` says why, when a critical one has crashed.
    ``abandoned`` names those that did not stop in time: their tasks may still be there.
    """

    def __init__(self, engine: Engine, plugins: Mapping[str, Plugin], folder: str) -> None:
        self._engine = engine
        self._folder = folder
        self._lives = {name: _Life(name, plugin) for name, plugin in plugins.items()}
        self._running: list[_Life] = []
        self._log = get_logger("plugins")
        self.failed = trio.Event()
        self.failure: CriticalPluginFailed | None = None
        self.abandoned: list[str] = []

    def __len__(self) -> int:
        return len(self._lives)

    def restarts(self, name: str) -> int:
        """How often a plugin was started again."""
        return self._lives[name].restarts

    def order(self) -> list[str]:
        """The names in the order in which they start; raises `PluginError`.

        That of the settings, but first what is required, and last what brings data back.
        """
        ordered: list[str] = []

        def visit(name: str, path: tuple[str, ...]) -> None:
            if name in ordered:
                return
            if name in path:
                circle = " -> ".join((*path[path.index(name) :], name))
                raise PluginError(f"plugins require each other: {circle}.")
            if name not in self._lives:
                raise PluginError(
                    f"plugin {path[-1]!r} requires {name!r}: add it to the setting plugins."
                )
            for required in self._lives[name].plugin.requires:
                visit(required, (*path, name))
            ordered.append(name)

        for name in sorted(self._lives, key=lambda name: self._lives[name].plugin.recovers):
            visit(name, ())
        return ordered

    async def start(self, nursery: trio.Nursery) -> None:
        """Start every plugin, each once those before it have started.

        The first start decides: a plugin that cannot start raises `PluginError`. Whoever
        calls this calls `stop` in the end, whatever becomes of the start.
        """
        for name in self.order():
            life = self._lives[name]
            self._log.debug("plugin_starting", plugin=name)
            await nursery.start(self._supervise, life)
            # From now on it ends in its turn, even when the whole server is cancelled.
            life.scope.shield = True
            self._running.append(life)
            self._log.info("plugin_started", plugin=name)

    async def stop(self) -> None:
        """Stop every plugin in the reverse order, each before the next."""
        while self._running:
            life = self._running.pop()
            life.scope.cancel()
            with trio.move_on_after(life.plugin.stop_deadline, shield=True):
                await life.ended.wait()
            if life.ended.is_set():
                self._log.info("plugin_stopped", plugin=life.name)
            else:
                self.abandoned.append(life.name)
                seconds = life.plugin.stop_deadline
                self._log.error("plugin_stop_timeout", plugin=life.name, seconds=seconds)

    async def _supervise(self, life: _Life, task_status: trio.TaskStatus[None]) -> None:
        """The life of a plugin, until its scope is cancelled."""
        try:
            with life.scope:
                await self._live(life, task_status)
        finally:
            life.ended.set()

    async def _live(self, life: _Life, task_status: trio.TaskStatus[None]) -> None:
        """Run a plugin, and again after each crash; returns when it is not to run again."""
        name, plugin = life.name, life.plugin
        status: trio.TaskStatus[None] = _FirstStart(life, task_status)
        pause = FIRST_PAUSE
        while True:
            began = trio.current_time()
            failure = await self._run_once(life, status)
            if not life.started:
                raise PluginError(f"plugin {name!r} cannot start: {_describe(failure)}.")
            if failure is None:
                return
            if plugin.critical:
                text = f"plugin {name!r}, which is critical, has failed: {_describe(failure)}."
                self.failure = CriticalPluginFailed(text)
                self.failure.__cause__ = failure
                self.failed.set()
                return
            if trio.current_time() - began > RECOVERED:
                pause = FIRST_PAUSE
            await trio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
            life.restarts += 1
            status = trio.TASK_STATUS_IGNORED
            self._log.info("plugin_restarted", plugin=name, restarts=life.restarts)

    async def _run_once(self, life: _Life, status: trio.TaskStatus[None]) -> BaseException | None:
        """Run a plugin until it ends; why it did, None when it was stopped."""
        host = Host(self._engine, life.name, self._folder)
        failure: BaseException | None = None
        try:
            with host.scope:
                await life.plugin.run(host, status)
                if not life.scope.cancel_called and host.failure is None:
                    failure = RuntimeError("it returned, though nobody stopped it")
        except Exception as error:  # noqa: BLE001 - a plugin's bug must not take the server down
            failure = error
        except BaseExceptionGroup as group:
            # Its own nursery was cancelled, and something raised on the way out.
            failure, cancelled = group.split(Exception)
            if cancelled is not None and cancelled.split(trio.Cancelled)[1] is not None:
                raise
        finally:
            failure = host.failure or failure
            again = failure is not None and not life.plugin.critical and life.started
            gates = host.take_back(lift_gates=again and not life.scope.cancel_called)
        if failure is not None and life.started:
            self._log.error(
                "plugin_failed",
                plugin=life.name,
                critical=life.plugin.critical,
                gates=gates,
                exception=failure,
            )
        return failure


def _describe(failure: BaseException | None) -> str:
    """An exception in one line."""
    if isinstance(failure, BaseExceptionGroup):
        return "; ".join(_describe(each) for each in failure.exceptions)
    if failure is None:
        return "it was stopped before it had started"
    text = " ".join(str(failure).split())
    return f"{type(failure).__name__}: {text}" if text else type(failure).__name__
