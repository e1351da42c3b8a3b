"""Rules about hashes: scanning and sampling their fields, and fields with deadlines."""

from typing import Final

from hypercache.backend import HASH, NO_EXPIRE, HashValue
from hypercache.testing.checks.rules import NOW, rule
from hypercache.testing.database_trial import DatabaseTrial
from hypercache.testing.trial import Trial

#: Of so many fields, all may come in one step.
AT_ONCE: Final = 128
#: Steps that a full scan may take beyond the number of fields.
SCAN_SLACK: Final = 1000
#: What a backend may take to hand out a hash after its field's deadline, in milliseconds.
LATE: Final = 100


def _fill(database: DatabaseTrial, key: bytes, size: int) -> None:
    """A new hash with numbered fields."""
    database.create(key, HASH)
    for number in range(size):
        database.set_field(key, b"field %d" % number, b"value %d" % number)


def _scan(
    trial: Trial, fields: HashValue, cursor: int, count: int
) -> tuple[int, dict[bytes, bytes]]:
    """One step, as a dict."""
    step = f"scan({cursor}, {count})"
    following, pairs = trial.call(step, lambda: fields.scan(cursor, count))
    trial.require(0 <= following < 2**64, "a cursor from 0 to 2**64 - 1", following)
    return following, dict(pairs)


# Scanning and sampling -----------------------------------------------------------------------


@rule
def a_hash_scan_returns_every_field(trial: Trial) -> None:
    """A full iteration of a hash's scan() from 0 to 0 returns every field with its value,
    whatever the count; steps are about as long as asked for, or have all of up to 128 fields."""
    database = trial.databases[0]
    for size in (1, 40, 65, 600):
        _fill(database, b"hash", size)
        database.set_field(b"hash", b"f" * 3000, b"v" * 3000)
        database.set_field(b"hash", b"", b"")
        trial.next_unit()
        fields = database.hash(b"hash")
        for count in (1, 10, 599, 2**63 - 1):
            seen: dict[bytes, bytes] = {}
            cursor, longest = 0, 0
            for _ in range(size + SCAN_SLACK):
                cursor, found = _scan(trial, fields, cursor, count)
                longest = max(longest, len(found))
                seen.update(found)
                if cursor == 0:
                    break
            trial.require(cursor == 0, "cursor 0 in the end", cursor)
            trial.expect("what a full scan returns", database.model[b"hash"].data, seen)
            most = max(2 * count + 50, AT_ONCE)
            trial.require(longest <= most, f"about {count} fields a step", longest)


@rule
def a_hash_scan_misses_no_field_that_stays(trial: Trial) -> None:
    """While other fields come, go and change between the steps, a full iteration of a hash's
    scan() still ends and returns every field that was there from its start to its end."""
    database = trial.databases[0]
    for round_ in range(6):
        size = (30, 100, 300)[round_ % 3]
        _fill(database, b"hash", size)
        stayed = {b"field %d" % number for number in range(size)}
        seen: set[bytes] = set()
        cursor, steps = 0, 0
        while cursor != 0 or steps == 0:
            if steps > 1500:
                trial.fail("a scan that ends", "none within 1,500 steps of few changes each")
            cursor, found = _scan(trial, database.hash(b"hash"), cursor, 1 + round_)
            steps += 1
            seen.update(found)
            _disturb(trial, database, (round_ < 3) + (steps % 50 == 0), stayed)
        trial.require(
            stayed <= seen, "every field that stayed is seen", f"not seen: {sorted(stayed - seen)}"
        )


def _disturb(trial: Trial, database: DatabaseTrial, removals: int, stayed: set[bytes]) -> None:
    """Add, replace and remove some fields. A field that is replaced stays."""
    random = trial.random
    database.set_field(b"hash", b"new %d" % random.randrange(100), b"v")
    data = database.model[b"hash"].data
    assert isinstance(data, dict)
    replaced, *removed = random.sample(sorted(data), 1 + removals)
    database.set_field(b"hash", replaced, b"replaced" * random.randrange(20))
    for field in removed:
        database.remove_field(b"hash", field)
        stayed.discard(field)
    if random.random() < 0.2:
        trial.next_unit()


@rule
def any_cursor_will_do_in_a_hash(trial: Trial) -> None:
    """A hash's scan() takes any cursor that fits in 64 bits, also one that it never gave: it
    may return anything that is there, and ends."""
    database = trial.databases[0]
    for size in (3, 400):
        _fill(database, b"hash", size)
        fields = database.hash(b"hash")
        cursors = [1, 7, 2**31, 2**32, 2**48 - 1, 2**48, 2**63, 2**64 - 1]
        cursors += [trial.random.randrange(2**64) for _ in range(20)]
        for cursor in cursors:
            following = cursor
            for _ in range(100):
                following, found = _scan(trial, fields, following, 10)
                for field in found:
                    database.get_field(b"hash", field)
                if following == 0:
                    break
            trial.require(following == 0, "cursor 0 in the end", following)


def _sample(trial: Trial, fields: HashValue, pick: int) -> tuple[bytes, bytes]:
    return trial.call(f"sample({pick})", lambda: fields.sample(pick))


@rule
def a_hash_sample_reaches_fields(trial: Trial) -> None:
    """A hash's sample() picks a present field with its value by a random number: each of a
    handful of fields comes up, among many most do, and none far more often than its share."""
    database = trial.databases[0]
    for size, reached in ((1, 1.0), (5, 1.0), (300, 0.9)):
        _fill(database, b"hash", size + size // 2)
        for number in range(size // 2):
            database.remove_field(b"hash", b"field %d" % (3 * number))
        data = database.model[b"hash"].data
        assert isinstance(data, dict)
        fields = database.hash(b"hash")
        times: dict[bytes, int] = {}
        for pick in [0, 2**62 - 1, *(trial.random.randrange(2**62) for _ in range(20 * size))]:
            field, value = _sample(trial, fields, pick)
            trial.expect("the value of a sample", data.get(field), value)
            times[field] = times.get(field, 0) + 1
        trial.require(
            len(times) >= reached * size,
            f"at least {reached:.0%} of {size} fields in {20 * size} samples",
            len(times),
        )
        most = max(times, key=lambda field: times[field])
        trial.require(
            size == 1 or times[most] <= 20 * 8, "no field more than 8 times its share", f"{times}"
        )


# Deadlines of fields -------------------------------------------------------------------------


@rule
def a_field_has_a_deadline(trial: Trial) -> None:
    """A field's deadline is set, changed and taken away, by set() and remove() too; it counts
    as a change, but taking away what is not there does not. next_deadline() is the earliest."""
    database = trial.databases[0]
    for size in (4, 300):
        _fill(database, b"hash", size)
        for field, deadline in (
            (b"field 1", NOW + 50),
            (b"field 2", NOW + 10),
            (b"field 3", NOW + 30),
            (b"field 2", NOW + 40),
            (b"field 2", NOW + 40),
            (b"field 0", NO_EXPIRE),
            (b"field 3", NO_EXPIRE),
            (b"field 3", NO_EXPIRE),
            (b"field 3", 0),
            (b"field 0", 2**46),
        ):
            database.set_field_deadline(b"hash", field, deadline)
            database.find(b"hash")
        trial.next_unit()
        database.set_field(b"hash", b"field 3", b"value 3")
        database.find(b"hash")
        database.remove_field(b"hash", b"field 2")
        database.find(b"hash")
        database.set_field(b"hash", b"field 2", b"back")
        database.find(b"hash")
        for round_ in range(200):
            field = b"field %d" % trial.random.randrange(4)
            deadline = trial.random.choice((NO_EXPIRE, NOW, NOW + trial.random.randrange(99)))
            database.set_field_deadline(b"hash", field, deadline)
            if round_ % 20 == 0:
                database.find(b"hash")


def _due(trial: Trial, fields: HashValue, now: int, limit: int) -> list[bytes]:
    return trial.call(f"due({now}, {limit})", lambda: fields.due(now, limit))


@rule
def due_fields_of_a_hash_come_in_order(trial: Trial) -> None:
    """A hash's due() hands out fields whose deadline has come, the earliest first, each once and
    at most as many as asked for; if it hands out fewer, there are no more."""
    database = trial.databases[0]
    for size in (10, 200):
        _fill(database, b"hash", size)
        for number in range(size):
            for _ in range(1 + number % 3):
                deadline = NOW + trial.random.randrange(30)
                database.set_field_deadline(b"hash", b"field %d" % number, deadline)
        trial.next_unit()
        deadlines = database.model[b"hash"].deadlines
        fields = database.hash(b"hash")
        for now in (NOW - 1, NOW, NOW + 7, NOW + 15):
            for limit in (1, 5, 1000):
                found = _due(trial, fields, now, limit)
                expected = sorted(each for each in deadlines.values() if each <= now)[:limit]
                got = [deadlines.get(field, NO_EXPIRE) for field in found]
                trial.expect("the deadlines of what due() hands out", expected, got)
                trial.require(len(set(found)) == len(found), "no field twice", found)
        while found := fields.due(NOW + 30, 7):
            for field in found:
                database.remove_field(b"hash", field)
            fields = database.hash(b"hash")
        trial.expect("the fields left when all were due", 0, fields.length())


@rule
def due_fields_is_never_early(trial: Trial) -> None:
    """due_fields() hands out present keys of hashes of which expire_fields() noted a deadline
    that has come, at most as many as asked for, none of them twice in a call and none early."""
    database = trial.databases[0]
    for number in range(150):
        key = b"key %d" % number
        _fill(database, key, 2)
        if number % 3:
            deadline = NOW + trial.random.randrange(-3000, 3000)
            database.set_field_deadline(key, b"field 1", deadline)
    trial.next_unit()
    for _ in range(40):
        now = NOW + trial.random.randrange(-4000, 4000)
        keys = database.due_fields(now, trial.random.choice((1, 5, 20, 1000)))
        for key in trial.random.sample(keys, len(keys) // 2):
            how = trial.random.randrange(5)
            if how == 0:
                database.unlink(key)
            elif how == 1:
                database.put(key, b"string now", NOW)
            elif how == 2:
                database.create(key, HASH)
            elif how == 3:
                database.set_field_deadline(key, b"field 1", NO_EXPIRE)
            else:
                later = now + trial.random.randrange(1, 5000)
                database.set_field_deadline(key, b"field 1", later)


@rule
def due_fields_forgets_nobody(trial: Trial) -> None:
    """A caller that removes the fields that are due gets each of n hashes whose field has been
    due for 100 ms or longer within 2 * n / limit + 10 calls."""
    database = trial.databases[0]
    for limit, spread in ((20, 3000), (7, 10), (1000, 2**40)):
        late = set()
        for number in range(200):
            key = b"key %d" % number
            _fill(database, key, 1)
            for _ in range(1 + (number % 4 == 0)):  # renewed: old deadlines must not count
                deadline = NOW + trial.random.randrange(-spread, spread)
                database.set_field_deadline(key, b"field 0", deadline)
            if deadline <= NOW - LATE:
                late.add(key)
        trial.next_unit()
        for _ in range(2 * len(late) // limit + 10):
            for key in database.due_fields(NOW, limit):
                database.remove_field(key, b"field 0")
                late.discard(key)
        trial.expect(f"hashes left that were due {LATE} ms ago", set(), late)
        database.clear()


@rule
def field_deadlines_follow_their_hash(trial: Trial) -> None:
    """Deadlines of fields, and what expire_fields() noted, go with a hash that is moved, copied
    or swapped, whatever was there; they end when it is replaced, removed or cleared."""
    first, second = trial.databases[:2]
    _fill(first, b"a", 5)
    first.set_field_deadline(b"a", b"field 1", NOW + 5)
    first.set_field_deadline(b"a", b"field 2", NOW + 9)
    first.expire(b"a", NOW + 900)
    _fill(second, b"b", 3)
    second.set_field_deadline(b"b", b"field 0", NOW + 2)
    first.put(b"c", b"in the way")
    trial.next_unit()
    _expect_due(first, b"a")
    first.copy(b"a", first, b"c")
    first.copy(b"a", second, b"b")
    _expect_due(first, b"a", b"c")
    _expect_due(second, b"b")
    first.set_field_deadline(b"c", b"field 1", NO_EXPIRE)
    first.set_field(b"a", b"field 2", b"changed")
    trial.verify()
    trial.next_unit()
    first.move(b"c", second, b"moved")
    first.move(b"a", first, b"renamed")
    _expect_due(first, b"renamed")
    _expect_due(second, b"b", b"moved")
    first.swap(second)
    _expect_due(first, b"b", b"moved")
    _expect_due(second, b"renamed")
    trial.verify()
    trial.next_unit()
    first.put(b"b", b"string now")
    _expect_due(first, b"moved")
    first.create(b"moved", HASH)
    _expect_due(first)
    second.unlink(b"renamed")
    _fill(second, b"renamed", 5)
    _expect_due(second)
    second.set_field_deadline(b"renamed", b"field 1", NOW)
    second.put(b"string", b"v")
    second.copy(b"string", second, b"renamed")
    _expect_due(second)
    _fill(second, b"last", 2)
    second.set_field_deadline(b"last", b"field 1", NOW)
    _fill(second, b"over", 2)
    second.move(b"over", second, b"last")
    _expect_due(second)
    second.set_field_deadline(b"last", b"field 1", NOW)
    second.clear()
    _fill(second, b"last", 2)
    _expect_due(second)


def _expect_due(database: DatabaseTrial, *keys: bytes) -> None:
    """These and no others have fields that are due at last."""
    found = set(database.due_fields(NOW + 1000, 100))
    database.trial.expect("the keys with fields that are due", set(keys), found)


CHECKS = (
    a_hash_scan_returns_every_field,
    a_hash_scan_misses_no_field_that_stays,
    any_cursor_will_do_in_a_hash,
    a_hash_sample_reaches_fields,
    a_field_has_a_deadline,
    due_fields_of_a_hash_come_in_order,
    due_fields_is_never_early,
    due_fields_forgets_nobody,
    field_deadlines_follow_their_hash,
)
