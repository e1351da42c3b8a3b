"""The records of a round as the bytes of a file: what a stock server reads, with a checksum."""

from typing import Final
from zlib import crc32

from librt.strings import BytesWriter
from mypy_extensions import i64

from hypercache.engine.journal import Record
from hypercache.keyspace.changes import Effect
from hypercache_aof.annotations import batch_line, time_line

_SHORT: Final = 1024
_COUNTS: Final[list[bytes]] = [b"*%d" % n for n in range(_SHORT + 1)]
# The end of what was before, and the head of an argument.
_HEADS: Final[list[bytes]] = [b"\r\n$%d\r\n" % n for n in range(_SHORT + 1)]
_CRLF: Final = b"\r\n"
_MULTI: Final = b"*1\r\n$5\r\nMULTI\r\n"
_EXEC: Final = b"*1\r\n$4\r\nEXEC\r\n"
# A buffer that has grown beyond this is given back.
_KEPT: Final = 1 << 20


class BatchEncoder:
    """Encodes for one file after the other; what it gives must be written in order, and all.

    ``database`` is the one that the file's last SELECT names, -1 at its beginning.
    """

    def __init__(self) -> None:
        self.database = -1
        self._seconds: i64 = 0
        self._out = BytesWriter()

    def begin_file(self) -> None:
        """What is encoded from now on goes to a new file."""
        self.database = -1
        self._seconds = 0

    def encode(self, records: list[Record], seconds: i64 = 0) -> bytes:
        """A round's records as one batch; empty when there is nothing that a file has to keep.

        ``seconds``: the time, which is noted when it is another than before; 0 for never.
        """
        out = self._out
        for record in records:
            if record.more is not None:
                self._several(record)
            elif not record.first.transient:
                self._effect(record.first)
        size: i64 = len(out)
        if size == 0:
            return b""
        body = out.getvalue()
        if size > _KEPT:
            self._out = BytesWriter()
        else:
            out.truncate(0)
        batch = batch_line(records[-1].offset, size, crc32(body)) + body
        if seconds <= self._seconds:
            return batch
        self._seconds = seconds
        return time_line(seconds) + batch

    def _several(self, record: Record) -> None:
        """Several effects are a transaction."""
        effects = [effect for effect in record.effects if not effect.transient]
        if len(effects) < 2:
            for effect in effects:
                self._effect(effect)
            return
        self._select(effects[0].database)
        self._out.write(_MULTI)
        for effect in effects:
            self._effect(effect)
        self._out.write(_EXEC)

    def _effect(self, effect: Effect) -> None:
        if effect.database != self.database:
            self._select(effect.database)
        out = self._out
        args = effect.args
        count = len(args)
        out.write(_COUNTS[count] if count <= _SHORT else b"*%d" % count)
        for arg in args:
            size = len(arg)
            out.write(_HEADS[size] if size <= _SHORT else b"\r\n$%d\r\n" % size)
            out.write(arg)
        out.write(_CRLF)

    def _select(self, database: int) -> None:
        if database != self.database:
            self.database = database
            digits = b"%d" % database
            self._out.write(b"*2\r\n$6\r\nSELECT\r\n$%d\r\n%s\r\n" % (len(digits), digits))
