"""Client-side caching: clients that keep what they have read learn when it is out of date.

A tracking client is remembered with the keys of the read-only commands that it runs, or names
prefixes and hears of every change below them (BCAST). What a command changes is told right
behind its reply to its own client and at once to all others; what concerns prefixes is told
at the end of the round, every key once.

Nothing of this costs anything while no client tracks: keys are remembered behind a guard bit
that the client's tracking arms, and changes are looked at only as long as somebody tracks.

Source: Redis' tracking.c, whose order of messages is observable; docs/client-side-caching.md.
"""

from typing import TYPE_CHECKING, Final

from mypy_extensions import i64

from hypercache.engine.command import MOVABLE_KEYS, Command
from hypercache.engine.guards import CACHING_BIT, TABLE_BIT, TRACKING_BIT
from hypercache.engine.keys import find_keys
from hypercache.engine.settlement import ChangeObserver
from hypercache.engine.tracking_table import TrackingTable
from hypercache.engine.waiting import Wait
from hypercache.keyspace.changes import EVICTED, EXPIRED, FLUSH, Touch
from hypercache.protocol.writer import encode
from hypercache.reply import Push

if TYPE_CHECKING:
    from hypercache.engine.context import Context
    from hypercache.engine.engine import Engine
    from hypercache.engine.session import Session

#: Where a RESP2 client listens for the invalidations of others, who redirect them to it.
CHANNEL: Final = b"__redis__:invalidate"
# Keys that are forgotten in one go where the table is too large; more where it stays so.
_EFFORT: Final[i64] = 100


class Tracker:
    """The options of one client's CLIENT TRACKING.

    ``caching``: CLIENT CACHING holds for the next command or transaction. ``broken``: the
    client to which invalidations are redirected was not there any more. ``prefixes`` are
    those of BCAST, in the order in which they came.
    """

    def __init__(self) -> None:
        self.redirect = 0
        self.bcast = False
        self.optin = False
        self.optout = False
        self.noloop = False
        self.caching = False
        self.broken = False
        self.prefixes: dict[bytes, None] = {}

    def remembers(self) -> bool:
        """Whether the keys of the command now executed are to be remembered."""
        if self.optin:
            return self.caching
        return not (self.bcast or (self.optout and self.caching))

    def guards(self) -> i64:
        """The guard bits that this puts in force for its client."""
        bits: i64 = 0 if self.bcast else TRACKING_BIT
        return bits | CACHING_BIT if self.caching else bits

    def flags(self) -> list[str]:
        """What CLIENT TRACKINGINFO says of it."""
        flags = ["on"]
        if self.bcast:
            flags.append("bcast")
        if self.optin:
            flags += ["optin", "caching-yes"] if self.caching else ["optin"]
        if self.optout:
            flags += ["optout", "caching-no"] if self.caching else ["optout"]
        if self.noloop:
            flags.append("noloop")
        if self.broken:
            flags.append("broken_redirect")
        return flags


class Prefix:
    """A prefix of BCAST: who follows it, and what has changed below it in this round.

    ``changed`` has with each key whose command changed it last, None for nobody's.
    """

    def __init__(self) -> None:
        self.followers: dict[int, Session] = {}
        self.changed: dict[bytes, Context | None] = {}


class Invalidation:
    """The message that some keys, or with None all keys, are out of date; encoded only once."""

    def __init__(self, keys: list[object] | None) -> None:
        self._keys = keys
        self._push = b""
        self._message = b""

    def value(self, version: int) -> Push:
        """A push in RESP3, in RESP2 a message on `CHANNEL`."""
        if version == 2:
            return Push([b"message", CHANNEL, self._keys])
        return Push([b"invalidate", self._keys])

    def encoded(self, version: int) -> bytes:
        """The same as bytes."""
        if version == 2:
            if not self._message:
                self._message = encode(self.value(2), 2)
            return self._message
        if not self._push:
            self._push = encode(self.value(3), 3)
        return self._push


class Tracking(ChangeObserver):
    """All tracking clients of a server, and what is remembered for them.

    ``max_keys`` is the size of the table from which keys are forgotten again, 0 for no limit.
    ``pending`` are the prefixes that have changes to tell at the end of the round.
    """

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self.clients: dict[int, Session] = {}
        self.table = TrackingTable()
        self.prefixes: dict[bytes, Prefix] = {}
        self.max_keys: i64 = 1_000_000
        self.pending: dict[bytes, Prefix] = {}
        # The lengths that prefixes have, with the number of those that have it.
        self._lengths: dict[int, int] = {}
        # How often in a row the table was still too large after some keys were forgotten.
        self._failures: i64 = 0

    # Who tracks ----------------------------------------------------------------------------

    def enable(self, session: "Session", options: Tracker, prefixes: list[bytes]) -> None:
        """Track for a client with other options than before; BCAST adds to its prefixes."""
        tracker = session.tracker
        if tracker is None:
            if not self.clients:
                self.engine.settlement.observe(self)
            self.clients[session.id] = session
        else:
            options.caching = tracker.caching
            options.prefixes = tracker.prefixes
        session.tracker = options
        if options.bcast:
            for name in prefixes or [b""]:
                self._follow(session, options, name)
        session.rearm()

    def disable(self, context: "Context") -> None:
        """Track for a client no longer; when it was the last, nothing is remembered."""
        tracker = context.tracker
        if tracker is None:
            return
        context.tracker = None
        context.rearm()
        for name in tracker.prefixes:
            prefix = self.prefixes[name]
            del prefix.followers[context.id]
            if not prefix.followers:
                self._remove(name)
        del self.clients[context.id]
        if not self.clients:
            self.engine.settlement.unobserve(self)
            self.table.clear()
            self._limit()

    def _follow(self, session: "Session", tracker: Tracker, name: bytes) -> None:
        prefix = self.prefixes.get(name)
        if prefix is None:
            prefix = self.prefixes[name] = Prefix()
            self._lengths[len(name)] = self._lengths.get(len(name), 0) + 1
        prefix.followers[session.id] = session
        tracker.prefixes[name] = None

    def _remove(self, name: bytes) -> None:
        """Nobody follows a prefix any more."""
        del self.prefixes[name]
        left = self._lengths[len(name)] - 1
        if left > 0:
            self._lengths[len(name)] = left
        else:
            del self._lengths[len(name)]

    def set_caching(self, session: "Context", caching: bool) -> None:
        """CLIENT CACHING begins to hold for a tracking client, or holds no longer."""
        tracker = session.tracker
        if tracker is not None:
            tracker.caching = caching
            session.rearm()

    # What they read ------------------------------------------------------------------------

    def perform(self, context: "Context", command: Command, args: list[bytes]) -> object:
        """Run a command of a transaction or script, which the guards have let pass."""
        if context.armed & command.guards & TRACKING_BIT:
            return self.call(context, command, args)
        return self.engine.call(context, command, args)

    def call(self, context: "Context", command: Command, args: list[bytes]) -> object:
        """Run a command of a tracking client, and remember what it has read, even in vain."""
        reply = self.engine.call(context, command, args)
        tracker = context.tracker
        if tracker is not None:
            if command.guards & TRACKING_BIT and tracker.remembers():
                self._remember(command, args)
            if tracker.caching and not isinstance(reply, Wait):
                self.end_caching(context)
        return reply

    def end_caching(self, context: "Context") -> None:
        """A request is over: CLIENT CACHING has held for it, or holds for all of MULTI."""
        if context.queue is None and not context.in_exec and context is self.engine.serving:
            self.set_caching(context, False)

    def _remember(self, command: Command, args: list[bytes]) -> None:
        """The client being served has read the keys of a call; a script's client as well."""
        session = self.engine.serving
        if session is None:
            return
        client = session.id
        table = self.table
        if command.key_finder is None and not command.flags & MOVABLE_KEYS:
            at: i64 = command.first_key
            last: i64 = command.last_key
            step: i64 = command.key_step
            if last < 0:
                last += len(args)
            while at <= last:
                table.remember(args[at], client)
                at += step
        else:
            found = find_keys(command, args)
            if found is not None:
                for place, _ in found:
                    table.remember(args[place], client)
        if 0 < self.max_keys < len(table):
            self.engine.arm(TABLE_BIT, True)

    def set_max_keys(self, limit: i64) -> None:
        """tracking-table-max-keys has changed; what is too much goes with the next command."""
        self.max_keys = limit
        self._limit()

    def _limit(self) -> None:
        """Have the next command, or background work, forget keys if there are too many."""
        self.engine.arm(TABLE_BIT, 0 < self.max_keys < len(self.table))

    def limit(self) -> None:
        """Forget keys in the background, too, where there are too many."""
        if self.engine.armed & TABLE_BIT:
            self.forget_some()

    def forget_some(self) -> None:
        """Forget keys, as many as are too many, or the more the longer there are too many."""
        table = self.table
        effort: i64 = _EFFORT * (self._failures + 1)
        while effort > 0 and 0 < self.max_keys < len(table):
            key = table.any_key(self.engine.chance)
            self._invalidate(key, table.take(key))
            effort -= 1
        self._limit()
        self._failures = self._failures + 1 if self.engine.armed & TABLE_BIT else 0

    # What they are told --------------------------------------------------------------------

    def changed(self, touches: list[Touch]) -> None:
        flushed = False
        for touch in touches:
            key = touch.key
            if key is None:
                if touch.event is FLUSH and not flushed:
                    flushed = True  # FLUSHALL touches every database
                    self._invalidate_all()
            elif touch.event.watched:
                if self._lengths:
                    self._note(touch, key)
                readers = self.table.take(key)
                if readers:
                    self._invalidate(key, readers)

    def _invalidate(self, key: bytes, readers: list[int]) -> None:
        """Tell the clients that have read a key that it has changed, or is remembered no longer.

        With NOLOOP a client is not told of its own changes.
        """
        author = self.engine.serving if self._is_amid_command() else None
        message = Invalidation([key])
        for client in readers:
            session = self.clients.get(client)
            if session is None:
                continue
            tracker = session.tracker
            if tracker is None or tracker.bcast or (tracker.noloop and session is author):
                continue
            self._send(session, tracker, message)

    def _invalidate_all(self) -> None:
        """A database was emptied: all keys are out of date, for databases are not told apart."""
        message = Invalidation(None)
        for session in list(self.clients.values()):
            tracker = session.tracker
            if tracker is not None:
                self._send(session, tracker, message)
        self.table.clear()
        self._limit()

    def _note(self, touch: Touch, key: bytes) -> None:
        """Write a changed key down for each prefix that it has."""
        author = self.engine.settlement.author
        if touch.event is EXPIRED or touch.event is EVICTED:
            author = None  # whoever has come across it
        for length in self._lengths:
            if length > len(key):
                continue
            name = key[:length]
            prefix = self.prefixes.get(name)
            if prefix is not None:
                prefix.changed[key] = author
                self.pending[name] = prefix

    def broadcast(self) -> None:
        """The round is over: tell what has changed below the prefixes, prefix by prefix."""
        pending = self.pending
        self.pending = {}
        for name in sorted(pending):
            prefix = pending[name]
            changed = prefix.changed
            prefix.changed = {}
            keys: list[object] = []
            keys += sorted(changed)
            message = Invalidation(keys)
            for session in prefix.followers.values():
                tracker = session.tracker
                if tracker is None:
                    continue
                if not tracker.noloop:
                    self._send(session, tracker, message)
                    continue
                others: list[object] = []
                others += [key for key in sorted(changed) if changed[key] is not session]
                if others:
                    self._send(session, tracker, Invalidation(others))

    def _send(self, session: "Session", tracker: Tracker, message: Invalidation) -> None:
        """Tell a client, or the one that it redirects to, as far as that can be told."""
        receiver = session
        if tracker.redirect > 0:
            found = self.engine.sessions.get(tracker.redirect)
            if found is None:
                tracker.broken = True
                if session.version > 2:
                    session.push(Push([b"tracking-redir-broken", tracker.redirect]))
                return
            receiver = found
        if receiver.version == 2 and (tracker.redirect == 0 or receiver.subscriptions is None):
            return  # RESP2 knows no messages but those of pub/sub
        if receiver is not self.engine.serving:
            receiver.send(message.encoded(receiver.version))
        elif self._is_amid_command():
            receiver.push(message.value(receiver.version))
        else:  # before its command: that finds what the message tells of
            self.engine.writer.write(message.value(receiver.version))

    def _is_amid_command(self) -> bool:
        """Whether it is a command that has changed something, not what precedes it."""
        return self.engine.settlement.author is not None
