"""Rules about one key: what it holds, and what becomes of it."""

from hypercache.backend import HASH, NO_EXPIRE, STRING
from hypercache.testing.checks.rules import NOW, rule
from hypercache.testing.trial import Trial

#: Keys that trouble stores: empty, binary, longer than a page of a B-tree likes.
KEYS = (
    b"",
    b"\x00",
    b"\xff" * 8,
    b"key",
    b"key\x00",
    b"a b\r\n",
    b"k" * 511,
    b"k" * 512,
    b"k" * 9000,
    b"k" * 9001,
)
#: Lengths of values around the limits of pages and of what stores keep in one place.
LENGTHS = (0, 1, 63, 64, 2047, 2048, 2049, 4095, 4096, 4097, 100_000)


@rule
def a_new_backend_is_empty(trial: Trial) -> None:
    """A new backend opens as many databases as it is asked for, all of them empty, and has a
    name and its traits."""
    backend = trial.backend
    trial.require(bool(backend.name), "a name", backend.name)
    for trait in ("durable", "wants_units", "keeps_access"):
        value = getattr(backend, trait)
        trial.require(isinstance(value, bool), f"a bool for the trait {trait}", value)
    database = trial.databases[0]
    trial.require(database.find(b"absent") is None, "None for an absent key", "an entry")
    trial.expect("due()", [], database.due(NOW, 10))
    trial.expect("scan(0, 10)", (0, []), database.scan(0, 10))
    trial.expect("sample(5)", None, database.sample(5))
    database.unlink(b"absent")


@rule
def a_string_that_was_put_is_found(trial: Trial) -> None:
    """A string is found under its key byte for byte, whatever the length of either, and the
    keys do not get in each other's way."""
    database = trial.databases[0]
    for number, key in enumerate(KEYS):
        database.put(key, b"%d" % number)
    trial.next_unit()
    for length in LENGTHS:
        database.put(b"sized %d" % length, trial.random.randbytes(length))
    for key in KEYS:
        database.find(key)
        database.find(key + b"?")


@rule
def put_replaces_value_and_deadline(trial: Trial) -> None:
    """put() replaces a value of any kind and size, and its deadline with the new one."""
    database = trial.databases[0]
    for length in LENGTHS:
        for deadline in (NO_EXPIRE, NOW):
            database.put(b"string", b"s" * length, deadline)
            database.put(b"string", b"short", NO_EXPIRE)
    fields = trial.databases[0]
    fields.create(b"hash", HASH)
    fields.set_field(b"hash", b"field", b"value")
    fields.expire(b"hash", NOW)
    fields.put(b"hash", b"string now")
    database.create(b"text", STRING)
    database.write(b"text", 0, b"0123456789")
    database.put(b"text", b"string now", NOW + 5)
    trial.expect("db0.size()", 3, database.database.size())
    database.put(b"text", b"later", NOW + 50)
    trial.expect("due() before the new deadline", [], database.due(NOW + 20, 10))


@rule
def create_makes_an_empty_value(trial: Trial) -> None:
    """create() stores an empty value of the kind, without a deadline, whatever was there."""
    database = trial.databases[0]
    for kind in (STRING, HASH):
        value = database.create(b"new %d" % kind, kind)
        trial.expect("changes of a new value", 0, int(value.changes))
    database.put(b"old", b"o" * 5000, NOW)
    database.create(b"old", HASH)
    database.set_field(b"old", b"f", b"v")
    database.expire(b"old", NOW)
    database.create(b"old", STRING)
    trial.expect("db0.size()", 3, database.database.size())
    trial.expect("db0.volatile()", 0, database.database.volatile())


@rule
def a_key_has_one_value_object(trial: Trial) -> None:
    """Until a unit ends, everyone who finds a key gets the same Value object: the keyspace
    tells by it whether a command replaced the value that it edits."""
    database = trial.databases[0]
    made = database.create(b"hash", HASH)
    for key in (b"hash", b"other"):
        if key == b"other":
            database.create(key, HASH)
            trial.next_unit()
            entry = database.find(key)
            made = entry.value if entry is not None else made  # type: ignore[assignment]
        database.set_field(key, b"f", b"v")
        database.expire(key, NOW)
        entry = database.find(key)
        value = None if entry is None else entry.value
        trial.require(value is made, "the same object from each find()", "another object")
    database.create(b"hash", HASH)
    entry = database.find(b"hash")
    value = None if entry is None else entry.value
    trial.require(value is not made, "another object once the key is replaced", "the same")


@rule
def a_string_value_is_edited_in_place(trial: Trial) -> None:
    """A StringValue is written at any offset, inside, across and beyond its end; a gap is
    filled with zero bytes; reading beyond the end gives what there is."""
    database = trial.databases[0]
    database.create(b"text", STRING)
    database.read(b"text", 0, 10)
    database.write(b"text", 0, b"hello")
    database.write(b"text", 5, b" world")
    database.write(b"text", 3, b"LO W")
    trial.next_unit()
    database.write(b"text", 10_000, b"x" * 5_000)
    database.write(b"text", 4_000, b"y" * 4_200)
    for start, stop in (
        (0, 3),
        (3, 3),
        (0, 50_000),
        (4_090, 4_100),
        (9_999, 10_001),
        (20_000, 9**9),
    ):
        database.read(b"text", start, stop)
    database.create(b"far", STRING)
    database.write(b"far", 300_000, b"!")
    for _ in range(50):
        offset = trial.random.randrange(20_000)
        database.write(b"text", offset, trial.random.randbytes(trial.random.choice(LENGTHS[1:9])))
        start = trial.random.randrange(25_000)
        database.read(b"text", start, start + trial.random.randrange(9_000))


@rule
def a_hash_value_is_edited_in_place(trial: Trial) -> None:
    """A HashValue sets, gets, removes and lists fields of any bytes, knows its length, and
    counts every change: a set() that changes nothing too, a remove() of nothing not."""
    database = trial.databases[0]
    database.create(b"hash", HASH)
    for number, field in enumerate(KEYS):
        database.get_field(b"hash", field)
        database.set_field(b"hash", field, b"v%d" % number)
        database.get_field(b"hash", field)
    trial.next_unit()
    for length in LENGTHS:
        database.set_field(b"hash", b"key", b"x" * length)
        database.set_field(b"hash", b"k" * 9000, b"x" * length)
        database.get_field(b"hash", b"k" * 9000)
    database.set_field(b"hash", b"key", b"x" * LENGTHS[-1])
    database.remove_field(b"hash", b"not there")
    database.find(b"hash")
    trial.next_unit()
    for field in KEYS:
        database.remove_field(b"hash", field)
        database.remove_field(b"hash", field)
    for number in range(1000):
        database.set_field(b"hash", b"%d" % number, b"%d" % number)


@rule
def two_values_do_not_mix(trial: Trial) -> None:
    """Values of different keys and databases share nothing, and neither do a removed value
    and one that takes its key."""
    database = trial.databases[0]
    for target, key in ((0, b"a"), (0, b"b"), (1, b"a")):
        trial.databases[target].create(key, HASH)
    for number in range(40):
        for target, key in ((0, b"a"), (0, b"b"), (1, b"a")):
            value = b"%d %d %s" % (number, target, key)
            trial.databases[target].set_field(key, b"field %d" % number, value)
    database.unlink(b"a")
    database.create(b"a", HASH)
    database.get_field(b"a", b"field 1")
    database.create(b"b", HASH)
    trial.next_unit()
    trial.reclaim()


@rule
def unlink_removes_a_key(trial: Trial) -> None:
    """unlink() removes a key with its deadline, whatever its value, and says whether it was
    there; afterwards nothing finds it."""
    database = trial.databases[0]
    for round_ in range(2):
        database.put(b"short", b"v", NOW)
        database.put(b"long", b"v" * 50_000)
        database.put(b"k" * 2000, b"v", NOW)
        database.create(b"hash", HASH)
        for number in range(100):
            database.set_field(b"hash", b"%d" % number, b"v")
        database.expire(b"hash", NOW)
        for key in (b"short", b"long", b"hash", b"k" * 2000):
            if round_:
                trial.next_unit()
            database.unlink(key)
            database.unlink(key)
            database.find(key)
        trial.expect("due()", [], database.due(NOW + 10_000, 100))
        trial.expect("scan(0, 100)", (0, []), database.scan(0, 100))
        trial.expect("sample(1)", None, database.sample(1))


@rule
def a_deadline_is_set_and_removed(trial: Trial) -> None:
    """expire() sets, changes and removes the deadline of a value of any kind and nothing
    else; volatile() counts the keys that have one."""
    database = trial.databases[0]
    database.put(b"short", b"v")
    database.put(b"long", b"v" * 50_000)
    database.put(b"k" * 2000, b"v")
    database.create(b"text", STRING)
    database.create(b"hash", HASH)
    database.set_field(b"hash", b"field", b"value")
    for deadline in (NOW, NOW + 1, NOW + 1, 0, NO_EXPIRE, NO_EXPIRE, 2**52, NOW):
        for key in list(database.model):
            database.expire(key, deadline)
        database.verify()
        trial.next_unit()
    database.set_field(b"hash", b"field", b"other")
    database.write(b"text", 5, b"text")


@rule
def move_keeps_value_and_deadline(trial: Trial) -> None:
    """move() takes value and deadline along, inside a database and between two, and replaces
    what was under the new key; the old key is gone."""
    source, target = trial.databases[:2]
    for destination in (source, target):
        source.put(b"short", b"v", NOW)
        source.put(b"long", b"v" * 50_000, NOW + 1)
        source.create(b"hash", HASH)
        for number in range(50):
            source.set_field(b"hash", b"%d" % number, b"v")
        source.expire(b"hash", NOW + 2)
        source.create(b"text", STRING)
        source.write(b"text", 9_000, b"text")
        destination.put(b"new hash", b"in the way", NOW + 3)
        destination.create(b"n" * 600, HASH)
        destination.set_field(b"n" * 600, b"in", b"the way")
        trial.next_unit()
        for key, new_key in (
            (b"short", b"n" * 600),
            (b"long", b"new long"),
            (b"hash", b"new hash"),
            (b"text", b"new text"),
        ):
            source.move(key, destination, new_key)
            source.find(key)
            destination.find(new_key)
        destination.set_field(b"new hash", b"1", b"changed")
        destination.write(b"new text", 2, b"changed")
        destination.move(b"n" * 600, source, b"short again")
        trial.verify()
        trial.next_unit()
    trial.reclaim()


@rule
def copy_shares_nothing(trial: Trial) -> None:
    """copy() copies value and deadline, inside a database and between two, and replaces what
    was under the new key; a change to one of them leaves the other alone."""
    source, target = trial.databases[:2]
    source.put(b"short", b"v", NOW)
    source.put(b"long", b"v" * 50_000)
    source.create(b"hash", HASH)
    for number in range(600):
        source.set_field(b"hash", b"%d" % number, b"v")
    source.expire(b"hash", NOW + 2)
    source.create(b"text", STRING)
    source.write(b"text", 9_000, b"text")
    for destination in (source, target):
        destination.create(b"copy of short", HASH)
        destination.set_field(b"copy of short", b"in", b"the way")
        for key in (b"short", b"long", b"hash", b"text"):
            source.copy(key, destination, b"copy of " + key)
        trial.verify()
        trial.next_unit()
        destination.set_field(b"copy of hash", b"1", b"changed")
        source.set_field(b"hash", b"2", b"changed")
        destination.write(b"copy of text", 9_001, b"changed")
        source.write(b"text", 1, b"changed")
        destination.expire(b"copy of hash", NO_EXPIRE)
        source.put(b"long", b"changed")
        source.put(b"long", b"v" * 50_000)
        trial.verify()
    source.unlink(b"hash")
    source.unlink(b"long")
    trial.next_unit()
    trial.reclaim()


@rule
def the_access_clock_is_kept(trial: Trial) -> None:
    """Where keeps_access is set, the access clock of an entry is there when the key is found
    again, and goes along with move()."""
    database = trial.databases[0]
    database.put(b"key", b"v")
    entry = database.find(b"key")
    if not trial.backend.keeps_access or entry is None:
        return
    entry.access = 12345
    database.put(b"other", b"v")
    for key in (b"key", b"moved"):
        entry = database.find(key)
        access = None if entry is None else int(entry.access)
        trial.expect(f"the access clock of {key!r}", 12345, access)
        if key == b"key":
            database.move(b"key", trial.databases[1], b"moved")
            database = trial.databases[1]


CHECKS = (
    a_new_backend_is_empty,
    a_string_that_was_put_is_found,
    put_replaces_value_and_deadline,
    create_makes_an_empty_value,
    a_key_has_one_value_object,
    a_string_value_is_edited_in_place,
    a_hash_value_is_edited_in_place,
    two_values_do_not_mix,
    unlink_removes_a_key,
    a_deadline_is_set_and_removed,
    move_keeps_value_and_deadline,
    copy_shares_nothing,
    the_access_clock_is_kept,
)
