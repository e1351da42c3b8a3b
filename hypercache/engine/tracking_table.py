"""Which clients have read which keys: the memory of client-side caching, bounded by its owner.

Clients are remembered by number, and not forgotten when they go: to look for all keys of a
client would take too long. Whoever takes a key out finds out which of its readers still care.
"""

from typing import Final

from mypy_extensions import i64

from hypercache.keyspace.clock import Chance

_NOBODY: Final[list[int]] = []


class Readers:
    """Who has read a key, and the key's place among all; most keys have one reader."""

    __slots__ = ("first", "others", "place")

    def __init__(self, first: int, place: i64) -> None:
        self.first = first
        self.others: dict[int, None] | None = None
        self.place = place


class TrackingTable:
    """Keys with their readers. Everything costs O(1), picking a key by chance as well.

    ``items`` counts the readers of all keys.
    """

    def __init__(self) -> None:
        self.items: i64 = 0
        self._readers: dict[bytes, Readers] = {}
        self._keys: list[bytes] = []

    def __len__(self) -> int:
        return len(self._keys)

    def remember(self, key: bytes, client: int) -> None:
        """A client has read a key."""
        readers = self._readers.get(key)
        if readers is None:
            self._readers[key] = Readers(client, len(self._keys))
            self._keys.append(key)
            self.items += 1
        elif readers.first != client:
            others = readers.others
            if others is None:
                others = readers.others = {}
            if client not in others:
                others[client] = None
                self.items += 1

    def take(self, key: bytes) -> list[int]:
        """Forget a key; the numbers of the clients that have read it."""
        readers = self._readers.pop(key, None)
        if readers is None:
            return _NOBODY
        last = self._keys.pop()
        if last != key:  # the last key moves where this one was
            self._keys[readers.place] = last
            self._readers[last].place = readers.place
        found = [readers.first]
        if readers.others is not None:
            found += readers.others
        self.items -= len(found)
        return found

    def any_key(self, chance: Chance) -> bytes:
        """One of the keys, each as likely as any other; the table is not empty."""
        return self._keys[chance.below(len(self._keys))]

    def clear(self) -> None:
        """Forget everything."""
        self.items = 0
        self._readers = {}
        self._keys = []
