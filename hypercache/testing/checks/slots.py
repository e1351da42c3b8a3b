"""Rules about what eviction asks of a store: keys with a deadline, and the slots of all keys."""

from hypercache.backend import NO_EXPIRE, Database, SlotFollower
from hypercache.testing.checks.rules import NOW, rule
from hypercache.testing.database_trial import DatabaseTrial
from hypercache.testing.trial import Trial


class _Slots(SlotFollower):
    """Knows the key of each slot from what it is told, as an eviction policy does."""

    def __init__(self, trial: Trial, database: DatabaseTrial) -> None:
        self.trial = trial
        self.database = database
        self.keys: list[bytes | None] = []

    def moved(self, source: int, target: int) -> None:
        self.trial.require(
            max(source, target) < len(self.keys), "slots below the number of keys", (source, target)
        )
        self.keys[target], self.keys[source] = self.keys[source], None

    def put(self, key: bytes) -> None:
        """Store a key; a new one has the last slot."""
        is_new = key not in self.database.model
        self.database.put(key, b"value")
        if is_new:
            self.keys.append(key)

    def unlink(self, key: bytes) -> None:
        """Remove a key whose slot is known."""
        self.keys[self.keys.index(key)] = None
        self.database.unlink(key)
        self.shrink()

    def shrink(self) -> None:
        """One key has gone: the last slot is free."""
        self.trial.expect("the key of the last slot", None, self.keys.pop())

    def check(self) -> None:
        """What was told is what there is."""
        store = self.database.database
        for slot, key in enumerate(self.keys):
            if key is None:
                self.trial.fail("a key", f"None in slot {slot}")
            self.trial.expect(f"key_at({slot})", key, store.key_at(slot))
            entry = store.find(key)
            self.trial.expect(f"the slot of {key!r}", slot, -1 if entry is None else entry.slot)
        self.trial.expect("the number of slots", store.size(), len(self.keys))


def _sample(trial: Trial, store: Database) -> bytes | None:
    pick = trial.random.randrange(2**62)
    return trial.call(f"sample_volatile({pick})", lambda: store.sample_volatile(pick))


@rule
def volatile_samples_have_a_deadline(trial: Trial) -> None:
    """sample_volatile() picks present keys with a deadline only, also where few have one; None
    where none has, and not always the same one."""
    database = trial.databases[0]
    store = database.database
    for number in range(200):
        database.put(b"key %d" % number, b"v")
    trial.expect("sample_volatile()", None, _sample(trial, store))
    for count in (3, 190):
        volatile = sorted(database.model)[:count]
        for turn, key in enumerate(volatile):
            database.expire(key, NOW + 1000 * turn)
        found: set[bytes | None] = set()
        for _ in range(300):
            found.add(_sample(trial, store))
        wrong = found - set(volatile)
        trial.require(not wrong, "keys with a deadline", wrong)
        trial.require(count < 100 or len(found) > 20, "more than 20 keys", found)
    for key in sorted(database.model):
        database.expire(key, NO_EXPIRE)
    trial.expect("sample_volatile()", None, _sample(trial, store))


@rule
def slots_are_dense_and_followed(trial: Trial) -> None:
    """Where follow_slots() is True, a follower that is told of every move knows each key's slot,
    also while a walk is under way."""
    database, other = trial.databases[:2]
    slots = _Slots(trial, database)
    if not database.database.follow_slots(slots):
        return
    for number in range(60):
        slots.put(b"key %d" % number)
    slots.check()
    walk = database.database.walk()
    handed = walk.next(20)
    for turn in range(200):
        key = b"key %d" % trial.random.randrange(90)
        if turn == 120:
            walk.next(20)
        if key not in database.model:
            slots.put(key)
        elif turn % 2:
            walk.claim(key)
            slots.unlink(key)
        else:
            slots.put(key)
        if turn == 160:
            walk.close()
        slots.check()
    trial.require(bool(handed), "keys of the walk", handed)
    moving = sorted(database.model)[0]
    slots.keys[slots.keys.index(moving)] = None
    database.move(moving, other, b"moved")
    slots.shrink()
    slots.check()
    database.database.follow_slots(None)
    database.unlink(sorted(database.model)[0])


CHECKS = (volatile_samples_have_a_deadline, slots_are_dense_and_followed)
