"""What the commands of a round changed, kept once for all databases.

Every change of a key goes through `Keyspace`, which writes it down here; the engine settles
after each command: WATCH, notifications, blocked clients and the journal follow from this
ledger, so a command cannot forget any of them.
"""

from typing import Final

from mypy_extensions import i32, i64, mypyc_attr

from hypercache.backend import Entry, Value
from hypercache.keyspace.frequency import Frequency

# Classes of keyspace events, as notify-keyspace-events names them.
GENERIC: Final = "g"
STRING_CLASS: Final = "$"
HASH_CLASS: Final = "h"
LIST_CLASS: Final = "l"
SET_CLASS: Final = "s"
ZSET_CLASS: Final = "z"
STREAM_CLASS: Final = "t"
EXPIRED_CLASS: Final = "x"
EVICTED_CLASS: Final = "e"
NEW_CLASS: Final = "n"
KEY_MISS_CLASS: Final = "m"


class Event:
    """A kind of change: the name that notifications carry, and the class it belongs to.

    ``watched``: it breaks WATCH, and what was read of the key is no longer true. ``awaited``:
    clients that wait for the key look at it. What happens to a stream's groups is neither in
    Redis, and `NEW` and `KEY_MISS` are no changes at all. ``whole``: the value has come as a
    whole, in the place of any other. ``word`` is the name as it is sent.
    """

    def __init__(
        self,
        name: str,
        kind: str,
        watched: bool = True,
        awaited: bool = True,
        whole: bool = False,
    ) -> None:
        self.name = name
        self.word = name.encode()
        self.kind = kind
        self.watched = watched
        self.awaited = awaited
        self.whole = whole

    def is_change(self) -> bool:
        """Whether it tells of a change, as all events do but `NEW` and `KEY_MISS`."""
        return self is not NEW and self is not KEY_MISS


SET: Final = Event("set", STRING_CLASS, whole=True)
# A string in the place of another whose deadline it keeps (KEEPTTL).
SET_KEPT: Final = Event("set", STRING_CLASS)
APPEND: Final = Event("append", STRING_CLASS)
SETRANGE: Final = Event("setrange", STRING_CLASS)
INCRBY: Final = Event("incrby", STRING_CLASS)
INCRBYFLOAT: Final = Event("incrbyfloat", STRING_CLASS)
HSET: Final = Event("hset", HASH_CLASS)
HDEL: Final = Event("hdel", HASH_CLASS)
HINCRBY: Final = Event("hincrby", HASH_CLASS)
HINCRBYFLOAT: Final = Event("hincrbyfloat", HASH_CLASS)
HEXPIRE: Final = Event("hexpire", HASH_CLASS)
HPERSIST: Final = Event("hpersist", HASH_CLASS)
HEXPIRED: Final = Event("hexpired", HASH_CLASS)
SETBIT: Final = Event("setbit", STRING_CLASS)
PFADD: Final = Event("pfadd", STRING_CLASS)
# A change that is seen by WATCH and the journal, but has no name: PFCOUNT's cached count.
REFRESHED: Final = Event("", "")
LPUSH: Final = Event("lpush", LIST_CLASS)
RPUSH: Final = Event("rpush", LIST_CLASS)
LPOP: Final = Event("lpop", LIST_CLASS)
RPOP: Final = Event("rpop", LIST_CLASS)
LINSERT: Final = Event("linsert", LIST_CLASS)
LSET: Final = Event("lset", LIST_CLASS)
LREM: Final = Event("lrem", LIST_CLASS)
LTRIM: Final = Event("ltrim", LIST_CLASS)
SORTSTORE: Final = Event("sortstore", LIST_CLASS, whole=True)
SADD: Final = Event("sadd", SET_CLASS)
SREM: Final = Event("srem", SET_CLASS)
SPOP: Final = Event("spop", SET_CLASS)
SINTERSTORE: Final = Event("sinterstore", SET_CLASS, whole=True)
SUNIONSTORE: Final = Event("sunionstore", SET_CLASS, whole=True)
SDIFFSTORE: Final = Event("sdiffstore", SET_CLASS, whole=True)
ZADD: Final = Event("zadd", ZSET_CLASS)
ZINCR: Final = Event("zincr", ZSET_CLASS)
ZREM: Final = Event("zrem", ZSET_CLASS)
ZREMRANGEBYRANK: Final = Event("zremrangebyrank", ZSET_CLASS)
ZREMRANGEBYSCORE: Final = Event("zremrangebyscore", ZSET_CLASS)
ZREMRANGEBYLEX: Final = Event("zremrangebylex", ZSET_CLASS)
ZPOPMIN: Final = Event("zpopmin", ZSET_CLASS)
ZPOPMAX: Final = Event("zpopmax", ZSET_CLASS)
ZRANGESTORE: Final = Event("zrangestore", ZSET_CLASS, whole=True)
ZUNIONSTORE: Final = Event("zunionstore", ZSET_CLASS, whole=True)
ZINTERSTORE: Final = Event("zinterstore", ZSET_CLASS, whole=True)
ZDIFFSTORE: Final = Event("zdiffstore", ZSET_CLASS, whole=True)
GEORADIUSSTORE: Final = Event("georadiusstore", ZSET_CLASS, whole=True)
GEOSEARCHSTORE: Final = Event("geosearchstore", ZSET_CLASS, whole=True)
XADD: Final = Event("xadd", STREAM_CLASS)
XDEL: Final = Event("xdel", STREAM_CLASS)
XTRIM: Final = Event("xtrim", STREAM_CLASS)
XSETID: Final = Event("xsetid", STREAM_CLASS, False, False)
XGROUP_CREATE: Final = Event("xgroup-create", STREAM_CLASS, False, False)
XGROUP_MKSTREAM: Final = Event("xgroup-create", STREAM_CLASS)
XGROUP_DESTROY: Final = Event("xgroup-destroy", STREAM_CLASS, False)
XGROUP_SETID: Final = Event("xgroup-setid", STREAM_CLASS, False, False)
XGROUP_CREATECONSUMER: Final = Event("xgroup-createconsumer", STREAM_CLASS, False, False)
XGROUP_DELCONSUMER: Final = Event("xgroup-delconsumer", STREAM_CLASS, False, False)
# Entries of a group were delivered or acknowledged: nobody is told.
DELIVERED: Final = Event("", STREAM_CLASS, False, False)
DEL: Final = Event("del", GENERIC)
EXPIRE: Final = Event("expire", GENERIC)
PERSIST: Final = Event("persist", GENERIC)
RENAME_FROM: Final = Event("rename_from", GENERIC)
RENAME_TO: Final = Event("rename_to", GENERIC)
MOVE_FROM: Final = Event("move_from", GENERIC)
MOVE_TO: Final = Event("move_to", GENERIC, whole=True)
RESTORE: Final = Event("restore", GENERIC, whole=True)
COPY_TO: Final = Event("copy_to", GENERIC, whole=True)
EXPIRED: Final = Event("expired", EXPIRED_CLASS)
EVICTED: Final = Event("evicted", EVICTED_CLASS)
FLUSH: Final = Event("flush", GENERIC)
SWAP: Final = Event("swap", GENERIC)
# Followed by what made the key.
NEW: Final = Event("new", NEW_CLASS, False, False, whole=True)
# A command has looked for a key in vain.
KEY_MISS: Final = Event("keymiss", KEY_MISS_CLASS, False, False)


@mypyc_attr(acyclic=True)
class Touch:
    """One changed key; ``key`` is None when all keys of the database changed (FLUSHDB)."""

    __slots__ = ("database", "event", "key")

    def __init__(self, database: int, key: bytes | None, event: Event) -> None:
        self.database = database
        self.key = key
        self.event = event


@mypyc_attr(acyclic=True)
class Effect:
    """A command that repeats a change exactly: what journals, replicas and files get.

    ``transient``: it changes no data (PUBLISH); replicas want it, a file need not keep it.
    """

    __slots__ = ("args", "database", "transient")

    def __init__(self, database: int, args: list[bytes], transient: bool = False) -> None:
        self.database = database
        self.args = args
        self.transient = transient


@mypyc_attr(acyclic=True, free_list_len=1)  # most commands edit one value: one object serves all
class Edit:
    """A value handed out to be changed in place, and how it was then.

    ``fresh``: just made; ``is_new``: under a key that was not there, and somebody wants to
    know. ``second`` is another event that follows the first (XADD that trims), None for none.
    """

    __slots__ = (
        "changes",
        "database",
        "event",
        "fresh",
        "is_new",
        "key",
        "memory",
        "second",
        "value",
    )

    def __init__(self, database: int, key: bytes, value: Value, event: Event, fresh: bool) -> None:
        self.database = database
        self.key = key
        self.value = value
        self.event = event
        self.second: Event | None = None
        self.fresh = fresh
        self.is_new = False
        self.changes: i64 = value.changes
        self.memory: i64 = value.memory()


@mypyc_attr(allow_interpreted_subclasses=True)
class BeforeChange:
    """Sees each key just before its first change in a command: what snapshots hook into."""

    def before_change(self, database: int, key: bytes, entry: Entry | None) -> None:
        """``entry`` is the key's present state, None when the key is about to appear."""
        raise NotImplementedError

    def before_clear(self, database: int) -> None:
        """All keys of the database are about to go."""
        raise NotImplementedError

    def before_swap(self, first: int, second: int) -> None:
        """Two databases are about to change places."""
        raise NotImplementedError


class Changes:
    """The ledger, and the time that all keyspaces share.

    ``now`` is the time of the present command in Unix milliseconds (it stands still inside a
    transaction, and at 0 while a journal is repeated at the time ``repeated_at``); while
    ``frozen``, nothing is removed because of it (CLIENT PAUSE). ``access`` is the access clock,
    seconds since the server's start. An access sets a key's clock to it unless ``keep_access``:
    then it is left alone (``no_touch``) or is the business of the database's eviction policy; so
    it is while any database is ``followed`` by its policy. ``spread``: a database that was empty
    may have keys now. ``dirty`` counts changes, ``settled`` how many of them the engine has
    settled. ``observed`` tells whether anybody reads ``touched``, ``journalled`` whether anybody
    reads ``effects``: when nobody does, a change costs one addition. ``tells_new`` and
    ``tells_misses``: the events `NEW` and `KEY_MISS` are wanted too.
    """

    def __init__(self) -> None:
        self.now: i64 = 0
        self.repeated_at: i64 = 0
        self.access: i32 = 0
        self.frequency = Frequency()
        self.no_touch = False
        self.keep_access = False
        self.followed = False
        self.spread = True
        self.frozen = False
        self.dirty: i64 = 0
        self.settled: i64 = 0
        self.hits: i64 = 0
        self.misses: i64 = 0
        self.expired: i64 = 0
        self.expired_fields: i64 = 0
        self.observed = False
        self.tells_new = False
        self.tells_misses = False
        self.journalled = False
        self.rewritten = False
        self.touched: list[Touch] = []
        self.effects: list[Effect] = []
        self.edits: list[Edit] = []
        self.hooks: list[BeforeChange] = []

    def moment(self) -> i64:
        """The time to note in a value: `now`, or when a journal is repeated."""
        return self.now if self.now > 0 else self.repeated_at

    def set_no_touch(self, no_touch: bool) -> None:
        """Whether what is executed leaves the access clocks alone (CLIENT NO-TOUCH)."""
        self.no_touch = no_touch
        self.keep_access = no_touch or self.followed

    def touch(self, database: int, key: bytes, event: Event) -> None:
        """Count a change and, if anybody looks, write it down."""
        self.dirty += 1
        if self.observed:
            self.touched.append(Touch(database, key, event))

    def notify(self, database: int, key: bytes, event: Event) -> None:
        """Name one more event of a change that is counted already (SET EX: set, expire)."""
        if self.observed:
            self.touched.append(Touch(database, key, event))

    def missed(self, database: int, key: bytes) -> None:
        """Count a key that was looked for in vain."""
        self.misses += 1
        if self.tells_misses:
            self.touched.append(Touch(database, key, KEY_MISS))

    def follow(self, value: Value, event: Event) -> None:
        """Name one more event of a value that is being edited, to come after the first."""
        for edit in self.edits:
            if edit.value is value:
                edit.second = event

    def forget(self) -> None:
        """What has not been settled is undone: there is nothing to tell of it."""
        self.settled = self.dirty
        self.rewritten = False
        self.touched = []
        self.effects = []
        self.edits.clear()

    def withhold(self) -> None:
        """Journal nothing but what `rewrite` says; for a command that has changed something."""
        self.rewritten = self.journalled

    def relay(self, database: int, args: list[bytes]) -> None:
        """Let replicas repeat a command that changes no data (PUBLISH)."""
        if self.journalled:
            self.effects.append(Effect(database, args, True))

    def rewrite(self, database: int, args: list[bytes]) -> None:
        """Journal these arguments instead of the command's own; any number of times."""
        if self.journalled:
            self.rewritten = True
            self.effects.append(Effect(database, args))
