"""What is stored of a sorted set's elements: scores that sort, places, members. Persisted.

A *place* is the score in 8 bytes that sort as it does, and then the member; of one too long
for a key its beginning, and a label that puts those with the same beginning in their order.
"""

from struct import Struct
from typing import Final

from mypy_extensions import i64

from hypercache.keyspace.kv_labels import LABEL, NONE, encode_label
from hypercache.keyspace.layout import NUMBER, is_digest

#: Bytes of a score in a place.
SCORE: Final = 8

_DOUBLE: Final = Struct(">d")
_BITS: Final = Struct(">Q")
_SIGN: Final = 1 << 63
_ALL: Final = (1 << 64) - 1
# What may stand before the member in an index entry's value.
_PLAIN: Final = b"\x00"
_NEGATIVE_ZERO: Final = b"\x01"


def encode_score(score: float) -> bytes:
    """Eight bytes that sort as the double does; 0.0 and -0.0 give the same."""
    bits = int(_BITS.unpack(_DOUBLE.pack(score + 0.0))[0])
    return _BITS.pack(bits ^ _ALL if bits & _SIGN else bits | _SIGN)


def decode_score(place: bytes) -> float:
    """The score at the beginning of a place."""
    bits = int(_BITS.unpack_from(place)[0])
    return float(_DOUBLE.unpack(_BITS.pack(bits ^ _SIGN if bits & _SIGN else bits ^ _ALL))[0])


def encode_member(name: bytes, member: bytes, score: float, label: i64) -> bytes:
    """What is stored under a member's name: score, label if it has one, and a long member."""
    raw = _DOUBLE.pack(score)
    if label != NONE:
        raw += encode_label(label)
    return raw + member if is_digest(name) else raw


def score_of(raw: bytes) -> float:
    """The score that is stored under a member's name."""
    return float(_DOUBLE.unpack_from(raw)[0])


def label_in(raw: bytes) -> bytes:
    """The label that is stored under a long member's name."""
    return raw[SCORE : SCORE + LABEL]


def decode_member(name: bytes, raw: bytes) -> tuple[bytes, float]:
    """A member and its score, from what is stored under its name."""
    member = raw[SCORE + LABEL :] if is_digest(name) else name[NUMBER:]
    return member, score_of(raw)


def encode_element(member: bytes, score: float, is_long: bool) -> bytes:
    """What the index holds at a place: nothing but what the place does not tell."""
    zero = score == 0.0 and _DOUBLE.pack(score)[0] != 0
    if not zero and not is_long:
        return b""
    return (_NEGATIVE_ZERO if zero else _PLAIN) + (member if is_long else b"")


def decode_element(place: bytes, raw: bytes) -> tuple[bytes, float]:
    """A member and its score, from a place and what the index holds there."""
    if not raw:
        return place[SCORE:], decode_score(place)
    score = -0.0 if raw[:1] == _NEGATIVE_ZERO else decode_score(place)
    return raw[1:] or place[SCORE:], score


def longest_place(max_key_size: int) -> i64:
    """Members of more bytes do not fit into a place as they are: object, level, score, label."""
    return max_key_size - (1 + NUMBER + 1 + SCORE + LABEL)
