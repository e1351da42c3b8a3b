"""A plugin that does all that plugins can do: a ledger of every change, in a file of JSON lines.

A real one would be a package of its own with this entry point in its pyproject.toml:

    [project.entry-points."hypercache.plugins"]
    ledger = "sample_plugin:Ledger"
"""

import json
import os
import sys
from collections import Counter
from io import FileIO
from pathlib import Path
from typing import cast

import attrs
import trio

from hypercache.plugin import (
    NO_EXPIRE,
    OK,
    BeforeChange,
    ChangeObserver,
    Context,
    Entry,
    Event,
    Plugin,
    PluginHost,
    PressureChange,
    Record,
    Reply,
    ReplyGate,
    Sink,
    Touch,
    command,
)

MARKED = Event("ledger.mark", "g")


@attrs.frozen
class Settings:
    """``file`` lies in the server's folder; ``gate`` holds replies until it is synced."""

    file: str = attrs.field(default="ledger.jsonl", validator=attrs.validators.min_len(1))
    gate: bool = True
    delay: float = attrs.field(default=0.0, validator=attrs.validators.ge(0))


class LedgerSink(Sink):
    """Collects what is to be written; the plugin's task writes it."""

    def __init__(self) -> None:
        super().__init__("ledger")
        self.pending: list[Record] = []
        self.more = trio.Event()

    def write(self, records: list[Record]) -> None:
        self.pending += records
        self.more.set()


class Overwritten(BeforeChange):
    """Counts keys that were there already when they were changed."""

    def __init__(self) -> None:
        self.count = 0

    def before_change(self, database: int, key: bytes, entry: Entry | None) -> None:
        self.count += entry is not None

    def before_clear(self, database: int) -> None:
        self.count += 1

    def before_swap(self, first: int, second: int) -> None:
        self.count += 1


class Events(ChangeObserver):
    """Counts what happened to keys, by the names of the events."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def changed(self, touches: list[Touch]) -> None:
        self.counts.update(touch.event.name for touch in touches)


class Ledger(Plugin):
    """Writes every change to a file, and lets no client believe in one that is not there."""

    settings_type = Settings
    critical = True  # without the file, replies would promise what nobody keeps
    stop_deadline = 10.0

    settings: Settings

    async def run(self, host: PluginHost, task_status: trio.TaskStatus[None]) -> None:
        sink, overwritten, events = LedgerSink(), Overwritten(), Events()
        self.records = 0
        self.pressures: list[str] = []
        with FileIO(Path(host.data_folder) / self.settings.file, "a") as file:
            host.add_sink(sink)
            if self.settings.gate:
                host.add_gate(ReplyGate([sink]))
            host.add_hook(overwritten)
            host.add_observer(events)
            host.follow_pressure(self.feel)
            host.share(self)
            host.add_commands(sys.modules[__name__])
            host.add_information(
                "ledger",
                lambda: {
                    "ledger_records": self.records,
                    "ledger_overwritten": overwritten.count,
                    "ledger_pressure": ",".join(self.pressures),
                    "ledger_events": ",".join(f"{k}={n}" for k, n in sorted(events.counts.items())),
                },
            )
            host.log.info("ledger_open", file=self.settings.file)
            task_status.started()
            try:
                while True:
                    await sink.more.wait()
                    await trio.sleep(self.settings.delay)
                    await self.store(host, sink, file)
            finally:
                # The server waits for us, and the replies of the last writes for this.
                with trio.CancelScope(shield=True):
                    await self.store(host, sink, file)

    def feel(self, change: PressureChange) -> None:
        """Memory is shorter than before, or no longer: keep the last ten changes."""
        self.pressures = [*self.pressures[-9:], f"{change.store or change.source}={change.level}"]

    async def store(self, host: PluginHost, sink: LedgerSink, file: FileIO) -> None:
        """Write and sync what has come, without blocking the server."""
        records, sink.pending = sink.pending, []
        sink.more = trio.Event()
        if records:
            await trio.to_thread.run_sync(append, file, records)
            self.records += len(records)
            host.safe(sink, records[-1].offset)


def append(file: FileIO, records: list[Record]) -> None:
    """Runs in a worker thread."""
    lines = ""
    for record in records:
        effects = [
            [effect.database, *(arg.decode("latin-1") for arg in effect.args)]
            for effect in record.effects
        ]
        lines += json.dumps({"offset": record.offset, "effects": effects}) + "\n"
    file.write(lines.encode())
    os.fsync(file.fileno())


@command(
    "LEDGER.COUNT",
    group="module",
    since="1.0.0",
    complexity="O(1)",
    flags="readonly fast",
    summary="How many records the ledger has on disk.",
)
def count(context: Context, args: list[bytes]) -> Reply:
    """The plugin of this very server: there may be several in a process."""
    return cast(Ledger, context.engine.shared["ledger"]).records


@command(
    "LEDGER.MARK key text",
    group="module",
    since="1.0.0",
    complexity="O(1)",
    flags="write denyoom",
    keys="OW update",
    summary="Store a text under a key, as SET does.",
)
def mark(context: Context, args: list[bytes]) -> Reply:
    context.db.set(args[1], args[2], NO_EXPIRE, MARKED)
    # Journals outlive plugins: what they get must be understood without us.
    context.db.changes.rewrite(context.db.index, [b"SET", args[1], args[2]])
    return OK
