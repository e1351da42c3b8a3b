"""Values from the elements in a snapshot's rows, row by row where they are large."""

import cbor2
from mypy_extensions import i64

from hypercache.rdb.content import Content, GroupContent, StreamContent
from hypercache.streams import Pending
from hypercache.values import HASH, LIST, NO_EXPIRE, SET, STREAM, ZSET
from hypercache_snapshot.format import FormatError
from hypercache_snapshot.rows import (
    CONSUMER,
    ENTRY,
    GROUP,
    LONG_ENTRY,
    PENDING,
    STATE,
    STRIDES,
    VOLATILE_HASH,
)
from hypercache_snapshot.tables import Table, Texts, fraction, whole


def content_of(table: Table, texts: Texts, stream: "StreamRows | None") -> Content:
    """What a container's row holds; ``stream`` is what earlier rows of a stream have brought.

    Raises `FormatError`.
    """
    kind = table.kind
    if kind not in STRIDES or (table.stop - table.elements) % STRIDES[kind]:
        raise FormatError("a row is of an unknown kind, or its elements are no whole ones")
    if kind == STREAM:
        if stream is None:
            raise FormatError("a row of a stream is not expected here")
        return stream.read(table, texts)
    content = Content(HASH if kind == VOLATILE_HASH else kind)
    rows = table.rows
    at: i64 = table.elements
    stop: i64 = table.stop
    if kind in (LIST, SET):
        items = content.items
        while at < stop:
            item = rows[at]
            items.append(item if isinstance(item, bytes) else texts.text(item))
            at += 1
    elif kind == ZSET:
        scores = content.scores
        while at < stop:
            scores.append((texts.text(rows[at]), fraction(rows[at + 1])))
            at += 2
    elif kind == HASH:
        fields = content.fields
        while at < stop:
            fields.append((texts.text(rows[at]), texts.text(rows[at + 1]), NO_EXPIRE))
            at += 2
    else:
        _read_volatile_fields(content, table, texts)
    return content


def _read_volatile_fields(content: Content, table: Table, texts: Texts) -> None:
    rows = table.rows
    at: i64 = table.elements
    while at < table.stop:
        deadline = whole(rows[at + 2])
        if deadline < NO_EXPIRE:
            raise FormatError("the deadline of a field is negative")
        content.fields.append((texts.text(rows[at]), texts.text(rows[at + 1]), deadline))
        at += 3


class StreamRows:
    """A stream that comes in rows: what one says of groups and consumers, others refer to."""

    def __init__(self) -> None:
        self._last_id = bytes(16)
        self._max_deleted_id = bytes(16)
        self._added = 0
        # Of each group: name, last id, entries read; and the names of its consumers.
        self._groups: list[tuple[bytes, bytes, int]] = []
        self._consumers: list[list[bytes]] = []

    def read(self, table: Table, texts: Texts) -> Content:
        """What a row has; raises `FormatError`."""
        content = Content(STREAM)
        stream = content.stream
        mentioned: dict[int, GroupContent] = {}
        rows = table.rows
        at: i64 = table.elements
        try:
            while at < table.stop:
                code = whole(rows[at])
                if code == ENTRY:
                    at += self._read_entry(rows, at, stream)
                elif code == LONG_ENTRY:
                    fields = cbor2.loads(texts.text(rows[at + 2]))
                    self._add_entry(stream, rows[at + 1], fields)
                    at += 3
                elif code == STATE:
                    last_id = _entry_id(rows[at + 1])
                    if last_id < self._last_id:
                        raise FormatError("a stream has entries behind its last")
                    self._last_id = last_id
                    self._max_deleted_id = _entry_id(rows[at + 2])
                    self._added = whole(rows[at + 3])
                    at += 4
                else:
                    at += self._read_of_group(rows, at, texts, mentioned)
        except (IndexError, cbor2.CBORDecodeError) as error:
            raise FormatError("a record of a stream is cut off") from error
        if at != table.stop:
            raise FormatError("a record of a stream is cut off")
        stream.last_id = self._last_id
        stream.max_deleted_id = self._max_deleted_id
        stream.entries_added = self._added
        stream.groups = list(mentioned.values())
        return content

    def _read_entry(self, rows: list[object], at: i64, stream: StreamContent) -> i64:
        count: i64 = whole(rows[at + 2])
        stop = at + 3 + count
        if count < 0 or stop > len(rows):
            raise IndexError
        self._add_entry(stream, rows[at + 1], rows[at + 3 : stop])
        return count + 3

    def _add_entry(self, stream: StreamContent, item: object, fields: object) -> None:
        entry_id = _entry_id(item)
        if not isinstance(fields, list) or len(fields) % 2:
            raise FormatError("an entry of a stream has a field without a value")
        texts: list[bytes] = []
        for text in fields:
            if not isinstance(text, bytes):
                raise FormatError("something else stands where a text belongs")
            texts.append(text)
        if entry_id <= self._last_id:
            raise FormatError("the entries of a stream are not in order")
        self._last_id = entry_id
        self._added += 1
        stream.entries.append((entry_id, texts))

    def _read_of_group(
        self, rows: list[object], at: i64, texts: Texts, mentioned: dict[int, GroupContent]
    ) -> i64:
        code = whole(rows[at])
        if code == GROUP:
            number = len(self._groups)
            name = texts.text(rows[at + 1])
            self._groups.append((name, _entry_id(rows[at + 2]), whole(rows[at + 3])))
            self._consumers.append([])
            self._mention(number, mentioned)
            return 4
        number = whole(rows[at + 1])
        if not 0 <= number < len(self._groups):
            raise FormatError("a group of a stream is missing")
        group = self._mention(number, mentioned)
        consumers = self._consumers[number]
        if code == CONSUMER:
            name = texts.text(rows[at + 2])
            consumers.append(name)
            group.consumers.append((name, whole(rows[at + 3]), whole(rows[at + 4])))
            return 5
        if code != PENDING:
            raise FormatError("a record of a stream is of an unknown kind")
        owner = whole(rows[at + 3])
        if not 0 <= owner < len(consumers):
            raise FormatError("a consumer of a stream is missing")
        entry_id = _entry_id(rows[at + 2])
        times = whole(rows[at + 4]), whole(rows[at + 5])
        group.pending.append(Pending(entry_id, consumers[owner], times[0], times[1]))
        return 6

    def _mention(self, number: int, mentioned: dict[int, GroupContent]) -> GroupContent:
        group = mentioned.get(number)
        if group is None:
            name, last_id, read = self._groups[number]
            group = GroupContent(name, last_id, read)
            mentioned[number] = group
        return group


def _entry_id(item: object) -> bytes:
    if not isinstance(item, bytes) or len(item) != 16:
        raise FormatError("something else stands where an id belongs")
    return item
