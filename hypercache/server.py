"""The server put together: one nursery that owns every task, and an ordered end.

Start: backend, engine, commands; listeners are bound (so a taken port stops the start);
plugins start in order (recovery happens here, clients are told LOADING); then clients are
served. Stop, on SIGTERM, SIGINT or SHUTDOWN, or when a critical plugin has failed: accept
nobody and serve no request any more, let replies leave, stop the plugins in reverse order
(they flush, which lets the replies behind their gates leave), sync the backend a last time and
close it.
"""

import gc
import os
import resource
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import trio

from hypercache import __version__, commands
from hypercache.backend import Backend, BackendError
from hypercache.config import ConfigError, Configuration
from hypercache.durability import Durability
from hypercache.engine.acl.file import AclFileError
from hypercache.engine.backends import Backends
from hypercache.engine.ending import Ending
from hypercache.engine.engine import Engine, Reporter
from hypercache.engine.registry import Registry
from hypercache.extensions import ExtensionError, make_policy
from hypercache.keyspace.clock import Chance, Clock
from hypercache.observability.logs import get_logger
from hypercache.observability.progress import ProgressLog
from hypercache.oom_score import OomScore
from hypercache.shutdown import OrderedEnd
from hypercache.stores.keeper import Keeper, StoreError, make_backend
from hypercache.supervision import Supervisor, load_plugin
from hypercache.transport.admission import Door
from hypercache.transport.listeners import ListenError, bind_tcp, bind_unix
from hypercache.transport.reactor import Reactor
from hypercache.transport.tls import TlsListener
from hypercache.wiring import users, wire

# One slice of background work between rounds, in microseconds.
TICK_BUDGET: Final = 1000
# How long replies may take to leave when the server stops, in seconds.
DRAIN_DEADLINE: Final = 1.0
# Descriptors beside those of clients: listeners, log, data files, epoll sets.
SPARE_DESCRIPTORS: Final = 64
# Container objects allocated before an idle moment is used to look for cycles.
GARBAGE: Final = 50_000


class StartError(Exception):
    """The server cannot start: the text says why and what to do."""


class LogReporter(Reporter):
    """Writes what the engine reports to the log."""

    def __init__(self) -> None:
        self.log = get_logger("engine")

    def report(self, level: str, event: str, fields: dict[str, object]) -> None:
        """One event; an exception among the fields is logged with its trace."""
        self.log.log(level, event, **fields)  # type: ignore[arg-type]


def is_compiled() -> bool:
    """Whether the hot modules run compiled by mypyc."""
    from hypercache.engine import engine

    return not str(engine.__file__).endswith(".py")


def open_backend(name: str, settings: Mapping[str, object]) -> Backend:
    """Construct the backend of an entry point; raises `StartError`."""
    try:
        return make_backend(name, settings)
    except ExtensionError as error:
        raise StartError(str(error)) from error


class Server:
    """A server process. `run` serves until it is told to stop."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        clock: Clock | None = None,
        seed: int | None = None,
    ) -> None:
        self.configuration = configuration
        self.settings = configuration.settings
        self.log = get_logger("server")
        settings = self.settings
        registry = Registry()
        commands.load(registry)
        self._rename_commands(registry)
        backend = Backends(open_backend(settings.backend, settings.backend_settings))
        backend.progress = ProgressLog(self.log)
        try:
            self.engine = Engine(
                backend,
                settings.databases,
                registry,
                configuration,
                clock or Clock(),
                Chance(secrets.randbits(62) if seed is None else seed),
                LogReporter(),
            )
        except BackendError as error:
            raise StartError(f"backend {settings.backend!r} cannot be opened: {error}") from error
        self.stores = Keeper(self.engine, backend, configuration)
        self.engine.stores.keeper = self.stores
        self.durability = Durability(self.engine)
        self.door = Door()
        self.oom_score = OomScore()
        self.reactor = Reactor(self.engine, self.door)
        self.tls: TlsListener | None = None
        self._tcp: list[socket.socket] = []
        self._tcp_port = 0
        self._tls_listeners: list[trio.SocketListener] = []
        plugins = {name: load_plugin(name, own) for name, own in settings.plugins.items()}
        self.supervisor = Supervisor(self.engine, plugins, settings.dir)
        # Ends the process with a status, when tasks do not end and Trio would wait forever.
        self.leave_process: Callable[[int], object] | None = None
        self._starting = trio.CancelScope()
        self.end = OrderedEnd(self.engine, self._starting.cancel)
        self._timers_changed = trio.Event()
        self.engine.shutdown = self.end
        self.engine.scripts.serve_others = self.reactor.serve
        self.engine.waits.timers_changed = self._wake_timekeeper
        self.engine.eviction.victims.make = make_policy
        try:
            wire(self)
        except ConfigError as error:
            raise StartError(str(error)) from error
        self._arrange_stores(self.stores.begin)
        try:
            self.users = users(self)
        except AclFileError as error:
            raise StartError(str(error)) from error
        if not plugins:
            self._finish_users()

    def _finish_users(self) -> None:
        """All commands are there: users whose rules are about others are a mistake."""
        try:
            self.users.finish()
        except AclFileError as error:
            raise StartError(str(error)) from error

    def _arrange_stores(self, step: Callable[[], None]) -> None:
        try:
            step()
        except StoreError as error:
            raise StartError(str(error)) from error

    def _rename_commands(self, registry: Registry) -> None:
        for name, new_name in self.settings.rename_command:
            try:
                registry.rename(name.encode(), new_name.encode())
            except KeyError:
                raise StartError(f"rename-command: no such command {name!r}.") from None
            except ValueError as error:
                raise StartError(f"rename-command {name}: {error}.") from None

    def request_stop(self) -> None:
        """Begin the ordered end, also of a start; more requests change nothing."""
        self.end.request(Ending())

    def _wake_timekeeper(self) -> None:
        self._timers_changed.set()

    # The life of the server --------------------------------------------------------------

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Start, report ``started()`` once clients are served, and serve until the end.

        Raises `StartError`, `hypercache.transport.listeners.ListenError`,
        `hypercache.transport.tls.TlsError` or `hypercache.supervision.PluginError` when the
        server cannot start, and `hypercache.supervision.CriticalPluginFailed` after an
        ordered end that a plugin has caused.
        """
        self._announce()
        try:
            self._raise_descriptor_limit()
            self._bind()
            async with trio.open_nursery() as nursery:
                try:
                    await self._start(nursery)
                    if self.end.ending is None:
                        self._settle_memory()
                        places = self._addresses()
                        self.log.info("ready", message="Ready to accept connections", **places)
                        task_status.started()
                        await self.end.wait()
                    await self._end()
                finally:
                    try:
                        await self.supervisor.stop()
                    finally:
                        await self.durability.stop()
                nursery.cancel_scope.cancel()
        finally:
            self._release()
        if self.supervisor.failure is not None:
            raise self.supervisor.failure

    async def _start(self, nursery: trio.Nursery) -> None:
        """Start the server's tasks and the plugins; ends early when the server is to stop."""
        await nursery.start(self._watch_signals)
        nursery.start_soon(self._watch_plugins)
        await nursery.start(self.durability.run)
        self.stores.added = lambda: nursery.start_soon(self.durability.run)
        self.log.info("initialized", message="Server initialized")
        nursery.start_soon(self._keep_time)
        nursery.start_soon(self.reactor.run)
        if self.tls is not None:
            nursery.start_soon(self.tls.run, self._tls_listeners)
        if len(self.supervisor) > 0:
            self.engine.set_loading(True)
            with self._starting:
                await self.supervisor.start(nursery)
            self._finish_users()
        if self.end.ending is None:
            self._arrange_stores(self.stores.load_ended)
        self.engine.set_loading(False)
        nursery.start_soon(self._tick)

    def _announce(self) -> None:
        mode = "compiled" if is_compiled() else "interpreted"
        self.log.info(
            "starting",
            message=f"HyperCache {__version__} is starting ({mode}), PID: {os.getpid()}",
            version=__version__,
            mode=mode,
            pid=os.getpid(),
            python=sys.version.split()[0],
            backend=self.settings.backend,
        )
        for warning in self.configuration.warnings:
            self.log.warning("configuration", message=warning, warning=warning)

    def _raise_descriptor_limit(self) -> None:
        """Make room for maxclients, or lower maxclients to the room there is."""
        wanted = self.settings.maxclients + SPARE_DESCRIPTORS
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft >= wanted or soft == resource.RLIM_INFINITY:
            return
        room = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(room, soft), hard))
        if room < wanted:
            self.door.max_clients = max(room - SPARE_DESCRIPTORS, 1)
            self.settings.maxclients = self.door.max_clients
            self.log.warning(
                "maxclients_lowered", maxclients=self.door.max_clients, descriptors=room
            )

    def _bind(self) -> None:
        settings = self.settings
        self._bind_tcp()
        if settings.unixsocket:
            path = settings.path(settings.unixsocket)
            self.reactor.listen(bind_unix(path, settings.unixsocketperm, settings.tcp_backlog))
        if settings.tls_port:
            self.tls = TlsListener(self.engine, self.door, settings)
            for listener in bind_tcp(settings.bind, settings.tls_port, settings.tcp_backlog):
                self._tls_listeners.append(
                    trio.SocketListener(trio.socket.from_stdlib_socket(listener))
                )
        if not (settings.port or settings.unixsocket or settings.tls_port):
            raise ListenError(
                "Configured to not listen anywhere: set port, tls-port or unixsocket."
            )
        if settings.pidfile:
            settings.path(settings.pidfile).write_text(f"{os.getpid()}\n")

    def _bind_tcp(self) -> None:
        settings = self.settings
        if settings.port:
            self._tcp = bind_tcp(settings.bind, settings.port, settings.tcp_backlog)
            self._tcp_port = settings.port
            for listener in self._tcp:
                self.reactor.listen(listener)

    def rebind(self) -> None:
        """Listen where ``port`` and ``bind`` now say; clients stay connected.

        Raises `ListenError`. On another port the old listeners stay then; on the same port
        they had to go first, and the caller sets the old addresses and calls this again.
        """
        old = self._tcp
        if self.settings.port == self._tcp_port:
            self.reactor.drop(old)
            old = []
        self._tcp = []
        try:
            self._bind_tcp()
        except ListenError:
            self._tcp = old
            raise
        self.reactor.drop(old)

    def _addresses(self) -> dict[str, object]:
        settings = self.settings
        places: dict[str, object] = {"bind": list(settings.bind)}
        for name in ("port", "tls_port", "unixsocket"):
            value = getattr(settings, name)
            if value:
                places[name] = value
        return places

    def _settle_memory(self) -> None:
        """Take the cyclic collector off the data path: what is loaded now stays."""
        gc.collect()
        gc.freeze()
        gc.disable()

    async def _end(self) -> None:
        """Serve nothing more, let replies leave, stop the plugins, let held replies leave."""
        reason = "User requested shutdown..."
        if self.supervisor.failure is not None:
            reason = f"Shutting down: {self.supervisor.failure}"
        self.log.info("stopping", message=reason)
        self.reactor.stop_accepting()
        self.engine.close_clients()
        await self._drain()
        await self.supervisor.stop()
        if self.supervisor.abandoned:
            self._leave(1)
        await self.durability.stop()
        await self._drain()

    async def _drain(self) -> None:
        """Let clients get what no gate holds back: each is closed once it has its replies."""
        with trio.move_on_after(DRAIN_DEADLINE):
            while any(not session.held for session in self.engine.sessions.values()):
                await trio.sleep(0.002)

    def _leave(self, status: int) -> None:
        """End the process, if it is ours, without waiting for tasks that do not end."""
        if self.leave_process is not None:
            self._release()
            self.leave_process(status)

    def _release(self) -> None:
        settings = self.settings
        self.reactor.stop_accepting()
        try:
            if self.durability.busy:  # the process ends at once: as after a crash
                self.log.error("backend_busy", message="The backend is busy: it is not closed.")
            else:
                self.engine.close()
        finally:
            for name in (settings.unixsocket, settings.pidfile):
                if name:
                    Path(settings.path(name)).unlink(missing_ok=True)
        gc.enable()
        self.log.info("stopped", message="HyperCache is now ready to exit, bye bye...")

    # Tasks ---------------------------------------------------------------------------------

    async def _watch_signals(self, task_status: trio.TaskStatus[None]) -> None:
        """SIGTERM and SIGINT ask for an ordered end; a second one ends at once.

        As in Redis, the end of the terminal session (SIGHUP) is no reason to stop.
        """
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            task_status.started()
            followed: Ending | None = None
            async for number in signals:
                name = signal.Signals(number).name
                self.log.warning(
                    "signal", message=f"Received {name} scheduling shutdown...", signal=name
                )
                if followed is not None and followed is self.end.ending:
                    self._leave(130)
                    raise KeyboardInterrupt
                self.end.request(self._ending_of(number))
                followed = self.end.ending

    def _ending_of(self, number: int) -> Ending:
        """What the settings have a signal stand for."""
        settings = self.settings
        words = settings.shutdown_on_sigterm
        if number == signal.SIGINT:
            words = settings.shutdown_on_sigint
        save = "save" in words if {"save", "nosave"} & {*words} else None
        return Ending(save, "force" in words)

    async def _watch_plugins(self) -> None:
        await self.supervisor.failed.wait()
        self.end.insist(Ending())

    async def _tick(self) -> None:
        """Background work: expiry, freeing, statistics, idle clients, garbage."""
        engine = self.engine
        since_sweep = 0.0
        while True:
            period = 1 / self.settings.hz
            await trio.sleep(period)
            while engine.background.tick(TICK_BUDGET):
                engine.end_round()
                await trio.lowlevel.checkpoint()
            engine.background.sample()
            engine.end_round()
            since_sweep += period
            if since_sweep >= 1:
                since_sweep = 0.0
                self.engine.delivery.sweep()
                self.reactor.sweep()
                self._collect_garbage()

    def _collect_garbage(self) -> None:
        """Look for cycles in a quiet moment; survivors are not looked at again."""
        if gc.get_count()[0] > GARBAGE and self.engine.counters.is_idle():
            gc.collect(0)
            gc.freeze()

    async def _keep_time(self) -> None:
        """Complete the waits of clients when their deadlines pass."""
        engine = self.engine
        while True:
            self._timers_changed = trio.Event()
            deadline = engine.waits.timers.next_deadline()
            seconds = float("inf")
            if deadline >= 0:
                seconds = max(deadline - engine.clock.microseconds(), 0) / 1_000_000
            with trio.move_on_after(seconds):
                await self._timers_changed.wait()
            engine.waits.run_timers()
            engine.end_round()
