"""Cuckoo filters (Fan et al., CoNEXT 2014): items can be counted and removed again.

A fingerprint of a byte lies in one of two buckets; where both are full one of theirs has to move
to its other bucket, and so on. Where that does not end, another table follows the last. The
string is

    magic, bucket size, iterations, expansion, tables, items, deleted, buckets of the first table,
    then the tables, a byte for each place of each bucket (0: free)

with numbers of eight bytes. Table n has ``expansion ** n`` times as many buckets as the first.
"""

from typing import Final

from librt.strings import read_i64_le
from mypy_extensions import i64

from hypercache.keyspace.keyspace import WRONG_TYPE, Keyspace
from hypercache.reply import ErrorReply
from hypercache_filters import hashing
from hypercache_filters.stored import MAX_BYTES, NO_MEMORY, NUMBER, Stored, encoded, made

MAGIC: Final = b"\x00HCcuck1"
HEAD: Final[i64] = 8 * NUMBER
#: Tables of one filter.
MAX_TABLES: Final[i64] = 32
# Places in the head.
_TABLES: Final[i64] = 4 * NUMBER
_ITEMS: Final[i64] = 5 * NUMBER
_DELETED: Final[i64] = 6 * NUMBER
# What a fingerprint moves its bucket by.
_SPREAD: Final[i64] = 0x5BD1E995
_PLACES: Final[i64] = (1 << 40) - 1
# Items that a head may tell of, and moves that one command may try: a third of a second.
_MOST: Final[i64] = 1 << 60
_PATIENCE: Final[i64] = 1 << 20


class Table:
    """One table: where it begins, and how many buckets it has, a power of two."""

    def __init__(self, at: i64, buckets: i64) -> None:
        self.at = at
        self.buckets = buckets


class Cuckoo:
    """A filter in a string. Raises WRONGTYPE for a string that only looks like one."""

    def __init__(self, stored: Stored) -> None:
        self.stored = stored
        self._patience: i64 = _PATIENCE
        if stored.length < HEAD:
            raise ErrorReply(WRONG_TYPE)
        head = stored.read(0, HEAD)
        self.bucket_size = read_i64_le(head, NUMBER)
        self.iterations = read_i64_le(head, 2 * NUMBER)
        self.expansion = read_i64_le(head, 3 * NUMBER)
        self.items = read_i64_le(head, _ITEMS)
        self.deleted = read_i64_le(head, _DELETED)
        self.buckets = read_i64_le(head, 7 * NUMBER)
        count = read_i64_le(head, _TABLES)
        if not is_sane(head) or count > MAX_TABLES:
            raise ErrorReply(WRONG_TYPE)
        self.tables: list[Table] = []
        at: i64 = HEAD
        buckets = self.buckets
        while len(self.tables) < count and at <= stored.length:
            self.tables.append(Table(at, buckets))
            at += buckets * self.bucket_size
            buckets *= self.expansion
        if at != stored.length or len(self.tables) < count:
            raise ErrorReply(WRONG_TYPE)

    # Looking -----------------------------------------------------------------------------

    def _bucket(self, table: Table, index: i64) -> i64:
        """Where a bucket begins."""
        return table.at + (index & (table.buckets - 1)) * self.bucket_size

    def count(self, item: bytes) -> int:
        """How often an item was probably added."""
        hashed = hashing.first(item)
        mark = fingerprint(hashed)
        total = 0
        for table in self.tables:
            first = self._bucket(table, hashed & _PLACES)
            second = self._bucket(table, other(hashed & _PLACES, mark))
            total += self._times(first, mark)
            if second != first:
                total += self._times(second, mark)
        return total

    def _times(self, at: i64, mark: i64) -> int:
        return self.stored.read(at, at + self.bucket_size).count(int(mark))

    def _place(self, at: i64, mark: i64) -> i64:
        """Where a fingerprint, or with 0 a free place, is in a bucket; -1 for nowhere."""
        found: i64 = self.stored.read(at, at + self.bucket_size).find(int(mark))
        return at + found if found >= 0 else -1

    def is_exhausted(self) -> bool:
        """Whether it has grown as often as it may, and has hardly any place left."""
        last = self.tables[-1]
        places = last.at + last.buckets * self.bucket_size - HEAD
        return len(self.tables) >= MAX_TABLES and self.items >= places - places // 8

    # Changing ----------------------------------------------------------------------------

    def add(self, item: bytes) -> bool:
        """Add an item once more; False where there is no room left."""
        hashed = hashing.first(item)
        mark = fingerprint(hashed)
        index = hashed & _PLACES
        number: i64 = len(self.tables)
        while number > 0:
            number -= 1
            if self._put(self.tables[number], index, mark):
                return True
        if self._displace(self.tables[-1], index, mark):
            return True
        if self.expansion == 0 or not self._grow():
            return False
        return self._put(self.tables[-1], index, mark)

    def _put(self, table: Table, index: i64, mark: i64) -> bool:
        place = self._place(self._bucket(table, index), 0)
        if place < 0:
            place = self._place(self._bucket(table, other(index, mark)), 0)
        if place < 0:
            return False
        self.stored.set_byte(place, mark)
        self._added()
        return True

    def _added(self) -> None:
        self.items += 1
        self.stored.set_number(_ITEMS, self.items)

    def _displace(self, table: Table, index: i64, mark: i64) -> bool:
        """Let others make room. The way is found first: where there is none, nothing is written."""
        stored = self.stored
        moved: dict[int, int] = {}  # what each place on the way will have
        turn: i64 = 0
        while turn < self.iterations and self._patience > 0:
            self._patience -= 1
            place = self._bucket(table, index) + turn % self.bucket_size
            displaced: i64 = moved.get(int(place), -1)
            if displaced < 0:
                displaced = stored.byte(place)
            moved[int(place)] = int(mark)
            mark = displaced
            index = other(index & (table.buckets - 1), mark)
            free = self._place(self._bucket(table, index), 0)
            if free >= 0:
                moved[int(free)] = int(mark)
                for at, byte in moved.items():
                    stored.set_byte(at, byte)
                self._added()
                return True
            turn += 1
        return False

    def _grow(self) -> bool:
        if len(self.tables) >= MAX_TABLES:
            return False
        buckets = self.tables[-1].buckets * self.expansion
        table = Table(self.stored.length, buckets)
        length = table.at + buckets * self.bucket_size
        if length > MAX_BYTES:
            return False
        self.stored.extend(length)
        self.tables.append(table)
        self.stored.set_number(_TABLES, len(self.tables))
        return True

    def remove(self, item: bytes) -> bool:
        """Take an item out once; False if it is not there."""
        hashed = hashing.first(item)
        mark = fingerprint(hashed)
        index = hashed & _PLACES
        number: i64 = len(self.tables)
        while number > 0:
            number -= 1
            table = self.tables[number]
            place = self._place(self._bucket(table, index), mark)
            if place < 0:
                place = self._place(self._bucket(table, other(index, mark)), mark)
            if place >= 0:
                self.stored.set_byte(place, 0)
                if self.items > 0:  # a filter that was loaded in parts may have had more
                    self.items -= 1
                self.deleted += 1
                self.stored.set_number(_ITEMS, self.items)
                self.stored.set_number(_DELETED, self.deleted)
                return True
        return False

    # Moving elsewhere ----------------------------------------------------------------------

    def head(self) -> bytes:
        """What SCANDUMP gives first."""
        return self.stored.read(0, HEAD)

    def chunk(self, start: i64, size: i64) -> bytes:
        """Bytes of the tables."""
        if start >= self.stored.length - HEAD:
            return b""
        return self.stored.read(HEAD + start, HEAD + start + size)

    def load(self, start: i64, data: bytes) -> bool:
        """Overwrite such bytes; False if there are none there."""
        if start > self.stored.length - HEAD - len(data):
            return False
        self.stored.write(HEAD + start, data)
        return True


def fingerprint(hashed: i64) -> i64:
    """A byte of an item's hash that is not 0."""
    return (hashed >> 40) % 255 + 1


def other(index: i64, mark: i64) -> i64:
    """The other bucket of a fingerprint, from either of both."""
    return (index ^ (mark * _SPREAD)) & _PLACES


def is_sane(head: bytes) -> bool:
    """Whether the numbers in a head can be those of a filter."""
    bucket_size = read_i64_le(head, NUMBER)
    expansion = read_i64_le(head, 3 * NUMBER)
    tables = read_i64_le(head, _TABLES)
    buckets = read_i64_le(head, 7 * NUMBER)
    return (
        0 < bucket_size <= 255
        and 0 < read_i64_le(head, 2 * NUMBER) <= 65535
        and 0 <= expansion <= 32768
        and expansion & (expansion - 1) == 0
        and 0 < tables <= MAX_TABLES
        and (tables == 1 or expansion > 0)
        and 0 < buckets <= MAX_BYTES
        and buckets & (buckets - 1) == 0
        and 0 <= read_i64_le(head, _ITEMS) <= _MOST
        and 0 <= read_i64_le(head, _DELETED) <= _MOST
    )


def power_of_two(number: i64) -> i64:
    """The least power of two that is not below a number."""
    power: i64 = 1
    while power < number:
        power *= 2
    return power


def create(
    db: Keyspace, key: bytes, capacity: i64, bucket_size: i64, iterations: i64, expansion: i64
) -> Cuckoo:
    """A new filter with room for so many items."""
    buckets = power_of_two((capacity + bucket_size - 1) // bucket_size)
    if expansion > 0:
        expansion = power_of_two(expansion)
    numbers = [bucket_size, iterations, expansion, 1, 0, 0, buckets]
    head = MAGIC + encoded([int(number) for number in numbers])
    return Cuckoo(made(db, key, head, HEAD + buckets * bucket_size))


def create_from(db: Keyspace, key: bytes, head: bytes) -> bool:
    """A filter from what `Cuckoo.head` gave, its tables empty; False where that cannot be."""
    if len(head) != HEAD or head[:NUMBER] != MAGIC or not is_sane(head):
        return False
    expansion = read_i64_le(head, 3 * NUMBER)
    buckets = read_i64_le(head, 7 * NUMBER)
    length = HEAD
    for _ in range(read_i64_le(head, _TABLES)):
        if buckets > MAX_BYTES:
            raise ErrorReply(NO_MEMORY)
        length += buckets * read_i64_le(head, NUMBER)
        if length > MAX_BYTES:
            raise ErrorReply(NO_MEMORY)
        buckets *= expansion
    made(db, key, head, length)
    return True
