"""allkeys-random and volatile-random: any key goes."""

from hypercache.keyspace.eviction import EvictionPolicy, Place


class AllKeysRandom(EvictionPolicy):
    """``allkeys-random``."""

    def victim(self) -> bytes | None:
        return self.place.database.sample(self.place.chance.pick())


class VolatileRandom(EvictionPolicy):
    """``volatile-random``: any of the keys with a deadline."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.volatile = True

    def victim(self) -> bytes | None:
        return self.place.database.sample_volatile(self.place.chance.pick())
