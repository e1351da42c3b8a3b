"""Values as RDB has them, and DUMP: a value as the bytes that RESTORE takes, here or in Redis."""

from typing import Final, cast

from mypy_extensions import i64

from hypercache.backend import HASH, LIST, NO_EXPIRE, SET, STREAM, STRING, ZSET, Entry
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
    writer = Writer(compressor)
    form = write_value(writer, value, version)
    if form == forms.HASH_METADATA:
        version = forms.VERSION_OF_FIELD_DEADLINES
    payload = bytes((form,)) + writer.out.getvalue() + version.to_bytes(2, "little")
    return payload + crc64(payload).to_bytes(8, "little")


def write_value(writer: Writer, value: object, version: int) -> int:
    """Write a value of any kind; the form in which it was written, which ``version`` knows.

    Only hashes whose fields have deadlines have a form of a later version.
    """
    if isinstance(value, bytes):
        writer.string(value)
        return forms.STRING
    typed = cast(Value, value)
    kind = typed.kind
    if kind == STRING:
        text = cast(StringValue, value)
        writer.string(text.read(0, text.length()))
        return forms.STRING
    if kind == HASH:
        return _write_hash(writer, cast(HashValue, value))
    if kind == SET:
        return _write_set(writer, cast(SetValue, value), version)
    if kind == ZSET:
        scored = cast(ZSetValue, value)
        if scored.encoding() == _LISTPACK:
            return _pack_zset(writer, scored)
    parts = parts_of(typed, version)
    while parts.write(writer, _SLICE):
        pass
    return parts.form


def parts_of(value: Value, version: int) -> Parts:
    """A value of any kind, to be written element by element."""
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
    if kind == STREAM:
        return StreamParts(cast(StreamValue, value), version >= forms.VERSION_OF_STREAM_3)
    raise ValueError(f"values of the kind {kind} are not known")


def _write_set(writer: Writer, value: SetValue, version: int) -> int:
    encoding = value.encoding()
    if encoding == _INTSET:
        writer.string(write_intset(sorted([int(member) for member in value.members()])))
        return forms.SET_INTSET
    if encoding == _LISTPACK and version >= forms.VERSION_OF_SET_LISTPACK:
        pack = ListpackWriter()
        for member in value.members():
            pack.text(member)
        writer.string(pack.finish())
        return forms.SET_LISTPACK
    writer.length(value.length())
    for member in value.members():
        writer.string(member)
    return forms.SET


def _pack_zset(writer: Writer, value: ZSetValue) -> int:
    pack = ListpackWriter()
    for member, score in value.range(0, value.length()):
        pack.text(member)
        if -_EXACT < score < _EXACT and score == int(score):
            pack.integer(int(score))
        else:
            pack.text(repr(score).encode())
    writer.string(pack.finish())
    return forms.ZSET_LISTPACK


def _write_hash(writer: Writer, value: HashValue) -> int:
    earliest = value.next_deadline()
    if earliest != NO_EXPIRE:
        writer.time(earliest)
        writer.length(value.length())
        for field, text in value.items():
            write_deadline(writer, value.deadline(field), earliest)
            writer.string(field)
            writer.string(text)
        return forms.HASH_METADATA
    if value.encoding() == _LISTPACK:
        pack = ListpackWriter()
        for field, text in value.items():
            pack.text(field)
            pack.text(text)
        writer.string(pack.finish())
        return forms.HASH_LISTPACK
    writer.length(value.length())
    for field, text in value.items():
        writer.string(field)
        writer.string(text)
    return forms.HASH
