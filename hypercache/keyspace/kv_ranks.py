"""An index with counts: how many elements lie before a key, and which one has a rank. Persisted.

A skip list (Pugh 1990) whose levels are decided by a hash, so that the same elements always
have the same index, whatever was added and removed on the way. Under the object's prefix:

- level 0, ``00`` place: every element, in the order of its place;
- level n >= 1, ``n`` place: about one element of 16**n; the value counts the elements from
  this one on up to the next one of its level. Each level begins with an entry of no place,
  which counts those before the first.

A rank is summed up from the top, some 16 entries on each level; adding or removing an
element changes one count on each. The extra of the record is the number of levels, one byte.
"""

from struct import Struct
from typing import Final

from mypy_extensions import i64

from hypercache.backend import BackendError
from hypercache.keyspace.kv_handle import Handle
from hypercache.keyspace.layout import after

#: Levels that there may be: one element of 2**32 reaches the last.
TOP: Final = 8
#: Bytes of a name's hash that decide: the ones behind are not random enough.
DIGITS: Final = 5
_TAGS: Final = [bytes((level,)) for level in range(TOP + 2)]
# Entries read at a time.
_STEP: Final = 32
_COUNT: Final = Struct(">Q")
#: The extra of an empty index.
NO_LEVELS: Final = b"\x00"


def zeros(bits: int, most: int) -> int:
    """With how many hexadecimal zeros a number ends, up to so many."""
    found = 0
    while found < most and bits & 15 == 0:
        bits >>= 4
        found += 1
    return found


def level_of(name: bytes) -> int:
    """Up to which level an element with this name is in the index: zeros of its hash."""
    return zeros(int.from_bytes(name[:DIGITS], "big"), TOP)


class RankIndex:
    """The index of one object; every method expects and leaves it consistent.

    A *place* is what an element's key has behind the prefix of its level, never empty. The
    number of elements is the record's length: `add` and `cut` are called before it changes.
    """

    def __init__(self, handle: Handle) -> None:
        self.handle = handle
        self.kv = handle.kv
        self.prefix = handle.prefix

    def level(self, level: int) -> bytes:
        """What the keys of a level begin with; they lie below those of the next one."""
        return self.prefix + _TAGS[level]

    def height(self) -> int:
        """Number of levels above the lowest."""
        return self.handle.record.extra[0]

    def below(self, bound: bytes) -> i64:
        """How many elements have a place below this one."""
        place = b""
        total: i64 = 0
        for level in range(self.height(), 0, -1):
            passed, place = self._walk(level, place, bound)
            total += passed
        return total + self._between(place, bound)

    def start_of(self, rank: i64) -> tuple[bytes, i64]:
        """Where to begin on level 0, and how many to leave out, to get to a rank."""
        place = b""
        left = rank
        for level in range(self.height(), 0, -1):
            prefix = self.level(level)
            found = False
            while not found:
                pairs = self.kv.range(prefix + place, after(prefix), _STEP)
                if not pairs:
                    raise BackendError(f"the store is damaged: an index has no rank {rank}")
                for key, raw in pairs:
                    count = decode_count(raw)
                    place = key[len(prefix) :]
                    if left < count:
                        found = True
                        break
                    left -= count
                if not found:
                    # All of these lie before; the last one's successor comes next.
                    place += b"\x00"
        return place, left

    def add(self, place: bytes, raw: bytes, level: int) -> None:
        """Add an element up to a level; ``raw`` is what level 0 holds."""
        handle = self.handle
        self._raise_to(level)
        distance: i64 = 0
        lower = b""
        for each in range(1, self.height() + 1):
            key, old = self._before(each, place)
            count = decode_count(old)
            if each > level:
                handle.replace(key, _COUNT.pack(count + 1), old)
                continue
            # The elements between the one before on this level and the new one.
            start = key[len(self.level(each)) :]
            if each == 1:
                distance = self._between(start, place)
            else:
                distance += self._walk(each - 1, start, lower + b"\x00")[0]
            lower = start
            handle.replace(key, _COUNT.pack(distance), old)
            handle.add(self.level(each) + place, _COUNT.pack(count + 1 - distance))
        handle.add(self.level(0) + place, raw)

    def cut(self, pairs: list[tuple[bytes, bytes]], top: int) -> None:
        """Remove elements that follow each other, given as they are on level 0.

        None of them reaches beyond the level ``top``.
        """
        handle = self.handle
        skipped = len(self.level(0))
        first = pairs[0][0][skipped:]
        last = pairs[-1][0][skipped:]
        for key, raw in pairs:
            handle.drop(key, raw)
        removed: i64 = len(pairs)
        for level in range(1, self.height() + 1):
            prefix = self.level(level)
            key, old = self._before(level, first)
            count = decode_count(old) - removed
            if level <= top:
                stop = prefix + last + b"\x00"
                for gone, raw in self.kv.range(prefix + first, stop, int(removed)):
                    count += decode_count(raw)
                    handle.drop(gone, raw)
            handle.replace(key, _COUNT.pack(count), old)
        if top >= self.height():
            self._lower_to(handle.record.length - removed)

    def _raise_to(self, level: int) -> None:
        """Begin the levels that a new element is the first on."""
        height = self.height()
        if level <= height:
            return
        for new in range(height + 1, level + 1):
            self.handle.add(self.level(new), _COUNT.pack(self.handle.record.length))
        self.handle.set_extra(bytes((level,)))

    def _lower_to(self, length: i64) -> None:
        """End the levels on which no element is left, of so many in all."""
        height = self.height()
        while height > 0:
            raw = self.kv.get(self.level(height))
            if raw is None or decode_count(raw) != length:
                break
            self.handle.drop(self.level(height), raw)
            height -= 1
        self.handle.set_extra(bytes((height,)))

    def _before(self, level: int, place: bytes) -> tuple[bytes, bytes]:
        """The last entry of a level with a lower place."""
        prefix = self.level(level)
        return self.kv.range(prefix, prefix + place, 1, True)[0]

    def _walk(self, level: int, place: bytes, bound: bytes) -> tuple[i64, bytes]:
        """From an entry of a level to its last one below ``bound``: elements passed, its place."""
        prefix = self.level(level)
        stop = prefix + bound
        total: i64 = 0
        while True:
            pairs = self.kv.range(prefix + place, stop, _STEP)
            for _, raw in pairs[:-1]:
                total += decode_count(raw)
            place = pairs[-1][0][len(prefix) :]
            if len(pairs) < _STEP:
                return total, place

    def _between(self, start: bytes, bound: bytes) -> i64:
        """How many elements have a place from ``start`` on and below ``bound``, counted singly."""
        prefix = self.level(0)
        stop = prefix + bound
        at = prefix + start
        total: i64 = 0
        while True:
            pairs = self.kv.range(at, stop, _STEP)
            total += len(pairs)
            if len(pairs) < _STEP:
                return total
            at = pairs[-1][0] + b"\x00"


def decode_count(raw: bytes) -> i64:
    """What an entry of a level above the lowest counts."""
    return int(_COUNT.unpack(raw)[0])
