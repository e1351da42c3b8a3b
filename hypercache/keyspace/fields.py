"""Fields of hashes that expire: removed before anybody looks at their hash.

A hash without deadlines pays for none of this, and a database without such hashes not even for
the question. Source: Redis 7.4, HEXPIRE; unlike there, a field past its deadline is never
seen or counted, and the key goes with its last field at once.
"""

from typing import Final

from mypy_extensions import i64

from hypercache.backend import NO_EXPIRE, Database, HashValue
from hypercache.keyspace.changes import HEXPIRED, Changes, Effect, Touch

# Fields that one HDEL of the journal names.
_BATCH: Final = 256


def is_due(value: object, now: i64) -> bool:
    """Whether a value is a hash with a field whose deadline is before ``now``."""
    if not isinstance(value, HashValue):
        return False
    deadline = value.next_deadline()
    return deadline != NO_EXPIRE and deadline < now


def is_hollow(value: object, now: i64) -> bool:
    """Whether a value is a hash all of whose fields have a deadline before ``now``."""
    if not isinstance(value, HashValue) or not is_due(value, now):
        return False
    length = value.length()
    return len(value.due(now - 1, length)) == length


def expire_fields(
    store: Database, changes: Changes, index: int, key: bytes, value: HashValue, limit: int
) -> int:
    """Remove up to ``limit`` fields whose deadline is before now, the earliest first; how many.

    When the last one goes, the caller removes the key. ``store`` is the database with the number
    ``index``.
    """
    memory = value.memory()
    removed = 0
    while removed < limit:
        due = value.due(changes.now - 1, min(limit - removed, _BATCH))
        if not due:
            break
        for field in due:
            value.remove(field)
        removed += len(due)
        if changes.journalled:
            changes.effects.append(Effect(index, [b"HDEL", key, *due]))
    store.adjust(key, memory, value.memory())
    if removed:
        changes.expired_fields += removed
        if changes.observed:
            changes.touched.append(Touch(index, key, HEXPIRED))
    if value.length() > 0:
        store.expire_fields(key, value.next_deadline())
    return removed
