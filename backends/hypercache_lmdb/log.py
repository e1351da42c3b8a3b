"""The write-ahead log: what was committed since the last checkpoint.

LMDB's write transaction stays open over many rounds, because a commit of its own for each
would copy the path to every page anew, and because its commits are safe from a power failure
only if they wait for the disk. So a round's changes are appended here, which makes them
outlive the process, and syncing this file makes them outlive the machine.

A segment is a file: a head of 16 bytes (`MAGIC`, its number), then batches, one for each
transaction: the size of the payload (8 bytes), a CRC-32 of it that begins with the segment's
number (4 bytes), four bytes that are zero, the payload. A payload is a sequence of
operations: the size of the key (2 bytes), that of the value (4 bytes, ``REMOVED`` for none),
the key, the value. Little-endian. The file is longer than its content: behind the last batch
there are zeros, so that appending needs no new room on the disk.
"""

import mmap
import os
from collections.abc import Callable
from pathlib import Path
from struct import Struct
from typing import Final
from zlib import crc32

from mypy_extensions import i64

from hypercache.backend import BackendError

MAGIC: Final = b"HCLMLOG1"
REMOVED: Final = 0xFFFFFFFF

HEAD: Final = Struct("<8sQ")
BATCH: Final = Struct("<QII")
OPERATION: Final = Struct("<HI")

# Payloads up to this size are joined and written at once; larger ones part by part.
JOINED: Final = 1 << 20
# Parts in one call of the system (IOV_MAX is 1024).
PARTS: Final = 1000
# How much room is reserved at a time.
STEP: Final = 4 << 20

_PREFIX: Final = "log-"

#: Called for each operation of a log: a key, and its value or None where it was removed.
Apply = Callable[[bytes, bytes | None], None]


class Replay:
    """What reading a segment has found."""

    def __init__(self, end: int, batches: int, operations: int, torn: int) -> None:
        #: Where the next batch goes.
        self.end = end
        self.batches = batches
        self.operations = operations
        #: Bytes behind the last whole batch that are no zeros: a batch that was cut off.
        self.torn = torn


def segment_path(folder: Path, number: int) -> Path:
    """Where a segment lies."""
    return folder / f"{_PREFIX}{number:012d}"


def segment_numbers(folder: Path) -> list[int]:
    """The numbers of all segments in a folder, in order."""
    names = [path.name.removeprefix(_PREFIX) for path in folder.glob(f"{_PREFIX}*")]
    return sorted(int(name) for name in names if name.isdigit())


def replay(folder: Path, number: int, apply: Apply) -> Replay:
    """Hand all whole batches of a segment to ``apply``, in order.

    Raises `BackendError` for a file that is no segment; one that is cut off within its head
    was never written to.
    """
    path = segment_path(folder, number)
    size = path.stat().st_size
    if size < HEAD.size:
        return Replay(HEAD.size, 0, 0, size)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        magic, own = HEAD.unpack_from(data, 0)
        if magic == bytes(8):  # created, and the machine failed
            return Replay(HEAD.size, 0, 0, 0)
        if magic != MAGIC or own != number:
            raise BackendError(
                f"{path} is no segment {number} of a log ({magic!r}, {own}): restore the folder"
                " from a copy, or move this file away and lose what it holds"
            )
        found = _read(data, size, number, apply)
        found.torn = _torn(data, found.end)
        return found


def _read(data: mmap.mmap, size: int, number: int, apply: Apply) -> Replay:
    at = HEAD.size
    batches = 0
    operations = 0
    while at + BATCH.size <= size:
        length, checksum, reserved = BATCH.unpack_from(data, at)
        begin = at + BATCH.size
        if length == 0 or reserved != 0 or length > size - begin:
            break
        payload = data[begin : begin + length]
        if crc32(payload, number & 0xFFFFFFFF) != checksum:
            break
        operations += _apply(payload, apply)
        batches += 1
        at = begin + length
    return Replay(at, batches, operations, 0)


def _apply(payload: bytes, apply: Apply) -> int:
    """Hand the operations of a payload on; how many there were."""
    at: i64 = 0
    end: i64 = len(payload)
    count = 0
    while at < end:
        key_size, value_size = OPERATION.unpack_from(payload, at)
        at += 6
        key = payload[at : at + key_size]
        at += key_size
        if value_size == REMOVED:
            apply(key, None)
        else:
            apply(key, payload[at : at + value_size])
            at += value_size
        count += 1
    return count


def _torn(data: mmap.mmap, begin: int) -> int:
    """How many bytes from ``begin`` on there are up to the last one that is not zero."""
    at = len(data)
    while at > begin:
        start = max(begin, at - (1 << 16))
        rest = data[start:at].rstrip(b"\x00")
        if rest:
            return start + len(rest) - begin
        at = start
    return 0


class Segment:
    """A segment that is appended to. Raises `OSError` where the system does."""

    def __init__(self, folder: Path, number: int) -> None:
        self.path = segment_path(folder, number)
        self.number = number
        self.seed = number & 0xFFFFFFFF
        self.descriptor = -1
        #: Where the next batch goes, up to where the disk has room for it, what was synced.
        self.end: i64 = HEAD.size
        self.reserved: i64 = 0
        self.synced: i64 = 0

    def create(self) -> None:
        """Make the file, with its head; an old one of that number was never written to."""
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        self.descriptor = os.open(self.path, flags, 0o600)
        self.reserve(STEP)
        os.pwrite(self.descriptor, HEAD.pack(MAGIC, self.number), 0)

    def resume(self, end: int) -> None:
        """Go on behind the last whole batch; what a crash has left there goes."""
        self.descriptor = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        os.ftruncate(self.descriptor, end)
        os.pwrite(self.descriptor, HEAD.pack(MAGIC, self.number), 0)
        self.end = end
        self.reserve(STEP)

    def reserve(self, room: int) -> None:
        """See to it that the disk has room for so many more bytes."""
        wanted = self.end + room
        if wanted > self.reserved:
            wanted = (wanted + STEP - 1) // STEP * STEP
            os.posix_fallocate(self.descriptor, 0, wanted)
            self.reserved = wanted

    def append(self, parts: list[bytes], size: i64) -> None:
        """Write a batch, given the parts of its payload. Where it raises, nothing is added."""
        room = BATCH.size + size
        if self.end + room > self.reserved:
            self.reserve(room)
        try:
            if size <= JOINED:
                payload = b"".join(parts)
                head = BATCH.pack(len(payload), crc32(payload, self.seed), 0)
                self._write([head + payload], self.end)
            else:
                self._append_large(parts, size)
        except OSError:
            os.ftruncate(self.descriptor, self.end)
            self.reserved = self.end
            raise
        self.end += room

    def _append_large(self, parts: list[bytes], size: i64) -> None:
        checksum = self.seed
        for part in parts:
            checksum = crc32(part, checksum)
        at = self.end + BATCH.size
        for first in range(0, len(parts), PARTS):
            some = parts[first : first + PARTS]
            self._write(some, at)
            for part in some:
                at += len(part)
        # The head last: a batch that is cut off is none.
        self._write([BATCH.pack(size, checksum, 0)], self.end)

    def _write(self, parts: list[bytes], at: int) -> None:
        """Write all of the parts; the system may take fewer bytes than it was given."""
        total = 0
        for part in parts:
            total += len(part)
        done = os.pwritev(self.descriptor, parts, at)
        if done < total:
            rest = b"".join(parts)
            while done < total:
                done += os.pwrite(self.descriptor, memoryview(rest)[done:], at + done)

    def sync(self) -> None:
        """Make durable what was appended before the call. May be called in another thread."""
        end = self.end
        if end > self.synced:
            os.fdatasync(self.descriptor)
            self.synced = end

    def close(self) -> None:
        """Release the file."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def remove(self) -> None:
        """Release the file and delete it: a checkpoint has what it held."""
        self.close()
        self.path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make durable that files were created and removed."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
