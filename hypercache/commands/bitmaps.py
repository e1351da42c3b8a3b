"""Strings as rows of bits: SETBIT, GETBIT, BITCOUNT, BITPOS and BITOP.

Bit 0 is the most significant bit of the first byte. Long strings are read in pieces, so that
no command needs memory in the size of what it reads.
"""

from typing import Final, cast

from mypy_extensions import i64

from hypercache.backend import NO_EXPIRE, STRING, Entry, StringValue
from hypercache.commands.arguments import SYNTAX_ERROR, parse_integer
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.keyspace import bits
from hypercache.keyspace.changes import SET, SETBIT
from hypercache.keyspace.keyspace import Keyspace
from hypercache.reply import ErrorReply, Reply

OFFSET_ERROR: Final = "ERR bit offset is not an integer or out of range"
_BIT_ERROR: Final = "ERR bit is not an integer or out of range"

_BYTES: Final = [bytes([byte]) for byte in range(256)]

# Bytes read at a time: few calls, and still in the processor's first caches.
PIECE: Final[i64] = 32768
_ZEROS: Final = bytes(PIECE)
_ONES: Final = b"\xff" * PIECE


def parse_offset(context: Context, text: bytes) -> i64:
    """The place of a bit that a string can have."""
    offset = parse_integer(text, OFFSET_ERROR)
    if offset < 0 or offset >> 3 >= context.engine.max_bulk:
        raise ErrorReply(OFFSET_ERROR)
    return offset


@command(
    "SETBIT key offset:integer value:integer",
    group="bitmap",
    since="2.2.0",
    complexity="O(1)",
    flags="write denyoom",
    keys="RW access update",
    summary="Set or clear one bit of a string, which grows as needed, and return what it was.",
)
def setbit(context: Context, args: list[bytes]) -> Reply:
    offset = parse_offset(context, args[2])
    on = parse_integer(args[3], _BIT_ERROR)
    if on != 0 and on != 1:
        raise ErrorReply(_BIT_ERROR)
    at = offset >> 3
    shift = 7 - (offset & 7)
    value = context.db.edit_string(args[1], SETBIT)
    present = value.read(at, at + 1)
    byte: i64 = present[0] if present else 0
    old = (byte >> shift) & 1
    if old != on or not present:
        value.write(at, _BYTES[byte ^ (old ^ on) << shift])
    return old


@command(
    "GETBIT key offset:integer",
    group="bitmap",
    since="2.2.0",
    complexity="O(1)",
    flags="readonly fast",
    keys="RO access",
    summary="Return one bit of a string; beyond its end there are zeros.",
)
def getbit(context: Context, args: list[bytes]) -> Reply:
    offset = parse_offset(context, args[2])
    db = context.db
    entry = db.view_any(args[1])
    return 0 if entry is None else bit_at(db, entry, offset)


def bit_at(db: Keyspace, entry: Entry, offset: i64) -> i64:
    """One bit of an entry's string, 0 beyond its end; WRONGTYPE for other kinds."""
    at = offset >> 3
    byte = db.part(entry, at, at + 1)
    return (byte[0] >> (7 - (offset & 7))) & 1 if byte else 0


class Range:
    """Bits ``first <= i <= last`` of a string; there are none when ``first`` is greater.

    Made of what a client asked for: places of bytes or bits (``in_bits``), from the end on
    where they are negative, in a string of ``length`` bytes.
    """

    def __init__(self, start: i64, end: i64, length: i64, in_bits: bool) -> None:
        size = length * 8 if in_bits else length
        if start < 0:
            start = max(start + size, 0)
        if end < 0:
            end = max(end + size, 0)
        end = min(end, size - 1)
        self.first: i64 = start
        self.last: i64 = end
        if start <= end and not in_bits:
            self.first = start * 8
            self.last = end * 8 + 7


def is_unit_bit(word: bytes) -> bool:
    """Whether BYTE | BIT is BIT."""
    unit = word.lower()
    if unit != b"bit" and unit != b"byte":
        raise ErrorReply(SYNTAX_ERROR)
    return unit == b"bit"


@command(
    "BITCOUNT key range=[start:integer end:integer unit=[BYTE | BIT]]",
    group="bitmap",
    since="2.6.0",
    complexity="O(N) where N is the number of bytes looked at",
    flags="readonly",
    keys="RO access",
    history=(("7.0.0", "The places can be those of bits."),),
    summary="Count the bits that are set in a string, or in a part of it.",
)
def bitcount(context: Context, args: list[bytes]) -> Reply:
    db = context.db
    entry = db.view_any(args[1])
    if entry is None:
        return 0
    length: i64 = db.text_length(entry)
    if len(args) == 2:
        return count_bytes(db, entry, 0, length)
    if len(args) != 4 and len(args) != 5:
        raise ErrorReply(SYNTAX_ERROR)
    start = parse_integer(args[2])
    end = parse_integer(args[3])
    if start < 0 and end < 0 and start > end:
        return 0
    in_bits = len(args) == 5 and is_unit_bit(args[4])
    asked = Range(start, end, length, in_bits)
    first = asked.first
    last = asked.last
    if first > last:
        return 0
    # Whole bytes, less what the first and the last of them have beside the range.
    before = db.part(entry, first >> 3, (first >> 3) + 1)[0] >> (8 - (first & 7))
    after = db.part(entry, last >> 3, (last >> 3) + 1)[0] & ((1 << (7 - (last & 7))) - 1)
    total = count_bytes(db, entry, first >> 3, (last >> 3) + 1)
    return total - bits.count(bytes([before, after]))


def count_bytes(db: Keyspace, entry: Entry, start: i64, stop: i64) -> int:
    """The ones in bytes ``start <= i < stop`` of an entry's string."""
    total = 0
    while start < stop:
        total += bits.count(db.part(entry, start, min(start + PIECE, stop)))
        start += PIECE
    return total


@command(
    "BITPOS key bit:integer range=[start:integer end-unit-block=[end:integer unit=[BYTE | BIT]]]",
    group="bitmap",
    since="2.8.7",
    complexity="O(N) where N is the number of bytes looked at",
    flags="readonly",
    keys="RO access",
    history=(("7.0.0", "The places can be those of bits."),),
    summary="Find the first bit of a string, or of a part of it, that is set or clear.",
)
def bitpos(context: Context, args: list[bytes]) -> Reply:
    bit = parse_integer(args[2])
    if bit != 0 and bit != 1:
        raise ErrorReply("ERR The bit argument must be 1 or 0.")
    db = context.db
    entry = db.view_any(args[1])
    if entry is None:
        return -1 if bit == 1 else 0
    length: i64 = db.text_length(entry)
    if len(args) > 6:
        raise ErrorReply(SYNTAX_ERROR)
    start = parse_integer(args[3]) if len(args) > 3 else 0
    in_bits = len(args) == 6 and is_unit_bit(args[5])
    end = parse_integer(args[4]) if len(args) > 4 else -1
    asked = Range(start, end, length, in_bits)
    if asked.first > asked.last:
        return -1
    found = find_bit(db, entry, bit, asked.first, asked.last)
    # Without an end the string counts as followed by zeros.
    return length * 8 if found < 0 and bit == 0 and len(args) < 5 else found


def find_bit(db: Keyspace, entry: Entry, bit: i64, first: i64, last: i64) -> i64:
    """The first of the bits ``first <= i <= last`` that is ``bit``, -1 if there is none."""
    while first & 7 and first <= last:
        if bit_at(db, entry, first) == bit:
            return first
        first += 1
    found = find_in_bytes(db, entry, bit, first >> 3, (last + 1) >> 3)
    if found >= 0:
        return found
    first = max(first, (last + 1) & ~7)
    while first <= last:
        if bit_at(db, entry, first) == bit:
            return first
        first += 1
    return -1


def find_in_bytes(db: Keyspace, entry: Entry, bit: i64, start: i64, stop: i64) -> i64:
    """`find_bit` in bytes ``start <= i < stop``."""
    without = _ZEROS if bit == 1 else _ONES
    while start < stop:
        piece = db.part(entry, start, min(start + PIECE, stop))
        if piece != without:
            found: i64 = bits.find(piece, bit)
            if found >= 0:
                return start * 8 + found
        start += PIECE
    return -1


@command(
    "BITOP operation=(AND | OR | XOR | NOT) destkey key...",
    group="bitmap",
    since="2.6.0",
    complexity="O(N) where N is the number of bytes in all strings",
    flags="write denyoom",
    keys="OW update; RO access",
    summary="Combine strings bit by bit, the shorter ones with zeros behind, and store the result.",
)
def bitop(context: Context, args: list[bytes]) -> Reply:
    operation = args[1].lower()
    if operation not in (b"and", b"or", b"xor", b"not"):
        raise ErrorReply(SYNTAX_ERROR)
    if operation == b"not" and len(args) != 4:
        raise ErrorReply("ERR BITOP NOT must be called with a single source key.")
    db = context.db
    destination = args[2]
    sources: list[Entry | None] = []
    length: i64 = 0
    for key in args[3:]:
        entry = db.view_any(key)
        if entry is not None:
            length = max(length, db.text_length(entry))
            if key == destination:
                entry = Entry(db.text(entry), NO_EXPIRE, 0, 0)  # its place is about to be taken
        sources.append(entry)
    if length == 0:
        db.delete(destination)
        return 0
    result = cast(StringValue, db.replace(destination, STRING, SET))
    at: i64 = 0
    while at < length:
        result.write(at, combined(db, operation, sources, at, min(at + PIECE, length)))
        at += PIECE
    return length


def combined(
    db: Keyspace, operation: bytes, sources: list[Entry | None], start: i64, stop: i64
) -> bytes:
    """Bytes ``start <= i < stop`` of BITOP's result."""
    size = stop - start
    result = padded(db, sources[0], start, size)
    if operation == b"not":
        return bits.combine(bits.XOR, result, _ONES[:size])
    code = bits.AND if operation == b"and" else bits.OR if operation == b"or" else bits.XOR
    for source in sources[1:]:
        result = bits.combine(code, result, padded(db, source, start, size))
    return result


def padded(db: Keyspace, source: Entry | None, start: i64, size: i64) -> bytes:
    """``size`` bytes of an entry's string, with zeros behind its end."""
    if source is None:
        return _ZEROS[:size]
    return db.part(source, start, start + size).ljust(size, b"\0")
