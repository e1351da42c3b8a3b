"""Faults on purpose: a plan of what fails when, and a store that follows it.

    plan = FaultPlan()
    backend = KVBackend(FaultyKV(SortedDictKV(), plan))
    plan.raise_at(3, BackendFull("no room left"), call="put")

Whoever has a store of another kind asks the plan himself, once before each of its calls:
``plan.reached("write")``.
"""

import threading
from collections.abc import Callable
from typing import Final

import attrs

from hypercache.keyspace.ordered import OrderedKV


@attrs.define
class _Fault:
    """What happens at some call, and how many times more."""

    call: str
    number: int
    times: int
    error: Exception | None = None
    stall: Callable[[], object] | None = None

    def is_due(self, call: str) -> bool:
        """Count a call; whether this happens now."""
        if self.call not in ("", call):
            return False
        self.number -= 1
        if self.number > 0 or self.times == 0:
            return False
        self.times -= 1
        return True


class FaultPlan:
    """Which calls of a store fail, stall, or answer too little.

    Calls are numbered from 1, counted from when the fault is planned; ``call`` restricts a
    fault to the calls of one name, and ``times`` lets so many in a row have it. ``calls`` counts
    all calls so far, ``happened`` the faults. Calls may come from several threads.
    """

    def __init__(self) -> None:
        self.calls = 0
        self.happened = 0
        self._faults: list[_Fault] = []
        self._lock = threading.Lock()

    def raise_at(self, number: int, error: Exception, *, call: str = "", times: int = 1) -> None:
        """Let a call raise before it does anything."""
        self._faults.append(_Fault(call, number, times, error=error))

    def stall_at(
        self, number: int, until: Callable[[], object], *, call: str = "", times: int = 1
    ) -> None:
        """Let a call wait until ``until`` returns, and then go on as if nothing had been."""
        self._faults.append(_Fault(call, number, times, stall=until))

    def shorten_at(self, number: int, *, call: str = "", times: int = 1) -> None:
        """Let a call answer less than there is, or store less than it is given."""
        self._faults.append(_Fault(call, number, times))

    def forget(self) -> None:
        """Let nothing fail any more."""
        self._faults.clear()

    def reached(self, call: str) -> bool:
        """A call is made: it raises, or stalls, if that is planned; True: it is to be short."""
        with self._lock:
            self.calls += 1
            due = [fault for fault in self._faults if fault.is_due(call)]
            self.happened += len(due)
        for fault in due:
            if fault.stall is not None:
                fault.stall()
            elif fault.error is not None:
                raise fault.error
        return any(fault.stall is None for fault in due)


#: Names of the calls of a `FaultyKV` that a plan knows. Opening, rolling back and closing go
#: through: nobody could do anything about them.
KV_CALLS: Final = (
    "get",
    "range",
    "put",
    "exchange",
    "delete",
    "delete_range",
    "begin",
    "commit",
    "snapshot",
    "sync",
    "maintain",
)


class FaultyKV(OrderedKV):
    """An ordered store that hands every call on to another one, unless its plan says otherwise.

    Where it raises, it keeps the contract: nothing was done, and after a `commit` the transaction
    is over and undone. Where it is to be short it breaks the contract: `get` and `exchange` lose
    the last byte of what they answer, `range` the last pair, `put` and `exchange` the last byte of
    what they are given, and `delete`, `delete_range` and `commit` claim to have done what they
    have not.
    """

    def __init__(self, kv: OrderedKV, plan: FaultPlan) -> None:
        super().__init__()
        self.kv = kv
        self.plan = plan
        self._take_traits()

    def _take_traits(self) -> None:
        self.max_key_size = self.kv.max_key_size
        self.durable = self.kv.durable
        self.pair_overhead = self.kv.pair_overhead
        self.snapshots = self.kv.snapshots
        self.sync_policy = self.kv.sync_policy
        self.refusal = self.kv.refusal

    def open(self) -> None:
        self.kv.open()
        self._take_traits()

    def close(self) -> None:
        self.kv.close()

    def get(self, key: bytes) -> bytes | None:
        short = self.plan.reached("get")
        value = self.kv.get(key)
        return value[:-1] if short and value is not None else value

    def range(
        self, start: bytes, stop: bytes, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        short = self.plan.reached("range")
        pairs = self.kv.range(start, stop, limit, reverse)
        return pairs[:-1] if short else pairs

    def put(self, key: bytes, value: bytes) -> None:
        short = self.plan.reached("put")
        self.kv.put(key, value[:-1] if short else value)

    def exchange(self, key: bytes, value: bytes) -> bytes | None:
        if not self.plan.reached("exchange"):
            return self.kv.exchange(key, value)
        old = self.kv.exchange(key, value[:-1])
        return None if old is None else old[:-1]

    def delete(self, key: bytes) -> bool:
        return True if self.plan.reached("delete") else self.kv.delete(key)

    def delete_range(self, start: bytes, stop: bytes, limit: int) -> int:
        if not self.plan.reached("delete_range"):
            return self.kv.delete_range(start, stop, limit)
        return len(self.kv.range(start, stop, limit))

    def begin(self) -> None:
        self.plan.reached("begin")
        self.kv.begin()
        self.refusal = self.kv.refusal

    def commit(self) -> None:
        try:
            short = self.plan.reached("commit")
        except BaseException:
            self.kv.rollback()
            raise
        if short:
            self.kv.rollback()
        else:
            self.kv.commit()

    def rollback(self) -> None:
        self.kv.rollback()

    def snapshot(self) -> OrderedKV:
        self.plan.reached("snapshot")
        return self.kv.snapshot()

    def sync(self) -> None:
        self.plan.reached("sync")
        self.kv.sync()

    def maintain(self) -> None:
        self.plan.reached("maintain")
        self.kv.maintain()

    def statistics(self) -> dict[str, int]:
        return self.kv.statistics()
