"""Several backends as one: the server's own, and those of stores that have one to themselves.

Whoever works with the whole (units, syncs, background work) works with this one. As long as there
is one backend only, every call goes straight through to it.

A unit is one on each backend that wants units. Backends do not commit together: where one fails
after another has committed, what that one has stays. No client has been told then, and those that
could tell are dropped, as ever when a unit is undone (`hypercache.engine.units`).
"""

import threading
from typing import Final

from hypercache.backend import ALWAYS, EVERYSEC, NO, Backend, BackendError, Database, Snapshot
from hypercache.engine.units import attempt

_STRICTNESS: Final = {NO: 0, EVERYSEC: 1, ALWAYS: 2}


class Snapshots(Snapshot):
    """Snapshots of several backends at the same moment."""

    def __init__(self, databases: list[Database], parts: list[Snapshot]) -> None:
        super().__init__(databases)
        self._parts = parts

    def close(self) -> None:
        for part in self._parts:
            part.close()


class Backends(Backend):
    """``main`` is the server's backend, ``parts`` are all of them, that one first.

    Traits are those of ``main``, but ``wants_units`` if any part does, the strictest of all
    policies, and whatever refusal there is.
    """

    def __init__(self, main: Backend) -> None:
        super().__init__(main.name)
        self.main = main
        self.parts: list[Backend] = [main]
        self.limits = main.limits
        self.durable = main.durable
        self.keeps_access = main.keeps_access
        # The databases of ``main``, and those that parts of their own have, by number.
        self._databases: list[Database] = []
        self.own: dict[int, tuple[Backend, Database]] = {}
        # Parts whose unit is open.
        self._open: list[Backend] = []
        # Threads inside the parts, and parts to be closed once there are none.
        self._lock = threading.Lock()
        self._threads = 0
        self._retired: list[Backend] = []
        self._gather()

    def _gather(self) -> None:
        """Bring the traits up to the parts."""
        parts = self.parts
        self.name = "+".join(dict.fromkeys([part.name for part in parts]))
        self.wants_units = any(part.wants_units for part in parts)
        self.snapshots = all(part.snapshots for part in parts if part.durable == self.durable)
        self.sync_policy = max([part.sync_policy for part in parts], key=_STRICTNESS.__getitem__)
        self._look()

    def _look(self) -> None:
        """See whether any part has run out of room."""
        refusal = ""
        for part in self.parts:
            if part.refusal:
                refusal = part.refusal
        self.refusal = refusal

    # Parts ---------------------------------------------------------------------------------

    def open(self, databases: int) -> list[Database]:
        self.main.limits = self.limits
        self.main.progress = self.progress
        self._databases = self.main.open(databases)
        self._look()
        return list(self._databases)

    def add(self, index: int, part: Backend) -> None:
        """Open one more backend, for a database; where that fails, nothing has changed.

        Not amid a unit. Raises `BackendError`.
        """
        part.limits = self.limits
        part.progress = self.progress
        database = part.open(1)[0]
        self.parts.append(part)
        self.own[index] = (part, database)
        self._gather()

    def remove(self, index: int) -> None:
        """Close the backend of a database, as soon as no thread works in it. Not amid a unit."""
        part, _ = self.own.pop(index)
        self.parts.remove(part)
        self._retired.append(part)
        self._gather()
        self._close_retired()

    def shared(self, index: int) -> Database:
        """The database of a number that ``main`` has."""
        return self._databases[index]

    def _close_retired(self) -> None:
        with self._lock:
            idle = self._threads == 0
        if idle:
            while self._retired:
                self._retired.pop().close()

    def close(self) -> None:
        failure: Exception | None = None
        for part in [*reversed(self.parts), *self._retired]:
            failure = attempt(part.close) or failure
        if failure is not None:
            raise failure

    # Units -----------------------------------------------------------------------------------

    def begin(self) -> None:
        self._open = []
        try:
            for part in self.parts:
                if part.wants_units:
                    part.begin()
                    self._open.append(part)
        except BaseException:
            self.rollback()
            raise
        self._look()

    def commit(self) -> None:
        while self._open:
            self._open[-1].commit()
            self._open.pop()

    def rollback(self) -> None:
        failure: Exception | None = None
        while self._open:
            failure = attempt(self._open.pop().rollback) or failure
        if failure is not None:
            raise failure

    def snapshot(self) -> Snapshot:
        """Of those that are as durable as ``main``; the other databases are as they are now."""
        if not self.snapshots:
            raise BackendError(f"the backend {self.name!r} has no snapshots")
        whole = self.main.snapshot()
        parts = [whole]
        databases = list(whole.databases)
        try:
            for index in self.own:
                part, database = self.own[index]
                if part.durable == self.durable:
                    snapshot = part.snapshot()
                    parts.append(snapshot)
                    database = snapshot.databases[0]
                databases[index] = database
        except BaseException:
            for each in parts:
                each.close()
            raise
        return Snapshots(databases, parts)

    # Work beside commands ------------------------------------------------------------------

    def reclaim(self, budget: int) -> bool:
        if self._retired:
            self._close_retired()
        more = False
        for part in self.parts:
            if part.reclaim(budget):
                more = True
        self._look()
        return more

    def sync(self) -> None:
        self._enter()
        try:
            for part in list(self.parts):
                part.sync()
        finally:
            self._leave()

    def maintain(self) -> None:
        self._enter()
        try:
            for part in list(self.parts):
                part.maintain()
        finally:
            self._leave()

    def _enter(self) -> None:
        with self._lock:
            self._threads += 1

    def _leave(self) -> None:
        with self._lock:
            self._threads -= 1

    def statistics(self) -> dict[str, int]:
        """Those of ``main``; of others what several have, as the sum (what is to be freed)."""
        numbers = dict(self.main.statistics())
        for part in self.parts[1:]:
            for name, value in part.statistics().items():
                if name in ("lazyfree_pending_objects", "lazyfreed_objects"):
                    numbers[name] = numbers.get(name, 0) + value
        return numbers
