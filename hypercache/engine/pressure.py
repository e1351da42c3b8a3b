"""Memory pressure: how near memory has come to its limits, and who hears of it.

There is a gauge for all data together (against ``maxmemory``), one for the process (its resident
set, against ``maxmemory-rss`` or what stands for it), and one for each store with a limit of its
own. They are read ten times a second in the background, so that no command pays for them.

The data are held to their limits by `hypercache.engine.eviction`, command by command. The process
cannot be: what it takes is known only afterwards, and freeing data makes it smaller late, or not at
all. So where ``maxmemory-rss`` is set, the data are held to a *ceiling* as long as the process is
at its panic level: at first to what they take then, for memory that the allocator has kept serves
what replaces them; above the limit to less and less, down to the half.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from mypy_extensions import i64

from hypercache.engine.allocator import give_back
from hypercache.engine.gauge import LEVELS, PANIC, THRESHOLDS, Gauge
from hypercache.engine.memory import NO_EVICTION
from hypercache.engine.memory_advice import advice, too_large
from hypercache.engine.statistics import resident_memory
from hypercache.engine.stores import Store
from hypercache.engine.usage import total_system_memory

if TYPE_CHECKING:
    from hypercache.engine.engine import Engine

# Microseconds between two looks, and between two steps of the ceiling.
PERIOD: Final[i64] = 100_000
STEP: Final[i64] = 1_000_000
# The largest step: this part of the data.
_PART: Final = 16
# So many bytes are worth giving back, where no more commands than these came in a second.
_WORTH: Final[i64] = 16 << 20
_FEW: Final[i64] = 10
# For so many times as long as it took, the allocator is not asked again to give back what is free:
# everybody waits for that.
_REST: Final = 50

# What the process is measured against: the setting; the container; more than the data explain.
BY_SETTING: Final = "maxmemory-rss"
BY_CONTAINER: Final = "container"
BY_DATA: Final = "maxmemory"
# What a process may take besides the data that it was allowed, before that is worth a word: half
# of these, and in any case so much.
_BESIDES: Final = 64 << 20


class PressureChange:
    """A gauge has reached another level.

    ``source`` is ``data``, ``process`` or ``store``; ``store`` is then the store's name, else "".
    ``level`` and ``previous`` are names of levels: normal, warning, critical, panic. ``used`` and
    ``limit`` are bytes, ``limit`` 0 where there is none any more. ``evicts`` tells whether keys may
    be evicted to keep the limit.
    """

    def __init__(self, gauge: Gauge, store: str, previous: str, evicts: bool) -> None:
        self.source = gauge.source
        self.store = store
        self.level = gauge.name()
        self.previous = previous
        self.used = int(gauge.used)
        self.limit = int(gauge.limit)
        self.evicts = evicts

    def is_rise(self) -> bool:
        """Whether the level is higher than the one before."""
        return LEVELS.index(self.level) > LEVELS.index(self.previous)


class Pressure:
    """The gauges of an engine, and what follows from them.

    ``levels`` are the thresholds in percent. ``container`` are the bytes that the container may
    take, 0 where it may take any or there is none; ``read_resident`` reads what the process takes,
    ``give_back`` has it take less. ``followers`` are told of each change, between two rounds.
    """

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self.data = Gauge("data")
        self.process = Gauge("process")
        self.stores: dict[int, Gauge] = {}
        self.levels: tuple[int, ...] = THRESHOLDS
        self.container = 0
        self.read_resident: Callable[[], int] = resident_memory
        self.give_back: Callable[[], None] = give_back
        self.followers: list[Callable[[PressureChange], None]] = []
        #: What the process is measured against, "" for nothing.
        self.basis = ""
        self._looked: i64 = 0
        self._stepped: i64 = 0
        self._trims_from: i64 = 0
        self._least: i64 = 0
        # The most that the data took since memory was last given back; since when there were few
        # commands, and how many there had been by then.
        self._most: i64 = 0
        self._quiet_from: i64 = 0
        self._commands: i64 = 0
        engine.stores.followers.append(self._follow)
        for store in engine.stores:
            store.information.append(partial(self._describe_store, store))

    # Settings ------------------------------------------------------------------------------

    def configure(self) -> None:
        """Settings have changed; raises ValueError, and changes nothing then."""
        engine = self._engine
        settings = engine.configuration.settings
        limit, basis = self._process_limit()
        base = engine.statistics.base_memory
        if basis == BY_SETTING and limit < base:
            raise ValueError(
                f"maxmemory-rss is {limit} bytes: the process takes {base} without any data"
            )
        self.levels = settings.memory_pressure_levels
        engine.memory.set_refuse_at(self.levels[-1] if settings.maxmemory_refuse_at_panic else 100)
        maximum = int(engine.memory.maxmemory)
        if maximum != self.data.limit and 0 < self.container < maximum:
            self._report_container(maximum)
        self.data.hold_to(maximum, self.levels)
        # Nothing is refused for what the data do not explain: that never comes to a panic.
        self.process.hold_to(limit, self.levels[:-1] if basis == BY_DATA else self.levels)
        self.basis = basis
        if basis != BY_SETTING:
            engine.memory.set_ceiling(0)
        for store in engine.stores:
            self._follow(store)

    def _process_limit(self) -> tuple[int, str]:
        """Bytes that the process may take, and who says so."""
        maximum = self._engine.configuration.settings.maxmemory_rss
        if maximum < 0:
            available = self.container or total_system_memory()
            return available * -maximum // 100, BY_SETTING
        if maximum > 0:
            return maximum, BY_SETTING
        if self.container > 0:
            return self.container, BY_CONTAINER
        data = int(self._engine.memory.maxmemory)
        if data > 0:
            besides = max(data // 2, _BESIDES)
            return self._engine.statistics.base_memory + data + besides, BY_DATA
        return 0, ""

    def _report_container(self, maximum: int) -> None:
        """maxmemory is more than there is."""
        fields: dict[str, object] = {
            "message": too_large(maximum, self.container),
            "maxmemory": maximum,
            "container": self.container,
        }
        self._engine.reporter.report("warning", "container_is_smaller", fields)

    def _follow(self, store: Store) -> None:
        """A store's rules have changed."""
        gauge = self.stores.get(store.index)
        if gauge is None and store.max_memory > 0:
            gauge = Gauge("store")
            self.stores[store.index] = gauge
        if gauge is not None:
            gauge.hold_to(int(store.max_memory), self.levels)

    # Looking -------------------------------------------------------------------------------

    def look(self) -> None:
        """Read all gauges, unless that was just done; raises `BackendError`."""
        engine = self._engine
        if 0 <= engine.time - self._looked < PERIOD:
            return
        self._looked = engine.time
        self._read(self.data, None, engine.memory.used())
        if self.process.limit > 0 or self.process.level > 0:
            self._read(self.process, None, self.read_resident())
            self._restrain()
        for index, gauge in list(self.stores.items()):
            store = engine.stores[index]
            self._read(gauge, store, store.used_memory())
            if gauge.limit == 0:
                del self.stores[index]
        self._return()

    def _read(self, gauge: Gauge, store: Store | None, used: int) -> None:
        before = gauge.name()
        if not gauge.look(used):
            return
        engine = self._engine
        if store is None:
            change = PressureChange(gauge, "", before, self._may_evict())
        else:
            change = PressureChange(gauge, store.name, before, self._may_evict_from(store))
        fields: dict[str, object] = {
            "message": advice(change, self.basis),
            "source": change.source,
            "pressure": change.level,
            "previous": before,
            "used": change.used,
            "limit": change.limit,
            "rss": self.read_resident(),
        }
        if store is not None:
            fields["store"] = store.name
        level = "info"
        if change.is_rise() and (gauge is self.process or not change.evicts):
            level = "error" if gauge.level == PANIC else "warning"
        engine.reporter.report(level, "memory_pressure", fields)
        for follower in list(self.followers):
            follower(change)

    def _may_evict(self) -> bool:
        """Whether keys go when all data together reach their limit."""
        return self._engine.memory.evicts and not self._engine.eviction.failed

    def _may_evict_from(self, store: Store) -> bool:
        """Whether keys go when a store reaches its own limit."""
        return self._engine.memory.policy_of(store) != NO_EVICTION and not store.exhausted

    def _restrain(self) -> None:
        """Hold the data to a ceiling while the process is at its panic level."""
        engine = self._engine
        memory = engine.memory
        process = self.process
        if self.basis != BY_SETTING or process.level < PANIC:
            memory.set_ceiling(0)
            return
        used: i64 = self.data.used
        if memory.ceiling == 0:
            self._stepped = engine.time
            self._least = max(used // 2, 1)
            memory.set_ceiling(max(used, 1))
        elif process.used > process.limit and engine.time - self._stepped >= STEP:
            self._stepped = engine.time
            if memory.evicts:
                step = min(process.used - process.limit, used // _PART)
                memory.set_ceiling(max(min(memory.ceiling, used) - step, self._least))
            if engine.time >= self._trims_from:
                self._trim()

    def _return(self) -> None:
        """Once most of the data has gone, give back in a quiet second what was freed."""
        engine = self._engine
        used: i64 = self.data.used
        if used > self._most:
            self._most = used
        gone: i64 = self._most - used
        commands: i64 = engine.counters.commands - self._commands
        if gone < max(used, _WORTH) or commands < 0 or commands > _FEW:
            self._commands = engine.counters.commands
            self._quiet_from = engine.time
        elif engine.time - self._quiet_from >= STEP:
            self._most = used
            self._trim()

    def _trim(self) -> None:
        """Have the allocator give back what is free, for a small part of the time."""
        clock = self._engine.clock
        began: i64 = clock.microseconds()
        self.give_back()
        now: i64 = clock.microseconds()
        self._trims_from = now + _REST * (now - began)
        self._engine.latency.add(b"memory-trim", now, now - began)

    # What is known -------------------------------------------------------------------------

    def level(self) -> i64:
        """The number of the server's level: that of the data or of the process."""
        return max(self.data.level, self.process.level)

    def describe(self) -> dict[str, object]:
        """The fields of INFO memory: levels as they were at the last look."""
        fields: dict[str, object] = {
            "memory_pressure": LEVELS[self.level()],
            "memory_pressure_level": int(self.level()),
        }
        for gauge in (self.data, self.process):
            fields[f"memory_pressure_{gauge.source}"] = gauge.name()
            for number in range(1, len(LEVELS)):
                name = f"memory_pressure_{gauge.source}_{LEVELS[number]}_count"
                fields[name] = gauge.crossings[number]
        fields["memory_limit"] = int(self._engine.memory.limit)
        fields["memory_process_limit"] = int(self.process.limit)
        fields["memory_process_limit_by"] = self.basis or "none"
        fields["memory_container_limit"] = self.container
        return fields

    def _describe_store(self, store: Store) -> dict[str, object]:
        """The fields of STORES INFO."""
        gauge = self.stores.get(store.index)
        if gauge is None:
            gauge = Gauge("store")
        fields: dict[str, object] = {"memory_pressure": gauge.name()}
        for number in range(1, len(LEVELS)):
            fields[f"memory_pressure_{LEVELS[number]}_count"] = gauge.crossings[number]
        return fields

    def restart(self) -> None:
        """Begin counting anew (CONFIG RESETSTAT)."""
        for gauge in (self.data, self.process, *self.stores.values()):
            gauge.restart()
