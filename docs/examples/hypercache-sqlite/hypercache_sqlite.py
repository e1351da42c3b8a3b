"""A backend for HyperCache that keeps its keys in a table of SQLite."""

import fcntl
import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any, Literal

import attrs

from hypercache.backend import NO, BackendError, BackendFull
from hypercache.backend_tools import BackendTools, Progress
from hypercache.keyspace.kv_backend import KVBackend
from hypercache.keyspace.ordered import OrderedKV


@attrs.frozen
class SQLiteSettings:
    #: File of the store; relative to the server's dir.
    path: str = attrs.field(default="hypercache.sqlite", validator=attrs.validators.min_len(1))
    #: When a write is safe from a power failure: before its reply, a second later, or some time.
    synchronous: Literal["always", "everysec", "no"] = "everysec"
    #: Bytes that stay free on the disk: with fewer, writes are refused.
    reserve: int = attrs.field(default=64 << 20, validator=attrs.validators.ge(0))


class SQLiteReader(OrderedKV):
    """What is committed, for reading: a connection inside a transaction of its own."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.max_key_size, self.pair_overhead = 1000, 24

    def connect(self, mode: str = "rw") -> None:
        uri = f"{self.path.absolute().as_uri()}?mode={mode}"
        try:  # one thread at a time uses a connection, but not always the same one
            self._db = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise BackendError(f"{self.path}: {error}") from error

    def execute(self, statement: str, *arguments: object) -> list[Any]:
        try:
            return self._db.execute(statement, arguments).fetchall()
        except sqlite3.Error as error:
            is_full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
            raise (BackendFull if is_full else BackendError)(f"{self.path}: {error}") from error

    def open(self) -> None:
        self.connect()
        self.execute("BEGIN")
        self.execute("SELECT 1 FROM kv LIMIT 1")  # the first read is the moment that it shows

    def close(self) -> None:
        self._db.close()

    def get(self, key: bytes) -> bytes | None:
        found: list[tuple[bytes]] = self.execute("SELECT v FROM kv WHERE k = ?", key)
        return found[0][0] if found else None

    def range(self, start: bytes, stop: bytes, limit: int, reverse: bool = False) -> list[Any]:
        order = "DESC" if reverse else "ASC"
        query = f"SELECT k, v FROM kv WHERE k >= ? AND k < ? ORDER BY k {order} LIMIT ?"
        return self.execute(query, start, stop, limit)


class SQLiteKV(SQLiteReader):
    """The store: the one connection that writes."""

    def __init__(self, settings: SQLiteSettings) -> None:
        super().__init__(Path(settings.path))
        self.reserve, self.sync_policy = settings.reserve, settings.synchronous
        self.durable = self.snapshots = True

    def open(self) -> None:
        self.connect("rwc")
        self.execute("PRAGMA cache_size = -65536")  # 64 MB
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "wal_autocheckpoint = 65536"):
            self.execute(f"PRAGMA {pragma}")  # a commit appends to the log; see sync()
        self.execute("CREATE TABLE IF NOT EXISTS kv (k BLOB PRIMARY KEY, v BLOB)")
        self._log = os.open(f"{self.path}-wal", os.O_RDONLY)
        try:
            fcntl.flock(self._log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.close()
            raise BackendError(f"{self.path} is in use: stop the other server first") from error
        self.maintain()

    def close(self) -> None:
        super().close()
        os.close(self._log)

    def put(self, key: bytes, value: bytes) -> None:
        self.execute("INSERT INTO kv VALUES (?1, ?2) ON CONFLICT DO UPDATE SET v = ?2", key, value)

    def delete(self, key: bytes) -> bool:
        return bool(self.execute("DELETE FROM kv WHERE k = ? RETURNING 1", key))

    def begin(self) -> None:
        self.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        try:
            self.execute("COMMIT")
        finally:
            self.rollback()

    def rollback(self) -> None:
        if self._db.in_transaction:  # SQLite itself ends one after some failures
            self.execute("ROLLBACK")

    def snapshot(self) -> OrderedKV:
        reader = SQLiteReader(self.path)
        reader.open()
        return reader

    def sync(self) -> None:
        if self.sync_policy != NO:
            os.fsync(self._log)

    def maintain(self) -> None:
        other = SQLiteReader(self.path)
        other.connect()
        other.execute("PRAGMA wal_checkpoint(PASSIVE)")  # the log into the table's pages
        other.close()
        free = shutil.disk_usage(self.path).free
        full = f"{self.path}: {free} bytes are free on the disk, and {self.reserve} have to stay"
        self.refusal = full if free < self.reserve else ""

    def statistics(self) -> dict[str, int]:
        return {"sqlite_log_bytes": os.fstat(self._log).st_size}


class SQLiteTools(BackendTools):
    def copy(self, path: Path, target: Path, progress: Progress) -> None:
        store = SQLiteReader(path)
        store.connect()
        store.execute("VACUUM INTO ?", str(target))
        store.close()


class SQLiteBackend(KVBackend):
    """Keys in a table of SQLite: every tool that reads SQLite can look at them."""

    settings_type = SQLiteSettings
    tools = SQLiteTools

    def __init__(self, settings: SQLiteSettings) -> None:
        super().__init__(SQLiteKV(settings), "sqlite")
