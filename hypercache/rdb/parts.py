"""Large values on their way into RDB, some elements at a time, so that nobody waits for them."""

from typing import Final

from mypy_extensions import i64

from hypercache.backend import NO_EXPIRE
from hypercache.rdb import forms
from hypercache.rdb.errors import RdbError
from hypercache.rdb.packs import ListpackWriter
from hypercache.rdb.primitives import LONGEST_COMPRESSED, Writer
from hypercache.values import HashValue, ListValue, SetValue, StringValue, ZSetValue

# Bytes of a list's node, as with Redis' default settings; longer elements have their own.
_NODE: Final[i64] = 8192
# About what a listpack needs for an element besides its bytes.
_EXTRA: Final[i64] = 4
# A string goes in slices of so many bytes.
_TEXT: Final[i64] = 1 << 16


class Parts:
    """A value amid its writing, which does not change meanwhile; ``form`` goes before its key."""

    def __init__(self, form: int) -> None:
        self.form = form

    def write(self, writer: Writer, count: i64) -> bool:
        """Write about ``count`` more elements; False once all are written."""
        raise NotImplementedError


class TextParts(Parts):
    """A string; if it is very long it goes in slices, and is not compressed."""

    def __init__(self, value: StringValue) -> None:
        super().__init__(forms.STRING)
        self._value = value
        self._length: i64 = value.length()
        self._at: i64 = 0

    def write(self, writer: Writer, count: i64) -> bool:
        if self._length <= LONGEST_COMPRESSED:
            writer.string(self._value.read(0, self._length))
            return False
        if self._at == 0:
            writer.length(self._length)
        stop = min(self._at + _TEXT, self._length)
        writer.out.write(self._value.read(self._at, stop))
        self._at = stop
        return stop < self._length


class ListParts(Parts):
    """A list in nodes, as a quicklist has them. A first pass counts them."""

    def __init__(self, value: ListValue) -> None:
        super().__init__(forms.LIST_QUICKLIST_2)
        self._value = value
        self._length: i64 = value.length()
        self._at: i64 = 0
        self._counting = True
        self._nodes: i64 = 0
        # The node that is being filled, and about its bytes.
        self._node = ListpackWriter()
        self._bytes: i64 = 0

    def write(self, writer: Writer, count: i64) -> bool:
        stop = min(self._at + count, self._length)
        for element in self._value.range(self._at, stop):
            size: i64 = len(element)
            if self._bytes > 0 and self._bytes + size + _EXTRA > _NODE:
                self._end_node(writer)
            if size > _NODE:
                self._nodes += 1
                if not self._counting:
                    writer.length(forms.PLAIN)
                    writer.string(element)
            else:
                self._bytes += size + _EXTRA
                if not self._counting:
                    self._node.text(element)
        self._at = stop
        if stop < self._length:
            return True
        self._end_node(writer)
        if self._counting:
            self._counting = False
            self._at = 0
            writer.length(self._nodes)
            return True
        return False

    def _end_node(self, writer: Writer) -> None:
        if self._bytes == 0:
            return
        self._nodes += 1
        self._bytes = 0
        if not self._counting:
            writer.length(forms.PACKED)
            writer.string(self._node.finish())
            self._node = ListpackWriter()


class ScannedParts(Parts):
    """A value whose elements are found by a cursor."""

    def __init__(self, form: int, length: i64) -> None:
        super().__init__(form)
        self._length = length
        self._left = length
        self._cursor = 0
        self._begun = False

    def write(self, writer: Writer, count: i64) -> bool:
        if not self._begun:
            self._begun = True
            self._begin(writer)
        found = self._scan(writer, count)
        self._left -= found
        if self._cursor:
            return True
        if self._left != 0:
            raise RdbError("a value changes while it is written")
        return False

    def _begin(self, writer: Writer) -> None:
        writer.length(self._length)

    def _scan(self, writer: Writer, count: i64) -> i64:
        """Write what the cursor finds, and move it on; how many elements that were."""
        raise NotImplementedError


class SetParts(ScannedParts):
    """A set, member by member."""

    def __init__(self, value: SetValue) -> None:
        super().__init__(forms.SET, value.length())
        self._value = value

    def _scan(self, writer: Writer, count: i64) -> i64:
        self._cursor, members = self._value.scan(self._cursor, count)
        for member in members:
            writer.string(member)
        return len(members)


class HashParts(ScannedParts):
    """A hash, field by field, also one whose fields have deadlines."""

    def __init__(self, value: HashValue) -> None:
        self._earliest: i64 = value.next_deadline()
        volatile = self._earliest != NO_EXPIRE
        super().__init__(forms.HASH_METADATA if volatile else forms.HASH, value.length())
        self._value = value

    def _begin(self, writer: Writer) -> None:
        if self._earliest != NO_EXPIRE:
            writer.time(self._earliest)
        writer.length(self._length)

    def _scan(self, writer: Writer, count: i64) -> i64:
        self._cursor, pairs = self._value.scan(self._cursor, count)
        for field, text in pairs:
            if self._earliest != NO_EXPIRE:
                write_deadline(writer, self._value.deadline(field), self._earliest)
            writer.string(field)
            writer.string(text)
        return len(pairs)


def write_deadline(writer: Writer, deadline: i64, earliest: i64) -> None:
    """A field's deadline as its distance from the earliest; 0 is none."""
    writer.length(0 if deadline == NO_EXPIRE else deadline - earliest + 1)


class ZSetParts(Parts):
    """A sorted set, from the lowest score on."""

    def __init__(self, value: ZSetValue) -> None:
        super().__init__(forms.ZSET_2)
        self._value = value
        self._length: i64 = value.length()
        self._at: i64 = 0

    def write(self, writer: Writer, count: i64) -> bool:
        if self._at == 0:
            writer.length(self._length)
        stop = min(self._at + count, self._length)
        for member, score in self._value.range(self._at, stop):
            writer.string(member)
            writer.double(score)
        self._at = stop
        return stop < self._length
