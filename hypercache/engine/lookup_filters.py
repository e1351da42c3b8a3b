# mypyc: interpreted
"""Which stores have a filter that spares their backend lookups of keys that are not there."""

from functools import partial
from typing import TYPE_CHECKING

from hypercache.reply import ErrorReply

if TYPE_CHECKING:
    from hypercache.engine.stores import Store, StoreRules, Stores

#: What a store's rule may say.
DEFAULT = ""
YES = "yes"
NO = "no"
# The rate of false positives of a store that is to have a filter where no rate is set.
_RATE = 0.01


class LookupFilters:
    """Follows ``lookup-filter-error-rate`` and the stores' rules."""

    def __init__(self, stores: "Stores") -> None:
        self._stores = stores
        self._rate = 0.0
        stores.judges.append(self._judge)
        stores.followers.append(self._follow)
        for store in stores:
            store.information.append(partial(_statistics, store))

    def set_rate(self, rate: float) -> None:
        """The share of lookups of absent keys that need not be spared; 0 for no filters.

        Raises `ValueError` where that cannot be kept.
        """
        self._rate = rate
        for store in self._stores:
            self._follow(store)

    def _judge(self, store: "Store", rules: "StoreRules") -> None:
        if rules.filtered == YES and not store.backend.filters:
            raise ErrorReply(
                f"ERR the backend '{store.backend.name}' has no lookup filters: it finds out as"
                " quickly that a key is not there"
            )

    def _follow(self, store: "Store") -> None:
        """Have it as the rule and the setting say; each time its keys lie in another database."""
        rate = self._rate
        if store.filtered == YES:
            rate = rate or _RATE
        elif store.filtered == NO:
            rate = 0.0
        store.keyspace.store.filter_lookups(rate)


def _statistics(store: "Store") -> dict[str, object]:
    return dict(store.keyspace.store.filter_statistics())
