"""Keyspace notifications: what happens to keys, published on channels named after it.

An event ``set`` of the key ``k`` in database 0 is the message ``set`` on the channel
``__keyspace@0__:k`` and the message ``k`` on ``__keyevent@0__:set``. As long as
notify-keyspace-events asks for nothing, nobody observes changes for their sake.

Source: Redis' notify.c.
"""

from typing import TYPE_CHECKING

from hypercache.engine.settlement import ChangeObserver
from hypercache.keyspace.changes import KEY_MISS_CLASS, NEW_CLASS, Touch

if TYPE_CHECKING:
    from hypercache.engine.engine import Engine


class Notifications(ChangeObserver):
    """Publishes events of the classes that are asked for."""

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self._classes: set[str] = set()
        # The beginnings of the channels by database; empty where they are not asked for.
        self._by_key: list[bytes] = []
        self._by_event: list[bytes] = []

    def set_classes(self, letters: str) -> None:
        """Publish events of some classes: letters as in notify-keyspace-events, without A."""
        engine = self.engine
        numbers = range(len(engine.keyspaces))
        self._by_key = [b"__keyspace@%d__:" % n for n in numbers] if "K" in letters else []
        self._by_event = [b"__keyevent@%d__:" % n for n in numbers] if "E" in letters else []
        self._classes = set(letters) - {"K", "E"} if self._by_key or self._by_event else set()
        engine.changes.tells_misses = KEY_MISS_CLASS in self._classes
        engine.settlement.notify(self if self._classes else None, NEW_CLASS in self._classes)

    def changed(self, touches: list[Touch]) -> None:
        pubsub = self.engine.pubsub
        if not (pubsub.channels or pubsub.patterns):
            return
        for touch in touches:
            key = touch.key
            event = touch.event
            if key is None or not event.word or event.kind not in self._classes:
                continue
            if self._by_key:
                pubsub.publish(self._by_key[touch.database] + key, event.word)
            if self._by_event:
                pubsub.publish(self._by_event[touch.database] + event.word, key)
