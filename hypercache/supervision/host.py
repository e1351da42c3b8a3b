"""What a plugin sees of the server, and what is taken back when it ends.

Whatever a plugin registers may raise: that is a crash of the plugin, never of the server. So
hooks, observers and INFO sections are registered behind guards that end the plugin's run.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import ModuleType
from typing import TypeVar

import trio

from hypercache.backend import Entry
from hypercache.config import Settings
from hypercache.engine.command import declared_in
from hypercache.engine.ending import LastSave
from hypercache.engine.engine import Engine
from hypercache.engine.information import SECTIONS
from hypercache.engine.journal import ReplyGate, Sink
from hypercache.engine.libraries import Libraries
from hypercache.engine.pressure import PressureChange
from hypercache.engine.recovery import Recovery
from hypercache.engine.settlement import ChangeObserver
from hypercache.keyspace.changes import BeforeChange, Touch
from hypercache.observability.logs import get_logger
from hypercache.persistence.capture import Capture
from hypercache.persistence.encoder import Encoder
from hypercache.persistence.loader import Loader
from hypercache.plugin import PluginLog

T = TypeVar("T")


class Host:
    """One run of a plugin, as it sees the server. See `hypercache.plugin.PluginHost`.

    ``failure`` is the first exception that something registered has raised; ``scope``, in
    which the plugin runs, is cancelled then.
    """

    def __init__(self, engine: Engine, name: str, folder: str) -> None:
        self._engine = engine
        self._name = name
        self._folder = folder
        self._gates: list[ReplyGate] = []
        self._sinks: list[Sink] = []
        self._undo: list[Callable[[], object]] = []
        self._log: PluginLog = get_logger(f"plugin.{name}")
        self.scope = trio.CancelScope()
        self.failure: Exception | None = None

    @property
    def log(self) -> PluginLog:
        return self._log

    @property
    def data_folder(self) -> str:
        return self._folder

    @property
    def offset(self) -> int:
        return self._engine.journal.offset

    # The journal and its gates -----------------------------------------------------------

    def add_sink(self, sink: Sink) -> None:
        sink.failed = self.fail
        self._sinks.append(sink)
        self._engine.settlement.add_sink(sink)

    def remove_sink(self, sink: Sink) -> None:
        self._sinks.remove(sink)
        self._engine.settlement.remove_sink(sink)

    def add_gate(self, gate: ReplyGate) -> None:
        self._gates.append(gate)
        self._engine.delivery.add_gate(gate)

    def remove_gate(self, gate: ReplyGate) -> None:
        self._gates.remove(gate)
        self._engine.delivery.remove_gate(gate)

    @property
    def waiting(self) -> int:
        return len(self._engine.delivery.gated)

    def drop_held(self, gate: ReplyGate) -> None:
        self._engine.delivery.drop_held(gate.passed())

    def after_writes(self, follower: Callable[[], None]) -> Callable[[], None]:
        followers = self._engine.syncs.followers
        followers.append(follower)

        def end() -> None:
            if follower in followers:
                followers.remove(follower)

        self._undo.append(end)
        return end

    def safe(self, sink: Sink, offset: int) -> None:
        self._check(sink, offset)
        if offset > sink.safe:
            sink.safe = offset
            self._engine.gates_moved()

    def synced(self, sink: Sink, offset: int) -> None:
        self._check(sink, offset)
        if offset > sink.synced:
            sink.synced = offset
            self._engine.gates_moved()

    def _check(self, sink: Sink, offset: int) -> None:
        if offset > self._engine.journal.offset:
            reached = self._engine.journal.offset
            raise ValueError(
                f"sink {sink.name!r} cannot have {offset}: the journal is at {reached}"
            )

    # Files -----------------------------------------------------------------------------------

    @property
    def settings(self) -> Settings:
        return self._engine.configuration.settings

    @property
    def durable(self) -> bool:
        return self._engine.backend.durable

    def follow(self, names: Sequence[str], apply: Callable[[], None]) -> None:
        configuration = self._engine.configuration
        configuration.subscribe_any(names, apply)
        self._undo.append(lambda: configuration.unsubscribe(apply))

    @property
    def recovery(self) -> Recovery:
        return self._engine.recovery

    def loader(self) -> Loader:
        return Loader(self._engine)

    def capture(self, encoder: Encoder) -> Capture:
        return Capture(self._engine, encoder)

    def refuse_writes(self, reason: str) -> None:
        if self._name not in self._engine.disk_errors:
            self._undo.append(lambda: self._engine.refuse_writes(self._name, ""))
        self._engine.refuse_writes(self._name, reason)

    def before_end(self, save: LastSave) -> None:
        saving = self._engine.shutdown.saves
        saving.append(save)
        self._undo.append(lambda: saving.remove(save))

    # Everything else ---------------------------------------------------------------------

    def add_hook(self, hook: BeforeChange) -> None:
        guarded = _GuardedHook(self, hook)
        hooks = self._engine.changes.hooks
        hooks.append(guarded)
        self._undo.append(lambda: hooks.remove(guarded))

    def add_observer(self, observer: ChangeObserver) -> None:
        guarded = _GuardedObserver(self, observer)
        self._engine.settlement.observe(guarded)
        self._undo.append(lambda: self._engine.settlement.unobserve(guarded))

    def follow_pressure(self, follower: Callable[[PressureChange], None]) -> None:
        def guarded(change: PressureChange) -> None:
            self._attempt(partial(follower, change))

        followers = self._engine.pressure.followers
        followers.append(guarded)
        self._undo.append(lambda: followers.remove(guarded))

    def add_commands(self, module: ModuleType) -> None:
        self._engine.add_commands(declared_in(module.__name__), self._name)
        self._undo.append(lambda: self._engine.remove_commands(self._name))

    def declare_scripts(self, declared: Mapping[bytes, Callable[[list[bytes]], int]]) -> None:
        known = self._engine.scripts.declared
        known.update(declared)
        self._undo.append(lambda: [known.pop(name, None) for name in declared])

    def add_information(self, section: str, fields: Callable[[], Mapping[str, object]]) -> None:
        information = self._engine.information
        if section in information and section not in SECTIONS:
            raise ValueError(f"another plugin has the section {section!r} of INFO")

        def guarded() -> Mapping[str, object]:
            return self._attempt(fields) or {}

        def take_back() -> None:
            information[section].remove(guarded)
            if not information[section]:
                del information[section]

        information.setdefault(section, []).append(guarded)
        self._undo.append(take_back)

    def keep_libraries(self, libraries: Libraries) -> None:
        engine = self._engine
        before = engine.libraries
        engine.libraries = libraries

        def put_back() -> None:
            engine.libraries = before

        self._undo.append(put_back)

    def share(self, thing: object) -> None:
        self._engine.shared[self._name] = thing
        self._undo.append(lambda: self._engine.shared.pop(self._name, None))

    def shared(self, name: str) -> object:
        return self._engine.shared[name]

    # The end of the run --------------------------------------------------------------------

    def _attempt(self, work: Callable[[], T]) -> T | None:
        """Do what the plugin has registered, unless it has failed; None when this fails it."""
        if self.failure is None:
            try:
                return work()
            except Exception as error:  # noqa: BLE001 - see the top of this module
                self.fail(error)
        return None

    def fail(self, error: Exception) -> None:
        """Something that the plugin registered has raised: end the run."""
        if self.failure is None:
            self.failure = error
            self.scope.cancel()

    def take_back(self, lift_gates: bool) -> int:
        """Undo every registration, last first; how many gates there were.

        Gates that are not lifted stay, and without their sinks let nothing more pass.
        """
        while self._undo:
            self._undo.pop()()
        for sink in self._sinks:
            self._engine.settlement.remove_sink(sink)
        if lift_gates:
            for gate in self._gates:
                self._engine.delivery.remove_gate(gate)
        return len(self._gates)


class _GuardedHook(BeforeChange):
    """A hook that is asked no more once it has raised."""

    def __init__(self, host: Host, hook: BeforeChange) -> None:
        self._host = host
        self._hook = hook

    def before_change(self, database: int, key: bytes, entry: Entry | None) -> None:
        if self._host.failure is None:
            try:
                self._hook.before_change(database, key, entry)
            except Exception as error:  # noqa: BLE001 - see the top of this module
                self._host.fail(error)

    def before_clear(self, database: int) -> None:
        if self._host.failure is None:
            try:
                self._hook.before_clear(database)
            except Exception as error:  # noqa: BLE001 - see the top of this module
                self._host.fail(error)

    def before_swap(self, first: int, second: int) -> None:
        if self._host.failure is None:
            try:
                self._hook.before_swap(first, second)
            except Exception as error:  # noqa: BLE001 - see the top of this module
                self._host.fail(error)


class _GuardedObserver(ChangeObserver):
    """An observer that is shown nothing more once it has raised."""

    def __init__(self, host: Host, observer: ChangeObserver) -> None:
        self._host = host
        self._observer = observer

    def changed(self, touches: list[Touch]) -> None:
        if self._host.failure is None:
            try:
                self._observer.changed(touches)
            except Exception as error:  # noqa: BLE001 - see the top of this module
                self._host.fail(error)
