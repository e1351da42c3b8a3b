"""volatile-ttl: the key whose deadline comes first goes, nearly."""

from mypy_extensions import i64

from hypercache.backend import Entry
from hypercache.keyspace.eviction import Place
from hypercache.policies.sampling import SamplingPolicy


class VolatileTtl(SamplingPolicy):
    """``volatile-ttl``: the sooner the deadline of a key, the more urgent it is."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.volatile = True

    def urgency(self, entry: Entry) -> i64:
        return -entry.expire
