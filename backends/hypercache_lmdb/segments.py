"""The segments of a store's log, and what is to become of each.

In the order of their numbers there are: those that LMDB has, but perhaps not on the disk
(``unconfirmed``); after a failure of the machine, older ones that it does not have (``chain``);
the ``present`` one, which is appended to; and the next one, created in advance (``prepared``).
"""

import threading
from pathlib import Path

from mypy_extensions import i64

from hypercache_lmdb import log


class Segments:
    """The log of a store that is open. Methods raise `OSError` where the system does.

    `append`, `rotate` and `reserve` belong to the store's thread; `sync`, `prepare` and
    `confirmed` may be called in others.
    """

    def __init__(self, folder: Path, first: int, transaction: int, filled: int = 0) -> None:
        self.folder = folder
        #: The first segment that LMDB does not have.
        self.first = first
        self.unconfirmed: list[log.Segment] = []
        self.chain: list[log.Segment] = []
        self.present = log.Segment(folder, first, 0)
        self.prepared: log.Segment | None = None
        #: How much of a new segment is filled with zeros.
        self.filled = filled
        #: The number that LMDB's open transaction will be committed with.
        self.transaction = transaction
        # A segment must not be closed while another thread syncs it, nor created twice.
        self._closing = threading.Lock()
        self._creating = threading.Lock()

    def open(self, apply: log.Apply) -> log.Replay:
        """Read back what LMDB does not have, and get ready to append to it."""
        numbers = log.segment_numbers(self.folder)
        found = log.Replay(self.first)
        if self.first in numbers:
            found = log.replay(self.folder, self.first, apply)
            self.chain = [self._old(number) for number in range(self.first, found.number)]
            present = log.transaction_of(self.folder, found.number) or 0
            self.present = log.Segment(self.folder, found.number, present)
            self.present.resume(found.end, found.torn)
        else:
            self.present = self._create(self.first, self.transaction)
        if self.first - 1 in numbers:
            self.unconfirmed = [self._old(self.first - 1)]
        for number in numbers:
            if number < self.first - 1 or number > found.number:
                log.segment_path(self.folder, number).unlink()
        log.sync_folder(self.folder)
        return found

    def is_long(self) -> bool:
        """Whether there is much to read back."""
        return log.reaches(self.folder, self.first, log.STEP)

    def replay(self, apply: log.Apply) -> log.Replay:
        """Read back what LMDB does not have."""
        return log.replay(self.folder, self.first, apply)

    def _old(self, number: int) -> log.Segment:
        segment = log.Segment(self.folder, number, 0)
        segment.adopt()
        return segment

    def _create(self, number: int, transaction: int) -> log.Segment:
        segment = log.Segment(self.folder, number, transaction, self.filled)
        try:
            segment.create()
            log.sync_folder(self.folder)
        except OSError:
            segment.remove()
            raise
        return segment

    def size(self) -> i64:
        """Bytes of the present segment."""
        return self.present.end

    def append(self, parts: list[bytes], size: i64) -> None:
        """Write a batch. Where it raises, nothing is added."""
        self.present.append(parts, size)

    def reserve(self, room: int) -> None:
        """See to it that the disk has room for so many more bytes."""
        self.present.reserve(room)

    def sync(self) -> None:
        """Make durable all that was appended before the call."""
        with self._closing:
            # In this order: a rotation in between puts these among the unconfirmed ones.
            present = self.present
            chain = self.chain
            for segment in [*self.unconfirmed, *chain, present]:
                segment.sync()

    def prepare(self) -> log.Segment:
        """The next segment, created durably if it is not there yet."""
        with self._creating:
            if self.prepared is None:
                self.prepared = self._create(self.present.number + 1, self.transaction)
            return self.prepared

    def rotate(self, fresh: log.Segment) -> bool:
        """LMDB has all up to here: go on with the prepared segment.

        False where the old segment could not be told that another follows: the checkpoint is
        to be confirmed at once, so that nobody needs to know.
        """
        old = self.present
        with self._creating:
            self.unconfirmed = [*self.chain, old]  # before the next line: see `sync`
            self.present = fresh
            self.chain = []
            self.prepared = None
            self.first = fresh.number
            self.transaction += 1
        try:
            old.finish()
        except OSError:
            return False
        return True

    def confirmed(self, segments: list[log.Segment]) -> None:
        """The checkpoint that these went into is on the disk: nobody needs them any more.

        Nothing is done where another thread has seen to it: ``unconfirmed`` is another list
        then, perhaps that of a checkpoint which the sync of this one came too early for.
        """
        with self._closing:
            if self.unconfirmed is segments:
                self.unconfirmed = []
                for segment in segments:
                    segment.remove()

    def close(self) -> None:
        """Release all files."""
        if self.prepared is not None:
            self.prepared.remove()
            self.prepared = None
        for segment in [*self.unconfirmed, *self.chain, self.present]:
            segment.close()
