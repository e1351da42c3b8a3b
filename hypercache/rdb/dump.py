"""Values as RDB has them, and DUMP: a value as the bytes that RESTORE takes, here or in Redis."""

from typing import Final, cast

from mypy_extensions import i64

from hypercache.backend import HASH, LIST, NO_EXPIRE, SET, STRING, ZSET, Entry
from hypercache.rdb import forms
from hypercache.rdb.crc64 import crc64
from hypercache.rdb.lzf import Compressor
from hypercache.rdb.packs import ListpackWriter, write_intset
from hypercache.rdb.parts import (
    HashParts,
    ListParts,
    Parts,
    SetParts,
    TextParts,
    ZSetParts,
    write_deadline,
)
from hypercache.rdb.primitives import Writer
from hypercache.rdb.stream_writer import StreamParts
from hypercache.streams import StreamValue
from hypercache.values import HashValue, ListValue, SetValue, StringValue, Value, ZSetValue

# Elements that are fetched at a time.
_SLICE: Final[i64] = 1024
_LISTPACK: Final = "listpack"
_INTSET: Final = "intset"
# Scores up to here are written as integers where that is what they are.
_EXACT: Final = 1e15


def dump(entry: Entry, compressor: Compressor | None = None) -> bytes:
    """Form, value, version (2 bytes) and checksum (8 bytes).

    The version is the lowest that knows the form, so that older servers take what they can.
    """
    value = entry.value
    version = forms.VERSION
    if isinstance(value, StreamValue):
        version = forms.VERSION_OF_STREAM_3
    form = form_of(value, version)
    if form == forms.HASH_METADATA:
        version = forms.VERSION_OF_FIELD_DEADLINES
    writer = Writer(compressor)
    writer.out.append(form)
    write_value(writer, value, form)
    payload = writer.out.getvalue() + version.to_bytes(2, "little")
    return payload + crc64(payload).to_bytes(8, "little")


def form_of(value: object, version: int) -> int:
    """The form of a whole value, which the version knows.

    Only hashes whose fields have deadlines have a form of a later one.
    """
    if isinstance(value, bytes):
        return forms.STRING
    typed = cast(Value, value)
    kind = typed.kind
    if kind == HASH:
        if cast(HashValue, value).next_deadline() != NO_EXPIRE:
            return forms.HASH_METADATA
        return forms.HASH_LISTPACK if typed.encoding() == _LISTPACK else forms.HASH
    if kind == SET:
        encoding = typed.encoding()
        if encoding == _INTSET:
            return forms.SET_INTSET
        if encoding == _LISTPACK and version >= forms.VERSION_OF_SET_LISTPACK:
            return forms.SET_LISTPACK
        return forms.SET
    if kind == ZSET:
        return forms.ZSET_LISTPACK if typed.encoding() == _LISTPACK else forms.ZSET_2
    if kind == STRING:
        return forms.STRING
    if kind == LIST:
        return forms.LIST_QUICKLIST_2
    return forms.STREAM_3 if version >= forms.VERSION_OF_STREAM_3 else forms.STREAM_2


def write_value(writer: Writer, value: object, form: int) -> None:
    """Write a whole value in a form of `form_of`."""
    if isinstance(value, bytes):
        writer.string(value)
    elif form == forms.STRING:
        text = cast(StringValue, value)
        writer.string(text.read(0, text.length()))
    elif form in (forms.HASH, forms.HASH_LISTPACK, forms.HASH_METADATA):
        _write_hash(writer, cast(HashValue, value), form)
    elif form in (forms.SET, forms.SET_INTSET, forms.SET_LISTPACK):
        _write_set(writer, cast(SetValue, value), form)
    elif form == forms.ZSET_LISTPACK:
        _pack_zset(writer, cast(ZSetValue, value))
    else:
        parts = parts_of(cast(Value, value), form)
        while parts.write(writer, _SLICE):
            pass


def parts_of(value: Value, form: int) -> Parts:
    """A value of any kind, to be written element by element; ``form`` is that of `form_of`."""
    kind = value.kind
    if kind == STRING:
        return TextParts(cast(StringValue, value))
    if kind == LIST:
        return ListParts(cast(ListValue, value))
    if kind == SET:
        return SetParts(cast(SetValue, value))
    if kind == ZSET:
        return ZSetParts(cast(ZSetValue, value))
    if kind == HASH:
        return HashParts(cast(HashValue, value))
    return StreamParts(cast(StreamValue, value), form)


def _write_set(writer: Writer, value: SetValue, form: int) -> None:
    if form == forms.SET_INTSET:
        writer.string(write_intset(sorted([int(member) for member in value.members()])))
    elif form == forms.SET_LISTPACK:
        pack = ListpackWriter()
        for member in value.members():
            pack.text(member)
        writer.string(pack.finish())
    else:
        writer.length(value.length())
        for member in value.members():
            writer.string(member)


def _pack_zset(writer: Writer, value: ZSetValue) -> None:
    pack = ListpackWriter()
    for member, score in value.range(0, value.length()):
        pack.text(member)
        if -_EXACT < score < _EXACT and score == int(score):
            pack.integer(int(score))
        else:
            pack.text(repr(score).encode())
    writer.string(pack.finish())


def _write_hash(writer: Writer, value: HashValue, form: int) -> None:
    if form == forms.HASH_LISTPACK:
        pack = ListpackWriter()
        cursor, pairs = value.scan(0, value.length())
        if cursor or len(pairs) != value.length():
            pairs = list(value.items())
        for field, text in pairs:
            pack.text(field)
            pack.text(text)
        writer.string(pack.finish())
        return
    volatile = form == forms.HASH_METADATA
    earliest = value.next_deadline()
    if volatile:
        writer.time(earliest)
    writer.length(value.length())
    for field, text in value.items():
        if volatile:
            write_deadline(writer, value.deadline(field), earliest)
        writer.string(field)
        writer.string(text)
