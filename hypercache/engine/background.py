"""Work that no client asked for: expiry, freeing what was unlinked, samples for statistics."""

from typing import TYPE_CHECKING, Final, cast

from mypy_extensions import i64

if TYPE_CHECKING:
    from hypercache.engine.engine import Engine

# Elements that are freed, and keys that expire, in one slice.
SLICE: Final = 256


class Background:
    """Slices of background work between rounds.

    ``active_expire`` is DEBUG SET-ACTIVE-EXPIRE; ``enabled`` is off while DEBUG PAUSE-CRON.
    """

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self.active_expire = True
        self.enabled = True

    def tick(self, budget: i64) -> bool:
        """Background work for about ``budget`` microseconds; True when more is to be done.

        Moves the access clock, removes keys past their deadline, frees what was unlinked.
        """
        engine = self.engine
        engine.time = engine.clock.microseconds()
        until: i64 = engine.time + budget
        engine.changes.now = engine.time // 1000
        engine.changes.access = cast(int, (engine.time - engine.started) // 1000000)
        if not self.enabled:
            return False
        more = engine.backend.reclaim(SLICE)
        while more and engine.clock.microseconds() < until:
            more = engine.backend.reclaim(SLICE)
        if engine.changes.frozen and engine.time >= engine.waits.pause.until:
            engine.waits.end_pause()
        engine.settling = True
        try:
            if self.active_expire and not engine.changes.frozen and self.expire_slices(until):
                more = True
            engine.settlement.settle_background()
        finally:
            engine.settling = False
        engine.counters.tick_microseconds += engine.clock.microseconds() - engine.time
        return more

    def sample(self) -> None:
        """Let the statistics take the counters; called about ten times a second."""
        engine = self.engine
        engine.statistics.sample(
            engine.time,
            engine.counters.commands,
            engine.counters.bytes_in,
            engine.counters.bytes_out,
            engine.counters.cycles,
            engine.used_memory(),
        )

    def expire_slices(self, until: i64) -> bool:
        """Remove due keys in slices until the time is up; True when some may be left."""
        engine = self.engine
        more = False
        began: i64 = engine.clock.microseconds()
        for keyspace in engine.keyspaces:
            if not engine.unit_open:  # so that nothing undoes what this sees
                keyspace.fielded = keyspace.store.has_volatile_fields()
            if keyspace.fielded or keyspace.store.volatile() > 0:
                engine.open_unit()
            # A backend may hand out fewer than it was asked for while more are due.
            while keyspace.expire_due(SLICE) + keyspace.expire_due_fields(SLICE) > 0:
                if engine.clock.microseconds() >= until:
                    engine.counters.expire_time_caps += 1
                    more = True
                    break
        elapsed: i64 = engine.clock.microseconds() - began
        engine.counters.expire_microseconds += elapsed
        engine.latency.add(b"expire-cycle", engine.time, elapsed)
        return more
