"""The encoder of native snapshots: keys gathered in flat tables, a frame at a time."""

from collections import deque
from typing import Final, cast

import cbor2
import zstandard
from mypy_extensions import i64

from hypercache import __version__
from hypercache.backend import NO_EXPIRE, STRING, Entry, StringValue, Value
from hypercache.persistence.encoder import Encoder, Origin, ValueParts
from hypercache_snapshot.elements import Elements, elements_of
from hypercache_snapshot.format import (
    END,
    FRAME_BYTES,
    HEAD,
    ITEMS,
    PIECE,
    PREAMBLE,
    ROW_BYTES,
    TEXT_BYTES,
    frame,
)
from hypercache_snapshot.rows import ACCESS, DEADLINE, FIRST, LIBRARIES, MORE

#: Level of zstd: 1 and 2 are faster than what they compress can be gathered.
LEVEL: Final = 1

# Elements of a small container, taken at once; bytes of a string for each element asked for, and
# from which on one that does not change is not taken at once either.
_ALL: Final[i64] = 1 << 20
_STRING_STEP: Final[i64] = 1024
_LONG_STRING: Final = 1 << 20
# What an item takes besides its bytes, at most.
_OVERHEAD: Final[i64] = 9


class NativeEncoder(Encoder):
    """Writes the format of `hypercache_snapshot.format`.

    The server's thread gathers rows and makes CBOR of them (`take`), the writer's compresses
    (`finish`). ``keys`` are those of each database so far.
    """

    def __init__(self, level: int = LEVEL) -> None:
        self.keys: dict[int, int] = {}
        self._origin = Origin(0, 0, 0, {}, [])
        # Tables by database, kind and layout; the rows of `MORE`; bytes of all of these.
        self._tables: dict[int, list[object]] = {}
        self._more: list[object] = []
        self._size: i64 = 0
        # Those of strings without and with a deadline in the database of the last one, and how
        # many were put there that ``keys`` does not count yet.
        self._database = -1
        self._strings: list[object] = []
        self._with_deadlines: list[object] = []
        self._counted: i64 = 0
        self._access = False
        # What is to be taken, and of which kind what was taken is: `finish` looks there.
        self._out: list[bytes] = []
        self._pending = 0
        self._kinds: deque[int] = deque()
        self._texts = 0
        # Of the writer's thread.
        self._compressor = zstandard.ZstdCompressor(level=level)
        self._frames = 0
        self._bytes = 0

    # Encoder ---------------------------------------------------------------------------------

    def begin(self, origin: Origin) -> None:
        self._origin = origin
        self._access = origin.policy != ""
        head = {
            "time": origin.time,
            "offset": origin.offset,
            "server": __version__,
            "memory": origin.used_memory,
            "policy": origin.policy,
            "databases": {number: list(sizes) for number, sizes in origin.sizes.items()},
        }
        self._emit(HEAD, head)
        for source in origin.libraries:
            self._table(0, LIBRARIES, 0).append(self.text(source))
            self._grow(len(source))

    def key(self, database: int, key: bytes, entry: Entry) -> None:
        value = entry.value
        if not isinstance(value, bytes):
            self._value(database, key, entry, cast(Value, value))
            return
        size: i64 = len(key) + len(value)
        if size >= TEXT_BYTES or self._access:
            self._string(database, key, self.text(value), entry)
            self._count(database)
        else:
            if database != self._database:
                self._enter(database)
            if entry.expire == NO_EXPIRE:
                rows = self._strings
                rows.append(key)
                rows.append(value)
            else:
                rows = self._with_deadlines
                rows.append(key)
                rows.append(value)
                rows.append(entry.expire)
            self._counted += 1
        self._grow(size + _OVERHEAD)

    def long_string(self) -> int:
        return _LONG_STRING

    def open(self, database: int, key: bytes, entry: Entry) -> ValueParts:
        value = entry.value
        if isinstance(value, (bytes, StringValue)):
            return _StringParts(self, database, key, entry)
        elements = elements_of(cast(Value, value), self)
        return _ContainerParts(self, database, key, entry, elements)

    def end(self) -> None:
        self._flush()

    def pending(self) -> int:
        return self._pending

    def take(self) -> list[bytes]:
        taken = self._out
        self._out = []
        self._pending = 0
        return taken

    def finish(self, chunk: bytes) -> bytes:
        made = frame(self._kinds.popleft(), self._frames, chunk, self._compressor)
        if self._frames == 0:
            made = PREAMBLE + made
        self._frames += 1
        self._bytes += len(made)
        return made

    def trailer(self) -> bytes:
        end = {
            "keys": self.keys,
            "frames": self._frames,
            "bytes": self._bytes,
            "time": self._origin.time,
            "offset": self._origin.offset,
        }
        return frame(END, self._frames, cbor2.dumps(end), self._compressor)

    # Rows ------------------------------------------------------------------------------------

    def row(
        self, database: int, key: bytes, kind: int, entry: Entry, elements: list[object], last: bool
    ) -> None:
        """The only, or the first, row of a container."""
        layout = 0 if last else FIRST
        if entry.expire != NO_EXPIRE:
            layout |= DEADLINE
        if self._access:
            layout |= ACCESS
        rows = self._table(database, kind, layout)
        rows.append(self.text(key))
        if layout & DEADLINE:
            rows.append(entry.expire)
        if layout & ACCESS:
            rows.append(self._access_of(database, entry))
        rows.append(len(elements))
        rows += elements
        self._count(database)
        self._grow(len(key) + 3 * _OVERHEAD)

    def more(
        self, database: int, key: bytes, kind: int, number: int, elements: list[object], last: bool
    ) -> None:
        """Another row of a container."""
        self._more += (self.text(key), database, kind, number, last, len(elements))
        self._more += elements
        self._grow(len(key) + 5 * _OVERHEAD)

    def string_row(self, database: int, key: bytes, text: object, entry: Entry) -> None:
        """The row of a string whose text is in pieces already."""
        self._string(database, key, text, entry)
        self._count(database)
        self._grow(len(key) + 3 * _OVERHEAD)

    def text(self, text: bytes) -> object:
        """What stands for a text in a row."""
        return text if len(text) < TEXT_BYTES else self.in_pieces(text)

    def in_pieces(self, text: bytes) -> object:
        """Write a text in pieces; what stands for it in a row."""
        number = self.begin_text()
        count = 0
        for start in range(0, len(text), FRAME_BYTES):
            self.piece(number, count, text[start : start + FRAME_BYTES])
            count += 1
        return [number, count]

    def begin_text(self) -> int:
        """The number of a text that comes in pieces."""
        self._texts += 1
        return self._texts - 1

    def piece(self, text: int, number: int, part: bytes) -> None:
        """A piece of a text."""
        self._emit(PIECE, [text, number, part])

    def grow(self, size: i64) -> None:
        """So many bytes were put into a row that has not been written yet."""
        self._size += size

    # -----------------------------------------------------------------------------------------

    def _value(self, database: int, key: bytes, entry: Entry, value: Value) -> None:
        """A value that is not in parts: hardly ever it is too long for one row."""
        if value.kind == STRING:
            text = cast(StringValue, value)
            self.string_row(database, key, self.text(text.read(0, text.length())), entry)
            return
        parts = _ContainerParts(self, database, key, entry, elements_of(value, self))
        while parts.write(_ALL):
            pass

    def _string(self, database: int, key: bytes, text: object, entry: Entry) -> None:
        layout = 0
        if entry.expire != NO_EXPIRE:
            layout |= DEADLINE
        if self._access:
            layout |= ACCESS
        rows = self._table(database, STRING, layout)
        rows.append(self.text(key))
        rows.append(text)
        if layout & DEADLINE:
            rows.append(entry.expire)
        if layout & ACCESS:
            rows.append(self._access_of(database, entry))

    def _access_of(self, database: int, entry: Entry) -> int:
        """Seconds since the last access, or the bits of `Frequency` as they are."""
        if self._origin.policy == "lru":
            return max(int(self._origin.policies[database].idle(entry)), 0)
        return entry.access

    def _count(self, database: int, count: i64 = 1) -> None:
        self.keys[database] = self.keys.get(database, 0) + count

    def _enter(self, database: int) -> None:
        self._leave()
        self._database = database
        self._strings = self._table(database, STRING, 0)
        self._with_deadlines = self._table(database, STRING, DEADLINE)

    def _leave(self) -> None:
        """Count the strings that were gathered without looking at their database."""
        if self._counted:
            self._count(self._database, self._counted)
        self._counted = 0
        self._database = -1

    def _table(self, database: int, kind: int, layout: int) -> list[object]:
        code = database << 8 | kind << 4 | layout
        table = self._tables.get(code)
        if table is None:
            table = []
            self._tables[code] = table
        return table

    def _grow(self, size: i64) -> None:
        self._size += size
        if self._size >= FRAME_BYTES:
            self._flush()

    def _flush(self) -> None:
        """Close the frame."""
        self._leave()
        tables: list[object] = []
        for code, rows in self._tables.items():
            if rows:
                tables.append([code >> 4 & 15, code & 15, code >> 8, rows])
        if self._more:  # behind the rows that they continue
            tables.append([MORE, 0, 0, self._more])
        if tables:
            self._emit(ITEMS, tables)
        self._tables = {}
        self._more = []
        self._size = 0

    def _emit(self, kind: int, item: object) -> None:
        encoded = cbor2.dumps(item)
        self._kinds.append(kind)
        self._out.append(encoded)
        self._pending += len(encoded)


class _ContainerParts(ValueParts):
    """Rows of a container: each is written when it is known whether it is the last."""

    def __init__(
        self, encoder: NativeEncoder, database: int, key: bytes, entry: Entry, elements: Elements
    ) -> None:
        self._encoder = encoder
        self._database = database
        self._key = key
        self._entry = entry
        self._elements = elements
        self._row: list[object] = []
        self._size: i64 = 0
        self._rows = 0

    def write(self, count: i64) -> bool:
        elements = self._elements
        flat = elements.take(count)
        at: i64 = 0
        length: i64 = len(flat)
        row = self._row
        size: i64 = self._size
        while at < length:
            if size >= ROW_BYTES:
                self._size = size
                self._write_row(False)
                row = self._row
                size = 0
            stop: i64 = at + elements.width(flat, at)
            while at < stop:
                item = flat[at]
                if isinstance(item, bytes):
                    if len(item) >= TEXT_BYTES:
                        item = self._encoder.in_pieces(item)
                    else:
                        size += len(item)
                row.append(item)
                size += _OVERHEAD
                at += 1
        self._size = size
        if elements.ended:
            self._write_row(True)
        return not elements.ended

    def _write_row(self, last: bool) -> None:
        encoder = self._encoder
        encoder.grow(self._size)
        kind = self._elements.kind
        if self._rows == 0:
            encoder.row(self._database, self._key, kind, self._entry, self._row, last)
        else:
            encoder.more(self._database, self._key, kind, self._rows, self._row, last)
        self._rows += 1
        self._row = []
        self._size = 0


class _StringParts(ValueParts):
    """Pieces of a long string; one that is edited in place may be short, and is no pieces then."""

    def __init__(self, encoder: NativeEncoder, database: int, key: bytes, entry: Entry) -> None:
        self._encoder = encoder
        self._database = database
        self._key = key
        self._entry = entry
        value = entry.value
        self._value: object = value
        self._length: i64 = (
            len(value) if isinstance(value, bytes) else cast(StringValue, value).length()
        )
        self._number = -1
        self._pieces = 0
        self._at: i64 = 0

    def write(self, count: i64) -> bool:
        encoder = self._encoder
        text: object
        if self._length < TEXT_BYTES:
            text = self._read(0, self._length)
        else:
            if self._number < 0:
                self._number = encoder.begin_text()
            stop = min(self._at + min(count * _STRING_STEP, FRAME_BYTES), self._length)
            encoder.piece(self._number, self._pieces, self._read(self._at, stop))
            self._pieces += 1
            self._at = stop
            if stop < self._length:
                return True
            text = [self._number, self._pieces]
        encoder.string_row(self._database, self._key, text, self._entry)
        return False

    def _read(self, start: i64, stop: i64) -> bytes:
        value = self._value
        if isinstance(value, bytes):
            return value[start:stop]
        return cast(StringValue, value).read(start, stop)
