"""Room for LMDB's file: what is reserved for a transaction is never less than it takes.

That is what keeps a full disk from killing the process, so random programs of many kinds try to
make a transaction take more than `Room.needed` said.
"""

import errno
import os
from pathlib import Path
from random import Random

import pytest
from hypercache_lmdb import LMDBKV, LMDBSettings
from hypercache_lmdb.room import HEADROOM, SMALLEST_STEP, Room

from hypercache.backend import BackendFull

MB = 1 << 20

KEYS = {"short": (8, 10), "middle": (8, 60), "long": (400, 511), "mixed": (8, 511)}
VALUES = {
    "empty": (0, 4),
    "small": (0, 100),
    "half a page": (500, 1_535),
    "at the limit of a node": (1_990, 2_060),
    "pages": (0, 20_000),
    "large": (100_000, 300_000),
}
ORDERS = ("random", "up", "down", "few")


class Program:
    """Transactions of one kind, each compared with what was thought that it would take."""

    def __init__(self, folder: Path, random: Random, keys: str, values: str, order: str) -> None:
        self.random = random
        self.keys = KEYS[keys]
        self.values = VALUES[values]
        self.order = order
        self.share = random.choice((0.0, 0.1, 0.5, 0.9))
        self.most = 20 if values == "large" else random.choice((10, 300, 2_000))
        self.written = 0
        self.operations = 0
        self.transactions = 0
        self.kv = LMDBKV(LMDBSettings(path=str(folder), map_size=1 << 31, log_size=1 << 30))
        self.kv.open()

    def key(self, number: int) -> bytes:
        """The key of a number, always the same one."""
        random = Random(number)
        size = random.randint(*self.keys)
        if self.order in ("up", "down"):
            return (b"%08d" % number + random.randbytes(size))[:size]
        return random.randbytes(size)

    def pick(self, *, old: bool) -> bytes:
        """The key to change next."""
        if self.order == "few":
            return self.key(self.random.randrange(20))
        if self.order == "random":
            return self.key(self.random.randrange(2_000))
        if old:
            number = self.random.randrange(max(1, self.written))
        else:
            self.written += 1
            number = self.written
        return self.key(number if self.order == "up" else 99_999_999 - number)

    def change(self) -> None:
        """One operation."""
        self.operations += 1
        dice = self.random.random()
        if dice > self.share:
            value = bytes(self.random.randint(*self.values))
            self.kv.put(self.pick(old=self.random.random() < 0.1), value)
        elif dice > 0.1 * self.share:
            self.kv.delete(self.pick(old=True))
        else:
            self.kv.delete_range(self.pick(old=True), b"\xff" * 20, self.random.choice((1, 200)))

    def transaction(self) -> None:
        """Change things in a transaction, and see how the file has grown."""
        self.transactions += 1
        self.kv.begin()
        for _ in range(self.random.randint(1, self.most)):
            self.change()
        self.kv.commit()
        needed = self.kv.room.needed()
        self.kv.snapshot().close()  # commits LMDB's transaction, if there is anything in it
        used = self.kv.statistics()["lmdb_file_bytes"]
        assert used <= needed, f"{used - needed} bytes too few"
        assert used <= self.kv.statistics()["lmdb_reserved_bytes"]
        self.kv.maintain()


@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("keys", KEYS)
def test_transactions_take_no_more_than_was_reserved(
    tmp_path: Path, keys: str, values: str
) -> None:
    random = Random(f"{keys} {values}")
    program = Program(tmp_path, random, keys, values, random.choice(ORDERS))
    most = 60 if values == "large" else 2_000
    while program.operations < most and program.transactions < 30:
        program.transaction()
    program.kv.close()


def test_one_transaction_of_many_operations(tmp_path: Path) -> None:
    """More pages than LMDB keeps in its list of dirty ones are not needed for that."""
    program = Program(tmp_path, Random(1), "mixed", "small", "random")
    program.share = 0.3
    program.most = 1
    program.transaction()
    for _ in range(2):
        program.kv.begin()
        for _ in range(20_000):
            program.change()
        program.kv.commit()
        program.transaction()
    program.kv.close()


# Reserving -----------------------------------------------------------------------------------


@pytest.fixture
def room(tmp_path: Path) -> Room:
    descriptor = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    made = Room("store", descriptor, map_size=100 * MB, max_size=0)
    made.restart(10 * MB, 8 * MB)
    return made


def blocks(room: Room) -> int:
    return os.fstat(room.descriptor).st_blocks * 512


def test_room_is_reserved_in_steps(room: Room) -> None:
    room.ensure(HEADROOM)
    assert blocks(room) >= room.reserved >= room.needed() + HEADROOM + SMALLEST_STEP
    reserved = room.reserved
    room.count(10, MB)
    room.ensure(MB)
    assert room.reserved == reserved


def test_end_of_the_map(room: Room) -> None:
    room.ensure(60 * MB)
    with pytest.raises(BackendFull, match="store: the memory map of 104857600 bytes is used up"):
        room.ensure(100 * MB)
    assert room.reserved <= room.map_size


def test_largest_size(room: Room) -> None:
    room.max_size = 20 * MB
    room.ensure(MB)
    with pytest.raises(BackendFull, match=r"store: the store has reached max_size \(20971520"):
        room.ensure(20 * MB)


def test_full_disk(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Less is asked for before it is given up; what is lacking is said."""
    allocate = os.posix_fallocate
    limit = 40 * MB

    def full(descriptor: int, start: int, length: int) -> None:
        if start + length > limit:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        allocate(descriptor, start, length)

    monkeypatch.setattr(os, "posix_fallocate", full)
    room.ensure(20 * MB)
    assert room.reserved <= limit
    with pytest.raises(BackendFull, match=r"no room on the disk for \d+ bytes more \(No space"):
        room.ensure(40 * MB)
    limit = 90 * MB
    room.ensure(40 * MB)
    assert blocks(room) >= room.reserved > 40 * MB
