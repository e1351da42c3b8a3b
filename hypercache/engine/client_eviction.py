"""Clients are cut off when all of them together hold too much memory (maxmemory-clients).

A client's memory is looked at whenever it may have grown or shrunk: after its batch, when it is
sent a message, when something has left. So the sum is always known, and nobody ever has to look
at all clients. They stand in buckets by size, each twice the one before; who is cut off comes
from the bucket of the largest, and there from who came first, until the sum is below the limit.

Source: Redis' evictClients and updateClientMemUsageAndBucket.
"""

from typing import TYPE_CHECKING, Final

from mypy_extensions import i64

from hypercache.engine.buffers import client_memory

if TYPE_CHECKING:
    from hypercache.engine.engine import Engine
    from hypercache.engine.session import Session

# The smallest limit: with less not even a client could be served that raises it.
SMALLEST: Final[i64] = 128 * 1024
# Clients of up to so many bytes, as a power of two, are in the first bucket; the last is open.
_FIRST: Final[i64] = 15
_LAST: Final[i64] = 33
# In no bucket: a client that is not to be evicted.
_NOWHERE: Final[i64] = -1


class Account:
    """What a client's memory was when it was looked at last, and the bucket that it is in."""

    __slots__ = ("bucket", "memory")

    def __init__(self) -> None:
        self.memory: i64 = 0
        self.bucket: i64 = _NOWHERE


class ClientEviction:
    """The memory of all clients, while there is a limit: only then they have accounts.

    ``limit`` is in bytes, 0 for none. ``due``: the clients' memory has reached it.
    """

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self.limit: i64 = 0
        self.total: i64 = 0
        self.due = False
        # By number, in the order in which they came into the bucket.
        self._buckets: list[dict[int, Session]] = [{} for _ in range(_LAST - _FIRST + 1)]

    def set_limit(self, limit: i64) -> None:
        """maxmemory-clients has changed: to so many bytes, 0 for no limit."""
        if limit > 0:
            limit = max(limit, SMALLEST)
        if (limit > 0) != (self.limit > 0):
            self.limit = limit
            for session in self.engine.sessions.values():
                if limit > 0:
                    self.join(session)
                else:
                    self.leave(session)
        self.limit = limit
        self.due = 0 < limit <= self.total

    def join(self, session: "Session") -> None:
        """A client has come, or a limit has been set."""
        if self.limit > 0:
            session.account = Account()
            self.update(session, session.account)

    def leave(self, session: "Session") -> None:
        """A client has gone, or there is no limit any more."""
        account = session.account
        if account is not None:
            session.account = None
            self._move(session, account, _NOWHERE)
            self.total -= account.memory
            self.due = 0 < self.limit <= self.total

    def update(self, session: "Session", account: Account) -> None:
        """A client's memory may have changed."""
        memory = client_memory(session)
        self.total += memory - account.memory
        account.memory = memory
        bucket: i64 = _NOWHERE
        if not session.no_evict:
            bucket = 0
            memory >>= _FIRST
            while memory > 0 and bucket < _LAST - _FIRST:
                memory >>= 1
                bucket += 1
        if bucket != account.bucket:
            self._move(session, account, bucket)
        self.due = 0 < self.limit <= self.total

    def _move(self, session: "Session", account: Account, bucket: i64) -> None:
        if account.bucket != _NOWHERE:
            del self._buckets[account.bucket][session.id]
        if bucket != _NOWHERE:
            self._buckets[bucket][session.id] = session
        account.bucket = bucket

    def evict(self) -> None:
        """Cut off the largest clients until the memory of those that stay is below the limit.

        Called between commands. Where nobody is left who may be cut off, nothing helps.
        """
        for bucket in reversed(self._buckets):
            while bucket and self.due:
                self._cut_off(next(iter(bucket.values())))
        self.due = False

    def _cut_off(self, session: "Session") -> None:
        account = session.account
        fields: dict[str, object] = {"client": session.address, "id": session.id}
        if account is not None:
            fields["bytes"] = int(account.memory)
        self.engine.counters.evicted_clients += 1
        self.engine.delivery.drop(session)
        self.engine.reporter.report("warning", "client_evicted", fields)
