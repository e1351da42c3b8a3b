# mypyc: interpreted
"""What INFO says of files of data: the core's part, to which the plugins that write them add."""

from typing import TYPE_CHECKING, Final

from hypercache.engine.guards import LOADING_BIT

if TYPE_CHECKING:
    from hypercache.engine.engine import Engine

# Nothing is forked, and without plugins nothing is written.
_NOTHING: Final = (
    "async_loading current_cow_peak current_cow_size current_cow_size_age "
    "rdb_bgsave_in_progress "
    "rdb_last_cow_size aof_enabled "
    "aof_rewrite_in_progress aof_rewrite_scheduled aof_rewrites "
    "aof_rewrites_consecutive_failures aof_last_cow_size module_fork_in_progress "
    "module_fork_last_cow_size"
)


def persistence(engine: "Engine") -> dict[str, object]:
    """How the data came back, and what was written since."""
    recovery = engine.recovery
    loading = engine.armed & LOADING_BIT != 0
    fields: dict[str, object] = {
        "loading": int(loading),
        "current_fork_perc": "0.00",
        "current_save_keys_processed": 0,
        "current_save_keys_total": 0,
        "rdb_changes_since_last_save": engine.changes.dirty,
        "rdb_last_save_time": engine.started // 1_000_000,
        "rdb_last_bgsave_status": "ok",
        "rdb_last_bgsave_time_sec": -1,
        "rdb_current_bgsave_time_sec": -1,
        "rdb_saves": engine.counters.snapshots,
        "rdb_last_load_keys_expired": recovery.keys_expired,
        "rdb_last_load_keys_loaded": recovery.keys_loaded,
        "aof_last_rewrite_time_sec": -1,
        "aof_current_rewrite_time_sec": -1,
        "aof_last_bgrewrite_status": "ok",
        "aof_last_write_status": "ok",
    }
    fields.update(dict.fromkeys(_NOTHING.split(), 0))
    capture = engine.capture
    if capture is not None:
        done, total = int(capture.keys_done), int(capture.keys_total)
        fields["current_fork_perc"] = f"{100 * done / max(total, 1):.2f}"
        fields["current_save_keys_processed"] = done
        fields["current_save_keys_total"] = total
    if loading:
        fields.update(_progress(engine))
    fields["recovery_source"] = recovery.source or "none"
    fields["recovery_commands"] = recovery.commands
    fields["recovery_seconds"] = f"{int(recovery.elapsed) / 1e6:.3f}"
    return fields


def _progress(engine: "Engine") -> dict[str, object]:
    """How far the loading has come; the time left is estimated from the bytes, 1 at first."""
    recovery = engine.recovery
    total = int(recovery.total_bytes)
    done = int(recovery.loaded_bytes)
    seconds = (engine.clock.microseconds() - recovery.began) // 1_000_000
    return {
        "loading_start_time": (recovery.began or engine.started) // 1_000_000,
        "loading_total_bytes": total,
        "loading_rdb_used_mem": 0,
        "loading_loaded_bytes": done,
        "loading_loaded_perc": f"{100 * done / max(total, 1):.2f}",
        "loading_eta_seconds": seconds * (total - done) // (done + 1) if seconds else 1,
    }
