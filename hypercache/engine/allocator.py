# mypyc: interpreted
"""The allocator: memory that is free inside the process goes back to the system."""

import ctypes
from functools import cache


@cache
def _library() -> ctypes.CDLL:
    """The C library that this process runs with."""
    return ctypes.CDLL(None)


def give_back() -> None:
    """Have the allocator return pages that nobody uses (malloc_trim of the GNU C library).

    Everybody waits: for 30 to 220 milliseconds with 2 GB, the longer the more of it is free. What
    is free in small pieces between others stays. Where the library knows no such thing, nothing
    happens.
    """
    trim = getattr(_library(), "malloc_trim", None)
    if trim is not None:
        trim(0)
