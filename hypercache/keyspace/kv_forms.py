"""Which class and which form of record a kind of value has in a `KVBackend`."""

from hypercache.backend import HASH, NO_EXPIRE, STRING, BackendError, Value
from hypercache.keyspace.kv_handle import Handle
from hypercache.keyspace.kv_hashes import KVHash
from hypercache.keyspace.kv_strings import KVString
from hypercache.keyspace.layout import FIELDS, PAGED, Namer, Record


def new_record(kind: int, key: bytes) -> Record:
    """The record of an empty value of a kind; its object is the caller's."""
    if kind == STRING:
        form = PAGED
    elif kind == HASH:
        form = FIELDS
    else:
        raise BackendError(f"create: this backend does not know values of kind {kind}")
    return Record(form, NO_EXPIRE, key, b"")


def open_value(handle: Handle, namer: Namer) -> Value:
    """The value of a record in use, to be edited in place."""
    form = handle.record.form
    if form == FIELDS:
        return KVHash(handle, namer)
    if form == PAGED:
        return KVString(handle)
    raise BackendError(
        f"a record has the form {form}, which this version does not know:"
        " open the store with the version that wrote it"
    )
