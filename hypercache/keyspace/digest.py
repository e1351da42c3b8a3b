"""Digests of values and of all data, equal to those of a Redis that holds the same.

DEBUG DIGEST of two servers tells whether they hold the same data, whatever the order in
which they store it. Source: Redis' debug.c (xorObjectDigest), as observed from outside: sums
of unordered things are exclusive-or'ed, ordered ones are chained through SHA-1.
"""

from hashlib import sha1
from typing import Final

from hypercache.backend import (
    HASH,
    LIST,
    NO_EXPIRE,
    SET,
    STREAM,
    STRING,
    ZSET,
    Database,
    Entry,
    HashValue,
    ListValue,
    SetValue,
    StreamValue,
    StringValue,
    ZSetValue,
)
from hypercache.reply import format_shortest
from hypercache.streams import MAX_ID, MIN_ID

SIZE: Final = 20
NOTHING: Final = bytes(SIZE)
# Elements of a list that are taken out at a time.
_SLICE: Final = 1024


def add(digest: bytes, data: bytes) -> bytes:
    """Mix something unordered into a digest."""
    hashed = int.from_bytes(_sha1(data), "big")
    return (int.from_bytes(digest, "big") ^ hashed).to_bytes(SIZE, "big")


def chain(digest: bytes, data: bytes) -> bytes:
    """Mix something into a digest so that its place in the order matters."""
    return _sha1(add(digest, data))


def _sha1(data: bytes) -> bytes:
    return sha1(data, usedforsecurity=False).digest()


def digest_value(entry: Entry, digest: bytes = NOTHING) -> bytes:
    """The digest of a key's value and of whether it has a deadline."""
    value = entry.value
    if isinstance(value, bytes):
        digest = chain(chain(digest, _kind(STRING)), value)
    elif isinstance(value, StringValue):
        digest = chain(chain(digest, _kind(STRING)), value.read(0, value.length()))
    elif isinstance(value, ListValue):
        digest = _digest_elements(value, chain(digest, _kind(LIST)))
    elif isinstance(value, SetValue):
        digest = chain(digest, _kind(SET))
        for member in value.members():
            digest = add(digest, member)
    elif isinstance(value, ZSetValue):
        digest = chain(digest, _kind(ZSET))
        for member, score in value.items():
            digest = add(digest, chain(chain(NOTHING, member), format_shortest(score)))
    elif isinstance(value, StreamValue):
        digest = _digest_entries(value, chain(digest, _kind(STREAM)))
    else:
        assert isinstance(value, HashValue)
        digest = _digest_fields(value, chain(digest, _kind(HASH)))
    return digest if entry.expire == NO_EXPIRE else add(digest, b"!!expire!!")


def _digest_fields(fields: HashValue, digest: bytes) -> bytes:
    """Mix the fields of a hash into a digest, and which of them have a deadline (Redis 7.4)."""
    has_deadlines = fields.next_deadline() != NO_EXPIRE
    for field, content in fields.items():
        part = chain(chain(NOTHING, field), content)
        if has_deadlines and fields.deadline(field) != NO_EXPIRE:
            part = add(part, b"!!hexpire!!")
        digest = add(digest, part)
    return digest


def _digest_elements(elements: ListValue, digest: bytes) -> bytes:
    """Mix the elements of a list into a digest, slice by slice."""
    length = elements.length()
    for start in range(0, length, _SLICE):
        for element in elements.range(start, min(start + _SLICE, length)):
            digest = chain(digest, element)
    return digest


def _digest_entries(stream: StreamValue, digest: bytes) -> bytes:
    """Mix the entries of a stream into a digest; its groups are left out."""
    for entry_id, fields in stream.range(MIN_ID, MAX_ID, stream.length(), False):
        time, sequence = entry_id[:8], entry_id[8:]
        text = f"{int.from_bytes(time, 'big')}.{int.from_bytes(sequence, 'big')}"
        digest = chain(digest, text.encode())
        for field in fields:
            digest = chain(digest, field)
    return digest


def _kind(kind: int) -> bytes:
    # Redis counts modules before streams.
    return (6 if kind == STREAM else kind).to_bytes(4, "big")


def digest_database(index: int, store: Database, digest: bytes) -> bytes:
    """The digest of all data, with one more database mixed in."""
    if store.size() == 0:
        return digest
    digest = chain(digest, index.to_bytes(4, "big"))
    for key in store.keys():  # noqa: SIM118 - a store is no mapping
        entry = store.find(key)
        if entry is not None:
            digest = add(digest, digest_value(entry, chain(NOTHING, key)))
    return digest
