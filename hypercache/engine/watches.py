"""WATCH: which clients look at which keys, and who must fail at EXEC."""

from hypercache.engine.context import ABSENT, EXPIRED, PRESENT, Context, Watched
from hypercache.keyspace.changes import EXPIRED as EXPIRED_EVENT
from hypercache.keyspace.changes import Changes, Touch
from hypercache.keyspace.keyspace import Keyspace


class Watches:
    """All watched keys of the server."""

    def __init__(self, changes: Changes, keyspaces: list[Keyspace]) -> None:
        self._changes = changes
        self._keyspaces = keyspaces
        self._watchers: dict[tuple[int, bytes], list[Context]] = {}

    def __len__(self) -> int:
        return len(self._watchers)

    def watch(self, context: Context, key: bytes) -> None:
        """Let a client watch a key of its database; watching twice is watching once."""
        index = context.db.index
        for watched in context.watched:
            if watched.key == key and watched.database == index:
                return
        context.watched.append(Watched(index, key, self._state(index, key)))
        self._watchers.setdefault((index, key), []).append(context)

    def unwatch(self, context: Context) -> None:
        """Let a client watch nothing, and forget that something had changed."""
        for watched in context.watched:
            place = (watched.database, watched.key)
            watchers = self._watchers[place]
            watchers.remove(context)
            if not watchers:
                del self._watchers[place]
        context.watched = []
        context.watch_broken = False

    def has_expired_key(self, context: Context) -> bool:
        """Whether a watched key has passed its deadline since WATCH and is not removed yet."""
        for watched in context.watched:
            if watched.state == PRESENT and self._state(watched.database, watched.key) == EXPIRED:
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
            for context in watchers:
                watched = _watched(context, touch.database, key)
                if watched.state == EXPIRED and touch.event is EXPIRED_EVENT:
                    watched.state = ABSENT  # only its remains were removed
                else:
                    context.watch_broken = True

    def _all_touched(self, database: int) -> None:
        """The database was emptied or swapped: break what now finds something else there."""
        for place, watchers in self._watchers.items():
            if place[0] == database:
                state = self._state(database, place[1])
                for context in watchers:
                    watched = _watched(context, database, place[1])
                    if state == PRESENT or watched.state == PRESENT:
                        context.watch_broken = True
                    watched.state = state

    def _state(self, database: int, key: bytes) -> int:
        """What is under a key now."""
        db = self._keyspaces[database]
        if db.is_live(key):
            return PRESENT
        return ABSENT if db.store.find(key) is None else EXPIRED


def _watched(context: Context, database: int, key: bytes) -> Watched:
    """What a client that watches a key knows of it."""
    for watched in context.watched:
        if watched.key == key and watched.database == database:
            return watched
    raise KeyError(key)
