"""All keys as they were at one moment, without a fork: the walk behind snapshots and rewrites.

`Capture.step` hands keys to an encoder, slice by slice, with rounds in between. Before a key
changes that it has not come to, the before-change hook has the old value encoded first. A
backend with snapshots of its own is walked without a hook.
"""

from functools import partial
from typing import TYPE_CHECKING, Final, cast

from mypy_extensions import i64, mypyc_attr

from hypercache.backend import BackendError, Entry, KeyWalk, Snapshot, Value
from hypercache.engine.units import attempt
from hypercache.keyspace.changes import BeforeChange
from hypercache.persistence.encoder import Encoder, Origin, ValueParts

if TYPE_CHECKING:
    from hypercache.engine.engine import Engine

# Keys that are taken from a walk at a time: fewer as long as that takes more microseconds.
_SLICE: Final[i64] = 16
_SLICE_TIME: Final[i64] = 200
# Elements from which on a value is encoded in parts, and elements of a part.
LARGE: Final[i64] = 512
_PART: Final[i64] = 256


@mypyc_attr(allow_interpreted_subclasses=True)
class Capture(BeforeChange):
    """Begins when it is made: between two rounds, or in a command before it has changed anything.

    Not in a transaction: what that has changed so far is nothing that ever was. ``offset`` is
    the journal's at that moment: what has a place before it is in here, and nothing else.
    ``keys_done`` of ``keys_total`` are encoded. ``failure`` is what encoding has raised amid a
    command: then the capture is worth nothing, and the next step raises it.
    """

    def __init__(self, engine: "Engine", encoder: Encoder) -> None:
        if engine.capture is not None:
            raise ValueError("another capture is under way")
        _check_moment(engine)
        self.engine = engine
        self.encoder = encoder
        self._long_string: i64 = encoder.long_string()
        self.offset: i64 = 0
        self.keys_done: i64 = 0
        self.keys_total: i64 = 0
        self.failure: Exception | None = None
        self._slice: i64 = _SLICE
        self._parts: ValueParts | None = None
        self._parts_database = -1
        self._parts_key = b""
        self._snapshot: Snapshot | None = None
        # Values of a backend with units end with each: then none is encoded in parts.
        left_out = engine.stores.left_out
        units = [s.backend.wants_units for s in engine.stores if s.index not in left_out]
        self._keeps_values = engine.backend.snapshots or not any(units)
        # By a database's number at the beginning; and where each of today's was then.
        self._walks: list[KeyWalk] = []
        self._origins: list[int] = []
        self._left: list[bool] = []
        self._sizes: dict[int, tuple[int, int]] = {}
        # The database that is walked, and keys of it that wait for the value in parts.
        self._at = 0
        self._later: list[bytes] = []
        # Databases have been swapped in the present round, of which a unit may yet be undone.
        self._swapped = False
        self._undone: i64 = engine.units.undone
        amid_a_batch = engine.units.is_open
        engine.commit()
        try:
            self._begin()
        except Exception:
            self.close()
            raise
        if amid_a_batch:
            engine.units.go_on()

    def _begin(self) -> None:
        engine = self.engine
        self.offset = engine.journal.offset
        stores = [keyspace.store for keyspace in engine.keyspaces]
        if engine.backend.snapshots:
            self._snapshot = engine.backend.snapshot()
            stores = self._snapshot.databases
        sizes = self._sizes
        left_out = engine.stores.left_out
        for number, store in enumerate(stores):
            size = 0 if number in left_out else store.size()
            self.keys_total += size
            if size:
                sizes[number] = (size, store.volatile())
            self._walks.append(KeyWalk(store) if number in left_out else store.walk())
            self._origins.append(number)
            self._left.append(size == 0)
        time: i64 = engine.clock.microseconds()
        used = engine.memory.used()
        origin = Origin(time, self.offset, used, sizes, engine.libraries.sources())
        if engine.backend.keeps_access:
            policy = engine.configuration.settings.maxmemory_policy
            origin.policy = policy[-3:] if policy.endswith(("-lru", "-lfu")) else ""
            origin.policies = [keyspace.policy for keyspace in engine.keyspaces]
        self.encoder.begin(origin)
        engine.capture = self
        if self._snapshot is None:
            engine.changes.hooks.append(self)

    def step(self, budget: i64) -> bool:
        """Encode keys for about that many microseconds; False once everything is encoded.

        To be called between rounds until it is False, or raises: what the encoder or the backend
        has raised, also in a hook since the last step.
        """
        if self.engine.units.undone != self._undone:
            self._undone = self.engine.units.undone
            if self._swapped and self.failure is None:
                self.failure = BackendError("a swap of databases was undone amid the capture")
        self._swapped = False
        clock = self.engine.clock
        began: i64 = clock.microseconds()
        now: i64 = began
        while self.failure is None:
            if self._parts is not None:
                self._write_part()
            elif not self._next():
                self.encoder.end()
                self._release()
                return False
            last: i64 = now
            now = clock.microseconds()
            if now - last > _SLICE_TIME:
                self._slice = max(self._slice // 2, 1)
            elif self._slice < _SLICE:
                self._slice += 1
            if now - began >= budget or now < began:  # the clock was set back
                return True
        raise self.failure

    def _next(self) -> bool:
        """Encode a few more keys, one at most that is large; False when there are none."""
        if not self._later and not self._hand_out():
            return False
        walk = self._walks[self._at]
        while self._later and self._parts is None:
            key = self._later.pop()
            entry = walk.find(key)
            if entry is not None:
                self._encode(self._at, key, entry)
        return True

    def _hand_out(self) -> bool:
        while self._at < len(self._walks):
            if self._at in self._sizes:
                self._later = self._walks[self._at].next(self._slice)
                if self._later:
                    return True
            self._at += 1
        return False

    def _encode(self, number: int, key: bytes, entry: Entry) -> None:
        value = entry.value
        self.keys_done += 1
        if isinstance(value, bytes):
            is_large = len(value) >= self._long_string
        else:
            is_large = cast(Value, value).length() >= LARGE
        if is_large:
            self._finish_parts()
            self._parts = self.encoder.open(number, key, entry)
            self._parts_database = number
            self._parts_key = key
            if not self._keeps_values:
                self._finish_parts()
        else:
            self.encoder.key(number, key, entry)

    def _write_part(self) -> None:
        parts = self._parts
        if parts is not None and not parts.write(_PART):
            self._parts = None

    def _finish(self, number: int, key: bytes) -> None:
        """A value is about to change: if it is the one in parts, encode what is left."""
        if key == self._parts_key and number == self._parts_database:
            self._finish_parts()

    def _finish_parts(self) -> None:
        while self._parts is not None:
            self._write_part()

    def close(self) -> None:
        """Take the hook back; to be called in the end, also amid the walk."""
        if self.engine.capture is self:
            self.engine.capture = None
        self._release()

    def _release(self) -> None:
        hooks = self.engine.changes.hooks
        if self in hooks:
            hooks.remove(self)
        for walk in self._walks:
            walk.close()
        self._parts = None
        if self._snapshot is not None:
            self._snapshot.close()

    # BeforeChange: the command that changes something goes on, whatever an encoder raises ----

    def before_change(self, database: int, key: bytes, entry: Entry | None) -> None:
        number = self._origins[database]
        if self._left[number] or self.failure is not None:
            return
        claimed = self._walks[number].claim(key)
        if claimed or self._parts is not None or self._later:
            self.failure = attempt(partial(self._hurry, number, key, entry, claimed))

    def _hurry(self, number: int, key: bytes, entry: Entry | None, claimed: bool) -> None:
        """Encode a key that is about to change, if it was not."""
        self._finish(number, key)
        if number == self._at and key in self._later:
            self._later.remove(key)
            claimed = True
        if claimed and entry is not None:
            self._encode(number, key, entry)
            self._finish(number, key)

    def before_clear(self, database: int) -> None:
        number = self._origins[database]
        if not self._left[number] and self.failure is None:
            self._left[number] = True
            self.failure = attempt(partial(self._leave, number))

    def _leave(self, number: int) -> None:
        if self._walks[number].leave():
            return  # the value in parts is the walk's, too
        if number == self._parts_database:
            self._finish_parts()
        walk = self._walks[number]
        keys = walk.next(_SLICE)
        if number == self._at:
            keys += self._later
            self._later = []
        while keys:
            for key in keys:
                entry = walk.find(key)
                if entry is not None:
                    self._encode(number, key, entry)
                    self._finish_parts()
            keys = walk.next(_SLICE)

    def before_swap(self, first: int, second: int) -> None:
        origins = self._origins
        origins[first], origins[second] = origins[second], origins[first]
        self._swapped = True
        for number in (first, second):
            if not self._left[origins[number]]:
                self._walks[origins[number]].follow(self.engine.keyspaces[number].store)


def _check_moment(engine: "Engine") -> None:
    """Raise ValueError amid a change."""
    changes = engine.changes
    session = engine.serving
    if engine.scripts.running is not None or (
        session is not None
        and (session.in_exec or changes.edits or changes.dirty != changes.settled)
    ):
        raise ValueError("what is captured has to be whole: this is amid a change")
