"""The filters that spare a `KVBackend` lookups of keys that are not there.

Names begin with 48 bits of a hash, and lie in its order: so a filter needs no hash of its own, and
the keys of one of its segments are a range of the store. A filter belongs to a space, as keys do,
so that it goes with them when databases are swapped or cleared, and comes back if that is undone.
"""

from mypy_extensions import i64

from hypercache.filters.segments import SegmentedFilter
from hypercache.keyspace import layout
from hypercache.keyspace.ordered import OrderedKV


class Filters:
    """All filters of a store, by the space of their keys.

    ``in_use``: there may be some. A database for which there is to be one has a rate of false
    positives (`Tally.filter_rate`).
    """

    def __init__(self, kv: OrderedKV) -> None:
        self._kv = kv
        self._by_space: dict[int, SegmentedFilter] = {}
        self.in_use = False

    def of(self, space: int, rate: float, size: i64) -> SegmentedFilter | None:
        """The filter of a space of so many keys; None where the rate is 0."""
        if rate <= 0.0:
            self._by_space.pop(space, None)  # nobody tells it any more what comes and goes
            return None
        found = self._by_space.get(space)
        if found is None or found.rate != rate:
            found = SegmentedFilter(rate, size)
            self._by_space[space] = found
            self.in_use = True
        return found

    def settle(self, spaces: list[int]) -> None:
        """A transaction is committed; these spaces are in use."""
        for each in self._by_space.values():
            each.settle()
        if not self._by_space.keys() <= set(spaces):
            self._by_space = {
                space: each for space, each in self._by_space.items() if space in spaces
            }

    def undo(self) -> None:
        """A transaction was undone."""
        for each in self._by_space.values():
            each.undo()

    def drop(self, space: int) -> None:
        """Have no filter of a space any more."""
        self._by_space.pop(space, None)

    def build(self, budget: int) -> bool:
        """Read about ``budget`` names for segments that are to be built; True if there are more.

        What is stored is up to date.
        """
        for space, each in self._by_space.items():
            wanted = each.next_range()
            if wanted is not None:
                self._read(layout.RECORD + layout.number(space), each, wanted, budget)
                return True
        return False

    def statistics(self) -> dict[str, int]:
        """The numbers of all filters together; none where there is no filter."""
        total: dict[str, int] = {}
        for each in self._by_space.values():
            for name, value in each.statistics().items():
                total[name] = total.get(name, 0) + value
        return total

    def _read(
        self, prefix: bytes, target: SegmentedFilter, wanted: tuple[int, int], budget: int
    ) -> None:
        """Hand a filter the next hashes that it wants; a slice ends between two hashes."""
        first, behind = wanted
        stop = layout.after(prefix)
        if behind >> (8 * layout.NUMBER) == 0:
            stop = prefix + layout.number(behind)
        skipped = len(prefix)
        while True:
            pairs = self._kv.range(prefix + layout.number(first), stop, budget + 1)
            hashes = [layout.position(place[skipped:]) for place, _ in pairs]
            if len(hashes) <= budget:
                target.take(hashes, behind)
                return
            following = hashes[budget]
            while hashes and hashes[-1] == following:
                hashes.pop()
            if hashes:
                target.take(hashes, following)
                return
            budget *= 2
