"""How often keys were used lately, also those that are not there: a count-min sketch.

Four counters of four bits a key, of which the lowest counts (Cormode & Muthukrishnan 2005); all
are halved in the course of ten uses for each word, so that the past fades (TinyLFU: Einziger,
Friedman & Manes 2017). That is done a word at a time: there is no pause. The four of a key lie
in one block of eight words, so that a key costs one look at memory that is far away.
"""

from typing import Final

from librt.vecs import append, extend, vec
from mypy_extensions import i64

from hypercache.policies.hashes import hash_of

_LEAST: Final[i64] = 256
# A word holds 15 counters: the sign is left alone.
_COUNTERS: Final[i64] = 15
_FULL: Final[i64] = 15
_HALVES: Final[i64] = 0x0777777777777777
# Uses after which the next word is halved.
_PERIOD: Final[i64] = 10
# The lowest 38 bits of a hash say which block, those above which counters there: a row has two
# words, of which a bit chooses one; four more choose the counter.
_BLOCK: Final[i64] = 8
_BLOCK_BITS: Final[i64] = 3
_ROWS: Final[i64] = 38


class Sketch:
    """Counters of 0 to 15, eight bytes for each key of the store."""

    def __init__(self) -> None:
        self._words: vec[i64] = vec[i64]()
        self._sweep: i64 = 0
        self._uses: i64 = 0
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._words = vec[i64]()
        self._sweep = 0
        self._uses = 0
        size: i64 = 0
        while size < _LEAST:
            self._words = append(self._words, i64(0))
            size += 1

    def memory(self) -> i64:
        """Bytes of the counters."""
        return i64(len(self._words)) * 8

    def fit(self, keys: i64) -> None:
        """The store has so many keys; what was counted stays."""
        if keys > len(self._words):
            self._words = extend(self._words, self._words)

    def add(self, key: bytes, uses: i64) -> None:
        """A key was used so often, or asked for in vain."""
        hashed = hash_of(key)
        words = self._words
        mask = i64(len(words)) - 1
        row = (hashed & mask >> _BLOCK_BITS) << _BLOCK_BITS
        stop = row + _BLOCK
        choice = hashed >> _ROWS
        while row < stop:
            place = row + (choice & 1)
            shift = (choice >> 1 & 15) % _COUNTERS * 4
            counter = words[place] >> shift & _FULL
            more: i64 = uses if counter + uses <= _FULL else _FULL - counter
            words[place] += more << shift
            choice >>= 5
            row += 2
        self._uses += uses
        while self._uses >= _PERIOD:
            self._uses -= _PERIOD
            self._sweep = (self._sweep + 1) & mask
            words[self._sweep] = words[self._sweep] >> 1 & _HALVES

    def count(self, key: bytes) -> i64:
        """About how often a key was used lately."""
        hashed = hash_of(key)
        words = self._words
        row = (hashed & i64(len(words)) - 1 >> _BLOCK_BITS) << _BLOCK_BITS
        stop = row + _BLOCK
        choice = hashed >> _ROWS
        least = _FULL
        while row < stop:
            shift = (choice >> 1 & 15) % _COUNTERS * 4
            counter = words[row + (choice & 1)] >> shift & _FULL
            if counter < least:
                least = counter
            choice >>= 5
            row += 2
        return least
