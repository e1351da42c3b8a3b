"""Rules about streams and their consumer groups."""

from collections.abc import Callable
from typing import Final

from hypercache.backend import STREAM, StreamValue
from hypercache.streams import MAX_ID, MIN_ID, UNKNOWN, Pending
from hypercache.testing.checks.rules import NOW, rule
from hypercache.testing.costs import costs_hardly_grow
from hypercache.testing.streams import GroupTrial, StreamTrial
from hypercache.testing.trial import Trial

#: Fields and values around the limits of what stores pack, share or keep elsewhere.
ENTRIES: Final = (
    [b"n", b"1"],
    [b"n", b""],
    [b"", b"\x00\xff\r\n"],
    [b"n", b"2", b"m", b"3"],
    [b"n", b"4", b"n", b"5"],
    [b"m", b"6", b"n", b"7"],
    *([b"n", b"v" * size] for size in (63, 64, 127, 128, 4_096)),
    [b"f" * 128, b"v"],
    [b"n", b"v" * 70_000],
)
#: Enough entries for whatever a store keeps together to be split several times.
MANY: Final = 700


def make_id(time_: int, sequence: int = 0) -> bytes:
    """An id of two numbers."""
    return time_.to_bytes(8, "big") + sequence.to_bytes(8, "big")


def _fill(stream: StreamTrial, count: int) -> None:
    """Append entries with ids (1, 0), (1, 2), (2, 0), ... behind those that are there."""
    start = stream.model.added
    for number in range(start, start + count):
        fields = ENTRIES[number % 7] if number % 50 else ENTRIES[-(1 + number // 50 % 3)]
        stream.append(make_id(1 + number // 2, number % 2 * 2), fields)


@rule
def a_stream_keeps_its_entries(trial: Trial) -> None:
    """A StreamValue keeps entries of any fields in the order of their ids, which are numbers
    without sign, gives each of them back, counts what was ever added, and stays when empty."""
    database = trial.databases[0]
    stream = StreamTrial.create(database, b"stream")
    stream.check_ends()
    large = (make_id(1 << 62), make_id(1 << 63), make_id((1 << 64) - 1, 1), MAX_ID)
    ids = [make_id(0, 1), *(make_id(1 + n // 3, n % 3 * n) for n in range(len(ENTRIES) * 3))]
    for number, entry_id in enumerate([*ids, *large]):
        stream.append(entry_id, ENTRIES[number % len(ENTRIES)])
        stream.check_ends()
    for entry_id in [*ids, *large]:
        stream.get(entry_id)
        stream.get(make_id(int.from_bytes(entry_id[:8], "big"), 1 << 63))
    trial.next_unit()
    database.find(b"stream")
    stream.remove_first(len(ids) + len(large))
    stream.check_ends()
    database.find(b"stream")
    trial.next_unit()
    database.find(b"stream")


@rule
def streams_are_read_between_ids(trial: Trial) -> None:
    """range() answers the entries between two ids, both included and neither needed to be there,
    from either end, as many as asked for at most."""
    stream = StreamTrial.create(trial.databases[0], b"stream")
    stream.range(MIN_ID, MAX_ID, 10)
    _fill(stream, MANY)
    trial.next_unit()
    ids = list(stream.model.entries)
    places = (0, 1, 2, 49, 99, 100, 101, 127, 128, MANY // 2, MANY - 2, MANY - 1)
    between = [make_id(1, 1), make_id(101, 1), make_id(MANY, 0), MIN_ID, MAX_ID]
    bounds = [ids[place] for place in places] + between
    for start in bounds:
        for stop in trial.random.sample(bounds, 4):
            for reverse in (False, True):
                stream.range(start, stop, trial.random.choice((1, 2, 99, 1 << 40)), reverse)


@rule
def entries_of_streams_are_removed(trial: Trial) -> None:
    """remove() takes one entry out and remembers the highest id that it ever removed;
    remove_first() and remove_below() trim without remembering; what is left stays as it was."""
    database = trial.databases[0]
    stream = StreamTrial.create(database, b"stream")
    stream.remove(make_id(1))
    stream.remove_below(MAX_ID)
    for round_ in range(3):
        _fill(stream, MANY // 2)
        trial.next_unit()
        stream.remove(make_id(999_999))
        while len(stream.model) > 30:
            ids = list(stream.model.entries)
            for entry_id in trial.random.sample(ids, 5):
                stream.remove(entry_id)
                stream.remove(entry_id)
            if round_:
                stream.remove_first(trial.random.randrange(30))
            else:
                for entry_id in ids[50:80]:
                    stream.remove(entry_id)
            place = min(round_ * 17, len(stream.model) - 1)
            stream.remove_below(list(stream.model.entries)[place])
            stream.check_ends()
        database.find(b"stream")
    stream.remove_below(make_id(7_777))
    stream.append(make_id(8_888), [b"n", b"v"])
    stream.check_ends()


@rule
def a_stream_keeps_its_state(trial: Trial) -> None:
    """set_state() sets last id, highest removed id and number of entries ever added, and leaves
    the entries alone; appending counts on from there."""
    database = trial.databases[0]
    stream = StreamTrial.create(database, b"stream")
    stream.set_state(make_id(5), make_id(4), 100)
    stream.append(make_id(5, 1), [b"n", b"v"])
    trial.next_unit()
    database.find(b"stream")
    stream.set_state(make_id(9), MIN_ID, 3)
    database.find(b"stream")
    stream.append(make_id(10), [b"n", b"v"])
    stream.remove(make_id(5, 1))
    stream.set_state(MAX_ID, make_id((1 << 64) - 1), (1 << 63) - 1)
    trial.next_unit()
    database.find(b"stream")


@rule
def groups_keep_their_position(trial: Trial) -> None:
    """Groups of any name are made, listed by name, found, moved to any position and removed with
    all they had; one that is made again under the name begins anew."""
    database = trial.databases[0]
    stream = StreamTrial.create(database, b"stream")
    stream.check_groups(b"", b"none")
    for name in (b"two", b"", b"one", b"\xff", b"t" * 300, b"two\x00"):
        group = stream.create_group(name, make_id(len(name)), UNKNOWN)
        group.set_position(make_id(7, len(name)), len(name))
        group.set_consumer(b"c", NOW, -1)
        group.set_pending(make_id(1), b"c", NOW, 1)
    stream.check_groups(b"t", b"tw", b"two\x00\x00")
    trial.next_unit()
    database.find(b"stream")
    stream.remove_group(b"two")
    stream.remove_group(b"two")
    stream.remove_group(b"none")
    stream.check_groups(b"two")
    database.find(b"stream")
    again = stream.create_group(b"two", MAX_ID, 0)
    again.check()
    again.set_position(MIN_ID, UNKNOWN)
    database.find(b"stream")


def _deliver(group: GroupTrial, count: int) -> None:
    """Let entries be pending, in an order of their own, for three consumers."""
    for number in range(count):
        place = number * 7 % count if number % 3 else number
        consumer = (b"a", b"b", b"b\x00")[number % 3]
        group.set_pending(make_id(1 + place // 2, place % 2), consumer, NOW + number, 1 + number)


@rule
def pending_entries_are_in_order(trial: Trial) -> None:
    """A group has each entry pending for one consumer at most: set_pending() adds it, or gives it
    to another. They are found by id, and listed in the order of ids, of all or of one consumer."""
    database = trial.databases[0]
    group = StreamTrial.create(database, b"stream").create_group(b"g", MIN_ID, 0)
    group.check()
    for name in (b"a", b"b", b"b\x00", b"idle"):
        group.set_consumer(name, NOW, -1)
    _deliver(group, MANY)
    group.check()
    trial.next_unit()
    ids = sorted(group.model.pending)
    for number in range(60):
        entry_id = trial.random.choice(ids)
        group.pending(entry_id)
        group.set_pending(entry_id, (b"a", b"idle")[number % 2], NOW - number, number)
        group.pending(entry_id)
        start, stop = trial.random.choice([MIN_ID, *ids]), trial.random.choice([MAX_ID, *ids])
        for consumer in (None, b"a", b"idle", b"none"):
            limit = trial.random.choice((1, 3, 1 << 40))
            group.pending_range(start, stop, limit, consumer)
    group.pending(make_id(999_999))
    for entry_id in trial.random.sample(ids, len(ids) - 10):
        group.remove_pending(entry_id)
    group.remove_pending(make_id(999_999))
    group.check()
    for entry_id in ids:
        group.remove_pending(entry_id)
    group.check()
    database.find(b"stream")


@rule
def consumers_come_and_go(trial: Trial) -> None:
    """set_consumer() makes a consumer or sets its times, which alone is no change;
    remove_consumer() removes it with what is pending for it, and for nobody else."""
    database = trial.databases[0]
    stream = StreamTrial.create(database, b"stream")
    groups = [stream.create_group(name, MIN_ID, 0) for name in (b"g", b"h")]
    for group in groups:
        for name in (b"b", b"a", b"", b"b\x00", b"n" * 300):
            group.set_consumer(name, NOW, -1)
            group.set_consumer(name, NOW + 5, NOW + 3)
        _deliver(group, 60)
        group.consumer(b"none")
    trial.next_unit()
    for name in (b"b", b"b", b"n" * 300, b"none"):
        groups[0].remove_consumer(name)
        groups[0].check()
    groups[0].set_consumer(b"b", NOW, -1)
    for group in groups:
        group.check()
        group.pending_range(MIN_ID, MAX_ID, 1 << 40, b"b")
    database.find(b"stream")


@rule
def streams_do_not_mix(trial: Trial) -> None:
    """Streams under different keys, copies, and streams that take the key of a removed one share
    nothing, groups included; a unit that is undone leaves a stream as it was."""
    first, second = trial.databases[:2]
    streams = [StreamTrial.create(*at) for at in ((first, b"a"), (first, b"b"), (second, b"a"))]
    for stream in streams:
        _fill(stream, 150)
        group = stream.create_group(b"g", make_id(9), 9)
        for name in (b"a", b"b", b"b\x00"):
            group.set_consumer(name, NOW, -1)
        _deliver(group, 40)
    trial.next_unit()
    first.copy(b"a", second, b"copied")
    first.move(b"b", second, b"moved")
    copied, moved = StreamTrial(second, b"copied"), StreamTrial(second, b"moved")
    for stream in (copied, moved, streams[0]):
        _change(stream)
    trial.verify()
    trial.next_unit()
    if trial.units:
        for stream in (copied, moved):
            _change(stream)
        first.unlink(b"a")
        trial.undo_unit()
        trial.verify()
    first.unlink(b"a")
    again = StreamTrial.create(first, b"a")
    again.check_groups(b"g")
    trial.next_unit()
    trial.reclaim()
    _fill(again, 20)
    trial.verify()


def _change(stream: StreamTrial) -> None:
    """Change something of everything."""
    ids = list(stream.model.entries)
    stream.remove(ids[60])
    stream.remove_first(3)
    stream.append(make_id(int.from_bytes(stream.model.last_id[:8], "big") + 1), [b"new", b"v"])
    group = GroupTrial(stream, b"g")
    group.set_position(ids[70], 70)
    group.set_pending(make_id(3), b"a", NOW - 1, 99)
    group.set_consumer(b"new", NOW, NOW)
    group.remove_consumer(b"b")
    stream.create_group(b"of %d" % len(stream.model.groups), MIN_ID, 0)


@rule
def long_streams_cost_no_more(trial: Trial) -> None:
    """Appending, reading and removing at either end, get() and memory() take no longer on a long
    stream than on a short one."""
    costs_hardly_grow(trial, STREAM, (200, 5_000), _prolong, _CALLS)


def _prolong(value: StreamValue, length: int) -> None:
    for number in range(length):
        value.append(make_id(1 + number), [b"n", b"%d" % number])


def _shift(value: StreamValue) -> None:
    last = int.from_bytes(value.last_id()[:8], "big")
    value.append(make_id(last + 1), [b"n", b"v"])
    value.remove_first(1)


def _look(value: StreamValue) -> None:
    value.get(value.last_id())
    value.get(value.first_id())


def _hold(value: StreamValue) -> None:
    group = value.group(b"g") or value.create_group(b"g", MIN_ID, 0)
    group.set_consumer(b"c", NOW, NOW)
    group.set_pending(Pending(value.last_id(), b"c", NOW, 1))


_CALLS: Final[dict[str, Callable[[StreamValue], object]]] = {
    "append() and remove_first(1)": _shift,
    "get() at the ends": _look,
    "range() at the first": lambda value: value.range(MIN_ID, MAX_ID, 3, False),
    "range() at the last": lambda value: value.range(MIN_ID, MAX_ID, 3, True),
    "memory()": lambda value: value.memory(),
    "set_pending()": _hold,
}


CHECKS = (
    a_stream_keeps_its_entries,
    streams_are_read_between_ids,
    entries_of_streams_are_removed,
    a_stream_keeps_its_state,
    groups_keep_their_position,
    pending_entries_are_in_order,
    consumers_come_and_go,
    streams_do_not_mix,
    long_streams_cost_no_more,
)
