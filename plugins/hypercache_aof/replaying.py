"""A file of the folder into the engine, step by step: an RDB in front, commands behind it."""

from pathlib import Path
from typing import Final

from mypy_extensions import i64

from hypercache.keyspace.clock import Clock
from hypercache.persistence.errors import LoadError
from hypercache.persistence.loader import Loader
from hypercache.persistence.rdb_reader import MAGIC, RdbReader
from hypercache_aof.reading import AofReader

# Units between two looks at the clock, and bytes of an RDB.
_UNITS: Final[i64] = 32
_BYTES: Final[i64] = 64 << 10


class FileReplay:
    """Loads a file for a loader, or, without one, only checks it.

    ``offset``: the journal's before the file, and then before what is read next. ``loaded``:
    bytes that were read. ``whole``: everything before this offset is whole. The rest as in
    `AofReader`. Raises `LoadError`, and OSError.
    """

    def __init__(
        self, path: Path, loader: Loader | None, offset: i64 = 0, checksum: bool = True
    ) -> None:
        self.path = path
        self.loader = loader
        self.offset: i64 = offset
        self.loaded: i64 = 0
        self.whole: i64 = 0
        self.commands: i64 = 0
        self.keys: i64 = 0
        self._rdb: RdbReader | None = None
        self._aof: AofReader | None = None
        with path.open("rb") as file:
            is_rdb = file.read(len(MAGIC)) == MAGIC
        self.size: i64 = path.stat().st_size
        if is_rdb:
            self._rdb = RdbReader(
                path, loader, drop_expired=False, checksum=checksum, preamble=True
            )
        else:
            self._aof = AofReader(path, offset)

    @property
    def torn(self) -> bool:
        """Whether the file ends amid what begins at ``whole``."""
        return self._aof is not None and self._aof.torn

    @property
    def in_rdb(self) -> bool:
        """Whether the RDB in front has not ended yet."""
        return self._rdb is not None

    @property
    def ended(self) -> bool:
        """Whether our end line is the last of the file."""
        return self._aof is not None and self._aof.ended

    @property
    def is_cut(self) -> bool:
        """Whether it is ours, and has no end line: it was cut, or is the one last written."""
        return self._aof is not None and self._aof.annotated and not self._aof.closed

    def lost(self) -> int:
        """How many commands begin behind ``whole``, as far as can be told."""
        return 0 if self._aof is None else self._aof.lost()

    def step(self, until: i64, clock: Clock) -> bool:
        """Load until the clock says so many microseconds; False at the end of the file."""
        while True:
            rdb = self._rdb
            if rdb is not None:
                if not self._step_rdb(rdb):
                    self._rdb = None
                    rdb.close()
            elif not self._step_units():
                return False
            if clock.microseconds() >= until:
                return True

    def close(self) -> None:
        """Give the files back; to be called in the end, whatever happened."""
        if self._rdb is not None:
            self._rdb.close()
        if self._aof is not None:
            self._aof.close()

    def _step_rdb(self, rdb: RdbReader) -> bool:
        try:
            going = rdb.step(_BYTES)
        finally:
            self.whole = rdb.whole
            self.keys = rdb.keys
        self.loaded = rdb.loaded
        if not going:
            self._aof = AofReader(self.path, self.offset, rdb.loaded)
        return going

    def _step_units(self) -> bool:
        aof = self._aof
        if aof is None:
            return False
        going = True
        units: i64 = 0
        try:
            while units < _UNITS and going:
                going = aof.next()
                if going:
                    self._repeat(aof)
                units += 1
        finally:
            self.offset = aof.offset
            self.loaded = aof.position
            self.whole = aof.begin
        self.whole = aof.position
        return going

    def _repeat(self, aof: AofReader) -> None:
        commands = aof.commands
        loader = self.loader
        self.commands += len(commands)
        if loader is None:
            return
        databases = aof.databases
        try:
            for index in range(len(commands)):
                loader.command(databases[index], commands[index])
        except LoadError as error:
            raise aof.damage(aof.begin, str(error)) from error
