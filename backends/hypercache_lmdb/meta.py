# mypyc: interpreted
"""LMDB's two meta pages, read and written as bytes.

LMDB writes the root of transaction *n* to page *n* modulo 2 and does not touch what the
transaction before it had, until the one after it has begun. So between two checkpoints there
are two whole trees in the file, of which the older one is safe on the disk. Where the machine
fails before the newer one is safe as well, a store goes back to the older one, and reads one
segment more of the log.

The layout is that of LMDB 0.9 (data format 1) on a machine of 64 bits: a page's head of 16
bytes, then magic and version (4 bytes each), address and map size (8 each), two descriptions
of databases (48 each, the first begins with the page size), the last page (8) and the number
of the transaction (8), in the machine's byte order.
"""

import os
from pathlib import Path
from struct import Struct
from typing import Final

from hypercache.backend import BackendError

_PAGE_HEAD: Final = Struct("=Q")
_HEAD_SIZE: Final = 16
_MAGIC: Final = Struct("=II")
_PAGE_SIZE: Final = Struct("=I")
_NUMBER: Final = Struct("=Q")
_AT_PAGE_SIZE: Final = _HEAD_SIZE + 24
_AT_TRANSACTION: Final = _HEAD_SIZE + 24 + 2 * 48 + 8

MAGIC: Final = (0xBEEFC0DE, 1)


class MetaPages:
    """Both meta pages of a data file. Raises `BackendError` where they are none."""

    def __init__(self, data: Path) -> None:
        self._data = data
        with data.open("rb") as file:
            head = file.read(_AT_PAGE_SIZE + _PAGE_SIZE.size)
            if len(head) < _AT_PAGE_SIZE + _PAGE_SIZE.size:
                raise BackendError(f"{data} is cut off: restore the folder from a copy")
            self.page_size: int = _PAGE_SIZE.unpack_from(head, _AT_PAGE_SIZE)[0]
            file.seek(0)
            self._pages = [file.read(self.page_size), file.read(self.page_size)]
        for page in self._pages:
            if len(page) < self.page_size or _MAGIC.unpack_from(page, _HEAD_SIZE) != MAGIC:
                raise BackendError(
                    f"{data} is no data file of LMDB 0.9: restore the folder from a copy"
                )

    def transactions(self) -> tuple[int, int]:
        """The numbers of the transactions that the two pages are of."""
        first, second = (_NUMBER.unpack_from(page, _AT_TRANSACTION)[0] for page in self._pages)
        return first, second

    def newest(self) -> int:
        """The number of the last transaction that was committed."""
        return max(self.transactions())

    def go_back(self) -> None:
        """Forget the last transaction: the page of the one before it takes its place."""
        first, second = self.transactions()
        older, newer = (0, 1) if first < second else (1, 0)
        page = _PAGE_HEAD.pack(newer) + self._pages[older][_PAGE_HEAD.size :]
        with self._data.open("r+b") as file:
            file.seek(newer * self.page_size)
            file.write(page)
            file.flush()
            os.fsync(file.fileno())
