"""RESTORE: the bytes of DUMP, or of an RDB file, as a value again. Trusts nothing."""

from collections.abc import Callable
from typing import Final

from hypercache.backend import HASH, LIST, NO_EXPIRE, SET, STREAM, STRING, ZSET
from hypercache.rdb import forms
from hypercache.rdb.content import Content
from hypercache.rdb.crc64 import crc64
from hypercache.rdb.errors import RdbError
from hypercache.rdb.packs import read_intset, read_listpack, read_ziplist
from hypercache.rdb.primitives import Reader
from hypercache.rdb.stream_reader import read_stream

_FOOTER: Final = 10


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
    read = _READERS.get(form)
    if form in (forms.MODULE, forms.MODULE_2):
        raise RdbError("a module of Redis has made this value, and modules cannot be loaded")
    if read is None:
        raise RdbError(f"values of the form {form} are not known")
    content = read(reader, form)
    if content.kind not in (STRING, STREAM) and not (
        content.items or content.scores or content.fields
    ):
        raise RdbError("a value is empty")
    return content


def _read_string(reader: Reader, form: int) -> Content:
    content = Content(STRING)
    content.text = reader.string()
    return content


def _read_list(reader: Reader, form: int) -> Content:
    content = Content(LIST)
    if form == forms.LIST:
        content.items = [reader.string() for _ in range(reader.count())]
    elif form == forms.LIST_ZIPLIST:
        content.items = read_ziplist(reader.string())
    elif form == forms.LIST_QUICKLIST:
        for _ in range(reader.count()):
            content.items += read_ziplist(reader.string())
    else:
        for _ in range(reader.count()):
            container = reader.length()
            if container not in (forms.PLAIN, forms.PACKED):
                raise RdbError("a list has a node of an unknown kind")
            node = reader.string()
            content.items += [node] if container == forms.PLAIN else read_listpack(node)
    return content


def _read_set(reader: Reader, form: int) -> Content:
    content = Content(SET)
    if form == forms.SET:
        content.items = [reader.string() for _ in range(reader.count())]
    elif form == forms.SET_INTSET:
        content.items = read_intset(reader.string())
    else:
        content.items = read_listpack(reader.string())
    _check_distinct(content.items)
    return content


def _read_zset(reader: Reader, form: int) -> Content:
    content = Content(ZSET)
    if form in (forms.ZSET, forms.ZSET_2):
        for _ in range(reader.count()):
            member = reader.string()
            score = reader.double() if form == forms.ZSET_2 else reader.text_double()
            content.scores.append((member, score))
    else:
        read = read_ziplist if form == forms.ZSET_ZIPLIST else read_listpack
        for member, number in _pairs(read(reader.string())):
            content.scores.append((member, _score(number)))
    _check_distinct([member for member, _ in content.scores])
    return content


def _read_hash(reader: Reader, form: int) -> Content:
    content = Content(HASH)
    if form == forms.HASH:
        for _ in range(reader.count()):
            content.fields.append((reader.string(), reader.string(), NO_EXPIRE))
    else:
        read = read_ziplist if form == forms.HASH_ZIPLIST else read_listpack
        for field, text in _pairs(read(reader.string())):
            content.fields.append((field, text, NO_EXPIRE))
    _check_distinct([field[0] for field in content.fields])
    return content


def _read_volatile_hash(reader: Reader, form: int) -> Content:
    """Redis 7.4: deadlines as distances from the earliest, or as numbers in a listpack."""
    content = Content(HASH)
    earliest = reader.time()
    if form == forms.HASH_METADATA:
        for _ in range(reader.count()):
            distance = reader.length()
            deadline = NO_EXPIRE if distance == 0 else _deadline(earliest + distance - 1)
            content.fields.append((reader.string(), reader.string(), deadline))
    else:
        items = read_listpack(reader.string())
        if len(items) % 3:
            raise RdbError("a hash has a field without its deadline")
        for at in range(0, len(items), 3):
            number = _integer(items[at + 2])
            deadline = NO_EXPIRE if number == 0 else _deadline(number)
            content.fields.append((items[at], items[at + 1], deadline))
    _check_distinct([field[0] for field in content.fields])
    return content


def _read_stream(reader: Reader, form: int) -> Content:
    content = Content(STREAM)
    content.stream = read_stream(reader, form)
    return content


def _pairs(items: list[bytes]) -> list[tuple[bytes, bytes]]:
    if len(items) % 2:
        raise RdbError("a value has a part without its other half")
    return list(zip(items[::2], items[1::2], strict=True))


def _integer(text: bytes) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise RdbError("a text stands where a number belongs") from error


def _score(text: bytes) -> float:
    try:
        score = float(text)
    except ValueError as error:
        raise RdbError("a score is not a number") from error
    if score != score:
        raise RdbError("a score is not a number")
    return score


def _deadline(deadline: int) -> int:
    if not 0 <= deadline < 1 << 48:
        raise RdbError("a deadline is out of range")
    return deadline


def _check_distinct(items: list[bytes]) -> None:
    if len(set(items)) != len(items):
        raise RdbError("a value has an element twice")


_READERS: Final[dict[int, Callable[[Reader, int], Content]]] = {
    forms.STRING: _read_string,
    forms.LIST: _read_list,
    forms.LIST_ZIPLIST: _read_list,
    forms.LIST_QUICKLIST: _read_list,
    forms.LIST_QUICKLIST_2: _read_list,
    forms.SET: _read_set,
    forms.SET_INTSET: _read_set,
    forms.SET_LISTPACK: _read_set,
    forms.ZSET: _read_zset,
    forms.ZSET_2: _read_zset,
    forms.ZSET_ZIPLIST: _read_zset,
    forms.ZSET_LISTPACK: _read_zset,
    forms.HASH: _read_hash,
    forms.HASH_ZIPLIST: _read_hash,
    forms.HASH_LISTPACK: _read_hash,
    forms.HASH_METADATA: _read_volatile_hash,
    forms.HASH_LISTPACK_EX: _read_volatile_hash,
    forms.STREAM: _read_stream,
    forms.STREAM_2: _read_stream,
    forms.STREAM_3: _read_stream,
}
