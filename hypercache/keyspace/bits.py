"""Strings as rows of bits: counting, seeking and combining them.

Bit 0 is the most significant bit of the first byte (SETBIT). Counting and combining are
done in one of two ways that give the same: compiled, a loop takes a word of 64 bits in a
few cycles; interpreted, such a loop would take a microsecond a word, so big integers do
the work, whose loops are C's.
"""

from typing import Final

from librt.strings import BytesWriter, read_i64_le, write_i64_le
from mypy_extensions import i64

# What BITOP does; NOT is XOR with ones.
AND: Final[i64] = 0
OR: Final[i64] = 1
XOR: Final[i64] = 2

_COMPILED: Final = not __file__.endswith(".py")

# Sums of neighbours: bits into pairs, pairs into nibbles, nibbles into bytes, and so on.
_PAIRS: Final[i64] = 0x5555555555555555
_NIBBLES: Final[i64] = 0x3333333333333333
_BYTES: Final[i64] = 0x0F0F0F0F0F0F0F0F
_SHORTS: Final[i64] = 0x00FF00FF00FF00FF
# Words whose bytewise sums fit in a byte: 31 would, and 16 divide well.
_BLOCK: Final[i64] = 16 * 8


def count(data: bytes) -> int:
    """The number of ones."""
    return count_by_words(data) if _COMPILED else count_by_number(data)


def count_by_number(data: bytes) -> int:
    """`count` for interpreters."""
    return int.from_bytes(data, "little").bit_count()


def count_by_words(data: bytes) -> int:
    """`count` for compilers: sideways addition (Knuth, TAOCP 4A, 7.1.3)."""
    # Compiled, only local variables are machine words.
    pairs: i64 = _PAIRS
    nibbles: i64 = _NIBBLES
    all_bytes: i64 = _BYTES
    shorts: i64 = _SHORTS
    end: i64 = len(data)
    at: i64 = 0
    total: i64 = 0
    while at + _BLOCK <= end:
        sums: i64 = 0
        stop = at + _BLOCK
        while at < stop:
            word = read_i64_le(data, at)
            word -= (word >> 1) & pairs
            word = (word & nibbles) + ((word >> 2) & nibbles)
            sums += (word + (word >> 4)) & all_bytes
            at += 8
        sums = (sums & shorts) + ((sums >> 8) & shorts)
        sums += sums >> 16
        sums += sums >> 32
        total += sums & 0xFFFF
    return int(total) + count_by_number(data[at:])


def combine(operation: i64, first: bytes, second: bytes) -> bytes:
    """`AND`, `OR` or `XOR` of two strings of the same length."""
    if _COMPILED:
        return combine_by_words(operation, first, second)
    return combine_by_numbers(operation, first, second)


def combine_by_numbers(operation: i64, first: bytes, second: bytes) -> bytes:
    """`combine` for interpreters."""
    one = int.from_bytes(first, "little")
    other = int.from_bytes(second, "little")
    if operation == AND:
        one &= other
    elif operation == OR:
        one |= other
    else:
        one ^= other
    return one.to_bytes(len(first), "little")


def combine_by_words(operation: i64, first: bytes, second: bytes) -> bytes:
    """`combine` for compilers."""
    out = BytesWriter()
    size: i64 = len(first)
    end: i64 = size - size % 8
    at: i64 = 0
    if operation == AND:
        while at < end:
            write_i64_le(out, read_i64_le(first, at) & read_i64_le(second, at))
            at += 8
    elif operation == OR:
        while at < end:
            write_i64_le(out, read_i64_le(first, at) | read_i64_le(second, at))
            at += 8
    else:
        while at < end:
            write_i64_le(out, read_i64_le(first, at) ^ read_i64_le(second, at))
            at += 8
    out.write(combine_by_numbers(operation, first[end:], second[end:]))
    return out.getvalue()


def find(data: bytes, bit: i64) -> int:
    """The place of the first bit that is ``bit`` (0 or 1), -1 if there is none."""
    number = int.from_bytes(data, "big")
    size = len(data) * 8
    if bit == 0:
        number ^= (1 << size) - 1
    return size - number.bit_length() if number else -1
