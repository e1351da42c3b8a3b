"""Rules about sets."""

from typing import Final

from hypercache.backend import SET, SetValue
from hypercache.testing.checks.rules import rule
from hypercache.testing.costs import costs_hardly_grow
from hypercache.testing.sets import SetTrial
from hypercache.testing.trial import Trial

#: Members that trouble stores, among them such as look alike and such as are parts of others.
MEMBERS: Final = (
    b"",
    b"\x00",
    b"\x00\x00",
    b"\x01a",
    b"a",
    b"A",
    b"aa",
    b"1",
    b"01",
    b"-1",
    b"\xff\r\n",
    *(b"m" * size for size in (63, 64, 65, 127, 128, 511, 512, 5_000)),
)
#: Members of a large set; steps that a full scan may take beyond their number.
MANY: Final = 600
SCAN_SLACK: Final = 1_000


@rule
def a_set_holds_each_member_once(trial: Trial) -> None:
    """A SetValue adds, removes, finds and lists members of any bytes, says what is new and what
    was there, counts real changes only, and may be emptied and filled again."""
    database = trial.databases[0]
    members = SetTrial.create(database, b"set")
    members.remove(b"nothing")
    for _ in range(2):
        for member in MEMBERS:
            members.contains(member)
            members.add(member)
            members.contains(member)
    database.find(b"set")
    trial.next_unit()
    for _ in range(2):
        for member in MEMBERS[::2]:
            members.remove(member)
        for member in MEMBERS:
            members.contains(member)
    for number in range(MANY):
        members.add(b"%d" % number)
        members.add(b"%d" % (number // 2))
    database.find(b"set")
    trial.next_unit()
    for number in range(0, MANY, 3):
        members.remove(b"%d" % number)
        members.contains(b"%d" % (number + 1))
    database.find(b"set")
    for member in sorted(members.model):
        members.remove(member)
    trial.next_unit()
    members.add(b"again")


@rule
def a_scan_misses_no_member_that_stays(trial: Trial) -> None:
    """A full iteration of scan() over a set ends and returns every member that was there from
    its start to its end, whatever comes and goes meanwhile, and whatever the count."""
    for size, count in ((3, 1), (120, 5), (MANY, 7), (MANY, 1_000)):
        members = SetTrial.create(trial.databases[0], b"set")
        for number in range(size):
            members.add(b"member %d" % number)
        trial.next_unit()
        stayed, seen = set(members.model), set()
        cursor, steps = members.scan(0, count), 0
        seen.update(cursor[1])
        while cursor[0] != 0:
            trial.require(steps < SCAN_SLACK + size, "a scan that ends", f"none in {steps} steps")
            if len(stayed) > size // 2:
                gone = trial.random.choice(sorted(stayed))
                stayed.discard(gone)
                members.remove(gone)
            members.add(b"new %d" % steps)
            cursor = members.scan(cursor[0], count)
            seen.update(cursor[1])
            steps += 1
        missed = sorted(stayed - seen)
        trial.require(not missed, "every member that stayed is seen", f"not seen: {missed}")
        for strange in (1, 2**31, 2**48, 2**64 - 1):
            for _ in range(SCAN_SLACK + size):
                strange, _found = members.scan(strange, 10)
                if strange == 0:
                    break
            trial.require(strange == 0, "cursor 0 in the end, from any cursor", strange)


@rule
def sample_reaches_members(trial: Trial) -> None:
    """sample() picks a member by a random number: each of a handful comes up, among many most
    do, and none far more often than its share, also after most have been removed."""
    members = SetTrial.create(trial.databases[0], b"set")
    for size, reached in ((1, 1.0), (5, 1.0), (300, 0.9), (5, 1.0)):
        while len(members.model) < size:
            members.add(b"member %d" % len(members.model))
        while len(members.model) > size:
            members.remove(members.sample(trial.random.randrange(2**62)))
        times = dict.fromkeys(members.model, 0)
        for _ in range(20 * size):
            times[members.sample(trial.random.randrange(2**62))] += 1
        found = sum(count > 0 for count in times.values())
        trial.require(found >= reached * size, f"at least {reached:.0%} of {size} members", found)
        if size > 1:
            most = max(times, key=lambda member: times[member])
            trial.require(times[most] <= 20 * 8, "none 8 times its share", f"{most!r}: {times}")
    for pick in (0, 2**62 - 1):
        members.sample(pick)


@rule
def sets_do_not_mix(trial: Trial) -> None:
    """Sets under different keys, copies, and sets that take the key of a removed one share
    nothing; a unit that is undone leaves a set as it was."""
    first, second = trial.databases[:2]
    places = ((first, b"a", 5), (first, b"b", 200), (second, b"a", 200))
    sets = [SetTrial.create(database, key) for database, key, _ in places]
    for (_, key, size), members in zip(places, sets, strict=True):
        for number in range(size):
            members.add(b"%d in %s" % (number, key))
    trial.next_unit()
    for key in (b"a", b"b"):
        first.copy(key, second, b"copy of " + key)
    first.move(b"b", second, b"moved")
    copies = [SetTrial(second, key) for key in (b"copy of a", b"copy of b", b"moved")]
    for members in (*copies, sets[0]):
        members.add(b"new in " + members.key)
        members.remove(min(members.model))
    trial.verify()
    trial.next_unit()
    if trial.units:
        for members in copies:
            members.add(b"undone")
            members.remove(max(members.model))
        first.unlink(b"a")
        trial.undo_unit()
        trial.verify()
    first.unlink(b"a")
    again = SetTrial.create(first, b"a")
    again.contains(b"1 in a")
    again.add(b"new")
    trial.next_unit()
    trial.reclaim()
    trial.verify()


@rule
def sets_tell_their_encoding(trial: Trial) -> None:
    """A set is an "intset" while it has few members, all of them 64-bit integers as they are
    usually written, a "listpack" while it has few short ones, else a "hashtable"; the limits
    say what is few and short, and a set never goes back."""
    database = trial.databases[0]
    limits = trial.backend.limits
    for members, encoding in (
        ([b"%d" % number for number in range(limits.set_integers)], "intset"),
        ([b"%d" % number for number in range(limits.set_integers + 1)], "hashtable"),
        ([b"-9223372036854775808", b"9223372036854775807", b"0"], "intset"),
        *(([b"7", word], "listpack") for word in (b"-0", b"01", b"+1", b" 1", b"1.0", b"", b"x")),
        ([b"9223372036854775808"], "listpack"),
        ([b"x%d" % number for number in range(limits.set_entries)], "listpack"),
        ([b"x%d" % number for number in range(limits.set_entries + 1)], "hashtable"),
        ([b"%d" % number for number in range(limits.set_entries)] + [b"x"], "hashtable"),
        ([b"x" * limits.set_value], "listpack"),
        ([b"x" * (limits.set_value + 1)], "hashtable"),
        ([b"7", b"x" * (limits.set_value + 1)], "hashtable"),
    ):
        value = SetTrial.create(database, b"set")
        for member in members:
            value.add(member)
        value.encoding(encoding)
        database.copy(b"set", trial.databases[1], b"copied")
        SetTrial(trial.databases[1], b"copied").encoding(encoding)
        for member in members[1:]:
            value.remove(member)
        value.encoding(encoding)


@rule
def large_sets_are_as_quick_as_small_ones(trial: Trial) -> None:
    """add(), remove(), contains(), sample() and memory() take the same time whether a set has
    two hundred members or ten thousand."""
    costs_hardly_grow(trial, SET, (200, 10_000), _fill, {"changes and looks": _call})


def _fill(value: SetValue, size: int) -> None:
    for number in range(size):
        value.add(b"member %d" % number)


def _call(value: SetValue) -> None:
    value.add(b"another")
    value.contains(b"nobody")
    for part in range(4):
        value.sample(part * 2**58)
    value.memory()
    value.remove(b"another")


CHECKS = (
    a_set_holds_each_member_once,
    a_scan_misses_no_member_that_stays,
    sample_reaches_members,
    sets_do_not_mix,
    sets_tell_their_encoding,
    large_sets_are_as_quick_as_small_ones,
)
