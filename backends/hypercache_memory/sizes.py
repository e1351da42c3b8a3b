"""What CPython really takes for the objects that we keep, in bytes.

CPython serves blocks of up to 512 bytes from pools in steps of 16 bytes; larger ones come
from malloc, with a header of 8 bytes and steps of 16. ``make bench`` compares the sum with
the growth of the process (RSS).
"""

import sys
from typing import Final

from mypy_extensions import i64

from hypercache.backend import NO_EXPIRE, Entry

#: A value object, its counters and the empty container inside.
VALUE_BYTES: Final[i64] = 160
#: Fixed part of a ``bytes`` object: header, hash, length and the closing zero.
BYTES_OVERHEAD: Final[i64] = 33
#: One key in the dense pool (a pointer in a list that over-allocates by an eighth).
SLOT_BYTES: Final[i64] = 9
#: One key in the sets that order deadlines: a set entry at its usual load, and the bucket's share.
DEADLINE_BYTES: Final[i64] = 56
#: One key whose deadline the calendar keeps itself: besides that, an entry of a dict, a number.
NOTED_BYTES: Final[i64] = DEADLINE_BYTES + 96


def block(size: i64) -> i64:
    """Bytes that the allocator takes for a request of ``size`` bytes."""
    if size <= 512:
        return (size + 15) & ~15
    return (size + 8 + 15) & ~15


def bytes_block(length: i64) -> i64:
    """Bytes taken by a ``bytes`` object of that length."""
    size: i64 = length + BYTES_OVERHEAD
    if size <= 512:
        return (size + 15) & ~15
    return (size + 8 + 15) & ~15


#: The block of one `Entry`.
ENTRY_BLOCK: Final[i64] = block(sys.getsizeof(Entry(b"", NO_EXPIRE, 0, 0)))
#: One `Entry`, allocated. An interpreted one has a slot number that is an object of its own.
ENTRY_BYTES: Final[i64] = ENTRY_BLOCK if ENTRY_BLOCK <= 48 else ENTRY_BLOCK + 32
