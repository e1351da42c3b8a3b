"""The kit of policies is worth something only if it finds what is wrong: each bug by its rule."""

from collections.abc import Callable

import pytest

from hypercache.eviction import NO_EXPIRE, Entry, EvictionPolicy, Place
from hypercache.testing import ConformanceError, check_policy, policy_checks


class Fifo(EvictionPolicy):
    """A policy as anybody would write it: keys go in the order in which they came."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.follows_keys = True
        self.queue: dict[bytes, None] = {}

    def added(self, key: bytes, entry: Entry) -> None:
        self.queue.setdefault(key)

    def removed(self, key: bytes, entry: Entry) -> None:
        self.queue.pop(key, None)

    def cleared(self) -> None:
        self.queue.clear()

    def victim(self) -> bytes | None:
        for key in self.queue:
            del self.queue[key]
            self.queue[key] = None
            return key
        return None

    def check(self) -> list[str]:
        size = self.place.database.size()
        return [f"{len(self.queue)} keys, {size} are there"] if len(self.queue) > size else []


class FromTomorrow(Fifo):
    contract = 2


class NamesWhatHasGone(Fifo):
    def removed(self, key: bytes, entry: Entry) -> None:
        """Forgets to forget."""

    def check(self) -> list[str]:
        return []


class StopsTooSoon(Fifo):
    def victim(self) -> bytes | None:
        return super().victim() if len(self.queue) > 3 else None


class ForgetsWhatItNamed(Fifo):
    def victim(self) -> bytes | None:
        key = super().victim()
        if key is not None:
            del self.queue[key]
        return key


class LooksAtAll(Fifo):
    def victim(self) -> bytes | None:
        entries = [self.place.database.find(key) for key in self.queue]
        return super().victim() if entries else None


class BelievesInDeadlines(Fifo):
    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.volatile = True

    def added(self, key: bytes, entry: Entry) -> None:
        if entry.expire != NO_EXPIRE:
            super().added(key, entry)


class TrustsAdoption(Fifo):
    def added(self, key: bytes, entry: Entry) -> None:
        assert key not in self.queue
        super().added(key, entry)


class LosesCount(Fifo):
    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.count = 0

    def added(self, key: bytes, entry: Entry) -> None:
        if key not in self.queue:
            self.count += 1
        super().added(key, entry)

    def removed(self, key: bytes, entry: Entry) -> None:
        self.count -= self.count % 16 != 15
        super().removed(key, entry)

    def cleared(self) -> None:
        self.count = 0
        super().cleared()

    def check(self) -> list[str]:
        return [] if self.count == len(self.queue) else ["the count is wrong"]


class NeverForgets(Fifo):
    def cleared(self) -> None:
        """Keeps all keys."""

    def check(self) -> list[str]:
        return []


class IdleForLess(Fifo):
    def idle(self, entry: Entry) -> int:
        return int(self.place.seconds) - entry.access - 200


BUGS: list[tuple[str, Callable[[Place], EvictionPolicy]]] = [
    ("traits", FromTomorrow),
    ("empty_store", NamesWhatHasGone),
    ("everything_goes", StopsTooSoon),
    ("asked_in_vain", ForgetsWhatItNamed),
    ("bounded_work", LooksAtAll),
    ("deadlines_change", BelievesInDeadlines),
    ("adoption", TrustsAdoption),
    ("random_history", LosesCount),
    ("begun_anew", NeverForgets),
    ("figures", IdleForLess),
]
CHECKS = {check.name: check for check in policy_checks()}


@pytest.mark.parametrize(("name", "broken"), BUGS, ids=[name for name, _ in BUGS])
def test_bug_is_found_by_its_rule(name: str, broken: Callable[[Place], EvictionPolicy]) -> None:
    with pytest.raises(ConformanceError) as caught:
        CHECKS[name].run(broken)
    assert caught.value.check == name
    assert caught.value.rule == CHECKS[name].rule


def test_every_rule_finds_something() -> None:
    assert [name for name, _ in BUGS] == list(CHECKS)


def test_a_simple_policy_keeps_the_contract() -> None:
    check_policy(Fifo)
