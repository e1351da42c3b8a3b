"""The rule about filters of lookups: they deny no key that is there."""

from functools import partial

from hypercache.testing.checks.rules import NOW, rule
from hypercache.testing.trial import Trial

_RATES = (0.01, 0.001, 0.0, 0.01)
_STEPS = 60


def _change(trial: Trial) -> None:
    """Change something in one database, or two."""
    random = trial.random
    database, other = random.sample(trial.databases, 2)
    there = sorted(database.model)
    key = random.choice([*there, b"another"])
    how = random.randrange(20)
    if how == 0:
        database.clear()
    elif how == 1:
        database.swap(other)
    elif how < 5 and key in database.model:
        database.unlink(key)
    elif how == 5 and key in database.model:
        database.move(key, other, b"moved %d" % random.randrange(10))
    elif how == 6 and key in database.model:
        database.copy(key, other, b"copied %d" % random.randrange(10))
    elif how == 7 and key in database.model:
        database.expire(key, NOW + 1000)
    else:
        database.put(b"key %d" % random.randrange(100), b"value")


@rule
def filters_deny_no_key(trial: Trial) -> None:
    """After filter_lookups(), whatever the rate, and whatever reclaim() has done by then, every
    key that is there is found, while keys come, go and move, databases are cleared and swapped,
    and units are undone; filter_statistics() has numbers that are not negative."""
    for rate in _RATES:
        for database in trial.databases:
            step = f"{database.name}.filter_lookups({rate})"
            trial.call(step, partial(database.database.filter_lookups, rate))
        for _ in range(_STEPS):
            _change(trial)
            how = trial.random.randrange(12)
            if how == 0:
                trial.reclaim()
            elif how == 1:
                trial.next_unit()
            elif how == 2 and trial.units:
                trial.undo_unit()
            elif how == 3:
                for database in trial.databases:
                    database.find(b"nobody %d" % trial.random.randrange(10))
        trial.verify()
        for database in trial.databases:
            numbers = database.database.filter_statistics()
            bad = {name: value for name, value in numbers.items() if value < 0}
            trial.expect(f"negative numbers of {database.name}.filter_statistics()", {}, bad)


CHECKS = (filters_deny_no_key,)
