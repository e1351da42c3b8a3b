"""The values that become replies, and how each looks in RESP2 and RESP3.

A reply is a plain Python value wherever Python has one:

=================  ==========================  ================================
value              RESP2                       RESP3
=================  ==========================  ================================
``bytes``          bulk string                 bulk string
``str``            simple string (``+OK``)     simple string
``int``            integer; bulk beyond 64 bit  integer; big number beyond 64 bit
``None``           null bulk ``$-1``           null ``_``
``float``          bulk string                 double
``Digits``         bulk string                 double
``BigNumber``      bulk string                 big number
``bool``           integer 0 or 1              boolean
``list, tuple``    array                       array
``dict``           flat array                  map
``set, frozenset``  array                      set
``Members``        array                       set
``NULL_ARRAY``     null array ``*-1``          null ``_``
``Pairs``          flat array                  array of two-element arrays
``PairedMap``      array of two-element arrays  map
``Verbatim``       bulk string                 verbatim string
``Push``           array                       push
``Pushes``         several arrays              several pushes
``Attributed``     the value alone             attribute, then the value
``ErrorReply``     error                       error
``NO_REPLY``       nothing at all              nothing at all
=================  ==========================  ================================

The commands know these through ``hypercache.reply``; only this package knows the wire.
Source: the RESP3 specification (redis/redis-specifications, protocol/RESP3.md).
"""

from typing import Final


class ErrorReply(Exception):
    """An error as a client sees it: ``text`` is the whole line, code word first.

    Commands raise it; the engine answers it. ``text`` may hold bytes that are not UTF-8
    as surrogates (``surrogateescape``), so that a client reads its own bytes back.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def code(self) -> str:
        """The first word, by which INFO errorstats counts (``ERR``, ``WRONGTYPE``, ...)."""
        return self.text.partition(" ")[0]


class NullArray:
    """The null of an aggregate: RESP2 tells it from the null of a bulk string."""


class NoReply:
    """No reply: the command writes its own pushes, or answers later."""


class Pairs:
    """Pairs that RESP2 shows flat and RESP3 as two-element arrays (ZRANGE ... WITHSCORES)."""

    def __init__(self, items: list[tuple[object, object]]) -> None:
        self.items = items


class PairedMap:
    """Pairs that RESP2 shows as two-element arrays and RESP3 as a map (XREAD).

    A key may come twice, as where a stream is read twice.
    """

    def __init__(self, items: list[tuple[object, object]]) -> None:
        self.items = items


class Digits:
    """A double with more digits than it takes to tell it from others (GEOPOS)."""

    def __init__(self, text: bytes) -> None:
        self.text = text


class BigNumber:
    """An integer of any size, in digits (what a script says is one): one line."""

    def __init__(self, text: bytes) -> None:
        self.text = text


class Members:
    """A set in a given order, or of values that Python cannot hash (COMMAND INFO)."""

    def __init__(self, items: list[object]) -> None:
        self.items = items


class Verbatim:
    """Text for people, with a three-letter format (INFO, CLIENT LIST, LATENCY DOCTOR)."""

    def __init__(self, text: bytes, form: bytes = b"txt") -> None:
        self.text = text
        self.form = form


class Push:
    """An out-of-band message (pub/sub, invalidation); its first item names its type."""

    def __init__(self, items: list[object]) -> None:
        self.items = items


class Pushes:
    """Any number of pushes that are together the reply to one command (SUBSCRIBE)."""

    def __init__(self, items: list[Push]) -> None:
        self.items = items


class Attributed:
    """A value with attributes beside it; RESP2 shows the value alone."""

    def __init__(self, attributes: dict[object, object], value: object) -> None:
        self.attributes = attributes
        self.value = value


OK: Final = "OK"
QUEUED: Final = "QUEUED"
NULL_ARRAY: Final = NullArray()
NO_REPLY: Final = NoReply()
