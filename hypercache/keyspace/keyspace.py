"""One numbered database, with Redis' rules on top of what the backend stores.

`Keyspace.get` and `Keyspace.view` are the only doors through which a command reads a value,
`Keyspace.set`, `Keyspace.edit` and `Keyspace.make` the only ones through which it writes.
They own lazy expiry, WRONGTYPE, the before-change hook, the touched set and the removal of
emptied keys: a command cannot forget them.
"""

from typing import Final, cast

from mypy_extensions import i64

from hypercache.backend import (
    HASH,
    NO_EXPIRE,
    STREAM,
    STRING,
    Entry,
    HashValue,
    StringValue,
    Value,
)
from hypercache.keyspace.changes import (
    DEL,
    DELIVERED,
    EXPIRE,
    NEW,
    PERSIST,
    Edit,
    Event,
    Touch,
)
from hypercache.keyspace.live_keys import LiveKeys
from hypercache.reply import ErrorReply

WRONG_TYPE: Final = "WRONGTYPE Operation against a key holding the wrong kind of value"


def kind_of(entry: Entry) -> int:
    """The kind number of an entry's value."""
    value = entry.value
    return STRING if isinstance(value, bytes) else cast(Value, value).kind


class Keyspace(LiveKeys):
    """A numbered database as commands see it: its keys, and their values."""

    # Reading ---------------------------------------------------------------------------

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
        if changes.keep_access:
            self._use(key, entry)
        else:
            entry.access = changes.access
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
        if changes.keep_access:
            self._put(key, value, expire)
        else:
            self.store.put(key, value, expire).access = changes.access
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
        if changes.keep_access:
            self._use(key, entry)
        else:
            entry.access = changes.access
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
        if changes.keep_access:
            entry = self._create(key, kind)
        else:
            entry = self.store.create(key, kind)
            entry.access = changes.access
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
        entry = self._create(key, STRING)
        value = cast(StringValue, entry.value)
        memory = value.memory()
        value.write(0, text)
        self.store.adjust(key, memory, value.memory())
        if deadline != NO_EXPIRE:
            self.store.expire(key, deadline)
        return cast(StringValue, self._edited(key, value, event, False))

    def _use(self, key: bytes, entry: Entry) -> None:
        """A key that is there is used, and this is more than a matter of the access clock."""
        changes = self.changes
        if changes.no_touch:
            return
        follower = self.follower
        if follower is not None and follower.follows_uses:
            follower.used(key, entry)
        else:
            entry.access = changes.access

    def _put(self, key: bytes, value: bytes, expire: i64) -> None:
        """Store a string, in the eyes of the policy too; the new value keeps the key's access."""
        entry = self.store.find(key)
        if entry is None:
            self._come(key, self.store.put(key, value, expire))
        else:
            self._use(key, entry)
            access = entry.access
            self.store.put(key, value, expire).access = access

    def _create(self, key: bytes, kind: int) -> Entry:
        """A new value, likewise."""
        entry = self.store.find(key)
        if entry is None:
            entry = self.store.create(key, kind)
            self._come(key, entry)
        else:
            self._use(key, entry)
            access = entry.access
            entry = self.store.create(key, kind)
            entry.access = access
        return entry

    def _come(self, key: bytes, entry: Entry) -> None:
        """A key has come."""
        entry.access = self.changes.access
        if self.follower is not None:
            self.follower.added(key, entry)

    def loaded(self, key: bytes, entry: Entry) -> None:
        """A key was put into the store by who loads the data; it knows no use yet."""
        self._come(key, entry)

    def restored(self, key: bytes, entry: Entry, idle: i64, frequency: i64) -> None:
        """A key has come from elsewhere: for how many seconds it was idle and how often it was
        used, as `EvictionPolicy.restore` takes it. It takes over nothing from one replaced."""
        if self.follower is not None:
            self.follower.removed(key, entry)
        self._come(key, entry)
        self.policy.restore(entry, idle, frequency)

    def _leave(self, key: bytes) -> None:
        """A key is about to go or to be replaced as a whole: the policy has to know."""
        if self.follower is not None:
            entry = self.store.find(key)
            if entry is not None:
                self.follower.removed(key, entry)

    def _begin_access(self, key: bytes) -> None:
        """A key that has come as a whole takes over nothing from one that was there."""
        entry = self.store.find(key)
        if entry is not None:
            self._come(key, entry)

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
            self._unlink(key)
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
        self._unlink(key)
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
        self._leave(key)
        target._leave(new_key)
        self.store.move(key, target.store, new_key)
        target.fielded |= self.fielded
        target._begin_access(new_key)
        target.count()
        changes.touch(self.index, key, left)
        changes.notify(target.index, new_key, arrived)

    def copy(self, key: bytes, target: "Keyspace", new_key: bytes, event: Event) -> None:
        """Copy a live key, replacing ``new_key``."""
        if self.changes.observed:
            target._make_way(new_key)
        if self.changes.hooks:
            target._before(new_key)
        target._leave(new_key)
        self.store.copy(key, target.store, new_key)
        target.fielded |= self.fielded
        target._begin_access(new_key)
        target.count()
        self.changes.touch(target.index, new_key, event)

    def _make_way(self, key: bytes) -> None:
        """Like `_prepare` for a key that comes as a whole: another one under it goes first."""
        self.find(key)
        if self.changes.tells_new:
            self.changes.touched.append(Touch(self.index, key, NEW))

    def _note_fields(self, key: bytes, value: HashValue) -> None:
        """Let the store know the earliest deadline of an edited hash's fields."""
        deadline = value.next_deadline()
        if deadline != NO_EXPIRE or self.fielded:
            self.fielded = True
            self.store.expire_fields(key, deadline)
