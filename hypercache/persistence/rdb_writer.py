"""RDB files, as Redis writes them: the bytes of a dump.rdb, or of an append-only file's base.

Format: Redis' rdb.h and rdb.c. The magic, facts about the file (AUX), functions, the keys of the
databases, the end mark and a checksum. Databases may alternate: each change of the database
writes its number anew.
"""

from typing import Final

from mypy_extensions import i64

from hypercache.backend import NO_EXPIRE, Entry
from hypercache.config import Settings
from hypercache.persistence.encoder import Encoder, Origin, ValueParts
from hypercache.rdb import forms
from hypercache.rdb.crc64 import crc64
from hypercache.rdb.dump import write_value
from hypercache.rdb.primitives import Writer

#: What an RDB file begins with; its version in four digits follows.
MAGIC: Final = b"REDIS"
#: The server that a file's version belongs to.
SERVERS: Final = {10: b"7.0.15", 11: b"7.2.6"}


class _Whole(ValueParts):
    """A large value that was written at once."""

    def write(self, count: i64) -> bool:
        return False


def rdb_encoder(settings: Settings, preamble: bool = False) -> "RdbEncoder":
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
        self._writer = Writer()
        self._database = -1
        self._sizes: dict[int, tuple[int, int]] = {}
        self._code = 0

    def begin(self, origin: Origin) -> None:
        writer = self._writer
        writer.out += MAGIC + b"%04d" % self.version
        self._aux(b"redis-ver", SERVERS[self.version])
        self._aux(b"redis-bits", b"64")
        self._aux(b"ctime", b"%d" % (origin.time // 1_000_000))
        self._aux(b"used-mem", b"%d" % origin.used_memory)
        self._aux(b"aof-base", b"1" if self.preamble else b"0")
        for source in origin.libraries:
            writer.out.append(forms.FUNCTION)
            writer.string(source)
        self._sizes = dict(origin.sizes)

    def _aux(self, name: bytes, text: bytes) -> None:
        self._writer.out.append(forms.AUX)
        self._writer.string(name)
        self._writer.string(text)

    def _select(self, database: int) -> None:
        if database == self._database:
            return
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
        self._select(database)
        out = self._writer.out
        if entry.expire != NO_EXPIRE:
            out.append(forms.EXPIRE_MILLISECONDS)
            self._writer.time(entry.expire)
        body = Writer()
        form = write_value(body, entry.value, self.version)
        out.append(form)
        self._writer.string(key)
        out += body.out

    def open(self, database: int, key: bytes, entry: Entry) -> ValueParts:
        self.key(database, key, entry)
        return _Whole()

    def end(self) -> None:
        self._writer.out.append(forms.EOF)

    def pending(self) -> int:
        return len(self._writer.out)

    def take(self) -> list[bytes]:
        chunk = bytes(self._writer.out)
        self._writer.out.clear()
        return [chunk] if chunk else []

    def finish(self, chunk: bytes) -> bytes:
        if self.checksum:
            self._code = crc64(chunk, self._code)
        return chunk

    def trailer(self) -> bytes:
        return self._code.to_bytes(8, "little")
