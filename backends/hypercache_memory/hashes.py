"""Hashes, as the memory backend keeps them.

A small one is packed into one ``bytes`` object, a larger one lies in `Members`, its values in
a list at the same positions. A ``dict`` finds a field in 25 ns, `Members` in 40, but it gives
no random field in O(1) and no scan that may be interrupted. Neither layout is the encoding that
clients are told of: that follows `EncodingLimits` alone.
"""

import sys
from collections.abc import Iterator
from typing import Final

from mypy_extensions import i64

from hypercache.backend import HASH, NO_EXPIRE, EncodingLimits, HashValue
from hypercache_memory import pairs
from hypercache_memory.field_deadlines import FieldDeadlines
from hypercache_memory.members import Members
from hypercache_memory.sizes import block, bytes_block

# Up to so many fields, and bytes of all of them, a hash is packed: there, finding and replacing
# still take less than half a microsecond, about what Redis takes in a listpack.
MOST_PACKED: Final[i64] = 64
_PACKED_BYTES: Final[i64] = 2048


class _Table:
    """Many fields: at the position that `Members` has a field at stands its value."""

    def __init__(self, members: Members, values: list[bytes], content: i64) -> None:
        self.members = members
        self.values = values
        # Bytes of the objects of all fields and values.
        self.content = content

    def get(self, field: bytes) -> bytes | None:
        at = self.members.find(field)
        return None if at < 0 else self.values[at]

    def set(self, field: bytes, value: bytes) -> bool:
        """Set a field; True when it is new."""
        members = self.members
        at = members.find(field)
        self.content += bytes_block(len(value))
        if at < 0:
            members.append(field)
            self.values.append(value)
            self.content += bytes_block(len(field))
            return True
        self.content -= bytes_block(len(self.values[at]))
        self.values[at] = value
        return False

    def remove(self, field: bytes) -> bool:
        """Remove a field; False when it was not there."""
        at = self.members.find(field)
        if at < 0:
            return False
        values = self.values
        self.content -= bytes_block(len(field)) + bytes_block(len(values[at]))
        self.members.remove_at(at)
        last = values.pop()
        if at < len(values):
            values[at] = last
        return True

    def copy(self) -> "_Table":
        return _Table(self.members.copy(), self.values.copy(), self.content)

    def check(self) -> list[str]:
        """What is inconsistent, in words."""
        wrong: list[str] = []
        content: i64 = 0
        for at, field in enumerate(self.members.items):
            if self.members.find(field) != at:
                wrong.append(f"a hash does not find {field!r} at its position {at}")
            content += bytes_block(len(field)) + bytes_block(len(self.values[at]))
        if len(self.values) != len(self.members.items):
            wrong.append(f"{len(self.members.items)} fields have {len(self.values)} values")
        if content != self.content:
            wrong.append(f"a hash accounts for {self.content} bytes, {content} are there")
        return wrong

    def memory(self) -> i64:
        count: i64 = len(self.values)
        # The list of values over-allocates by up to an eighth.
        return block((count + (count >> 3)) * 8) + self.members.memory() + self.content


class MemoryHash(HashValue):
    """Fields and values, packed or in a table; with deadlines of fields if any has one."""

    def __init__(self, limits: EncodingLimits) -> None:
        super().__init__(HASH)
        self._limits = limits
        # While there is no table, everything is packed.
        self._packed = b""
        self._count: i64 = 0
        self._table: _Table | None = None
        self._deadlines: FieldDeadlines | None = None
        self._listpack = True

    def length(self) -> int:
        table = self._table
        return self._count if table is None else len(table.values)

    def memory(self) -> int:
        table = self._table
        size = _FIXED_BYTES
        size += bytes_block(len(self._packed)) if table is None else _TABLE_BYTES + table.memory()
        return size if self._deadlines is None else size + self._deadlines.memory()

    def encoding(self) -> str:
        return "listpack" if self._listpack else "hashtable"

    def get(self, field: bytes) -> bytes | None:
        table = self._table
        if table is not None:
            return table.get(field)
        packed = self._packed
        at = pairs.find(packed, field)
        return None if at < 0 else pairs.text(packed, pairs.following(packed, at))

    def set(self, field: bytes, value: bytes) -> bool:
        self.changes += 1
        if self._deadlines is not None:
            self._forget_deadline(field)
        table = self._table
        if table is None:
            new = self._set_packed(field, value)
        else:
            new = table.set(field, value)
        if self._listpack:
            limits = self._limits
            if (
                len(field) > limits.hash_value
                or len(value) > limits.hash_value
                or (new and self.length() > limits.hash_entries)
            ):
                self._listpack = False
        return new

    def _set_packed(self, field: bytes, value: bytes) -> bool:
        """Set a field of a packed hash, which may outgrow this and get a table."""
        packed = self._packed
        if len(packed) + len(field) + len(value) > _PACKED_BYTES:
            return self._unpack().set(field, value)
        at = pairs.find(packed, field)
        if at >= 0:
            self._packed = pairs.replaced(packed, at, value)
            return False
        if self._count >= MOST_PACKED:
            return self._unpack().set(field, value)
        self._packed = pairs.added(packed, field, value)
        self._count += 1
        return True

    def _unpack(self) -> _Table:
        """Move everything to a table, for good."""
        table = _Table(Members(), [], 0)
        for field, value in pairs.unpacked(self._packed):
            table.set(field, value)
        self._table = table
        self._packed = b""
        self._count = 0
        return table

    def remove(self, field: bytes) -> bool:
        table = self._table
        if table is not None:
            if not table.remove(field):
                return False
        else:
            at = pairs.find(self._packed, field)
            if at < 0:
                return False
            self._packed = pairs.without(self._packed, at)
            self._count -= 1
        self.changes += 1
        if self._deadlines is not None:
            self._forget_deadline(field)
        return True

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        table = self._table
        if table is None:
            return iter(pairs.unpacked(self._packed))
        return zip(table.members.items, table.values, strict=True)

    def scan(self, cursor: int, count: int) -> tuple[int, list[tuple[bytes, bytes]]]:
        """A packed hash comes at once; of a table, the cursor is the number still to come.

        Downwards: what is removed lets the last one move to a lower position, from what was
        scanned to what will be.
        """
        table = self._table
        if table is None:
            return 0, pairs.unpacked(self._packed)
        stop = len(table.values)
        if 0 < cursor < stop:
            stop = cursor
        start = max(stop - max(count, 1), 0)
        fields = table.members.items[start:stop]
        found = list(zip(fields, table.values[start:stop], strict=True))
        found.reverse()
        return start, found

    def sample(self, pick: i64) -> tuple[bytes, bytes]:
        table = self._table
        if table is None:
            return pairs.nth(self._packed, pick % self._count)
        at = pick % len(table.values)
        return table.members.items[at], table.values[at]

    # Deadlines of fields -----------------------------------------------------------------

    def deadline(self, field: bytes) -> i64:
        return NO_EXPIRE if self._deadlines is None else self._deadlines.get(field)

    def set_deadline(self, field: bytes, deadline: i64) -> None:
        if deadline == NO_EXPIRE:
            if self._deadlines is not None and self._forget_deadline(field):
                self.changes += 1
            return
        if self._deadlines is None:
            self._deadlines = FieldDeadlines()
        self._deadlines.set(field, deadline)
        self.changes += 1

    def _forget_deadline(self, field: bytes) -> bool:
        deadlines = self._deadlines
        if deadlines is None or not deadlines.remove(field):
            return False
        if len(deadlines) == 0:
            self._deadlines = None
        return True

    def next_deadline(self) -> i64:
        return NO_EXPIRE if self._deadlines is None else self._deadlines.earliest

    def due(self, now: i64, limit: int) -> list[bytes]:
        return [] if self._deadlines is None else self._deadlines.due(now, limit)

    # What only this backend asks for -----------------------------------------------------

    def copy(self) -> "MemoryHash":
        """A hash of its own with the same fields and deadlines."""
        twin = MemoryHash(self._limits)
        twin._packed = self._packed
        twin._count = self._count
        twin._table = None if self._table is None else self._table.copy()
        twin._deadlines = None if self._deadlines is None else self._deadlines.copy()
        twin._listpack = self._listpack
        return twin

    def check(self) -> list[str]:
        """What is inconsistent, in words."""
        wrong: list[str] = []
        table = self._table
        if table is None:
            found = len(pairs.unpacked(self._packed))
            if found != self._count:
                wrong.append(f"a hash counts {self._count} fields, {found} are packed")
        else:
            wrong += table.check()
        if self._deadlines is not None:
            for field in self._deadlines.fields():
                if self.get(field) is None:
                    wrong.append(f"a hash keeps a deadline of {field!r}, which is not there")
        return wrong

    def shed(self, budget: int) -> int:
        """Free up to ``budget`` fields of a hash that nobody can reach any more."""
        table = self._table
        if table is None:
            return 0
        count = min(budget, len(table.values))
        del table.values[len(table.values) - count :]
        return table.members.shed(budget)


def _bytes_of(value: object) -> i64:
    """What an object takes by itself; interpreted ones keep their attributes in a dict."""
    attributes = getattr(value, "__dict__", None)
    size: i64 = block(sys.getsizeof(value))
    return size if attributes is None else size + block(sys.getsizeof(attributes))


_FIXED_BYTES: Final[i64] = _bytes_of(MemoryHash(EncodingLimits()))
#: The object of a table and its list.
_TABLE_BYTES: Final[i64] = _bytes_of(_Table(Members(), [], 0)) + block(sys.getsizeof([]))
