"""Eviction: keys go when the data take more memory than they may (Redis: performEvictions).

Looked at before every command while there is a limit, the server's (``maxmemory``) or a store's
own. Each victim is removed as if it had expired, so that WATCH, tracking, notifications and the
journal hear of it before the command runs. One look takes no longer than
``maxmemory-eviction-tenacity`` allows: what is left is done with the commands that follow, and in
the background.
"""

from typing import TYPE_CHECKING, Final

from mypy_extensions import i64

from hypercache.engine.guards import BUSY_BIT, LOADING_BIT, MEMORY_BIT, NO_MEMORY, ROOM_BIT
from hypercache.engine.stores import Store
from hypercache.engine.victims import Victims
from hypercache.keyspace.keyspace import Keyspace
from hypercache.keyspace.live_keys import ALL
from hypercache.reply import ErrorReply

if TYPE_CHECKING:
    from hypercache.engine.engine import Engine

# Keys that are evicted between two looks at the clock, and looked for together.
_BATCH: Final = 16
# What is evicted beyond need, so that the next commands have room: a 1024th of the limit at most.
_SPARE: Final[i64] = 8192
_SPARE_SHIFT: Final[i64] = 10
# Keys that a policy is shown at once, of those that were there before it.
_ADOPTED: Final = 256

# What came of evicting: the limit is kept, the time was up, nothing was left to evict.
_DONE: Final = 0
_LATER: Final = 1
_FAILED: Final = 2


class Eviction:
    """Keeps the data within the limits of the server and of each store.

    ``failed``: for the present command a limit is exceeded, and there was nothing to evict.
    ``victims`` chooses. Times are in microseconds.
    """

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self.victims = Victims(engine)
        self.failed = False
        self._time_limit: i64 = 500
        self._limited: list[Store] = []
        # The last look has found more to evict than there was time for.
        self._is_late = False
        # Since when a limit is exceeded, 0 for not now; and for how long altogether before.
        self._exceeded_since: i64 = 0
        self._exceeded: i64 = 0
        self._evicted_before: i64 = 0
        engine.stores.followers.append(self._follow)

    # Settings ------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Limits or the stores' policies have changed."""
        engine = self.engine
        engine.memory.find_limits()
        self._limited = [store for store in engine.stores if store.limit > 0]
        is_limited = engine.memory.limit > 0 or len(self._limited) > 0
        engine.arm(MEMORY_BIT | ROOM_BIT, is_limited)
        if not is_limited:  # nobody looks any more
            self.failed = False
            if self._exceeded_since > 0:
                self._recover()
        engine.changes.spread = True
        self.victims.refresh()

    def _follow(self, store: Store) -> None:
        self.refresh()

    def set_tenacity(self, tenacity: int) -> None:
        """``maxmemory-eviction-tenacity`` has changed: 0 to 100, as in Redis."""
        if tenacity <= 10:
            self._time_limit = 50 * tenacity
        elif tenacity < 100:
            self._time_limit = int(500.0 * 1.15 ** float(tenacity - 10))
        else:
            self._time_limit = 1 << 62

    # Looking -------------------------------------------------------------------------------

    def make_room(self, db: Keyspace, may_grow: bool) -> bool:
        """Evict what is too much; False when a limit stays exceeded and nothing can be done.

        Limits of other stores than that of ``db``, where a command is about to work, refuse it
        nothing. True also where more is to be evicted than there was time for, and where nothing
        may be evicted now (loading, CLIENT PAUSE, a busy script). Where no limit is exceeded,
        commands that only read need not ask again until one that ``may_grow`` the data comes.
        """
        memory = self.engine.memory
        if memory.limit > 0 and memory.taken() > memory.limit:
            return self._relieve(db)
        for store in self._limited:
            if store.used_memory() > store.limit:
                return self._relieve(db)
        self.failed = False
        if self._exceeded_since > 0:
            self._recover()
        self.engine.arm(ROOM_BIT, may_grow)
        return True

    def require_room(self, db: Keyspace) -> None:
        """Raise `ErrorReply` where a store can take no more: for commands that work in another."""
        if self.is_exhausted(db):
            raise ErrorReply(NO_MEMORY)

    def is_exhausted(self, db: Keyspace) -> bool:
        """Whether a store is over its own limit, and nothing was left to evict.

        Room was made by `make_room`, for the database that a client was in: here nothing is
        evicted.
        """
        store = self.engine.stores[db.index]
        return store.exhausted and self.may_evict() and store.used_memory() > store.limit > 0

    def may_evict(self) -> bool:
        """Whether anything may be evicted now."""
        engine = self.engine
        return engine.armed & (LOADING_BIT | BUSY_BIT) == 0 and not engine.changes.frozen

    def evicted(self) -> int:
        """Keys that were evicted since counting began."""
        return int(self._every() - self._evicted_before)

    def exceeded(self) -> tuple[int, int]:
        """Milliseconds for which limits were exceeded altogether, and are now."""
        now: i64 = 0
        if self._exceeded_since > 0:
            now = self.engine.clock.microseconds() - self._exceeded_since
        return int((self._exceeded + now) // 1000), int(now // 1000)

    def restart(self) -> None:
        """Begin counting anew (CONFIG RESETSTAT)."""
        self._evicted_before = self._every()
        self._exceeded = 0
        if self._exceeded_since > 0:
            self._exceeded_since = self.engine.time

    def _every(self) -> i64:
        total: i64 = 0
        for store in self.engine.stores:
            total += store.evicted
        return total

    def _recover(self) -> None:
        """No limit is exceeded any more."""
        self._count_time(self.engine.time)
        for store in self._limited:
            store.exhausted = False

    def _count_time(self, now: i64) -> None:
        self._exceeded += now - self._exceeded_since
        self._exceeded_since = 0

    # Evicting ------------------------------------------------------------------------------

    def _relieve(self, db: Keyspace) -> bool:
        """Some limit is exceeded: evict for as long as one look may take."""
        engine = self.engine
        self.failed = False
        if not self.may_evict():
            return True
        latency = engine.latency
        began: i64 = engine.time
        if latency.threshold > 0:
            began = engine.clock.microseconds()
        engine.changes.now = began // 1000
        until: i64 = began + self._time_limit
        outcome = self._evict_for_server(until)
        self.failed = outcome == _FAILED
        self._is_late = outcome == _LATER
        done = outcome == _DONE
        for store in self._limited:
            outcome = self._evict_for_store(store, until)
            store.exhausted = outcome == _FAILED
            if store.exhausted and store.keyspace is db:
                self.failed = True
            if outcome == _LATER:
                self._is_late = True
            done = done and outcome == _DONE
        engine.settlement.settle_background()
        if latency.threshold > 0:
            now: i64 = engine.clock.microseconds()
            latency.add(b"eviction-cycle", now, now - began)
        if done:
            if self._exceeded_since > 0:
                self._count_time(began)
        elif self._exceeded_since == 0:
            self._exceeded_since = began
        return not self.failed

    def _evict_for_server(self, until: i64) -> int:
        """Evict from all stores until the data are within the server's limit."""
        memory = self.engine.memory
        limit = memory.limit
        if limit == 0:
            return _DONE
        over = memory.taken() - limit
        if over <= 0:
            return _DONE
        spare = spare_of(limit)
        count = 0
        while over + spare > 0:
            if count % _BATCH == 0:
                if count > 0 and self.engine.clock.microseconds() >= until:
                    return _LATER if over > 0 else _DONE
                self.victims.expect(memory.occupied, over + spare)
            if not self.victims.evict_one(memory.occupied):
                return _FAILED if over > 0 else _DONE
            count += 1
            over = memory.taken() - limit
        return _DONE

    def _evict_for_store(self, store: Store, until: i64) -> int:
        """Evict from one store until it is within its own limit."""
        over: i64 = store.used_memory() - store.limit
        if over <= 0:
            return _DONE
        keyspaces = [store.keyspace]
        spare = spare_of(store.limit)
        count = 0
        while over + spare > 0:
            if count % _BATCH == 0:
                if count > 0 and self.engine.clock.microseconds() >= until:
                    return _LATER if over > 0 else _DONE
                self.victims.expect(keyspaces, over + spare)
            if not self.victims.evict_one(keyspaces):
                return _FAILED if over > 0 else _DONE
            count += 1
            over = store.used_memory() - store.limit
        return _DONE

    # Background ------------------------------------------------------------------------------

    def work(self, until: i64) -> bool:
        """Go on with what is left, in the background; True when more is to be done now."""
        engine = self.engine
        more = False
        if engine.armed & MEMORY_BIT and self._is_exceeded():
            engine.units.open()
            if engine.units.is_open or not engine.units.wanted:
                self._is_late = False
                self.make_room(engine.keyspaces[0], False)
                more = self._is_late
        for keyspace in engine.keyspaces:
            while keyspace.adopted != ALL and engine.clock.microseconds() < until:
                keyspace.adopt(_ADOPTED)
            more = more or keyspace.adopted != ALL
        return more

    def _is_exceeded(self) -> bool:
        memory = self.engine.memory
        if memory.limit > 0 and memory.taken() > memory.limit:
            return True
        return any(store.used_memory() > store.limit for store in self._limited)

    def begin_anew(self) -> None:
        """A unit was undone: policies were told of keys that never came, or never went."""
        for keyspace in self.engine.keyspaces:
            keyspace.forget_adoption()


def spare_of(limit: i64) -> i64:
    """Bytes that are evicted besides what exceeds a limit."""
    share = limit >> _SPARE_SHIFT
    return share if share < _SPARE else _SPARE
