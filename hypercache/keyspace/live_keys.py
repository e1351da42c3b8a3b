"""Which keys a numbered database has: expiry, eviction, scanning, sampling.

`Keyspace` adds what commands do with values. Whatever removes a key does it here, so that the
before-change hook, the eviction policy, observers and the journal hear of it.
"""

from typing import Final, cast

from hypercache.backend import NO_EXPIRE, Database, Entry, HashValue
from hypercache.keyspace.changes import (
    DEL,
    EVICTED,
    EXPIRED,
    FLUSH,
    Changes,
    Effect,
    Touch,
)
from hypercache.keyspace.clock import Chance
from hypercache.keyspace.eviction import EvictionPolicy, Place
from hypercache.keyspace.fields import expire_fields, is_due, is_hollow
from hypercache.keyspace.glob import matches

# More than any hash has.
MAX_FIELDS: Final = 1 << 62
#: `LiveKeys.adopted` where the policy knows all keys.
ALL: Final = -1


class LiveKeys:
    """A database under its number; SWAPDB exchanges the keys of two of them.

    While ``fielded`` is False no hash has a field with a deadline, and finding a key asks none.
    ``policy`` chooses what is evicted; ``follower`` is the same where it wants to be told of keys
    and their uses, else None. ``adopted`` is the cursor of the scan that shows it the keys that
    were there before it: `ALL` when it knows them all. ``counted``: it was selected or given keys,
    so that its memory is looked at; the first database always is.
    """

    def __init__(self, index: int, store: Database, changes: Changes, chance: Chance) -> None:
        self.index = index
        self.store = store
        self.changes = changes
        self.chance = chance
        self.fielded = store.has_volatile_fields()
        self.policy = EvictionPolicy(Place(store, chance))
        self.follower: EvictionPolicy | None = None
        self.adopted = ALL
        self.counted = index == 0

    def count(self) -> None:
        """It may have keys from now on: its memory counts."""
        if not self.counted:
            self.counted = True
            self.changes.spread = True

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

    def flush(self) -> int:
        """Remove every key; how many there were."""
        count = self.store.size()
        for hook in self.changes.hooks:
            hook.before_clear(self.index)
        self.store.clear()
        self.policy.cleared()
        self.adopted = ALL
        self.changes.dirty += count
        if self.changes.observed:
            self.changes.touched.append(Touch(self.index, None, FLUSH))
        return count

    def _before(self, key: bytes) -> None:
        entry = self.store.find(key)
        for hook in self.changes.hooks:
            hook.before_change(self.index, key, entry)

    def _unlink(self, key: bytes) -> None:
        """Remove a key that is there from the store; whoever calls tells of it."""
        follower = self.follower
        if follower is not None:
            entry = self.store.find(key)
            if entry is not None:
                follower.removed(key, entry)
        self.store.unlink(key)

    # Eviction ------------------------------------------------------------------------------

    def evict(self, key: bytes) -> bool:
        """Remove a key because memory is short; journalled like expiry.

        False when it is not there, or its policy must not touch it. It may be past its deadline:
        then it is evicted all the same.
        """
        changes = self.changes
        if self.follower is None and not self.policy.volatile and not changes.hooks:
            if not self.store.unlink(key):
                return False
        else:
            entry = self.store.find(key)
            if entry is None or (self.policy.volatile and entry.expire == NO_EXPIRE):
                return False
            if changes.hooks:
                self._before(key)
            if self.follower is not None:
                self.follower.removed(key, entry)
            self.store.unlink(key)
        if changes.observed:
            changes.touched.append(Touch(self.index, key, EVICTED))
        if changes.journalled:
            changes.effects.append(Effect(self.index, [b"DEL", key]))
        return True

    def set_policy(self, policy: EvictionPolicy) -> None:
        """Let another policy choose what is evicted; it is shown the keys bit by bit: `adopt`."""
        self.policy = policy
        self.follower = policy if policy.follows_keys or policy.follows_uses else None
        self.forget_adoption()

    def forget_adoption(self) -> None:
        """The policy begins anew: other keys are there than it was told of (SWAPDB)."""
        self.policy.cleared()
        self.adopted = ALL
        if self.policy.follows_keys and self.store.size() > 0:
            self.adopted = 0

    def adopt(self, count: int) -> None:
        """Show the policy about ``count`` more keys that were there before it."""
        follower = self.follower
        if follower is None or self.adopted == ALL:
            return
        following, keys = self.store.scan(self.adopted, count)
        for key in keys:
            entry = self.store.find(key)
            if entry is not None:
                follower.added(key, entry)
        self.adopted = following if following != 0 else ALL

    # Expiry, scanning, sampling ----------------------------------------------------------

    def _expire(self, key: bytes) -> None:
        changes = self.changes
        if changes.frozen:
            return
        if changes.hooks:
            self._before(key)
        self._unlink(key)
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
        removed = expire_fields(self.store, self.changes, self.index, key, value, limit)
        if value.length() == 0:
            self._unlink(key)
            if self.changes.observed:
                self.changes.touched.append(Touch(self.index, key, DEL))
        return removed

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
