"""The rows of a snapshot's tables, and texts that were in pieces, checked as they are read."""

from typing import Final

from mypy_extensions import i64

from hypercache.values import NO_EXPIRE, STRING
from hypercache_snapshot.format import FormatError
from hypercache_snapshot.rows import (
    ACCESS,
    DEADLINE,
    FIRST,
    LIBRARIES,
    MORE,
)

#: What `Table.access` is where a row has none.
NO_ACCESS: Final = -1


class Table:
    """A table, and one row of it after the other: `next`.

    Of the row that was read last: ``start`` and ``stop`` in ``rows``, ``key`` (as it stands
    there: see `Texts.text`), ``expire``, ``access``; ``first`` and ``last``, whether it is the
    first and the last of its value; ``kind`` of the value, ``database``, ``number`` among the
    value's rows; where its text or its elements begin, ``elements``, up to ``stop``.
    """

    def __init__(self, item: object) -> None:
        if not isinstance(item, list) or len(item) != 4:
            raise FormatError("a table has not the four parts of one")
        self.of = whole(item[0])
        self.layout = whole(item[1])
        self.database = whole(item[2])
        rows = item[3]
        if not isinstance(rows, list) or not 0 <= self.of <= MORE or self.layout >> 3:
            raise FormatError("a table is of an unknown kind")
        self.rows: list[object] = rows
        self.kind = self.of
        self.start: i64 = 0
        self.stop: i64 = 0
        self.elements: i64 = 0
        self.key: object = None
        self.expire: i64 = NO_EXPIRE
        self.access: i64 = NO_ACCESS
        self.number = 0
        self.first = True
        self.last = True

    def next(self) -> bool:
        """Read the next row; False when there is none. Raises `FormatError`."""
        if self.stop == len(self.rows):
            return False
        try:
            self._read()
        except IndexError as error:
            raise FormatError("a row is cut off") from error
        return True

    def _read(self) -> None:
        rows = self.rows
        at: i64 = self.stop
        self.start = at
        self.key = rows[at]
        at += 1
        if self.of == MORE:
            self.database = whole(rows[at])
            self.kind = whole(rows[at + 1])
            self.number = whole(rows[at + 2])
            self.first = False
            self.last = rows[at + 3] is True
            at += 4
        else:
            self.last = not self.layout & FIRST
            if self.layout & DEADLINE:
                # Of strings it stands behind the text.
                place = at + 1 if self.of == STRING else at
                self.expire = whole(rows[place])
            if self.layout & ACCESS:
                place = at + (1 if self.layout & DEADLINE else 0)
                self.access = whole(rows[place + 1 if self.of == STRING else place])
        if self.of == STRING or self.of == LIBRARIES:
            self.elements = at if self.of == STRING else self.start
            self.stop = self.elements + 1
            if self.of == STRING:
                self.stop += self._extras()
            return
        if self.of != MORE:
            at += self._extras()
        count: i64 = whole(rows[at])
        self.elements = at + 1
        self.stop = self.elements + count
        if count < 0 or self.stop > len(rows):
            raise FormatError("a row is cut off")

    def _extras(self) -> i64:
        """How many numbers there are besides the key and what it holds."""
        return (1 if self.layout & DEADLINE else 0) + (1 if self.layout & ACCESS else 0)


class Texts:
    """Texts that come in pieces, until a row refers to them."""

    def __init__(self) -> None:
        self._pieces: dict[int, list[bytes]] = {}

    def add(self, item: object) -> None:
        """A piece; raises `FormatError`."""
        if not isinstance(item, list) or len(item) != 3 or not isinstance(item[2], bytes):
            raise FormatError("a piece has not the three parts of one")
        pieces = self._pieces.setdefault(whole(item[0]), [])
        if whole(item[1]) != len(pieces):
            raise FormatError("a piece of a text is missing")
        pieces.append(item[2])

    def text(self, item: object) -> bytes:
        """The text that an item of a row stands for; raises `FormatError`."""
        if isinstance(item, bytes):
            return item
        if not isinstance(item, list) or len(item) != 2:
            raise FormatError("something else stands where a text belongs")
        pieces = self._pieces.pop(whole(item[0]), [])
        if len(pieces) != whole(item[1]):
            raise FormatError("a piece of a text is missing")
        return b"".join(pieces)

    def waiting(self) -> int:
        """Number of texts that no row has referred to yet."""
        return len(self._pieces)


def whole(item: object) -> int:
    """A number; raises `FormatError`."""
    if not isinstance(item, int) or not -(1 << 63) <= item < 1 << 63:
        raise FormatError("something else stands where a number belongs")
    return item


def fraction(item: object) -> float:
    """A score; raises `FormatError`."""
    if isinstance(item, float):
        if item != item:
            raise FormatError("a score is not a number")
        return item
    return float(whole(item))
