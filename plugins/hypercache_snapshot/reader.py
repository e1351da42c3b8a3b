"""Native snapshots into the engine, step by step, each frame checked before it is believed."""

from pathlib import Path

from mypy_extensions import i32, i64

from hypercache.backend import NO_EXPIRE, STREAM, STRING
from hypercache.persistence.errors import LoadError
from hypercache.persistence.loader import Loader
from hypercache_snapshot.contents import StreamRows, content_of
from hypercache_snapshot.format import (
    END,
    HEAD,
    HEADER_BYTES,
    ITEMS,
    PIECE,
    FormatError,
    Header,
    number_in,
    text_in,
)
from hypercache_snapshot.frames import FrameReader
from hypercache_snapshot.rows import ACCESS, DEADLINE, LIBRARIES
from hypercache_snapshot.tables import NO_ACCESS, Table, Texts, whole


class Head:
    """What a snapshot says of itself: Unix microseconds, the journal's offset, the server that
    wrote it, bytes of the data in memory, keys in all, and what the access clocks mean."""

    def __init__(self, item: object) -> None:
        self.time: i64 = number_in(item, "time")
        self.offset: i64 = number_in(item, "offset")
        self.memory: i64 = number_in(item, "memory")
        self.server = text_in(item, "server")
        self.policy = text_in(item, "policy")
        self.keys: i64 = 0
        databases = item.get("databases") if isinstance(item, dict) else None
        if not isinstance(databases, dict):
            raise FormatError("'databases' is missing")
        for sizes in databases.values():
            if not isinstance(sizes, list) or not sizes:
                raise FormatError("'databases' has no sizes")
            self.keys += whole(sizes[0])


class _OpenValue:
    """A value of which more rows are to come; ``dropped`` when it has expired."""

    def __init__(self, kind: int, stream: StreamRows | None, dropped: bool) -> None:
        self.kind = kind
        self.stream = stream
        self.dropped = dropped
        self.rows = 1


class SnapshotReader:
    """Reads a file for a loader, or, without one, only checks it.

    ``loaded`` is the offset of what is read next, of ``size`` bytes; ``keys`` have been read.
    Raises `LoadError` which names the file and the offset, and OSError.
    """

    def __init__(self, path: Path, loader: Loader | None) -> None:
        """Opens the file and reads its head."""
        self.path = path
        self.loader = loader
        self.keys: i64 = 0
        self.libraries: list[bytes] = []
        self._frames = FrameReader(path)
        self._number = 0
        self._texts = Texts()
        self._open: dict[tuple[int, bytes], _OpenValue] = {}
        self._counts: dict[int, int] = {}
        self.size: i64 = self._frames.size
        try:
            self.head = self._read_head()
        except FormatError as error:
            self.close()
            raise self._error(str(error)) from error
        except BaseException:
            self.close()
            raise
        self.loaded: i64 = self._frames.position

    def step(self, budget: i64) -> bool:
        """Load about ``budget`` bytes as they are uncompressed, at least a frame.

        False once the end was read and everything is there.
        """
        left: i64 = budget
        try:
            while left > 0:
                header = self._next(0)
                if header.kind == END:
                    self._read_end(self._frames.item(header))
                    self.loaded = self._frames.position
                    return False
                self._read(header.kind, self._frames.item(header))
                left -= header.item + HEADER_BYTES
        except FormatError as error:
            raise self._error(str(error)) from error
        except LoadError as error:
            raise self._error(str(error)) from error
        self.loaded = self._frames.position
        return True

    def close(self) -> None:
        """Give the file back; again changes nothing."""
        self._frames.close()

    def _error(self, text: str) -> LoadError:
        return LoadError(
            f"{self.path}: damaged at offset {self._frames.offset}: {text}"
            f" ('hypercache check snapshot {self.path} --fix' repairs what it can)"
        )

    def _next(self, kind: int) -> Header:
        header = self._frames.next_header()
        if header.number != self._number:
            raise FormatError(f"the frame {self._number} is missing")
        if kind and header.kind != kind:
            raise FormatError("the first frame is no head")
        self._number += 1
        return header

    def _read_head(self) -> Head:
        self._frames.preamble()
        return Head(self._frames.item(self._next(HEAD)))

    def _read(self, kind: int, item: object) -> None:
        if kind == PIECE:
            self._texts.add(item)
            return
        if kind != ITEMS or not isinstance(item, list):
            raise FormatError("a frame is of an unknown kind")
        for each in item:
            table = Table(each)
            if table.of == STRING and not table.layout & ACCESS:
                self._load_strings(table)
            else:
                while table.next():
                    self._load_row(table)

    def _load_strings(self, table: Table) -> None:
        """A table of strings without access clocks: nearly all keys there are."""
        rows = table.rows
        database = table.database
        loader = self.loader
        stride: i64 = 3 if table.layout & DEADLINE else 2
        count: i64 = len(rows) // stride
        if count * stride != len(rows):
            raise FormatError("a row is cut off")
        expire: i64 = NO_EXPIRE
        at: i64 = 0
        while at < len(rows):
            key = rows[at]
            text = rows[at + 1]
            if not isinstance(key, bytes):
                key = self._texts.text(key)
            if not isinstance(text, bytes):
                text = self._texts.text(text)
            if stride == 3:
                expire = _deadline(rows[at + 2])
            if loader is not None and not loader.is_expired(expire):
                loader.string(database, key, text, expire)
            at += stride
        self._count(database, count)

    def _load_row(self, table: Table) -> None:
        if table.of == LIBRARIES:
            self.libraries.append(self._texts.text(table.rows[table.elements]))
        elif table.first:
            key = self._texts.text(table.key)
            self._count(table.database, 1)
            self._load_first(table, key, _deadline(table.expire))
        else:
            self._load_more(table, self._texts.text(table.key))

    def _load_first(self, table: Table, key: bytes, expire: i64) -> None:
        loader = self.loader
        dropped = loader is None or loader.is_expired(expire)
        if table.kind == STRING:
            text = self._texts.text(table.rows[table.elements])
            if loader is not None and not dropped:
                loader.string(table.database, key, text, expire)
        else:
            stream = StreamRows() if table.kind == STREAM else None
            content = content_of(table, self._texts, stream)
            if loader is not None and not dropped:
                loader.content(table.database, key, content, expire)
            if not table.last:
                place = (table.database, key)
                if place in self._open:
                    raise FormatError("a key is there twice")
                self._open[place] = _OpenValue(table.kind, stream, dropped)
        if loader is not None and not dropped and table.access != NO_ACCESS:
            self._set_access(loader, table, key)

    def _load_more(self, table: Table, key: bytes) -> None:
        place = (table.database, key)
        value = self._open.get(place)
        if value is None or value.kind != table.kind or value.rows != table.number:
            raise FormatError("a part of a value is missing")
        content = content_of(table, self._texts, value.stream)
        if self.loader is not None and not value.dropped:
            self.loader.more(table.database, key, content)
        value.rows += 1
        if table.last:
            del self._open[place]

    def _set_access(self, loader: Loader, table: Table, key: bytes) -> None:
        """What a policy has noted that is not selected now changes nothing."""
        access: i64 = table.access
        if self.head.policy == "lfu":
            counter = loader.engine.changes.frequency.counter(i32(access & 0xFFFFFF))
            loader.accessed(table.database, key, -1, counter)
        elif self.head.policy == "lru":
            loader.accessed(table.database, key, access if access > 0 else 0, -1)

    def _count(self, database: int, count: i64) -> None:
        if database < 0:
            raise FormatError("a database has a negative number")
        self.keys += count
        self._counts[database] = self._counts.get(database, 0) + count

    def _read_end(self, item: object) -> None:
        frames = self._frames
        keys = item.get("keys") if isinstance(item, dict) else None
        if keys != self._counts or number_in(item, "frames") != self._number - 1:
            raise FormatError("there are not as many keys as there were")
        if self._open or self._texts.waiting():
            raise FormatError("a part of a value is missing")
        if number_in(item, "bytes") != frames.offset or (
            number_in(item, "time") != self.head.time
            or number_in(item, "offset") != self.head.offset
        ):
            raise FormatError("the end belongs to another snapshot")
        if frames.position != frames.size:
            raise FormatError(f"there are {frames.size - frames.position} bytes behind the end")
        if self.loader is not None:
            self.loader.libraries(self.libraries)


def _deadline(item: object) -> int:
    deadline = whole(item)
    if deadline < NO_EXPIRE:
        raise FormatError("a deadline is negative")
    return deadline
