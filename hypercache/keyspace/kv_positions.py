"""An index of a list's chunks: which one has a position, in O(log n) calls of the store. Persisted.

A skip list (Pugh 1990) over the chunks, as `kv_ranks` is one over members, and its levels are
decided by a salted hash of the label too. Under the object's prefix, behind the chunks:

- level n >= 1, ``80 + n`` label: a quarter of the chunks reach level 1, and a sixteenth of those
  each level above. The value counts the elements from this chunk on up to the next one of its
  level, and is empty where there is none.

What lies before the first chunk of a level is not counted, nor what follows the last one, and
the first chunk of the list is on no level. So pushing to an end chunk or popping from it changes
no count, and a search begins at the first chunk, climbs as far as it needs to, and descends.
"""

from struct import Struct
from typing import Final

from mypy_extensions import i64

from hypercache.backend import BackendError
from hypercache.keyspace.kv_chunks import count_of
from hypercache.keyspace.kv_handle import Handle
from hypercache.keyspace.kv_labels import LABEL
from hypercache.keyspace.kv_ranks import DIGITS, TOP, zeros
from hypercache.keyspace.kv_store import CHUNK
from hypercache.keyspace.layout import Namer

# The byte between the object and the label is that plus the level. Labels have 63 bits, so the
# levels lie behind the chunks, which have no such byte.
_LEVELS: Final = 0x80
#: Behind all chunks, under the prefix of a list's object.
BEHIND_CHUNKS: Final = bytes((_LEVELS,))
# What the keys of each level have behind the object; the chunks, on level 0, have their label.
_TAGS: Final = [b"", *[bytes((_LEVELS + level,)) for level in range(1, TOP + 2)]]
# Entries of a level that are read at a time, and chunks.
_STEP: Final = 16
_CHUNKS: Final = 4
_COUNT: Final = Struct(">Q")
#: What the last chunk of a level has for a count.
OPEN: Final = b""


def level_of_label(namer: Namer, label: bytes) -> int:
    """Up to which level the chunk under a label is in the index, unless it is the first."""
    bits = int.from_bytes(namer.name(label)[:DIGITS], "big")
    return 0 if bits & 3 else 1 + zeros(bits >> 2, TOP - 1)


def span_key(level: int, label: bytes) -> bytes:
    """What a level's entry for a chunk has behind the object."""
    return _TAGS[level] + label


def encode_span(count: int) -> bytes:
    """What a chunk that is not the last one of a level has there."""
    return _COUNT.pack(count)


class PositionIndex:
    """The index of one list. Labels are the eight bytes that a chunk's key ends with."""

    def __init__(self, handle: Handle, namer: Namer) -> None:
        self.handle = handle
        self.kv = handle.kv
        self.namer = namer
        self.prefix = handle.prefix

    def _level(self, level: int) -> bytes:
        """What the keys of a level begin with; they lie below those of the next one."""
        return self.prefix + _TAGS[level]

    # Searching -------------------------------------------------------------------------------

    def seek(self, index: i64) -> tuple[bytes, bytes, i64]:
        """The key of the chunk that has a position, the chunk, and the position inside."""
        left = index
        label = b""
        level = 0
        while True:  # up, along what comes before the first chunk of the next level
            bound = self._first(level + 1, b"")
            stop = self._level(level + 1) if bound is None else self._level(level) + bound
            key, raw, left = self._walk(level, label, stop, left)
            if key:
                break
            if bound is None:
                raise BackendError(f"the store is damaged: a list has no position {index}")
            label = bound
            level += 1
        while level > 0:  # and down
            label = key[-LABEL:]
            level -= 1
            key, raw, left = self._walk(level, label, self._level(level + 1), left)
            if not key:
                raise BackendError(f"the store is damaged: a list has no position {index}")
        return key, raw, left

    def _walk(self, level: int, label: bytes, stop: bytes, left: i64) -> tuple[bytes, bytes, i64]:
        """Along a level to the pair that has the position ``left``, and the position inside.

        The key is empty where all pairs below ``stop`` come before it.
        """
        start = self._level(level) + label
        step = _CHUNKS if level == 0 else _STEP
        while True:
            pairs = self.kv.range(start, stop, step)
            for key, raw in pairs:
                if level > 0 and raw == OPEN:
                    return key, raw, left
                count = self._count(level, raw)
                if left < count:
                    return key, raw, left
                left -= count
            if len(pairs) < step:
                return b"", b"", left
            start = pairs[-1][0] + b"\x00"

    def _count(self, level: int, raw: bytes) -> i64:
        """How many elements a pair of a level stands for."""
        return count_of(raw) if level == 0 else int(_COUNT.unpack(raw)[0])

    def _first(self, level: int, start: bytes) -> bytes | None:
        """The label of the first pair of a level that is not below ``start``."""
        pairs = self.kv.range(self._level(level) + start, self._level(level + 1), 1)
        return pairs[0][0][-LABEL:] if pairs else None

    def _last(self, level: int, bound: bytes) -> tuple[bytes, bytes] | None:
        """The label of the last pair of a level that is below ``bound``, and its value."""
        prefix = self._level(level)
        pairs = self.kv.range(prefix, prefix + bound, 1, True)
        return (pairs[0][0][-LABEL:], pairs[0][1]) if pairs else None

    # Changing --------------------------------------------------------------------------------

    def shift(self, label: bytes, difference: i64) -> None:
        """A chunk that stays where it is has got so many elements more."""
        for level in range(1, TOP + 1):
            found = self._last(level, label + b"\x00")
            if found is None or found[1] == OPEN:
                return  # and neither is it counted above
            count = int(_COUNT.unpack(found[1])[0]) + difference
            self.handle.replace(self._level(level) + found[0], _COUNT.pack(count), found[1])

    def end_changed(self, label: bytes) -> None:
        """The last chunk came or went, or this one became the first or ceased to be.

        Costs nothing for those chunks, three quarters of all, that reach no level.
        """
        if level_of_label(self.namer, label) > 0:
            self.repair(label, label)

    def repair(self, low: bytes, high: bytes) -> None:
        """Chunks with labels from ``low`` to ``high`` came, went or changed: set right all levels.

        What lies outside is to be as it should. Reads the chunks in between, and those around
        them that the same counts stand for.
        """
        for level in range(1, TOP + 1):
            before = self._last(level, low)
            start = low if before is None else before[0]
            first: bytes | None = None
            if level == 1 and before is None:
                first = self._first(0, b"")
                if first is not None and first > high:
                    high = first  # all before it are gone
            following = self._first(level, high + b"\x00")
            reached = self._collect(level, start, low, high, first, following)
            old = self._between(level, start, high)
            if reached == old:
                return  # and what lies above is made of this level
            prefix = self._level(level)
            for label, raw in reached.items():
                saved = old.pop(label, None)
                if saved is None:
                    self.handle.add(prefix + label, raw)
                elif saved != raw:
                    self.handle.replace(prefix + label, raw, saved)
            for label, raw in old.items():
                self.handle.drop(prefix + label, raw)

    def _collect(
        self,
        level: int,
        start: bytes,
        low: bytes,
        high: bytes,
        first: bytes | None,
        following: bytes | None,
    ) -> dict[bytes, bytes]:
        """What a level should hold from ``start`` to ``high``, by the level below.

        ``start`` is on this level if it is below ``low``; ``first`` is not; ``following`` is the
        label that comes next on it.
        """
        below = level - 1
        reached: dict[bytes, bytes] = {}
        open_label = start if start < low else b""
        total: i64 = 0
        at = self._level(below) + start
        stop = self._level(below) + (high + b"\x00" if following is None else following)
        while True:
            pairs = self.kv.range(at, stop, CHUNK)
            for key, raw in pairs:
                label = key[-LABEL:]
                if (
                    low <= label <= high
                    and label != first
                    and level_of_label(self.namer, label) >= level
                ):
                    if open_label:
                        reached[open_label] = _COUNT.pack(total)
                    open_label = label
                    total = 0
                if below == 0 or raw != OPEN:
                    total += self._count(below, raw)
            if len(pairs) < CHUNK:
                break
            at = pairs[-1][0] + b"\x00"
        if open_label:
            reached[open_label] = OPEN if following is None else _COUNT.pack(total)
        return reached

    def _between(self, level: int, start: bytes, high: bytes) -> dict[bytes, bytes]:
        """What a level holds from ``start`` to ``high``."""
        found: dict[bytes, bytes] = {}
        prefix = self._level(level)
        at = prefix + start
        while True:
            pairs = self.kv.range(at, prefix + high + b"\x00", CHUNK)
            for key, raw in pairs:
                found[key[-LABEL:]] = raw
            if len(pairs) < CHUNK:
                return found
            at = pairs[-1][0] + b"\x00"
