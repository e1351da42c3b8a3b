"""Frames from a file, each checked before anything is made of it."""

import os
from pathlib import Path
from typing import Final

import zstandard
from mypy_extensions import i64

from hypercache_snapshot.format import (
    HEADER_BYTES,
    MAGIC,
    PREAMBLE,
    VERSION,
    FormatError,
    Header,
    open_payload,
    parse_header,
)

_BUFFER: Final = 1 << 20


class FrameReader:
    """Reads the frames of a file one after the other. Every method raises OSError as well.

    ``offset`` is where the frame begins that was read last, or is being read; ``position`` where
    the next one should begin; ``size`` the bytes of the file.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=_BUFFER)
        self.size: i64 = os.fstat(self._file.fileno()).st_size
        self.offset: i64 = 0
        self.position: i64 = 0
        self._decompressor = zstandard.ZstdDecompressor()

    def preamble(self) -> None:
        """Read what stands before the first frame; raises `FormatError`."""
        found = self._file.read(len(PREAMBLE))
        if found[: len(MAGIC)] != MAGIC:
            raise FormatError("this is no snapshot in the native format")
        if found != PREAMBLE:
            version = int.from_bytes(found[len(MAGIC) :], "big")
            raise FormatError(
                f"it is of version {version} of the format; this server reads {VERSION}"
            )
        self.position = len(PREAMBLE)

    def next_header(self) -> Header:
        """The header of the next frame; raises `FormatError`."""
        self.offset = self.position
        data = self._file.read(HEADER_BYTES)
        if len(data) < HEADER_BYTES:
            raise FormatError("the file ends without the frame that ends a snapshot")
        return parse_header(data)

    def payload(self, header: Header) -> bytes:
        """The payload behind a header, as it is; raises `FormatError` where the file ends."""
        payload = self._file.read(header.payload)
        if len(payload) < header.payload:
            raise FormatError("the file ends amid a frame")
        self.position = self.offset + HEADER_BYTES + header.payload
        return payload

    def item(self, header: Header) -> object:
        """The item behind a header; raises `FormatError`."""
        return open_payload(header, self.payload(header), self._decompressor)

    def seek(self, position: i64) -> None:
        """Go on reading from somewhere else."""
        self._file.seek(position)
        self.position = position

    def read(self, count: i64) -> bytes:
        """Bytes from `position` on, which stays where it is."""
        found = self._file.read(count)
        self._file.seek(self.position)
        return found

    def close(self) -> None:
        """Close the file; again changes nothing."""
        self._file.close()
