"""WATCH: which clients look at which keys, and who must fail at EXEC."""

from typing import TYPE_CHECKING

from hypercache.engine.context import Context, Watched
from hypercache.keyspace.changes import EXPIRED, Changes, Touch

if TYPE_CHECKING:
    from hypercache.keyspace.keyspace import Keyspace


class Watches:
    """All watched keys of the server."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._watchers: dict[tuple[int, bytes], list[Context]] = {}

    def __len__(self) -> int:
        return len(self._watchers)

    def watch(self, context: Context, key: bytes) -> None:
        """Let a client watch a key of its database; watching twice is watching once."""
        index = context.db.index
        for watched in context.watched:
            if watched.key == key and watched.database == index:
                return
        entry = context.db.store.find(key)
        expired = entry is not None and not context.db.is_live(key)
        context.watched.append(Watched(index, key, expired))
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

    def has_expired_key(self, context: Context, keyspaces: "list[Keyspace]") -> bool:
        """Whether a watched key has passed its deadline since WATCH, deleted or not."""
        for watched in context.watched:
            if not watched.expired:
                db = keyspaces[watched.database]
                if db.store.find(watched.key) is not None and not db.is_live(watched.key):
                    return True
        return False

    def touched(self, touch: Touch) -> None:
        """Break the transactions of the clients that watch a changed key."""
        if touch.key is None:
            for place, watchers in self._watchers.items():
                if place[0] == touch.database:
                    self._break(watchers, place[1], touch)
            return
        found = self._watchers.get((touch.database, touch.key))
        if found is not None:
            self._break(found, touch.key, touch)

    def _break(self, watchers: list[Context], key: bytes, touch: Touch) -> None:
        for context in watchers:
            if touch.event is EXPIRED and self._was_expired(context, touch.database, key):
                continue  # it was gone at WATCH already: only its remains were removed
            context.watch_broken = True

    def _was_expired(self, context: Context, database: int, key: bytes) -> bool:
        for watched in context.watched:
            if watched.database == database and watched.key == key and watched.expired:
                watched.expired = False
                return True
        return False
