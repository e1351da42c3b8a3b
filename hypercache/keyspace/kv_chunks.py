"""Chunks: runs of a list's elements, each packed into one value of the store. Persisted.

The number of elements (2 bytes), the length of each (4 bytes), then all of them in a row: an
element is found without looking at the others.
"""

from struct import Struct
from typing import Final

from mypy_extensions import i64

#: A chunk has at most so many elements, and if it has more than one, so many bytes: with the
#: header of LMDB's overflow pages a full one fills a page.
MOST_ELEMENTS: Final = 64
MOST_BYTES: Final = 4080

_COUNT: Final = Struct(">H")
_LENGTH: Final = Struct(">I")
_LENGTHS: Final = [Struct(f">{count}I") for count in range(MOST_ELEMENTS + 1)]
_HEAD: Final = 2
_PER_ELEMENT: Final = 4


def count_of(chunk: bytes) -> int:
    """Number of elements."""
    return int(_COUNT.unpack_from(chunk)[0])


def encode_chunk(elements: list[bytes]) -> bytes:
    """The chunk of up to 64 elements."""
    count = len(elements)
    lengths = _LENGTHS[count].pack(*[len(element) for element in elements])
    return _COUNT.pack(count) + lengths + b"".join(elements)


def decode_chunk(chunk: bytes) -> list[bytes]:
    """The elements of a chunk."""
    count = count_of(chunk)
    at = _HEAD + _PER_ELEMENT * count
    elements: list[bytes] = []
    for length in _LENGTHS[count].unpack_from(chunk, _HEAD):
        elements.append(chunk[at : at + length])
        at += length
    return elements


def element_at(chunk: bytes, index: i64) -> bytes:
    """One element of a chunk."""
    count = count_of(chunk)
    lengths = _LENGTHS[count].unpack_from(chunk, _HEAD)
    start = _HEAD + _PER_ELEMENT * count + sum(lengths[:index])
    return chunk[start : start + lengths[index]]


def fits(chunk: bytes, element: bytes) -> bool:
    """Whether a chunk may get one more element."""
    size = len(chunk) + _PER_ELEMENT + len(element)
    return size <= MOST_BYTES and count_of(chunk) < MOST_ELEMENTS


def appended(chunk: bytes, element: bytes) -> bytes:
    """A chunk with one more element at its end."""
    count = count_of(chunk)
    body = _HEAD + _PER_ELEMENT * count
    return (
        _COUNT.pack(count + 1)
        + chunk[_HEAD:body]
        + _LENGTH.pack(len(element))
        + chunk[body:]
        + element
    )


def prepended(chunk: bytes, element: bytes) -> bytes:
    """A chunk with one more element at its beginning."""
    count = count_of(chunk)
    body = _HEAD + _PER_ELEMENT * count
    return (
        _COUNT.pack(count + 1)
        + _LENGTH.pack(len(element))
        + chunk[_HEAD:body]
        + element
        + chunk[body:]
    )


def without_first(chunk: bytes) -> tuple[bytes, bytes]:
    """The first element of a chunk, and the chunk that is left; nothing if it was the only one."""
    count = count_of(chunk)
    body = _HEAD + _PER_ELEMENT * count
    end = body + int(_LENGTH.unpack_from(chunk, _HEAD)[0])
    if count == 1:
        return chunk[body:end], b""
    return chunk[body:end], _COUNT.pack(count - 1) + chunk[_HEAD + _PER_ELEMENT : body] + chunk[
        end:
    ]


def without_last(chunk: bytes) -> tuple[bytes, bytes]:
    """The last element of a chunk, and the chunk that is left; nothing if it was the only one."""
    count = count_of(chunk)
    body = _HEAD + _PER_ELEMENT * count
    start = len(chunk) - int(_LENGTH.unpack_from(chunk, body - _PER_ELEMENT)[0])
    if count == 1:
        return chunk[start:], b""
    lengths = chunk[_HEAD : body - _PER_ELEMENT]
    return chunk[start:], _COUNT.pack(count - 1) + lengths + chunk[body:start]


def split(elements: list[bytes]) -> list[list[bytes]]:
    """Elements in runs that make a chunk each: halves, until they fit."""
    count = len(elements)
    size = _HEAD + _PER_ELEMENT * count + sum(map(len, elements))
    if count <= 1 or (size <= MOST_BYTES and count <= MOST_ELEMENTS):
        return [elements] if elements else []
    half = count // 2
    return split(elements[:half]) + split(elements[half:])


def is_sparse(chunk: bytes) -> bool:
    """Whether a chunk is small enough to be worth joining with its neighbour."""
    return len(chunk) < MOST_BYTES // 4 and count_of(chunk) < MOST_ELEMENTS // 4
