"""The native format of a snapshot: a CBOR sequence (RFC 8742) in frames, each compressed by zstd.

A file is 12 bytes (`MAGIC`, and the version as a number of 4 bytes), and frames behind each
other. All numbers are big-endian. A frame is a header of 25 bytes and its payload:

    0   4   MARK
    4   1   what it holds: HEAD, ITEMS, PIECE or END
    5   4   its number: 0, 1, 2, ...
    9   4   bytes of its item, at most MAX_ITEM
    13  4   bytes of the payload, at most MAX_PAYLOAD
    17  4   CRC-32 of the payload
    21  4   CRC-32 of the header up to here

The payload is one CBOR item, compressed by itself. So a frame is checked and read without those
before it, and after damage the next one is found by its mark.

- `HEAD`, the first: a map with ``time`` (Unix microseconds), ``offset`` (of the journal),
  ``server`` (version), ``memory`` (bytes of the data), ``policy`` and ``databases`` (number to
  [keys, keys with a deadline]).
- `ITEMS`: a list of tables. A table is a list of its kind, its layout, a database, and rows in
  one flat list: there a key costs hardly more than its bytes. See `hypercache_snapshot.rows`.
- `PIECE`: [number of a text, number of the piece, bytes]: texts that are too long for a row.
- `END`, the last: a map with ``keys`` (database to number), ``frames`` and ``bytes`` before it,
  and ``time`` and ``offset`` once more. A file without it was cut.
"""

import struct
import zlib
from typing import Final

import cbor2
import zstandard
from mypy_extensions import i64

MAGIC: Final = b"\x89HCS\r\n\x1a\n"
VERSION: Final = 1
#: Suffix of the files' names.
SUFFIX: Final = ".hcs"
PREAMBLE: Final = MAGIC + struct.pack(">I", VERSION)

HEAD: Final = 1
ITEMS: Final = 2
PIECE: Final = 3
END: Final = 4

MARK: Final = b"\xf7HCF"
HEADER_BYTES: Final = 25
#: Bytes from which on a frame is closed, of a row from which on it is continued in another, and
#: of a text from which on it goes into pieces.
FRAME_BYTES: Final = 256 << 10
ROW_BYTES: Final = 64 << 10
TEXT_BYTES: Final = 64 << 10
#: No frame has more (most have a tenth of it); one that says otherwise is not read.
MAX_ITEM: Final = 4 << 20
MAX_PAYLOAD: Final = MAX_ITEM + (MAX_ITEM >> 7) + 1024

_HEADER: Final = struct.Struct(">4sBIIII")
_CHECKSUM: Final = struct.Struct(">I")


class FormatError(Exception):
    """What is wrong with a frame, or with what is in it."""


class Header:
    """A frame's header."""

    def __init__(self, kind: int, number: i64, item: i64, payload: i64, checksum: i64) -> None:
        self.kind = kind
        self.number = number
        #: Bytes of the item, and of the payload.
        self.item = item
        self.payload = payload
        self.checksum = checksum


def frame(kind: int, number: int, item: bytes, compressor: zstandard.ZstdCompressor) -> bytes:
    """A whole frame; raises `FormatError` where an item is too long."""
    if len(item) > MAX_ITEM:
        raise FormatError(f"a frame of {len(item)} bytes would be larger than any may be")
    payload = compressor.compress(item)
    header = _HEADER.pack(MARK, kind, number, len(item), len(payload), zlib.crc32(payload))
    return b"".join((header, _CHECKSUM.pack(zlib.crc32(header)), payload))


def parse_header(data: bytes) -> Header:
    """The header in `HEADER_BYTES` bytes; raises `FormatError`."""
    if data[:4] != MARK:
        raise FormatError("there is no frame here")
    if zlib.crc32(data[:21]) != int.from_bytes(data[21:HEADER_BYTES], "big"):
        raise FormatError("the checksum of a frame's header is wrong")
    _, kind, number, item, payload, checksum = _HEADER.unpack_from(data)
    if item > MAX_ITEM or payload > MAX_PAYLOAD:
        raise FormatError("a frame is larger than any that is written")
    return Header(kind, number, item, payload, checksum)


def open_payload(
    header: Header, payload: bytes, decompressor: zstandard.ZstdDecompressor
) -> object:
    """The item of a frame; raises `FormatError`."""
    if zlib.crc32(payload) != header.checksum:
        raise FormatError("the checksum of a frame is wrong")
    try:
        # What the payload itself says of its size: nothing is allocated for more.
        if zstandard.frame_content_size(payload) != header.item:
            raise FormatError("a frame does not have the size that its header says")
        decoded: object = cbor2.loads(decompressor.decompress(payload))
    except (zstandard.ZstdError, cbor2.CBORDecodeError, ValueError) as error:
        raise FormatError(f"a frame cannot be decoded: {error}") from error
    return decoded


def number_in(item: object, name: str) -> int:
    """A number in the map of a head or an end; raises `FormatError`."""
    found = item.get(name) if isinstance(item, dict) else None
    if not isinstance(found, int):
        raise FormatError(f"{name!r} is missing")
    return found


def text_in(item: object, name: str) -> str:
    """A text in the map of a head; raises `FormatError`."""
    found = item.get(name) if isinstance(item, dict) else None
    if not isinstance(found, str):
        raise FormatError(f"{name!r} is missing")
    return found
