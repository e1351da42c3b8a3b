"""Commands that must wait, and the timers that end their waiting.

A command function never waits: it returns a `Wait`, and the engine parks its client, serves
others, and completes the reply when the wait is over. Until then the client's further
requests stay unparsed.
"""

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final

from mypy_extensions import i64, mypyc_attr

if TYPE_CHECKING:
    from hypercache.engine.engine import Engine
    from hypercache.engine.session import Session


@mypyc_attr(allow_interpreted_subclasses=True)
class Wait:
    """Something to wait for. ``deadline`` is in Unix microseconds, 0 for none.

    ``on_gates``: it may be over when a sink of the journal is safe further than before.
    Inside a transaction nobody waits: EXEC takes `reply` at once.
    """

    deadline: i64
    on_gates: bool

    def __init__(self, deadline: i64, on_gates: bool = False) -> None:
        self.deadline = deadline
        self.on_gates = on_gates

    def is_over(self, engine: "Engine") -> bool:
        """Whether the awaited has happened; asked when a sink or an awaited key has changed."""
        raise NotImplementedError

    def reply(self, engine: "Engine") -> object:
        """The reply once the wait is over or its deadline has passed."""
        raise NotImplementedError


class Parked:
    """A client that waits, and for what.

    ``over`` once it has been answered or has gone; ``silent`` when CLIENT REPLY wants no
    answer; ``timed`` while its deadline is among the `Timers`.
    """

    def __init__(self, session: "Session", wait: Wait) -> None:
        self.session = session
        self.wait = wait
        self.over = False
        self.silent = False
        self.timed = False


# Deadlines of waits that are over are cleared away when there are so many, and half of all.
_CLUTTER: Final = 64


class Timers:
    """Deadlines of parked clients, earliest first.

    Most waits end before their deadline (a client that blocks for an hour gets its element
    at once, again and again): those deadlines are left in the heap until they are many.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Parked]] = []
        self._count = 0
        self._over = 0

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, deadline: int, parked: Parked) -> bool:
        """Add a deadline; True when it is now the earliest."""
        parked.timed = True
        heappush(self._heap, (deadline, self._count, parked))
        self._count += 1
        return self._heap[0][2] is parked

    def end(self, parked: Parked) -> None:
        """A wait is over: forget its deadline."""
        parked.over = True
        if not parked.timed:
            return
        self._over += 1
        if self._over >= _CLUTTER and self._over * 2 >= len(self._heap):
            self._heap = [item for item in self._heap if not item[2].over]
            heapify(self._heap)
            self._over = 0

    def next_deadline(self) -> int:
        """The earliest deadline of a client still waiting, -1 when there is none."""
        while self._heap and self._heap[0][2].over:
            self._pop()
        return self._heap[0][0] if self._heap else -1

    def pop_due(self, now: int) -> Parked | None:
        """A client whose deadline has passed, or None."""
        while self._heap and (self._heap[0][2].over or self._heap[0][0] <= now):
            parked = self._pop()
            if not parked.over:
                return parked
        return None

    def _pop(self) -> Parked:
        parked = heappop(self._heap)[2]
        parked.timed = False
        if parked.over:
            self._over -= 1
        return parked
