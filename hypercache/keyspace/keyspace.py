"""One numbered database, with Redis' rules on top of what the backend stores.

`Keyspace.get` and `Keyspace.view` are the only doors through which a command reads a value,
`Keyspace.set`, `Keyspace.edit` and `Keyspace.make` the only ones through which it writes.
They own lazy expiry, WRONGTYPE, the before-change hook, the touched set and the removal of
emptied keys: a command cannot forget them.
"""

from typing import Final, cast

from mypy_extensions import i32, i64

from hypercache.backend import (
    HASH,
    NO_EXPIRE,
    STREAM,
    STRING,
    Database,
    Entry,
    HashValue,
    StringValue,
    Value,
)
from hypercache.keyspace.changes import (
    DEL,
    DELIVERED,
    EXPIRE,
    EXPIRED,
    FLUSH,
    NEW,
    PERSIST,
    Changes,
    Edit,
    Effect,
    Event,
    Touch,
)
from hypercache.keyspace.clock import Chance
from hypercache.keyspace.fields import expire_fields, is_due, is_hollow
from hypercache.keyspace.glob import matches
from hypercache.reply import ErrorReply

# More than any hash has.
MAX_FIELDS: Final = 1 << 62

WRONG_TYPE: Final = "WRONGTYPE Operation against a key holding the wrong kind of value"


def kind_of(entry: Entry) -> int:
    """The kind number of an entry's value."""
    value = entry.value
    return STRING if isinstance(value, bytes) else cast(Value, value).kind


class Keyspace:
    """A database under its number; SWAPDB exchanges the keys of two of them.

    While ``fielded`` is False no hash has a field with a deadline, and finding a key asks none.
    """

    def __init__(self, index: int, store: Database, changes: Changes, chance: Chance) -> None:
        self.index = index
        self.store = store
        self.changes = changes
        self.chance = chance
        self.fielded = store.has_volatile_fields()

    # Reading ---------------------------------------------------------------------------

    def find(self, key: bytes) -> Entry | None:
        """The entry of a live key, without counting the access; expires it if it is due."""
        entry = self.store.find(key)
        if entry is None:
            return None
        if entry.expire != NO_EXPIRE and entry.expire < self.changes.now:
            self._expire(key)
            return None
        if self.fielded and self._is_emptied(key, entry):
            return None
        return entry

    def view_any(self, key: bytes) -> Entry | None:
        """The entry of a live key of any kind, counted as a hit or a miss."""
        changes = self.changes
        entry = self.store.find(key)
        if entry is None:
            changes.missed(self.index, key)
            return None
        if entry.expire != NO_EXPIRE and entry.expire < changes.now:
            self._expire(key)
            changes.missed(self.index, key)
            return None
        if self.fielded and self._is_emptied(key, entry):
            changes.missed(self.index, key)
            return None
        changes.hits += 1
        if not changes.keep_access:
            entry.access = changes.access
        elif changes.counts_uses:
            changes.frequency.use(entry, self.chance)
        return entry

    def look(self, key: bytes) -> Entry | None:
        """Like `view_any`, but no access that OBJECT would show (EXISTS, TTL, TYPE)."""
        entry = self.find(key)
        if entry is None:
            self.changes.missed(self.index, key)
        else:
            self.changes.hits += 1
        return entry

    def inspect(self, key: bytes) -> Entry | None:
        """Like `look`, but no event tells of a miss (OBJECT)."""
        entry = self.find(key)
        if entry is None:
            self.changes.misses += 1
        else:
            self.changes.hits += 1
        return entry

    def get(self, key: bytes) -> bytes | None:
        """The whole string under a key, or None; WRONGTYPE for other kinds."""
        entry = self.view_any(key)
        if entry is None:
            return None
        return self.text(entry)

    def peek(self, key: bytes) -> bytes | None:
        """Like `get`, but None for other kinds too (MGET)."""
        entry = self.view_any(key)
        if entry is None:
            return None
        value = entry.value
        if isinstance(value, bytes):
            return value
        return self.text(entry) if isinstance(value, StringValue) else None

    def text(self, entry: Entry) -> bytes:
        """The whole string of an entry; WRONGTYPE for other kinds."""
        value = entry.value
        if isinstance(value, bytes):
            return value
        text = self._string(value)
        return text.read(0, text.length())

    def part(self, entry: Entry, start: int, stop: int) -> bytes:
        """Bytes ``start <= i < stop`` of an entry's string; WRONGTYPE for other kinds."""
        value = entry.value
        if isinstance(value, bytes):
            return value[start:stop]
        return self._string(value).read(start, stop)

    def text_length(self, entry: Entry) -> int:
        """Length of an entry's string; WRONGTYPE for other kinds."""
        value = entry.value
        return len(value) if isinstance(value, bytes) else self._string(value).length()

    def view(self, key: bytes, kind: int) -> Value | None:
        """The value under a key, to be read only; for strings there are `get` and `part`."""
        entry = self.view_any(key)
        return None if entry is None else self._typed(entry, kind)

    def _string(self, value: object) -> StringValue:
        if isinstance(value, StringValue):
            return value
        raise ErrorReply(WRONG_TYPE)

    def _typed(self, entry: Entry, kind: int) -> Value:
        value = entry.value
        if isinstance(value, bytes) or cast(Value, value).kind != kind:
            raise ErrorReply(WRONG_TYPE)
        return cast(Value, value)

    # Writing ---------------------------------------------------------------------------

    def set(self, key: bytes, value: bytes, expire: i64, event: Event) -> None:
        """Store a string, replacing a value of any kind and its deadline."""
        changes = self.changes
        # If observed, a key that is due counts as expired, not as overwritten.
        if changes.observed and self.find(key) is None and changes.tells_new:
            changes.touched.append(Touch(self.index, key, NEW))
        if changes.hooks:
            self._before(key)
        access = self._access_of(key) if changes.keep_access else changes.access
        entry = self.store.put(key, value, expire)
        entry.access = access
        changes.dirty += 1
        if changes.observed:
            changes.touched.append(Touch(self.index, key, event))

    def edit(self, key: bytes, kind: int, event: Event) -> Value | None:
        """The value under a key, to be changed in place; None when there is none.

        What becomes of the change (removal when emptied, ``event``, the journal) is settled
        after the command.
        """
        entry = self.find(key)
        return None if entry is None else self._edit(key, entry, self._typed(entry, kind), event)

    def edit_read(self, key: bytes, kind: int, event: Event) -> Value | None:
        """Like `edit`, for what Redis counts as reading the key (XREADGROUP, XACK, XCLAIM)."""
        entry = self.look(key)
        return None if entry is None else self._edit(key, entry, self._typed(entry, kind), event)

    def _edit(self, key: bytes, entry: Entry, value: Value, event: Event) -> Value:
        changes = self.changes
        for edit in changes.edits:
            if edit.value is value:
                return value
        if not changes.keep_access:
            entry.access = changes.access
        elif changes.counts_uses:
            changes.frequency.use(entry, self.chance)
        if changes.hooks:
            self._before(key)
        return self._edited(key, value, event, False)

    def make(self, key: bytes, kind: int, event: Event) -> Value:
        """`edit`, on a new empty value when there is none; one left empty is removed again."""
        value = self.edit(key, kind, event)
        if value is not None:
            return value
        return self.replace(key, kind, event)

    def replace(self, key: bytes, kind: int, event: Event) -> Value:
        """A new empty value under a key, in the place of any other (the STORE commands).

        Like one of `make` it is removed again when it is left empty: then `delete` is what
        the command wants instead.
        """
        changes = self.changes
        # If observed, a key that is due counts as expired, not as overwritten.
        is_new = changes.observed and self.find(key) is None
        if changes.hooks:
            self._before(key)
        access = self._access_of(key) if changes.keep_access else changes.access
        entry = self.store.create(key, kind)
        entry.access = access
        value = self._edited(key, cast(Value, entry.value), event, True)
        if is_new and changes.tells_new:
            changes.edits[-1].is_new = True
        return value

    def edit_string(self, key: bytes, event: Event) -> StringValue:
        """The string under a key as a value that is edited in place; made when there is none."""
        entry = self.find(key)
        if entry is None:
            return cast(StringValue, self.replace(key, STRING, event))
        text = entry.value
        if not isinstance(text, bytes):
            return cast(StringValue, self._edit(key, entry, self._string(text), event))
        if self.changes.hooks:
            self._before(key)
        deadline = entry.expire
        access = self._access_of(key) if self.changes.keep_access else self.changes.access
        entry = self.store.create(key, STRING)
        entry.access = access
        value = cast(StringValue, entry.value)
        memory = value.memory()
        value.write(0, text)
        self.store.adjust(key, memory, value.memory())
        if deadline != NO_EXPIRE:
            self.store.expire(key, deadline)
        return cast(StringValue, self._edited(key, value, event, False))

    def _access_of(self, key: bytes) -> i32:
        """What a new value takes over from the one that it replaces."""
        entry = self.find(key)
        if entry is None:
            return self.changes.access
        if self.changes.counts_uses:
            self.changes.frequency.use(entry, self.chance)
        return entry.access

    def _begin_access(self, key: bytes) -> None:
        """A key that has come as a whole takes over nothing from one that was there."""
        entry = self.store.find(key)
        if entry is not None:
            entry.access = self.changes.access

    def _edited(self, key: bytes, value: Value, event: Event, fresh: bool) -> Value:
        self.changes.edits.append(Edit(self.index, key, value, event, fresh))
        return value

    def settle(self, edit: Edit) -> None:
        """Account for a value that was edited in place; called by the engine after a command."""
        value = edit.value
        key = edit.key
        if value.changes == edit.changes and not edit.fresh:
            return
        entry = self.store.find(key)
        if entry is None or entry.value is not value:
            return  # deleted or replaced by the same command, and accounted for there
        memory = value.memory()
        if memory != edit.memory:
            self.store.adjust(key, edit.memory, memory)
        count = value.changes - edit.changes
        if count > 0:
            if value.kind == HASH:
                self._note_fields(key, cast(HashValue, value))
            self.changes.dirty += count
            if self.changes.observed:
                self._tell(edit)
        if value.length() == 0 and value.kind != STRING:
            if value.kind == STREAM and not (edit.fresh and count == 0):
                return  # a stream outlives its entries
            self.store.unlink(key)
            if count > 0 and self.changes.observed:
                self.changes.touched.append(Touch(self.index, key, DEL))

    def _tell(self, edit: Edit) -> None:
        """Write down the events of a change."""
        if edit.is_new:
            self.changes.touched.append(Touch(self.index, edit.key, NEW))
        if edit.event is not DELIVERED:
            self.changes.touched.append(Touch(self.index, edit.key, edit.event))
        if edit.second is not None:
            self.changes.touched.append(Touch(self.index, edit.key, edit.second))

    def delete(self, key: bytes, event: Event = DEL) -> bool:
        """Remove a live key; False when there is none."""
        if self.find(key) is None:
            return False
        if self.changes.hooks:
            self._before(key)
        self.store.unlink(key)
        self.changes.touch(self.index, key, event)
        return True

    def set_expire(self, key: bytes, deadline: i64) -> None:
        """Give a live key a deadline in Unix milliseconds."""
        if self.changes.hooks:
            self._before(key)
        self.store.expire(key, deadline)
        self.changes.touch(self.index, key, EXPIRE)

    def persist(self, key: bytes) -> None:
        """Take a live key's deadline away."""
        if self.changes.hooks:
            self._before(key)
        self.store.expire(key, NO_EXPIRE)
        self.changes.touch(self.index, key, PERSIST)

    def move(
        self, key: bytes, target: "Keyspace", new_key: bytes, left: Event, arrived: Event
    ) -> None:
        """Move a live key, replacing ``new_key``; one change that touches both."""
        changes = self.changes
        if changes.observed:
            target._make_way(new_key)
        if changes.hooks:
            self._before(key)
            target._before(new_key)
        self.store.move(key, target.store, new_key)
        target.fielded |= self.fielded
        target._begin_access(new_key)
        changes.touch(self.index, key, left)
        changes.notify(target.index, new_key, arrived)

    def copy(self, key: bytes, target: "Keyspace", new_key: bytes, event: Event) -> None:
        """Copy a live key, replacing ``new_key``."""
        if self.changes.observed:
            target._make_way(new_key)
        if self.changes.hooks:
            target._before(new_key)
        self.store.copy(key, target.store, new_key)
        target.fielded |= self.fielded
        target._begin_access(new_key)
        self.changes.touch(target.index, new_key, event)

    def _make_way(self, key: bytes) -> None:
        """Like `_prepare` for a key that comes as a whole: another one under it goes first."""
        self.find(key)
        if self.changes.tells_new:
            self.changes.touched.append(Touch(self.index, key, NEW))

    def flush(self) -> int:
        """Remove every key; how many there were."""
        count = self.store.size()
        for hook in self.changes.hooks:
            hook.before_clear(self.index)
        self.store.clear()
        self.changes.dirty += count
        if self.changes.observed:
            self.changes.touched.append(Touch(self.index, None, FLUSH))
        return count

    def _before(self, key: bytes) -> None:
        entry = self.store.find(key)
        for hook in self.changes.hooks:
            hook.before_change(self.index, key, entry)

    # Expiry, scanning, sampling ----------------------------------------------------------

    def _expire(self, key: bytes) -> None:
        changes = self.changes
        if changes.frozen:
            return
        if changes.hooks:
            self._before(key)
        self.store.unlink(key)
        changes.expired += 1
        if changes.observed:
            changes.touched.append(Touch(self.index, key, EXPIRED))
        if changes.journalled:
            changes.effects.append(Effect(self.index, [b"DEL", key]))

    def _is_emptied(self, key: bytes, entry: Entry) -> bool:
        """Remove the fields of a hash that are due; True when none is left."""
        value = entry.value
        changes = self.changes
        if not is_due(value, changes.now) or changes.frozen:
            return False
        self._expire_fields(key, cast(HashValue, value), MAX_FIELDS)
        return self.store.find(key) is None

    def _expire_fields(self, key: bytes, value: HashValue, limit: int) -> int:
        if self.changes.hooks:
            self._before(key)
        return expire_fields(self.store, self.changes, self.index, key, value, limit)

    def _note_fields(self, key: bytes, value: HashValue) -> None:
        """Let the store know the earliest deadline of an edited hash's fields."""
        deadline = value.next_deadline()
        if deadline != NO_EXPIRE or self.fielded:
            self.fielded = True
            self.store.expire_fields(key, deadline)

    def expire_due_fields(self, limit: int) -> int:
        """Remove up to ``limit`` fields past their deadline; how many there were."""
        if not self.fielded:
            return 0
        removed = 0
        for key in self.store.due_fields(self.changes.now - 1, limit):
            entry = self.store.find(key)
            if entry is not None and removed < limit and isinstance(entry.value, HashValue):
                removed += self._expire_fields(key, entry.value, limit - removed)
        return removed

    def has_due_fields(self, key: bytes) -> bool:
        """Whether a key holds a hash with fields that are due, though not removed yet."""
        if not self.fielded:
            return False
        entry = self.store.find(key)
        return entry is not None and is_due(entry.value, self.changes.now)

    def expire_due(self, limit: int) -> int:
        """Remove up to ``limit`` keys past their deadline; how many there were."""
        if self.store.volatile() == 0:
            return 0
        due = self.store.due(self.changes.now - 1, limit)
        for key in due:
            self._expire(key)
        return len(due)

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """One step of SCAN: the next cursor and about ``count`` live keys."""
        following, keys = self.store.scan(cursor, count)
        if self.store.volatile() == 0 and not self.fielded:
            return following, keys
        return following, [key for key in keys if self.find(key) is not None]

    def matching(self, pattern: bytes) -> list[bytes]:
        """All live keys that match a glob pattern, in any order (KEYS)."""
        store = self.store
        volatile = store.volatile() > 0 or self.fielded
        found: list[bytes] = []
        every = store.keys()
        for key in every:
            if (pattern == b"*" or matches(pattern, key, False)) and (
                not volatile or self.is_live(key)
            ):
                found.append(key)
        return found

    def random_key(self) -> bytes | None:
        """A random live key, or None; keys past their deadline that it hits are removed."""
        while True:
            key = self.store.sample(self.chance.pick())
            if key is None or self.find(key) is not None:
                return key

    def is_live(self, key: bytes) -> bool:
        """Whether a key is there and not past its deadline; changes nothing."""
        entry = self.store.find(key)
        if entry is None:
            return False
        changes = self.changes
        if entry.expire != NO_EXPIRE and entry.expire < changes.now:
            return False
        return not self.fielded or changes.frozen or not is_hollow(entry.value, changes.now)
