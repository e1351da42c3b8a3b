# mypyc: interpreted
"""INFO's section about the backend, which is ours: what it can do, how it is, what is safe."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hypercache.engine.engine import Engine

#: What a backend may know of that Redis shows among the figures of memory.
LAZY_FREE: Final = ("lazyfree_pending_objects", "lazyfreed_objects")


def backend(engine: "Engine") -> dict[str, object]:
    """Traits, units, syncs, what is refused and why; then the backend's own numbers.

    Names that end in ``_usec`` are microseconds; the time of the last sync is in Unix seconds.
    """
    store = engine.backend
    syncs = engine.syncs
    units = engine.units
    fields: dict[str, object] = {
        "backend_name": store.name,
        "backend_durable": int(store.durable),
        "backend_units": int(store.wants_units),
        "backend_keeps_access": int(store.keeps_access),
        "backend_snapshots": int(store.snapshots),
        "backend_available": int(not units.unavailable),
        "backend_refusal": one_line(units.refusal),
        "backend_units_undone": units.undone,
        "backend_sync_policy": store.sync_policy,
        "backend_sync_in_progress": int(syncs.began > 0),
        "backend_syncs": syncs.count,
        "backend_sync_failures": syncs.failures,
        "backend_last_sync_status": "err" if syncs.error else "ok",
        "backend_last_sync_error": one_line(syncs.error),
        "backend_last_sync_time": syncs.last // 1_000_000,
        "backend_last_sync_usec": syncs.elapsed,
        "backend_held_clients": len(engine.delivery.gated),
    }
    for name, value in store.statistics().items():
        if name not in LAZY_FREE:
            fields.setdefault(name, value)
    return fields


def one_line(text: str) -> str:
    """A message of the backend, which must not break the lines of INFO."""
    return " ".join(text.split())
