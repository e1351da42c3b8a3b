"""The memory of the data: how much it is, how much it may be."""

from typing import TYPE_CHECKING, Final

from mypy_extensions import i64

from hypercache.keyspace.keyspace import Keyspace

if TYPE_CHECKING:
    from hypercache.engine.engine import Engine
    from hypercache.engine.stores import Store

#: The policy that evicts nothing.
NO_EVICTION: Final = "noeviction"
# As good as no limit, and far from the end of 64 bits.
_MOST: Final = 1 << 60


class Memory:
    """What the data take, against their limit.

    ``maxmemory`` is the setting in bytes and ``ceiling`` what the data may take as long as the
    process is short of memory (`hypercache.engine.pressure`), 0 for none each. ``limit`` is what
    comes of both, and what the data are held to. ``refuse_at`` is the part of each limit, in
    percent, that may be used where nothing is evicted; ``evicts``: some store's policy evicts.
    ``occupied`` are the databases that may have keys.
    """

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self.maxmemory: i64 = 0
        self.ceiling: i64 = 0
        self.limit: i64 = 0
        self.refuse_at: i64 = 100
        self.evicts = False
        self.occupied: list[Keyspace] = []
        # Bytes of all other databases.
        self._rest: i64 = 0

    def set_limit(self, limit: int) -> None:
        """maxmemory has changed; 0 is no limit."""
        self.maxmemory = min(limit, _MOST)
        self._engine.eviction.refresh()

    def set_ceiling(self, ceiling: i64) -> None:
        """What the data may take, whatever maxmemory says; 0 for anything."""
        if ceiling != self.ceiling:
            self.ceiling = ceiling
            self._engine.eviction.refresh()

    def set_refuse_at(self, percent: i64) -> None:
        """From which part of a limit on writes are refused, where nothing may be evicted."""
        if percent != self.refuse_at:
            self.refuse_at = percent
            self._engine.eviction.refresh()

    def find_limits(self) -> None:
        """What all limits come to: settings, rules of stores or policies have changed."""
        self.evicts = False
        for store in self._engine.stores:
            store.limit = store.max_memory
            if self.policy_of(store) == NO_EVICTION:
                store.limit = self._refusing(store.limit)
            else:
                self.evicts = True
        limit = self.maxmemory if self.evicts else self._refusing(self.maxmemory)
        if self.ceiling > 0 and (limit == 0 or self.ceiling < limit):
            limit = self.ceiling
        self.limit = limit

    def policy_of(self, store: "Store") -> str:
        """The name of the eviction policy that a store is under."""
        return store.policy or self._engine.eviction.victims.policy

    def _refusing(self, limit: i64) -> i64:
        """A limit where writes are refused at it, because nothing is evicted."""
        if limit == 0 or self.refuse_at == 100:
            return limit
        return max(limit // 100 * self.refuse_at, 1)

    def taken(self) -> i64:
        """The same as `used`, quicker: asked before every command while there is a limit."""
        if self._engine.changes.spread:
            self.find_occupied()
        total: i64 = self._rest
        for keyspace in self.occupied:
            total += memory_of(keyspace)
        return total

    def find_occupied(self) -> None:
        """Look which databases may have keys: those that have some, or were ever worked with."""
        engine = self._engine
        engine.changes.spread = False
        self.occupied = []
        self._rest = 0
        for keyspace in engine.keyspaces:
            if keyspace.index in engine.stores.on_disk:
                continue
            if keyspace.counted or keyspace.store.size() > 0:
                self.occupied.append(keyspace)
            else:
                self._rest += memory_of(keyspace)

    def used(self) -> int:
        """Bytes of all data, as the stores account for them."""
        total: i64 = 0
        for keyspace in self._engine.keyspaces:
            if keyspace.index not in self._engine.stores.on_disk:
                total += memory_of(keyspace)
        return int(total)


def memory_of(keyspace: Keyspace) -> i64:
    """Bytes of a database, and of what its eviction policy notes."""
    memory: i64 = keyspace.store.memory()
    return memory + keyspace.policy.memory()
