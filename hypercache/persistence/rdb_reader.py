"""RDB files into the engine, step by step: a dump.rdb, or the base of an append-only file."""

from pathlib import Path
from typing import Final

from mypy_extensions import i64

from hypercache.backend import LIST, NO_EXPIRE, STREAM
from hypercache.persistence.errors import LoadError
from hypercache.persistence.loader import Loader
from hypercache.persistence.rdb_file import FileReader
from hypercache.rdb import forms
from hypercache.rdb.errors import RdbError
from hypercache.rdb.restore import ValueReader

#: What an RDB file begins with; its version in four digits follows.
MAGIC: Final = b"REDIS"
HEAD: Final = 9
_MAGIC_OF_VALKEY: Final = b"VALKEY"
#: Versions that are read: since 5 (Redis 2.6) there is a checksum; 12 is of Redis 7.4.
LOWEST: Final = 5
HIGHEST: Final = 12

_FOOTER: Final = 8
# Elements of a value, or its nodes, that are read at once.
_PART: Final[i64] = 1024


class RdbReader:
    """Reads a file for a loader, or, without one, only checks it.

    ``loaded`` is the offset of what is read next; once `step` has answered False it is where the
    RDB ends, which in an append-only file is not the file's end. ``whole`` is where the last
    whole record ended. Raises `LoadError`, and OSError when the file cannot be opened or read.
    """

    def __init__(
        self,
        path: Path,
        loader: Loader | None,
        *,
        drop_expired: bool = True,
        checksum: bool = True,
        preamble: bool = False,
    ) -> None:
        """``drop_expired``: keys past their deadline are left out (dump.rdb), not loaded to be
        expired by a command that follows (the base of an append-only file). ``checksum``: verify
        it. ``preamble``: the file may go on behind the RDB's end.
        """
        self.path = path
        self.loader = loader
        self.drop_expired = drop_expired
        self.checksum = checksum
        self.preamble = preamble
        self.version = 0
        #: Facts that the file tells of itself.
        self.facts: dict[bytes, bytes] = {}
        self.keys: i64 = 0
        #: Keys without a value, as servers before 6.2.6 could leave them: they are left out.
        self.empty: i64 = 0
        #: Everything could be read, and yet the checksum is wrong.
        self.suspect = False
        self.loaded: i64 = 0
        self.whole: i64 = 0
        self._file = FileReader(path)
        self.size: i64 = self._file.size
        self._database = 0
        self._libraries: list[bytes] = []
        self._expire: i64 = NO_EXPIRE
        self._idle: i64 = -1
        self._frequency: i64 = -1
        # A large value that is being read, and who takes it, unless it has expired.
        self._value: ValueReader | None = None
        self._value_loader: Loader | None = None
        self._key = b""

    def step(self, budget: i64) -> bool:
        """Read about ``budget`` bytes, at least a record; False once the RDB has ended."""
        file = self._file
        until: i64 = file.position() + budget
        going = True
        try:
            if self.version == 0:
                self._read_head()
            while going and file.position() < until:
                if self._value is not None:
                    self._read_part(self._value)
                    continue
                self.whole = file.position()
                going = self._read_record()
        except RdbError as damage:
            raise self._damaged(str(damage)) from damage
        except LoadError as error:
            raise LoadError(f"{self.path}: what is at offset {self.whole}: {error}") from error
        self.loaded = file.position()
        return going

    def close(self) -> None:
        """Give the file back; to be called in the end, whatever happened."""
        self._file.close()

    def _damaged(self, text: str) -> LoadError:
        repair = ""
        if not self.preamble:
            repair = f" ('hypercache check rdb {self.path} --fix' repairs what it can)"
        at = self._file.position()
        return LoadError(
            f"{self.path}: damaged at offset {at}, in what begins at {self.whole}: {text}{repair}"
        )

    def _read_head(self) -> None:
        head = self._file.raw(min(HEAD, self._file.left()))
        if head.startswith(_MAGIC_OF_VALKEY):
            raise RdbError("Valkey 9 or a later one has made this file: only Valkey reads it")
        if not head.startswith(MAGIC):
            raise RdbError("this is no RDB file")
        if len(head) < HEAD or not head[5:].isdigit():
            raise RdbError("the file has no version")
        version = int(head[5:])
        if not LOWEST <= version <= HIGHEST:
            raise RdbError(
                f"the file is of version {version}, and versions {LOWEST} to {HIGHEST} are read"
            )
        self.version = version

    def _read_record(self) -> bool:
        """A key with what goes before it, or something else; False at the end."""
        file = self._file
        while True:
            code = file.byte()
            if code <= forms.LAST:
                self._read_key(int(code))
                return True
            if code == forms.EXPIRE_MILLISECONDS:
                self._expire = file.time()
            elif code == forms.IDLE:
                self._idle = file.length()
            elif code == forms.FREQUENCY:
                self._frequency = file.byte()
            elif code == forms.EXPIRE_SECONDS:
                self._expire = int.from_bytes(file.raw(4), "little", signed=True) * 1000
            else:
                return self._read_other(int(code))

    def _read_other(self, code: int) -> bool:
        file = self._file
        if code == forms.EOF:
            self._read_end()
            return False
        if code == forms.SELECT:
            self._database = int(file.length())
        elif code == forms.RESIZE:
            file.length()
            file.length()
        elif code == forms.AUX:
            name = file.string()
            self.facts[name] = file.string()
        elif code == forms.SLOT_INFO:
            for _ in range(3):
                file.length()
        elif code == forms.FUNCTION:
            self._libraries.append(file.string())
        elif code == forms.FUNCTION_OF_CANDIDATE:
            raise RdbError("it has functions as candidates of Redis 7.0 wrote them")
        elif code == forms.MODULE_AUX:
            self._skip_module()
        else:
            raise RdbError(f"it has something of the unknown kind {code}")
        return True

    def _read_key(self, form: int) -> None:
        if self._libraries:
            self._load_libraries()
        file = self._file
        key = file.string()
        expire = self._expire
        if expire < NO_EXPIRE:
            raise RdbError("a deadline is out of range")
        loader = self.loader
        if loader is not None and self.drop_expired and loader.is_expired(expire):
            loader = None
        if form == forms.STRING:
            text = file.string()
            if loader is not None:
                loader.string(self._database, key, text, expire)
            self.keys += 1
        else:
            self._read_value(loader, key, form)
        if loader is not None and (self._idle >= 0 or self._frequency >= 0):
            self._set_access(loader, key)
        self._expire = NO_EXPIRE
        self._idle = -1
        self._frequency = -1

    def _read_value(self, loader: Loader | None, key: bytes, form: int) -> None:
        value = ValueReader(self._file, form)
        content = value.read(_PART)
        if value.left == 0 and value.is_empty():
            self.empty += 1
            return
        self._key = key
        self._value = value
        self._value_loader = loader
        if loader is not None:
            loader.content(self._database, key, content, self._expire)
        if value.left == 0:
            self._end_value()

    def _read_part(self, value: ValueReader) -> None:
        """More of a large value."""
        content = value.read(_PART)
        if self._value_loader is not None:
            self._value_loader.more(self._database, self._key, content)
        if value.left == 0:
            self._end_value()

    def _end_value(self) -> None:
        value = self._value
        loader = self._value_loader
        self._value = None
        self._value_loader = None
        self.keys += 1
        if loader is None or value is None or value.kind in (LIST, STREAM):
            return
        if loader.length(self._database, self._key) != value.elements:
            raise RdbError("a value has an element twice")

    def _set_access(self, loader: Loader, key: bytes) -> None:
        loader.accessed(self._database, key, self._idle, self._frequency)

    def _load_libraries(self) -> None:
        if self.loader is not None:
            self.loader.libraries(self._libraries)
        self._libraries = []

    def _skip_module(self) -> None:
        """What a module keeps apart from keys: it is only of use to the module."""
        file = self._file
        file.length()
        code = file.length()
        while code:
            if code == forms.MODULE_FLOAT:
                file.raw(4)
            elif code == forms.MODULE_DOUBLE:
                file.raw(8)
            elif code == forms.MODULE_STRING:
                file.string()
            elif code in (forms.MODULE_SIGNED, forms.MODULE_UNSIGNED):
                file.length()
            else:
                raise RdbError(f"a module's data have an element of the unknown kind {code}")
            code = file.length()

    def _read_end(self) -> None:
        if self._libraries:
            self._load_libraries()
        file = self._file
        code = file.checksum()
        expected = int.from_bytes(file.raw(_FOOTER), "little")
        if self.checksum and expected not in (0, code):
            self.suspect = True
            raise RdbError("the checksum is wrong: something before this is damaged")
        if not self.preamble and file.left():
            raise RdbError(f"there are {file.left()} bytes behind the end")
        self.whole = file.position()
