"""The counters of a `KVBackend`'s database, and where its keys lie."""

from mypy_extensions import i64

from hypercache.filters.segments import SegmentedFilter
from hypercache.keyspace import layout
from hypercache.keyspace.kv_filter import Filters


class Tally:
    """A database's number, the space where its keys lie, and its counters.

    A space is a prefix that is used once: clearing a database gives it a new one. ``filter`` is
    that of the space, for lookups of keys that are not there; ``filter_rate`` says of the database
    at which rate of false positives there is to be one, 0 for none.
    """

    def __init__(self, index: int, filters: Filters) -> None:
        self.index = index
        self.filter: SegmentedFilter | None = None
        self.filter_rate = 0.0
        self._filters = filters
        self.space: int = 0
        self.size: i64 = 0
        self.volatile: i64 = 0
        self.used: i64 = 0
        self.dirty = False
        self.records = b""
        self.deadlines = b""
        self.field_deadlines = b""

    @property
    def key(self) -> bytes:
        """Where the store keeps it."""
        return layout.META_TALLY + self.index.to_bytes(4, "big")

    def enter(self, space: int) -> None:
        """Use another space; the counters are the caller's, ``size`` already that of the space."""
        self.space = space
        self.records = layout.RECORD + layout.number(space)
        self.deadlines = layout.DEADLINE + layout.number(space)
        self.field_deadlines = layout.HASH_DEADLINE + layout.number(space)
        self.follow_filter()

    def follow_filter(self) -> None:
        """Use the filter of the space."""
        self.filter = self._filters.of(self.space, self.filter_rate, self.size)

    def exchange(self, other: "Tally") -> None:
        """Change places, with everything that is counted."""
        ours, theirs = self.encode(), other.encode()
        self.decode(theirs)
        other.decode(ours)
        self.dirty = True
        other.dirty = True

    def encode(self) -> bytes:
        """The bytes to store."""
        return layout.encode_tally(self.space, self.size, self.volatile, self.used)

    def decode(self, raw: bytes) -> None:
        """Become what was stored."""
        space, self.size, self.volatile, self.used = layout.decode_tally(raw)
        self.enter(space)
