"""All keys as they were at one moment, without a fork: the walk behind snapshots and rewrites.

`Capture.step` hands keys to an encoder, slice by slice, with rounds in between. Before a key
changes that it has not come to, the before-change hook has the old value encoded first. A
backend with snapshots of its own is walked without a hook.
"""

from typing import TYPE_CHECKING, Final

from mypy_extensions import i64

from hypercache.backend import Entry, KeyWalk, Snapshot, Value
from hypercache.keyspace.changes import BeforeChange
from hypercache.persistence.encoder import Encoder, Origin, ValueParts

if TYPE_CHECKING:
    from hypercache.engine.engine import Engine

# Keys that are taken from a walk at a time.
_SLICE: Final = 16
# Elements from which on a value is encoded in parts, and elements of a part.
LARGE: Final[i64] = 512
_PART: Final[i64] = 256


class Capture(BeforeChange):
    """Begins when it is made, between two rounds. ``keys_done`` of ``keys_total`` are encoded.

    ``offset`` is the journal's at that moment. ``failure`` is what encoding has raised amid a
    command: then the capture is worth nothing, and the next step raises it.
    """

    def __init__(self, engine: "Engine", encoder: Encoder) -> None:
        if engine.capture is not None:
            raise ValueError("another capture is under way")
        engine.commit()
        self.engine = engine
        self.encoder = encoder
        self.offset: i64 = engine.journal.offset
        self.keys_done: i64 = 0
        self.keys_total: i64 = 0
        self.failure: Exception | None = None
        self._parts: ValueParts | None = None
        self._parts_database = -1
        self._parts_key = b""
        self._snapshot: Snapshot | None = None
        # By a database's number at the beginning; and where each of today's was then.
        self._walks: list[KeyWalk] = []
        self._origins: list[int] = []
        self._left: list[bool] = []
        self._at = 0
        self._begin()

    def _begin(self) -> None:
        engine = self.engine
        stores = [keyspace.store for keyspace in engine.keyspaces]
        if engine.backend.snapshots:
            self._snapshot = engine.backend.snapshot()
            stores = self._snapshot.databases
        sizes: dict[int, tuple[int, int]] = {}
        for number, store in enumerate(stores):
            size = store.size()
            self.keys_total += size
            if size:
                sizes[number] = (size, store.volatile())
            self._walks.append(store.walk() if self._snapshot is None else KeyWalk(store))
            self._origins.append(number)
            self._left.append(self._snapshot is not None)
        time: i64 = engine.clock.microseconds()
        used = engine.used_memory()
        origin = Origin(time, self.offset, used, sizes, engine.libraries.sources())
        if engine.backend.keeps_access:
            policy = engine.configuration.settings.maxmemory_policy
            origin.policy = policy[-3:] if policy.endswith(("-lru", "-lfu")) else ""
            origin.access = engine.changes.access
        self.encoder.begin(origin)
        engine.capture = self
        if self._snapshot is None:
            engine.changes.hooks.append(self)

    def step(self, budget: i64) -> bool:
        """Encode keys for about that many microseconds; False once everything is encoded.

        Raises what the encoder or the backend has raised, also in a hook since the last step.
        """
        clock = self.engine.clock
        until: i64 = clock.microseconds() + budget
        while self.failure is None:
            if self._parts is not None:
                self._write_part()
            elif not self._next():
                self.encoder.end()
                return False
            if clock.microseconds() >= until:
                return True
        raise self.failure

    def _next(self) -> bool:
        """Encode a few more keys; False when there are none."""
        while self._at < len(self._walks):
            walk = self._walks[self._at]
            keys = walk.next(_SLICE)
            for key in keys:
                entry = walk.find(key)
                if entry is not None:
                    self._encode(self._at, key, entry)
            if keys:
                return True
            self._at += 1
        return False

    def _encode(self, number: int, key: bytes, entry: Entry) -> None:
        value = entry.value
        self.keys_done += 1
        if isinstance(value, Value) and value.length() >= LARGE:
            self._finish_parts()
            self._parts = self.encoder.open(number, key, entry)
            self._parts_database = number
            self._parts_key = key
        else:
            self.encoder.key(number, key, entry)

    def _write_part(self) -> None:
        parts = self._parts
        if parts is not None and not parts.write(_PART):
            self._parts = None

    def _finish_parts(self) -> None:
        """The value that is being encoded in parts is about to change: encode what is left."""
        while self._parts is not None:
            self._write_part()

    def close(self) -> None:
        """Take the hook back; to be called in the end, also amid the walk."""
        if self in self.engine.changes.hooks:
            self.engine.changes.hooks.remove(self)
        if self.engine.capture is self:
            self.engine.capture = None
        for walk in self._walks:
            walk.close()
        if self._snapshot is not None:
            self._snapshot.close()

    # BeforeChange ----------------------------------------------------------------------------

    def before_change(self, database: int, key: bytes, entry: Entry | None) -> None:
        number = self._origins[database]
        if self._left[number] or self.failure is not None:
            return
        try:
            if number == self._parts_database and key == self._parts_key:
                self._finish_parts()
            if self._walks[number].claim(key) and entry is not None:
                self._encode(number, key, entry)
                self._finish_parts()
        except Exception as error:  # noqa: BLE001 - the command that changes the key must go on
            self.failure = error

    def before_clear(self, database: int) -> None:
        number = self._origins[database]
        if self._left[number] or self.failure is not None:
            return
        try:
            if number == self._parts_database:
                self._finish_parts()
            walk = self._walks[number]
            self._left[number] = True
            if not walk.leave():
                keys = walk.next(_SLICE)
                while keys:
                    for key in keys:
                        entry = walk.find(key)
                        if entry is not None:
                            self._encode(number, key, entry)
                            self._finish_parts()
                    keys = walk.next(_SLICE)
        except Exception as error:  # noqa: BLE001 - as above
            self.failure = error

    def before_swap(self, first: int, second: int) -> None:
        origins = self._origins
        origins[first], origins[second] = origins[second], origins[first]
        for number in (first, second):
            walk = self._walks[origins[number]]
            if not self._left[origins[number]]:
                walk.follow(self.engine.keyspaces[number].store)
