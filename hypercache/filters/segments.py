"""A filter of all keys of a database, in segments that are built from the keys themselves.

The hashes of the keys (48 bits) are divided among segments by their upper bits. A segment is a
few cuckoo tables: the first was made for the keys that were there when it was built, each of the
others has room for a quarter more. Where the last is full, the segment is built anew from the
keys of its range, and halved if they are many. So the filter grows and shrinks without a pause,
and no key is ever denied: a segment that is not built, at the start, or because it is full, or
because a transaction that changed it was undone, says of every key that it may be there.

Whoever has the filter hands it the hashes of a segment (`next_segment`, `take`), in slices between
which keys may come and go.
"""

from typing import Final

from mypy_extensions import i64

from hypercache.filters.cuckoo import Shape, Table

HASH_BITS: Final[i64] = 48
# Keys of a segment from which on it is halved, and those it has room for at the least.
MOST_KEYS: Final[i64] = 8_000
LEAST_KEYS: Final[i64] = 1000
# Tables of a segment: each adds its rate to that of the filter.
MOST_TABLES: Final = 4
# Segments are halved up to this many times: 16 million of them.
MOST_DEPTH: Final[i64] = 24
_SHAPES: Final = (Shape(5, 12), Shape(4, 15), Shape(3, 20))
_OBJECT_BYTES: Final = 150  # of a segment, and of a table beside its buckets, about
# How much larger the first table is made than for its keys, per thousand; the next if that fails.
_SPARE: Final = (20, 100, 250)


class Segment:
    """The hashes from ``start`` on whose upper ``depth`` bits are the same.

    ``built``: it knows all of them. ``queued``: it is to be built, anew or at last. ``touched`` is
    the number of the unit that changed it last. ``items`` are the keys that it knows.
    """

    def __init__(self, start: i64, depth: i64) -> None:
        self.start = start
        self.depth = depth
        self.built = False
        self.queued = False
        self.touched: i64 = -1
        self.items: i64 = 0
        self.tables: list[Table] = []

    def width(self) -> i64:
        """How many hashes its range has."""
        width: i64 = 0x1000000000000  # 2**48
        return width >> self.depth

    def has(self, value: i64) -> bool:
        """Whether a hash may be there."""
        return any(table.has(value) for table in self.tables)

    def add(self, value: i64) -> bool:
        """Add a hash; False if it finds no place."""
        self.items += 1
        table = self.tables[-1]
        return table.count < table.limit and table.add(value)

    def remove(self, value: i64) -> None:
        """Remove a hash that was added.

        Where two tables have its fingerprint one of them may be that of another key, which the
        other table would deny: it stays, and is gone when the segment is built anew.
        """
        self.items -= 1
        holder: Table | None = None
        for table in self.tables:
            if table.has(value):
                if holder is not None:
                    return
                holder = table
        if holder is not None:
            holder.remove(value)

    def room(self) -> i64:
        """How many fingerprints its tables take."""
        room: i64 = 0
        for table in self.tables:
            room += table.limit
        return room


class _Building:
    """A segment whose hashes are being collected: those below ``cursor`` are all there."""

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self.cursor: i64 = segment.start
        self.hashes: list[int] = []


class SegmentedFilter:
    """A filter of hashes, each as often as it was added, for a rate of false positives.

    ``expected`` keys are there already; with 0 it is built. ``spared`` counts the answers that
    a hash is not there, ``mistaken`` is for whoever finds that one was not there though it might
    have been.
    """

    def __init__(self, rate: float, expected: i64 = 0) -> None:
        self.rate = rate
        self.spared: i64 = 0
        self.mistaken: i64 = 0
        self._shape = shape_for(rate)
        self._depth: i64 = 0
        self._unit: i64 = 0
        self._building: _Building | None = None
        while expected >> self._depth > MOST_KEYS // 2 and self._depth < MOST_DEPTH:
            self._depth += 1
        self._directory: list[Segment] = []
        self._queue: list[Segment] = []
        width: i64 = 0x1000000000000 >> int(self._depth)
        index: i64 = 0
        while index >> self._depth == 0:
            segment = Segment(index * width, self._depth)
            # How many keys there are is known of this unit alone, which may be undone.
            segment.touched = self._unit
            self._directory.append(segment)
            index += 1
        if expected == 0:
            self._fill(self._directory[0], [])
        else:
            for segment in reversed(self._directory):
                self._enqueue(segment)

    # Hashes --------------------------------------------------------------------------------

    def _segment_of(self, value: i64) -> Segment:
        return self._directory[value >> HASH_BITS - self._depth]

    def may_have(self, value: i64) -> bool:
        """Whether a hash may be there; False if it certainly is not."""
        segment = self._segment_of(value)
        if not segment.built or segment.has(value):
            return True
        self.spared += 1
        return False

    def knows(self, value: i64) -> bool:
        """Whether the segment of a hash is built."""
        return self._segment_of(value).built

    def add(self, value: i64) -> None:
        """Add a hash."""
        segment = self._segment_of(value)
        segment.touched = self._unit
        if segment.built and not segment.add(value):
            self._grow(segment, value)
        building = self._building
        if building is not None and building.segment is segment and value < building.cursor:
            building.hashes.append(int(value))

    def remove(self, value: i64) -> None:
        """Remove a hash that was added."""
        segment = self._segment_of(value)
        segment.touched = self._unit
        if segment.built:
            segment.remove(value)
            if segment.items * 3 < segment.room() and segment.room() > 2 * LEAST_KEYS:
                self._enqueue(segment)
        building = self._building
        if building is not None and building.segment is segment and value < building.cursor:
            building.hashes.remove(int(value))

    def _grow(self, segment: Segment, value: i64) -> None:
        """A segment's last table has no place for a hash."""
        tables = segment.tables
        if len(tables) < MOST_TABLES:
            # Not all segments grow alike, or all would be built anew at the same time.
            share: i64 = 20 + (segment.start >> 20) % 12
            room = segment.room() * share // 100
            tables.append(Table(self._shape, room if room > LEAST_KEYS else LEAST_KEYS))
            if len(tables) == MOST_TABLES:
                self._enqueue(segment)
            if tables[-1].add(value):
                return
        segment.built = False
        segment.tables = []
        self._enqueue(segment)

    # Units -----------------------------------------------------------------------------------

    def settle(self) -> None:
        """What was changed stays."""
        self._unit += 1

    def undo(self) -> None:
        """What was changed since `settle` was undone: nobody knows what is there."""
        for segment in self._directory:
            if segment.touched == self._unit:
                segment.built = False
                segment.tables = []
                self._enqueue(segment)
        building = self._building
        if building is not None and building.segment.touched == self._unit:
            self._building = None
            self._queue.append(building.segment)
        self._unit += 1

    # Building --------------------------------------------------------------------------------

    def _enqueue(self, segment: Segment) -> None:
        if not segment.queued:
            segment.queued = True
            self._queue.append(segment)

    def next_range(self) -> tuple[int, int] | None:
        """Of which hashes `take` wants to hear next: from one to below another; None for none."""
        if self._building is None:
            if not self._queue:
                return None
            self._building = _Building(self._queue.pop())
        building = self._building
        segment = building.segment
        return int(building.cursor), int(segment.start + segment.width())

    def take(self, hashes: list[int], cursor: int) -> None:
        """These are all hashes of what `next_range` told that are below ``cursor``."""
        building = self._building
        if building is None:
            return
        building.hashes += hashes
        building.cursor = cursor
        segment = building.segment
        if building.cursor >= segment.start + segment.width():
            self._building = None
            self._fill(segment, building.hashes)

    def _fill(self, segment: Segment, hashes: list[int]) -> None:
        """Build a segment of all its hashes, or halves of it."""
        if len(hashes) > MOST_KEYS and segment.depth < MOST_DEPTH:
            middle = segment.start + segment.width() // 2
            halves = self._halve(segment)
            border = int(middle)
            self._fill(halves[0], [value for value in hashes if value < border])
            self._fill(halves[1], [value for value in hashes if value >= border])
            return
        segment.queued = False
        segment.built = False
        segment.tables = []
        segment.items = len(hashes)
        for spare in _SPARE:
            expected = segment.items + segment.items * spare // 1000
            table = Table(self._shape, expected if expected > LEAST_KEYS else LEAST_KEYS)
            if table.add_all(hashes):
                segment.tables.append(table)
                segment.built = True
                return
        # Thousands of equal hashes: of such keys nothing is known, as before.

    def _halve(self, segment: Segment) -> tuple[Segment, Segment]:
        """Two segments in the place of one."""
        if segment.depth == self._depth:
            self._directory = [each for each in self._directory for _ in (0, 1)]
            self._depth += 1
        depth = segment.depth + 1
        halves = Segment(segment.start, depth), Segment(segment.start, depth)
        halves[1].start += halves[1].width()
        for half in halves:
            half.touched = segment.touched
            index = int(half.start >> HASH_BITS - self._depth)
            for place in range(index, index + (1 << int(self._depth - depth))):
                self._directory[place] = half
        return halves

    # Figures ---------------------------------------------------------------------------------

    def _segments(self) -> list[Segment]:
        """Each segment once."""
        found: list[Segment] = []
        for segment in self._directory:
            if not found or segment is not found[-1]:
                found.append(segment)
        return found

    def statistics(self) -> dict[str, int]:
        """Numbers for INFO."""
        segments = self._segments()
        size = 8 * len(self._directory)
        for segment in segments:
            size += _OBJECT_BYTES * (1 + len(segment.tables))
            for table in segment.tables:
                size += int(table.memory())
        return {
            "lookup_filter_keys": int(sum(int(segment.items) for segment in segments)),
            "lookup_filter_bytes": size,
            "lookup_filter_segments": len(segments),
            "lookup_filter_segments_built": sum(segment.built for segment in segments),
            "lookup_filter_spared": int(self.spared),
            "lookup_filter_false_positives": int(self.mistaken),
        }

    def check(self) -> list[str]:
        """What is inconsistent, in words; empty when all is well. Slow."""
        wrong: list[str] = []
        for segment in self._segments():
            count: i64 = 0
            for table in segment.tables:
                wrong += table.check()
                count += table.count
            if segment.built and count < segment.items:
                wrong.append(f"a segment has {count} fingerprints of {segment.items} keys")
        return wrong


def shape_for(rate: float) -> Shape:
    """The smallest fingerprints that keep a rate of false positives with all tables full."""
    for shape in _SHAPES:
        if shape.rate() * MOST_TABLES <= rate:
            return shape
    raise ValueError(f"no filter has so low a rate of false positives: {rate}")
