"""The elements of containers, in slices: flat lists as the rows of a snapshot have them."""

from typing import TYPE_CHECKING, Final, cast

import cbor2
from mypy_extensions import i64

from hypercache.streams import MAX_ID, MIN_ID, Consumer, Pending, StreamGroup, StreamValue
from hypercache.values import (
    HASH,
    LIST,
    NO_EXPIRE,
    SET,
    ZSET,
    HashValue,
    ListValue,
    SetValue,
    Value,
    ZSetValue,
)
from hypercache_snapshot.format import TEXT_BYTES
from hypercache_snapshot.rows import (
    CONSUMER,
    ENTRY,
    GROUP,
    LONG_ENTRY,
    PENDING,
    RECORD_WIDTHS,
    STATE,
    STRIDES,
    VOLATILE_HASH,
)

if TYPE_CHECKING:
    from hypercache_snapshot.encoder import NativeEncoder

# A container of fewer elements is taken at once, in its own order; others are scanned.
_AT_ONCE: Final = 512
# Up to here an integer score is the double that it stands for.
_EXACT: Final = float(1 << 53)


class Elements:
    """Of a value that does not change meanwhile. ``ended`` once all have been taken.

    ``kind`` is that of a table.
    """

    def __init__(self, kind: int) -> None:
        self.kind = kind
        self.stride: i64 = STRIDES[kind]
        self.ended = False

    def take(self, count: i64) -> list[object]:
        """About ``count`` more elements."""
        raise NotImplementedError

    def width(self, flat: list[object], at: i64) -> i64:
        """How many items of such a list belong together from ``at`` on."""
        return self.stride


def elements_of(value: Value, encoder: "NativeEncoder") -> Elements:
    """The elements of a container."""
    kind = value.kind
    if kind == LIST:
        return _ListElements(cast(ListValue, value))
    if kind == SET:
        return _SetElements(cast(SetValue, value))
    if kind == ZSET:
        return _ZSetElements(cast(ZSetValue, value))
    if kind == HASH:
        fields = cast(HashValue, value)
        if fields.next_deadline() != NO_EXPIRE:
            return _VolatileHashElements(fields)
        return _HashElements(fields)
    return _StreamElements(cast(StreamValue, value), encoder)


class _ListElements(Elements):
    def __init__(self, value: ListValue) -> None:
        super().__init__(LIST)
        self._value = value
        self._at: i64 = 0
        self._length: i64 = value.length()

    def take(self, count: i64) -> list[object]:
        stop = min(self._at + count, self._length)
        found = self._value.range(self._at, stop)
        self._at = stop
        self.ended = stop == self._length
        return cast(list[object], found)


class _SetElements(Elements):
    def __init__(self, value: SetValue) -> None:
        super().__init__(SET)
        self._value = value
        self._cursor = 0

    def take(self, count: i64) -> list[object]:
        value = self._value
        if value.length() < _AT_ONCE:
            self.ended = True
            return list(value.members())
        self._cursor, found = value.scan(self._cursor, count)
        self.ended = self._cursor == 0
        return cast(list[object], found)


class _ZSetElements(Elements):
    def __init__(self, value: ZSetValue) -> None:
        super().__init__(ZSET)
        self._value = value
        self._at: i64 = 0
        self._length: i64 = value.length()

    def take(self, count: i64) -> list[object]:
        stop = min(self._at + count, self._length)
        flat: list[object] = []
        for member, score in self._value.range(self._at, stop):
            flat.append(member)
            # Integers take fewer bytes; 0.0 may be -0.0, of which there is no integer.
            if score != 0.0 and -_EXACT < score < _EXACT:
                whole = int(score)
                if float(whole) == score:
                    flat.append(whole)
                    continue
            flat.append(score)
        self._at = stop
        self.ended = stop == self._length
        return flat


class _HashElements(Elements):
    def __init__(self, value: HashValue) -> None:
        super().__init__(HASH)
        self._value = value
        self._cursor = 0

    def take(self, count: i64) -> list[object]:
        value = self._value
        flat: list[object] = []
        if value.length() < _AT_ONCE:
            self.ended = True
            for field, text in value.items():
                flat.append(field)
                flat.append(text)
            return flat
        self._cursor, found = value.scan(self._cursor, count)
        for field, text in found:
            flat.append(field)
            flat.append(text)
        self.ended = self._cursor == 0
        return flat


class _VolatileHashElements(Elements):
    def __init__(self, value: HashValue) -> None:
        super().__init__(VOLATILE_HASH)
        self._value = value
        self._cursor = 0

    def take(self, count: i64) -> list[object]:
        value = self._value
        if value.length() < _AT_ONCE:
            self.ended = True
            return self._with_deadlines(list(value.items()))
        self._cursor, found = value.scan(self._cursor, count)
        self.ended = self._cursor == 0
        return self._with_deadlines(found)

    def _with_deadlines(self, found: list[tuple[bytes, bytes]]) -> list[object]:
        flat: list[object] = []
        for field, text in found:
            flat.append(field)
            flat.append(text)
            flat.append(self._value.deadline(field))
        return flat


class _StreamElements(Elements):
    """Entries, the state, and each group: itself, its consumers, its pending entries."""

    def __init__(self, value: StreamValue, encoder: "NativeEncoder") -> None:
        super().__init__(value.kind)
        self._value = value
        self._encoder = encoder
        self._next_id = MIN_ID
        self._in_entries = True
        self._groups: list[StreamGroup] = []
        self._group = -1
        self._consumers: list[Consumer] = []
        self._numbers: dict[bytes, int] = {}
        self._consumer = 0
        self._in_pending = False

    def width(self, flat: list[object], at: i64) -> i64:
        code = cast(int, flat[at])
        return cast(int, flat[at + 2]) + 3 if code == ENTRY else RECORD_WIDTHS[code]

    def take(self, count: i64) -> list[object]:
        flat: list[object] = []
        if self._in_entries:
            self._take_entries(flat, count)
        elif self._consumer < len(self._consumers):
            self._take_consumers(flat, count)
        elif self._in_pending:
            self._take_pending(flat, count)
        else:
            self._next_group(flat)
        return flat

    def _take_entries(self, flat: list[object], count: i64) -> None:
        found = self._value.range(self._next_id, MAX_ID, count, False)
        for entry_id, fields in found:
            size: i64 = 0
            for text in fields:
                size += len(text) + 5  # with what CBOR puts before it
            if size < TEXT_BYTES:
                flat += (ENTRY, entry_id, len(fields))
                flat += fields
            else:
                flat += (LONG_ENTRY, entry_id, self._encoder.in_pieces(cbor2.dumps(fields)))
        if len(found) == count and found[-1][0] != MAX_ID:
            self._next_id = _after(found[-1][0])
            return
        self._in_entries = False
        value = self._value
        flat += (STATE, value.last_id(), value.max_deleted_id(), value.entries_added())
        self._groups = value.groups()
        self.ended = not self._groups

    def _next_group(self, flat: list[object]) -> None:
        self._group += 1
        group = self._groups[self._group]
        flat += (GROUP, group.name(), group.last_id(), group.entries_read())
        self._consumers = group.consumers()
        self._consumer = 0
        self._numbers = {}
        self._next_id = MIN_ID
        self._in_pending = group.pending_count() > 0
        self._look_for_end()

    def _take_consumers(self, flat: list[object], count: i64) -> None:
        first = self._consumer
        self._consumer = min(first + int(count), len(self._consumers))
        for number in range(first, self._consumer):
            each = self._consumers[number]
            self._numbers[each.name] = number
            flat += (CONSUMER, self._group, each.name, each.seen, each.active)
        self._look_for_end()

    def _take_pending(self, flat: list[object], count: i64) -> None:
        group = self._groups[self._group]
        found: list[Pending] = group.pending_range(self._next_id, MAX_ID, count, None)
        for each in found:
            number = self._numbers[each.consumer]
            flat += (PENDING, self._group, each.id, number, each.time, each.count)
        if len(found) < count or found[-1].id == MAX_ID:
            self._in_pending = False
        else:
            self._next_id = _after(found[-1].id)
        self._look_for_end()

    def _look_for_end(self) -> None:
        self.ended = (
            self._consumer == len(self._consumers)
            and not self._in_pending
            and self._group == len(self._groups) - 1
        )


def _after(entry_id: bytes) -> bytes:
    """The next id; there is one."""
    return (int.from_bytes(entry_id, "big") + 1).to_bytes(16, "big")
