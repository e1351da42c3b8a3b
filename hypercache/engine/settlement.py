"""What follows from a change: WATCH, observers, the journal."""

from typing import TYPE_CHECKING

from mypy_extensions import mypyc_attr

from hypercache.engine.context import Context
from hypercache.engine.default_expiry import DefaultExpiry
from hypercache.engine.journal import Sink, SinkFailure
from hypercache.engine.watches import Watches
from hypercache.keyspace.changes import Effect, Touch

if TYPE_CHECKING:
    from hypercache.engine.engine import Engine


@mypyc_attr(allow_interpreted_subclasses=True)
class ChangeObserver:
    """Sees the keys that each command touched: tracking, filters, notifications."""

    def changed(self, touches: list[Touch]) -> None:
        """Called after the command; must neither block nor change data."""
        raise NotImplementedError


class Settlement:
    """Reads the ledger of changes after each command and tells everybody concerned."""

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self.watches = Watches(engine.keyspaces)
        self.default_expiry = DefaultExpiry(engine)
        # Whose command has made the changes that observers are shown; None for nobody's (expiry).
        self.author: Context | None = None
        self.observers: list[ChangeObserver] = []
        # Comes last, and sees also what is no change: `NEW`, `KEY_MISS`. None without them.
        self.notifications: ChangeObserver | None = None
        self.notifications_tell_new = False

    def settle_edits(self) -> None:
        """Account for the values that a command has edited in place."""
        edits = self.engine.changes.edits
        keyspaces = self.engine.keyspaces
        for edit in edits:
            keyspaces[edit.database].settle(edit)
        edits.clear()

    def settle(self, context: Context, args: list[bytes]) -> None:
        """Tell everybody concerned what a command has changed."""
        changes = self.engine.changes
        if self.default_expiry.active and changes.touched:
            self.default_expiry.give(context, args)
        changed = changes.dirty != changes.settled
        changes.settled = changes.dirty
        rewritten = changes.rewritten
        changes.rewritten = False
        if changed and not rewritten and changes.journalled:
            effect = Effect(context.db.index, args)
            if context.in_exec or changes.effects:
                changes.effects.append(effect)
            else:
                self.engine.journal.append_one(effect)
                changed = False
                context.written = self.engine.journal.offset
        if changes.effects:
            if not context.in_exec:
                self.engine.journal.append(changes.effects)
                changes.effects = []
        elif changed and (not changes.journalled or self.engine.journal.store is not None):
            # With sinks, a change that is withheld from them is nothing to wait for.
            self.engine.journal.offset += 1
        if changed or rewritten:
            context.written = self.engine.journal.offset
        if changes.touched:
            self.author = context if context.caller is None else context.caller
            self.show(changes.touched)
            self.author = None

    def settle_background(self) -> None:
        """Settle changes that no command made (active expiry)."""
        changes = self.engine.changes
        if changes.effects:
            self.engine.journal.append(changes.effects)
            changes.effects = []
        if changes.touched:
            self.show(changes.touched)

    def end_transaction(self, context: Context) -> None:
        """EXEC has run its queue: journal all effects as one step."""
        context.in_exec = False
        effects = self.engine.changes.effects
        if effects:
            self.engine.changes.effects = []
            self.engine.journal.append(effects)
            context.written = self.engine.journal.offset

    def watch(self, context: Context, key: bytes) -> None:
        """Let a client watch a key of its current database."""
        self.watches.watch(context, key)
        self.reconsider()

    def unwatch(self, context: Context) -> None:
        """Let a client watch nothing."""
        self.watches.unwatch(context)
        self.reconsider()

    def reconsider(self) -> None:
        """Let touched keys be written down only while somebody wants to know them."""
        expires = self.default_expiry.active
        changes = self.engine.changes
        changes.tells_new = expires or self.notifications_tell_new
        changes.observed = (
            expires
            or len(self.watches) > 0
            or len(self.observers) > 0
            or self.notifications is not None
            or len(self.engine.waits.blocked) > 0
        )

    def notify(self, notifications: ChangeObserver | None, tells_new: bool) -> None:
        """Show all events to keyspace notifications from now on, or to none; `NEW` if wanted."""
        self.notifications = notifications
        self.notifications_tell_new = tells_new
        self.reconsider()

    def observe(self, observer: ChangeObserver) -> None:
        """Show the touched keys of every command to an observer from now on."""
        self.observers.append(observer)
        self.reconsider()

    def unobserve(self, observer: ChangeObserver) -> None:
        """Show an observer nothing more."""
        self.observers.remove(observer)
        self.reconsider()

    def show(self, touched: list[Touch]) -> None:
        """Show touched keys to the clients that watch them and to every observer."""
        changes = self.engine.changes
        changes.touched = []
        blocked = self.engine.waits.blocked
        for touch in touched:
            if touch.event.watched:
                self.watches.touched(touch)
            if blocked.waiting and touch.event.awaited:
                blocked.touched(touch)
        changed = touched
        if changes.tells_new or changes.tells_misses:
            changed = [touch for touch in touched if touch.event.is_change()]
        if changed:
            for observer in self.observers:
                observer.changed(changed)
        if self.notifications is not None:
            self.notifications.changed(touched)

    def add_sink(self, sink: Sink) -> None:
        """Send the journal's records to a sink from now on."""
        self.engine.journal.attach(sink)
        self.engine.changes.journalled = True

    def remove_sink(self, sink: Sink) -> None:
        """Send a sink nothing more; gates that need it let nothing more pass."""
        self.engine.journal.detach(sink)
        self.engine.changes.journalled = bool(self.engine.journal.sinks)
        self.engine.gates_moved()

    def sinks_failed(self, failures: list[SinkFailure]) -> None:
        """Sinks have raised: they are out, and whoever added them has to know."""
        self.engine.changes.journalled = bool(self.engine.journal.sinks)
        for failure in failures:
            tell = failure.sink.failed
            if tell is None:
                self.engine.reporter.report(
                    "error", "sink_failed", {"sink": failure.sink.name, "exception": failure.error}
                )
            else:
                tell(failure.error)
