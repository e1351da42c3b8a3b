"""Rules about whole databases: expiry, scanning, sampling, clearing."""

from typing import Final

from hypercache.backend import HASH, NO_EXPIRE
from hypercache.testing.checks.rules import NOW, rule
from hypercache.testing.database_trial import DatabaseTrial
from hypercache.testing.trial import Trial

#: What a backend may take to hand out a key after its deadline, in milliseconds.
LATE: Final = 100
#: Steps that a full scan may take beyond the number of keys.
SCAN_SLACK: Final = 1000


@rule
def due_is_never_early(trial: Trial) -> None:
    """due() hands out present keys whose deadline has come, at most as many as asked for,
    none of them twice in a call and none early."""
    database = trial.databases[0]
    for number in range(300):
        deadline = NOW + trial.random.randrange(-3000, 3000)
        database.put(b"key %d" % number, b"v", deadline if number % 3 else NO_EXPIRE)
    trial.next_unit()
    for _ in range(60):
        now = NOW + trial.random.randrange(-4000, 4000)
        keys = database.due(now, trial.random.choice((1, 5, 20, 1000)))
        for key in trial.random.sample(keys, len(keys) // 2):
            if trial.random.random() < 0.5:
                database.unlink(key)
            else:
                database.expire(key, now + trial.random.randrange(1, 5000))


@rule
def due_forgets_nobody(trial: Trial) -> None:
    """A caller that unlinks what due(now, limit) hands out gets each of n keys that are past
    their deadline for 100 ms or longer within 2 * n / limit + 10 calls."""
    database = trial.databases[0]
    for limit, spread in ((20, 3000), (7, 10), (1000, 2**40)):
        late = set()
        for number in range(400):
            key = b"key %d" % number
            deadline = NOW + trial.random.randrange(-spread, spread)
            database.put(key, b"v", deadline)
            if number % 4 == 0:  # renewed and taken back: old deadlines must not count
                deadline = NOW + trial.random.randrange(-spread, spread)
                database.expire(key, deadline)
            elif number % 9 == 0:
                deadline = NOW + 1
                database.expire(key, NO_EXPIRE)
            if deadline <= NOW - LATE:
                late.add(key)
        trial.next_unit()
        for _ in range(2 * len(late) // limit + 10):
            for key in database.due(NOW, limit):
                database.unlink(key)
                late.discard(key)
        trial.expect(f"keys left that were due {LATE} ms ago", set(), late)
        database.clear()


@rule
def a_scan_returns_every_key(trial: Trial) -> None:
    """A full iteration of scan() from 0 to 0 returns every key, whatever the count; steps are
    about as long as asked for."""
    database = trial.databases[0]
    for number in range(500):
        database.put(b"key %d" % number, b"v")
    database.put(b"k" * 3000, b"v")
    database.create(b"hash", HASH)
    trial.next_unit()
    for count in (1, 2, 10, 100, 499, 502, 10_000, 2**63 - 1):
        seen: set[bytes] = set()
        cursor, longest = 0, 0
        for _ in range(len(database.model) + SCAN_SLACK):
            cursor, keys = database.scan(cursor, count)
            longest = max(longest, len(keys))
            seen.update(keys)
            if cursor == 0:
                break
        trial.require(cursor == 0, "cursor 0 in the end", cursor)
        trial.expect("what a full scan returns", set(database.model), seen)
        trial.require(longest <= 2 * count + 50, f"about {count} keys a step", longest)


@rule
def a_scan_misses_no_key_that_stays(trial: Trial) -> None:
    """While other keys come, go and change between the steps, a full iteration of scan()
    still ends and returns every key that was there from its start to its end."""
    database = trial.databases[0]
    for round_ in range(6):
        count = (1, 3, 10)[round_ % 3]
        for number in range(200):
            database.put(b"key %d" % number, b"v")
        stayed = set(database.model)
        seen: set[bytes] = set()
        cursor, steps = 0, 0
        while cursor != 0 or steps == 0:
            if steps > 1500:
                trial.fail("a scan that ends", "none within 1,500 steps of few changes each")
            cursor, keys = database.scan(cursor, count)
            steps += 1
            seen.update(keys)
            _disturb(trial, database, (round_ < 3) + (steps % 50 == 0), stayed)
        trial.require(
            stayed <= seen, "every key that stayed is seen", f"not seen: {sorted(stayed - seen)}"
        )


def _disturb(trial: Trial, database: DatabaseTrial, removals: int, stayed: set[bytes]) -> None:
    """Put, replace, rename and remove some keys. A key that is replaced stays."""
    random = trial.random
    database.put(b"new %d" % random.randrange(100), b"v")
    present = sorted(database.model)
    replaced, source, *removed = random.sample(present, 2 + removals)
    how = random.randrange(4)
    if how == 0:
        database.put(replaced, b"replaced", NOW)
    elif how == 1:
        database.create(replaced, HASH)
        database.set_field(replaced, b"field", b"value")
    elif how == 2:
        database.copy(source, database, replaced)
    else:
        database.move(source, database, replaced)
        stayed.discard(source)
    for key in removed:
        stayed.discard(key)
        if random.random() < 0.3:
            database.move(key, database, b"moved %d" % random.randrange(10**6))
        else:
            database.unlink(key)
    if random.random() < 0.2:
        trial.next_unit()


@rule
def any_cursor_will_do(trial: Trial) -> None:
    """scan() takes any cursor that fits in 64 bits, also one that it never gave, and a cursor
    from before a clear(): it may return anything that is there, and ends."""
    database = trial.databases[0]
    for round_ in range(2):
        for number in range(50):
            database.put(b"key %d" % number, b"v")
        cursors = [1, 7, 2**31, 2**32, 2**48 - 1, 2**48, 2**63, 2**64 - 1]
        cursors += [trial.random.randrange(2**64) for _ in range(20)]
        cursors.append(database.scan(0, 10)[0])
        if round_:
            database.clear()
        for cursor in cursors:
            following = cursor
            for _ in range(100):
                following, _keys = database.scan(following, 10)
                if following == 0:
                    break
            trial.require(following == 0, "cursor 0 in the end", following)


@rule
def sample_reaches_keys(trial: Trial) -> None:
    """sample() picks a present key by a random number: each of a handful of keys comes up,
    among many keys most do, and none far more often than its share."""
    database = trial.databases[0]
    for size, reached in ((1, 1.0), (5, 1.0), (300, 0.9)):
        while len(database.model) < size:
            database.put(b"key %d" % len(database.model), b"v")
        times: dict[bytes, int] = {}
        for _ in range(20 * size):
            key = database.sample(trial.random.randrange(2**62))
            if key is None:
                trial.fail("a key", "None")
            times[key] = times.get(key, 0) + 1
        trial.require(
            len(times) >= reached * size,
            f"at least {reached:.0%} of {size} keys in {20 * size} samples",
            len(times),
        )
        if size > 1:
            most = max(times, key=lambda key: times[key])
            trial.require(
                times[most] <= 20 * 8, "no key more than 8 times its share", f"{most!r}: {times}"
            )
    for pick in (0, 2**62 - 1):
        trial.require(database.sample(pick) is not None, "a key", "None")


@rule
def sample_follows_removals(trial: Trial) -> None:
    """sample() picks only keys that are there, also where most of them have been removed."""
    database = trial.databases[0]
    for number in range(300):
        database.put(b"key %d" % number, b"v")
    while len(database.model) > 2:
        for _ in range(3):
            key = database.sample(trial.random.randrange(2**62))
            if key is not None and len(database.model) > 2:
                database.unlink(key)
        if len(database.model) % 20 == 0:
            trial.next_unit()
    left = {database.sample(trial.random.randrange(2**62)) for _ in range(60)}
    trial.expect("what 60 samples of two keys find", set(database.model), left)


@rule
def clear_empties_one_database(trial: Trial) -> None:
    """clear() removes every key of its database with deadlines and all, and none of another;
    the database is used on as a new one."""
    for database in trial.databases:
        for number in range(30):
            database.put(b"key %d" % number, b"db%d" % database.index, NOW + number)
        database.put(b"long", b"v" * 20_000)
        database.create(b"hash", HASH)
        for number in range(100):
            database.set_field(b"hash", b"%d" % number, b"db%d" % database.index)
    trial.next_unit()
    cleared = trial.databases[1]
    cleared.clear()
    trial.verify()
    trial.expect("due()", [], cleared.due(NOW + 10_000, 100))
    trial.expect("scan(0, 100)", (0, []), cleared.scan(0, 100))
    trial.expect("sample(1)", None, cleared.sample(1))
    cleared.put(b"key 1", b"new", NOW)
    cleared.create(b"hash", HASH)
    cleared.get_field(b"hash", b"1")
    trial.next_unit()
    trial.reclaim()
    trial.verify()
    cleared.clear()
    cleared.clear()
    trial.reclaim()


@rule
def swap_exchanges_two_databases(trial: Trial) -> None:
    """swap() exchanges all keys of two databases with deadlines, counters and figures; both
    are used on, and a third is left alone."""
    first, second, third = trial.databases
    for database, size in ((first, 5), (second, 300), (third, 1)):
        for number in range(size):
            deadline = NOW + number if number % 2 else NO_EXPIRE
            database.put(b"key %d" % number, b"db%d" % database.index, deadline)
        database.create(b"hash", HASH)
        database.set_field(b"hash", b"field", b"db%d" % database.index)
    for _ in range(3):
        figures = (second.memory(), first.memory(), third.memory())
        first.swap(second)
        trial.expect(
            "memory() of the three", figures, (first.memory(), second.memory(), third.memory())
        )
        trial.verify()
        first.set_field(b"hash", b"field", b"changed")
        second.put(b"new", b"v", NOW)
        first.due(NOW + 10, 3)
        first.scan(0, 10)
        first.sample(trial.random.randrange(2**62))
        trial.next_unit()
    first.clear()
    trial.reclaim()


CHECKS = (
    due_is_never_early,
    due_forgets_nobody,
    a_scan_returns_every_key,
    a_scan_misses_no_key_that_stays,
    any_cursor_will_do,
    sample_reaches_keys,
    sample_follows_removals,
    clear_empties_one_database,
    swap_exchanges_two_databases,
)
