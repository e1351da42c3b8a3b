"""Rules about the whole store: memory figures, costs, units, durability."""

import math
from collections.abc import Callable
from functools import partial
from typing import Final, cast

from hypercache.backend import HASH, NO_EXPIRE, STRING, Database, HashValue
from hypercache.testing.checks.rules import NOW, rule
from hypercache.testing.costs import PATIENCE, seconds
from hypercache.testing.database_trial import DatabaseTrial
from hypercache.testing.trial import Trial

#: Fields of a hash, and keys of a database, that are large for the checks of costs.
LARGE: Final = 4000
#: What must not depend on a size takes less than this part of the time to fill it.
CONSTANT: Final = 0.05
FIELDS: Final = f"set {LARGE} fields"
KEYS: Final = f"put {LARGE} keys"
#: What is cheap in comparison to what.
CHEAPER: Final = (("expire() and move()", FIELDS), ("unlink()", FIELDS), ("clear()", KEYS))


def _fill(trial: Trial, database: DatabaseTrial) -> None:
    """Some of everything."""
    for number in range(40):
        database.put(b"key %d" % number, b"v" * number, NOW + number if number % 2 else NO_EXPIRE)
    database.put(b"long", trial.random.randbytes(30_000), NOW)
    database.put(b"k" * 1000, b"v", NOW)
    database.create(b"hash", HASH)
    for number in range(200):
        database.set_field(b"hash", b"field %d" % number, b"v")
    database.set_field_deadline(b"hash", b"field 3", NOW + 3)
    database.set_field_deadline(b"hash", b"field 4", NOW + 4)
    database.expire(b"hash", NOW)
    database.create(b"text", STRING)
    database.write(b"text", 6_000, b"text")


# Memory figures ----------------------------------------------------------------------------


@rule
def memory_follows_the_data(trial: Trial) -> None:
    """memory() grows by at least the bytes that are stored and not by many times more; what
    memory_of() says of the keys adds up to it, roughly."""
    database = trial.databases[0]
    empty = database.memory()
    trial.require(empty >= 0, "a figure >= 0", empty)
    last = 0
    for length in (10, 1_000, 2_048, 2_049, 100_000):
        database.put(b"key", b"v" * length)
        grown = database.memory() - empty
        trial.require(grown >= last + length - last, f"memory() grown by >= {length}", grown)
        alone = database.memory_of(b"key")
        trial.require(length <= alone <= 2 * length + 1_000, f"about {length} bytes", alone)
        last = length
    trial.require(grown <= 250_000, "memory() grown by <= 250,000 bytes for 100,000", grown)
    database.put(b"key", b"v")
    shrunk = database.memory() - empty
    trial.require(shrunk < 10_000, "memory() shrunk again with the value", shrunk)
    for number in range(2_000):
        database.put(b"key %d" % number, b"v" * 50, NOW if number % 2 else NO_EXPIRE)
    _fill(trial, database)
    database.verify()
    grown = database.memory() - empty
    parts = sum(database.memory_of(key) for key in database.model)
    trial.require(parts / 2 <= grown <= parts * 2, f"between half and twice {parts}", grown)


@rule
def memory_counts_values_edited_in_place(trial: Trial) -> None:
    """memory() of a value and of its database follow what is set and written in it."""
    database = trial.databases[0]
    value = database.create(b"hash", HASH)
    before = database.memory()
    for number in range(500):
        database.set_field(b"hash", b"field %d" % number, b"v" * 100)
    content = sum(len(b"field %d" % number) + 100 for number in range(500))
    trial.require(value.memory() >= content, f"at least {content} bytes", value.memory())
    grown = database.memory() - before
    trial.require(content <= grown <= 5 * content, f"grown by about {content} bytes", grown)
    alone = database.memory_of(b"hash")
    trial.require(content <= alone <= 5 * content, f"about {content} bytes", alone)
    value = database.create(b"text", STRING)
    before = database.memory()
    for number in range(100):
        database.write(b"text", number * 1_000, b"v" * 1_000)
    trial.require(value.memory() >= 100_000, "at least 100,000 bytes", value.memory())
    grown = database.memory() - before
    trial.require(100_000 <= grown <= 250_000, "grown by about 100,000 bytes", grown)


@rule
def memory_falls_when_keys_go(trial: Trial) -> None:
    """When all keys are removed and reclaimed, memory() has given back at least two thirds of
    what it had grown by; after clear() it says what it said when the database was new."""
    database = trial.databases[0]
    empty = database.memory()
    for round_ in range(2):
        for number in range(1_000):
            database.put(b"key %d" % number, b"v" * 100, NOW if number % 3 else NO_EXPIRE)
        _fill(trial, database)
        trial.next_unit()
        peak = database.memory() - empty
        if round_ == 0:
            for key in list(database.model):
                database.unlink(key)
        else:
            database.clear()
        trial.next_unit()
        trial.reclaim()
        left = database.memory() - empty
        most = 0 if round_ else peak // 3
        trial.require(left <= most, f"at most {most} bytes above the empty figure", left)
    trial.expect("memory() after clear()", empty, database.memory())


# Costs --------------------------------------------------------------------------------------


@rule
def costs_do_not_depend_on_size(trial: Trial) -> None:
    """unlink(), move() and expire() of a large value, and clear() of a large database, take
    a small part of the time that filling them took."""
    first, second = trial.databases[0].database, trial.databases[1].database
    least: dict[str, float] = {}

    def take(name: str, call: Callable[[], object]) -> None:
        least[name] = min(least.get(name, math.inf), seconds(call))

    for _ in range(PATIENCE):
        value = cast(HashValue, first.create(b"hash", HASH).value)
        before = value.memory()
        take(FIELDS, partial(_set_fields, value))
        first.adjust(b"hash", before, value.memory())
        take("expire() and move()", lambda: _expire_and_move(first, second))
        take("unlink()", lambda: second.unlink(b"moved"))
        trial.reclaim()
        take(KEYS, lambda: _put_keys(first))
        take("clear()", first.clear)
        trial.reclaim()
        if all(least[what] <= CONSTANT * least[filling] for what, filling in CHEAPER):
            return
    for what, filling in CHEAPER:
        trial.require(
            least[what] <= CONSTANT * least[filling],
            f"{what} in less than {CONSTANT:.0%} of the {least[filling] * 1000:.1f} ms "
            f"that it took to {filling}",
            f"{least[what] * 1000:.1f} ms",
        )


def _set_fields(value: HashValue) -> None:
    for number in range(LARGE):
        value.set(b"field %d" % number, b"v")


def _put_keys(database: Database) -> None:
    for number in range(LARGE):
        database.put(b"key %d" % number, b"v", NO_EXPIRE)


def _expire_and_move(first: Database, second: Database) -> None:
    first.expire(b"hash", NOW)
    first.move(b"hash", second, b"moved")


# Units --------------------------------------------------------------------------------------


@rule
def a_unit_can_be_undone(trial: Trial) -> None:
    """Where the backend has units, rollback() undoes every change of the unit: keys, values,
    deadlines, counters, clear() and the memory figure."""
    if not trial.units:
        return
    for database in trial.databases[:2]:
        _fill(trial, database)
    trial.next_unit()
    for change in UNDONE:
        figures = [database.database.memory() for database in trial.databases]
        change(trial.databases[0], trial.databases[1])
        trial.verify()
        trial.undo_unit()
        trial.verify()
        trial.expect(
            "memory() of the databases after rollback()",
            figures,
            [database.database.memory() for database in trial.databases],
        )
        trial.reclaim()
        trial.verify()
    for change in UNDONE[:-1]:
        change(trial.databases[0], trial.databases[1])
        trial.next_unit()
        trial.verify()


def _put_some(first: DatabaseTrial, second: DatabaseTrial) -> None:
    first.put(b"new", b"v", NOW)
    first.put(b"key 1", b"replaced")
    first.put(b"long", b"replaced" * 5_000)
    first.put(b"hash", b"replaced")


def _edit_some(first: DatabaseTrial, second: DatabaseTrial) -> None:
    second.set_field(b"hash", b"field 1", b"changed" * 1_000)
    second.remove_field(b"hash", b"field 2")
    second.set_field(b"hash", b"new", b"v")
    second.write(b"text", 0, b"changed")
    second.write(b"text", 50_000, b"changed")
    second.create(b"another", HASH)
    second.set_field(b"another", b"f", b"v")


def _expire_some(first: DatabaseTrial, second: DatabaseTrial) -> None:
    first.expire(b"key 2", NOW)
    first.expire(b"key 3", NO_EXPIRE)
    first.expire(b"key 3", NOW + 9)
    second.expire(b"hash", NO_EXPIRE)
    second.set_field_deadline(b"hash", b"field 3", NO_EXPIRE)
    second.set_field_deadline(b"hash", b"field 5", NOW)


def _move_some(first: DatabaseTrial, second: DatabaseTrial) -> None:
    second.move(b"hash", first, b"moved")
    second.move(b"key 4", second, b"key 5")
    second.copy(b"long", first, b"copied")
    first.set_field(b"moved", b"f", b"v")


def _remove_some(first: DatabaseTrial, second: DatabaseTrial) -> None:
    for key in (b"long", b"key 7", b"text"):
        second.unlink(key)
    second.create(b"text", STRING)


def _clear_one(first: DatabaseTrial, second: DatabaseTrial) -> None:
    second.clear()
    second.put(b"after", b"v", NOW)
    second.create(b"hash", HASH)


def _swap_both(first: DatabaseTrial, second: DatabaseTrial) -> None:
    first.swap(second)
    first.put(b"swapped", b"v", NOW)


UNDONE: Final = (
    _put_some,
    _edit_some,
    _expire_some,
    _move_some,
    _swap_both,
    _remove_some,
    _clear_one,
)


# Reclaiming, durability ---------------------------------------------------------------------


@rule
def reclaim_frees_only_what_is_dead(trial: Trial) -> None:
    """reclaim() ends, and touches nothing that a key still reaches, however it is interleaved
    with changes."""
    first, second = trial.databases[:2]
    for round_ in range(4):
        for database in (first, second):
            _fill(trial, database)
        second.move(b"hash", first, b"kept")
        second.copy(b"long", first, b"copied")
        first.unlink(b"hash")
        if round_ % 2:
            second.clear()
        trial.next_unit()
        for number in range(20):
            trial.call("reclaim(7)", lambda: trial.backend.reclaim(7))
            first.put(b"meanwhile %d" % number, b"v" * 3_000)
            first.unlink(b"meanwhile %d" % (number - 5))
        trial.verify()
        trial.next_unit()
        trial.reclaim()
        trial.verify()
    trial.require(not trial.backend.reclaim(100), "False when nothing is left", "True")


@rule
def a_durable_backend_keeps_its_data(trial: Trial) -> None:
    """A durable backend that is closed and opened again holds what was committed, deadlines
    and all, and goes on: nothing that was rolled back, nothing that was removed."""
    if not trial.backend.durable:
        return
    first, second = trial.databases[:2]
    for database in (first, second):
        _fill(trial, database)
    trial.next_unit()
    if trial.units:
        _edit_some(first, second)
        second.clear()
        trial.undo_unit()
    trial.reopen()
    trial.verify()
    for step in UNDONE[:-1]:
        step(trial.databases[0], trial.databases[1])
        trial.reopen()
        trial.verify()
    figures = [database.database.memory() for database in trial.databases]
    trial.databases[0].unlink(b"moved")
    trial.databases[1].clear()
    trial.reopen()
    trial.verify()
    trial.reclaim()
    _fill(trial, trial.databases[1])
    trial.reopen()
    trial.verify()
    trial.require(
        trial.databases[1].memory() <= figures[1] * 2 + 50_000,
        f"a memory figure about as before ({figures[1]})",
        trial.databases[1].memory(),
    )


CHECKS = (
    memory_follows_the_data,
    memory_counts_values_edited_in_place,
    memory_falls_when_keys_go,
    costs_do_not_depend_on_size,
    a_unit_can_be_undone,
    reclaim_frees_only_what_is_dead,
    a_durable_backend_keeps_its_data,
)
