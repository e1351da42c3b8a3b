"""The rules of the OrderedKV contract, a function each, for `check_ordered_kv`."""

from collections.abc import Callable
from functools import partial
from typing import Final

import attrs

from hypercache.backend import BackendError
from hypercache.keyspace.ordered import SMALLEST_KEY_LIMIT
from hypercache.testing.checks.figures import check_policy, check_statistics
from hypercache.testing.ordered_trial import KVReader, KVSetup, KVTrial, MakeKV, ReopenKV

#: Operations tried in random order, on a store of a few keys.
OPERATIONS: Final = 600

Body = Callable[[KVTrial], None]


@attrs.frozen
class OrderedCheck:
    """One rule of the contract: a stable name, a sentence, and what tries it."""

    name: str
    rule: str
    body: Body

    def run(
        self,
        make: MakeKV,
        *,
        reopen: ReopenKV | None = None,
        crash: ReopenKV | None = None,
        seed: int = 0,
    ) -> None:
        """Try the rule as `check_ordered_kv` does; raises `ConformanceError`."""
        trial = KVTrial(self.name, self.rule, KVSetup(make, reopen, crash, seed))
        trial.attempt(lambda: self.body(trial))
        trial.verify()
        trial.close()


def _rule(body: Body) -> OrderedCheck:
    return OrderedCheck(body.__name__, " ".join((body.__doc__ or "").split()), body)


# Traits, keys, order -------------------------------------------------------------------------


@_rule
def traits(trial: KVTrial) -> None:
    """max_key_size, durable, pair_overhead, snapshots and sync_policy are set and make sense, and
    refusal is empty as long as there is room."""
    kv = trial.kv
    trial.require(kv.max_key_size >= SMALLEST_KEY_LIMIT, "max_key_size >= 64", kv.max_key_size)
    trial.require(kv.pair_overhead >= 0, "pair_overhead >= 0", kv.pair_overhead)
    for name, value in (("durable", kv.durable), ("snapshots", kv.snapshots)):
        trial.require(type(value) is bool, f"a bool for {name}", value)
    check_policy(trial, kv.durable, kv.sync_policy)
    trial.expect("refusal of a new store", "", kv.refusal)


@_rule
def keys_and_values(trial: KVTrial) -> None:
    """get() finds what put() stored, byte for byte, inside the transaction and after it."""
    longest = trial.kv.max_key_size
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


@_rule
def exchange(trial: KVTrial) -> None:
    """exchange() stores a value as put() does and answers the one that was there, or None; what it
    has done is read in the transaction, kept by commit() and undone by rollback()."""
    keys = (b"a", b"a\x00", b"b", b"k" * trial.kv.max_key_size)
    for end in (trial.commit, trial.rollback):
        for size in (0, 7, 5_000, 100_000):
            trial.begin()
            for key in keys:
                trial.exchange(key, key[:1] * size)
                trial.exchange(key, key[:1] * size + b"!")
                trial.get(key)
            trial.delete(keys[0])
            trial.exchange(keys[0], b"back")
            end()
            trial.verify()


@_rule
def order(trial: KVTrial) -> None:
    """range() gives pairs in the order of the keys' bytes: start included, stop not, at most
    limit, from the end when reversed."""
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


# Transactions --------------------------------------------------------------------------------


@_rule
def transactions(trial: KVTrial) -> None:
    """A transaction reads its own changes; commit() keeps all of them, rollback() none."""
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


@_rule
def random_operations(trial: KVTrial) -> None:
    """Whatever the order of operations, the store answers as a sorted dict does."""
    chance = trial.random
    trial.begin()
    for _ in range(OPERATIONS):
        key = b"k" + chance.randbytes(chance.randrange(3))
        stop = b"k" + chance.randbytes(chance.randrange(3))
        choice = chance.randrange(20)
        if choice < 6:
            trial.put(key, chance.randbytes(chance.choice((0, 5, 50, 3_000))))
        elif choice < 8:
            trial.exchange(key, chance.randbytes(chance.choice((0, 5, 50, 3_000))))
        elif choice < 11:
            trial.delete(key)
        elif choice < 13:
            trial.get(key)
        elif choice < 17:
            trial.range(key, stop, chance.choice((1, 3, 1_000)), chance.random() < 0.5)
        elif choice < 18:
            trial.delete_range(key, stop, chance.choice((1, 3, 1_000)))
        else:
            (trial.commit if choice < 19 else trial.rollback)()
            trial.verify()
            trial.begin()
    trial.commit()


# Snapshots -----------------------------------------------------------------------------------


def _fill(trial: KVTrial, value: bytes) -> None:
    trial.begin()
    for number in range(200):
        trial.put(b"key %d" % number, value * (1 + number % 50))
    trial.commit()


def _look(snapshot: KVReader) -> None:
    snapshot.verify()
    snapshot.range(b"key 1", b"key 3", 7, True)
    for key in (b"key 7", b"key 8", b"none", b"new"):
        snapshot.get(key)


@_rule
def snapshots(trial: KVTrial) -> None:
    """Where snapshots is set, snapshot() has what is committed then, whatever is stored and removed
    afterwards, in an open transaction, a committed or an undone one; several are open at once, and
    closing one harms nothing. Where it is not set, snapshot() raises BackendError with a text."""
    if not trial.kv.snapshots:
        _refused(trial)
        return
    empty = trial.snapshot()
    _fill(trial, b"first ")
    trial.begin()
    trial.put(b"new", b"undone")
    trial.rollback()
    first = trial.snapshot()
    trial.begin()
    trial.put(b"key 7", b"changed")
    trial.delete(b"key 8")
    trial.put(b"new", b"v")
    _look(first)
    trial.commit()
    second = trial.snapshot()
    third = trial.snapshot()
    for value in (b"second ", b"third "):
        trial.begin()
        trial.delete_range(b"key 1", b"key 5", 1_000)
        trial.commit()
        _fill(trial, value)
        for snapshot in (empty, first, second, third):
            _look(snapshot)
    second.close()
    empty.close()
    for reader in (first, third):
        _look(reader)
        trial.verify()
        reader.close()


def _refused(trial: KVTrial) -> None:
    try:
        trial.kv.snapshot()
    except BackendError as error:
        trial.require(bool(str(error).strip()), "a BackendError with a text", repr(error))
        return
    trial.fail("BackendError from snapshot()", "a snapshot, though the trait says there is none")


@_rule
def snapshots_in_threads(trial: KVTrial) -> None:
    """A snapshot is read and closed in another thread while transactions go on."""
    if not trial.kv.snapshots:
        return
    _fill(trial, b"before ")
    for number in range(3):
        snapshot = trial.snapshot()
        errand = trial.send("read the snapshot in a thread", partial(_look, snapshot))
        _fill(trial, b"%d " % number)
        trial.begin()
        trial.delete_range(b"key 1", b"key 3", 1_000)
        trial.commit()
        errand.finish()
        trial.send("close the snapshot in a thread", snapshot.close).finish()


# Syncing, statistics, durability -------------------------------------------------------------


@_rule
def sync(trial: KVTrial) -> None:
    """sync() and maintain() in other threads raise nothing and end no transaction, whether one is
    open or not: what is committed stays, what is rolled back is gone."""
    kv = trial.kv
    for number, end in enumerate((trial.commit, trial.rollback, trial.commit, trial.rollback)):
        trial.begin()
        trial.put(b"changed", b"%d" % number)
        trial.put(b"new %d" % number, b"v" * 3_000)
        errands = [trial.send("sync() in a thread", kv.sync)]
        errands.append(trial.send("maintain() in a thread", kv.maintain))
        for each in range(100):
            trial.put(b"key %d" % each, b"round %d" % number)
        for errand in errands:
            errand.finish()
        trial.delete(b"changed")
        trial.put(b"changed", b"again")
        end()
        trial.verify()
        trial.send("sync() between transactions", kv.sync).finish()
        trial.send("maintain() between transactions", kv.maintain).finish()
        trial.verify()


@_rule
def statistics(trial: KVTrial) -> None:
    """statistics() gives ints that are not negative by snake_case names, at any time."""
    kv = trial.kv
    check_statistics(trial, trial.call("statistics()", kv.statistics))
    _fill(trial, b"v")
    check_statistics(trial, trial.call("statistics()", kv.statistics))
    trial.begin()
    trial.delete_range(b"key", b"l", 1_000)
    check_statistics(trial, trial.call("statistics()", kv.statistics))
    trial.rollback()
    check_statistics(trial, trial.call("statistics()", kv.statistics))


def _some_transactions(trial: KVTrial) -> None:
    trial.begin()
    trial.put(b"committed", b"value")
    trial.put(b"removed", b"value")
    trial.put(b"large", b"v" * 200_000)
    trial.exchange(b"committed", b"changed")
    trial.commit()
    trial.begin()
    trial.delete(b"removed")
    trial.commit()
    trial.begin()
    trial.put(b"undone", b"value")
    trial.delete(b"committed")
    trial.rollback()


@_rule
def durability(trial: KVTrial) -> None:
    """A durable store that is closed and opened again has what was committed."""
    if not trial.kv.durable:
        return
    reopen = trial.setup.reopen
    if reopen is None:
        trial.fail("a reopen= argument, since the store says that it is durable", "None")
    for _ in range(2):
        _some_transactions(trial)
        trial.close()
        trial.replace("reopen()", reopen, trial.kv)
        trial.verify()


@_rule
def crash(trial: KVTrial) -> None:
    """Where a crash= argument is given for a durable store: another store over the data of one that
    was never closed has what was committed, and nothing of the transaction that was open."""
    other = trial.setup.crash
    if other is None or not trial.kv.durable:
        return
    for number in range(3):
        _some_transactions(trial)
        if number:
            trial.kv.sync()
        trial.begin()
        trial.put(b"open", b"value")
        trial.put(b"large", b"changed")
        trial.model = dict(trial.saved)
        trial.replace("crash()", other, trial.kv)
        trial.verify()


CHECKS: Final = (
    traits,
    keys_and_values,
    exchange,
    order,
    transactions,
    random_operations,
    snapshots,
    snapshots_in_threads,
    sync,
    statistics,
    durability,
    crash,
)
