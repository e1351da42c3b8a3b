"""The default expiry of stores: a deadline for keys that commands make without one.

It is given when a command is settled, and journalled behind the command's own effect as an
absolute time: whoever repeats the journal needs no rule. A key gets it that comes into being,
arrives from elsewhere or is replaced as a whole without a deadline; what changes a key that is
there (APPEND, HSET, SET with KEEPTTL, PERSIST, RENAME) leaves it as it is.
"""

from typing import TYPE_CHECKING

from mypy_extensions import i64

from hypercache.backend import NO_EXPIRE
from hypercache.engine.context import Context
from hypercache.keyspace.changes import NEW, RENAME_TO, Effect, Touch

if TYPE_CHECKING:
    from hypercache.engine.engine import Engine
    from hypercache.engine.stores import Store


class DefaultExpiry:
    """The stores that have one. ``active`` as long as there is any; else nothing is looked at."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._stores: set[int] = set()
        self.active = False

    def follow(self, store: "Store") -> None:
        """A store's rules have changed."""
        if store.default_expiry > 0:
            self._stores.add(store.index)
        else:
            self._stores.discard(store.index)
        self.active = bool(self._stores)
        self._engine.settlement.reconsider()

    def give(self, context: Context, args: list[bytes]) -> None:
        """Give the keys that a command has made their deadlines, before it is settled."""
        changes = self._engine.changes
        touched = changes.touched
        for at in range(len(touched)):  # not over what this touches itself
            touch = touched[at]
            if touch.event.whole and not is_renamed(touched, at):
                store = self._engine.stores[touch.database]
                key = touch.key
                if store.default_expiry > 0 and key is not None:
                    entry = store.keyspace.store.find(key)
                    if entry is not None and entry.expire == NO_EXPIRE:
                        if not changes.rewritten and changes.dirty != changes.settled:
                            changes.rewrite(context.db.index, args)
                        self._expire(store, key)

    def _expire(self, store: "Store", key: bytes) -> None:
        changes = self._engine.changes
        deadline: i64 = changes.now + store.default_expiry
        store.keyspace.set_expire(key, deadline)
        if changes.journalled:
            effect = [b"PEXPIREAT", key, str(deadline).encode()]
            changes.effects.append(Effect(store.index, effect))


def is_renamed(touched: list[Touch], at: int) -> bool:
    """Whether what has come is a key under a new name: `NEW`, `RENAME_FROM`, `RENAME_TO`."""
    return touched[at].event is NEW and at + 2 < len(touched) and touched[at + 2].event is RENAME_TO
