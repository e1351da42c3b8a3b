"""The names that OBJECT ENCODING gives to the ways in which values are stored."""

from typing import Final, cast

from hypercache.backend import Entry, Value
from hypercache.keyspace.numbers import parse_integer

# The longest string that Redis keeps in one piece with its header.
_EMBEDDED: Final = 44


def encoding_of(entry: Entry) -> str:
    """As Redis would say: ``int``, ``embstr`` and ``raw`` for strings, else what the value says."""
    value = entry.value
    if not isinstance(value, bytes):
        return cast(Value, value).encoding()
    if parse_integer(value) is not None:
        return "int"
    return "embstr" if len(value) <= _EMBEDDED else "raw"
