"""The chunks of a list of a `KVBackend`, in the order of their labels: finding, changing."""

from typing import Final

from mypy_extensions import i64

from hypercache.backend import BackendError
from hypercache.keyspace.kv_chunks import (
    MOST_ELEMENTS,
    count_of,
    decode_chunk,
    encode_chunk,
    is_sparse,
    split,
)
from hypercache.keyspace.kv_handle import Handle
from hypercache.keyspace.kv_labels import LABEL, NONE, between, encode_label, label_of, make_room
from hypercache.keyspace.kv_positions import BEHIND_CHUNKS, PositionIndex
from hypercache.keyspace.layout import Namer

#: Chunks read from an end on the way to a position, at first and then; farther away the index
#: is used.
FIRST_STEP: Final = 2
_SECOND_STEP: Final = 6
#: Chunks read at a time, at most.
LONGEST_STEP: Final = 64


class ChunkRow:
    """The chunks of one list, and the index that goes with them."""

    def __init__(self, handle: Handle, namer: Namer) -> None:
        self.handle = handle
        self.index = PositionIndex(handle, namer)
        #: Behind all chunks.
        self.stop = handle.prefix + BEHIND_CHUNKS
        # Whether the chunk that is held back is the last one, or the first.
        self._is_last_held = False

    # The ends -----------------------------------------------------------------------------------

    def end(self, right: bool) -> tuple[bytes, bytes]:
        """The last or first chunk with its key, to be held back once it is changed; or nothing."""
        handle = self.handle
        if handle.held_key and self._is_last_held == right:
            return handle.held_key, handle.held_raw
        handle.release()
        self._is_last_held = right
        pairs = handle.kv.range(handle.prefix, self.stop, 1, right)
        return pairs[0] if pairs else (b"", b"")

    def extend(self, key: bytes, element: bytes, right: bool) -> None:
        """Begin a new chunk beyond the one under ``key``, the last or first, if there is one."""
        handle = self.handle
        handle.release()
        label = label_of(key) if key else NONE
        new = encode_label(between(label, NONE) if right else between(NONE, label))
        handle.add(handle.prefix + new, encode_chunk([element]))
        if key:
            self.index.end_changed(new if right else key[-LABEL:])

    def cut(self, key: bytes, chunk: bytes, right: bool) -> None:
        """Remove the last or first chunk, which is empty without its only element."""
        handle = self.handle
        handle.release()
        handle.drop(key, chunk)
        if right:
            self.index.end_changed(key[-LABEL:])
            return
        first = handle.kv.range(handle.prefix, self.stop, 1)
        if first:
            self.index.end_changed(first[0][0][-LABEL:])

    # Finding ----------------------------------------------------------------------------------

    def seek(self, index: i64) -> tuple[bytes, bytes, i64]:
        """The key of the chunk that has a position, the chunk, and the position inside."""
        handle = self.handle
        length = handle.use().length
        handle.reveal()
        backwards = index > length // 2
        # Elements between the end where the walk begins and the position.
        left = length - 1 - index if backwards else index
        if left >= (FIRST_STEP + _SECOND_STEP) * MOST_ELEMENTS:
            return self.index.seek(index)
        start = handle.prefix
        stop = self.stop
        for step in (FIRST_STEP, _SECOND_STEP):
            pairs = handle.kv.range(start, stop, step, backwards)
            for key, chunk in pairs:
                count = count_of(chunk)
                if left < count:
                    return key, chunk, count - 1 - left if backwards else left
                left -= count
            if len(pairs) < step:
                raise BackendError(f"the store is damaged: a list has no position {index}")
            start, stop = beyond(pairs, start, stop, backwards)
        return self.index.seek(index)

    def following(self, key: bytes, count: int) -> list[tuple[bytes, bytes]]:
        """Up to ``count`` chunks behind the one under a key."""
        pairs = self.handle.kv.range(key + b"\x00", self.stop, count)
        if not pairs:
            raise BackendError("the store is damaged: a list is shorter than its record says")
        return pairs

    # Changing ---------------------------------------------------------------------------------

    def keep(self, key: bytes, chunk: bytes, elements: list[bytes]) -> bytes:
        """Store what is left of a chunk: nothing, or another chunk."""
        if not elements:
            self.handle.drop(key, chunk)
            return b""
        left = encode_chunk(elements)
        self.handle.replace(key, left, chunk)
        return left

    def rewrite(self, key: bytes, chunk: bytes, elements: list[bytes]) -> None:
        """Store other elements in a chunk's place, in several if need be."""
        runs = split(elements)
        self.handle.replace(key, encode_chunk(runs[0]), chunk)
        if len(runs) == 1:
            difference = len(elements) - count_of(chunk)
            if difference != 0:
                self.index.shift(key[-LABEL:], difference)
            return
        label = label_of(key)
        highest = label
        for run in runs[1:]:
            label, moved = self._room_behind(label)
            highest = max(highest, label, moved)
            self.handle.add(self.handle.prefix + encode_label(label), encode_chunk(run))
        self.index.repair(key[-LABEL:], encode_label(highest))

    def _room_behind(self, label: i64) -> tuple[i64, i64]:
        """A label that follows this one immediately, for a new chunk.

        And the highest label that a chunk had, or has got, that was moved for it.
        """
        handle = self.handle
        kv = handle.kv
        highest = label
        while True:
            following = kv.range(handle.prefix + encode_label(label + 1), self.stop, 1)
            middle = between(label, label_of(following[0][0]) if following else NONE)
            if middle != NONE:
                return middle, highest
            moves = make_room(kv, handle.prefix, self.stop, label)
            for old, _, _ in moves:
                kv.delete(old)
            for old, new, chunk in moves:
                kv.put(new, chunk)
                highest = max(highest, label_of(old), label_of(new))

    def join(self, key: bytes, left: bytes) -> bytes:
        """Put what is left of a chunk together with the next one, if it is sparse and both fit.

        The key of the last chunk that has changed.
        """
        handle = self.handle
        if not left or not is_sparse(left):
            return key
        pairs = handle.kv.range(key, self.stop, 2)
        if len(pairs) < 2 or pairs[0][0] != key:
            return key
        (first, chunk), (second, other) = pairs
        runs = split(decode_chunk(chunk) + decode_chunk(other))
        if len(runs) > 1:
            return key
        handle.replace(first, encode_chunk(runs[0]), chunk)
        handle.drop(second, other)
        return second


def beyond(
    pairs: list[tuple[bytes, bytes]], start: bytes, stop: bytes, backwards: bool
) -> tuple[bytes, bytes]:
    """Between which keys a walk goes on that has read these pairs."""
    last = pairs[-1][0]
    return (start, last) if backwards else (last + b"\x00", stop)
