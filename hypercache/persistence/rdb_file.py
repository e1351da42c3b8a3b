"""An RDB file that is read from front to back, in chunks, with its checksum."""

import os
from pathlib import Path
from typing import Final

from mypy_extensions import i64

from hypercache.rdb.crc64 import crc64
from hypercache.rdb.errors import RdbError
from hypercache.rdb.primitives import Reader

# Bytes that are read at a time; a longer string needs its own length.
_CHUNK: Final = 1 << 20


class FileReader(Reader):
    """Opens the file: OSError if that fails. ``size`` is how long it was then."""

    def __init__(self, path: Path) -> None:
        super().__init__(b"")
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.size: i64 = os.fstat(self._descriptor).st_size
        # Where ``data`` begins in the file, and the checksum of all before it.
        self._base: i64 = 0
        self._code = 0

    def position(self) -> i64:
        """The offset of what is read next."""
        return self._base + self.at

    def checksum(self) -> int:
        """The checksum of all that was read so far."""
        return crc64(self.data[: self.at], self._code)

    def left(self) -> i64:
        return self.size - self._base - self.at

    def fill(self, size: i64) -> None:
        if size > self.left():
            raise RdbError("the file is cut here")
        self._code = crc64(self.data[: self.at], self._code)
        rest = self.data[self.at :]
        self._base += self.at
        self.data = b""
        self.at = 0
        pieces = [rest]
        # No more than there is: whoever reads a small file needs no large buffer.
        missing: i64 = min(max(size, _CHUNK), self.left()) - len(rest)
        have: i64 = len(rest)
        while missing > 0:
            piece = os.read(self._descriptor, min(missing, _CHUNK))
            if not piece:
                break
            pieces.append(piece)
            have += len(piece)
            missing -= len(piece)
        if have < size:
            raise RdbError("the file has become shorter while it was read")
        self.data = b"".join(pieces)
        self.end = have

    def close(self) -> None:
        """Give the file back."""
        os.close(self._descriptor)
