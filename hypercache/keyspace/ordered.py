"""The OrderedKV contract: the few methods from which ``KVBackend`` makes a whole backend.

An `OrderedKV` is a sorted map from bytes to bytes with transactions: LMDB, an SQLite
table, RocksDB. Whoever has one writes these methods and hands it over::

    backend = KVBackend(MyKV(path), name="mykv")

and gets every type, expiry, SCAN, units and the rest of `hypercache.backend`.
`hypercache.testing.check_ordered_kv` tells whether an implementation keeps this contract;
``docs/backends.md`` describes what `KVBackend` stores in it.

Everything is synchronous and called from one thread.
"""

from typing import Final

from mypy_extensions import mypyc_attr

from hypercache.backend import BackendError

#: No limit below this is of use: prefixes and digests must fit.
SMALLEST_KEY_LIMIT: Final = 64


@mypyc_attr(allow_interpreted_subclasses=True)
class OrderedKV:
    """One flat space of keys, ordered bytewise (a key sorts before its own extensions).

    Keys have 1 to ``max_key_size`` bytes, values 0 to many megabytes. Methods that cannot
    do their work raise `hypercache.backend.BackendError`, or `BackendFull` where room is
    lacking; the caller then rolls the transaction back.

    Traits, set by the subclass: ``max_key_size`` (bytes, at least 64), ``durable`` (what
    was committed survives `close` and, as far as the store's settings say, a crash),
    ``pair_overhead`` (bytes that the store adds to a key and its value; an estimate, for
    memory figures), ``snapshots`` (`snapshot` works), ``sync_policy`` and ``refusal``
    (`hypercache.backend.Backend` explains the last two).
    """

    max_key_size: int
    durable: bool
    pair_overhead: int
    snapshots: bool
    sync_policy: str
    refusal: str

    def __init__(self) -> None:
        self.max_key_size = 511
        self.durable = False
        self.pair_overhead = 16
        self.snapshots = False
        self.sync_policy = "no"
        self.refusal = ""

    def open(self) -> None:
        """Get ready; called once, before everything else. May block."""

    def close(self) -> None:
        """Release everything; no transaction is open. Not used afterwards."""

    def get(self, key: bytes) -> bytes | None:
        """The value of a key, or None.

        Like `range` it works at any time: inside a transaction it sees the transaction's
        own changes, outside what was committed.
        """
        raise NotImplementedError

    def range(
        self, start: bytes, stop: bytes, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        """The first ``limit`` pairs with ``start <= key < stop``, in order of their keys.

        With ``reverse`` the last ``limit`` of them, from the highest key down. ``limit``
        is at least 1; when ``stop <= start`` there are none.
        """
        raise NotImplementedError

    def put(self, key: bytes, value: bytes) -> None:
        """Store a value, in the place of an old one. Only inside a transaction."""
        raise NotImplementedError

    def exchange(self, key: bytes, value: bytes) -> bytes | None:
        """Store a value and return the one that was there, or None. Only inside a transaction.

        Worth overriding where that takes one search and not two.
        """
        old = self.get(key)
        self.put(key, value)
        return old

    def delete(self, key: bytes) -> bool:
        """Remove a key; False when it was not there. Only inside a transaction."""
        raise NotImplementedError

    def delete_range(self, start: bytes, stop: bytes, limit: int) -> int:
        """Remove the first ``limit`` keys with ``start <= key < stop``; how many there were.

        Only inside a transaction. Worth overriding where keys can go without their values
        being read.
        """
        found = self.range(start, stop, limit)
        for key, _ in found:
            self.delete(key)
        return len(found)

    def begin(self) -> None:
        """Begin a transaction; they do not nest."""
        raise NotImplementedError

    def commit(self) -> None:
        """End the transaction, keeping its changes, all or none.

        Where that fails, it raises, and the transaction is over and undone.
        """
        raise NotImplementedError

    def rollback(self) -> None:
        """End the transaction, undoing every change."""
        raise NotImplementedError

    def snapshot(self) -> "OrderedKV":
        """What is committed now, as a store that is only read (`get`, `range`) and closed.

        Called outside of transactions. Later changes do not reach it. It is used by one thread
        at a time, not necessarily the store's own.
        """
        raise BackendError("this store has no snapshots")

    def sync(self) -> None:
        """As `hypercache.backend.Backend.sync`."""

    def maintain(self) -> None:
        """As `hypercache.backend.Backend.maintain`."""

    def statistics(self) -> dict[str, int]:
        """Numbers for INFO and metrics, by snake_case name; none is negative."""
        return {}
