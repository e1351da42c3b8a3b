"""Bloom filters that grow (Almeida et al. 2007): layers, each larger and stricter than the last.

A layer has a capacity at an error rate; when it is full the next one comes, ``growth`` times as
large, at half the error rate, so that all together stay within what was asked for. The string is

    magic, growth (0: never more than one), layers, items, error rate,
    then each layer: capacity, items, bits, hashes, and its bits

with numbers of eight bytes; the error rate is that of the next layer in 10**-18.
"""

import math
from typing import Final

from librt.strings import read_i64_le
from mypy_extensions import i64

from hypercache.keyspace.keyspace import WRONG_TYPE, Keyspace
from hypercache.reply import ErrorReply
from hypercache_filters import hashing
from hypercache_filters.stored import MAX_BYTES, NO_MEMORY, NUMBER, Stored, encoded, made

MAGIC: Final = b"\x00HCbloom"
HEAD: Final[i64] = 5 * NUMBER
LAYER: Final[i64] = 4 * NUMBER
FULL: Final = "ERR non scaling filter is full"
#: More layers than any filter within `MAX_BYTES` has.
MAX_LAYERS: Final[i64] = 4096
#: Hashes of a layer: more make no difference that anybody could measure.
_MAX_HASHES: Final[i64] = 128
#: How many times as large as the last a layer may be, and the items that a head may tell of.
_MAX_GROWTH: Final[i64] = 32768
_MAX_ITEMS: Final[i64] = 1 << 60
_LN2: Final = math.log(2.0)
# Places in the head.
_LAYERS: Final[i64] = 2 * NUMBER
_ITEMS: Final[i64] = 3 * NUMBER
_ERROR: Final[i64] = 4 * NUMBER
_SCALE: Final = 1e18
_LOW: Final[i64] = (1 << 40) - 1


class Layer:
    """One layer: where its bits begin, and its head."""

    def __init__(self, at: i64, capacity: i64, items: i64, bits: i64, hashes: i64) -> None:
        self.at = at
        self.capacity = capacity
        self.items = items
        self.bits = bits
        self.hashes = hashes

    def end(self) -> i64:
        """The place behind its bits."""
        return self.at + self.bits // 8

    def head(self) -> bytes:
        """Its head as it is stored."""
        numbers = [self.capacity, self.items, self.bits, self.hashes]
        return encoded([int(number) for number in numbers])


def layer_for(at: i64, capacity: i64, error: float) -> Layer:
    """An empty layer whose head begins at a place; raises `ErrorReply` for one too large."""
    bits_per_item = -math.log(error) / (_LN2 * _LN2)
    wanted = math.ceil(float(capacity) * bits_per_item)
    if wanted > MAX_BYTES * 8:
        raise ErrorReply(NO_MEMORY)
    bits = (i64(wanted) + 63) // 64 * 64
    hashes = i64(math.ceil(_LN2 * bits_per_item))
    layer = Layer(at + LAYER, capacity, 0, bits, min(hashes, _MAX_HASHES))
    if layer.end() > MAX_BYTES:
        raise ErrorReply(NO_MEMORY)
    return layer


class Bloom:
    """A filter in a string. Raises WRONGTYPE for a string that only looks like one."""

    def __init__(self, stored: Stored) -> None:
        self.stored = stored
        if stored.length < HEAD:
            raise ErrorReply(WRONG_TYPE)
        head = stored.read(0, HEAD)
        self.growth = read_i64_le(head, NUMBER)
        self.items = read_i64_le(head, _ITEMS)
        self.error = float(read_i64_le(head, _ERROR)) / _SCALE
        count = read_i64_le(head, _LAYERS)
        if not is_sane(head):
            raise ErrorReply(WRONG_TYPE)
        self.layers: list[Layer] = []
        at: i64 = HEAD
        while len(self.layers) < count:
            at = self._read_layer(at).end()
        if at != stored.length:
            raise ErrorReply(WRONG_TYPE)

    def _read_layer(self, at: i64) -> Layer:
        if at + LAYER > self.stored.length:
            raise ErrorReply(WRONG_TYPE)
        layer = read_layer(self.stored.read(at, at + LAYER), at)
        if layer.end() > self.stored.length:
            raise ErrorReply(WRONG_TYPE)
        self.layers.append(layer)
        return layer

    def capacity(self) -> int:
        """Of all layers."""
        return sum([int(layer.capacity) for layer in self.layers])

    def has(self, item: bytes) -> bool:
        """Whether an item was probably added; certainly not where it is False."""
        start = hashing.first(item) & _LOW
        step = hashing.second(item) & _LOW | 1
        return self._is_in_one(start, step)

    def _is_in_one(self, start: i64, step: i64) -> bool:
        at: i64 = len(self.layers)
        while at > 0:  # most items are in the last
            at -= 1
            if self._is_in(self.layers[at], start, step):
                return True
        return False

    def _is_in(self, layer: Layer, start: i64, step: i64) -> bool:
        turn: i64 = 0
        while turn < layer.hashes:
            bit = (start + turn * step) % layer.bits
            if self.stored.byte(layer.at + (bit >> 3)) & (128 >> (bit & 7)) == 0:
                return False
            turn += 1
        return True

    def add(self, item: bytes) -> bool:
        """Add an item; False if it was probably there. Raises `ErrorReply` where it is full."""
        start = hashing.first(item) & _LOW
        step = hashing.second(item) & _LOW | 1
        if self._is_in_one(start, step):
            return False
        layer = self.layers[-1]
        if layer.items >= layer.capacity:
            if self.growth == 0:
                raise ErrorReply(FULL)
            layer = self._grow(layer)
        stored = self.stored
        turn: i64 = 0
        while turn < layer.hashes:
            bit = (start + turn * step) % layer.bits
            at = layer.at + (bit >> 3)
            old = stored.byte(at)
            new = old | (128 >> (bit & 7))
            if new != old:
                stored.set_byte(at, new)
            turn += 1
        layer.items += 1
        self.items += 1
        stored.set_number(layer.at - LAYER + NUMBER, layer.items)
        stored.set_number(_ITEMS, self.items)
        return True

    def _grow(self, last: Layer) -> Layer:
        if len(self.layers) >= MAX_LAYERS or last.capacity > MAX_BYTES:
            raise ErrorReply(NO_MEMORY)
        layer = layer_for(self.stored.length, last.capacity * self.growth, self.error)
        self.stored.write(self.stored.length, layer.head())
        self.stored.extend(layer.end())
        self.layers.append(layer)
        self.error = max(self.error / 2.0, 1.0 / _SCALE)
        self.stored.set_number(_LAYERS, len(self.layers))
        self.stored.set_number(_ERROR, i64(max(self.error * _SCALE, 1.0)))
        return layer

    def heads(self) -> bytes:
        """What SCANDUMP gives first: everything but the bits."""
        parts = [self.stored.read(0, HEAD)]
        parts += [layer.head() for layer in self.layers]
        return b"".join(parts)

    def size(self) -> int:
        """Bytes of the bits of all layers."""
        return sum([int(layer.bits) // 8 for layer in self.layers])

    def chunk(self, start: i64, size: i64) -> bytes:
        """Bytes of the bits, as if those of all layers followed each other."""
        for layer in self.layers:
            length = layer.bits // 8
            if start < length:
                return self.stored.read(layer.at + start, layer.at + min(start + size, length))
            start -= length
        return b""

    def load(self, start: i64, data: bytes) -> bool:
        """Overwrite such bytes; False if they are not all of one layer."""
        for layer in self.layers:
            length = layer.bits // 8
            if start < length:
                if start + len(data) > length:
                    return False
                self.stored.write(layer.at + start, data)
                return True
            start -= length
        return False


def is_sane(head: bytes) -> bool:
    """Whether the numbers in a head can be those of a filter."""
    return (
        0 <= read_i64_le(head, NUMBER) <= _MAX_GROWTH
        and 0 < read_i64_le(head, _LAYERS) <= MAX_LAYERS
        and 0 <= read_i64_le(head, _ITEMS) <= _MAX_ITEMS
        and 0 < read_i64_le(head, _ERROR) < int(_SCALE)
    )


def read_layer(head: bytes, at: i64) -> Layer:
    """A layer from its head, which stands at a place; WRONGTYPE for one that cannot be."""
    capacity = read_i64_le(head, 0)
    items = read_i64_le(head, NUMBER)
    bits = read_i64_le(head, 2 * NUMBER)
    hashes = read_i64_le(head, 3 * NUMBER)
    sane = 0 < bits <= MAX_BYTES * 8 and bits % 8 == 0 and 0 < hashes <= _MAX_HASHES
    if not sane or not 0 < capacity <= _MAX_ITEMS or not 0 <= items <= _MAX_ITEMS:
        raise ErrorReply(WRONG_TYPE)
    return Layer(at + LAYER, capacity, items, bits, hashes)


def create(db: Keyspace, key: bytes, error: float, capacity: i64, growth: i64) -> Bloom:
    """A new filter. One that grows begins at half its error rate, for what is to come."""
    if growth > 0:
        error /= 2.0
    layer = layer_for(HEAD, capacity, error)
    scaled = int(max(error / 2.0 * _SCALE, 1.0))
    head = MAGIC + encoded([int(growth), 1, 0, scaled]) + layer.head()
    return Bloom(made(db, key, head, layer.end()))


def create_from(db: Keyspace, key: bytes, heads: bytes) -> bool:
    """A filter from what `Bloom.heads` gave, its bits not set; False where that cannot be."""
    if len(heads) < HEAD + LAYER or heads[:NUMBER] != MAGIC:
        return False
    count = read_i64_le(heads, _LAYERS)
    if not is_sane(heads) or count * LAYER != len(heads) - HEAD:
        return False
    layers: list[Layer] = []
    at: i64 = HEAD
    for number in range(count):
        begin = HEAD + number * LAYER
        try:
            layer = read_layer(heads[begin : begin + LAYER], at)
        except ErrorReply:
            return False
        layers.append(layer)
        at = layer.end()
    stored = made(db, key, heads[:HEAD], at)
    for layer in layers:
        stored.write(layer.at - LAYER, layer.head())
    return True
