"""The words in which commands answer: plain Python values, and these where Python has none.

``hypercache.protocol.types`` says how each looks on the wire; a command need not know.
"""

from typing import TypeAlias

from hypercache.protocol.doubles import format_double, format_shortest
from hypercache.protocol.types import (
    NO_REPLY,
    NULL_ARRAY,
    OK,
    QUEUED,
    Attributed,
    BigNumber,
    Digits,
    ErrorReply,
    Members,
    NoReply,
    NullArray,
    PairedMap,
    Pairs,
    Push,
    Pushes,
    Verbatim,
)

Reply: TypeAlias = object

__all__ = [
    "NO_REPLY",
    "NULL_ARRAY",
    "OK",
    "QUEUED",
    "Attributed",
    "BigNumber",
    "Digits",
    "ErrorReply",
    "Members",
    "NoReply",
    "NullArray",
    "PairedMap",
    "Pairs",
    "Push",
    "Pushes",
    "Reply",
    "Verbatim",
    "format_double",
    "format_shortest",
    "printable",
    "quotable",
]


def printable(data: bytes) -> str:
    """Bytes of a client as text for an error; what is not UTF-8 survives the way back."""
    return data.decode("utf-8", "surrogateescape")


def quotable(data: bytes) -> str:
    """Bytes of a client as errors of Redis repeat them: up to a zero byte, as C strings go."""
    return printable(data.partition(b"\0")[0])
