"""Rules about snapshots: all databases as they were at one moment."""

from functools import partial

from hypercache.backend import BackendError
from hypercache.testing.checks import samples
from hypercache.testing.checks.rules import NOW, rule
from hypercache.testing.trial import SnapshotTrial, Trial


def _disturb(trial: Trial) -> None:
    """Change, clear, swap, move, remove and reclaim what there was, in several units."""
    first, second, third = trial.databases
    samples.change(first)
    trial.next_unit()
    first.swap(third)
    second.unlink(b"zset")
    second.move(b"list", third, b"list")
    second.copy(b"hash", second, b"set")
    trial.next_unit()
    for key in samples.LARGE:
        if key in second.model:
            second.unlink(key)
    second.put(b"new", b"v", NOW)
    trial.next_unit()
    trial.reclaim()
    second.clear()
    third.clear()
    samples.fill(second, 20)
    trial.next_unit()
    trial.reclaim()


def _look(snapshot: SnapshotTrial) -> None:
    """Read everything in a snapshot, in every way."""
    snapshot.compare()
    for database in snapshot.databases:
        samples.scan_all(database)
        if b"stream" in database.model:
            samples.read(database)


@rule
def a_snapshot_stays_as_it_was(trial: Trial) -> None:
    """Where the backend has snapshots, one shows all databases as they were at that moment, keys,
    deadlines, counters and values of every type, read in every way, whatever is changed, moved,
    swapped, cleared, unlinked and reclaimed afterwards; its memory() is what it was then."""
    if not trial.backend.snapshots:
        return
    samples.fill(trial.databases[0])
    samples.fill(trial.databases[1])
    snapshot = trial.snapshot()
    figures = trial.memory()
    shown = [database.memory() for database in snapshot.databases]
    trial.expect("memory() of the snapshot's databases", figures, shown)
    _look(snapshot)
    _disturb(trial)
    _look(snapshot)
    shown = [database.memory() for database in snapshot.databases]
    trial.expect("memory() of the snapshot's databases", figures, shown)
    trial.verify()
    snapshot.close()
    trial.verify()


@rule
def a_snapshot_has_only_what_was_committed(trial: Trial) -> None:
    """A snapshot has nothing of a unit that was rolled back before it, and nothing of one that is
    begun after it, open, committed or rolled back."""
    if not trial.backend.snapshots or not trial.units:
        return
    database = trial.databases[0]
    samples.fill(database, 40)
    trial.next_unit()
    samples.change(database)
    trial.databases[1].put(b"undone", b"v")
    trial.undo_unit()
    snapshot = trial.snapshot()
    for end in (trial.undo_unit, trial.next_unit):
        samples.change(database)
        trial.databases[2].put(b"new", b"v", NOW)
        _look(snapshot)
        end()
        _look(snapshot)
    snapshot.close()


@rule
def several_snapshots_are_each_of_its_moment(trial: Trial) -> None:
    """Several snapshots are open at once, each of its own moment; that one is closed, also for
    the second time, harms neither the others nor the backend."""
    if not trial.backend.snapshots:
        return
    database = trial.databases[0]
    samples.fill(database, 30)
    taken = [trial.snapshot()]
    for number in range(3):
        database.put(b"key 3", b"round %d" % number)
        database.set_field(b"hash", b"field 2", b"round %d" % number)
        database.put(b"new %d" % number, b"v")
        taken.append(trial.snapshot())
    taken.append(trial.snapshot())
    while taken:
        for snapshot in taken:
            snapshot.compare()
        closed = taken.pop(len(taken) // 2)
        closed.close()
        database.put(b"key 3", b"%d left" % len(taken))
        trial.next_unit()
        closed.close()
    trial.verify()


@rule
def snapshots_are_read_in_another_thread(trial: Trial) -> None:
    """A snapshot is read in a thread of its own while units change the databases: each sees what
    it should, and neither waits for the other to end."""
    if not trial.backend.snapshots:
        return
    for database in trial.databases[:2]:
        samples.fill(database, 60)
    snapshot = trial.snapshot()
    for _ in range(2):
        errand = trial.send("read the snapshot in a thread", partial(_look, snapshot))
        _disturb(trial)
        errand.finish()
        samples.fill(trial.databases[0], 60)
        trial.next_unit()
    trial.send("close the snapshot in a thread", snapshot.close).finish()
    trial.verify()


@rule
def a_snapshot_outlives_its_backend(trial: Trial) -> None:
    """When the backend is closed before a snapshot, closing that one changes nothing, and reading
    in it either goes on as before or raises BackendError."""
    if not trial.backend.snapshots:
        return
    again = trial.again()
    samples.fill(again.databases[0], 30)
    snapshot = again.snapshot()
    again.close()
    trial.steps = again.steps
    for database in snapshot.databases:
        try:
            entry = database.database.find(b"key 1")
        except BackendError as error:
            trial.require(bool(str(error)), "a BackendError with a text", repr(error))
        else:
            there = None if entry is None else entry.value
            held = database.model.get(b"key 1")
            expected = None if held is None else held.data
            trial.expect("find(b'key 1') after close()", expected, there)
    snapshot.close()
    snapshot.close()


@rule
def no_snapshot_is_refused_in_words(trial: Trial) -> None:
    """A backend whose trait says that it has no snapshots raises BackendError with a text when it
    is asked for one, and goes on."""
    if trial.backend.snapshots:
        return
    trial.databases[0].put(b"key", b"v")
    trial.end_unit()
    try:
        trial.backend.snapshot()
    except BackendError as error:
        trial.require(bool(str(error).strip()), "a BackendError with a text", repr(error))
    else:
        trial.fail(
            "BackendError from snapshot()", "a snapshot, though the trait says there is none"
        )
    trial.begin_unit()


CHECKS = (
    a_snapshot_stays_as_it_was,
    a_snapshot_has_only_what_was_committed,
    several_snapshots_are_each_of_its_moment,
    snapshots_are_read_in_another_thread,
    a_snapshot_outlives_its_backend,
    no_snapshot_is_refused_in_words,
)
