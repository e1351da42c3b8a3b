"""The stores: numbered databases with names and rules of their own.

Rules belong to the number: SWAPDB exchanges keys, never rules. Without any, a store is a database
as Redis has it.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from mypy_extensions import i64, mypyc_attr

from hypercache.backend import Backend, Database
from hypercache.engine.command import Command
from hypercache.engine.lookup_filters import LookupFilters
from hypercache.engine.memory import memory_of
from hypercache.keyspace.keyspace import Keyspace
from hypercache.reply import ErrorReply

if TYPE_CHECKING:
    from hypercache.engine.engine import Engine


class StoreRules:
    """What may be said of a store, and may be changed while the server runs.

    ``name`` is what SELECT and STORES take beside the number, "" for none; it is never a number.
    ``max_memory`` is the store's own limit in bytes, 0 for none; ``policy`` the name of its
    eviction policy, "" for the server's ``maxmemory-policy``; ``default_expiry`` in milliseconds
    is given to a key that a command makes without a deadline, 0 for none. ``filtered`` is
    "yes" or "no" where the store says whether a filter spares its backend lookups, else "".
    """

    def __init__(self) -> None:
        self.name = ""
        self.max_memory: i64 = 0
        self.policy = ""
        self.default_expiry: i64 = 0
        self.filtered = ""

    def copy(self) -> "StoreRules":
        """The same rules, to be changed."""
        other = StoreRules()
        other.name = self.name
        other.max_memory = self.max_memory
        other.policy = self.policy
        other.default_expiry = self.default_expiry
        other.filtered = self.filtered
        return other

    def are_default(self) -> bool:
        """Whether they say nothing at all."""
        return not (
            self.name or self.max_memory or self.policy or self.default_expiry or self.filtered
        )


class Store:
    """One numbered database, its backend, and the rules in force (see `StoreRules`).

    ``name`` is the number where the store has none. ``configured``: the configuration names it,
    so that it is not dropped at run time. ``own`` is the name of its own backend, "" where it
    shares the server's, and ``settings`` what that was made with. ``limit`` is what the store's
    memory is held to, 0 for none (see `Memory.find_limits`); ``exhausted``: when room was last to
    be made for that, there was nothing more to evict.
    """

    def __init__(self, keyspace: Keyspace, backend: Backend) -> None:
        self.keyspace = keyspace
        self.backend = backend
        self.index = keyspace.index
        self.name = str(keyspace.index)
        self.rules = StoreRules()
        self.max_memory: i64 = 0
        self.policy = ""
        self.default_expiry: i64 = 0
        self.filtered = ""
        self.configured = False
        self.own = ""
        self.settings: dict[str, object] = {}
        self.limit: i64 = 0
        self.exhausted = False
        self.evicted: i64 = 0
        #: What others add to STORES INFO: policy, filter.
        self.information: list[Callable[[], dict[str, object]]] = []

    def used_memory(self) -> int:
        """Bytes of its keys, values and bookkeeping, that of its eviction policy included."""
        return int(memory_of(self.keyspace))

    def is_special(self) -> bool:
        """Whether anything distinguishes it from a plain numbered database."""
        return bool(self.own) or self.configured or not self.rules.are_default()

    def apply(self, rules: StoreRules) -> None:
        """Put rules in force; the name is the business of `Stores`."""
        self.rules = rules
        self.name = rules.name or str(self.index)
        self.max_memory = rules.max_memory
        self.policy = rules.policy
        self.default_expiry = rules.default_expiry
        self.filtered = rules.filtered


@mypyc_attr(allow_interpreted_subclasses=True)
class StoreKeeper:
    """Keeps what was made of stores at run time. This one forgets it with the process."""

    def require_quiet(self) -> None:
        """Raise `ErrorReply` while no backend may come or go: the data are being saved."""

    def save(self, without: Store | None = None) -> None:
        """Have the stores as they are now on the disk, but for one; raises `ErrorReply`."""

    def open(self, store: Store, name: str, backend: str, settings: dict[str, object]) -> None:
        """Give a store, which is to have a name, a backend of its own.

        Raises `ErrorReply`, and has changed nothing then.
        """
        raise ErrorReply("ERR this server cannot open another backend while it runs")

    def release(self, store: Store) -> None:
        """Take an empty store's own backend away: it shares the server's again."""

    def detach(self) -> None:
        """Have no store's data at hand that persistence leaves out: others are to be loaded."""

    def attach(self) -> None:
        """Have them again."""


class Stores:
    """All stores, by their number and by their name.

    ``judges`` are asked before rules come into force: they raise `ErrorReply` where that cannot
    be. ``followers`` are told afterwards, and when a store's keys lie in another database.
    ``has_policy`` tells whether there is an eviction policy of a name.

    ``on_disk`` are those whose backend keeps data on disk where others have them in memory.
    ``left_out`` are the stores that snapshots and the append-only file have nothing of: those
    whose backend keeps data where the server's does not, or the other way round. ``lasting`` are
    those whose backend knows no units where others do: nothing undoes what happens there.
    """

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._all = [Store(keyspace, engine.backend) for keyspace in engine.keyspaces]
        self._names = {store.name: store for store in self._all}
        self.keeper = StoreKeeper()
        self.has_policy: Callable[[str], bool] = bool
        self.judges: list[Callable[[Store, StoreRules], None]] = []
        self.followers: list[Callable[[Store], None]] = []
        self.filters = LookupFilters(self)
        self.on_disk: frozenset[int] = frozenset()
        self.left_out: frozenset[int] = frozenset()
        self.lasting: frozenset[int] = frozenset()

    def __iter__(self) -> Iterator[Store]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def __getitem__(self, index: int) -> Store:
        """The store of a number that is valid."""
        return self._all[index]

    def find(self, name: str) -> Store | None:
        """The store of a name, or of a number written as one."""
        store = self._names.get(name)
        if store is None and name.isascii() and name.isdecimal() and len(name) < 10:
            index = int(name)
            if index < len(self._all) and str(index) == name:
                return self._all[index]
        return store

    def named(self) -> bool:
        """Whether any store has a name."""
        return any(store.rules.name for store in self._all)

    def apart(self, one: Keyspace, other: Keyspace) -> bool:
        """Whether two databases lie in different backends, so that keys have to be carried."""
        return self._all[one.index].backend is not self._all[other.index].backend

    def kept(self, index: int) -> int:
        """A database whose changes are journalled for files, for one that belongs to none."""
        if index not in self.left_out:
            return index
        return next((each.index for each in self._all if each.index not in self.left_out), index)

    def put(self, store: Store, database: Database) -> None:
        """Have a store's keys in another database from now on; nobody uses values of the old."""
        store.keyspace.store = database
        store.keyspace.fielded = database.has_volatile_fields()
        for follower in self.followers:
            follower(store)

    def rearrange(self) -> None:
        """Backends have come or gone, between two units."""
        engine = self._engine
        whole = engine.backend
        durable = frozenset([each.index for each in self._all if each.backend.durable])
        self.on_disk = durable if len(durable) < len(self._all) else frozenset()
        self.left_out = frozenset(
            [each.index for each in self._all if each.backend.durable != whole.durable]
        )
        self.lasting = frozenset(
            [each.index for each in self._all if whole.wants_units and not each.backend.wants_units]
        )
        engine.journal.left_out = self.left_out
        engine.units.wanted = whole.wants_units
        engine.syncs.follow_policy()
        engine.changes.spread = True  # other databases count for the memory

    def judge(self, store: Store, rules: StoreRules) -> None:
        """Raise `ErrorReply` where rules cannot come into force."""
        other = self._names.get(rules.name)
        if other is not None and other is not store:
            raise ErrorReply(f"ERR there is a store {rules.name!r} already: database {other.index}")
        if rules.policy and not self.has_policy(rules.policy):
            raise ErrorReply(f"ERR there is no eviction policy {rules.policy!r}")
        for judge in self.judges:
            judge(store, rules)

    def require_room(self, store: Store, rules: StoreRules) -> None:
        """Raise `ErrorReply` where a new limit is below what the store uses already."""
        if rules.max_memory > 0 and rules.max_memory != store.max_memory:
            used = store.used_memory()
            if rules.max_memory < used:
                raise ErrorReply(
                    f"ERR the store uses {used} bytes: more than a limit of {rules.max_memory}"
                )

    def change(self, store: Store, rules: StoreRules) -> None:
        """Put rules in force that have been judged, and tell everybody."""
        del self._names[store.name]
        store.apply(rules)
        self._names[store.name] = store
        self._engine.settlement.default_expiry.follow(store)
        for follower in self.followers:
            follower(store)

    def is_full(self, db: Keyspace, command: Command) -> bool:
        """Whether what a backend refuses concerns a command, which may grow the data."""
        return command.name == b"exec" or self._all[db.index].backend.refusal != ""
