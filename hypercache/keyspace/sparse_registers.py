"""The sparse encoding of a HyperLogLog's registers: runs of equal ones.

    00nnnnnn            n + 1 registers at 0
    01nnnnnn nnnnnnnn   n + 1 registers at 0
    1vvvvvnn            n + 1 registers at v + 1

The bytes are those that Redis would write: a change splits the run that it is in, and then
joins neighbours, but only the next few. So two servers that see the same elements in the
same order hold the same string.
"""

from typing import Final

from librt.vecs import vec
from mypy_extensions import i64, u8

from hypercache.keyspace.hyperloglog import (
    HEADER,
    MAGIC,
    REGISTERS,
    SPARSE,
    Corrupt,
    dense_text,
    no_counts,
    no_registers,
    raise_to,
    with_register,
    with_stale_count,
)

# The greatest value and the longest run in one byte that starts with 1, and of zeros with 00.
MAX_VALUE: Final[i64] = 32
_MAX_RUN: Final[i64] = 4
_MAX_ZEROS: Final[i64] = 64
# How many runs are looked at to join neighbours.
_JOINED: Final[i64] = 5


def empty() -> bytes:
    """A HyperLogLog of no elements; its count, 0, is cached."""
    return MAGIC + bytes([SPARSE]) + bytes(11) + zeros(REGISTERS)


def zeros(size: i64) -> bytes:
    """A run of registers at 0."""
    rest = size - 1
    return bytes([rest]) if size <= _MAX_ZEROS else bytes([0x40 | rest >> 8, rest & 0xFF])


def values(value: i64, size: i64) -> bytes:
    """A run of registers at a value above 0."""
    return bytes([0x80 | (value - 1) << 2 | (size - 1)])


def value_of(code: i64) -> i64:
    """The value of the registers in a run that begins with this byte."""
    return (code >> 2 & 31) + 1 if code & 0x80 else 0


def size_of(text: bytes, at: i64) -> i64:
    """The number of registers in the run at a place; what is cut off counts as a zero byte."""
    code: i64 = text[at]
    if code & 0x80:
        return (code & 3) + 1
    if code & 0x40 == 0:
        return code + 1
    low: i64 = text[at + 1] if at + 1 < len(text) else 0
    return ((code & 0x3F) << 8 | low) + 1


def width_of(code: i64) -> i64:
    """The number of bytes of a run that begins with this one."""
    return 2 if code & 0xC0 == 0x40 else 1


def add(text: bytes, index: i64, rank: i64, limit: i64) -> bytes:
    """A sparse string with a register raised; the same one if it is as high already.

    It becomes dense where the value is too great for a run, or where it would take more
    than ``limit`` bytes. Raises `Corrupt` for a string that ends before the register's run does.
    """
    if rank > MAX_VALUE:
        return with_register(to_dense(text), index, rank)
    length: i64 = len(text)
    at: i64 = HEADER
    before: i64 = HEADER
    first: i64 = 0
    size: i64 = 0
    after: i64 = HEADER
    code: i64 = 0
    while at < length:
        # Nearly all of the time goes here: what `size_of` and `width_of` say, without calls.
        code = text[at]
        if code & 0x80:
            size = (code & 3) + 1
            after = at + 1
        elif code & 0x40 == 0:
            size = code + 1
            after = at + 1
        else:
            size = size_of(text, at)
            after = at + 2
        if index < first + size:
            break
        before = at
        first += size
        at = after
    if at >= length:
        raise Corrupt
    value = value_of(code)
    if value >= rank:
        return text
    if after > length:
        raise Corrupt
    split = _split(value, size, index - first, rank)
    if len(split) > after - at and length + len(split) - (after - at) > limit:
        return with_register(to_dense(text), index, rank)
    head = with_stale_count(text[:at])
    return _join(head + split + text[after:], before)


def _split(value: i64, size: i64, offset: i64, rank: i64) -> bytes:
    """A run with the register at an offset raised."""
    single = values(rank, 1)
    rest = size - offset - 1
    if value == 0:
        left = zeros(offset) if offset > 0 else b""
        right = zeros(rest) if rest > 0 else b""
    else:
        left = values(value, offset) if offset > 0 else b""
        right = values(value, rest) if rest > 0 else b""
    return left + single + right


def _join(text: bytes, at: i64) -> bytes:
    """The string with equal neighbours joined, in a few runs from a place on."""
    steps = _JOINED
    while at < len(text) and steps > 0:
        steps -= 1
        code: i64 = text[at]
        if code & 0x80 and at + 1 < len(text):
            neighbour: i64 = text[at + 1]
            size = (code & 3) + (neighbour & 3) + 2
            if neighbour & 0x80 and code >> 2 == neighbour >> 2 and size <= _MAX_RUN:
                text = text[:at] + values(value_of(code), size) + text[at + 2 :]
                continue
        at += width_of(code)
    return text


def merge(text: bytes, registers: vec[u8]) -> None:
    """Raise registers to those of a sparse string; raises `Corrupt` if it has not just enough."""
    index: i64 = 0
    at: i64 = HEADER
    while at < len(text):
        code: i64 = text[at]
        size = size_of(text, at)
        value = value_of(code)
        if value == 0:
            index += size
        else:
            if index + size > REGISTERS:
                break
            while size > 0:
                raise_to(registers, index, value)
                index += 1
                size -= 1
        at += width_of(code)
    if index != REGISTERS:
        raise Corrupt


def to_dense(text: bytes) -> bytes:
    """The dense string for a sparse one; raises `Corrupt`."""
    registers = no_registers()
    merge(text, registers)
    return dense_text(text, registers)


def histogram(text: bytes) -> vec[i64]:
    """How many registers have each value; raises `Corrupt` if the runs have not just enough."""
    counts = no_counts()
    total: i64 = 0
    at: i64 = HEADER
    while at < len(text):
        code: i64 = text[at]
        size = size_of(text, at)
        counts[value_of(code)] += size
        total += size
        at += width_of(code)
    if total != REGISTERS:
        raise Corrupt
    return counts


def describe(text: bytes) -> str:
    """The runs as PFDEBUG DECODE shows them."""
    runs: list[str] = []
    at: i64 = HEADER
    while at < len(text):
        code: i64 = text[at]
        size = size_of(text, at)
        if code & 0x80:
            runs.append(f"v:{value_of(code)},{size}")
        else:
            runs.append(f"{'Z' if code & 0x40 else 'z'}:{size}")
        at += width_of(code)
    return " ".join(runs)
