"""When two replies mean the same: byte by byte, but for what cannot be equal.

That is the order of what has none (the tips of a command tell), readings of clocks, and the
answers of commands that choose by chance, which are held against what they may choose from.
"""

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple, TypeAlias

from tests.machine.script import CHOOSERS, Request

#: By how much readings of clocks may differ, in milliseconds: a busy machine may halt one side.
TOLERANCE: Final = 20_000


_STRINGS: Final = (b"$", b"=", b"!")
_AGGREGATES: Final = (b"*", b"~", b">", b"%")
_MEASURED: Final = _STRINGS + _AGGREGATES


class Incomplete(Exception):
    """More bytes must come."""


class Value(NamedTuple):
    """A reply: its type byte and its text, number of elements or elements.

    A null has the data None. A map is a list of keys and values.
    """

    kind: bytes
    data: bytes | list["Value"] | None

    def items(self) -> list["Value"]:
        """The elements; none of what is no aggregate."""
        return self.data if isinstance(self.data, list) else []

    def text(self) -> bytes:
        """The text; none of an aggregate."""
        return self.data if isinstance(self.data, bytes) else b""


def end_of(data: bytes, start: int) -> int:
    """Where the reply ends that begins at ``start``. Raises `Incomplete`."""
    left = 1
    while left:
        line = data.find(b"\r\n", start)
        if line < 0:
            raise Incomplete
        kind = data[start : start + 1]
        left -= 1
        if kind in _MEASURED:
            length = max(-1, int(data[start + 1 : line]))
            if kind in _STRINGS:
                line += length + 2 if length >= 0 else 0
            elif length > 0:
                left += 2 * length if kind == b"%" else length
        start = line + 2
    if start > len(data):
        raise Incomplete
    return start


def parse(data: bytes) -> Value:
    """The value of one whole reply."""
    return _parse(data, 0)[0]


def _parse(data: bytes, start: int) -> tuple[Value, int]:
    line = data.index(b"\r\n", start)
    kind, text = data[start : start + 1], data[start + 1 : line]
    start = line + 2
    if kind not in _MEASURED:
        return Value(kind, None if kind == b"_" else text), start
    length = int(text)
    if length < 0:
        return Value(kind, None), start
    if kind in _STRINGS:
        return Value(kind, data[start : start + length]), start + length + 2
    items: list[Value] = []
    for _ in range(2 * length if kind == b"%" else length):
        item, start = _parse(data, start)
        items.append(item)
    return Value(kind, items), start


def elements(frame: bytes) -> list[bytes] | None:
    """The replies in an array, such as that of EXEC; None for another reply, or a null."""
    if not frame.startswith(b"*") or frame.startswith(b"*-1"):
        return None
    place = frame.index(b"\r\n") + 2
    found: list[bytes] = []
    while place < len(frame):
        end = end_of(frame, place)
        found.append(frame[place:end])
        place = end
    return found


class Reading(NamedTuple):
    """What a reply says, in a form that can be compared, and the clocks it shows (in ms)."""

    said: object
    clocks: list[int]


#: Reads a reply apart; None where it has not the expected form.
Reader: TypeAlias = Callable[[Value], Reading]


def as_said(reply: Value) -> Reading:
    """A reply as it is."""
    return Reading(reply, [])


def unordered(reply: Value) -> Reading:
    """Elements in any order, each as often."""
    return Reading((reply.kind, sorted(reply.items(), key=repr), reply.text()), [])


def unordered_pairs(reply: Value) -> Reading:
    """Pairs in any order (a hash as RESP2 shows it)."""
    items = reply.items()
    return Reading((reply.kind, sorted(zip(items[::2], items[1::2], strict=False))), [])


def unordered_page(paired: bool) -> Reader:
    """A cursor and what was found, in any order: pairs, or elements that may come twice."""

    def read(reply: Value) -> Reading:
        if len(reply.items()) != 2:
            return as_said(reply)
        cursor, found = reply.items()
        said = unordered_pairs(found) if paired else sorted(set(map(repr, found.items())))
        return Reading((cursor, said), [])

    return read


def clock(unit: int) -> Reader:
    """A time in a unit of so many milliseconds; -1 and -2 are no times."""

    def read(reply: Value) -> Reading:
        if reply.kind != b":" or reply.text().startswith(b"-"):
            return Reading(reply, [])
        return Reading(reply.kind, [int(reply.text()) * unit])

    return read


def pending(reply: Value) -> Reading:
    """XPENDING with a range: the third of each entry is how long it is idle."""
    clocks: list[int] = []
    said: list[object] = []
    for entry in reply.items():
        if len(entry.items()) == 4:
            identity, consumer, idle, deliveries = entry.items()
            said.append((identity, consumer, deliveries))
            clocks.append(int(idle.text()))
        else:
            said.append(entry)
    return Reading((reply.kind, said, reply.text()), clocks)


_CLOCK_FIELDS: Final = (b"idle", b"inactive", b"seen-time", b"active-time")
#: How a tree is built inside tells nothing about a stream.
_INNER_FIELDS: Final = (b"radix-tree-keys", b"radix-tree-nodes")


def stream_info(reply: Value) -> Reading:
    """XINFO: fields by name, some of which are clocks or show the inside."""
    clocks: list[int] = []
    return Reading(_without_clocks(reply, clocks), clocks)


def _without_clocks(value: Value, clocks: list[int]) -> object:
    items = value.items()
    if not items:
        return value
    said: list[object] = []
    skip = False
    for index, item in enumerate(items):
        if skip:
            skip = False
            continue
        name = item.text() if item.kind == b"$" else b""
        if name in _CLOCK_FIELDS and index + 1 < len(items):
            clocks.append(max(0, int(items[index + 1].text() or 0)))
            skip = True
        elif name in _INNER_FIELDS:
            skip = True
        else:
            said.append(_without_clocks(item, clocks))
    if _is_delivery(items):
        clocks.append(int(items[-2].text()))
        del said[-2]
    return (value.kind, said)


def _is_delivery(items: Sequence[Value]) -> bool:
    """Whether it is a pending entry of XINFO STREAM FULL: id, (consumer,) time, deliveries."""
    if len(items) not in (3, 4) or items[0].kind != b"$":
        return False
    return [each.kind for each in items[-2:]] == [b":", b":"] and b"-" in items[0].text()


def number_or_text(reply: Value) -> Reading:
    """How a short string is kept: INCRBYFLOAT of Redis leaves a text behind, even of an integer.

    We look at the value, and take it for one of the shared integers, where it is one.
    """
    short = reply.text() in (b"int", b"embstr", b"1", b"2147483647")
    return Reading("short" if short else reply, [])


READERS: Final[dict[bytes, Reader]] = {
    b"hgetall": unordered_pairs,
    b"scan": unordered_page(False),
    b"sscan": unordered_page(False),
    b"hscan": unordered_page(True),
    b"zscan": unordered_page(True),
    b"ttl": clock(1000),
    b"pttl": clock(1),
    b"expiretime": clock(1000),
    b"pexpiretime": clock(1),
    b"object|idletime": clock(1000),
    b"object|encoding": number_or_text,
    b"object|refcount": number_or_text,
    b"xpending": pending,
    b"xinfo|stream": stream_info,
    b"xinfo|consumers": stream_info,
}


def reader_for(name: bytes, tips: Sequence[str], request: Request) -> Reader:
    """How to read a command's replies apart."""
    if name in READERS:
        return READERS[name]
    if "nondeterministic_output_order" in tips or is_unsorted(name, request):
        return unordered
    return as_said


def is_unsorted(name: bytes, request: Request) -> bool:
    """Whether it is a SORT that leaves the order open, of a set or of equal weights."""
    if name not in (b"sort", b"sort_ro"):
        return False
    words = [word.upper() for word in request]
    patterns = [after for word, after in pairwise(words) if word == b"BY"]
    return any(b"*" not in pattern or b"ALPHA" in words for pattern in patterns)


_DOUBLE: Final = re.compile(rb"-?\d+(\.\d+)?(e[-+]\d+)?")


def numbers_alike(value: Value) -> Value:
    """The same value with all numbers in one spelling: before 7.2 Redis wrote 17 digits."""
    if isinstance(value.data, list):
        return Value(value.kind, [numbers_alike(each) for each in value.data])
    if value.kind in (b"$", b",") and _DOUBLE.fullmatch(value.text()):
        return Value(value.kind, repr(float(value.text())).encode())
    return value


def same(reader: Reader, ours: Value, theirs: Value) -> bool:
    """Whether two replies that differ say the same, read apart."""
    our, their = reader(ours), reader(theirs)
    if our.said != their.said or len(our.clocks) != len(their.clocks):
        return False
    return all(
        abs(mine - other) <= TOLERANCE for mine, other in zip(our.clocks, their.clocks, strict=True)
    )


def probe(request: Request) -> Request | None:
    """The request that tells what a command of chance may choose from; None for another one."""
    asked = CHOOSERS.get(request[0].upper())
    if asked is None or len(asked) == 2:
        return asked
    return (asked[0], request[1], *asked[1:]) if len(request) > 1 else None


def may_answer(request: Request, reply: Value, universe: Value) -> bool:
    """Whether a command that chooses may answer so, where it can choose from ``universe``."""
    of_pairs = request[0].upper() in (b"HRANDFIELD", b"ZRANDMEMBER")
    members = dict(_pairs(universe) if of_pairs else _singles(universe))
    if reply.kind == b"$":
        return reply.data is None or reply.text() in members
    if reply.kind != b"*":
        return False
    with_values = len(request) > 3
    chosen = _pairs(reply) if with_values else _singles(reply)
    for name, value in chosen:
        if name not in members or (with_values and members[name] != value):
            return False
    count = int(request[2])
    if count < 0:
        return len(chosen) == (-count if members else 0)
    return len(dict(chosen)) == len(chosen) == min(count, len(members))


def _singles(reply: Value) -> list[tuple[bytes, bytes]]:
    return [(each.text(), b"") for each in reply.items()]


def _pairs(reply: Value) -> list[tuple[bytes, bytes]]:
    """Names and values; RESP3 nests the pairs that are no map."""
    items = reply.items()
    if items and items[0].kind == b"*":
        items = [each for pair in items for each in pair.items()]
    texts = [each.text() for each in items]
    return list(zip(texts[::2], texts[1::2], strict=True))
