"""A memory database that has lost most of its keys becomes small again, and loses nothing else."""

import subprocess
import sys
from random import Random

from hypercache_memory import MemoryBackend
from hypercache_memory.arenas import Arenas

from hypercache.backend import NO_EXPIRE, STRING, Database

KEYS = 80_000
FAR = 4_000_000_000_000


def filled(keys: int = KEYS) -> tuple[MemoryBackend, Database, int]:
    """A backend, its first database with so many keys, and the memory of that when it was empty."""
    backend = MemoryBackend()
    database = backend.open(2)[0]
    base = database.memory()
    for number in range(keys):
        deadline = FAR + number if number % 4 == 0 else NO_EXPIRE
        database.put(b"key:%d" % number, b"value %d" % number, deadline)
    database.memory()  # as a server does ten times a second
    return backend, database, base


def test_nothing_is_lost_while_keys_change_amid_compaction() -> None:
    backend, database, _ = filled()
    full = database.memory()
    walk = database.walk()
    for number in range(KEYS):
        if number % 10:
            database.unlink(b"key:%d" % number)
    assert database.memory() > 0.15 * full
    model = {b"key:%d" % number: b"value %d" % number for number in range(0, KEYS, 10)}
    random = Random(3)
    slices = 0
    while backend.reclaim(500):
        slices += 1
        assert slices < 10_000
        key = b"key:%d" % random.randrange(KEYS)
        if key in model:
            database.expire(key, FAR)
            database.move(key, database, b"moved:" + key)
            model[b"moved:" + key] = model.pop(key)
        else:
            database.put(key, b"new", NO_EXPIRE)
            model[key] = b"new"
        gone = min(model)
        database.unlink(gone)
        del model[gone]
        if slices % 100 == 0:
            assert database.check() == []
    walk.close()
    assert slices > 50
    assert database.check() == []
    assert sorted(database.keys()) == sorted(model)
    for key, value in model.items():
        entry = database.find(key)
        assert entry is not None
        assert entry.value == value
    assert database.memory() < 0.13 * full
    assert not backend.reclaim(100)


def test_an_emptied_database_takes_no_more_than_a_new_one() -> None:
    backend, database, base = filled()
    for number in range(KEYS):
        database.unlink(b"key:%d" % number)
    while backend.reclaim(100):
        pass
    assert database.memory() <= base + 200


def test_values_and_access_stay_as_they_are() -> None:
    backend, database, _ = filled()
    database.create(b"edited", STRING)
    entry = database.find(b"edited")
    assert entry is not None
    entry.access = 77
    value = entry.value
    for number in range(KEYS):
        if number % 50:
            database.unlink(b"key:%d" % number)
    while backend.reclaim(1000):
        pass
    entry = database.find(b"edited")
    assert entry is not None
    assert entry.value is value
    assert entry.access == 77


def test_what_is_cleared_or_small_is_left_alone() -> None:
    backend, database, _ = filled(1000)
    for number in range(900):
        database.unlink(b"key:%d" % number)
    assert not backend.reclaim(100)
    backend, database, base = filled()
    database.clear()
    while backend.reclaim(1000):
        pass
    assert database.memory() == base


def test_what_is_left_comes_together_in_few_arenas() -> None:
    """In a process of its own: the holes of this one lie anywhere."""
    command = [sys.executable, "-P", "-c", DELETION]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    before, after = (int(word) for word in done.stdout.split())
    assert before > 10
    assert after < before // 2


def test_holes_are_not_plugged_when_they_are_too_many() -> None:
    values = [b"%0100d" % number for number in range(80_000)][::10]
    for most, expected in ((1 << 40, True), (10, False)):
        arenas = Arenas(most)
        for value in values:
            arenas.note(value, 144)
        assert arenas.are_sparse() == expected


DELETION = """
from random import Random

from hypercache_memory import MemoryBackend

def count_arenas():
    entries = [database.find(key) for key in list(database.keys())]
    return len({id(each) >> 20 for entry in entries for each in (entry, entry.value)})

backend = MemoryBackend()
database = backend.open(1)[0]
for number in range(80_000):
    database.put(b"key:%d" % number, b"value %d" % number, -1)
database.memory()
numbers = list(range(80_000))
Random(1).shuffle(numbers)
for number in numbers[8_000:]:
    database.unlink(b"key:%d" % number)
database.memory()
before = count_arenas()
while backend.reclaim(500):
    pass
assert database.check() == []
print(before, count_arenas())
"""
