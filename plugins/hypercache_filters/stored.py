"""Where a filter lies: in a string, as HyperLogLogs do, and edited in place.

So every backend, file, replica and DUMP has filters without knowing of them. GET shows the bytes;
a string that is no filter of the kind that a command wants gets WRONGTYPE.
"""

from typing import Final

from librt.strings import BytesWriter, read_i64_le, write_i64_le
from mypy_extensions import i64

from hypercache.backend import Entry, StringValue
from hypercache.keyspace.changes import REFRESHED
from hypercache.keyspace.keyspace import WRONG_TYPE, Keyspace
from hypercache.reply import ErrorReply

NOT_FOUND: Final = "ERR not found"
EXISTS: Final = "ERR item exists"
NO_MEMORY: Final = "ERR Insufficient memory to create filter"
#: A string may be as long as this, so may a filter.
MAX_BYTES: Final[i64] = 512 << 20
#: Bytes of one number.
NUMBER: Final[i64] = 8
#: As many bytes of a filter come with one SCANDUMP.
CHUNK: Final[i64] = 10 << 20

# Of which a command with many items keeps copies, and how many at the most: 16 MB.
_PAGE: Final[i64] = 4096
_MOST_PAGES: Final = 4096

_BYTES: Final = [bytes((number,)) for number in range(256)]


class Stored:
    """The bytes of a filter under a key. The first write begins an edit of the string.

    Between `hold` and `release` it works on copies of pages: an ordered store writes a whole page
    for each byte that changes, and a thousand items change each page many times.
    """

    def __init__(self, db: Keyspace, key: bytes, entry: Entry) -> None:
        self._db = db
        self._key = key
        self._entry = entry
        self._value: StringValue | None = None
        self._holding = False
        self._pages: dict[int, bytearray] = {}
        self._changed: set[int] = set()
        self.length: i64 = db.text_length(entry)

    def hold(self) -> None:
        """Write no more before `release`, which must follow whatever happens."""
        self._holding = True

    def release(self) -> None:
        """Write what was held back."""
        self._holding = False
        self._flush()

    def _flush(self) -> None:
        for number in sorted(self._changed):
            self._write(number * _PAGE, bytes(self._pages[number]))
        self._changed.clear()
        self._pages.clear()

    def _page(self, number: i64) -> bytearray:
        """The copy of a page."""
        page = self._pages.get(int(number))
        if page is None:
            if len(self._pages) >= _MOST_PAGES:
                self._flush()
            page = bytearray(self._read(number * _PAGE, min((number + 1) * _PAGE, self.length)))
            self._pages[int(number)] = page
        return page

    def read(self, start: i64, stop: i64) -> bytes:
        """Bytes ``start <= i < stop``, which are there."""
        if self._holding:
            number = start // _PAGE
            if start < stop <= (number + 1) * _PAGE:
                return bytes(self._page(number)[start - number * _PAGE : stop - number * _PAGE])
            self._flush()
        return self._read(start, stop)

    def _read(self, start: i64, stop: i64) -> bytes:
        value = self._value
        if value is None:
            return self._db.part(self._entry, start, stop)
        return value.read(int(start), int(stop))

    def byte(self, at: i64) -> i64:
        """One byte as a number."""
        return i64(self.read(at, at + 1)[0])

    def number(self, at: i64) -> i64:
        """A number of eight bytes; raises WRONGTYPE where the string ends before."""
        if at + NUMBER > self.length:
            raise ErrorReply(WRONG_TYPE)
        return read_i64_le(self.read(at, at + NUMBER), 0)

    def write(self, at: i64, data: bytes) -> None:
        """Overwrite bytes, or go on behind the last."""
        stop = at + i64(len(data))
        if self._holding:
            number = at // _PAGE
            if stop <= min((number + 1) * _PAGE, self.length):
                self._page(number)[at - number * _PAGE : stop - number * _PAGE] = data
                self._changed.add(int(number))
                return
            self._flush()
        self._write(at, data)
        self.length = max(self.length, stop)

    def _write(self, at: i64, data: bytes) -> None:
        if self._value is None:
            self._value = self._db.edit_string(self._key, REFRESHED)
        self._value.write(int(at), data)

    def set_byte(self, at: i64, byte: i64) -> None:
        """Overwrite one byte."""
        self.write(at, _BYTES[byte])

    def set_number(self, at: i64, number: i64) -> None:
        """Overwrite a number."""
        self.write(at, encoded([int(number)]))

    def extend(self, length: i64) -> None:
        """Zero bytes follow, until the string has this length."""
        self.write(length - 1, b"\x00")


def encoded(numbers: list[int]) -> bytes:
    """Numbers as eight bytes each, the lowest first."""
    out = BytesWriter()
    for number in numbers:
        write_i64_le(out, i64(number))
    return out.getvalue()


def found(db: Keyspace, key: bytes, magic: bytes) -> Stored | None:
    """The filter of a kind under a key, None for no key; WRONGTYPE for anything else."""
    entry = db.view_any(key)
    if entry is None:
        return None
    if db.part(entry, 0, len(magic)) != magic:
        raise ErrorReply(WRONG_TYPE)
    return Stored(db, key, entry)


def made(db: Keyspace, key: bytes, head: bytes, length: i64) -> Stored:
    """A new filter under a key that is not there: its head, and zero bytes."""
    if length > MAX_BYTES:
        raise ErrorReply(NO_MEMORY)
    value = db.edit_string(key, REFRESHED)
    value.write(0, head)
    if length > len(head):
        value.write(int(length) - 1, b"\x00")
    entry = db.find(key)
    assert entry is not None
    return Stored(db, key, entry)


def require_absent(db: Keyspace, key: bytes, magic: bytes) -> None:
    """Raises the error of a key that is there: a filter of this kind, or anything else."""
    if found(db, key, magic) is not None:
        raise ErrorReply(EXISTS)
