"""Values on their way between Redis and Lua, in RESP2 and RESP3 (Redis: script_lua.c).

To Lua: `to_lua` makes what a reply is for a script; tables are made by lupa. From Lua: the
sandbox gives what a script returns as one plain value, or as a flat row (see `Row`).
"""

from collections.abc import Callable, Iterable
from typing import Final

from hypercache.plugin import ErrorReply
from hypercache.reply import (
    Attributed,
    BigNumber,
    Digits,
    Members,
    NoReply,
    NullArray,
    PairedMap,
    Pairs,
    Verbatim,
    format_double,
)

#: The second value that `redis.call` gets where the first is not the whole reply.
STATUS: Final = 1
ERROR: Final = 2
ENDED: Final = 3
NO_MEMORY: Final = 4

_SMALLEST: Final = -(1 << 63)
_LARGEST: Final = (1 << 63) - 1
# Whole numbers up to here are written without an exponent.
_PLAIN: Final = 1 << 62

# Bytes that Lua takes for a table, for an item of one and beside the text of a string.
_TABLE: Final = 64
_ITEM: Final = 48


class NoRoom(Exception):
    """A reply does not fit the memory of the virtual machine."""


def argument(value: object) -> bytes:
    """A string or number of Lua as an argument of a command."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, int) and -_PLAIN < value < _PLAIN:
        return b"%d" % value
    assert isinstance(value, int | float)
    return format_double(float(value))


class ToLua:
    """Makes a reply what it is for a script. ``table`` makes a Lua table of a list or dict.

    ``room`` is how many bytes may be made; `NoRoom` is raised beyond.
    """

    def __init__(self, table: Callable[[object], object], version: int, room: int) -> None:
        self.table = table
        self.version = version
        self.room = room

    def value(self, reply: object) -> object:
        """A reply, or a part of one."""
        if isinstance(reply, bytes):
            self.room -= len(reply) + _ITEM
            if self.room < 0:
                raise NoRoom
            return reply
        if isinstance(reply, bool):  # by itself: compiled, what may be an int becomes a number
            if self.version == 3:
                return reply
            return int(reply)
        if isinstance(reply, int):
            return self.integer(reply)
        if reply is None or isinstance(reply, NullArray | NoReply):
            return None if self.version == 3 else False
        if isinstance(reply, str):
            return self._single(b"ok", reply.encode("utf-8", "surrogateescape"))
        if isinstance(reply, list | tuple):
            return self.array(reply)
        return self._rare(reply)

    def integer(self, number: int) -> object:
        """An integer, which is a double in Lua."""
        if _SMALLEST <= number <= _LARGEST:
            return number
        return self._single(b"big_number", b"%d" % number) if self.version == 3 else b"%d" % number

    def array(self, items: Iterable[object]) -> object:
        """Several values as a table from 1 on."""
        values = [self.value(item) for item in items]
        self.room -= _TABLE + _ITEM * len(values)
        if self.room < 0:
            raise NoRoom
        return self.table(values)

    def _single(self, field: bytes, value: object) -> object:
        self.room -= _TABLE
        return self.table({field: value})

    def _rare(self, reply: object) -> object:
        if isinstance(reply, float):
            return self._double(format_double(reply), reply)
        if isinstance(reply, Digits):
            return self._double(reply.text, float(reply.text))
        if isinstance(reply, dict):
            return self._map(list(reply.items()))
        if isinstance(reply, Pairs):
            return self._pairs(reply.items)
        if isinstance(reply, PairedMap):
            return self.array(reply.items) if self.version == 2 else self._map(reply.items)
        if isinstance(reply, Members):
            return self._set(reply.items)
        if isinstance(reply, set | frozenset):
            return self._set(reply)
        if isinstance(reply, Verbatim):
            return self._verbatim(reply)
        if isinstance(reply, Attributed):
            return self.value(reply.value)
        if isinstance(reply, ErrorReply):
            return self._single(b"err", reply.text.encode("utf-8", "surrogateescape"))
        raise TypeError(f"not a reply: {type(reply).__name__}")

    def _double(self, text: bytes, number: float) -> object:
        return text if self.version == 2 else self._single(b"double", number)

    def _pairs(self, items: Iterable[tuple[object, object]]) -> object:
        if self.version == 3:
            return self.array(items)
        return self.array([each for pair in items for each in pair])

    def _map(self, items: Iterable[tuple[object, object]]) -> object:
        if self.version == 2:
            return self.array([each for pair in items for each in pair])
        inner = {self.value(key): self.value(value) for key, value in items}
        self.room -= _TABLE + 2 * _ITEM * len(inner)
        return self._single(b"map", self.table(inner))

    def _set(self, items: Iterable[object]) -> object:
        if self.version == 2:
            return self.array(items)
        inner = {self.value(item): True for item in items}
        self.room -= _TABLE + 2 * _ITEM * len(inner)
        return self._single(b"set", self.table(inner))

    def _verbatim(self, reply: Verbatim) -> object:
        if self.version == 2:
            return self.value(reply.text)
        fields = {b"string": self.value(reply.text), b"format": reply.form}
        return self._single(b"verbatim_string", self.table(fields))


def from_lua(value: object, version: int) -> object:
    """What a script returns by itself; ``version`` is what it spoke at its end."""
    if isinstance(value, bool):
        if version == 3:
            return value
        return 1 if value else None
    if isinstance(value, float):
        return truncated(value)
    return value


def truncated(number: float) -> int:
    """A number without its fraction, as a C cast has it on most machines."""
    if not _SMALLEST <= number <= _LARGEST:
        return _SMALLEST
    return min(int(number), _LARGEST)


class Row:
    """Reads the flat row that a table has become.

    Strings and numbers stand for themselves. ``False`` announces anything else, by a code and
    what belongs to it: 1 an array (its length; the items follow), 2 an error (text; whether it
    was counted already), 3 a status, 4 a double, 5 a big number, 6 a verbatim string (format,
    text), 7 a map and 8 a set (their lengths), 9 true, 10 false, 11 nothing. The errors found
    that were not counted yet are in ``errors``.
    """

    def __init__(self, items: list[object], version: int, client_version: int) -> None:
        self._items = iter(items)
        self._version = version
        self._client_version = client_version
        self.errors: list[ErrorReply] = []

    def reply(self) -> object:
        """The whole."""
        return self._value()

    def _value(self) -> object:
        item = next(self._items)
        if item is not False:
            return truncated(item) if isinstance(item, float) else item
        code = next(self._items)
        if code == 1:
            return [self._value() for _ in range(self._count())]
        if code == 2:
            return self._error()
        if code == 3:
            return _text(self._bytes().partition(b"\0")[0])
        if code == 4:
            number = next(self._items)
            assert isinstance(number, int | float)
            return float(number)
        if code == 5:
            return BigNumber(self._bytes().replace(b"\r", b" ").replace(b"\n", b" "))
        if code == 6:
            form = (self._bytes() + b"   ")[:3]
            return Verbatim(self._bytes(), form)
        if code == 7:
            return self._map(self._count())
        if code == 8:
            return Members([self._value() for _ in range(self._count())])
        return from_lua(code == 9, self._version) if code in (9, 10) else None

    def _map(self, count: int) -> object:
        if self._client_version == 2:
            return [self._value() for _ in range(count * 2)]
        return PairedMap([(self._value(), self._value()) for _ in range(count)])

    def _count(self) -> int:
        count = next(self._items)
        assert isinstance(count, int)
        return count

    def _bytes(self) -> bytes:
        data = next(self._items)
        assert isinstance(data, bytes)
        return data

    def _error(self) -> ErrorReply:
        error = ErrorReply(_text(self._bytes()))
        if not next(self._items):
            self.errors.append(error)
        return error


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
