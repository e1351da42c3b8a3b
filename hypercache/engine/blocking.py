"""Clients that wait for keys: BLPOP, BZPOPMIN, XREAD BLOCK and their like.

A command that finds nothing returns a `KeyWait`. Whenever one of its keys has changed, and
holds a value of the awaited kind, the command is run again for its client: what it changes
then is settled as that of any command. Clients that wait for the same key are served in the
order in which they came; the keys in the order in which they changed; and what that changes
(BLMOVE feeds another list) is looked at in the same way until nothing more is ready.

Source: Redis' blocked.c (handleClientsBlockedOnKeys), whose order is observable.
"""

from typing import TYPE_CHECKING, cast

from mypy_extensions import i64

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


class BlockedClients:
    """Who waits for which key, first come first, and the keys that have changed since."""

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        # A dict keeps the order of arrival and forgets a client in O(1).
        self.waiting: dict[Place, dict[Parked, None]] = {}
        self.ready: dict[Place, None] = {}

    def __len__(self) -> int:
        return len(self.waiting)

    def add(self, parked: Parked, wait: KeyWait) -> None:
        """A client begins to wait."""
        index = wait.context.db.index
        for key in wait.keys:
            self.waiting.setdefault((index, key), {})[parked] = None
        self.engine.settlement.reconsider()

    def remove(self, parked: Parked, wait: KeyWait) -> None:
        """A client waits no longer."""
        index = wait.context.db.index
        for key in wait.keys:
            clients = self.waiting.get((index, key))
            if clients is not None:
                clients.pop(parked, None)
                if not clients:
                    del self.waiting[(index, key)]
        self.engine.settlement.reconsider()

    def touched(self, touch: Touch) -> None:
        """A key has changed, or with no name all of a database."""
        key = touch.key
        if key is None:
            for place in self.waiting:
                if place[0] == touch.database:
                    self.ready[place] = None
            return
        changed: Place = (touch.database, key)
        if changed in self.waiting:
            self.ready[changed] = None

    def serve(self) -> None:
        """Run the commands of those who wait for keys that have changed.

        It ends: whoever is served waits no longer, and whoever is not changes nothing.
        """
        while self.ready:
            ready = self.ready
            self.ready = {}
            for place in ready:
                clients = self.waiting.get(place)
                if clients is not None:
                    for parked in list(clients):
                        self._retry(parked, place)

    def _retry(self, parked: Parked, place: Place) -> None:
        """Run a client's command again if its key can have what it waits for."""
        wait = parked.wait
        if parked.over or not isinstance(wait, KeyWait):
            return
        engine = self.engine
        engine.changes.now = engine.time // 1000
        entry = engine.keyspaces[place[0]].find(place[1])
        if not wait.on_loss and (entry is None or kind_of(entry) != wait.kind):
            return
        keeps_access = engine.changes.keep_access
        engine.changes.keep_access = wait.context.no_touch
        try:
            reply = engine.call(wait.context, wait.command, wait.args)
        finally:
            engine.changes.keep_access = keeps_access
        if not isinstance(reply, Wait):
            engine.waits.complete_with(parked, reply)
