"""The way back: keys from a snapshot, commands from an append-only file, into the engine.

Nothing expires because of its time while data are loaded: a file of commands repeats what has
happened, and when it happened the keys were there. So the clock of all keyspaces stands at 0
until `Loader.end`. Nothing is journalled, observed or counted either: nobody has changed
anything.
"""

from typing import TYPE_CHECKING, cast

from mypy_extensions import i64

from hypercache.backend import NO_EXPIRE, BackendError, Value
from hypercache.engine.context import Context
from hypercache.engine.units import attempt
from hypercache.engine.waiting import Wait
from hypercache.keyspace.changes import RESTORE
from hypercache.persistence.errors import LoadError
from hypercache.rdb.content import Content, extend, store
from hypercache.reply import ErrorReply

if TYPE_CHECKING:
    from hypercache.engine.engine import Engine

# Changes after which a backend's unit is committed.
_UNIT = 10_000


class Loader:
    """Brings data back; used by one task at the start, and let others run between its calls.

    Every method that stores something raises `LoadError`, also where the backend fails.
    ``keys`` and ``commands`` have been loaded, ``expired`` keys were left out.
    """

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self.keys: i64 = 0
        self.expired: i64 = 0
        self.commands: i64 = 0
        self._context = Context(engine, 0, engine.keyspaces[0])
        self._in_unit: i64 = 0
        self._now: i64 = 0

    def begin(self) -> None:
        """Load from now on; not while all data are captured, which would miss what changes."""
        if self.engine.capture is not None:
            raise LoadError("nothing can be loaded while a snapshot or rewrite is under way")
        self.engine.background.keep_time()
        self._now = self.engine.clock.microseconds() // 1000
        self.engine.changes.repeated_at = self._now

    def string(self, database: int, key: bytes, value: bytes, expire: i64) -> None:
        """A string, with a deadline in Unix milliseconds or ``NO_EXPIRE``."""
        self._enter(database)
        try:
            entry = self.engine.keyspaces[database].store.put(key, value, expire)
        except BackendError as error:
            raise self._failed(error) from error
        self.engine.keyspaces[database].loaded(key, entry)
        self.keys += 1

    def content(self, database: int, key: bytes, content: Content, expire: i64) -> None:
        """A value of any kind."""
        self._enter(database)
        keyspace = self.engine.keyspaces[database]
        try:
            store(keyspace, key, content, RESTORE)
            self.engine.settlement.settle_edits()
            if expire != NO_EXPIRE:
                keyspace.store.expire(key, expire)
        except BackendError as error:
            raise self._failed(error) from error
        self.keys += 1

    def more(self, database: int, key: bytes, content: Content) -> None:
        """More elements of a value of the same kind that was loaded before.

        Of a stream: its state as it is now, and groups or what they have to add.
        """
        self._enter(database)
        self.engine.changes.now = 0  # its deadline, or a field's, may have come meanwhile
        try:
            extend(self.engine.keyspaces[database], key, content, RESTORE)
            self.engine.settlement.settle_edits()
        except BackendError as error:
            raise self._failed(error) from error

    def length(self, database: int, key: bytes) -> int:
        """The number of elements of a value that was loaded before."""
        entry = self.engine.keyspaces[database].store.find(key)
        if entry is None or isinstance(entry.value, bytes):
            return 0
        return cast(Value, entry.value).length()

    def accessed(self, database: int, key: bytes, idle: i64, frequency: i64) -> None:
        """How a key was used that was loaded before; see `EvictionPolicy.restore`."""
        keyspace = self.engine.keyspaces[database]
        entry = keyspace.store.find(key)
        if entry is not None:
            keyspace.policy.restore(entry, idle, frequency)

    def is_expired(self, expire: i64) -> bool:
        """Whether a key that a snapshot holds is past its deadline; then it is counted."""
        if expire == NO_EXPIRE or expire >= self._now:
            return False
        self.expired += 1
        return True

    def libraries(self, sources: list[bytes]) -> None:
        """Libraries of functions, all at once; raises `LoadError`."""
        try:
            self.engine.libraries.restore(sources)
        except (ErrorReply, ValueError) as error:
            raise LoadError(f"the functions cannot be loaded: {error}") from error

    def command(self, database: int, args: list[bytes]) -> None:
        """Repeat a command of a journal; raises `LoadError` when it fails."""
        self._enter(database)
        engine = self.engine
        changes = engine.changes
        changes.now = 0
        context = self._context
        context.db = engine.keyspaces[database]
        try:
            command = engine.registry.find(args)
            context.last_command = command
            reply = command.function(context, args)
            if changes.edits:
                engine.settlement.settle_edits()
        except (ErrorReply, BackendError) as error:
            raise LoadError(f"{args[0][:64]!r} fails: {error}") from error
        if isinstance(reply, (ErrorReply, Wait)):
            raise LoadError(f"{args[0][:64]!r} cannot be repeated here")
        changes.forget()
        self.commands += 1

    def pause(self) -> None:
        """Others are about to run: what was loaded is complete so far."""
        self._commit()
        self.engine.changes.forget()
        self.engine.background.keep_time()

    def clear(self) -> None:
        """Drop what was loaded: the file has turned out to be damaged."""
        self.pause()
        for database, keyspace in enumerate(self.engine.keyspaces):
            if keyspace.store.size():
                self._enter(database)
                keyspace.store.clear()
                keyspace.forget_adoption()
        self.libraries([])
        self.pause()
        self.keys = 0
        self.expired = 0

    def end(self) -> None:
        """Everything is loaded: time goes on, and keys whose time has come expire."""
        self.pause()
        self.engine.changes.spread = True
        recovery = self.engine.recovery
        recovery.keys_loaded = self.keys
        recovery.keys_expired = self.expired
        recovery.commands = self.commands

    def _enter(self, database: int) -> None:
        if not 0 <= database < len(self.engine.keyspaces):
            have = len(self.engine.keyspaces)
            raise LoadError(
                f"there is a key of database {database}, and this server has {have}:"
                f" set 'databases' to {database + 1} at least"
            )
        if self.engine.units.wanted:
            self._in_unit += 1
            if self._in_unit >= _UNIT:
                self._commit()
            units = self.engine.units
            if not units.is_open:
                units.open()
                if not units.is_open:
                    raise LoadError(units.trouble())

    def _commit(self) -> None:
        self._in_unit = 0
        units = self.engine.units
        if units.is_open:
            units.is_open = False
            try:
                self.engine.backend.commit()
            except BackendError as error:
                attempt(self.engine.backend.rollback)
                raise self._failed(error) from error

    def _failed(self, error: BackendError) -> LoadError:
        return LoadError(f"the {self.engine.backend.name} backend cannot take the data: {error}")
