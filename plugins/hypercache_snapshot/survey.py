# mypyc: interpreted
"""What of a damaged snapshot is left: every frame that is whole, and every value that is."""

from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Final

import attrs
import cbor2

from hypercache.backend_tools import Progress
from hypercache_snapshot.format import (
    END,
    HEAD,
    HEADER_BYTES,
    ITEMS,
    MARK,
    PIECE,
    FormatError,
    Header,
    number_in,
    parse_header,
)
from hypercache_snapshot.frames import FrameReader
from hypercache_snapshot.reader import Head
from hypercache_snapshot.rows import LIBRARIES
from hypercache_snapshot.tables import Table, Texts, whole

# Bytes that are looked through at a time for the next frame.
_WINDOW: Final = 1 << 20

#: A value: its database and its key. A row: its frame (an index in `Survey.frames`), table, row.
_Place = tuple[int, bytes]
_Row = tuple[int, int, int]


@attrs.define
class Survey:
    """What is left, and what is not.

    ``damage`` says in words what is wrong, with offsets. ``frames`` are offset and header of
    those of rows and pieces that are whole, in their order; ``dropped`` are rows in them that are
    of no use, because a part of their value is missing; ``texts`` the numbers of those that are
    needed; ``keys`` by database those that are whole, ``torn`` the names of some that are not.
    ``head`` and ``end`` are None where they are damaged.
    """

    damage: list[str] = attrs.field(factory=list)
    frames: list[tuple[int, Header]] = attrs.field(factory=list)
    dropped: set[_Row] = attrs.field(factory=set)
    texts: set[int] = attrs.field(factory=set)
    keys: Counter[int] = attrs.field(factory=Counter)
    torn: list[_Place] = attrs.field(factory=list)
    head: dict[str, object] | None = None
    end: dict[str, object] | None = None

    def keys_before(self) -> int | None:
        """How many keys there were, where that is still known."""
        if self.end is not None:
            counts = self.end.get("keys")
            return sum(map(whole, counts.values())) if isinstance(counts, dict) else None
        return None if self.head is None else int(Head(self.head).keys)


def survey(path: Path, progress: Progress) -> Survey:
    """Look through a whole file. Raises OSError, and `FormatError` where it is no snapshot."""
    reader = FrameReader(path)
    try:
        return _Surveyor(reader, progress).run()
    finally:
        reader.close()


@attrs.define
class _Value:
    """The rows of a value that has several, as far as they were found."""

    rows: list[_Row] = attrs.field(factory=list)
    ended: bool = False
    torn: bool = False


class _Surveyor:
    def __init__(self, reader: FrameReader, progress: Progress) -> None:
        self._reader = reader
        self._progress = progress
        self._found = Survey()
        self._number = 0
        self._texts = Texts()
        self._values: dict[_Place, _Value] = {}
        # The texts that a row refers to.
        self._references: dict[_Row, list[int]] = {}
        self._ended = False

    def run(self) -> Survey:
        reader = self._reader
        try:
            reader.preamble()
        except FormatError as error:
            if not self._seek_frame(1):
                raise
            self._found.damage.append(f"offset 0: {error}")
        while reader.position < reader.size and not self._ended:
            self._progress("check", int(reader.position), int(reader.size))
            header: Header | None = None
            try:
                header = reader.next_header()
                self._take(header, reader.item(header))
            except (FormatError, cbor2.CBORDecodeError) as error:
                self._go_on(header, str(error))
        self._look_at_end()
        self._sort_out()
        self._progress("check", int(reader.size), int(reader.size))
        return self._found

    def _go_on(self, header: Header | None, reason: str) -> None:
        """Behind damage: to where the header says that the next frame is, else to the next mark."""
        reader = self._reader
        offset = int(reader.offset)
        after = offset + 1
        if header is not None and offset + HEADER_BYTES + header.payload <= reader.size:
            after = int(offset + HEADER_BYTES + header.payload)
            self._number = int(header.number) + 1
        if not self._seek_frame(after):
            reader.seek(reader.size)
        self._found.damage.append(f"offset {offset}: {reason}")

    def _seek_frame(self, start: int) -> bool:
        """Go to the first frame from an offset on that has a good header; False without one."""
        reader = self._reader
        reader.seek(start)
        while reader.position < reader.size:
            window = reader.read(_WINDOW + HEADER_BYTES)
            at = window.find(MARK)
            while 0 <= at < _WINDOW:
                with suppress(FormatError):
                    parse_header(window[at : at + HEADER_BYTES])
                    reader.seek(reader.position + at)
                    return True
                at = window.find(MARK, at + 1)
            reader.seek(reader.position + _WINDOW)
        return False

    def _take(self, header: Header, item: object) -> None:
        """A whole frame."""
        offset = int(self._reader.offset)
        number = int(header.number)
        if number < self._number:
            raise FormatError(f"the frame {number} stands here once more")
        if number > self._number and not self._found.damage:
            self._found.damage.append(
                f"offset {offset}: {number - self._number} frames before this one are missing"
            )
        self._number = number + 1
        if header.kind == HEAD:
            Head(item)
            self._found.head = item if isinstance(item, dict) else None
        elif header.kind == END:
            number_in(item, "time"), number_in(item, "offset")
            self._found.end = item if isinstance(item, dict) else None
            self._ended = True
        elif header.kind == PIECE:
            self._found.frames.append((offset, header))
            self._texts.add(item)
        elif header.kind == ITEMS and isinstance(item, list):
            self._take_tables(item)
            self._found.frames.append((offset, header))
        else:
            raise FormatError("a frame is of an unknown kind")

    def _take_tables(self, item: list[object]) -> None:
        for each in item:
            table = Table(each)
            while table.next():
                pass  # a frame with rows that cannot be told apart is dropped as a whole
        frame = len(self._found.frames)
        for number, each in enumerate(item):
            table = Table(each)
            row = 0
            while table.next():
                self._take_row((frame, number, row), table)
                row += 1

    def _take_row(self, row: _Row, table: Table) -> None:
        place: _Place | None = None
        try:
            if table.of != LIBRARIES:
                place = (table.database, self._texts.text(table.key))
                self._refer(row, table.key)
            for at in range(int(table.elements), int(table.stop)):
                item = table.rows[at]
                if isinstance(item, list):
                    self._texts.text(item)
                    self._refer(row, item)
        except FormatError as error:
            self._found.damage.append(f"offset {self._reader.offset}: {error}")
            self._found.dropped.add(row)
            if place is not None:
                self._values.setdefault(place, _Value()).torn = True
            return
        if place is None:
            return
        if table.first and table.last:
            self._found.keys[table.database] += 1
        else:
            self._take_part(row, table, place)

    def _refer(self, row: _Row, item: object) -> None:
        if isinstance(item, list):
            self._references.setdefault(row, []).append(whole(item[0]))

    def _take_part(self, row: _Row, table: Table, place: _Place) -> None:
        value = self._values.setdefault(place, _Value())
        if len(value.rows) != table.number:
            value.torn = True
        value.rows.append(row)
        value.ended = table.last

    def _look_at_end(self) -> None:
        found = self._found
        reader = self._reader
        if found.end is None:
            found.damage.append(
                f"offset {reader.size}: the file ends without the frame that ends a snapshot"
            )
        elif reader.position < reader.size:
            rest = int(reader.size - reader.position)
            found.damage.append(f"offset {reader.position}: {rest} bytes stand behind the end")

    def _sort_out(self) -> None:
        """Which values are whole, and which texts they need."""
        found = self._found
        for place, value in self._values.items():
            if value.torn or not value.ended:
                found.torn.append(place)
                found.dropped.update(value.rows)
            else:
                found.keys[place[0]] += 1
        for row, texts in self._references.items():
            if row not in found.dropped:
                found.texts.update(texts)
