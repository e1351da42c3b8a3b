"""The eviction contract, `hypercache.eviction`: which key goes when memory is short.

An `EvictionPolicy` serves one store, a numbered database with rules of its own. The keyspace
tells it of keys that come, are used and go; the engine asks it for a victim, deletes that key
(journalled, notified and counted as an eviction) and asks again until the memory suffices.
Everything is synchronous and has to be O(1) for each call, also for a store of millions of
keys that a policy takes over at run time: the keys that are there already are handed to `added`
in slices, in any order and as often as they change.

A policy is found through the entry-point group ``hypercache.policies`` under the name by which
``maxmemory-policy`` and ``STORES`` select it; its class is constructed with a `Place`. Nothing
of it is kept: after a restart it begins anew with the keys as they are loaded.

docs/eviction.md explains it with an example; `hypercache.testing.check_policy` tells whether an
implementation keeps this contract.
"""

from typing import ClassVar, Final

from mypy_extensions import i32, i64, mypyc_attr

from hypercache.backend import Database, Entry
from hypercache.keyspace.clock import Chance
from hypercache.keyspace.frequency import Frequency

#: The versions of this contract that the server keeps.
CONTRACT_VERSIONS: Final = (1,)

# What the access clock can hold.
_LONGEST_IDLE: Final[i64] = 1 << 30


class Place:
    """What a policy works with: its store's database, chance, and the time.

    ``samples`` is ``maxmemory-samples``: how many keys are compared where a policy samples.
    ``seconds`` is the access clock, in seconds since the server's start: what `Entry.access` of
    a key holds when it was used last, where a policy does not write that itself. ``now`` is Unix
    time in milliseconds, for deadlines. Both are moved by the engine, as is ``frequency``: what
    ``lfu-log-factor`` and ``lfu-decay-time`` say of counters of uses, one object for all stores.
    ``options`` are the store's own words to its policy, numbers by name.
    """

    def __init__(self, database: Database, chance: Chance) -> None:
        self.database = database
        self.chance = chance
        self.frequency = Frequency()
        self.samples: i64 = 5
        self.seconds: i64 = 0
        self.now: i64 = 0
        self.options: dict[str, int] = {}

    def option(self, name: str, default: int) -> i64:
        """What the store says under a name."""
        return self.options.get(name, default)


@mypyc_attr(allow_interpreted_subclasses=True)
class EvictionPolicy:
    """Chooses victims. The base class is ``noeviction``: it never names one.

    Traits, set by the constructor and constant afterwards:

    - ``volatile``: only keys with a deadline are ever evicted.
    - ``follows_uses``: `used` is called whenever a command reads or changes a key that is there
      (not under CLIENT NO-TOUCH), and what `Entry.access` means is the policy's own business.
      Otherwise the keyspace writes ``Place.seconds`` there, which costs nothing more, and the
      policy may compare those.
    - ``follows_keys``: the keys that are there already are handed to `added` bit by bit, when
      the policy is selected and whenever it has to begin anew. Until it knows them all, the
      engine may take victims by sampling: the key that was not used for longest among some.
    - ``needs_entries``: it works only on a backend that keeps its entries
      (`Backend.keeps_access`); on others the store is refused to select it.

    A policy that follows uses or keys is told of all: `added` and `removed` too. Any other is told
    of `cleared` and `restore` alone.
    """

    contract: ClassVar[int] = 1

    def __init__(self, place: Place) -> None:
        self.place = place
        self.volatile = False
        self.follows_uses = False
        self.follows_keys = False
        self.needs_entries = False

    def added(self, key: bytes, entry: Entry) -> None:
        """A key has come; it has been stored already. A known one changes nothing."""

    def used(self, key: bytes, entry: Entry) -> None:
        """A key that is there was used."""

    def removed(self, key: bytes, entry: Entry) -> None:
        """A key is about to go, or to move to another store. An unknown one changes nothing."""

    def cleared(self) -> None:
        """All keys have gone, or others have taken their place (SWAPDB): begin anew."""

    def victim(self) -> bytes | None:
        """The key to evict next; None when there is none to be had.

        It is not gone yet: `removed` follows when it is, and may not come. Asked again without
        that, a policy should name another one if it can. A key past its deadline is a fine
        answer. Bounded work: where looking further would take long, it gives what it has.
        """
        return None

    def expect(self, count: i64) -> None:
        """About so many victims are asked for next, with nothing but their removals in between.

        A policy may look for them together; it need not, and is not held to what it has found.
        """

    def idle(self, entry: Entry) -> i64:
        """Seconds since the last use, for OBJECT IDLETIME; -1 where the policy keeps no time."""
        idle: i64 = self.place.seconds - i64(entry.access)
        return idle if idle > 0 else 0

    def frequency(self, entry: Entry) -> i64:
        """The counter of uses, for OBJECT FREQ; -1 where the policy keeps none."""
        return -1

    def restore(self, entry: Entry, idle: i64, frequency: i64) -> None:
        """A key has just come that was idle for so many seconds, and has this counter.

        Each is -1 where it is not known (RESTORE, snapshots).
        """
        if idle >= 0 and not self.follows_uses:
            seconds: i64 = self.place.seconds - (idle if idle < _LONGEST_IDLE else _LONGEST_IDLE)
            entry.access = i32(seconds)

    def urgency(self, entry: Entry) -> i64:
        """How readily a victim goes, compared with those of other stores under this policy.

        Where the server's limit is reached, the one with the greatest goes first.
        """
        return self.idle(entry)

    def memory(self) -> i64:
        """Bytes of the policy's own bookkeeping; counted as memory of the store."""
        return 0

    def statistics(self) -> dict[str, int]:
        """Numbers for INFO and STORES INFO, by snake_case name; none is negative."""
        return {}

    def check(self) -> list[str]:
        """What is inconsistent, in words; empty when all is well. May be slow."""
        return []
