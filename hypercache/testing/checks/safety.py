"""Rules about syncing, blocking work, and crashes of the process."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Final

from hypercache.testing.checks import samples
from hypercache.testing.checks.rules import NOW, rule
from hypercache.testing.trial import Trial

#: Units that are made while other threads sync, and how often the store is made to crash.
UNITS: Final = 30
CRASHES: Final = 3


@rule
def sync_runs_beside_units(trial: Trial) -> None:
    """sync() in one thread and maintain() in another, again and again, disturb no unit: what is
    committed stays, what is rolled back is gone, and none of the two raises. They do not end a
    unit that is open."""
    database = trial.databases[0]
    works = (("sync()", trial.backend.sync), ("maintain()", trial.backend.maintain))
    samples.fill(database, 40)
    trial.next_unit()
    for name, work in works:
        database.put(b"key 1", name.encode())
        trial.send(f"{name} in a thread, in a unit", work).finish()
        database.put(b"key 2", name.encode())
        trial.next_unit()
        trial.verify()
        if trial.units:
            database.put(b"key 1", b"undone")
            trial.send(f"{name} in a thread, in a unit", work).finish()
            database.put(b"key 2", b"undone")
            trial.undo_unit()
            trial.verify()
    over = threading.Event()
    errands = [
        trial.send(f"{name} again and again in a thread", partial(_repeat, over, work))
        for name, work in works
    ]
    try:
        _many_units(trial)
    finally:
        over.set()
        for errand in errands:
            errand.finish()
    trial.verify()


def _many_units(trial: Trial) -> None:
    """Small units, every other one rolled back."""
    database = trial.databases[0]
    for number in range(UNITS):
        database.put(b"key %d" % number, b"committed", NOW)
        database.set_field(b"hash", b"field 2", b"round %d" % number)
        trial.next_unit()
        if trial.units:
            database.put(b"key %d" % number, b"undone")
            trial.databases[1].put(b"undone", b"v")
            trial.undo_unit()


def _repeat(over: threading.Event, call: Callable[[], None]) -> None:
    while not over.wait(0.0005):
        call()


@rule
def a_crash_keeps_what_was_committed(trial: Trial) -> None:
    """Where a crash= argument is given for a durable backend: another backend over the store of
    one that was never closed holds all that was committed, of every type, and nothing of the unit
    that was open; check() finds nothing; it goes on, and so does one after the next crash."""
    crash = trial.setup.crash
    if crash is None or not trial.backend.durable:
        return
    trial.next_unit()
    trial.crash(crash)
    trial.verify()
    for number in range(CRASHES):
        first, second = trial.databases[:2]
        samples.fill(first, 50)
        samples.fill(second, 20)
        trial.next_unit()
        if number % 2:
            trial.send("sync() in a thread", trial.backend.sync).finish()
            trial.send("maintain() in a thread", trial.backend.maintain).finish()
        samples.change(first)
        second.move(b"list", first, b"moved list")
        second.unlink(b"zset")
        first.swap(trial.databases[2])
        trial.databases[1].clear()
        if number:
            trial.next_unit()
            trial.backend.reclaim(30)
            trial.databases[2].put(b"in the open unit", b"v", NOW)
            trial.databases[2].unlink(b"stream")
            trial.databases[0].clear()
        trial.crash(crash)
        trial.verify()
    trial.reclaim()
    trial.verify()


CHECKS = (sync_runs_beside_units, a_crash_keeps_what_was_committed)
