"""A file of commands, unit by unit: batches with verified checksums, and plain commands.

A unit is what is loaded together or not at all: a batch of ours, a transaction of a stock
server, or one command of it. Whatever is not exactly as it was written is damage, with one
exception: a file may end amid a unit, or in bytes that are zero, as a crash or a power cut
leaves it. Then it is torn, and whoever reads decides whether that may be.
"""

import os
import re
from pathlib import Path
from typing import Final
from zlib import crc32

from mypy_extensions import i64

from hypercache.persistence.errors import LoadError
from hypercache_aof.annotations import LONGEST, MARK, may_become, parse

# Bytes that are read at a time; a longer unit needs its own length.
_CHUNK: Final[i64] = 1 << 20
# Bytes of a line with the time, and digits of a count or a length.
_NUMBER: Final[i64] = 24
_DIGITS: Final[i64] = 18
_STAR: Final[i64] = 42
_DOLLAR: Final[i64] = 36
_HASH: Final[i64] = 35
_CR: Final[i64] = 13
_LF: Final[i64] = 10
_ZERO: Final[i64] = 48
_NINE: Final[i64] = 57
# What `_number` answers where the bytes end too early.
_CUT: Final[i64] = -1
_BEGUN: Final = re.compile(rb"\*\d+\r\n(?:\$\d+\r\n)?([A-Za-z]*)")
_AROUND: Final = frozenset((b"SELECT", b"MULTI", b"EXEC"))


class AofReader:
    """Reads a file from ``start`` on (behind an RDB preamble) to its end.

    `next` gives the commands of a unit: ``commands``, and the database of each in
    ``databases``; it began at ``begin``. ``position`` is where the next one begins: everything
    before it is whole. ``offset`` is the journal's there; plain commands count one each.
    ``annotated``: the file is ours, at least in part. ``closed``: it has an end line, and
    ``ended``: as its last line. ``torn``: the file ends amid a unit that begins at
    ``position``. Raises `LoadError` for damage, and OSError.
    """

    def __init__(self, path: Path, offset: i64 = 0, start: i64 = 0) -> None:
        self.path = path
        self.offset: i64 = offset
        self.commands: list[list[bytes]] = []
        self.databases: list[int] = []
        self.begin: i64 = start
        self.position: i64 = start
        self.annotated = False
        self.closed = False
        self.ended = False
        self.torn = False
        self.seconds: i64 = 0
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.size: i64 = os.fstat(self._descriptor).st_size
        # Plain commands have come: no batch of ours comes after them in a file.
        self._foreign = False
        self._database = 0
        # Where the bytes end that are not zero.
        self._end: i64 = self.size
        # What begins at ``base`` in the file, and where in it we are.
        self._data = b""
        self._base: i64 = start
        self._at: i64 = 0
        # Left by `_number` and `_command`.
        self._next: i64 = 0
        self._needed: i64 = 0
        self._strip_zeros(start)

    def close(self) -> None:
        """Give the file back; to be called in the end, whatever happened."""
        os.close(self._descriptor)

    def next(self) -> bool:
        """Read the next unit; False at the end of the file, or where it is torn."""
        self.commands = []
        self.databases = []
        while True:
            self.position = self._base + self._at
            self.begin = self.position
            if self.position >= self._end:
                self.torn = self._end < self.size
                return False
            if not self._have(1):
                raise self.damage(self.position, "the file has become shorter while it was read")
            first: i64 = self._data[self._at]
            if first == _HASH:
                if self._annotation():
                    return True
                if self.torn:
                    return False
            elif first == _STAR:
                if not self._plain():
                    self.torn = True
                    return False
                self._foreign = True
                self.ended = False
                if self.commands:
                    self.position = self._base + self._at
                    return True
            else:
                raise self.damage(self.position, "there is no command here")

    def damage(self, offset: i64, text: str) -> LoadError:
        """What is to be raised for something that is wrong at an offset."""
        return LoadError(f"{self.path}: damaged at offset {offset}: {text}")

    def lost(self) -> int:
        """How many commands begin in what is torn off, as far as can be told."""
        begin = self.position
        found = 0
        while begin < self._end:
            os.lseek(self._descriptor, begin, os.SEEK_SET)
            data = os.read(self._descriptor, int(min(_CHUNK, self._end - begin)))
            if not data:
                break
            found += count_commands(data)
            begin += len(data)
        return found

    # The file -------------------------------------------------------------------------------

    def _strip_zeros(self, start: i64) -> None:
        """A power cut may leave zeros where a file had grown: they are no part of it."""
        while self._end > start:
            begin: i64 = max(start, self._end - _CHUNK)
            data = os.pread(self._descriptor, int(self._end - begin), int(begin))
            kept: i64 = len(data.rstrip(b"\0"))
            self._end = begin + kept
            if kept:
                return

    def _have(self, size: i64) -> bool:
        """Whether so many bytes follow, which then are in ``data``; False at the end."""
        if self._at + size <= len(self._data):
            return True
        if self._base + self._at + size > self._end:
            return False
        pieces = [self._data[self._at :]]
        self._base += self._at
        have: i64 = len(pieces[0])
        self._at = 0
        self._data = b""
        wanted: i64 = min(max(size, _CHUNK), self._end - self._base)
        while have < wanted:
            piece = os.pread(self._descriptor, int(wanted - have), int(self._base + have))
            if not piece:
                break
            pieces.append(piece)
            have += len(piece)
        self._data = b"".join(pieces)
        return have >= size

    # Our lines ------------------------------------------------------------------------------

    def _line(self) -> bytes:
        """The line here, with its break; empty where the file ends amid it."""
        end: i64 = self._data.find(b"\n", self._at, self._at + LONGEST)
        if end < 0:
            left: i64 = self._end - self._base - self._at
            self._have(min(LONGEST, left))
            end = self._data.find(b"\n", self._at, self._at + LONGEST)
            if end < 0:
                if left < LONGEST and may_become(self._data[self._at :]):
                    return b""
                raise self.damage(self._base + self._at, "a line has no end")
        return self._data[self._at : end + 1]

    def _annotation(self) -> bool:
        """Read the line here, and the batch that it begins; whether there are commands in it.

        Where the file ends too early, it is torn.
        """
        line = self._line()
        if not line:
            self.torn = True
            return False
        if line.startswith(MARK):
            return self._ours(line)
        self._skip(line)
        return False

    def _skip(self, line: bytes) -> None:
        """The time, or what another server has to tell."""
        at: i64 = self._at
        if line.startswith(b"#TS:") and line.endswith(b"\r\n") and line[4:-2].isdigit():
            self.seconds = int(line[4:-2]) if len(line) < _NUMBER else 0
        elif self.annotated or line.startswith(MARK):
            raise self.damage(self._base + at, "a line is damaged")
        else:
            self._foreign = True
        self._at = at + len(line)

    def _ours(self, line: bytes) -> bool:
        found = parse(line)
        if found is None:
            raise self.damage(self.position, "the line before a batch, or the last, is damaged")
        least = self.offset if found.ends or not found.size else self.offset + 1
        if found.offset < least:
            raise self.damage(
                self.position,
                f"the journal's offset is {found.offset} here, and was {self.offset} before",
            )
        if found.ends:
            self._take_end(found.size)
        elif self.closed or self._foreign:
            raise self.damage(self.position, "a batch comes after the file's end")
        elif self._have(len(line) + found.size):
            self.annotated = True
            self._at += len(line)
            return self._batch(found.offset, found.size, found.code)
        else:
            self.torn = True
            return False
        self._at += len(line)
        self.offset = found.offset
        return False

    def _batch(self, offset: i64, size: i64, code: i64) -> bool:
        begin: i64 = self._at
        end: i64 = begin + size
        if crc32(self._data[begin:end]) != code:
            raise self.damage(self._base + begin, "the checksum of a batch is wrong")
        transaction = False
        while self._at < end:
            command = self._command(end)
            if command is None:
                raise self.damage(self._base + self._at, "a batch ends amid a command")
            transaction = self._take(command, transaction)
        if transaction:
            raise self.damage(self._base + begin, "a batch ends amid a transaction")
        self.offset = offset
        self.position = self._base + self._at
        return len(self.commands) > 0

    # Commands -------------------------------------------------------------------------------

    def _plain(self) -> bool:
        """Read a command or a transaction of a stock server; False where the file is torn."""
        database = self._database
        transaction = False
        while True:
            command = self._whole_command()
            if command is None:
                break
            transaction = self._take(command, transaction)
            if not transaction:
                self.offset += len(self.commands)
                return True
            if not self._skip_lines():
                break
        self._database = database
        self.commands = []
        self.databases = []
        return False

    def _skip_lines(self) -> bool:
        """Move to the next command of a transaction; False where the file is torn."""
        while self._have(1):
            first: i64 = self._data[self._at]
            if first == _STAR:
                return True
            if first != _HASH:
                raise self.damage(self._base + self._at, "there is no command here")
            line = self._line()
            if not line:
                return False
            self._skip(line)
        return False

    def _take(self, command: list[bytes], transaction: bool) -> bool:
        """Keep a command, or follow it; whether a transaction is open behind it."""
        name = command[0]
        size = len(name)
        if size == 6 and len(command) == 2 and name.upper() == b"SELECT":
            number = command[1]
            if not number.isdigit() or len(number) > 9:
                raise self.damage(self._base + self._at, "SELECT names no database")
            self._database = int(number)
            return transaction
        if size == 5 and name.upper() == b"MULTI":
            if transaction:
                raise self.damage(self._base + self._at, "a transaction begins inside another")
            return True
        if size == 4 and name.upper() == b"EXEC":
            if not transaction:
                raise self.damage(self._base + self._at, "a transaction ends that never began")
            return False
        self.commands.append(command)
        self.databases.append(self._database)
        return transaction

    def _whole_command(self) -> list[bytes] | None:
        """The command here, however much of the file that takes; None where it is torn."""
        while True:
            command = self._command(len(self._data))
            if command is not None:
                return command
            left: i64 = self._end - self._base - self._at
            have: i64 = len(self._data) - self._at
            if self._needed > left or have >= left:
                return None
            # Twice as much each time: what was looked at in vain stays in proportion.
            if not self._have(min(max(self._needed, 2 * have), left)):
                text = "the file has become shorter while it was read"
                raise self.damage(self._base + self._at, text)

    def _command(self, end: i64) -> list[bytes] | None:
        """The command here, which must end before the index ``end`` of the data.

        None where it does not; ``_needed`` is how many bytes it has at least.
        """
        data = self._data
        begin: i64 = self._at
        count: i64 = self._number(begin, end, _STAR)
        if count < 0:
            self._needed = end - begin + 1
            return None
        if count == 0:
            raise self.damage(self._base + begin, "a command has no name")
        at: i64 = self._next
        command: list[bytes] = []
        while count > 0:
            length: i64 = -1
            start: i64 = at + 4
            if start < end and data[at] == _DOLLAR:  # one digit or two: most lengths
                first: i64 = data[at + 1]
                char: i64 = data[at + 2]
                if char == _CR and data[at + 3] == _LF and _ZERO <= first <= _NINE:
                    length = first - _ZERO
                elif data[at + 3] == _CR and data[at + 4] == _LF:
                    if _ZERO <= first <= _NINE and _ZERO <= char <= _NINE:
                        length = first * 10 + char - 11 * _ZERO
                        start += 1
            if length < 0:
                length = self._number(at, end, _DOLLAR)
                start = self._next
            if length < 0:
                self._needed = end - begin + 1
                return None
            at = start + length + 2
            if at > end:
                self._needed = at - begin
                return None
            if data[at - 2] != _CR or data[at - 1] != _LF:
                raise self.damage(self._base + at - 2, "an argument is longer than its length")
            command.append(data[start : at - 2])
            count -= 1
        self._at = at
        return command

    def _number(self, at: i64, end: i64, mark: i64) -> i64:
        """The number of the line at an index, moving ``_next`` behind it; `_CUT` at the end."""
        data = self._data
        if at >= end:
            return _CUT
        if data[at] != mark:
            raise self.damage(self._base + at, f"'{chr(mark)}' is missing")
        number: i64 = 0
        digit: i64 = at + 1
        while digit < end:
            char: i64 = data[digit]
            if not _ZERO <= char <= _NINE:
                break
            number = number * 10 + (char - _ZERO)
            digit += 1
            if digit - at > _DIGITS:
                raise self.damage(self._base + at, "a number is too large")
        if digit >= end:
            return _CUT
        if digit == at + 1 or data[digit] != _CR:
            raise self.damage(self._base + digit, "this is no number")
        if digit + 1 >= end:
            return _CUT
        if data[digit + 1] != _LF:
            raise self.damage(self._base + digit, "a line has no end")
        self._next = digit + 2
        return number

    def _take_end(self, size: i64) -> None:
        if size != self.position:
            raise self.damage(
                self.position, f"the file's last line belongs to offset {size}: bytes are missing"
            )
        self.annotated = True
        self.closed = True
        self.ended = True


def count_commands(data: bytes) -> int:
    """How many commands begin in these bytes, without those that only go round others."""
    names = _BEGUN.findall(data)
    return len([name for name in names if name.upper() not in _AROUND])
