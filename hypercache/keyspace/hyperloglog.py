"""HyperLogLogs: counts of distinct elements, kept in Redis' own format.

16,384 registers each remember the longest run of zeros among the hashes that chose them.
The string that holds them moves between servers as it is:

    "HYLL", encoding (1 byte), 3 unused bytes, cached count (8 bytes, little-endian; stale
    while its highest bit is set), registers

The *dense* encoding has 6 bits a register, from the lowest bit of the first byte on. The
*sparse* one has runs of registers: see `hypercache.keyspace.sparse_registers`.

Sources: Flajolet et al., HyperLogLog (2007); Heule et al., HyperLogLog in Practice (2013);
Ertl, New cardinality estimation algorithms for HyperLogLog sketches (2017); Redis 7.2.
"""

import math
from typing import Final

from librt.vecs import vec
from mypy_extensions import i64, u8

from hypercache.filters.hashing import murmur

MAGIC: Final = b"HYLL"
HEADER: Final[i64] = 16
REGISTERS: Final[i64] = 16384
DENSE: Final[i64] = 0
SPARSE: Final[i64] = 1
DENSE_LENGTH: Final[i64] = HEADER + REGISTERS * 6 // 8

_SEED: Final[i64] = 0xADC83B19
_INDEX_BITS: Final[i64] = 14
#: The greatest value that a hash gives a register: 50 zeros and the one behind them.
MAX_RANK: Final[i64] = 51
# Of the cached count: it starts here, and is stale while its last byte has this bit.
_COUNT: Final[i64] = 8
_STALE: Final = 0x80
# 1 / (2 ln 2), the limit of the bias correction for many registers.
_ALPHA: Final = 0.721347520444481703680


class Corrupt(Exception):
    """The string begins like a HyperLogLog, but its registers do not make sense."""


def is_valid(header: bytes, length: i64) -> bool:
    """Whether a string of this length that begins so can be a HyperLogLog."""
    if len(header) < HEADER or not header.startswith(MAGIC):
        return False
    encoding: i64 = header[4]
    return encoding == SPARSE or (encoding == DENSE and length == DENSE_LENGTH)


def register_of(element: bytes) -> tuple[i64, i64]:
    """The register that an element chooses, and the value it asks for (1 to `MAX_RANK`)."""
    value = murmur(element, _SEED)
    index = value & (REGISTERS - 1)
    value >>= _INDEX_BITS
    rank: i64 = 1
    while rank < MAX_RANK and value & 1 == 0:
        value >>= 1
        rank += 1
    return index, rank


# The cached count -------------------------------------------------------------------------


def cached_count(header: bytes) -> i64:
    """The count that was last computed, or -1 if the registers have changed since."""
    if header[15] & _STALE:
        return -1
    return int.from_bytes(header[_COUNT:HEADER], "little")


def with_count(text: bytes, count: i64) -> bytes:
    """The string with its count cached."""
    return text[:_COUNT] + encoded_count(count) + text[HEADER:]


def encoded_count(count: i64) -> bytes:
    """The cached count as it stands in the header."""
    return int(count).to_bytes(8, "little", signed=True)


def stale_byte(header: bytes) -> bytes:
    """The header's last byte, marking the cached count as stale."""
    return bytes([header[15] | _STALE])


def with_stale_count(text: bytes) -> bytes:
    """The string with its cached count marked as stale."""
    return text if text[15] & _STALE else text[:15] + stale_byte(text) + text[16:]


# The dense encoding -----------------------------------------------------------------------


def place_of(index: i64) -> i64:
    """Where in a dense string the two bytes are that hold a register (the last one: one byte)."""
    return HEADER + (index * 6 >> 3)


def raised(pair: bytes, index: i64, rank: i64) -> bytes:
    """The bytes from `place_of` with the register raised to ``rank``; none if it is as high."""
    shift = index * 6 & 7
    number: i64 = pair[0]
    if len(pair) > 1:
        number |= i64(pair[1]) << 8
    old = number >> shift & 63
    if old >= rank:
        return b""
    number += (rank - old) << shift
    return bytes([number & 255, number >> 8]) if len(pair) > 1 else bytes([number])


def with_register(text: bytes, index: i64, rank: i64) -> bytes:
    """A dense string with a register raised; the same one if it is as high already."""
    at = place_of(index)
    pair = raised(text[at : at + 2], index, rank)
    return text[:at] + pair + text[at + len(pair) :] if pair else text


def merge_dense(text: bytes, registers: vec[u8]) -> None:
    """Raise registers to those of a dense string."""
    index: i64 = 0
    at: i64 = HEADER
    while at < DENSE_LENGTH:
        low: i64 = text[at]
        middle: i64 = text[at + 1]
        high: i64 = text[at + 2]
        raise_to(registers, index, low & 63)
        raise_to(registers, index + 1, (low >> 6 | middle << 2) & 63)
        raise_to(registers, index + 2, (middle >> 4 | high << 4) & 63)
        raise_to(registers, index + 3, high >> 2)
        index += 4
        at += 3


def raise_to(registers: vec[u8], index: i64, rank: i64) -> None:
    """Raise one register, unless it is as high already."""
    if i64(registers[index]) < rank:
        registers[index] = u8(rank)


def dense_text(header: bytes, registers: vec[u8]) -> bytes:
    """A dense string with these registers and the rest of a header."""
    data = vec[u8](bytes(DENSE_LENGTH - HEADER))
    index: i64 = 0
    at: i64 = 0
    while index < REGISTERS:
        low = i64(registers[index]) | i64(registers[index + 1]) << 6
        high = i64(registers[index + 2]) | i64(registers[index + 3]) << 6
        group = low | high << 12
        data[at] = u8(group & 255)
        data[at + 1] = u8(group >> 8 & 255)
        data[at + 2] = u8(group >> 16)
        index += 4
        at += 3
    return MAGIC + bytes([DENSE]) + header[5:HEADER] + bytes(data)


# Counting ---------------------------------------------------------------------------------


def no_registers() -> vec[u8]:
    """All registers at 0."""
    return vec[u8](bytes(REGISTERS))


def no_counts() -> vec[i64]:
    """How many registers have each value from 0 to 63: none yet."""
    return vec[i64]([0] * 64)


def histogram(registers: vec[u8]) -> vec[i64]:
    """How many registers have each value from 0 to 63."""
    counts = no_counts()
    for index in range(REGISTERS):
        counts[i64(registers[index])] += 1
    return counts


def dense_histogram(text: bytes) -> vec[i64]:
    """How many registers of a dense string have each value from 0 to 63."""
    counts = no_counts()
    at: i64 = HEADER
    while at < DENSE_LENGTH:
        low: i64 = text[at]
        middle: i64 = text[at + 1]
        high: i64 = text[at + 2]
        counts[low & 63] += 1
        counts[(low >> 6 | middle << 2) & 63] += 1
        counts[(middle >> 4 | high << 4) & 63] += 1
        counts[high >> 2] += 1
        at += 3
    return counts


def estimate(counts: vec[i64]) -> i64:
    """The number of distinct elements, from the histogram of the registers.

    Ertl's improved raw estimator. Registers that no hash can bring about may ask for more
    than 64 bits: then it is the least negative number, as in Redis.
    """
    size = float(REGISTERS)
    total = size * _tau((size - float(counts[MAX_RANK])) / size)
    rank = MAX_RANK - 1
    while rank >= 1:
        total = (total + float(counts[rank])) * 0.5
        rank -= 1
    if counts[0] == REGISTERS:
        return 0
    total += size * _sigma(float(counts[0]) / size)
    scaled = _ALPHA * size * size
    if scaled >= total * 2.0**63:
        return -(1 << 63)
    result = scaled / total
    whole = math.floor(result)
    return whole + 1 if result - whole >= 0.5 else whole


def _sigma(x: float) -> float:
    """x + the sum of x**(2**k) * 2**(k-1) for k from 1 on; 0 <= x < 1."""
    weight = 1.0
    total = x
    before = -1.0
    while total != before:
        x *= x
        before = total
        total += x * weight
        weight += weight
    return total


def _tau(x: float) -> float:
    """(1 - x - the sum of (1 - x**(2**-k))**2 * 2**-k for k from 1 on) / 3; 0 <= x <= 1."""
    if x == 0.0 or x == 1.0:
        return 0.0
    weight = 1.0
    total = 1.0 - x
    before = -1.0
    while total != before:
        x = math.sqrt(x)
        before = total
        weight *= 0.5
        total -= (1.0 - x) * (1.0 - x) * weight
    return total / 3.0
