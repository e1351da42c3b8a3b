"""MurmurHash64A, the hash that filters and HyperLogLogs are made of.

Source: Austin Appleby, MurmurHash2 (2010), the variant for 64-bit machines; words are read
as little-endian, as Redis does on every machine. It is the same in every process, so that what
is made of it can be kept.
"""

from typing import Final

from librt.strings import read_i64_le
from mypy_extensions import i64

# 0xc6a4a7935bd1e995, signed.
_MULTIPLIER: Final[i64] = -0x395B586CA42E166B
_LOW_HALF: Final = 0xFFFFFFFF
_SIGN: Final = 0x80000000


def murmur(data: bytes, seed: i64) -> i64:
    """The hash of a string, as a signed number of 64 bits."""
    size: i64 = len(data)
    value = seed ^ times(size)
    end = size - size % 8
    at: i64 = 0
    while at < end:
        value = times(value ^ times(fold(times(read_i64_le(data, at)))))
        at += 8
    if at < size:
        rest: i64 = 0
        while size > at:
            size -= 1
            rest = rest << 8 | data[size]
        value = times(value ^ rest)
    return fold(times(fold(value)))


def times(value: i64) -> i64:
    """The product with the multiplier, cut to 64 bits where Python's integers keep all."""
    product = value * _MULTIPLIER
    return (((product >> 32 & _LOW_HALF) ^ _SIGN) - _SIGN) << 32 | (product & _LOW_HALF)


def fold(value: i64) -> i64:
    """The value with its upper 17 bits mixed into the lowest."""
    return value ^ (value >> 47 & 0x1FFFF)
