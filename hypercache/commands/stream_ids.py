"""Ids of stream entries: as clients write them, as they are kept, and one step on or back.

An id is kept as 16 bytes (see `hypercache.streams`) and shown as ``milliseconds-sequence``, two
numbers of 64 bits without sign.
"""

import re
from typing import Final

from librt.strings import BytesWriter, read_i64_be, write_i64_be
from mypy_extensions import i64

from hypercache.commands.arguments import MAX_I64, SHARED_INTEGERS, format_integer
from hypercache.reply import ErrorReply
from hypercache.streams import MAX_ID, MIN_ID, StreamEntry

_INVALID: Final = "ERR Invalid stream ID specified as stream command argument"

_MINUS: Final = 45
_ZERO: Final = 48
# So many digits never overflow 64 bits.
_SAFE_DIGITS: Final = 18
# Redis reads no more than this of an id.
_LONGEST: Final = 127
_NUMBERS: Final = 1 << 64
# Numbers below 10,000 with leading zeros, from which larger ones are put together.
_PADDED: Final[list[bytes]] = [b"%04d" % number for number in range(SHARED_INTEGERS)]
# One buffer for all ids that are made or shown: a new one each time costs more than its use.
_out: Final = BytesWriter()
# What strtoull takes for a number.
_NUMBER: Final = re.compile(rb"[ \t\n\v\f\r]*([+-]?)([0-9]+)")


def make_id(time: i64, sequence: i64) -> bytes:
    """An id of two numbers below 2**63."""
    _out.truncate(0)
    write_i64_be(_out, time)
    write_i64_be(_out, sequence)
    return _out.getvalue()


def make_large_id(time: int, sequence: int) -> bytes:
    """An id of any two numbers without sign."""
    return ((time << 64) | sequence).to_bytes(16, "big")


def format_id(entry_id: bytes) -> bytes:
    """An id as clients see it."""
    time: i64 = read_i64_be(entry_id, 0)
    sequence: i64 = read_i64_be(entry_id, 8)
    if time < 0 or sequence < 0:
        number = int.from_bytes(entry_id, "big")
        return f"{number >> 64}-{number & (_NUMBERS - 1)}".encode()
    _out.truncate(0)
    _write_number(time)
    _out.append(_MINUS)
    _write_number(sequence)
    return _out.getvalue()


def _write_number(number: i64) -> None:
    """Write the digits of a number that is not negative, four at a time."""
    if number < SHARED_INTEGERS:
        _out.write(format_integer(number))
    else:
        _write_number(number // SHARED_INTEGERS)
        _out.write(_PADDED[number % SHARED_INTEGERS])


def following(entry_id: bytes) -> bytes:
    """The id after this one, which is not the highest."""
    time: i64 = read_i64_be(entry_id, 0)
    sequence: i64 = read_i64_be(entry_id, 8)
    if 0 <= sequence < MAX_I64:
        return make_id(time, sequence + 1)
    return (int.from_bytes(entry_id, "big") + 1).to_bytes(16, "big")


def preceding(entry_id: bytes) -> bytes:
    """The id before this one, which is not the lowest."""
    return (int.from_bytes(entry_id, "big") - 1).to_bytes(16, "big")


def shown(entry: StreamEntry) -> object:
    """An entry as a reply."""
    return (format_id(entry[0]), entry[1])


def shown_all(entries: list[StreamEntry]) -> list[object]:
    """Entries as a reply."""
    replies: list[object] = []
    for entry in entries:
        replies.append((format_id(entry[0]), entry[1]))
    return replies


# Reading ids ---------------------------------------------------------------------------


def _plain_number(text: bytes, start: i64, stop: i64) -> i64:
    """The digits between two places as a number; -1 where that takes a closer look."""
    digits = stop - start
    if digits < 1 or digits > _SAFE_DIGITS:
        return -1
    value: i64 = 0
    while start < stop:
        digit: i64 = text[start] - _ZERO
        if digit < 0 or digit > 9:
            return -1
        value = value * 10 + digit
        start += 1
    return value


def _unusual_number(text: bytes) -> int:
    """A number as strtoull reads it: 64 bits without sign, and a minus wraps around."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ErrorReply(_INVALID)
    value = int(match.group(2))
    if value >= _NUMBERS or (text.startswith(b"-") and not text.startswith(b"-0")):
        raise ErrorReply(_INVALID)
    return -value % _NUMBERS if match.group(1) == b"-" else value


def parse_id(text: bytes, missing: int = 0) -> bytes:
    """An id; where only milliseconds are given, with ``missing`` as its sequence number.

    Raises `ErrorReply` for anything else, ``-`` and ``+`` included.
    """
    dash: i64 = text.find(b"-")
    size: i64 = len(text)
    time = _plain_number(text, 0, size if dash < 0 else dash)
    if time >= 0 and dash >= 0:
        sequence = _plain_number(text, dash + 1, size)
        if sequence >= 0:
            return make_id(time, sequence)
    return _parse_unusual(text, missing)


def _parse_unusual(text: bytes, missing: int) -> bytes:
    """Large numbers, missing sequence numbers, and much that is no id."""
    if len(text) > _LONGEST:
        raise ErrorReply(_INVALID)
    time, dash, sequence = text.partition(b"\0")[0].partition(b"-")
    if not time:
        raise ErrorReply(_INVALID)
    number = _unusual_number(time)
    return make_large_id(number, _unusual_number(sequence) if dash else missing)


def parse_bound(text: bytes, missing: int) -> bytes:
    """An id, or ``-`` and ``+`` for the lowest and the highest."""
    if text == b"-":
        return MIN_ID
    if text == b"+":
        return MAX_ID
    return parse_id(text, missing)


def parse_start(text: bytes) -> bytes:
    """The lowest id of an interval; ``(`` leaves the one behind it out."""
    if len(text) < 2 or not text.startswith(b"("):
        return parse_bound(text, 0)
    entry_id = parse_id(text[1:])
    if entry_id == MAX_ID:
        raise ErrorReply("ERR invalid start ID for the interval")
    return following(entry_id)


def parse_stop(text: bytes) -> bytes:
    """The highest id of an interval; ``(`` leaves the one behind it out."""
    if len(text) < 2 or not text.startswith(b"("):
        return parse_bound(text, _NUMBERS - 1)
    entry_id = parse_id(text[1:], _NUMBERS - 1)
    if entry_id == MIN_ID:
        raise ErrorReply("ERR invalid end ID for the interval")
    return preceding(entry_id)


def parse_ids(args: list[bytes], start: int) -> list[bytes]:
    """All ids from an argument on."""
    ids: list[bytes] = []
    for at in range(start, len(args)):
        ids.append(parse_id(args[at]))
    return ids


# Making ids ------------------------------------------------------------------------------


def next_id(last: bytes, now: i64) -> bytes:
    """The id of an entry that is added now (Unix milliseconds), above the last one.

    When the clock stands still or goes back, the sequence number goes on. The last id is
    not the highest.
    """
    time: i64 = read_i64_be(last, 0)
    if 0 <= time < now:
        return make_id(now, 0)
    return following(last)


def next_id_at(last: bytes, time: bytes) -> bytes:
    """The id for ``time-*``; ``MIN_ID`` where no sequence number is left.

    ``time`` is an id with the milliseconds that are wanted.
    """
    if last[:8] != time[:8]:
        return time
    return MIN_ID if last[8:] == MAX_ID[8:] else following(last)
