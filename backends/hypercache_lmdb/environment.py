# mypyc: interpreted
"""Opening a store's folder: one process, LMDB's environment, the format.

A folder has LMDB's ``data.mdb`` and ``lock.mdb``, the segments of the log, and ``owner``, which
the process that serves the store keeps locked. LMDB's unnamed database holds what is said
about the store (`FORMAT_KEY`, `LOG_KEY`), the database ``data`` the pairs.
"""

import fcntl
import mmap
import os
from pathlib import Path
from typing import Final

import lmdb

from hypercache.backend import BackendError
from hypercache_lmdb import log
from hypercache_lmdb.meta import MetaPages

FORMAT: Final = b"hypercache lmdb 1"
_FORMAT_NAME: Final = b"hypercache lmdb "

DATA: Final = b"data"
FORMAT_KEY: Final = b"!format"
LOG_KEY: Final = b"!log"

DATA_FILE: Final = "data.mdb"
# One that is being written, to take the place of the data file.
FRESH_FILE: Final = "data.mdb.new"
OWNER_FILE: Final = "owner"
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
# Room for what a unit may need, and to grow.
SMALLEST_MAP: Final = 32 << 20
# Characters for a process and a boot.
SIGNATURE: Final = 63
# More than this is not read in advance; a disk of 1 GB/s needs a second for it.
WARMED: Final = 1 << 30
# Snapshots, copies and checks that read at the same time.
READERS: Final = 64


def own(folder: Path) -> int:
    """Lock a folder for this process; the descriptor that holds the lock."""
    path = folder / OWNER_FILE
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        owner = (os.read(descriptor, 256).decode("ascii", "replace").split() or ["unknown"])[0]
        os.close(descriptor)
        raise BackendError(
            f"{folder} is in use by another process (PID {owner}): stop it, or use another path"
        ) from error
    return descriptor


def same_boot(descriptor: int) -> bool:
    """Whether the last owner of a folder ran since the machine started.

    Then the system has all that it wrote, synced or not.
    """
    last = os.pread(descriptor, 256, 0).decode("ascii", "replace").split()
    return len(last) == 2 and last[1] == _boot()


def sign(descriptor: int) -> None:
    """Write down who owns a folder now, durably."""
    # In the block that it has: a full disk may have no other.
    line = f"{os.getpid()} {_boot()}".ljust(SIGNATURE) + "\n"
    os.pwrite(descriptor, line.encode(), 0)
    os.fsync(descriptor)


def resign(descriptor: int) -> None:
    """Take the signature back: what was written since may not be trusted."""
    os.ftruncate(descriptor, 0)
    os.fsync(descriptor)


def _boot() -> str:
    """What is different after the machine has started again; a random text if nothing tells."""
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        return os.urandom(16).hex()


def make_folder(folder: Path) -> None:
    """Create a store's folder, for its owner only."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise BackendError(f"{folder} cannot be created: {error.strerror}") from error


def warm(descriptor: int, length: int) -> None:
    """Read the used part of a data file, in order, where that is quicker than page by page.

    What a log changes lies all over the file, and after a restart of the machine none of it is
    in memory.
    """
    at = 0
    while at < min(length, WARMED):
        at += len(os.pread(descriptor, 1 << 20, at)) or length


def settle_metas(folder: Path, descriptor: int) -> None:
    """Go back to the checkpoint before the last one, where that may not be whole on the disk."""
    if must_settle(folder, descriptor):
        MetaPages(folder / DATA_FILE).go_back()


def must_settle(folder: Path, descriptor: int) -> bool:
    """Whether the last checkpoint may not be whole on the disk; ``descriptor`` is the owner's file.

    It is whole as long as the machine runs, and once it was synced: then the segments of the
    log that went into it are removed. See `hypercache_lmdb.meta`.
    """
    data = folder / DATA_FILE
    if same_boot(descriptor) or not data.exists():
        return False
    newest = MetaPages(data).newest()
    numbers = log.segment_numbers(folder)
    return any(
        number - 1 in numbers and log.transaction_of(folder, number) == newest for number in numbers
    )


def remove_leftovers(folder: Path) -> None:
    """Remove what a compaction that was killed has left; refuse a copy that was."""
    fresh = folder / FRESH_FILE
    if fresh.exists() and not (folder / DATA_FILE).exists():
        raise BackendError(
            f"{folder} is a copy that was broken off: remove the folder and copy again"
        )
    fresh.unlink(missing_ok=True)


def open_environment(folder: Path, map_size: int, *, readahead: bool = True) -> lmdb.Environment:
    """LMDB's environment of a folder, for writing; raises `BackendError`."""
    data = folder / DATA_FILE
    # Reserved blocks make the file as long as its map was; a shorter map would not do.
    known = data.stat().st_size if data.exists() else 0
    try:
        return lmdb.open(
            str(folder),
            map_size=max(map_size, known, SMALLEST_MAP),
            writemap=True,
            sync=False,
            meminit=False,
            readahead=readahead,
            max_dbs=1,
            max_readers=READERS,
            mode=0o600,
        )
    except lmdb.Error as error:
        raise BackendError(f"{folder} cannot be opened: {error}") from error


def has_address_space(size: int) -> bool:
    """Whether a map of that size can be had: LMDB does not survive one that it does not get."""
    try:
        mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ).close()
    except OSError:
        return False
    return True


def open_for_reading(folder: Path) -> lmdb.Environment:
    """The same beside a server that may have it open; nothing is written."""
    try:
        return lmdb.open(
            str(folder), readonly=True, create=False, readahead=True, max_dbs=1, max_readers=READERS
        )
    except lmdb.Error as error:
        raise BackendError(f"{folder} cannot be opened: {error}") from error


def identify(folder: Path, env: lmdb.Environment) -> None:
    """Check what a store says about itself, or write it into one that is new."""
    with env.begin() as reading:
        found = reading.get(FORMAT_KEY)
        empty = reading.stat()["entries"] == 0
    check_format(folder, found, empty)
    if found is None:
        with env.begin(write=True) as writing:
            writing.put(FORMAT_KEY, FORMAT)
            writing.put(LOG_KEY, encode_number(1))
        env.sync(True)


def check_format(folder: Path, found: bytes | None, is_empty: bool) -> None:
    """Refuse what this version cannot read."""
    if found == FORMAT or (found is None and is_empty):
        return
    if found is None or not found.startswith(_FORMAT_NAME):
        raise BackendError(
            f"{folder} holds an LMDB database that HyperCache did not write: use another path"
        )
    newest = FORMAT.removeprefix(_FORMAT_NAME).decode()
    version = found.removeprefix(_FORMAT_NAME).decode("ascii", "replace")
    raise BackendError(
        f"{folder} has version {version} of the store's format, and this HyperCache knows"
        f" version {newest}: open it with the HyperCache that wrote it"
    )


def encode_number(number: int) -> bytes:
    """The number of a segment as `LOG_KEY` has it."""
    return number.to_bytes(8, "big")


def decode_number(raw: bytes | None) -> int:
    """The number of the first segment that the store does not hold yet."""
    return 1 if raw is None else int.from_bytes(raw, "big")
