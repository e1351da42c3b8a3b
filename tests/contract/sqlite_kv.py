"""`OrderedKV` over a table of SQLite: what an outsider's store looks like, in one afternoon."""

import sqlite3
from pathlib import Path

from hypercache.backend import BackendError
from hypercache.keyspace.ordered import OrderedKV


class SQLiteKV(OrderedKV):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.durable = True
        self.max_key_size = 1000
        self.pair_overhead = 12

    def open(self) -> None:
        self.db = sqlite3.connect(self.path, isolation_level=None)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = OFF")
        self.db.execute("CREATE TABLE IF NOT EXISTS kv (k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID")

    def close(self) -> None:
        self.db.close()

    def get(self, key: bytes) -> bytes | None:
        row = self.db.execute("SELECT v FROM kv WHERE k = ?", (key,)).fetchone()
        return None if row is None else row[0]

    def range(
        self, start: bytes, stop: bytes, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        order = "DESC" if reverse else "ASC"
        query = f"SELECT k, v FROM kv WHERE k >= ? AND k < ? ORDER BY k {order} LIMIT ?"
        return self.db.execute(query, (start, stop, limit)).fetchall()

    def put(self, key: bytes, value: bytes) -> None:
        self._write("INSERT OR REPLACE INTO kv VALUES (?, ?)", (key, value))

    def delete(self, key: bytes) -> bool:
        return self._write("DELETE FROM kv WHERE k = ?", (key,)) > 0

    def _write(self, statement: str, arguments: tuple[bytes, ...]) -> int:
        try:
            return self.db.execute(statement, arguments).rowcount
        except sqlite3.Error as error:
            raise BackendError(f"{self.path}: {error}") from error

    def begin(self) -> None:
        self.db.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        self.db.execute("COMMIT")

    def rollback(self) -> None:
        self.db.execute("ROLLBACK")
