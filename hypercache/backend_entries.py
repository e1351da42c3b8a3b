"""What backends hand out of keys, and how they fail: a part of `hypercache.backend`."""

from mypy_extensions import i32, i64, mypyc_attr


class BackendError(Exception):
    """A store failed: the text says what happened, where, and what to do."""


class BackendFull(BackendError):
    """No room left (disk or map): writes are refused, reads go on."""


@mypyc_attr(acyclic=True)
class Entry:
    """What `Database.find` hands out: a key's value and its metadata.

    Read anything; change nothing but ``access`` (the keyspace's access clock: seconds of
    idle time, or frequency bits; a backend that does not keep entries may forget it).
    ``value`` is ``bytes`` or a `Value`; ``expire`` a Unix time in milliseconds or
    ``NO_EXPIRE``; ``slot`` belongs to the backend.
    """

    __slots__ = ("access", "expire", "slot", "value")

    def __init__(self, value: object, expire: i64, access: i32, slot: i32) -> None:
        self.value = value
        self.expire = expire
        self.access = access
        self.slot = slot


@mypyc_attr(allow_interpreted_subclasses=True)
class SlotFollower:
    """Told of the slots of a database's keys: `Database.follow_slots`."""

    def moved(self, source: i64, target: i64) -> None:
        """A key has a new slot; what had that one before has gone, or is about to move."""
        raise NotImplementedError
