"""Keys that were evicted lately, as fingerprints: eight bytes each, in a table of fixed places.

A ghost is forgotten when as many others have come as the store has keys, or when both of its
places are taken by later ones. One key is taken for another one's ghost hardly ever: 30 bits of
their hashes have to be equal beside the place.
"""

from typing import Final

from librt.vecs import append, extend, vec
from mypy_extensions import i64

from hypercache.policies.hashes import hash_of

_LEAST: Final[i64] = 1024
# A ghost is its fingerprint above its turn. Turns go round; where there is no ghost there is one
# of half a round ago.
_SHIFT: Final[i64] = 32
_TURNS: Final[i64] = 0xFFFFFFFF
_HALF_ROUND: Final[i64] = 0x80000000


class Ghosts:
    """Fingerprints with the turn in which they came, two places for each."""

    def __init__(self) -> None:
        self._table: vec[i64] = vec[i64]()
        self._turn: i64 = 0
        self.clear()

    def clear(self) -> None:
        """Forget all of them."""
        self._table = vec[i64]()
        self._turn = 0
        size: i64 = 0
        while size < _LEAST:
            self._table = append(self._table, _HALF_ROUND)
            size += 1

    def memory(self) -> i64:
        """Bytes of the table."""
        return i64(len(self._table)) * 8

    def add(self, key: bytes, keys: i64) -> None:
        """A key goes from a store of so many keys."""
        if keys > len(self._table):  # what there is has its place in both halves
            self._table = extend(self._table, self._table)
        table = self._table
        hashed = hash_of(key)
        place = hashed & (i64(len(table)) - 1)
        turn = (self._turn + 1) & _TURNS
        self._turn = turn
        # No branch: nobody could guess which way it goes before memory has answered.
        place ^= i64((turn - table[place ^ 1]) & _TURNS > (turn - table[place]) & _TURNS)
        table[place] = hashed >> _SHIFT << _SHIFT | turn

    def take(self, key: bytes, keys: i64) -> bool:
        """Whether a key that comes to a store of so many is a ghost; then it is none any more."""
        table = self._table
        hashed = hash_of(key)
        place = hashed & (i64(len(table)) - 1)
        ghost = table[place]
        if (ghost ^ hashed) >> _SHIFT != 0:
            place ^= 1
            ghost = table[place]
            if (ghost ^ hashed) >> _SHIFT != 0:
                return False
        table[place] = (self._turn + _HALF_ROUND) & _TURNS
        return (self._turn - ghost) & _TURNS <= keys
