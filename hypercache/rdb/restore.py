"""RESTORE: the bytes of DUMP, or of an RDB file, as a value again. Trusts nothing."""

from typing import Final

from mypy_extensions import i64

from hypercache.backend import HASH, LIST, NO_EXPIRE, SET, STREAM, STRING, ZSET
from hypercache.rdb import forms
from hypercache.rdb.content import Content
from hypercache.rdb.crc64 import crc64
from hypercache.rdb.errors import RdbError
from hypercache.rdb.packs import (
    ListpackReader,
    read_intset,
    read_listpack,
    read_ziplist,
)
from hypercache.rdb.primitives import Reader
from hypercache.rdb.stream_reader import read_node, read_state

_FOOTER: Final = 10
# The latest deadline that servers accept.
_LATEST: Final[i64] = 1 << 48

_KINDS: Final = {
    forms.STRING: STRING,
    forms.LIST: LIST,
    forms.LIST_ZIPLIST: LIST,
    forms.LIST_QUICKLIST: LIST,
    forms.LIST_QUICKLIST_2: LIST,
    forms.SET: SET,
    forms.SET_INTSET: SET,
    forms.SET_LISTPACK: SET,
    forms.ZSET: ZSET,
    forms.ZSET_2: ZSET,
    forms.ZSET_ZIPLIST: ZSET,
    forms.ZSET_LISTPACK: ZSET,
    forms.HASH: HASH,
    forms.HASH_ZIPLIST: HASH,
    forms.HASH_LISTPACK: HASH,
    forms.HASH_METADATA: HASH,
    forms.HASH_LISTPACK_EX: HASH,
    forms.STREAM: STREAM,
    forms.STREAM_2: STREAM,
    forms.STREAM_3: STREAM,
}
# Values that have their elements, or nodes of some, one after the other behind their number.
_COUNTED: Final = frozenset(
    {
        forms.LIST,
        forms.LIST_QUICKLIST,
        forms.LIST_QUICKLIST_2,
        forms.SET,
        forms.ZSET,
        forms.ZSET_2,
        forms.HASH,
        forms.HASH_METADATA,
        forms.STREAM,
        forms.STREAM_2,
        forms.STREAM_3,
    }
)


def is_valid_payload(payload: bytes) -> bool:
    """Whether version and checksum of a DUMP payload are right."""
    if len(payload) < _FOOTER:
        return False
    version = int.from_bytes(payload[-_FOOTER:-8], "little")
    if version > forms.VERSION_OF_FIELD_DEADLINES:
        return False
    return crc64(payload[:-8]) == int.from_bytes(payload[-8:], "little")


def restore(payload: bytes) -> Content:
    """The value in a valid payload; RdbError if it cannot be one."""
    reader = Reader(payload[1:-_FOOTER])
    content = read_value(reader, payload[0])
    if reader.left():
        raise RdbError("there are bytes behind the value")
    return content


def read_value(reader: Reader, form: int) -> Content:
    """A value of a form; RdbError if it is empty, which only strings and streams may be."""
    value = ValueReader(reader, form)
    content = value.read(value.left)
    if value.is_empty():
        raise RdbError("a value is empty")
    if value.kind == SET:
        _check_distinct(set(content.items), value.elements)
    elif value.kind == ZSET:
        _check_distinct({member for member, _ in content.scores}, value.elements)
    elif value.kind == HASH:
        _check_distinct({field[0] for field in content.fields}, value.elements)
    return content


def _check_distinct(distinct: set[bytes], count: i64) -> None:
    if len(distinct) != count:
        raise RdbError("a value has an element twice")


class ValueReader:
    """A value amid its reading.

    ``left`` counts what `read` is asked for: elements, nodes of several, or one for a value that
    comes as a whole. ``elements`` have been read, which may be equal: who stores them sees that.
    """

    def __init__(self, reader: Reader, form: int) -> None:
        kind = _KINDS.get(form, -1)
        if kind < 0:
            if form in (forms.MODULE, forms.MODULE_2):
                raise RdbError("a module of Redis has made this value: it cannot be loaded")
            raise RdbError(f"values of the form {form} are not known")
        self.reader = reader
        self.form = form
        self.kind = kind
        self.elements: i64 = 0
        self._earliest: i64 = NO_EXPIRE
        self._highest = bytes(16)
        if form in (forms.HASH_METADATA, forms.HASH_LISTPACK_EX):
            self._earliest = reader.time()
        self.left: i64 = reader.count() if form in _COUNTED else 1

    def read(self, count: i64) -> Content:
        """The next ``count`` of what is left, at most all; with the last a stream's groups."""
        content = Content(self.kind)
        count = min(count, self.left)
        self.left -= count
        kind = self.kind
        if kind == STRING:
            content.text = self.reader.string()
        elif kind == LIST:
            self._read_list(content.items, count)
            self.elements += len(content.items)
        elif kind == SET:
            self._read_set(content, count)
            self.elements += len(content.items)
        elif kind == ZSET:
            self._read_zset(content.scores, count)
            self.elements += len(content.scores)
        elif kind == HASH:
            self._read_hash(content.fields, count)
            self.elements += len(content.fields)
        else:
            self._read_stream(content, count)
        return content

    def is_empty(self) -> bool:
        """Whether nothing has been read of a value that must not be empty."""
        return self.elements == 0 and self.kind != STRING and self.kind != STREAM

    def _read_list(self, items: list[bytes], count: i64) -> None:
        reader = self.reader
        form = self.form
        for _ in range(count):
            if form == forms.LIST:
                items.append(reader.string())
            elif form != forms.LIST_QUICKLIST_2:
                items += read_ziplist(reader.string())
            else:
                container = reader.length()
                if container == forms.PLAIN:
                    items.append(reader.string())
                elif container == forms.PACKED:
                    items += read_listpack(reader.string())
                else:
                    raise RdbError("a list has a node of an unknown kind")

    def _read_set(self, content: Content, count: i64) -> None:
        reader = self.reader
        if self.form == forms.SET_INTSET:
            content.items = read_intset(reader.string())
        elif self.form == forms.SET_LISTPACK:
            content.items = read_listpack(reader.string())
        else:
            items = content.items
            for _ in range(count):
                items.append(reader.string())

    def _read_zset(self, scores: list[tuple[bytes, float]], count: i64) -> None:
        reader = self.reader
        form = self.form
        if form == forms.ZSET_2:
            for _ in range(count):
                member = reader.string()
                scores.append((member, reader.double()))
        elif form == forms.ZSET:
            for _ in range(count):
                member = reader.string()
                scores.append((member, reader.text_double()))
        elif form == forms.ZSET_LISTPACK:
            pack = ListpackReader(reader.string())
            while pack.left() > 0:
                member = pack.text()
                scores.append((member, pack.number()))
            pack.finish()
        else:
            items = read_ziplist(reader.string())
            _check_even(items)
            for at in range(0, len(items), 2):
                scores.append((items[at], _score(items[at + 1])))

    def _read_hash(self, fields: list[tuple[bytes, bytes, int]], count: i64) -> None:
        reader = self.reader
        form = self.form
        if form == forms.HASH:
            for _ in range(count):
                field = reader.string()
                fields.append((field, reader.string(), NO_EXPIRE))
        elif form == forms.HASH_METADATA:
            for _ in range(count):
                distance = reader.length()
                deadline: i64 = NO_EXPIRE
                if distance != 0:
                    deadline = _deadline(self._earliest + distance - 1)
                field = reader.string()
                fields.append((field, reader.string(), deadline))
        elif form == forms.HASH_ZIPLIST:
            items = read_ziplist(reader.string())
            _check_even(items)
            for at in range(0, len(items), 2):
                fields.append((items[at], items[at + 1], NO_EXPIRE))
        else:
            pack = ListpackReader(reader.string())
            while pack.left() > 0:
                field = pack.text()
                text = pack.text()
                deadline = NO_EXPIRE
                if form == forms.HASH_LISTPACK_EX:
                    number = pack.integer()
                    if number != 0:
                        deadline = _deadline(number)
                fields.append((field, text, deadline))
            pack.finish()

    def _read_stream(self, content: Content, count: i64) -> None:
        stream = content.stream
        stream.highest = self._highest
        for _ in range(count):
            read_node(self.reader, stream)
        self._highest = stream.highest
        self.elements += len(stream.entries)
        if self.left == 0:
            read_state(self.reader, stream, self.form, self.elements)
        else:
            stream.last_id = stream.highest
            stream.entries_added = self.elements


def _check_even(items: list[bytes]) -> None:
    if len(items) % 2:
        raise RdbError("a value has a part without its other half")


def _score(text: bytes) -> float:
    try:
        score = float(text)
    except ValueError as error:
        raise RdbError("a score is not a number") from error
    if score != score:
        raise RdbError("a score is not a number")
    return score


def _deadline(deadline: i64) -> i64:
    if not 0 <= deadline < _LATEST:
        raise RdbError("a deadline is out of range")
    return deadline
