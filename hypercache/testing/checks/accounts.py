"""Rules about memory figures of every type: what is added, copied, moved, shrunk, expired."""

from typing import Final

from hypercache.backend import HASH, NO_EXPIRE, STRING
from hypercache.testing.checks import samples
from hypercache.testing.checks.rules import NOW, rule
from hypercache.testing.checks.streams import make_id
from hypercache.testing.database_trial import DatabaseTrial
from hypercache.testing.lists import ListTrial
from hypercache.testing.sets import SetTrial
from hypercache.testing.streams import StreamTrial
from hypercache.testing.trial import Trial
from hypercache.testing.zsets import ZSetTrial

#: Bytes of each element that the rules below add.
ELEMENT: Final = 100
#: What a figure may be besides the content: so many bytes for each element, and for each key.
PER_ELEMENT: Final = 400
PER_KEY: Final = 1_000
#: What indexes of a database may grow by at once.
SLACK: Final = 6_000


def _element(number: int) -> bytes:
    return b"%0*d" % (ELEMENT, number)


def _add(database: DatabaseTrial, key: bytes, first: int, stop: int) -> None:
    """Add numbered elements to the value under a key, which is named by its type."""
    numbers = range(first, stop)
    if key == b"text":
        for number in numbers:
            database.write(key, ELEMENT * number, _element(number))
    elif key == b"hash":
        for number in numbers:
            database.set_field(key, b"%d" % number, _element(number))
    elif key == b"list":
        for number in numbers:
            ListTrial(database, key).push_right(_element(number))
    elif key == b"set":
        for number in numbers:
            SetTrial(database, key).add(_element(number))
    elif key == b"zset":
        for number in numbers:
            ZSetTrial(database, key).set(_element(number), float(number))
    else:
        for number in numbers:
            StreamTrial(database, key).append(make_id(1 + number), [b"name", _element(number)])


def _create(database: DatabaseTrial, key: bytes) -> None:
    if key == b"text":
        database.create(key, STRING)
    elif key == b"hash":
        database.create(key, HASH)
    elif key == b"list":
        ListTrial.create(database, key)
    elif key == b"set":
        SetTrial.create(database, key)
    elif key == b"zset":
        ZSetTrial.create(database, key)
    else:
        StreamTrial.create(database, key)


def _cut(database: DatabaseTrial, key: bytes, count: int) -> None:
    """Remove the first elements of the value under a key."""
    if key == b"hash":
        for number in range(count):
            database.remove_field(key, b"%d" % number)
    elif key == b"list":
        ListTrial(database, key).remove_range(0, count)
    elif key == b"set":
        for number in range(count):
            SetTrial(database, key).remove(_element(number))
    elif key == b"zset":
        ZSetTrial(database, key).remove_range(0, count)
    else:
        StreamTrial(database, key).remove_first(count)


KINDS: Final = (b"text", b"hash", b"list", b"set", b"zset", b"stream")


def _between(trial: Trial, what: str, least: float, got: int, most: float) -> None:
    trial.require(least <= got <= most, f"{what} between {least:,.0f} and {most:,.0f}", got)


@rule
def memory_grows_with_every_type(trial: Trial) -> None:
    """Whatever its type, memory_of() of a key is at least the bytes that were stored in it and
    little more for each element; memory() grows by about as much, and with every element added."""
    database = trial.databases[0]
    for kind in KINDS:
        empty = last = database.memory()
        _create(database, kind)
        added = 0
        for count in (1, 10, 100, 500):
            _add(database, kind, added, count)
            added = count
            content = ELEMENT * count
            most = content + PER_ELEMENT * count + PER_KEY
            if kind == b"text":
                most += 4_096
            _between(trial, f"memory_of({kind!r})", content, database.memory_of(kind), most)
            grown = database.memory() - empty
            _between(trial, f"what memory() grew by for {kind!r}", content, grown, most + SLACK)
            trial.require(
                database.memory() > last, f"memory() above {last} for more elements", "no more"
            )
            last = database.memory()
        trial.next_unit()


@rule
def memory_follows_copies_and_moves(trial: Trial) -> None:
    """copy() adds about what memory_of() says of the original to memory() of the target; move()
    takes as much from one database to the other, and adds nothing; both have the figure of the
    original under the new key."""
    first, second = trial.databases[:2]
    for kind in KINDS:
        _create(first, kind)
        _add(first, kind, 0, 300)
        trial.next_unit()
        size = first.memory_of(kind)
        near = 0.1 * size + SLACK
        before = trial.memory()
        first.copy(kind, second, b"copy of " + kind)
        first.copy(kind, first, b"copy of " + kind)
        after = trial.memory()
        for index in (0, 1):
            grown = after[index] - before[index]
            what = f"what copy() of {kind!r} adds to memory() of db{index}"
            _between(trial, what, size / 2, grown, 2 * size + SLACK)
        copied = second.memory_of(b"copy of " + kind)
        _between(trial, f"memory_of() of the copied {kind!r}", size / 2, copied, 2 * size + SLACK)
        before = trial.memory()
        first.move(kind, second, b"moved " + kind)
        after = trial.memory()
        left, came = before[0] - after[0], after[1] - before[1]
        _between(trial, f"what move() takes from db0 for {kind!r}", size - near, left, size + near)
        _between(trial, f"what move() adds to db1 for {kind!r}", size - near, came, size + near)
        moved = second.memory_of(b"moved " + kind)
        _between(trial, f"memory_of() of the moved {kind!r}", size - near, moved, size + near)
        trial.next_unit()


@rule
def memory_shrinks_with_values(trial: Trial) -> None:
    """When most elements of a value are removed, memory() and memory_of() give back at least a
    third of what they took; when it is replaced or unlinked, almost all of it."""
    database = trial.databases[0]
    for kind in KINDS:
        empty = database.memory()
        _create(database, kind)
        _add(database, kind, 0, 400)
        trial.next_unit()
        full, size = database.memory() - empty, database.memory_of(kind)
        if kind != b"text":
            _cut(database, kind, 360)
            part = 2 * full / 3
            what = f"of {kind!r} after 360 of 400 elements are gone"
            _between(trial, f"memory_of() {what}", 40 * ELEMENT, database.memory_of(kind), part)
            left = database.memory() - empty
            _between(trial, f"memory() {what}", 40 * ELEMENT, left, part + SLACK)
        database.put(kind, b"short")
        left = database.memory() - empty
        trial.require(
            left <= size / 10 + SLACK, f"little left of {kind!r} once it is replaced", left
        )
        database.unlink(kind)
        trial.next_unit()
        trial.reclaim()


@rule
def memory_is_balanced(trial: Trial) -> None:
    """After any changes memory() is about the sum of memory_of() over the keys, between half of
    it and twice as much: after edits, deadlines, copies, moves, swaps, expiry, and rollbacks,
    which leave the figures exactly as they were."""
    first, second = trial.databases[:2]
    for database in (first, second):
        samples.fill(database, 150)
    trial.next_unit()
    _balance(trial)
    samples.change(first)
    second.move(b"list", first, b"moved list")
    second.copy(b"zset", first, b"copied zset")
    first.swap(second)
    _balance(trial)
    trial.next_unit()
    if trial.units:
        before = trial.memory()
        samples.change(second)
        for key in (b"hash", b"stream", b"zset"):
            second.copy(key, first, b"undone " + key)
            second.unlink(key)
        first.expire(b"hash", NO_EXPIRE)
        trial.undo_unit()
        trial.expect("memory() of the databases after rollback()", before, trial.memory())
    for database in (first, second):
        for key in list(database.model):
            database.expire(key, NOW)
    _balance(trial)
    for database in (first, second):
        for _ in range(60):
            for key in database.due(NOW + 200, 10):
                database.unlink(key)
        trial.expect("keys left after all have expired", [], list(database.model))
    trial.next_unit()
    trial.reclaim()
    for number in range(50):
        first.put(b"key %d" % number, b"v" * 1_000)
    _balance(trial)


def _balance(trial: Trial) -> None:
    for database in trial.databases:
        total = database.memory()
        parts = sum(database.database.memory_of(key) for key in database.model)
        what = f"memory() of db{database.index}, whose keys add up to {parts},"
        _between(trial, what, parts / 2 - SLACK, total, parts * 2 + SLACK)


CHECKS = (
    memory_grows_with_every_type,
    memory_follows_copies_and_moves,
    memory_shrinks_with_values,
    memory_is_balanced,
)
