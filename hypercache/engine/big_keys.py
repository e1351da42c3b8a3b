"""Keys that take most memory, kept at hand while they change (KEYSTATS BIG)."""

from typing import TYPE_CHECKING, Final

from mypy_extensions import i64

from hypercache.backend import BackendError
from hypercache.engine.context import Place
from hypercache.engine.settlement import ChangeObserver
from hypercache.keyspace.changes import Touch

if TYPE_CHECKING:
    from hypercache.engine.engine import Engine

# Keys looked at in one step of the walk.
STEP: Final = 256
# More keys than are asked for are remembered, so that removals leave enough.
SPARE: Final = 4


class BigKeys(ChangeObserver):
    """The ``tracked`` largest keys of all databases by their memory; 0 keeps none.

    Every change of a key shows its size. Keys from before are found by a walk in the
    background, a slice in each tick; there is another one when removals have left fewer than
    are to be known, for smaller keys were forgotten meanwhile.
    """

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self.tracked = 0
        self.sizes: dict[Place, int] = {}
        # All keys larger than this are known; of those of this size some, and no smaller one.
        self.floor = 0
        # Where the walk is: databases to come, the present one last, and the cursor in it.
        self.pending: list[int] = []
        self._cursor = 0

    def set_tracked(self, tracked: int) -> None:
        """Remember so many keys from now on."""
        if self.tracked == 0 and tracked > 0:
            self.engine.settlement.observe(self)
        if self.tracked > 0 and tracked == 0:
            self.engine.settlement.unobserve(self)
        self.tracked = tracked
        self.restart()

    def restart(self) -> None:
        """Forget everything, and walk over all keys once."""
        self.sizes = {}
        self.floor = 0
        self._cursor = 0
        self.pending = [] if self.tracked == 0 else [each.index for each in self.engine.keyspaces]

    def is_complete(self) -> bool:
        """Whether all keys have been looked at."""
        return not self.pending

    def changed(self, touches: list[Touch]) -> None:
        """Look at the keys that a command has touched."""
        for touch in touches:
            if touch.key is not None:
                self._look_safely((touch.database, touch.key))
            elif touch.event.name == "flush":
                self.sizes = {
                    place: size for place, size in self.sizes.items() if place[0] != touch.database
                }
            else:
                self.restart()
        self._walk_if_short()

    def _look_safely(self, place: Place) -> None:
        """Where the backend cannot tell, the walk will."""
        try:
            self.look(place)
        except BackendError as error:
            self.engine.units.look_failed(error)
            self.restart()

    def look(self, place: Place) -> None:
        """Take note of the size that a key has now. Raises `BackendError`."""
        store = self.engine.keyspaces[place[0]].store
        size = 0 if store.find(place[1]) is None else store.memory_of(place[1])
        if size > self.floor or (size == self.floor and place in self.sizes):
            self.sizes[place] = size
            if len(self.sizes) > self.tracked * SPARE * 2:
                self._forget_small()
        elif place in self.sizes:
            del self.sizes[place]

    def _forget_small(self) -> None:
        ranked = sorted(self.sizes.items(), key=lambda item: -item[1])
        self.sizes = dict(ranked[: self.tracked * SPARE])
        self.floor = ranked[self.tracked * SPARE - 1][1]

    def _walk_if_short(self) -> None:
        if self.floor > 0 and len(self.sizes) < self.tracked and not self.pending:
            self.restart()

    def walk(self, until: i64) -> None:
        """Look at some more keys from before, up to a moment in microseconds.

        Raises `BackendError`.
        """
        engine = self.engine
        while self.pending and engine.clock.microseconds() < until:
            keyspace = engine.keyspaces[self.pending[-1]]
            self._cursor, keys = keyspace.store.scan(self._cursor, STEP)
            for key in keys:
                self.look((keyspace.index, key))
            if self._cursor == 0:
                self.pending.pop()

    def largest(self, count: int) -> list[tuple[Place, int]]:
        """The largest keys and their bytes now, largest first. Raises `BackendError`."""
        for place in list(self.sizes):
            self.look(place)
        self._walk_if_short()
        ranked = sorted(self.sizes.items(), key=lambda item: -item[1])
        return ranked[: min(count, self.tracked)]
