"""What a sampling policy has seen of keys, in the place of the keys themselves.

To look at a key that is not in the processor's cache takes longest of all, and most of the keys
that are sampled stay. Where keys have dense slots, what `Entry.access` of each was is noted in an
array, and sampled there. Uses only make a key less urgent, so a note says how urgent it is at
most: only the best is looked at, and if it was used since, it takes the place that it deserves.

Where several are to go, those that the notes call most urgent are taken on the way through the
slots: a few at random say what is urgent enough. Keys that came one after another lie near to
each other in memory, so this is much quicker than to jump from one to another; and it goes
through more notes than are sampled otherwise, so that the choice is no worse.
"""

from typing import Final

from librt.vecs import append, vec
from mypy_extensions import i32, i64

from hypercache.backend import Database, Entry, SlotFollower
from hypercache.keyspace.eviction import Place
from hypercache.policies.sampling import POOL, SamplingPolicy, next_random

# Beyond all slots.
_NO_SLOT: Final[i64] = 1 << 40
# Victims that are looked for together: at least, at most, and one in so many keys.
_LEAST: Final[i64] = 4
_MOST: Final[i64] = 16
_SHARE: Final[i64] = 64
# Notes that say what is urgent, how many of them are renewed each time, and of how many times
# ``samples`` notes one is to be urgent enough.
_SURVEY: Final[i64] = 64
_RENEWED: Final[i64] = 16
_CHOOSY: Final[i64] = 3
# For each victim, the notes that are passed and the keys that are looked at, at most.
_STEPS: Final[i64] = 256
_LOOKS: Final[i64] = 4
# Bits of a random number that choose a slot: times the number of slots it is less than 2**62.
_CHOICE: Final[i64] = 31


class Notes(SlotFollower):
    """By slot, `Entry.access` of each key as it is, or as it was before later uses.

    A new key was used later than any other, so what a slot had before may stay.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.words: vec[i32] = vec[i32]()
        # Slots from here on were given to keys that came since `note_new`, with ``_arrived``.
        self._fresh: i64 = 0
        self._arrived: i64 = 0

    def note_new(self, size: i64, word: i64) -> None:
        """A key that comes from now on has this word; those that have come, that of last time."""
        if len(self.words) < size:
            self.grow(size)
        words = self.words
        slot = self._fresh
        while slot < size:
            words[slot] = i32(self._arrived)
            slot += 1
        self._fresh = size
        self._arrived = word

    def set(self, slot: i64, word: i64) -> None:
        """A key has been looked at, or has come with another word than new keys have."""
        if 0 <= slot < len(self.words):
            self.words[slot] = i32(word)

    def distrust(self) -> None:
        """What is noted of keys that are new is not to be relied on."""
        self._fresh = _NO_SLOT

    def clear(self) -> None:
        """No key is known."""
        self.words = vec[i32]()
        self._fresh = _NO_SLOT

    def grow(self, size: i64) -> None:
        """There are so many slots."""
        words = self.words
        while len(words) < size:
            words = append(words, i32(0))
        self.words = words

    def moved(self, source: i64, target: i64) -> None:
        words = self.words
        if source < len(words):
            words[target] = words[source]
        # The last slot becomes free; others move while all keys are walked.
        if source < self._fresh < _NO_SLOT and source == self._database.size() - 1:
            self._fresh = source


class NotingPolicy(SamplingPolicy):
    """A sampling policy whose urgency follows from `Entry.access` alone, and falls with uses."""

    def __init__(self, place: Place, volatile: bool) -> None:
        super().__init__(place)
        self.volatile = volatile
        self.notes = Notes(place.database)
        self._dense = not volatile and place.database.follow_slots(self.notes)
        # The candidates, the most urgent last, and how urgent they are at most.
        self._slots = zeros(POOL)
        self._count: i64 = 0
        # Notes of slots at random, and the one that is renewed next; where the way went on.
        self._survey = zeros(_SURVEY)
        self._surveyed: i64 = 0
        self._best = zeros(_SURVEY)
        self._hand: i64 = 0
        # Those that are to go next.
        self._ready: list[bytes] = []

    def rank(self, word: i64) -> i64:
        """How urgent a key is with this word in `Entry.access`."""
        raise NotImplementedError

    def noted(self, word: i64) -> i64:
        """What to note of a key with this word, and of a new one: nothing from another policy."""
        raise NotImplementedError

    def newest(self) -> i64:
        """The word of a key that comes now."""
        raise NotImplementedError

    def urgency(self, entry: Entry) -> i64:
        return self.rank(i64(entry.access))

    def victim(self) -> bytes | None:
        if not self._dense:
            return super().victim()
        database = self.place.database
        while self._ready:
            key = self._ready.pop()
            if database.find(key) is not None:  # else it has gone by itself
                return key
        size: i64 = database.size()
        self.notes.note_new(size, self.newest())
        tries = 2
        while tries > 0 and size > 0:
            tries -= 1
            self._sample_notes(size)
            while self._count > 0:
                self._count -= 1
                slot = self._slots[self._count]
                if slot < size:  # else it has moved
                    key = database.key_at(slot)
                    if self._is_best(slot, database.find(key)):
                        return key
        return None

    def expect(self, count: i64) -> None:
        ready = self._ready
        ready.clear()
        database = self.place.database
        size: i64 = database.size()
        if not self._dense or count < _LEAST or count * _SHARE > size:
            return
        notes = self.notes
        notes.note_new(size, self.newest())
        enough = self._urgent_enough(size)
        count = count if count < _MOST else _MOST
        steps = count * _STEPS if count * _STEPS < size else size
        looks = count * _LOOKS
        words = notes.words
        slot: i64 = self._hand if self._hand < size else 0
        while count > 0 and steps > 0 and looks > 0:
            if self.rank(i64(words[slot])) >= enough:
                looks -= 1
                key = database.key_at(slot)
                entry = database.find(key)
                if entry is not None:
                    notes.set(slot, self.noted(i64(entry.access)))
                    if self.urgency(entry) >= enough:
                        ready.append(key)
                        count -= 1
            steps -= 1
            slot += 1
            if slot == size:
                slot = 0
        self._hand = slot

    def _urgent_enough(self, size: i64) -> i64:
        """How urgent one in so many keys is, or more, by the notes of some."""
        survey = self._survey
        words = self.notes.words
        random = self._random
        stop = self._surveyed + (_RENEWED if self._surveyed >= _SURVEY else _SURVEY)
        while self._surveyed < stop:
            random = next_random(random)
            slot = (random >> _CHOICE) * size >> _CHOICE
            survey[self._surveyed % _SURVEY] = i64(words[slot])
            self._surveyed += 1
        self._random = random
        # The best of them so far, in order: as many as there are to be among all.
        best = self._best
        wanted = _SURVEY // (self.place.samples * _CHOOSY) + 1
        found: i64 = 0
        turn: i64 = 0
        while turn < _SURVEY:
            rank = self.rank(survey[turn])
            turn += 1
            if found < wanted:
                found += 1
            elif rank <= best[wanted - 1]:
                continue
            at = found - 1
            while at > 0 and best[at - 1] < rank:
                best[at] = best[at - 1]
                at -= 1
            best[at] = rank
        return best[wanted - 1]

    def _is_best(self, slot: i64, entry: Entry | None) -> bool:
        """Look at a candidate: whether none of the others is more urgent; else it is one again."""
        if entry is None:
            return False
        urgency = self.urgency(entry)
        self.notes.set(slot, self.noted(i64(entry.access)))
        if self._count == 0 or urgency >= self._urgencies[self._count - 1]:
            return True
        self._propose(slot, urgency)
        return False

    def _sample_notes(self, size: i64) -> None:
        """Look at the notes of a few more keys."""
        words = self.notes.words
        random = self._random
        turn: i64 = self.place.samples
        while turn > 0:
            turn -= 1
            random = next_random(random)
            slot = (random >> _CHOICE) * size >> _CHOICE
            self._propose(slot, self.rank(i64(words[slot])))
        self._random = random

    def _propose(self, slot: i64, urgency: i64) -> None:
        """Put a slot among the candidates, once, unless all of many are better."""
        urgencies = self._urgencies
        slots = self._slots
        count = self._count
        at: i64 = 0
        while at < count and urgencies[at] < urgency:
            at += 1
        if at == 0 and count == POOL:
            return
        equal = at
        while equal < count and urgencies[equal] == urgency:
            if slots[equal] == slot:
                return
            equal += 1
        if count < POOL:
            self._count = count + 1
            step = count
            while step > at:
                urgencies[step] = urgencies[step - 1]
                slots[step] = slots[step - 1]
                step -= 1
        else:
            at -= 1
            step = 0
            while step < at:
                urgencies[step] = urgencies[step + 1]
                slots[step] = slots[step + 1]
                step += 1
        urgencies[at] = urgency
        slots[at] = slot

    def note(self, entry: Entry) -> None:
        """A key has come that was used less than others that are as new."""
        if self._dense:
            self.notes.set(i64(entry.slot), self.noted(i64(entry.access)))
            self.notes.distrust()

    def cleared(self) -> None:
        super().cleared()
        self._count = 0
        self._ready.clear()
        self._surveyed = 0
        self.notes.clear()

    def memory(self) -> i64:
        return len(self.notes.words) * 4


def zeros(count: i64) -> vec[i64]:
    """So many numbers, all 0."""
    numbers: vec[i64] = vec[i64]()
    while len(numbers) < count:
        numbers = append(numbers, i64(0))
    return numbers
