"""The Backend contract, version 1: what a store must do to hold HyperCache's keys.

A `Backend` opens numbered `Database` objects. A database maps keys (bytes) to *typed
values*: a string is plain ``bytes`` (or a `StringValue` once it is edited in place), every
other type is a `Value` with operations of its own, so that no command rewrites a whole
value to change one element.

Everything here is synchronous and called from one thread. The keyspace above owns
Redis' rules (lazy expiry, WRONGTYPE, notifications, removal of emptied keys): a database
only stores, and never looks at the clock except in `Database.due`.

`hypercache.testing.check_backend` tells whether an implementation keeps this contract.
Implementations that have only ordered keys and values underneath implement
`hypercache.keyspace.ordered.OrderedKV` instead and get all of this from ``KVBackend``.
"""

from collections.abc import Iterator
from typing import ClassVar, Final

from mypy_extensions import i64, mypyc_attr

from hypercache.backend_entries import BackendError, BackendFull, Entry, SlotFollower
from hypercache.backend_tools import Progress, unheard
from hypercache.streams import StreamGroup, StreamValue
from hypercache.values import (
    HASH,
    KIND_NAMES,
    LIST,
    NO_EXPIRE,
    SET,
    STREAM,
    STRING,
    ZSET,
    EncodingLimits,
    HashValue,
    ListValue,
    SetValue,
    StringValue,
    Value,
    ZSetValue,
)

#: The versions of this contract that the server keeps.
CONTRACT_VERSIONS: Final = (1,)

#: How soon after a commit the data are safe from a power failure: `Backend.sync_policy`.
ALWAYS: Final = "always"
EVERYSEC: Final = "everysec"
NO: Final = "no"

# Samples that are looked at for one with a deadline, how the next is picked, the last deadline.
_VOLATILE_TRIES: Final = 16
_END_OF_TIME: Final[i64] = (1 << 62) - 1
_STEP: Final[i64] = 0x1E3779B97F4A7C15

__all__ = [
    "ALWAYS",
    "CONTRACT_VERSIONS",
    "EVERYSEC",
    "HASH",
    "KIND_NAMES",
    "LIST",
    "NO",
    "NO_EXPIRE",
    "SET",
    "STREAM",
    "STRING",
    "ZSET",
    "Backend",
    "BackendError",
    "BackendFull",
    "Database",
    "EncodingLimits",
    "Entry",
    "HashValue",
    "KeyWalk",
    "ListValue",
    "SetValue",
    "SlotFollower",
    "Snapshot",
    "StreamGroup",
    "StreamValue",
    "StringValue",
    "Value",
    "ZSetValue",
]


@mypyc_attr(allow_interpreted_subclasses=True)
class Database:
    """One numbered database of a backend.

    Keys expire only when the keyspace says so: a key past its deadline is still found,
    counted and scanned until it is unlinked.
    """

    def find(self, key: bytes) -> Entry | None:
        """The entry of a key, or None. The entry is good until the next change of that key.

        Editing its `Value` in place is no such change. Until the key is replaced, moved or
        removed, or the unit ends, every call hands out the same `Value` object: the keyspace
        tells by it whether a command replaced what it edits.
        """
        raise NotImplementedError

    def put(self, key: bytes, value: bytes, expire: i64) -> Entry:
        """Store a string under ``key``, replacing a value of any kind and its deadline."""
        raise NotImplementedError

    def create(self, key: bytes, kind: int) -> Entry:
        """Store an empty `Value` of ``kind``, replacing a value of any kind and its deadline.

        For ``STRING`` this is an empty `StringValue`. A key that was present keeps its place
        in a scan: it never left.
        """
        raise NotImplementedError

    def unlink(self, key: bytes) -> bool:
        """Remove a key at a cost that does not depend on its value's size; False if absent.

        What is dear to free is left to `Backend.reclaim`.
        """
        raise NotImplementedError

    def expire(self, key: bytes, deadline: i64) -> None:
        """Set, or with ``NO_EXPIRE`` remove, the deadline of a present key.

        A deadline is a Unix time in milliseconds, and not negative.
        """
        raise NotImplementedError

    def move(self, key: bytes, target: "Database", new_key: bytes) -> None:
        """Move value and deadline of a present key, replacing ``new_key`` if it is there.

        ``target`` is a database of the same backend, perhaps this one, but not the very same
        key. Costs no more than a small string, whatever the value's size. A ``new_key`` that
        was present keeps its place in a scan.
        """
        raise NotImplementedError

    def copy(self, key: bytes, target: "Database", new_key: bytes) -> None:
        """Copy value and deadline of a present key, replacing ``new_key`` as `move` does."""
        raise NotImplementedError

    def swap(self, other: "Database") -> None:
        """Exchange all keys with another database of the same backend (SWAPDB), at a cost
        that does not depend on their number. Values handed out are not used afterwards."""
        raise NotImplementedError

    def expire_fields(self, key: bytes, deadline: i64) -> None:
        """Note, or with ``NO_EXPIRE`` forget, the earliest deadline of a present hash's fields.

        The keyspace reports it when it changes, so that `due_fields` finds the hash. It goes
        with the key when that is moved or copied, and ends with its value.
        """
        raise NotImplementedError

    def due_fields(self, now: i64, limit: int) -> list[bytes]:
        """Up to ``limit`` keys of hashes with a field whose deadline is <= ``now``: as `due`."""
        raise NotImplementedError

    def has_volatile_fields(self) -> bool:
        """Whether there may be a hash of which `expire_fields` noted a deadline.

        False spares the keyspace looking at hashes and asking `due_fields`; a store that keeps
        no count of them answers True, as this does.
        """
        return True

    def size(self) -> int:
        """Number of keys, those past their deadline included."""
        raise NotImplementedError

    def volatile(self) -> int:
        """Number of keys with a deadline."""
        raise NotImplementedError

    def due(self, now: i64, limit: int) -> list[bytes]:
        """Up to ``limit`` keys whose deadline is <= ``now``; the work is bounded by ``limit``.

        The caller unlinks them; a key that it leaves may be handed out again. None comes
        early, or twice in one call. One may come up to 100 ms late, and a call may return
        few or none while others are due; n of them come within 2 * n / limit + 10 calls.
        """
        raise NotImplementedError

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """About ``count`` keys from ``cursor`` on, and the next cursor; 0 starts and ends.

        Redis' guarantee: a full iteration returns every key that is present from its start
        to its end; a key may come twice. A cursor is never negative and fits in 64 bits
        unsigned. Cursors need no memory in the backend.
        """
        raise NotImplementedError

    def sample(self, pick: i64) -> bytes | None:
        """A key chosen by ``pick``, a uniform random number in [0, 2**62); None when empty.

        As uniform as the store allows.
        """
        raise NotImplementedError

    def sample_volatile(self, pick: i64) -> bytes | None:
        """A key with a deadline, chosen by ``pick`` as `sample` does; None when it finds none.

        It serves eviction: roughly uniform is enough. Without one of its own a store is asked
        for a few samples, then for the key whose deadline comes first.
        """
        if self.volatile() == 0:
            return None
        for _ in range(_VOLATILE_TRIES):
            pick = (pick + _STEP) & _END_OF_TIME
            key = self.sample(pick)
            entry = None if key is None else self.find(key)
            if entry is not None and entry.expire != NO_EXPIRE:
                return key
        due = self.due(_END_OF_TIME, 1)
        return due[0] if due else None

    def follow_slots(self, follower: "SlotFollower | None") -> bool:
        """Tell a follower, in the place of any before it, when a key changes its `Entry.slot`.

        Only where slots are dense: keys have the numbers from 0 to `size` - 1, in any order, a
        new one the last. `clear` and `swap` are not told. False where slots are not so.
        """
        return False

    def key_at(self, slot: int) -> bytes:
        """The key with a slot, where `follow_slots` is True."""
        raise NotImplementedError

    def keys(self) -> Iterator[bytes]:
        """All keys, in any order; not to be used across a change."""
        raise NotImplementedError

    def walk(self) -> "KeyWalk":
        """Begin to hand out all keys that are there now, while they change. One at a time.

        Not asked for amid a unit; where the backend has snapshots, of one of their databases.
        A key does not change before `KeyWalk.claim` was asked about it; so on a backend without
        units iterators of a value stay good until then, whatever happens to other keys.
        """
        return KeyWalk(self)

    def clear(self) -> None:
        """Remove every key, at a cost that does not depend on their number."""
        raise NotImplementedError

    def memory(self) -> int:
        """Bytes that keys, values and their bookkeeping take in this process.

        Of a store on disk: those that they take there. What waits for `Backend.reclaim`
        need not count.
        """
        raise NotImplementedError

    def overhead(self) -> tuple[int, int]:
        """Which bytes of `memory` are neither keys nor values: those of all keys' bookkeeping,
        and those of the deadlines'. An estimate; nothing for a store that cannot tell."""
        return 0, 0

    def memory_of(self, key: bytes) -> int:
        """Bytes of one present key: key, value and bookkeeping (MEMORY USAGE)."""
        raise NotImplementedError

    def adjust(self, key: bytes, before: int, after: int) -> None:
        """The keyspace reports that a `Value` edited in place went from one memory() to another."""
        raise NotImplementedError

    def filter_lookups(self, error_rate: float) -> None:
        """Spare lookups of keys that are not there by a filter, where `Backend.filters` says so.

        ``error_rate`` is the share of such lookups that need not be spared, 0 for no filter. May
        be called at any time; raises `ValueError` for a rate that cannot be kept. A database that
        finds out as quickly as a filter would needs none.
        """

    def filter_statistics(self) -> dict[str, int]:
        """Numbers about the filter, by snake_case name; empty where there is none."""
        return {}

    def check(self) -> list[str]:
        """What is inconsistent in this database, in words; empty when all is well. May be slow."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class KeyWalk:
    """The keys that a database has at one moment, each to be handed out once: `Database.walk`.

    Whoever walks reads a key at once when it is handed out, and before one changes asks
    `claim`, which hands it out early. So it sees all keys as they were at that moment, and
    pays for those that change meanwhile, not for all. This one goes by `Database.scan` and
    remembers what it has handed out; a store that can tell by other means spares that.
    """

    def __init__(self, database: "Database") -> None:
        self.database = database
        self._cursor = 0
        self._ended = False
        self._passed: set[bytes] = set()

    def next(self, count: int) -> list[bytes]:
        """About ``count`` more keys, each to be read before anything changes; none at the end."""
        passed = self._passed
        found: list[bytes] = []
        while not found and not self._ended:
            self._cursor, keys = self.database.scan(self._cursor, count)
            self._ended = self._cursor == 0
            for key in keys:
                if key not in passed:
                    passed.add(key)
                    found.append(key)
        return found

    def find(self, key: bytes) -> Entry | None:
        """The entry of a key that was just handed out."""
        return self.database.find(key)

    def claim(self, key: bytes) -> bool:
        """A key is about to change, to appear or to go: whether it is handed out hereby.

        False for one that was handed out before, or was not there when the walk began.
        """
        if key in self._passed:
            return False
        self._passed.add(key)
        return self.database.find(key) is not None

    def leave(self) -> bool:
        """All keys are about to be removed (`Database.clear`).

        True: the walk goes on with what was there, and is asked for `claim` no more. False:
        whoever walks takes all that is left before it is too late.
        """
        return False

    def follow(self, database: "Database") -> None:
        """What it walks over is about to be swapped into another database."""
        self.database = database

    def close(self) -> None:
        """It is not used afterwards. Closing it again changes nothing."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Snapshot:
    """All databases as they were at one moment, for reading: `Backend.snapshot`.

    Reads only: `Database.find`, `keys`, `scan`, `walk`, `sample`, `size`, `volatile`, `memory` and
    the values' own reading. One thread at a time uses it, not necessarily the backend's own. A
    backend may end one that has grown old; what is read from it then raises `BackendError`.
    """

    def __init__(self, databases: list[Database]) -> None:
        self.databases = databases

    def close(self) -> None:
        """Give it back; it is not used afterwards. Closing it again changes nothing."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class Backend:
    """A store: opened once, serving numbered databases until it is closed.

    A *unit* is an atomic batch that reads its own writes: the engine begins one before the
    first command of a round where ``wants_units`` is set, and commits it after the last.
    Units do not nest. On a backend without units (``wants_units`` False) `begin` and
    `commit` are not called.

    Traits: ``durable`` (data survive `close` and a crash of this process after `commit`),
    ``wants_units``, ``keeps_access`` (entries keep their access clock: OBJECT IDLETIME is
    meaningful), ``snapshots`` (`snapshot` works) and ``sync_policy``: whether what was committed
    is safe from a power failure before the client has its reply (``ALWAYS``), about a second
    later (``EVERYSEC``), or when the system likes (``NO``). The server calls `sync` accordingly.

    ``refusal`` says in words why nothing may be written that could make the data grow, and what
    to do; it is empty as long as there is room. The server looks at it after `begin`, and
    answers such commands with it; others, those that remove something among them, go on.

    ``settings_type`` is an attrs class, or None where there is nothing to set. The setting
    ``backend-settings`` is structured into it and validated by it, and the backend constructed
    with that one object; without it the backend is constructed without arguments. Relative
    paths in it are relative to the server's ``dir``, which is its working directory. The
    constructor touches nothing outside: ``hypercache backends`` calls it to learn the traits.
    ``tools`` is a `hypercache.backend_tools.BackendTools` class, or None: what
    ``hypercache check``, ``compact`` and ``copy`` do with a store of this kind.
    """

    #: The version of this contract that the backend was written for.
    contract: ClassVar[int] = 1
    settings_type: ClassVar[type | None] = None
    tools: ClassVar[type | None] = None

    name: str
    durable: bool
    wants_units: bool
    keeps_access: bool
    snapshots: bool
    filters: bool
    sync_policy: str
    refusal: str
    #: Told by `open` how far it has come where that takes long; set by whoever opens.
    progress: Progress

    def __init__(self, name: str) -> None:
        self.name = name
        self.durable = False
        self.wants_units = False
        self.keeps_access = False
        self.snapshots = False
        self.filters = False
        self.sync_policy = NO
        self.refusal = ""
        self.progress = unheard
        #: Set by the server from the configuration; the values name their encodings by it.
        self.limits = EncodingLimits()

    def open(self, databases: int) -> list[Database]:
        """Open the store with that many numbered databases; may block (called before serving)."""
        raise NotImplementedError

    def close(self) -> None:
        """Flush and release everything. The backend is not used afterwards."""
        raise NotImplementedError

    def begin(self) -> None:
        """Begin a unit. Where a write in it raises, the whole unit is to be rolled back.

        Until then other writes may raise as well, and `commit` does.
        """
        raise NotImplementedError

    def commit(self) -> None:
        """Make the unit's changes visible and, as far as the settings say, durable.

        Where that fails, it raises `BackendError`, and the caller rolls the unit back.
        """
        raise NotImplementedError

    def rollback(self) -> None:
        """Undo every change of the open unit, sizes and deadlines included.

        Entries and values handed out in the unit are not used afterwards.
        """
        raise NotImplementedError

    def reclaim(self, budget: int) -> bool:
        """Free about ``budget`` elements that `unlink` and `clear` left; True if more are left."""
        raise NotImplementedError

    def sync(self) -> None:
        """Make durable, as ``sync_policy`` has it, all that was committed before the call.

        Called in a worker thread, while the other methods are called in the backend's own, and
        never twice at once: after every round that wrote something where the policy is
        ``ALWAYS``, else about once a second. Raises `BackendError`; replies that wait for it
        then never leave, and ``refusal`` is to say so.
        """

    def maintain(self) -> None:
        """Do blocking work of the backend's own that is due: flush, compact, prepare.

        Called about once a second in a worker thread, while the other methods, `sync` among
        them, are called elsewhere, and never twice at once. Raises `BackendError`, which is
        logged.
        """

    def snapshot(self) -> Snapshot:
        """All databases as they are now, apart from what an open unit has changed.

        Asked for between units. Later changes do not reach it, and it delays none of them.
        """
        raise BackendError(f"the backend {self.name!r} has no snapshots")

    def statistics(self) -> dict[str, int]:
        """Numbers for INFO and metrics, by snake_case name; none is negative."""
        return {}
