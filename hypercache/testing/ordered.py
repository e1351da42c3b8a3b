"""The conformance kit for `OrderedKV`, the small contract under ``KVBackend``."""

import random
from collections.abc import Callable
from typing import Final

from hypercache.keyspace.ordered import SMALLEST_KEY_LIMIT, OrderedKV
from hypercache.testing.conformance import Recorder, describe

MakeKV = Callable[[], OrderedKV]
ReopenKV = Callable[[OrderedKV], OrderedKV]

#: Operations tried in random order, on a store of a few keys.
OPERATIONS: Final = 600


class _KVTrial(Recorder):
    """A store on trial beside a dict; every call is made on both."""

    def __init__(self, check: str, rule: str, kv: OrderedKV) -> None:
        super().__init__(check, rule)
        self.kv = kv
        self.model: dict[bytes, bytes] = {}
        self._saved: dict[bytes, bytes] = {}
        self.call("open()", kv.open)

    def begin(self) -> None:
        self.call("begin()", self.kv.begin)
        self._saved = dict(self.model)

    def commit(self) -> None:
        self.call("commit()", self.kv.commit)

    def rollback(self) -> None:
        self.call("rollback()", self.kv.rollback)
        self.model = self._saved

    def get(self, key: bytes) -> None:
        step = f"get({describe(key)})"
        self.expect(step, self.model.get(key), self.call(step, lambda: self.kv.get(key)))

    def put(self, key: bytes, value: bytes) -> None:
        step = f"put({describe(key)}, {describe(value)})"
        self.call(step, lambda: self.kv.put(key, value))
        self.model[key] = value

    def delete(self, key: bytes) -> None:
        step = f"delete({describe(key)})"
        there = self.model.pop(key, None) is not None
        self.expect(step, there, self.call(step, lambda: self.kv.delete(key)))

    def range(self, start: bytes, stop: bytes, limit: int, reverse: bool) -> None:
        step = f"range({describe(start)}, {describe(stop)}, {limit}, {reverse})"
        found = self.call(step, lambda: self.kv.range(start, stop, limit, reverse))
        inside = sorted((k for k in self.model if start <= k < stop), reverse=reverse)
        self.expect(step, [(key, self.model[key]) for key in inside[:limit]], found)

    def delete_range(self, start: bytes, stop: bytes, limit: int) -> None:
        step = f"delete_range({describe(start)}, {describe(stop)}, {limit})"
        removed = self.call(step, lambda: self.kv.delete_range(start, stop, limit))
        inside = sorted(key for key in self.model if start <= key < stop)[:limit]
        for key in inside:
            del self.model[key]
        self.expect(step, len(inside), removed)

    def verify(self) -> None:
        self.range(b"\x00", b"\xff" * (self.kv.max_key_size + 1), len(self.model) + 1, False)


def check_ordered_kv(make: MakeKV, *, reopen: ReopenKV | None = None, seed: int = 0) -> None:
    """Try every rule of the OrderedKV contract; raises `ConformanceError` at a broken one.

    ``make()`` gives a new, empty store; ``reopen(kv)`` gets one that was closed and gives
    another over the same data, and a durable store needs it. Then `check_backend` with
    ``KVBackend(make())`` tells whether the whole holds.
    """
    _traits(make())
    _keys_and_values(make())
    _order(make())
    _transactions(make())
    _random_operations(make(), random.Random(seed))
    _durability(make(), reopen)


def _traits(kv: OrderedKV) -> None:
    trial = _KVTrial("traits", "max_key_size, durable and pair_overhead are set", kv)
    trial.require(kv.max_key_size >= SMALLEST_KEY_LIMIT, "max_key_size >= 64", kv.max_key_size)
    trial.require(isinstance(kv.durable, bool), "a bool for durable", kv.durable)
    trial.require(kv.pair_overhead >= 0, "pair_overhead >= 0", kv.pair_overhead)
    trial.verify()
    trial.call("close()", kv.close)


def _keys_and_values(kv: OrderedKV) -> None:
    trial = _KVTrial(
        "keys_and_values",
        "get() finds what put() stored, byte for byte, inside the transaction and after it",
        kv,
    )
    longest = kv.max_key_size
    keys = [b"\x00", b"\x00\x00", b"\xff", b"a\x00", b"a", b"k" * longest]
    keys += [b"k" * (longest - 1) + b"\x00", b"\xff" * longest, b"A"]
    for size in (0, 1, 100, 5_000, 200_000):
        trial.begin()
        for key in keys:
            trial.put(key, key[:1] * size)
            trial.get(key)
        trial.commit()
        for key in keys:
            trial.get(key)
            trial.get(key[:-1] + b"?")
    trial.begin()
    for key in keys:
        trial.delete(key)
        trial.delete(key)
        trial.get(key)
    trial.commit()
    trial.verify()
    trial.call("close()", kv.close)


def _order(kv: OrderedKV) -> None:
    trial = _KVTrial(
        "order",
        "range() gives pairs in the order of the keys' bytes: start included, stop not, at most"
        " limit, from the end when reversed",
        kv,
    )
    trial.begin()
    for key in (b"b", b"a", b"\xff", b"ab", b"a\xff", b"\x00", b"B", b"aa", b"\x80", b"ab\x00"):
        trial.put(key, b"value of " + key)
    trial.commit()
    bounds = (b"\x00", b"a", b"a\x00", b"ab", b"ab\x00", b"ac", b"b", b"\x80", b"\xff", b"\xff\xff")
    for start in bounds:
        for stop in bounds:
            for limit in (1, 2, 100):
                for reverse in (False, True):
                    trial.range(start, stop, limit, reverse)
    trial.begin()
    for limit in (1, 2, 100):
        trial.delete_range(b"aa", b"b", limit)
        trial.verify()
    trial.commit()
    trial.call("close()", kv.close)


def _transactions(kv: OrderedKV) -> None:
    trial = _KVTrial(
        "transactions",
        "a transaction reads its own changes; commit() keeps all of them, rollback() none",
        kv,
    )
    trial.begin()
    for number in range(50):
        trial.put(b"key %d" % number, b"first")
    trial.verify()
    trial.commit()
    trial.begin()
    for number in range(0, 60, 2):
        trial.put(b"key %d" % number, b"second")
        trial.put(b"key %d" % number, b"third")
        trial.delete(b"key %d" % (number + 1))
        trial.put(b"key %d" % (number + 1), b"back")
        trial.delete(b"key %d" % (number * 2))
    trial.delete_range(b"key 1", b"key 2", 5)
    trial.verify()
    trial.rollback()
    trial.verify()
    for end in (trial.commit, trial.rollback):
        trial.begin()
        end()
    trial.verify()
    trial.call("close()", kv.close)


def _random_operations(kv: OrderedKV, chance: random.Random) -> None:
    trial = _KVTrial("random_operations", "the store answers as a sorted dict does", kv)
    trial.begin()
    for _ in range(OPERATIONS):
        key = b"k" + chance.randbytes(chance.randrange(3))
        stop = b"k" + chance.randbytes(chance.randrange(3))
        choice = chance.randrange(20)
        if choice < 8:
            trial.put(key, chance.randbytes(chance.choice((0, 5, 50, 3_000))))
        elif choice < 11:
            trial.delete(key)
        elif choice < 13:
            trial.get(key)
        elif choice < 17:
            trial.range(key, stop, chance.choice((1, 3, 1_000)), chance.random() < 0.5)
        elif choice < 18:
            trial.delete_range(key, stop, chance.choice((1, 3, 1_000)))
        elif choice < 19:
            trial.commit()
            trial.verify()
            trial.begin()
        else:
            trial.rollback()
            trial.verify()
            trial.begin()
    trial.commit()
    trial.verify()
    trial.call("close()", kv.close)


def _durability(kv: OrderedKV, reopen: ReopenKV | None) -> None:
    trial = _KVTrial(
        "durability", "a durable store that is closed and opened again has what was committed", kv
    )
    if not kv.durable:
        trial.call("close()", kv.close)
        return
    if reopen is None:
        trial.fail("a reopen= argument, since the store says that it is durable", "None")
    trial.begin()
    trial.put(b"committed", b"value")
    trial.put(b"removed", b"value")
    trial.commit()
    trial.begin()
    trial.delete(b"removed")
    trial.commit()
    trial.begin()
    trial.put(b"undone", b"value")
    trial.rollback()
    trial.call("close()", kv.close)
    trial.kv = trial.call("reopen()", lambda: reopen(kv))
    trial.call("open()", trial.kv.open)
    trial.verify()
    trial.call("close()", trial.kv.close)
