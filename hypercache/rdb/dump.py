"""DUMP: a value as the bytes that RESTORE takes, of ours or of a Redis from 7.0 on."""

from typing import cast

from hypercache.backend import HASH, LIST, NO_EXPIRE, SET, STRING, ZSET, Entry
from hypercache.rdb import forms
from hypercache.rdb.crc64 import crc64
from hypercache.rdb.primitives import Writer
from hypercache.rdb.stream_writer import write_stream
from hypercache.streams import StreamValue
from hypercache.values import HashValue, ListValue, SetValue, StringValue, Value, ZSetValue

# Elements that are fetched from a list at a time.
_SLICE = 1024


def dump(entry: Entry) -> bytes:
    """Form, value, version (2 bytes) and checksum (8 bytes)."""
    writer = Writer()
    form = write_value(writer, entry.value)
    version = forms.VERSION
    if form == forms.STREAM_3:
        version = forms.VERSION_OF_STREAM_3
    elif form == forms.HASH_METADATA:
        version = forms.VERSION_OF_FIELD_DEADLINES
    payload = bytes((form,)) + bytes(writer.out) + version.to_bytes(2, "little")
    return payload + crc64(payload).to_bytes(8, "little")


def write_value(writer: Writer, value: object, version: int = forms.VERSION_OF_STREAM_3) -> int:
    """Write a value of any kind; the form in which it was written, which ``version`` decides."""
    if isinstance(value, bytes):
        writer.string(value)
        return forms.STRING
    kind = cast(Value, value).kind
    if kind == STRING:
        text = cast(StringValue, value)
        writer.string(text.read(0, text.length()))
        return forms.STRING
    if kind == LIST:
        return _write_list(writer, cast(ListValue, value))
    if kind == SET:
        members = cast(SetValue, value)
        writer.length(members.length())
        for member in members.members():
            writer.string(member)
        return forms.SET
    if kind == ZSET:
        scored = cast(ZSetValue, value)
        writer.length(scored.length())
        for member, score in scored.items():
            writer.string(member)
            writer.double(score)
        return forms.ZSET_2
    if kind == HASH:
        return _write_hash(writer, cast(HashValue, value))
    with_active = version >= forms.VERSION_OF_STREAM_3
    write_stream(writer, cast(StreamValue, value), with_active)
    return forms.STREAM_3 if with_active else forms.STREAM_2


def _write_list(writer: Writer, value: ListValue) -> int:
    length = value.length()
    writer.length(length)
    for start in range(0, length, _SLICE):
        for item in value.range(start, min(start + _SLICE, length)):
            writer.string(item)
    return forms.LIST


def _write_hash(writer: Writer, value: HashValue) -> int:
    earliest = value.next_deadline()
    if earliest == NO_EXPIRE:
        writer.length(value.length())
        for field, text in value.items():
            writer.string(field)
            writer.string(text)
        return forms.HASH
    # Deadlines are kept as distances from the earliest; 0 is none.
    writer.time(earliest)
    writer.length(value.length())
    for field, text in value.items():
        deadline = value.deadline(field)
        writer.length(0 if deadline == NO_EXPIRE else deadline - earliest + 1)
        writer.string(field)
        writer.string(text)
    return forms.HASH_METADATA
