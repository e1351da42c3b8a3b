"""Keys in the order of their deadlines, to within a few milliseconds, at O(1) a change.

A two-level calendar: deadlines lie in buckets of 1,024 ms, and a bucket that is reached is
spread over buckets of 16 ms. So adding, removing and finding what is due cost the same for
ten keys and for ten million, and a TTL that is renewed all the time leaves nothing behind
(a heap would keep one stale item a renewal). Only bucket numbers go through heaps.
"""

from heapq import heappop, heappush
from typing import Final

from mypy_extensions import i64

from hypercache.backend import NO_EXPIRE

COARSE_SHIFT: Final[i64] = 10
FINE_SHIFT: Final[i64] = 4
STALE_NUMBERS: Final = 64
_TRIES: Final[i64] = 8


class Deadlines:
    """The deadlines (Unix time in milliseconds) of one database's volatile keys."""

    def __init__(self) -> None:
        self.count: i64 = 0
        self._coarse: dict[int, set[bytes]] = {}
        self._fine: dict[int, set[bytes]] = {}
        self._coarse_numbers: list[int] = []
        self._fine_numbers: list[int] = []
        # Coarse buckets up to this number are spread, or being spread, over fine ones.
        self._opened: i64 = -1

    def add(self, key: bytes, deadline: i64) -> None:
        """Add a key that is not here yet."""
        self.count += 1
        if deadline >> COARSE_SHIFT > self._opened:
            self._put(self._coarse, self._coarse_numbers, deadline >> COARSE_SHIFT, key)
        else:
            self._put(self._fine, self._fine_numbers, deadline >> FINE_SHIFT, key)

    def _put(self, buckets: dict[int, set[bytes]], numbers: list[int], n: i64, key: bytes) -> None:
        number: int = n
        bucket = buckets.get(number)
        if bucket is None:
            buckets[number] = {key}
            heappush(numbers, number)
            if len(numbers) > 2 * len(buckets) + STALE_NUMBERS:
                # Buckets that emptied before their time have left their numbers behind.
                numbers[:] = sorted(buckets)
        else:
            bucket.add(key)

    def remove(self, key: bytes, deadline: i64) -> None:
        """Remove a key that was added with this deadline."""
        self.count -= 1
        # A bucket that is being spread may hold the key on either level.
        if not self._take(self._coarse, deadline >> COARSE_SHIFT, key):
            self._take(self._fine, deadline >> FINE_SHIFT, key)

    def _take(self, buckets: dict[int, set[bytes]], n: i64, key: bytes) -> bool:
        number: int = n
        bucket = buckets.get(number)
        if bucket is None or key not in bucket:
            return False
        bucket.discard(key)
        if not bucket:
            del buckets[number]
        return True

    def due(self, now: i64, limit: int, deadlines: "DeadlineLookup") -> list[bytes]:
        """Up to ``limit`` keys past their deadline, earliest buckets first."""
        self._open(now, limit, deadlines)
        found: list[bytes] = []
        last: i64 = now >> FINE_SHIFT
        skipped: list[int] = []
        while self._fine_numbers and self._fine_numbers[0] < last and len(found) < limit:
            number = heappop(self._fine_numbers)
            bucket = self._fine.get(number)
            if bucket is None or (skipped and skipped[-1] == number):
                continue  # stale: the bucket went, or went and came back under a second number
            skipped.append(number)
            for key in bucket:
                if len(found) >= limit:
                    break
                found.append(key)
        # The buckets stay until the caller has unlinked their keys.
        for number in skipped:
            heappush(self._fine_numbers, number)
        return found

    def _open(self, now: i64, limit: int, deadlines: "DeadlineLookup") -> None:
        """Spread coarse buckets that have been reached, ``limit`` keys at a time."""
        budget = limit
        current: i64 = now >> COARSE_SHIFT
        while self._coarse_numbers and self._coarse_numbers[0] <= current and budget > 0:
            number = self._coarse_numbers[0]
            if number > self._opened:
                self._opened = number
            bucket = self._coarse.get(number)
            while bucket and budget > 0:
                key = bucket.pop()
                deadline = deadlines.deadline_of(key)
                self._put(self._fine, self._fine_numbers, deadline >> FINE_SHIFT, key)
                budget -= 1
            if not bucket:
                heappop(self._coarse_numbers)
                if bucket is not None:
                    del self._coarse[number]

    def sample(self, pick: i64) -> bytes | None:
        """Any key, roughly by chance; None when there is none."""
        buckets = self._coarse or self._fine
        if not buckets:
            return None
        numbers = self._coarse_numbers if self._coarse else self._fine_numbers
        bucket: set[bytes] | None = None
        turn: i64 = 0
        while bucket is None and turn < _TRIES:  # some numbers have lost their buckets
            number = numbers[(pick + turn) % len(numbers)]
            bucket = buckets.get(number)
            turn += 1
        if not bucket:
            bucket = next(iter(buckets.values()))
        # A set takes its members out in turn, so this goes round all of them.
        key = bucket.pop()
        bucket.add(key)
        return key


class DeadlineLookup:
    """Where the deadline of a present key is looked up."""

    def deadline_of(self, key: bytes) -> i64:
        """The deadline of a volatile key."""
        raise NotImplementedError


class NotedDeadlines(DeadlineLookup):
    """A calendar of few keys that keeps their deadlines itself: those of hashes' fields."""

    def __init__(self) -> None:
        self.noted: dict[bytes, int] = {}
        self._calendar = Deadlines()

    def deadline_of(self, key: bytes) -> i64:
        return self.noted[key]

    def note(self, key: bytes, deadline: i64) -> None:
        """Note a key's deadline, in the place of an earlier one."""
        if self.noted.get(key, NO_EXPIRE) == deadline:
            return
        self.forget(key)
        number: int = deadline
        self.noted[key] = number
        self._calendar.add(key, deadline)

    def forget(self, key: bytes) -> i64:
        """The deadline that was noted for a key, or `NO_EXPIRE`; it is no longer."""
        deadline = self.noted.pop(key, None)
        if deadline is None:
            return NO_EXPIRE
        self._calendar.remove(key, deadline)
        return deadline

    def due(self, now: i64, limit: int) -> list[bytes]:
        """Up to ``limit`` keys past their deadline."""
        return self._calendar.due(now, limit, self) if self.noted else []
