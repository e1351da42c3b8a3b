"""An ordered store on trial: every call is made on it and on a dict, and compared."""

from collections.abc import Callable
from random import Random

import attrs

from hypercache.keyspace.ordered import OrderedKV
from hypercache.testing.conformance import Recorder, describe

MakeKV = Callable[[], OrderedKV]
ReopenKV = Callable[[OrderedKV], OrderedKV]


@attrs.frozen
class KVSetup:
    """What a check is given: see `hypercache.testing.check_ordered_kv`."""

    make: MakeKV
    reopen: ReopenKV | None
    crash: ReopenKV | None
    seed: int


class KVReader(Recorder):
    """What is only read: a snapshot, or all of a store, and the dict that it should equal.

    ``place`` comes before the names of calls in steps and failures.
    """

    def __init__(
        self, check: str, rule: str, kv: OrderedKV, model: dict[bytes, bytes], place: str = ""
    ) -> None:
        super().__init__(check, rule)
        self.kv = kv
        self.model = model
        self.place = place

    def get(self, key: bytes) -> None:
        """Read one key."""
        step = f"{self.place}get({describe(key)})"
        self.expect(step, self.model.get(key), self.call(step, lambda: self.kv.get(key)))

    def range(self, start: bytes, stop: bytes, limit: int, reverse: bool = False) -> None:
        """Read a range."""
        step = f"{self.place}range({describe(start)}, {describe(stop)}, {limit}, {reverse})"
        found = self.call(step, lambda: self.kv.range(start, stop, limit, reverse))
        inside = sorted((k for k in self.model if start <= k < stop), reverse=reverse)
        self.expect(step, [(key, self.model[key]) for key in inside[:limit]], found)

    def verify(self) -> None:
        """Read everything."""
        self.range(b"\x00", b"\xff" * (self.kv.max_key_size + 1), len(self.model) + 1)

    def close(self) -> None:
        """Close it."""
        self.call(f"{self.place}close()", self.kv.close)


class KVTrial(KVReader):
    """A store on trial. Methods are those of `OrderedKV`."""

    def __init__(self, check: str, rule: str, setup: KVSetup) -> None:
        super().__init__(check, rule, setup.make(), {})
        self.setup = setup
        self.random = Random(setup.seed)
        self.saved: dict[bytes, bytes] = {}
        self.call("open()", self.kv.open)

    def begin(self) -> None:
        """Begin a transaction."""
        self.call("begin()", self.kv.begin)
        self.saved = dict(self.model)

    def commit(self) -> None:
        """Keep it."""
        self.call("commit()", self.kv.commit)

    def rollback(self) -> None:
        """Undo it."""
        self.call("rollback()", self.kv.rollback)
        self.model = self.saved

    def put(self, key: bytes, value: bytes) -> None:
        """Store a value."""
        step = f"put({describe(key)}, {describe(value)})"
        self.call(step, lambda: self.kv.put(key, value))
        self.model[key] = value

    def exchange(self, key: bytes, value: bytes) -> None:
        """Store a value, and get the old one."""
        step = f"exchange({describe(key)}, {describe(value)})"
        old = self.call(step, lambda: self.kv.exchange(key, value))
        self.expect(step, self.model.get(key), old)
        self.model[key] = value

    def delete(self, key: bytes) -> None:
        """Remove a key, which may not be there."""
        step = f"delete({describe(key)})"
        there = self.model.pop(key, None) is not None
        self.expect(step, there, self.call(step, lambda: self.kv.delete(key)))

    def delete_range(self, start: bytes, stop: bytes, limit: int) -> None:
        """Remove the first keys of a range."""
        step = f"delete_range({describe(start)}, {describe(stop)}, {limit})"
        removed = self.call(step, lambda: self.kv.delete_range(start, stop, limit))
        inside = sorted(key for key in self.model if start <= key < stop)[:limit]
        for key in inside:
            del self.model[key]
        self.expect(step, len(inside), removed)

    def snapshot(self) -> KVReader:
        """Take a snapshot; it shares the steps."""
        taken = self.call("snapshot()", self.kv.snapshot)
        reader = KVReader(self.check, self.rule, taken, dict(self.model), "the snapshot's ")
        reader.steps = self.steps
        return reader

    def replace(self, name: str, other: ReopenKV, old: OrderedKV) -> None:
        """Go on with another store over the same data."""
        self.kv = self.call(name, lambda: other(old))
        self.call("open()", self.kv.open)
