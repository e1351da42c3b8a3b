"""Strings of a `KVBackend` that are edited in place: pages of the store."""

from mypy_extensions import i64

from hypercache.backend import STRING, StringValue
from hypercache.keyspace.kv_handle import Handle
from hypercache.keyspace.layout import PAGE


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
        pairs = handle.kv.range(self._page_key(first), self._page_key(last + 1), last - first + 1)
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
            done: i64 = 0
            size: i64 = len(data)
            while done < size:
                at = offset + done
                inside = at % PAGE
                taken = min(PAGE - inside, size - done)
                self._write_page(at // PAGE, inside, data[done : done + taken])
                done += taken
            handle.settle(max(record.length, offset + size))
        self.changes += 1

    def _write_page(self, number: i64, inside: i64, piece: bytes) -> None:
        """Overwrite a part of a page."""
        handle = self.handle
        key = self._page_key(number)
        old = handle.kv.get(key)
        if old is None:
            handle.add(key, bytes(inside) + piece)
        else:
            page = old[:inside].ljust(inside, b"\x00") + piece + old[inside + len(piece) :]
            handle.replace(key, page, old)

    def _page_key(self, number: i64) -> bytes:
        return self.handle.prefix + int(number).to_bytes(4, "big")
