"""Work that no client asked for: expiry, freeing what was unlinked, samples for statistics."""

from typing import TYPE_CHECKING, Final, cast

from mypy_extensions import i64

from hypercache.backend import BackendError

if TYPE_CHECKING:
    from hypercache.engine.engine import Engine

# Elements that are freed, and keys that expire, in one slice.
SLICE: Final = 256
# How long background work rests after the backend has failed in it, in microseconds.
REST: Final[i64] = 5_000_000


class Background:
    """Slices of background work between rounds.

    ``active_expire`` is DEBUG SET-ACTIVE-EXPIRE; ``enabled`` is off while DEBUG PAUSE-CRON.
    """

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self.active_expire = True
        self.enabled = True
        self._rests_until: i64 = 0

    def keep_time(self) -> None:
        """Move the clocks that the keyspaces look at."""
        engine = self.engine
        engine.time = engine.clock.microseconds()
        changes = engine.changes
        changes.now = engine.time // 1000
        changes.frequency.keep_time(engine.time)
        changes.access = cast(int, (engine.time - engine.started) // 1000000)
        engine.eviction.victims.keep_time()

    def tick(self, budget: i64) -> bool:
        """Background work for about ``budget`` microseconds; True when more is to be done.

        Moves the access clock, removes keys past their deadline, frees what was unlinked. The
        end of a round has to follow before anything else runs.
        """
        self.keep_time()
        engine = self.engine
        until: i64 = engine.time + budget
        engine.units.heed_refusal()
        if not self.enabled:
            return False
        if engine.changes.frozen and engine.waits.pause.is_over(engine.time):
            engine.waits.end_pause()
            return True
        engine.tracking.limit()
        more = False
        if engine.time >= self._rests_until:
            engine.settling = True
            try:
                more = self._work(until)
            except Exception as error:  # noqa: BLE001 - whatever a store raises, we go on
                self._rests_until = engine.time + REST
                engine.units.background_failed(error)
            finally:
                engine.settling = False
        engine.counters.tick_microseconds += engine.clock.microseconds() - engine.time
        return more

    def _work(self, until: i64) -> bool:
        engine = self.engine
        more = engine.backend.reclaim(SLICE)
        while more and engine.clock.microseconds() < until:
            more = engine.backend.reclaim(SLICE)
        if self.active_expire and not engine.changes.frozen and self.expire_slices(until):
            more = True
        more = engine.eviction.work(until) or more
        engine.settlement.settle_background()
        if engine.observation.big.pending:
            engine.units.open()
            if engine.units.is_open or not engine.units.wanted:
                engine.observation.big.walk(until)
        return more

    def sample(self) -> None:
        """Let statistics and gauges take what they follow; called about ten times a second."""
        engine = self.engine
        try:
            used = engine.memory.used()
            engine.pressure.look()
        except BackendError:
            used = 0  # INFO MEMORY tells whoever asks
        engine.statistics.sample(
            engine.time,
            engine.counters.commands,
            engine.counters.bytes_in,
            engine.counters.bytes_out,
            engine.counters.cycles,
            used,
        )

    def expire_slices(self, until: i64) -> bool:
        """Remove due keys in slices until the time is up; True when some may be left."""
        engine = self.engine
        units = engine.units
        more = False
        began: i64 = engine.clock.microseconds()
        for keyspace in engine.keyspaces:
            if not units.is_open:  # so that nothing undoes what this sees
                keyspace.fielded = keyspace.store.has_volatile_fields()
            if keyspace.fielded or keyspace.store.volatile() > 0:
                units.open()
                if units.wanted and not units.is_open:
                    break
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
