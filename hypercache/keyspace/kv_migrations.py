"""Bringing a store that an earlier version wrote to the format of this one.

That happens when it is opened, before anybody is served, in transactions of a bounded size:
after each one `m` `migration` has the place where the next one goes on, and the format says
that it is on its way (``hypercache kv 1 to 2``), so that earlier versions leave the store alone.
Killed at any moment it goes on from there when the store is opened again. The last transaction
raises the format.
"""

from struct import Struct
from typing import Final

from mypy_extensions import i64

from hypercache.backend_tools import Progress
from hypercache.keyspace import layout
from hypercache.keyspace.kv_formats import WRITER, format_of
from hypercache.keyspace.kv_handle import Handle
from hypercache.keyspace.kv_labels import LABEL
from hypercache.keyspace.kv_positions import BEHIND_CHUNKS, PositionIndex
from hypercache.keyspace.kv_store import Store
from hypercache.keyspace.layout import Namer

# Records, and chunks of lists, that one transaction goes through.
_BUDGET: Final = 1000
# Chunks read at a time.
_SLICE: Final = 64
_DONE: Final = Struct(">QH")


def migrate(store: Store, namer: Namer, progress: Progress, budget: int = _BUDGET) -> None:
    """Bring a store of an older format to that of this version.

    ``budget`` is the number of records and chunks that a transaction goes through.
    """
    version = format_of(store.kv)
    while version < layout.VERSION:
        _FROM[version](store, namer).run(version, progress, budget)
        version += 1


class _Position:
    """How far a migration has come."""

    def __init__(self, done: int, place: bytes, label: bytes) -> None:
        #: Records that are done with.
        self.done = done
        #: Where the next record is.
        self.place = place
        #: Where in that record's object to go on; empty at its beginning.
        self.label = label

    def encode(self) -> bytes:
        """The bytes to store."""
        return _DONE.pack(self.done, len(self.place)) + self.place + self.label


def _decode_position(raw: bytes | None) -> _Position:
    """Where to go on; at the beginning if nothing is stored."""
    if raw is None:
        return _Position(0, layout.RECORD, b"")
    done, size = _DONE.unpack_from(raw)
    start = _DONE.size
    return _Position(done, raw[start : start + size], raw[start + size :])


class _IndexLists:
    """From format 1 to 2: lists get an index of their chunks."""

    def __init__(self, store: Store, namer: Namer) -> None:
        self.store = store
        self.kv = store.kv
        self.namer = namer
        self.tallies = {tally.records: tally for tally in store.tallies}

    def run(self, version: int, progress: Progress, budget: int) -> None:
        """Migrate from one version of the format to the next."""
        target = version + 1
        what = f"migrating the store to format {target}"
        total = sum([tally.size for tally in self.store.tallies])
        while True:
            with self.store:
                position = _decode_position(self.kv.get(layout.META_MIGRATION))
                following = self._step(position, budget)
                if following is None:
                    self.kv.delete(layout.META_MIGRATION)
                    self.kv.put(layout.META_FORMAT, layout.format_text(target))
                else:
                    self.kv.put(layout.META_MIGRATION, following.encode())
                    self.kv.put(layout.META_FORMAT, layout.format_text(version, target))
                self.kv.put(layout.META_VERSION, WRITER)
            if following is None:
                progress(what, total, total)
                return
            progress(what, min(following.done, total), total)

    def _step(self, position: _Position, budget: int) -> _Position | None:
        """Go through some records; where to go on, or None at the end."""
        done = position.done
        left: i64 = budget
        pairs = self.kv.range(position.place, layout.after(layout.RECORD), budget)
        for place, raw in pairs:
            space = place[: len(layout.RECORD) + layout.NUMBER]
            tally = self.tallies.get(space)
            if tally is None:  # left by a database, for `reclaim`
                return _Position(done, layout.after(space), b"")
            if layout.form_of(raw) == layout.CHUNKS:
                label = position.label if place == position.place else b""
                handle = Handle(self.store, tally, place, layout.decode(raw))
                left, label = self._index(handle, label, left)
                if label:
                    return _Position(done, place, label)
            done += 1
            left -= 1
            if left <= 0:
                break
        else:
            if len(pairs) < budget:
                return None
        return _Position(done, place + b"\x00", b"")

    def _index(self, handle: Handle, label: bytes, left: i64) -> tuple[i64, bytes]:
        """Index a list's chunks from a label on: what is left of the budget, and where to go on.

        That is empty when all are indexed.
        """
        index = PositionIndex(handle, self.namer)
        stop = handle.prefix + BEHIND_CHUNKS
        while left > 0:
            chunks = self.kv.range(handle.prefix + label, stop, _SLICE)
            if chunks:
                index.repair(chunks[0][0][-LABEL:], chunks[-1][0][-LABEL:])
                handle.settle(handle.record.length)
            if len(chunks) < _SLICE:
                return left, b""
            left -= len(chunks)
            label = chunks[-1][0][-LABEL:] + b"\x00"
        return left, label


#: What migrates from which format.
_FROM: Final = {1: _IndexLists}
