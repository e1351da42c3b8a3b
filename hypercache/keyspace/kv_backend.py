"""`KVBackend`: the whole Backend contract over any `OrderedKV`.

``docs/backends.md`` describes what it stores. It wants units: one transaction of the store
for all commands of a round. Used outside a unit, every operation is a transaction of its
own.
"""

import os

from mypy_extensions import mypyc_attr

from hypercache.backend import Backend, Database
from hypercache.keyspace import layout
from hypercache.keyspace.kv_database import KVDatabase
from hypercache.keyspace.kv_store import Store
from hypercache.keyspace.ordered import OrderedKV


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
        self.wants_units = True
        self._salt = os.urandom(layout.SALT) if salt is None else salt
        self._store = Store(kv)

    def open(self, databases: int) -> list[Database]:
        self._store.limits = self.limits
        salt = self._store.open(databases, self._salt)
        namer = layout.Namer(salt, self.kv.max_key_size)
        return [KVDatabase(self._store, tally, namer) for tally in self._store.tallies]

    def close(self) -> None:
        self.kv.close()

    def begin(self) -> None:
        self._store.begin()

    def commit(self) -> None:
        self._store.commit()

    def rollback(self) -> None:
        self._store.rollback()

    def reclaim(self, budget: int) -> bool:
        return self._store.reclaim(budget)

    def statistics(self) -> dict[str, int]:
        return {"lazyfree_pending_objects": self._store.graves}
