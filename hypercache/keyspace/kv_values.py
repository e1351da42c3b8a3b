"""Values of a `KVBackend` that are changed in place: each element is a pair of the store.

Their sizes are part of the key's record, which is written with every change of them.
"""

from collections.abc import Iterator
from typing import Final

from mypy_extensions import i64

from hypercache.backend import HASH, STRING, HashValue, StringValue
from hypercache.keyspace import layout
from hypercache.keyspace.kv_store import CHUNK, Handle
from hypercache.keyspace.layout import PAGE, Namer, Record, decode_field, encode_field

# The longest field or value that Redis keeps in a listpack, and the most fields.
LISTPACK_VALUE: Final = 64
LISTPACK_FIELDS: Final = 512


class KVString(StringValue):
    """A string in pages of 4 KB. Pages that were never written are not stored: zero bytes."""

    def __init__(self, handle: Handle) -> None:
        super().__init__(STRING)
        self.handle = handle

    def length(self) -> int:
        return self.handle.use().length

    def memory(self) -> int:
        return self.handle.use().used

    def encoding(self) -> str:
        return "raw"

    def read(self, start: int, stop: int) -> bytes:
        handle = self.handle
        stop = min(stop, handle.use().length)
        if stop <= start:
            return b""
        data = bytearray(stop - start)
        first = start // PAGE
        last = (stop - 1) // PAGE
        pairs = handle.store.kv.range(
            self._page_key(first), self._page_key(last + 1), last - first + 1
        )
        for key, page in pairs:
            at = int.from_bytes(key[-4:], "big") * PAGE - start
            skip = max(-at, 0)
            piece = page[skip : stop - start - at]
            data[at + skip : at + skip + len(piece)] = piece
        return bytes(data)

    def write(self, offset: int, data: bytes) -> None:
        handle = self.handle
        record = handle.use()
        with handle.store:
            used = record.used
            done: i64 = 0
            size: i64 = len(data)
            while done < size:
                at = offset + done
                inside = at % PAGE
                taken = min(PAGE - inside, size - done)
                used += self._write_page(at // PAGE, inside, data[done : done + taken])
                done += taken
            handle.resize(max(record.length, offset + size), used)
        self.changes += 1

    def _write_page(self, number: i64, inside: i64, piece: bytes) -> i64:
        """Overwrite a part of a page; the bytes that the store has grown by."""
        kv = self.handle.store.kv
        key = self._page_key(number)
        old = kv.get(key)
        if old is None:
            kv.put(key, bytes(inside) + piece)
            return len(key) + kv.pair_overhead + inside + len(piece)
        page = old[:inside].ljust(inside, b"\x00") + piece + old[inside + len(piece) :]
        kv.put(key, page)
        return len(page) - len(old)

    def _page_key(self, number: i64) -> bytes:
        return self.handle.prefix + int(number).to_bytes(4, "big")


class KVHash(HashValue):
    """A hash: a pair of the store for each field."""

    def __init__(self, handle: Handle, namer: Namer) -> None:
        super().__init__(HASH)
        self.handle = handle
        self.namer = namer

    def length(self) -> int:
        return self.handle.use().length

    def memory(self) -> int:
        return self.handle.use().used

    def encoding(self) -> str:
        return "hashtable" if self.handle.use().wide else "listpack"

    def get(self, field: bytes) -> bytes | None:
        self.handle.use()
        name = self.namer.name(field)
        raw = self.handle.store.kv.get(self.handle.prefix + name)
        return None if raw is None else decode_field(name, raw)[1]

    def set(self, field: bytes, value: bytes) -> bool:
        handle = self.handle
        record = handle.use()
        name = self.namer.name(field)
        key = handle.prefix + name
        raw = encode_field(name, field, value)
        kv = handle.store.kv
        with handle.store:
            old = kv.get(key)
            kv.put(key, raw)
            if len(field) > LISTPACK_VALUE or len(value) > LISTPACK_VALUE:
                self._widen(record)
            if old is not None:
                handle.resize(record.length, record.used + len(raw) - len(old))
            else:
                if record.length >= LISTPACK_FIELDS:
                    self._widen(record)
                grown = len(key) + len(raw) + kv.pair_overhead
                handle.resize(record.length + 1, record.used + grown)
        self.changes += 1
        return old is None

    def _widen(self, record: Record) -> None:
        if not record.wide:
            record.wide = True
            self.handle.store.kv.put(self.handle.place, record.encode())

    def remove(self, field: bytes) -> bool:
        handle = self.handle
        record = handle.use()
        key = handle.prefix + self.namer.name(field)
        kv = handle.store.kv
        old = kv.get(key)
        if old is None:
            return False
        with handle.store:
            kv.delete(key)
            shrunk = len(key) + len(old) + kv.pair_overhead
            handle.resize(record.length - 1, record.used - shrunk)
        self.changes += 1
        return True

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        prefix = self.handle.prefix
        start = prefix
        stop = layout.after(prefix)
        while True:
            self.handle.use()
            pairs = self.handle.store.kv.range(start, stop, CHUNK)
            for key, raw in pairs:
                yield decode_field(key[len(prefix) :], raw)
            if len(pairs) < CHUNK:
                return
            start = pairs[-1][0] + b"\x00"
