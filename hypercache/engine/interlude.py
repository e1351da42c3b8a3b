"""Serving other clients amid a script that takes long."""

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from mypy_extensions import i64

from hypercache.engine.session import Session

if TYPE_CHECKING:
    from hypercache.engine.engine import Engine
    from hypercache.engine.scripts import Script


class Interlude:
    """Other clients are served amid a script, of whose step they and the disk see nothing.

    Everything that a client's batch or a command's end would settle belongs to the script: it is
    put aside, and put back afterwards. Nothing is committed that the script has a part in; the
    replies of clients that have seen or made changes of the same unit stay until its end.
    """

    def __init__(self, engine: "Engine", script: "Script") -> None:
        self.engine = engine
        self.script = script
        self.caller = engine.serving
        changes = engine.changes
        self.effects = changes.effects
        self.now: i64 = changes.now
        self.no_touch = changes.no_touch
        self.pushes = engine.pushes
        self.version = engine.writer.version
        self.wants_units = engine.units.wanted
        self.settling = engine.settling
        self.ready = engine.blocked.ready

    def run(self, serve_others: Callable[[], None]) -> None:
        """Serve whoever has sent something, once."""
        caller = self.caller
        was_blocked = False
        if caller is not None:
            caller.collect()
            was_blocked = caller.blocked
            caller.blocked = True  # what it sends meanwhile is kept for later
        self._commit()
        self._put_aside()
        try:
            serve_others()
        finally:
            self._put_back()
            if caller is not None:
                caller.blocked = was_blocked
        self._deliver()

    def _put_aside(self) -> None:
        engine = self.engine
        engine.changes.effects = []
        engine.pushes = []
        engine.blocked.ready = OrderedDict()
        engine.units.wanted = False
        engine.settling = True  # no round ends, and nobody's wait ends, in here
        engine.serving = None

    def _put_back(self) -> None:
        engine = self.engine
        changes = engine.changes
        changes.effects = self.effects
        changes.now = self.now
        changes.set_no_touch(self.no_touch)
        engine.pushes = self.pushes
        engine.blocked.ready = self.ready
        engine.units.wanted = self.wants_units
        engine.settling = self.settling
        engine.serving = self.caller
        engine.writer.version = self.version

    def _is_untouched(self) -> bool:
        """Whether the step of which the script is a part has changed nothing so far."""
        caller = self.script.caller
        in_exec = caller is not None and caller.in_exec
        return not in_exec and not self.script.wrote

    def _commit(self) -> None:
        """Commit what was there before the script, where that can be told apart."""
        engine = self.engine
        if not engine.units.is_open:
            engine.commit()
        elif self._is_untouched():
            engine.commit()
            engine.units.go_on()

    def _deliver(self) -> None:
        """Let replies leave, but those that depend on what is not committed."""
        engine = self.engine
        delivery = engine.delivery
        kept: list[Session] = []
        if engine.units.is_open and engine.journal.offset != engine.round_offset:
            free: list[Session] = []
            for session in delivery.outgoing:
                if session.written > engine.round_offset or session in engine.units.witnesses:
                    kept.append(session)
                else:
                    free.append(session)
            delivery.outgoing = free
        delivery.deliver()
        delivery.outgoing.extend(kept)
