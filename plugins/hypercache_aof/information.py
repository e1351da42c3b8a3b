# mypyc: interpreted
"""What INFO's section persistence says of the append-only file: Redis' fields, and ours."""

from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from hypercache_aof.service import AppendOnly


class Times:
    """The rewrites: how many, and how the last went, in seconds."""

    def __init__(self) -> None:
        self.count = 0
        self.ok = True
        self.last = -1
        self._began = -1.0

    def begin(self) -> None:
        """One begins."""
        self._began = trio.current_time()

    def postpone(self) -> None:
        """It could not begin yet."""
        self._began = -1.0

    def end(self, succeeded: bool) -> None:
        """It has ended."""
        self.count += succeeded
        self.ok = succeeded
        self.last = self.current()
        self._began = -1.0

    def current(self) -> int:
        """How long the present one has taken so far, -1 if there is none."""
        return int(trio.current_time() - self._began) if self._began >= 0 else -1


def fields(file: "AppendOnly") -> dict[str, object]:
    """The fields."""
    writer, syncs = file.writer, file.writer.syncs
    times = file.times
    found: dict[str, object] = {
        "aof_enabled": int(file.wanted),
        "aof_rewrite_in_progress": int(file.in_progress()),
        "aof_rewrite_scheduled": int(file.scheduled),
        "aof_last_rewrite_time_sec": times.last,
        "aof_current_rewrite_time_sec": times.current(),
        "aof_last_bgrewrite_status": "ok" if times.ok else "err",
        "aof_rewrites": times.count,
        "aof_rewrites_consecutive_failures": file.pace.failures,
        "aof_last_write_status": "err" if writer.error else "ok",
    }
    if file.wanted:
        saving = file.rewriter.saving
        found |= {
            "aof_current_size": file.rewriter.size(),
            "aof_base_size": file.rewriter.base_size,
            "aof_pending_rewrite": int(file.scheduled),
            "aof_buffer_length": writer.sink.pending_bytes,
            "aof_pending_bio_fsync": int(syncs.under_way),
            "aof_delayed_fsync": syncs.delayed,
            "aof_offset": writer.sink.taken,
            "aof_synced_offset": writer.sink.safe,
            "aof_fsyncs": syncs.count,
            "aof_fsync_failures": syncs.failures,
            "aof_last_fsync_usec": syncs.last,
            "aof_longest_fsync_usec": syncs.longest,
            "aof_mean_fsync_usec": syncs.total // max(syncs.count, 1),
            "aof_last_error": writer.last_error,
            "aof_rewrite_seconds_left": 0 if saving is None else round(saving.seconds_left(), 1),
        }
    return found
