"""Which class and which form of record a kind of value has in a `KVBackend`."""

from typing import Final

from hypercache.backend import HASH, LIST, NO_EXPIRE, SET, STREAM, STRING, ZSET, BackendError, Value
from hypercache.keyspace.kv_handle import Handle
from hypercache.keyspace.kv_hashes import KVHash
from hypercache.keyspace.kv_lists import EMPTY_LIST, KVList
from hypercache.keyspace.kv_ranks import NO_LEVELS
from hypercache.keyspace.kv_sets import KVSet
from hypercache.keyspace.kv_stream_layout import NEW_STREAM
from hypercache.keyspace.kv_streams import KVStream
from hypercache.keyspace.kv_strings import KVString
from hypercache.keyspace.kv_zsets import KVZSet
from hypercache.keyspace.layout import (
    CHUNKS,
    FIELDS,
    INTEGERS,
    LOG,
    MEMBERS,
    PAGED,
    RANKED,
    Namer,
    Record,
)

_FORMS: Final = {
    STRING: PAGED,
    LIST: CHUNKS,
    SET: MEMBERS,
    ZSET: RANKED,
    STREAM: LOG,
    HASH: FIELDS,
}


def new_record(kind: int, key: bytes) -> Record:
    """The record of an empty value of a kind; its object is the caller's."""
    form = _FORMS.get(kind)
    if form is None:
        raise BackendError(f"create: this backend does not know values of kind {kind}")
    record = Record(form, NO_EXPIRE, key, b"")
    if form == MEMBERS:
        record.encoding = INTEGERS
    elif form == CHUNKS:
        record.extra = EMPTY_LIST
    elif form == RANKED:
        record.extra = NO_LEVELS
    elif form == LOG:
        record.extra = NEW_STREAM
    return record


def open_value(handle: Handle, namer: Namer) -> Value:
    """The value of a record in use, to be edited in place."""
    form = handle.record.form
    if form == FIELDS:
        return KVHash(handle, namer)
    if form == MEMBERS:
        return KVSet(handle, namer)
    if form == RANKED:
        return KVZSet(handle, namer)
    if form == LOG:
        return KVStream(handle, namer)
    if form == CHUNKS:
        return KVList(handle, namer)
    if form == PAGED:
        return KVString(handle)
    raise BackendError(
        f"a record has the form {form}, which this version does not know:"
        " open the store with the version that wrote it"
    )
