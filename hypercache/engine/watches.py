"""WATCH: which clients look at which keys, and who must fail at EXEC."""

from hypercache.engine.context import ABSENT, EXPIRED, PRESENT, Context, Place, Watched
from hypercache.keyspace.changes import EXPIRED as EXPIRED_EVENT
from hypercache.keyspace.changes import Touch
from hypercache.keyspace.keyspace import Keyspace


class Watches:
    """All watched keys of the server. Watching and unwatching a key cost O(1)."""

    def __init__(self, keyspaces: list[Keyspace]) -> None:
        self._keyspaces = keyspaces
        self._watchers: dict[Place, dict[int, Watched]] = {}

    def __len__(self) -> int:
        return len(self._watchers)

    def watch(self, context: Context, key: bytes) -> None:
        """Let a client watch a key of its database; watching twice is watching once."""
        place = (context.db.index, key)
        if place in context.watched:
            return
        watched = Watched(context, self._state(place))
        context.watched[place] = watched
        self._watchers.setdefault(place, {})[context.id] = watched

    def unwatch(self, context: Context) -> None:
        """Let a client watch nothing, and forget that something had changed."""
        for place in context.watched:
            watchers = self._watchers[place]
            del watchers[context.id]
            if not watchers:
                del self._watchers[place]
        context.watched = {}
        context.watch_broken = False

    def has_expired_key(self, context: Context) -> bool:
        """Whether a watched key has passed its deadline since WATCH and is not removed yet.

        A field of a hash that has counts as well.
        """
        for place, watched in context.watched.items():
            if watched.state == PRESENT and (
                self._state(place) == EXPIRED or self._keyspaces[place[0]].has_due_fields(place[1])
            ):
                return True
        return False

    def touched(self, touch: Touch) -> None:
        """Break the transactions of the clients that watch a changed key."""
        key = touch.key
        if key is None:
            self._all_touched(touch.database)
            return
        watchers = self._watchers.get((touch.database, key))
        if watchers is not None:
            for watched in watchers.values():
                if watched.state == EXPIRED and touch.event is EXPIRED_EVENT:
                    watched.state = ABSENT  # only its remains were removed
                else:
                    watched.context.watch_broken = True

    def _all_touched(self, database: int) -> None:
        """The database was emptied or swapped: break what now finds something else there."""
        for place, watchers in self._watchers.items():
            if place[0] == database:
                state = self._state(place)
                for watched in watchers.values():
                    if state == PRESENT or watched.state == PRESENT:
                        watched.context.watch_broken = True
                    watched.state = state

    def _state(self, place: Place) -> int:
        """What is under a key now."""
        db = self._keyspaces[place[0]]
        if db.is_live(place[1]):
            return PRESENT
        return ABSENT if db.store.find(place[1]) is None else EXPIRED
