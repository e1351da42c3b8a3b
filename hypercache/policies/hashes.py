"""Hashes of keys, for what remembers keys without keeping them."""

from typing import Final

from mypy_extensions import i64

_BITS: Final[i64] = (1 << 62) - 1


def hash_of(key: bytes) -> i64:
    """62 bits of the interpreter's own hash: keyed, so that nobody can choose it, and kept in
    the key. Not the same in another process."""
    hashed: i64 = hash(key)
    return hashed & _BITS
