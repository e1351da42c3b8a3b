"""Rules about walks: every key as it was at the beginning, while all of them change."""

from functools import partial

from hypercache.backend import NO_EXPIRE, Entry
from hypercache.testing.checks.rules import NOW, rule
from hypercache.testing.conformance import describe
from hypercache.testing.database_trial import DatabaseTrial
from hypercache.testing.trial import Trial


class _Walker:
    """Walks over strings, and compares each with what it was when the walk began."""

    def __init__(self, trial: Trial, database: DatabaseTrial) -> None:
        self.trial = trial
        self.name = f"{database.name}.walk()"
        self.left = {key: (held.data, held.expire) for key, held in database.model.items()}
        self.walk = trial.call(self.name, database.database.walk)

    def step(self, count: int) -> bool:
        """Take about so many keys between two units; False when there are none."""
        self.trial.end_unit()
        going_on = self._next(count)
        self.trial.begin_unit()
        return going_on

    def _next(self, count: int) -> bool:
        step = f"{self.name}.next({count})"
        keys = self.trial.call(step, lambda: self.walk.next(count))
        for key in keys:
            self._take(step, key, self.walk.find(key))
        return bool(keys)

    def _take(self, step: str, key: bytes, entry: Entry | None) -> None:
        trial = self.trial
        trial.require(key in self.left, f"{step} has each key once that was there", describe(key))
        was = self.left.pop(key)
        now = None if entry is None else (entry.value, entry.expire)
        trial.expect(f"{describe(key)} in {step}", was, now)

    def before(self, database: DatabaseTrial, *keys: bytes) -> None:
        """Keys of what is walked are about to change."""
        for key in keys:
            step = f"{self.name}.claim({describe(key)})"
            claimed = self.trial.call(step, partial(self.walk.claim, key))
            rule = f"{step}, which hands out what was not before,"
            self.trial.expect(rule, key in self.left, claimed)
            if claimed:
                self._take(step, key, database.database.find(key))

    def clear(self, database: DatabaseTrial) -> None:
        """Clear what is walked."""
        step = f"{self.name}.leave()"
        if not self.trial.call(step, self.walk.leave):
            while self._next(10):
                pass
            self.trial.expect(f"what is left after {step} and all of next()", {}, self.left)
        database.clear()

    def swap(self, first: DatabaseTrial, second: DatabaseTrial) -> None:
        """Swap what is walked from one database into another."""
        self.trial.call(
            f"{self.name}.follow({second.name})", lambda: self.walk.follow(second.database)
        )
        first.swap(second)

    def finish(self, count: int = 10) -> None:
        """Take what is left, and close the walk."""
        while self.step(count):
            pass
        self.trial.expect(f"what {self.name} has not handed out", {}, self.left)
        self.trial.expect(f"{self.name}.next(10) at the end", [], self.walk.next(10))
        self.walk.close()
        self.trial.call(f"{self.name}.close() for the second time", self.walk.close)


def _fill(database: DatabaseTrial, keys: int = 60) -> None:
    for number in range(keys):
        deadline = NOW + number if number % 3 else NO_EXPIRE
        database.put(b"key %d" % number, b"value %d" % number, deadline)


def _change(trial: Trial, database: DatabaseTrial, walker: _Walker) -> None:
    """Change something in what is walked."""
    random = trial.random
    keys = sorted({*database.model, b"new 1", b"new 2", b"new 3"})  # each once: no move onto itself
    one, other = random.sample(keys, 2)
    how = random.randrange(6)
    walker.before(database, one)
    if one not in database.model or how == 0:
        database.put(one, b"new value")
    elif how == 1:
        database.expire(one, NOW + 1000)
    elif how == 2:
        walker.before(database, other)
        database.move(one, database, other)
    elif how == 3:
        walker.before(database, other)
        database.copy(one, database, other)
    else:
        database.unlink(one)


@rule
def a_walk_hands_out_every_key(trial: Trial) -> None:
    """walk() hands out each key that is there once, with its value and deadline, whatever the
    count, and then none; it can be closed amid that, and another one be begun."""
    database = trial.databases[0]
    _Walker(trial, database).finish()
    _fill(database)
    for count in (1, 7, 60, 1000):
        broken_off = _Walker(trial, database)
        broken_off.step(count)
        broken_off.walk.close()
        _Walker(trial, database).finish(count)


@rule
def a_walk_shows_what_there_was(trial: Trial) -> None:
    """While keys come, change and go, each after a claim(), a walk hands out every key once as it
    was when the walk began: by next() or by claim(), and none that was not there."""
    database = trial.databases[0]
    for count in (1, 2, 5, 20):
        _fill(database)
        walker = _Walker(trial, database)
        more = True
        while more:
            for _ in range(trial.random.randrange(6)):
                _change(trial, database, walker)
            more = walker.step(count)
        _change(trial, database, walker)
        walker.finish()
        trial.verify()
        trial.next_unit()


@rule
def a_walk_follows_a_swap(trial: Trial) -> None:
    """After swap() a walk goes on with the same keys in the other database, also where both are
    walked."""
    first, second, third = trial.databases
    _fill(first)
    _fill(second, 20)
    walkers = [_Walker(trial, first), _Walker(trial, second)]
    walkers[0].step(10)
    walkers[0].swap(first, third)
    first.put(b"key 1", b"not what is walked")
    for _ in range(5):
        _change(trial, third, walkers[0])
    walkers[0].step(10)
    walkers[1].walk.follow(third.database)
    walkers[0].swap(third, second)
    for _ in range(5):
        _change(trial, second, walkers[0])
        _change(trial, third, walkers[1])
    for walker in walkers:
        walker.finish()


@rule
def a_walk_outlives_clearing(trial: Trial) -> None:
    """Where leave() is True, clear() takes nothing away from a walk, whatever is put, unlinked and
    reclaimed afterwards; where it is False, next() hands out all that is left before."""
    database = trial.databases[0]
    for steps in (0, 2):
        _fill(database)
        trial.next_unit()
        walker = _Walker(trial, database)
        for _ in range(steps):
            walker.step(10)
            _change(trial, database, walker)
        walker.clear(database)
        _fill(database, 30)
        for number in range(0, 30, 2):
            database.unlink(b"key %d" % number)
        trial.next_unit()
        trial.reclaim()
        if not walker.left:
            walker.walk.close()
        else:
            walker.finish()
        _Walker(trial, database).finish()
        trial.reclaim()


@rule
def a_scan_misses_nothing_beside_a_walk(trial: Trial) -> None:
    """A full iteration of scan() amid a walk returns every key that was there from its start to
    its end, whatever is claimed and removed between its steps."""
    database = trial.databases[0]
    for count in (1, 3, 10):
        _fill(database, 100)
        walker = _Walker(trial, database)
        walker.step(count)
        stayed = set(database.model)
        seen: set[bytes] = set()
        cursor, steps = 0, 0
        while cursor != 0 or steps == 0:
            cursor, keys = database.scan(cursor, 5)
            steps += 1
            seen.update(keys)
            walker.before(database, *trial.random.sample(sorted(database.model), 2))
            for key in trial.random.sample(sorted(database.model), 2):
                walker.before(database, key)
                database.unlink(key)
                stayed.discard(key)
            walker.step(count)
        trial.require(
            stayed <= seen, "every key that stayed is seen", f"not seen: {sorted(stayed - seen)}"
        )
        walker.finish()


CHECKS = (
    a_walk_hands_out_every_key,
    a_walk_shows_what_there_was,
    a_walk_follows_a_swap,
    a_walk_outlives_clearing,
    a_scan_misses_nothing_beside_a_walk,
)
