"""`KVBackend`: the whole Backend contract over any `OrderedKV`.

``docs/backends.md`` describes what it stores. It wants units: one transaction of the store
for all commands of a round. Used outside a unit, every operation is a transaction of its
own.
"""

import os

from mypy_extensions import mypyc_attr

from hypercache.backend import Backend, BackendError, Database, Snapshot
from hypercache.keyspace import layout
from hypercache.keyspace.kv_database import KVDatabase
from hypercache.keyspace.kv_migrations import migrate
from hypercache.keyspace.kv_store import Store
from hypercache.keyspace.ordered import OrderedKV


class KVSnapshot(Snapshot):
    """Databases over a snapshot of the store."""

    def __init__(self, kv: OrderedKV, databases: list[Database]) -> None:
        super().__init__(databases)
        self._kv = kv
        self._closed = False

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._kv.close()


@mypyc_attr(allow_interpreted_subclasses=True)
class KVBackend(Backend):
    """A backend whose keys, values and indexes are pairs of an ordered store.

    ``salt`` (8 bytes) decides the order of keys in a store that is new; left out, it is
    random. A store that exists keeps its own.
    """

    def __init__(self, kv: OrderedKV, name: str = "kv", salt: bytes | None = None) -> None:
        super().__init__(name)
        self.kv = kv
        self.durable = kv.durable
        self.snapshots = kv.snapshots
        self.filters = True
        self.sync_policy = kv.sync_policy
        self.wants_units = True
        self._salt = os.urandom(layout.SALT) if salt is None else salt
        self._store = Store(kv)

    def open(self, databases: int) -> list[Database]:
        self._store.limits = self.limits
        salt = self._store.open(databases, self._salt)
        migrate(self._store, layout.Namer(salt, self.kv.max_key_size), self.progress)
        self.refusal = self.kv.refusal
        return self._databases(self._store, salt)

    def _databases(self, store: Store, salt: bytes) -> list[Database]:
        namer = layout.Namer(salt, self.kv.max_key_size)
        return [KVDatabase(store, tally, namer) for tally in store.tallies]

    def close(self) -> None:
        self.kv.close()

    def begin(self) -> None:
        self._store.begin()
        self.refusal = self.kv.refusal

    def commit(self) -> None:
        self._store.commit()

    def rollback(self) -> None:
        self._store.rollback()

    def reclaim(self, budget: int) -> bool:
        if self._store.reclaim(budget):
            return True
        filters = self._store.filters
        if not filters.in_use:
            return False
        self._store.write_records()
        return filters.build(budget)

    def sync(self) -> None:
        self.kv.sync()

    def maintain(self) -> None:
        self.kv.maintain()

    def snapshot(self) -> Snapshot:
        if self._store.in_unit:
            raise BackendError("snapshot: a unit is open")
        kv = self.kv.snapshot()
        try:
            store = Store(kv)
            store.limits = self.limits
            salt = store.view(len(self._store.tallies))
        except BaseException:
            kv.close()
            raise
        return KVSnapshot(kv, self._databases(store, salt))

    def statistics(self) -> dict[str, int]:
        return {
            "lazyfree_pending_objects": self._store.graves,
            **self._store.filters.statistics(),
            **self.kv.statistics(),
        }
