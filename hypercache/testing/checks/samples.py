"""Values of every type, large and small, for the rules that concern all of them."""

from typing import Final

from hypercache.backend import HASH, NO_EXPIRE, STRING
from hypercache.streams import MAX_ID, MIN_ID
from hypercache.testing.checks.rules import NOW
from hypercache.testing.checks.streams import make_id
from hypercache.testing.database_trial import DatabaseTrial
from hypercache.testing.lists import ListTrial
from hypercache.testing.sets import SetTrial
from hypercache.testing.streams import GroupTrial, StreamTrial
from hypercache.testing.zsets import ZSetTrial

#: A key of each type, with a value of some hundred elements.
LARGE: Final = (b"long", b"text", b"hash", b"list", b"set", b"zset", b"stream")


def fill(database: DatabaseTrial, elements: int = 200) -> None:
    """Strings with and without deadlines, and of each other type a large and a small value."""
    for number in range(30):
        deadline = NOW + number if number % 2 else NO_EXPIRE
        database.put(b"key %d" % number, b"v" * number, deadline)
    database.put(b"k" * 1000, b"v", NOW)
    database.put(b"long", b"l" * 100 * elements, NOW)
    database.create(b"text", STRING)
    database.write(b"text", 50 * elements, b"text")
    for prefix, count in ((b"", elements), (b"small ", 3)):
        _fill_collections(database, prefix, count)
    database.expire(b"zset", NOW + 7)


def _fill_collections(database: DatabaseTrial, prefix: bytes, count: int) -> None:
    hash_ = prefix + b"hash"
    database.create(hash_, HASH)
    list_ = ListTrial.create(database, prefix + b"list")
    set_ = SetTrial.create(database, prefix + b"set")
    zset = ZSetTrial.create(database, prefix + b"zset")
    stream = StreamTrial.create(database, prefix + b"stream")
    group = stream.create_group(b"group", MIN_ID, 0)
    group.set_consumer(b"consumer", NOW, NOW)
    for number in range(count):
        database.set_field(hash_, b"field %d" % number, b"v" * 60)
        list_.push_right(b"element %d of a list" % number)
        set_.add(b"member %d of a set" % number)
        zset.set(b"member %d" % number, float(number // 3))
        stream.append(make_id(1 + number), [b"name", b"value %d" % number])
        if number < 5:
            group.set_pending(make_id(1 + number), b"consumer", NOW, 1)
    database.set_field_deadline(hash_, b"field 1", NOW + 9)


def change(database: DatabaseTrial) -> None:
    """Change a few elements of each large value."""
    database.put(b"key 1", b"changed")
    database.expire(b"key 2", NOW)
    database.write(b"text", 10, b"changed")
    database.set_field(b"hash", b"field 2", b"changed")
    database.remove_field(b"hash", b"field 1")
    elements = ListTrial(database, b"list")
    elements.pop_left()
    elements.set(7, b"changed")
    members = SetTrial(database, b"set")
    members.remove(b"member 3 of a set")
    members.add(b"changed")
    scores = ZSetTrial(database, b"zset")
    scores.set(b"member 9", -1.0)
    scores.remove_range(20, 30)
    stream = StreamTrial(database, b"stream")
    stream.remove(make_id(1))
    stream.append(make_id(10**9), [b"changed", b""])
    group = GroupTrial(stream, b"group")
    group.remove_pending(make_id(2))
    group.set_position(make_id(7), 7)


def read(database: DatabaseTrial) -> None:
    """Read parts of each large value in all ways that there are, and compare."""
    database.find(b"long")
    database.read(b"text", 9, 500)
    for field in (b"field 1", b"field 2", b"none"):
        database.get_field(b"hash", field)
    fields = database.hash(b"hash")
    database.trial.require(fields.sample(5)[0] in dict(fields.items()), "a field", "another")
    elements = ListTrial(database, b"list")
    elements.get(7)
    length = len(elements.model)
    elements.range(length // 3, length // 2)
    elements.find(b"element 15 of a list", 0, 1, length, False)
    members = SetTrial(database, b"set")
    members.contains(b"member 3 of a set")
    members.sample(12345)
    members.scan(0, 10)
    scores = ZSetTrial(database, b"zset")
    for member in (b"member 9", b"member 25", b"none"):
        scores.score(member)
        scores.rank(member)
    scores.rank_of_score(17.0, True)
    stream = StreamTrial(database, b"stream")
    stream.check_ends()
    stream.get(make_id(1))
    stream.range(make_id(20), MAX_ID, 9, True)
    group = GroupTrial(stream, b"group")
    group.check()
    group.pending_range(MIN_ID, MAX_ID, 10, b"consumer")


def scan_all(database: DatabaseTrial) -> None:
    """A full scan, and samples."""
    seen: set[bytes] = set()
    cursor, steps = 0, 0
    while cursor != 0 or steps == 0:
        cursor, keys = database.scan(cursor, 10)
        seen.update(keys)
        steps += 1
        database.trial.require(steps < 1000, "a scan that ends", f"none within {steps} steps")
    database.trial.expect("what a full scan returns", set(database.model), seen)
    for pick in (0, 2**40 + 12345, 2**62 - 1):
        database.sample(pick)
