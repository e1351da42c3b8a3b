"""What a client has written, and how much of it a server still has."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.support.killing.model import Keys, State
from tests.support.killing.writes import Write


class Lost(AssertionError):
    """A server does not have what it has promised to keep."""


@dataclass(frozen=True)
class Promise:
    """What a server has to have that ended at a moment, and how it is called.

    Acknowledged writes may be missing if they are not ``seconds`` older than the end; with
    ``since`` if they were not acknowledged before that moment (a snapshot's beginning).
    """

    name: str
    seconds: float = 0.0
    since: float | None = None

    def covers(self, acknowledged: float, end: float) -> bool:
        """Whether a write must be there that was acknowledged then."""
        if self.since is not None:
            return acknowledged < self.since
        return acknowledged < end - self.seconds if self.seconds else True


ALWAYS: Final = Promise("always")
EVERYSEC: Final = Promise("everysec", seconds=1.0)


@dataclass(frozen=True)
class Found:
    """What a server has: the databases of each client by its name, read until ``time`` (Unix
    milliseconds), and the list to which transactions of all have pushed their names."""

    databases: Mapping[str, Sequence[Keys]]
    time: int
    witnesses: Sequence[str] = field(default=())


class Ledger:
    """The writes of one client since ``base``, in their order; the last may have no reply.

    ``left`` of them are still there: the most that are possible, once that was resolved.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.base = State()
        self.writes: list[Write] = []
        self.left = 0

    def resolve(self, found: Found, promise: Promise, end: float) -> None:
        """Find how many of the writes are left; `settle` then begins anew from there.

        ``end`` is when the server has ended whose successor has what was found.

        Raises:
            Lost: a reply was wrong; what was promised is missing; or no number of writes in
                their order leads to what is there.
        """
        least = self._least(promise, end)
        own = [each for each in found.witnesses if each.startswith(f"{self.name}:")]
        self.left = -1
        for count, state, passed in self._states():
            if passed == own and state.has(found.databases[self.name], found.time):
                self.left = count
        if self.left < least:
            raise Lost(self._complaint(least, promise, end, self._nearest(found, own)))

    def _states(self) -> Iterator[tuple[int, State, list[str]]]:
        """The state after each number of writes, and the names of its transactions."""
        state = self.base.copy()
        passed: list[str] = []
        yield 0, state, passed
        for count, write in enumerate(self.writes, 1):
            self._repeat(write, state)
            if write.witness and not write.refused:
                passed.append(write.witness)
            yield count, state, passed

    def _nearest(self, found: Found, own: list[str]) -> str:
        """What is wrong after the number of writes that is least wrong, the last of such."""
        least: list[str] = []
        for count, state, passed in self._states():
            wrong = state.differences(found.databases[self.name], found.time)
            if passed != own:
                wrong.append(f"transactions end with {own[-1:]}, not {passed[-1:]}")
            if not least or len(wrong) < len(least):
                least = [f"after {count}", *wrong]
        return ": ".join(least)

    def settle(self) -> State:
        """Begin anew with what is left of the writes; that state."""
        for write in self.writes[: self.left]:
            write.apply(self.base)
        self.writes = []
        self.left = 0
        return self.base.copy()

    def missing(self, end: float) -> tuple[int, float]:
        """How many acknowledged writes are not left, and how old the first was in the end."""
        rest = self.writes[max(self.left, 0) :]
        times = [each.acknowledged for each in rest if each.acknowledged is not None]
        return len(times), max(end - min(times), 0.0) if times else 0.0

    def _least(self, promise: Promise, end: float) -> int:
        """How many writes were promised."""
        covered = [
            count
            for count, write in enumerate(self.writes, 1)
            if write.acknowledged is not None and promise.covers(write.acknowledged, end)
        ]
        return covered[-1] if covered else 0

    def _repeat(self, write: Write, state: State) -> None:
        replies = write.apply(state)
        if write.acknowledged is None or write.refused:
            return
        for request, wanted, given in zip(write.requests, replies, write.replies, strict=True):
            if _unordered(wanted) != _unordered(given):
                raise Lost(
                    f"client {self.name}, write {write.number}: {request} was answered "
                    f"{given!r}, not {wanted!r}"
                )

    def _complaint(self, least: int, promise: Promise, end: float, nearest: str) -> str:
        text = f"client {self.name}, {promise.name}: of {len(self.writes)} writes "
        if self.left < 0:
            return f"{text}no number in their order leads to what is there; nearest, {nearest}"
        return (
            f"{text}{self.left} are left and {least} were promised; the first that is missing was "
            f"acknowledged {self.missing(end)[1]:.3f} s before the end"
        )


def check_order(witnesses: Sequence[str], ledgers: Sequence[Ledger]) -> None:
    """Writes of several clients lie in one order, of which a beginning is left.

    Raises:
        Lost: one of a client is missing before one of another that is there.
    """
    for ledger in ledgers:
        for each in ledger.writes[: ledger.left]:
            if each.place and witnesses[each.place - 1] != each.witness:
                raise Lost(f"{each.witness} is not at {each.place}: the clients' order is broken")


def _unordered(reply: object) -> object:
    """A reply to compare; members of a set come in any order."""
    return sorted(reply) if isinstance(reply, list) else reply
