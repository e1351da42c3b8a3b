"""Clients that wait for keys: BLPOP, BZPOPMIN, XREAD BLOCK and their like.

A command that finds nothing returns a `KeyWait`. Whenever one of its keys has changed, and
holds a value of the awaited kind, the command is run again for its client: what it changes
then is settled as that of any command. Clients that wait for the same key are served in the
order in which they came; the keys in the order in which they changed; and what that changes
(BLMOVE feeds another list) is looked at in the same way until nothing more is ready.

Source: Redis' blocked.c (handleClientsBlockedOnKeys), whose order is observable.
"""

from collections import OrderedDict
from typing import TYPE_CHECKING, cast

from mypy_extensions import i64

from hypercache.backend import BackendError
from hypercache.engine.context import Place
from hypercache.engine.waiting import Parked, Wait
from hypercache.keyspace.changes import Touch
from hypercache.keyspace.keyspace import kind_of

if TYPE_CHECKING:
    from hypercache.engine.command import Command
    from hypercache.engine.context import Context
    from hypercache.engine.engine import Engine


class KeyWait(Wait):
    """A command that waits until one of some keys of the client's database has what it wants.

    ``kind`` is that of the value it waits for. ``args`` are run again then, with options
    resolved that mean the moment of the call (XREAD's ``$``); the command may wait on, as
    long as its deadline (Unix microseconds, 0 for none) lets it. ``empty`` is the reply when
    the time is up. ``on_loss``: it is run again too when a key is gone or of another kind.
    """

    def __init__(
        self,
        context: "Context",
        kind: int,
        keys: list[bytes],
        args: list[bytes],
        deadline: i64,
        empty: object,
        on_loss: bool = False,
    ) -> None:
        super().__init__(deadline)
        self.context = context
        self.command = cast("Command", context.last_command)
        self.kind = kind
        self.keys = keys
        self.args = args
        self.empty = empty
        self.on_loss = on_loss

    def reply(self, engine: "Engine") -> object:
        return self.empty

    def is_over(self, engine: "Engine") -> bool:
        """Never by looking: only running the command again tells."""
        return False


class Waiters:
    """Who waits for one key: a queue for each kind of value, first come first.

    ``on_loss`` is the number of those who also want to know that the key is lost.
    """

    def __init__(self) -> None:
        # An ordered dict gives its first and forgets any in O(1).
        self.queues: dict[int, OrderedDict[Parked, None]] = {}
        self.on_loss = 0

    def add(self, parked: Parked, wait: KeyWait) -> None:
        """One more, behind all others."""
        queue = self.queues.get(wait.kind)
        if queue is None:
            queue = self.queues[wait.kind] = OrderedDict()
        if parked not in queue:  # the same key may be named twice
            queue[parked] = None
            self.on_loss += wait.on_loss

    def remove(self, parked: Parked, wait: KeyWait) -> None:
        """One less."""
        queue = self.queues.get(wait.kind)
        if queue is not None and parked in queue:
            del queue[parked]
            self.on_loss -= wait.on_loss
            if not queue:
                del self.queues[wait.kind]


class BlockedClients:
    """Who waits for which key, and the keys that have changed since, in that order."""

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self.waiting: dict[Place, Waiters] = {}
        self.ready: OrderedDict[Place, None] = OrderedDict()

    def __len__(self) -> int:
        """Number of keys that somebody waits for."""
        return len(self.waiting)

    def lossy(self) -> int:
        """Number of keys of which somebody wants to know that they are lost."""
        return len([place for place, waiters in self.waiting.items() if waiters.on_loss > 0])

    def add(self, parked: Parked, wait: KeyWait) -> None:
        """A client begins to wait."""
        index = wait.context.db.index
        for key in wait.keys:
            waiters = self.waiting.get((index, key))
            if waiters is None:
                waiters = self.waiting[(index, key)] = Waiters()
            waiters.add(parked, wait)
        self.engine.settlement.reconsider()

    def remove(self, parked: Parked, wait: KeyWait) -> None:
        """A client waits no longer."""
        index = wait.context.db.index
        for key in wait.keys:
            waiters = self.waiting.get((index, key))
            if waiters is not None:
                waiters.remove(parked, wait)
                if not waiters.queues:
                    del self.waiting[(index, key)]
        self.engine.settlement.reconsider()

    def count(self, wait: KeyWait, failed: bool) -> None:
        """Count the call of a command whose waiting has ended without what it waited for."""
        engine = self.engine
        command = wait.command
        engine.counters.commands += 1
        if failed:
            command.failed_calls += 1
        if engine.tracks_latency:
            command.record(0)
        else:
            command.count(0)

    def touched(self, touch: Touch) -> None:
        """A key has changed, or with no name all of a database."""
        key = touch.key
        if key is None:
            for place, waiters in self.waiting.items():
                if place[0] == touch.database:
                    self._note(place, waiters)
            return
        changed: Place = (touch.database, key)
        found = self.waiting.get(changed)
        if found is not None:
            self._note(changed, found)

    def _note(self, place: Place, waiters: Waiters) -> None:
        """A key has changed: it is ready, unless nobody waits for what it holds now."""
        if waiters.on_loss > 0 or self._kind(place) in waiters.queues:
            self.ready[place] = None

    def _kind(self, place: Place) -> int:
        """The kind of value under a key, -1 for none; only looks, so that nothing expires.

        Where the backend cannot tell, it is none: who waits goes on waiting.
        """
        keyspace = self.engine.keyspaces[place[0]]
        try:
            if not keyspace.is_live(place[1]):
                return -1
            entry = keyspace.store.find(place[1])
        except BackendError as error:
            self.engine.units.look_failed(error)
            return -1
        return -1 if entry is None else kind_of(entry)

    def serve(self) -> None:
        """Run the commands of those who wait for keys that have changed.

        It ends: whoever is served waits no longer, and whoever is not changes nothing.
        """
        ready = self.ready
        while ready:
            place: Place = ready.popitem(last=False)[0]
            waiters = self.waiting.get(place)
            if waiters is not None:
                self._serve_key(place, waiters)

    def _serve_key(self, place: Place, waiters: Waiters) -> None:
        """Give everybody who waits for a key one turn, as long as there is something to have."""
        # The time may have stood still, in a transaction.
        self.engine.changes.now = self.engine.time // 1000
        kind = self._kind(place)
        if waiters.on_loss > 0:
            for queue in list(waiters.queues.values()):
                for parked in list(queue):
                    wait = cast(KeyWait, parked.wait)
                    if wait.on_loss and wait.kind != kind and not parked.over:
                        self._retry(parked, wait)
        awaited = waiters.queues.get(kind)
        turns = 0 if awaited is None else len(awaited)
        while turns > 0 and awaited and self._kind(place) == kind:
            turns -= 1
            parked = next(iter(awaited))
            self._retry(parked, cast(KeyWait, parked.wait))

    def _retry(self, parked: Parked, wait: KeyWait) -> None:
        """Run a client's command again; if it has to wait on, it does so behind all others."""
        self.remove(parked, wait)
        session = parked.session
        if session.closing:
            return
        engine = self.engine
        engine.changes.now = engine.time // 1000
        no_touch = engine.changes.no_touch
        engine.changes.set_no_touch(session.no_touch)
        if engine.units.is_open:
            engine.units.join(session)
        # It is the client's own command, whoever is served now: what that pushes to it follows
        # its reply.
        serving = engine.serving
        if serving is not None:
            serving.collect()  # what this pushes to the other client follows its reply, too
        pushes = engine.pushes
        engine.serving = session
        engine.pushes = []
        try:
            if (engine.armed | session.armed) & wait.command.guards:
                reply = engine.admit(session, wait.command, wait.args)
            else:
                reply = engine.call(session, wait.command, wait.args)
        finally:
            own = engine.pushes
            engine.serving = serving
            engine.pushes = pushes
            engine.changes.set_no_touch(no_touch)
        if isinstance(reply, KeyWait):
            self.add(parked, wait)
        elif isinstance(reply, Wait):
            engine.waits.postpone(parked, reply)
        else:
            engine.waits.complete_with(parked, reply)
        for value in own:
            session.push(value)
