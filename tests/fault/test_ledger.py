"""What tests/support/killing says of servers that keep less than they promised."""

from collections.abc import Callable
from typing import Final

import pytest

from tests.support.killing.ledger import (
    ALWAYS,
    EVERYSEC,
    Found,
    Ledger,
    Lost,
    Promise,
    check_order,
)
from tests.support.killing.model import State
from tests.support.killing.writes import Source, Write

NOW: Final = 1_800_000_000_000
WRITES: Final = 200
NOTHING: Final = Promise("nothing", since=0.0)


class Played:
    """A client's writes, a millisecond after each other, and a server that keeps some of them."""

    def __init__(self) -> None:
        self.ledger = Ledger("a")
        self.server = State()
        self.witnesses: list[str] = []
        source = Source("played", "a", (1, 2))
        for number in range(WRITES):
            write = source.next(NOW + number)
            write.acknowledged = number / 1000
            self.ledger.writes.append(write)
        state = State()
        for write in self.ledger.writes:
            write.replies = write.apply(state)

    def keep(self, write: Write) -> None:
        """The server has this write."""
        write.apply(self.server)
        self.witnesses += [write.witness] if write.witness else []

    def resolve(self, promise: Promise = ALWAYS, later: int = 0) -> None:
        found = Found({"a": self.server.databases}, NOW + WRITES + later, self.witnesses)
        self.ledger.resolve(found, promise, WRITES / 1000)


@pytest.fixture
def played() -> Played:
    return Played()


def last(played: Played, fits: Callable[[Write], bool]) -> Write:
    return [write for write in played.ledger.writes if fits(write)][-1]


def test_all_is_there(played: Played) -> None:
    for write in played.ledger.writes:
        played.keep(write)
    played.resolve()
    assert played.ledger.left == WRITES
    assert played.ledger.settle().databases == played.server.databases


def test_what_was_not_acknowledged_may_be_there_or_not(played: Played) -> None:
    for write in played.ledger.writes[-5:]:
        write.acknowledged = None
    for write in played.ledger.writes[:-2]:
        played.keep(write)
    played.resolve()
    assert played.ledger.left == WRITES - 2


@pytest.mark.parametrize("kept", [WRITES - 1, WRITES - 150, 0])
def test_the_last_are_missing(played: Played, kept: int) -> None:
    for write in played.ledger.writes[:kept]:
        played.keep(write)
    played.resolve(EVERYSEC)
    assert played.ledger.missing(WRITES / 1000)[0] == WRITES - kept
    with pytest.raises(Lost, match=f"{kept} are left and {WRITES} were promised"):
        played.resolve()
    with pytest.raises(Lost, match=f"{WRITES} were promised; the first that is missing was"):
        played.resolve(Promise("a tenth of a millisecond", seconds=0.0001))


def test_what_a_snapshot_promises(played: Played) -> None:
    for write in played.ledger.writes[:100]:
        played.keep(write)
    played.resolve(Promise("snapshot", since=0.1))
    with pytest.raises(Lost, match="101 were promised"):
        played.resolve(Promise("snapshot", since=0.1005))


def test_one_is_missing_before_others(played: Played) -> None:
    counted = last(played, lambda write: write.requests[0][0] == "INCRBY")
    assert counted.number < WRITES
    for write in played.ledger.writes:
        if write is not counted:
            played.keep(write)
    with pytest.raises(Lost, match="no number in their order"):
        played.resolve(NOTHING)


def test_a_torn_transaction(played: Played) -> None:
    torn = last(played, lambda write: write.in_transaction)
    for write in played.ledger.writes[: torn.number - 1]:
        played.keep(write)
    played.keep(Write(torn.number, torn.requests[:-1], witness=torn.witness, wall=torn.wall))
    with pytest.raises(Lost, match="no number in their order"):
        played.resolve(NOTHING)


def test_a_transaction_without_its_witness(played: Played) -> None:
    for write in played.ledger.writes:
        played.keep(write)
    gone = played.witnesses.pop(-2)
    with pytest.raises(Lost, match="transactions end with"):
        played.resolve()
    assert gone.startswith("a:")


@pytest.mark.parametrize("kind", "sne")
def test_a_deadline_that_is_lost(played: Played, kind: str) -> None:
    """Those far away, and those of keys that should have expired."""
    for write in played.ledger.writes:
        played.keep(write)
    held = State()
    assert played.server.databases != held.databases
    for keys in played.server.databases:
        for key, each in keys.items():
            if key.startswith(kind):
                each.deadline = None if each.deadline else (NOW * 2, NOW * 2)
    with pytest.raises(Lost):
        played.resolve()


def test_expired_keys(played: Played) -> None:
    """They may be gone as soon as it is time, and not before."""
    for write in played.ledger.writes:
        played.keep(write)
    short = {
        key
        for keys in played.server.databases
        for key, held in keys.items()
        if held.deadline and held.deadline[1] < NOW + 3_000
    }
    assert short
    for keys in played.server.databases:
        for key in short & keys.keys():
            del keys[key]
    played.resolve(later=3_000)
    with pytest.raises(Lost):
        played.resolve(later=-WRITES)


def test_a_wrong_reply(played: Played) -> None:
    counted = last(played, lambda write: write.requests[0][0] == "INCRBY")
    counted.replies[0] = -1
    with pytest.raises(Lost, match="was answered -1"):
        played.resolve()


def test_the_order_of_clients(played: Played) -> None:
    for write in played.ledger.writes:
        played.keep(write)
    for write in played.ledger.writes:
        if write.witness:
            write.place = played.witnesses.index(write.witness) + 1
    played.resolve()
    check_order(played.witnesses, [played.ledger])
    with pytest.raises(Lost, match="the clients' order is broken"):
        check_order(["b:1", *played.witnesses[:-1]], [played.ledger])
