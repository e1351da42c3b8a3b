"""Publish and subscribe: who listens to which channels, and what they get.

A message is encoded once for each version of the protocol, and every subscriber's output gets
the same bytes object: a message costs a subscriber one reference until it is sent. Messages to
the client whose command is running follow that command's reply.

A message that reaches many costs its publisher little and the server much. So once a round has
delivered `FAN_OUT` messages, whoever publishes goes on only after all others have had a turn.

Sharded channels are channels of their own, which patterns do not see: without a cluster that
is all there is to them. Source: Redis' pubsub.c.
"""

from typing import TYPE_CHECKING, Final

from mypy_extensions import i64

from hypercache.engine.notifications import Notifications
from hypercache.engine.waiting import Wait
from hypercache.keyspace.glob import matches
from hypercache.protocol.writer import ReplyWriter
from hypercache.reply import NO_REPLY, Push, Pushes

if TYPE_CHECKING:
    from hypercache.engine.context import Context
    from hypercache.engine.engine import Engine
    from hypercache.engine.session import Session

# What a client can listen to.
CHANNELS: Final = 0
PATTERNS: Final = 1
SHARD_CHANNELS: Final = 2

#: Messages delivered in a round after which publishers wait for the next one.
FAN_OUT: Final[i64] = 100_000

_SUBSCRIBED: Final = (b"subscribe", b"psubscribe", b"ssubscribe")
_UNSUBSCRIBED: Final = (b"unsubscribe", b"punsubscribe", b"sunsubscribe")


class Subscriptions:
    """What one client listens to, in the order in which it subscribed.

    A `Context` has one as long as it listens to anything.
    """

    __slots__ = ("channels", "patterns", "shard_channels")

    def __init__(self) -> None:
        self.channels: dict[bytes, None] = {}
        self.patterns: dict[bytes, None] = {}
        self.shard_channels: dict[bytes, None] = {}

    def of(self, kind: int) -> dict[bytes, None]:
        """The names of one kind."""
        if kind == CHANNELS:
            return self.channels
        return self.patterns if kind == PATTERNS else self.shard_channels

    def count(self, kind: int) -> int:
        """What replies to that kind of subscription count: sharded channels, or all others."""
        if kind == SHARD_CHANNELS:
            return len(self.shard_channels)
        return len(self.channels) + len(self.patterns)

    def total(self) -> int:
        """How many names of all kinds."""
        return len(self.channels) + len(self.patterns) + len(self.shard_channels)

    def is_empty(self) -> bool:
        """Whether the client listens to nothing."""
        return not (self.channels or self.patterns or self.shard_channels)


class Turn(Wait):
    """A message has been published; its client goes on after all others have had a turn."""

    def __init__(self, engine: "Engine", receivers: int) -> None:
        super().__init__(engine.time + 1)
        self.receivers = receivers

    def is_over(self, engine: "Engine") -> bool:
        return False

    def reply(self, engine: "Engine") -> object:
        return self.receivers


#: Who listens to one name, by the session's number.
Audience = dict[int, "Session"]


class PubSub:
    """All subscriptions of a server: for each name that somebody listens to, who does."""

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self.channels: dict[bytes, Audience] = {}
        self.patterns: dict[bytes, Audience] = {}
        self.shard_channels: dict[bytes, Audience] = {}
        self.notifications = Notifications(engine)
        self._writer = ReplyWriter()
        # The present round, and how many messages were delivered in it.
        self._round: i64 = 0
        self._delivered: i64 = 0

    def of(self, kind: int) -> dict[bytes, Audience]:
        """The audiences of one kind of name."""
        if kind == CHANNELS:
            return self.channels
        return self.patterns if kind == PATTERNS else self.shard_channels

    def count(self, kind: int, name: bytes) -> int:
        """How many clients listen to a name."""
        audience = self.of(kind).get(name)
        return 0 if audience is None else len(audience)

    # Subscribing ---------------------------------------------------------------------------

    def subscribe(self, session: "Session", kind: int, names: list[bytes]) -> Pushes:
        """Let a client listen to some names; the confirmations are the command's reply."""
        subscriptions = session.subscriptions
        if subscriptions is None:
            subscriptions = session.subscriptions = Subscriptions()
            self._reconsider(session)
        own = subscriptions.of(kind)
        audiences = self.of(kind)
        confirmations: list[Push] = []
        for name in names:
            if name not in own:
                own[name] = None
                audience = audiences.get(name)
                if audience is None:
                    audience = audiences[name] = {}
                audience[session.id] = session
            confirmations.append(Push([_SUBSCRIBED[kind], name, subscriptions.count(kind)]))
        return Pushes(confirmations)

    def unsubscribe(self, context: "Context", kind: int, names: list[bytes]) -> Pushes:
        """Let a client listen to some names no longer, or with none given to any of the kind."""
        subscriptions = context.subscriptions
        confirmations: list[Push] = []
        if not names and subscriptions is not None:
            names = list(subscriptions.of(kind))
        for name in names:
            count = 0
            if subscriptions is not None:
                self._remove(context, subscriptions, kind, name)
                count = subscriptions.count(kind)
            confirmations.append(Push([_UNSUBSCRIBED[kind], name, count]))
        if not names:
            count = 0 if subscriptions is None else subscriptions.count(kind)
            confirmations.append(Push([_UNSUBSCRIBED[kind], None, count]))
        if subscriptions is not None and subscriptions.is_empty():
            context.subscriptions = None
            self._reconsider(context)
        return Pushes(confirmations)

    def forget(self, context: "Context") -> None:
        """A client listens to nothing any more, and is not told so (RESET, disconnection)."""
        subscriptions = context.subscriptions
        if subscriptions is None:
            return
        for kind in (CHANNELS, PATTERNS, SHARD_CHANNELS):
            for name in list(subscriptions.of(kind)):
                self._remove(context, subscriptions, kind, name)
        context.subscriptions = None
        self._reconsider(context)

    def _remove(
        self, context: "Context", subscriptions: Subscriptions, kind: int, name: bytes
    ) -> None:
        own = subscriptions.of(kind)
        if name not in own:
            return
        del own[name]
        audiences = self.of(kind)
        audience = audiences[name]
        del audience[context.id]
        if not audience:
            del audiences[name]

    def _reconsider(self, context: "Context") -> None:
        """A client has become a subscriber, or is none any more."""
        context.rearm()
        self.engine.delivery.classify(context)

    # Publishing ----------------------------------------------------------------------------

    def publish(self, channel: bytes, message: bytes) -> int:
        """Send a message to all who listen to its channel, by name or pattern; how many.

        A client that listens by a name and by patterns gets it, and counts, once for each.
        """
        receivers = 0
        audience = self.channels.get(channel)
        if audience is not None:
            receivers = self._send(audience, Push([b"message", channel, message]))
        if self.patterns:
            for pattern, listeners in self.patterns.items():
                if matches(pattern, channel, False):
                    push = Push([b"pmessage", pattern, channel, message])
                    receivers += self._send(listeners, push)
        return receivers

    def publish_sharded(self, channel: bytes, message: bytes) -> int:
        """Send a message to all who listen to a sharded channel; how many."""
        audience = self.shard_channels.get(channel)
        if audience is None:
            return 0
        return self._send(audience, Push([b"smessage", channel, message]))

    def confirm(self, receivers: int) -> object:
        """The reply to a command that has published to so many, perhaps after a while."""
        if receivers > 0 and self._delivered > FAN_OUT:
            return Turn(self.engine, receivers)
        return receivers

    def _send(self, audience: Audience, message: Push) -> int:
        """Give a message to everybody in an audience; how many they are."""
        engine = self.engine
        if engine.counters.cycles != self._round:
            self._round = engine.counters.cycles
            self._delivered = 0
        self._delivered += len(audience)
        serving = engine.serving
        second = b""
        third = b""
        for session in audience.values():
            if session is serving:
                session.push(message)
            elif session.closing:
                continue
            elif session.version == 2:
                if not second:
                    second = self._encode(message, 2)
                session.send(second)
            else:
                if not third:
                    third = self._encode(message, 3)
                session.send(third)
        return len(audience)

    def _encode(self, message: Push, version: int) -> bytes:
        writer = self._writer
        writer.version = version
        writer.write(message)
        return writer.take_bytes()


def pushes_in(reply: object) -> object:
    """What of a reply leaves even where CLIENT REPLY has switched replies off: its pushes."""
    if isinstance(reply, Pushes):
        return reply
    if isinstance(reply, list):  # of EXEC
        return Pushes([push for item in reply if isinstance(item, Pushes) for push in item.items])
    return NO_REPLY
