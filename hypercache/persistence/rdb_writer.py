"""RDB files, as Redis writes them: the bytes of a dump.rdb, or of an append-only file's base.

Format: Redis' rdb.h and rdb.c. The magic, facts about the file (AUX), functions, the keys of the
databases, the end mark and a checksum. Databases may alternate: each change of the database
writes its number anew.
"""

from typing import Final, Protocol, cast

from mypy_extensions import i64

from hypercache.backend import NO_EXPIRE, Entry, Value
from hypercache.keyspace.eviction import EvictionPolicy
from hypercache.persistence.encoder import Encoder, Origin, ValueParts
from hypercache.rdb import forms
from hypercache.rdb.crc64 import crc64
from hypercache.rdb.dump import form_of, parts_of, write_value
from hypercache.rdb.lzf import Compressor
from hypercache.rdb.parts import Parts
from hypercache.rdb.primitives import Writer

#: What an RDB file begins with; its version in four digits follows.
MAGIC: Final = b"REDIS"
#: The server that a file's version belongs to.
SERVERS: Final = {10: b"7.0.15", 11: b"7.2.6"}


class _OpenValue(ValueParts):
    """A large value; what is encoded meanwhile waits behind it."""

    def __init__(self, encoder: "RdbEncoder", writer: Writer, parts: Parts) -> None:
        self._encoder = encoder
        self._writer = writer
        self._parts = parts

    def write(self, count: i64) -> bool:
        if self._parts.write(self._writer, count):
            return True
        self._encoder.close_value()
        return False


class RdbSettings(Protocol):
    """The settings that say how files are written."""

    rdb_version: int
    rdbcompression: bool
    rdbchecksum: bool


def rdb_encoder(settings: RdbSettings, preamble: bool = False) -> "RdbEncoder":
    """The encoder of RDB files that the settings ask for."""
    return RdbEncoder(settings.rdb_version, settings.rdbcompression, settings.rdbchecksum, preamble)


class RdbEncoder(Encoder):
    """Writes version 11 (Redis 7.2) or 10 (7.0: streams without the consumers' active times).

    ``preamble``: the file is the base of an append-only file.
    """

    def __init__(
        self,
        version: int = 11,
        compression: bool = True,
        checksum: bool = True,
        preamble: bool = False,
    ) -> None:
        if version not in SERVERS:
            raise ValueError(f"RDB files of version {version} are not written")
        self.version = version
        self.compression = compression
        self.checksum = checksum
        self.preamble = preamble
        self._compressor = Compressor() if compression else None
        # What comes first in the file, and what keys are written to: while a large value is open
        # that is what waits behind it.
        self._first = Writer(self._compressor, apart=True)
        self._writer = self._first
        # Which chunks are strings that a worker thread compresses, and how many it has had.
        self._raw: list[bool] = []
        self._finished = 0
        self._patient = Compressor(patient=True) if compression else None
        self._database = -1
        self._policy = ""
        self._policies: list[EvictionPolicy] = []
        self._sizes: dict[int, tuple[int, int]] = {}
        self._code = 0

    def begin(self, origin: Origin) -> None:
        writer = self._writer
        writer.out.write(MAGIC + b"%04d" % self.version)
        self._aux(b"redis-ver", SERVERS[self.version])
        self._aux(b"redis-bits", b"64")
        self._aux(b"ctime", b"%d" % (origin.time // 1_000_000))
        self._aux(b"used-mem", b"%d" % origin.used_memory)
        self._aux(b"aof-base", b"1" if self.preamble else b"0")
        for source in origin.libraries:
            writer.out.append(forms.FUNCTION)
            writer.string(source)
        self._sizes = dict(origin.sizes)
        self._policy = origin.policy
        self._policies = origin.policies

    def _aux(self, name: bytes, text: bytes) -> None:
        self._writer.out.append(forms.AUX)
        self._writer.string(name)
        self._writer.string(text)

    def _select(self, database: int) -> None:
        writer = self._writer
        self._database = database
        writer.out.append(forms.SELECT)
        writer.length(database)
        sizes = self._sizes.pop(database, None)
        if sizes is not None:
            writer.out.append(forms.RESIZE)
            writer.length(sizes[0])
            writer.length(sizes[1])

    def key(self, database: int, key: bytes, entry: Entry) -> None:
        value = entry.value
        form = form_of(value, self.version)
        self._head(database, key, entry, form)
        write_value(self._writer, value, form)

    def open(self, database: int, key: bytes, entry: Entry) -> ValueParts:
        value = cast(Value, entry.value)
        parts = parts_of(value, form_of(value, self.version))
        self._head(database, key, entry, parts.form)
        writer = self._writer
        self._writer = Writer(self._compressor, apart=True)
        return _OpenValue(self, writer, parts)

    def close_value(self) -> None:
        """The open value is complete: what has waited follows it."""
        waiting = self._writer
        self._writer = self._first
        self._writer.extend(waiting)

    def _head(self, database: int, key: bytes, entry: Entry, form: int) -> None:
        """What goes before a value."""
        if database != self._database:
            self._select(database)
        writer = self._writer
        out = writer.out
        if entry.expire != NO_EXPIRE:
            out.append(forms.EXPIRE_MILLISECONDS)
            writer.time(entry.expire)
        if self._policy:
            self._write_access(self._policies[database], entry)
        out.append(form)
        writer.string(key)

    def _write_access(self, policy: EvictionPolicy, entry: Entry) -> None:
        """How long ago a key was used, in seconds, or how often, as the policy has it."""
        frequency = policy.frequency(entry)
        idle = policy.idle(entry)
        if frequency >= 0:
            self._writer.out.append(forms.FREQUENCY)
            self._writer.out.append(int(frequency))
        elif idle >= 0:
            self._writer.out.append(forms.IDLE)
            self._writer.length(idle)

    def end(self) -> None:
        self._writer.out.append(forms.EOF)

    def pending(self) -> int:
        return self._first.size()

    def take(self) -> list[bytes]:
        first = self._first
        first.cut()
        chunks = first.pieces
        self._raw += first.raw
        first.clear()
        return chunks

    def finish(self, chunk: bytes) -> bytes:
        raw = self._raw[self._finished]
        self._finished += 1
        if raw:
            writer = Writer(self._patient)
            writer.compress(chunk)
            chunk = writer.out.getvalue()
        if self.checksum:
            self._code = crc64(chunk, self._code)
        return chunk

    def trailer(self) -> bytes:
        return self._code.to_bytes(8, "little")
