"""What stands between the journal and the file: each round's records as a batch of bytes."""

from collections.abc import Callable

from mypy_extensions import i64

from hypercache.engine.journal import LOCAL_FILE, Record, Sink
from hypercache.keyspace.clock import Clock
from hypercache_aof.batches import BatchEncoder


class AofSink(Sink):
    """Encodes at the end of each round, and tells ``filled`` that there is something to write.

    ``pending`` are the batches that are not in the file yet, ``pending_bytes`` their size.
    ``taken`` is the journal's offset up to which the records have come. With ``timed`` the time
    is noted between batches. While ``deaf``, nothing is kept: a capture will have it all.
    """

    def __init__(self, clock: Clock, filled: Callable[[], None]) -> None:
        super().__init__("aof", LOCAL_FILE)
        self.pending: list[bytes] = []
        self.pending_bytes: i64 = 0
        self.taken: i64 = 0
        self.timed = False
        self.deaf = False
        self._clock = clock
        self._filled = filled
        self._encoder = BatchEncoder()

    def write(self, records: list[Record]) -> None:
        if self.deaf:
            self.taken = records[-1].offset
            return
        seconds: i64 = self._clock.microseconds() // 1_000_000 if self.timed else 0
        batch = self._encoder.encode(records, seconds)
        self.taken = records[-1].offset
        if batch:
            self.pending.append(batch)
            self.pending_bytes += len(batch)
        self._filled()

    def begin_file(self, offset: i64) -> list[bytes]:
        """What comes from now on, after ``offset``, goes to a new file; the rest of the old."""
        rest = self.pending
        self.pending = []
        self.pending_bytes = 0
        self.taken = offset
        self.deaf = False
        self._encoder.begin_file()
        return rest

    def give_up(self) -> None:
        """What could not be written goes, and what comes until the next file begins."""
        self.pending = []
        self.pending_bytes = 0
        self.deaf = True

    def written(self, count: i64) -> None:
        """The first batches are in the file."""
        for batch in self.pending[:count]:
            self.pending_bytes -= len(batch)
        self.pending = self.pending[count:]

    def put_back(self, batches: list[bytes]) -> None:
        """These come before all others after all."""
        for batch in batches:
            self.pending_bytes += len(batch)
        self.pending = batches + self.pending
