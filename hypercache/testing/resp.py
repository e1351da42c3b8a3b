"""RESP as a client sees it, written apart from the server's own protocol code.

It hides nothing: errors are values, and every type of RESP3 comes out as a type of its own.
"""

from dataclasses import dataclass
from io import BytesIO
from typing import IO, TypeAlias

Argument: TypeAlias = bytes | str | int | float


@dataclass(frozen=True)
class ReplyError:
    """An error reply; ``text`` is the line without its type byte."""

    text: str


@dataclass(frozen=True)
class Verbatim:
    """A verbatim string (RESP3)."""

    form: str
    text: bytes


@dataclass(frozen=True)
class Push:
    """An out-of-band message (RESP3)."""

    items: tuple[object, ...]


class Truncated(Exception):
    """The bytes end in the middle of a reply."""


def encode(*arguments: Argument) -> bytes:
    """A request as an array of bulk strings; ``str`` and numbers are sent as UTF-8 text."""
    parts = [b"*%d\r\n" % len(arguments)]
    for argument in arguments:
        data = argument if isinstance(argument, bytes) else str(argument).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)


def decode_all(data: bytes) -> list[object]:
    """The values of all replies in some bytes; raises `Truncated` for a rest."""
    stream = BytesIO(data)
    replies: list[object] = []
    while stream.tell() < len(data):
        replies.append(decode_next(stream))
    return replies


def decode_next(stream: IO[bytes]) -> object:
    """The value of the next reply.

    ``str`` (simple string), ``bytes`` (bulk string), ``int``, ``None`` (every null), ``list``,
    `ReplyError` and, in RESP3, ``float``, ``bool``, ``dict``, ``frozenset``, `Verbatim` and
    `Push`; attributes are skipped.
    """
    line = stream.readline()
    if not line.endswith(b"\r\n"):
        raise Truncated(f"in the line {line!r}")
    kind, rest = line[:1], line[1:-2]
    if kind == b"+":
        return _text(rest)
    if kind == b"-":
        return ReplyError(_text(rest))
    if kind in b":(":
        return int(rest)
    if kind == b",":
        return float(rest)
    if kind == b"#":
        return {b"t": True, b"f": False}[rest]
    if kind == b"_" or rest == b"-1":
        return None
    if kind in b"$=!":
        data = stream.read(int(rest) + 2)
        if len(data) != int(rest) + 2 or not data.endswith(b"\r\n"):
            raise Truncated(f"in a string of {rest!r} bytes: {data[-20:]!r}")
        if kind == b"=":
            return Verbatim(_text(data[:3]), data[4:-2])
        return data[:-2] if kind == b"$" else ReplyError(_text(data[:-2]))
    return _aggregate(kind, int(rest), stream)


def _aggregate(kind: bytes, count: int, stream: IO[bytes]) -> object:
    if kind in b"%|":
        pairs = [(decode_next(stream), decode_next(stream)) for _ in range(count)]
        return dict(pairs) if kind == b"%" else decode_next(stream)
    items = [decode_next(stream) for _ in range(count)]
    if kind == b"*":
        return items
    if kind == b"~":
        return frozenset(items)
    if kind == b">":
        return Push(tuple(items))
    raise ValueError(f"not a RESP type: {kind!r}")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
