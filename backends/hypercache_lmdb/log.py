"""The write-ahead log: what was committed since the last checkpoint.

LMDB's write transaction stays open over many rounds, because a commit of its own for each
would copy the path to every page anew, and because its commits are safe from a power failure
only if they wait for the disk. So a round's changes are appended here, which makes them
outlive the process, and syncing this file makes them outlive the machine.

A segment is a file: a head of 24 bytes (`MAGIC`, its number, the number of the transaction of
LMDB that all segments before it went into), then batches, one for each transaction of ours:
the size of the payload (8 bytes), a CRC-32 of it that begins with the segment's number (4
bytes), four bytes that are zero, the payload. A payload is a sequence of operations: the size
of the key (2 bytes), that of the value (4 bytes, ``REMOVED`` for none), the key, the value.
A batch without a payload, with 1 in the last four bytes of its head, closes the segment: the
next one goes on. Little-endian. The file is longer than its content: behind the last batch
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

HEAD: Final = Struct("<8sQQ")
BATCH: Final = Struct("<QII")
OPERATION: Final = Struct("<HI")

# Payloads up to this size are joined and written at once; larger ones part by part.
JOINED: Final = 1 << 20
# Parts in one call of the system (IOV_MAX is 1024).
PARTS: Final = 1000
# How much room is reserved at a time.
STEP: Final = 4 << 20

_PREFIX: Final = "log-"
_ZEROS: Final = bytes(1 << 16)

#: Called for each operation of a log: a key, and its value or None where it was removed.
Apply = Callable[[bytes, bytes | None], None]


class Replay:
    """What reading a log has found."""

    def __init__(self, number: int) -> None:
        #: The last segment that was read, and where its next batch goes.
        self.number = number
        self.end: int = HEAD.size
        #: Whether that segment was closed.
        self.closed = False
        self.batches = 0
        self.operations = 0
        #: Bytes behind the last whole batch that are no zeros: a batch that was cut off.
        self.torn = 0


def segment_path(folder: Path, number: int) -> Path:
    """Where a segment lies."""
    return folder / f"{_PREFIX}{number:012d}"


def segment_numbers(folder: Path) -> list[int]:
    """The numbers of all segments in a folder, in order."""
    names = [path.name.removeprefix(_PREFIX) for path in folder.glob(f"{_PREFIX}*")]
    return sorted(int(name) for name in names if name.isdigit())


def replay(folder: Path, number: int, apply: Apply) -> Replay:
    """Hand all whole batches to ``apply``, in order, from a segment on.

    A segment follows another only where that was closed; else the machine has failed, and
    what the disk has of the next one lacks what came before it. Raises `BackendError` for a
    file that is no segment; one that is cut off within its head was never written to.
    """
    found = Replay(number)
    _replay_segment(folder, found, apply)
    while found.closed and segment_path(folder, found.number + 1).exists():
        found.number += 1
        found.closed = False
        _replay_segment(folder, found, apply)
    return found


def reaches(folder: Path, number: int, offset: int) -> bool:
    """Whether a segment has batches about an offset; where not, there are zeros, or no file."""
    path = segment_path(folder, number)
    if not path.exists():
        return False
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(len(_ZEROS)).strip(b"\x00") != b""


def transaction_of(folder: Path, number: int) -> int | None:
    """The transaction of LMDB that all segments before this one go into; None without a head."""
    with segment_path(folder, number).open("rb") as file:
        head = file.read(HEAD.size)
    if len(head) < HEAD.size or head == bytes(HEAD.size):
        return None
    magic, own, transaction = HEAD.unpack(head)
    return int(transaction) if magic == MAGIC and own == number else None


def skipped(folder: Path, found: Replay) -> int:
    """Bytes of a batch that cannot be read although a whole one follows; else 0.

    Then the log was not cut off there: what it has behind that place is lost.
    """
    with segment_path(folder, found.number).open("rb") as file:
        file.seek(found.end)
        head = file.read(BATCH.size)
        if found.closed or len(head) < BATCH.size:
            return 0
        length, _, _ = BATCH.unpack(head)
        file.seek(found.end + BATCH.size + length)
        head = file.read(BATCH.size)
        if length == 0 or len(head) < BATCH.size:
            return 0
        size, checksum, _ = BATCH.unpack(head)
        left = file.seek(0, os.SEEK_END) - (found.end + 2 * BATCH.size + length)
        if size == 0 or size > left:
            return 0
        file.seek(found.end + 2 * BATCH.size + length)
        whole = crc32(file.read(size), found.number & 0xFFFFFFFF) == checksum
        return BATCH.size + int(length) if whole else 0


def _replay_segment(folder: Path, found: Replay, apply: Apply) -> None:
    path = segment_path(folder, found.number)
    found.end = HEAD.size
    size = path.stat().st_size
    if size < HEAD.size:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        head = data[: HEAD.size]
        if head == bytes(HEAD.size):  # created, and then the machine has failed
            return
        magic, own, _ = HEAD.unpack(head)
        if magic != MAGIC or own != found.number:
            raise BackendError(
                f"{path} is no segment {found.number} of a log ({magic!r}, {own}): restore the"
                " folder from a copy, or move this file away and lose what it holds"
            )
        _read(data, size, found, apply)
        if not found.closed:
            found.torn = _torn(data, found.end)


def _read(data: mmap.mmap, size: int, found: Replay, apply: Apply) -> None:
    seed = found.number & 0xFFFFFFFF
    while found.end + BATCH.size <= size:
        length, checksum, closing = BATCH.unpack_from(data, found.end)
        begin = found.end + BATCH.size
        if length == 0 and closing == 1 and checksum == crc32(b"closed", seed):
            found.closed = True
            return
        if length == 0 or closing != 0 or length > size - begin:
            return
        payload = data[begin : begin + length]
        if crc32(payload, seed) != checksum:
            return
        found.operations += _apply(payload, apply)
        found.batches += 1
        found.end = begin + length


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
        start = max(begin, at - len(_ZEROS))
        rest = data[start:at]
        if rest != _ZEROS[: at - start]:
            return start - begin + len(rest.rstrip(b"\x00"))
        at = start
    return 0


class Segment:
    """A segment that is appended to. Raises `OSError` where the system does."""

    def __init__(self, folder: Path, number: int, transaction: int, filled: int = 0) -> None:
        self.path = segment_path(folder, number)
        self.number = number
        self.transaction = transaction
        #: How many bytes `create` fills with zeros.
        self.filled = filled
        self.seed = number & 0xFFFFFFFF
        self.descriptor = -1
        #: Where the next batch goes, up to where the disk has room for it, what was synced.
        self.end: i64 = HEAD.size
        self.reserved: i64 = 0
        self.synced: i64 = 0

    def create(self) -> None:
        """Make the file, with its head, durably; an old one of that number was not written to."""
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        self.descriptor = os.open(self.path, flags, 0o600)
        self.reserve(STEP)
        self._fill()
        os.pwrite(self.descriptor, self._head(), 0)
        os.fdatasync(self.descriptor)

    def _fill(self) -> None:
        """Write zeros, where that is wanted.

        Syncing what lies over them takes half the time of syncing blocks that were only
        reserved: the file system has nothing to note.
        """
        if self.filled > 0:
            self.reserve(self.filled)
            for at in range(0, self.filled, JOINED):
                self._write([bytes(JOINED)], at)
            self.reserved = max(self.reserved, os.fstat(self.descriptor).st_size)

    def _head(self) -> bytes:
        return HEAD.pack(MAGIC, self.number, self.transaction)

    def resume(self, end: int, torn: int) -> None:
        """Go on behind the last whole batch; the ``torn`` bytes that a crash has left there go.

        The file keeps its blocks: the disk may have no others.
        """
        self.descriptor = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        for at in range(end, end + torn, JOINED):
            self._write([bytes(min(JOINED, end + torn - at))], at)
        if torn:
            os.fdatasync(self.descriptor)  # a new batch must not lead to a rest of an old one
        os.pwrite(self.descriptor, self._head(), 0)
        self.end = end
        self.reserved = os.fstat(self.descriptor).st_size

    def adopt(self) -> None:
        """Open one that a process before this one has closed, to be synced and removed."""
        self.descriptor = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        self.end = os.fstat(self.descriptor).st_size

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
        if self.end + room + BATCH.size > self.reserved:  # and for the closing one
            self.reserve(room + BATCH.size)
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

    def finish(self) -> None:
        """Write that the next segment goes on. `reserve` has kept the room."""
        self._write([BATCH.pack(0, crc32(b"closed", self.seed), 1)], self.end)
        self.end += BATCH.size

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
