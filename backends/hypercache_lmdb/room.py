"""Room on the disk for the data file: reserved before it is needed.

The file is written through a memory map. A page of the map that the disk has no room for
would kill the process (SIGBUS), so blocks are reserved ahead of what the open transaction can
possibly need, and a write for which that fails is refused before it has touched anything.
"""

import os
from typing import Final

from mypy_extensions import i64

from hypercache.backend import BackendFull

PAGE: Final[i64] = 4096
# What an operation may copy: its leaf, and the one beside it where they are merged.
OPERATION: Final[i64] = 2 * PAGE
# Branches take no more than this part of a tree, keys of 511 bytes excepted.
BRANCHES: Final[i64] = 16
# How much more than its bytes new content may take: pages that were split are half empty.
SPREAD: Final[i64] = 4
# What a pair takes beside its key and value.
PAIR: Final[i64] = 16
# Values from this size on lie on pages of their own.
LARGE: Final[i64] = 1536
# What a commit writes beside the data: the unnamed database, the list of free pages.
COMMIT: Final[i64] = 16 * PAGE
# Room that there must be at the beginning of a unit, and what only removing may use up.
HEADROOM: Final[i64] = 12 << 20
RESERVE: Final[i64] = 4 << 20
# How much is reserved at a time, at least and at most; and where there is not so much.
LEAST: Final[i64] = 64 << 10
SMALLEST_STEP: Final[i64] = 16 << 20
LARGEST_STEP: Final[i64] = 1 << 30


class Room:
    """Keeps account of what the open transaction may need, and reserves it.

    ``end`` is the file's used length at the last checkpoint, ``tree`` what of it the data take.
    """

    def __init__(self, path: str, descriptor: int, map_size: int, max_size: int) -> None:
        self.path = path
        self.descriptor = descriptor
        self.map_size: i64 = map_size
        self.max_size: i64 = max_size
        self.reserved: i64 = 0
        self.end: i64 = 0
        self.tree: i64 = 0
        self.operations: i64 = 0
        self.large: i64 = 0
        self.small: i64 = 0

    def restart(self, end: int, tree: int) -> None:
        """A transaction begins."""
        self.end = end
        self.tree = tree
        self.operations = 0
        self.large = 0
        self.small = 0

    def count(self, key: i64, value: i64) -> None:
        """An operation with a key and a value of that many bytes."""
        self.operations += 1
        if value >= LARGE:
            self.large += value + 2 * PAGE
            value = 0
        self.small += key + value + PAIR

    def needed(self) -> i64:
        """Up to where the file may be used when the open transaction is committed.

        A transaction copies each page at most once, and adds pages as new content fills them.
        """
        copied = self.operations * OPERATION
        if copied > self.tree:
            copied = self.tree
        added = SPREAD * self.small + self.large
        return self.end + copied + self.tree // BRANCHES + added + COMMIT

    def ensure(self, more: i64, limited: bool = True) -> None:
        """See to it that the file can grow by ``more`` beyond what was counted.

        ``limited``: but not beyond ``max_size``, which removing may exceed. Raises
        `BackendFull`, which says what there is too little of.
        """
        wanted = self.needed() + more
        if wanted <= self.reserved:
            return
        if wanted > self.map_size:
            raise BackendFull(
                f"{self.path}: the memory map of {self.map_size} bytes is used up until it is"
                " enlarged at the next checkpoint: try again, or set a larger map_size"
            )
        if limited and self.max_size > 0 and wanted > self.max_size:
            raise BackendFull(
                f"{self.path}: the store has reached max_size ({self.max_size} bytes):"
                " remove keys, then compact it, or set a larger max_size"
            )
        self._reserve(wanted)

    def cover(self) -> None:
        """Reserve what was counted, and as much more as there is, whatever ``max_size`` says.

        For what a log holds: the disk had room for it once, and may be full by now. Raises
        `BackendFull`.
        """
        if self.needed() <= self.reserved:
            return
        for more in (SMALLEST_STEP, RESERVE, LEAST, 0):
            wanted = self.needed() + more
            if wanted > self.map_size:
                wanted = self.map_size
            if wanted <= self.reserved:
                return
            try:
                self._allocate(wanted)
            except OSError as error:
                failure = error
            else:
                return
        raise BackendFull(
            f"{self.path}: no room on the disk for {self.needed() - self.reserved} bytes that are"
            f" needed to open the store ({failure.strerror}): free some"
        )

    def _reserve(self, wanted: i64) -> None:
        step = self.reserved // 8
        if step < SMALLEST_STEP:
            step = SMALLEST_STEP
        elif step > LARGEST_STEP:
            step = LARGEST_STEP
        generous = wanted + step
        if generous > self.map_size:
            generous = self.map_size
        if generous > self.max_size > 0:
            generous = max(wanted, self.max_size)
        try:
            self._allocate(generous)
        except OSError:
            try:
                self._allocate(wanted)
            except OSError as error:
                raise BackendFull(
                    f"{self.path}: no room on the disk for {wanted - self.reserved} bytes more"
                    f" ({error.strerror}): free some, or remove keys"
                ) from error

    def _allocate(self, length: i64) -> None:
        os.posix_fallocate(self.descriptor, self.reserved, length - self.reserved)
        self.reserved = length
