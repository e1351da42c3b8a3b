"""What `KVBackend` writes: key prefixes, names, records. Persisted: append only.

Every key of the store begins with one of the prefixes below; numbers are big-endian, so
that they sort. ``docs/backends.md`` shows the whole layout. Whoever changes the meaning
of something here raises ``VERSION`` and writes a migration (`kv_formats`).
"""

import struct
from hashlib import blake2s
from struct import Struct
from typing import Final

from mypy_extensions import i64

from hypercache.backend import NO_EXPIRE, BackendError

VERSION: Final = 2

# First byte of every key.
META: Final = b"m"
GRAVE: Final = b"g"
RECORD: Final = b"k"
ELEMENT: Final = b"o"
DEADLINE: Final = b"x"
HASH_DEADLINE: Final = b"y"  # hashes with a field that expires, by its deadline
FIELD_DEADLINE: Final = b"f"  # the deadline of a hash's field, by its name
FIELD_DUE: Final = b"e"  # the fields of a hash that expire, by their deadlines

META_FORMAT: Final = META + b"format"
META_VERSION: Final = META + b"version"  # of HyperCache, which gave it this format
META_MIGRATION: Final = META + b"migration"  # how far one has come
META_SALT: Final = META + b"salt"
META_IDS: Final = META + b"ids"
META_TALLY: Final = META + b"database"
GRAVE_OBJECT: Final = GRAVE + b"o"
GRAVE_SPACE: Final = GRAVE + b"s"

# How a key's value is stored.
INLINE: Final = 1  # a string, inside the record
BLOB: Final = 2  # a string, one value under the object
PAGED: Final = 3  # a string that is edited in place: pages under the object
FIELDS: Final = 4  # a hash: a pair for each field under the object
MEMBERS: Final = 5  # a set: a pair for each member under the object
CHUNKS: Final = 6  # a list: packed runs of elements under the object
RANKED: Final = 7  # a sorted set: members with scores, and an index with counts
LOG: Final = 8  # a stream: entries, and groups with their consumers and pending entries

# Behind the object in the keys of a sorted set: the members; the levels of its index have the
# numbers from 0 on.
ZSET_MEMBER: Final = b"m"

# What the encoding in a record says; which name it is depends on the form.
COMPACT: Final = 0
WIDE: Final = 1
INTEGERS: Final = 2

# Strings up to this many bytes live in the record itself. Beyond, a record that changes
# its deadline or its name should not carry the value along.
INLINE_LIMIT: Final = 2048
PAGE: Final[i64] = 4096

NUMBER: Final = 6  # bytes of hashes, object and space numbers: 2**48 lasts for decades
DIGEST: Final = 32
SALT: Final = 8

_HAS_DEADLINE: Final = 0x80
_HAS_KEY: Final = 0x40
_FORM: Final = 0x3F
_EVEN: Final = tuple(bytes((byte & 0xFE,)) for byte in range(256))
_ODD: Final = tuple(bytes((byte | 0x01,)) for byte in range(256))

_COUNT: Final = Struct(">Q")
_LENGTH: Final = Struct(">I")
_OBJECT: Final = Struct(">QQQB")
_IDS: Final = Struct(">QQQ")
_TALLY: Final = Struct(">QQQQ")
_FIELD_DEADLINES: Final = Struct(">qq")


def format_text(version: int, target: int = 0) -> bytes:
    """What `META_FORMAT` holds, also while the store is on its way to another version."""
    return (
        b"hypercache kv %d to %d" % (version, target) if target else b"hypercache kv %d" % version
    )


def number(value: int) -> bytes:
    """Six bytes that sort as the number does."""
    return value.to_bytes(NUMBER, "big")


def after(prefix: bytes) -> bytes:
    """The first key behind all keys that begin with ``prefix`` (not all 0xFF)."""
    end = len(prefix) - 1
    while prefix[end] == 0xFF:
        end -= 1
    return prefix[:end] + bytes((prefix[end] + 1,))


class Namer:
    """Makes names: byte strings of any length as short keys in the order of a hash.

    A name is 48 bits of a salted hash, and then the byte string itself where it is short
    enough; the last of the 48 bits is 0. Of a longer one it is the whole hash (256 bits)
    with that bit 1, and the original is stored beside the value. The order of the hash
    is what SCAN walks: a cursor is a position in it and stays good whatever is inserted or
    removed. The salt keeps outsiders from making keys that collide.
    """

    def __init__(self, salt: bytes, max_key_size: int) -> None:
        self._base = blake2s(digest_size=DIGEST, salt=salt)
        self._longest: i64 = max_key_size - (1 + NUMBER + 8 + NUMBER)

    def name(self, original: bytes) -> bytes:
        """The name of a key, or of a field."""
        hasher = self._base.copy()
        hasher.update(original)
        digest = hasher.digest()
        if len(original) <= self._longest:
            if digest[NUMBER - 1] & 1 == 0:
                return digest[:NUMBER] + original
            return digest[: NUMBER - 1] + _EVEN[digest[NUMBER - 1]] + original
        return digest[: NUMBER - 1] + _ODD[digest[NUMBER - 1]] + digest[NUMBER:]


def is_digest(name: bytes) -> bool:
    """Whether the name holds a hash only, so that the original lies beside the value."""
    return name[NUMBER - 1] & 1 == 1


def position(name: bytes) -> i64:
    """Where a name stands in the order of SCAN, a number of 48 bits."""
    value: i64 = 0
    at: i64 = 0
    while at < NUMBER:
        byte: i64 = name[at]
        value = value << 8 | byte
        at += 1
    return value


def encode_deadline(deadline: i64) -> bytes:
    """Eight bytes that sort as the deadline does."""
    return _COUNT.pack(deadline)


def decode_deadline(raw: bytes) -> i64:
    """The deadline at the beginning of ``raw``."""
    return int(_COUNT.unpack_from(raw)[0])


def deadline_key(deadline: int, name: bytes) -> bytes:
    """What stands behind the prefix in the index of deadlines."""
    return _COUNT.pack(deadline) + name


class Record:
    """What is stored under a key: its metadata and, of a short string, its value."""

    __slots__ = ("encoding", "expire", "extra", "form", "key", "length", "object", "used", "value")

    def __init__(self, form: int, expire: i64, key: bytes, value: bytes) -> None:
        self.form = form
        self.expire = expire
        #: The key, where the name is only its digest; else empty.
        self.key = key
        self.value = value
        #: Number of the object that has the elements; 0 for `INLINE`.
        self.object: i64 = 0
        #: Elements of a container, bytes of a string.
        self.length: i64 = 0
        #: Bytes that the elements take in the store.
        self.used: i64 = 0
        #: `COMPACT` until the value has outgrown what Redis calls a listpack, or `INTEGERS`.
        self.encoding: i64 = COMPACT
        #: What else belongs to a value of this form.
        self.extra = b""

    def encode(self) -> bytes:
        """The bytes to store."""
        head = self.form
        rest = b""
        if self.expire != NO_EXPIRE:
            head |= _HAS_DEADLINE
            rest = _COUNT.pack(self.expire)
        if self.key:
            head |= _HAS_KEY
            rest += _LENGTH.pack(len(self.key)) + self.key
        if self.form == INLINE:
            return bytes((head,)) + rest + self.value
        return (
            bytes((head,))
            + rest
            + _OBJECT.pack(self.object, self.length, self.used, self.encoding)
            + self.extra
        )


def form_of(raw: bytes) -> int:
    """The form of a record, given its bytes."""
    return raw[0] & _FORM


def decode(raw: bytes) -> Record:
    """The record of which these are the bytes."""
    head = raw[0]
    at = 1
    expire: i64 = NO_EXPIRE
    key = b""
    if head & _HAS_DEADLINE:
        expire = _COUNT.unpack_from(raw, at)[0]
        at += 8
    if head & _HAS_KEY:
        size = int(_LENGTH.unpack_from(raw, at)[0])
        key = raw[at + 4 : at + 4 + size]
        at += 4 + size
    form = head & _FORM
    if form == INLINE:
        return Record(form, expire, key, raw[at:])
    record = Record(form, expire, key, b"")
    try:
        record.object, record.length, record.used, record.encoding = _OBJECT.unpack_from(raw, at)
    except struct.error as error:
        raise BackendError(f"the store is damaged: the record {raw!r} is cut off") from error
    record.extra = raw[at + _OBJECT.size :]
    return record


def encode_field(name: bytes, field: bytes, value: bytes) -> bytes:
    """What is stored for a field of a hash under that name."""
    if is_digest(name):
        return _LENGTH.pack(len(field)) + field + value
    return value


def decode_field(name: bytes, raw: bytes) -> tuple[bytes, bytes]:
    """A field and its value."""
    if is_digest(name):
        size = int(_LENGTH.unpack_from(raw)[0])
        return raw[4 : 4 + size], raw[4 + size :]
    return name[NUMBER:], raw


def encode_field_deadlines(earliest: i64, noted: i64) -> bytes:
    """The extra of a hash: its fields' earliest deadline, and the one in the database's index."""
    if earliest == NO_EXPIRE and noted == NO_EXPIRE:
        return b""
    return _FIELD_DEADLINES.pack(earliest, noted)


def earliest_deadline(record: Record) -> i64:
    """The earliest deadline of a hash's fields."""
    return int(_FIELD_DEADLINES.unpack(record.extra)[0]) if record.extra else NO_EXPIRE


def noted_deadline(record: Record) -> i64:
    """Under which deadline the database's index has a hash."""
    if record.form != FIELDS or not record.extra:
        return NO_EXPIRE
    return int(_FIELD_DEADLINES.unpack(record.extra)[1])


def encode_ids(next_object: int, next_space: int, graves: int) -> bytes:
    """What `META_IDS` holds."""
    return _IDS.pack(next_object, next_space, graves)


def decode_ids(raw: bytes) -> tuple[int, int, int]:
    """Next object number, next space number, number of graves."""
    next_object, next_space, graves = _counters(_IDS, raw)
    return next_object, next_space, graves


def encode_tally(space: int, size: int, volatile: int, used: int) -> bytes:
    """What `META_TALLY` and a database's number hold."""
    return _TALLY.pack(space, size, volatile, used)


def decode_tally(raw: bytes) -> tuple[int, int, int, int]:
    """Space, number of keys, of keys with a deadline, bytes used."""
    space, size, volatile, used = _counters(_TALLY, raw)
    return space, size, volatile, used


def _counters(shape: Struct, raw: bytes) -> tuple[int, ...]:
    try:
        return shape.unpack(raw)
    except struct.error as error:
        raise BackendError(f"the store is damaged: its counters are {raw!r}") from error
