# mypyc: interpreted
"""What memory is used for: the figures behind INFO memory and the MEMORY command."""

import os
from typing import TYPE_CHECKING, Final

from hypercache.engine.buffers import ClientBuffers

if TYPE_CHECKING:
    from hypercache.engine.engine import Engine

_UNITS: Final = ("K", "M", "G", "T", "P")


class MemoryUsage:
    """Bytes, at the moment it is constructed.

    ``used`` is what maxmemory is compared with: keys, values and their bookkeeping.
    ``clients`` are their buffers, ``base`` what the process took before it held data;
    ``accounted`` is all of these. ``resident`` is what the system says of the process.
    ``overheads`` are, by the number of each database with keys, the parts of ``used`` that serve
    its keys and its deadlines; ``overhead`` is that of all, ``dataset`` the rest of ``used``.
    """

    def __init__(self, engine: "Engine") -> None:
        statistics = engine.statistics
        self.used = engine.memory.used()
        self.base = statistics.base_memory
        self.clients = int(ClientBuffers(engine.sessions).total)
        self.accounted = self.base + self.used + self.clients
        self.resident = engine.pressure.read_resident()
        self.overhead = 0
        self.overheads: dict[int, tuple[int, int]] = {}
        for each in engine.keyspaces:
            keys, deadlines = each.store.overhead()
            self.overhead += keys + deadlines
            if each.store.size():
                self.overheads[each.index] = (keys, deadlines)
        self.dataset = self.used - self.overhead
        self.peak = max(statistics.peak_memory, self.used)
        statistics.peak_memory = self.peak

    def fragmentation(self) -> float:
        """Bytes of the process for each byte that is accounted for."""
        return self.resident / self.accounted

    def unaccounted(self) -> int:
        """Bytes of the process that are not accounted for; negative when some are swapped out."""
        return self.resident - self.accounted


def total_system_memory() -> int:
    """Bytes of memory that this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def human(size: int) -> str:
    """Bytes for people, as Redis writes them (``1.50M``)."""
    if size < 1024:
        return f"{size}B"
    amount = float(size)
    for unit in _UNITS:
        amount /= 1024
        if amount < 1024:
            return f"{amount:.2f}{unit}"
    return f"{size}B"


def share(part: int, whole: int) -> float:
    """A part in percent; all of nothing is everything."""
    return 100 * part / whole if whole else 100.0
