"""Who asks: the state of a client that commands may read and change.

A `Context` knows nothing of bytes or sockets: a network client, a script, the REST API and a
test each have one. `hypercache.engine.session.Session` adds the protocol to it.
"""

from typing import TYPE_CHECKING, Final

from mypy_extensions import i64

from hypercache.engine.guards import (
    ACL_BIT,
    AUTH_BIT,
    MONITOR_BIT,
    NO_MULTI_BIT,
    QUEUE_BIT,
    SUBSCRIBED_BIT,
)
from hypercache.keyspace.keyspace import Keyspace

if TYPE_CHECKING:
    from hypercache.engine.acl.users import User
    from hypercache.engine.command import Command
    from hypercache.engine.engine import Engine
    from hypercache.engine.pubsub import Subscriptions
    from hypercache.engine.tracking import Tracker

# What CLIENT REPLY says of the replies to come.
REPLY_ON: Final = 0
REPLY_OFF: Final = 1
REPLY_SKIP: Final = 2  # this command's reply
REPLY_SKIP_NEXT: Final = 3  # the next command's

# Classes of clients.
NORMAL: Final = "normal"
PUBSUB: Final = "pubsub"


class Queued:
    """A command that waits for EXEC."""

    __slots__ = ("args", "command")

    def __init__(self, command: "Command", args: list[bytes]) -> None:
        self.command = command
        self.args = args


#: A key in a database.
Place = tuple[int, bytes]

# What WATCH found under a key. `EXPIRED` is past its deadline, though not removed yet.
ABSENT: Final = 0
PRESENT: Final = 1
EXPIRED: Final = 2


class Watched:
    """A client that watches a key, and what was there: `ABSENT`, `PRESENT` or `EXPIRED`.

    As long as nothing has broken the watch, nothing but time has changed this.
    """

    __slots__ = ("context", "state")

    def __init__(self, context: "Context", state: int) -> None:
        self.context = context
        self.state = state


class Context:
    """A client's identity and state; what a command function gets beside its arguments.

    ``armed`` holds the bits of the guards (see `hypercache.engine.guards`) that this client's
    state puts in force; the methods that change such a state keep it true.
    Times are Unix microseconds.
    """

    def __init__(self, engine: "Engine", identity: int, db: Keyspace) -> None:
        self.engine = engine
        self.id = identity
        self.db = db
        self.version = 2
        self.armed: i64 = 0
        self.authenticated = True
        self.user: User = engine.acl.default
        self.name = b""
        self.library_name = b""
        self.library_version = b""
        self.address = ""
        self.local_address = ""
        self.created: i64 = 0
        self.active: i64 = 0
        self.last_command: Command | None = None
        self.reply_mode = REPLY_ON
        self.no_evict = False
        self.no_touch = False
        # MONITOR: sees the commands of all clients.
        self.monitoring = False
        self.is_unix = False
        self.is_local = True
        # A client that ends: after its replies are sent, or at once.
        self.closing = False
        # MULTI: the queue, None outside; whether queueing failed; whether a watched key changed.
        self.queue: list[Queued] | None = None
        self.queue_bytes: i64 = 0
        self.queue_failed = False
        self.in_exec = False
        # For whom this context runs commands: a script's caller; None for a client itself.
        self.caller: Context | None = None
        self.watch_broken = False
        self.watched: dict[Place, Watched] = {}
        # Journal offset after this client's last write: what WAIT and reply gates look at.
        self.written: i64 = 0
        # Channels and patterns that it listens to, None for no subscriber.
        self.subscriptions: Subscriptions | None = None
        # CLIENT TRACKING, None for a client that does not track.
        self.tracker: Tracker | None = None
        # Parked: waiting for something (see hypercache.engine.waiting).
        self.blocked = False

    def select(self, index: int) -> None:
        """Make a database the current one; the index is valid."""
        self.db = self.engine.keyspaces[index]
        self.db.count()

    def set_no_touch(self, no_touch: bool) -> None:
        """Leave the idle times of keys alone, or no longer, from the next command on."""
        self.no_touch = no_touch
        self.engine.changes.set_no_touch(no_touch)

    def set_user(self, user: "User", authenticated: bool) -> None:
        """The client is that user from now on, whether or not it had to prove it."""
        self.user = user
        self.authenticated = authenticated
        self.rearm()

    def set_queueing(self, queueing: bool) -> None:
        """Enter MULTI with an empty queue, or leave it."""
        self.queue = [] if queueing else None
        self.queue_bytes = 0
        self.queue_failed = False
        self.rearm()

    def refuse(self) -> None:
        """A request is not executed: a transaction fails; CLIENT CACHING has held for it."""
        self.queue_failed = True
        if self.tracker is not None:
            self.engine.tracking.end_caching(self)

    def set_monitoring(self, monitoring: bool) -> None:
        """Be shown all commands, or no longer; see `hypercache.engine.monitors`."""
        self.monitoring = monitoring
        self.rearm()

    def set_version(self, version: int) -> None:
        """Speak RESP2 or RESP3 from the reply to this very request on."""
        self.version = version
        self.rearm()

    def rearm(self) -> None:
        """Put in force the guards that the client's state asks for."""
        armed: i64 = 0
        if not self.authenticated:
            armed |= AUTH_BIT
        if not self.user.unrestricted:
            armed |= ACL_BIT
        if self.queue is not None:
            armed |= QUEUE_BIT | NO_MULTI_BIT
        if self.subscriptions is not None and self.version == 2:
            armed |= SUBSCRIBED_BIT
        if self.monitoring:
            armed |= MONITOR_BIT
        if self.tracker is not None:
            armed |= self.tracker.guards()
        self.armed = armed


def client_type(context: Context) -> str:
    """The class of a client, which CLIENT LIST TYPE and the limits of its output go by."""
    return NORMAL if context.subscriptions is None else PUBSUB
