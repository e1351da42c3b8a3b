# mypyc: interpreted
"""The plugin: its settings, and what it registers."""

from glob import escape
from pathlib import Path
from typing import ClassVar

import attrs
import trio

from hypercache.persistence.file_system import FileSystem
from hypercache.persistence.saving import remove_leftovers
from hypercache.plugin import Plugin, PluginHost
from hypercache_snapshot import save_commands
from hypercache_snapshot.recovery import recover
from hypercache_snapshot.retention import Snapshots
from hypercache_snapshot.saver import Saver
from hypercache_snapshot.tools import SnapshotTools


@attrs.frozen
class SnapshotSettings:
    #: Whether the server may start from an older snapshot where the newest is damaged.
    fall_back: bool = False


class SnapshotPlugin(Plugin):
    """Snapshots of all data, at one moment and without a fork."""

    settings_type = SnapshotSettings
    settings: SnapshotSettings
    tools: ClassVar[type | None] = SnapshotTools
    recovers = True
    #: The system calls that it makes.
    file_system = FileSystem()

    def __init__(self, settings: object) -> None:
        super().__init__(settings)
        # After a crash there is nothing to be recovered: clients are served.
        self._recovered = False

    async def run(self, host: PluginHost, task_status: trio.TaskStatus[None]) -> None:
        if not self._recovered:
            clear_away(host, self.file_system)
            await recover(host, self.file_system, fall_back=self.settings.fall_back)
            self._recovered = True
        saver = Saver(host, self.file_system)
        host.share(saver)
        host.add_commands(save_commands)
        host.add_information("persistence", saver.fields)
        host.follow(("save", "stop-writes-on-bgsave-error"), saver.judge)
        host.before_end(saver.last_save)
        saver.follow_flushes()
        task_status.started()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(saver.tell_progress)
                await saver.run()
        finally:
            saver.forget_flushes()


def clear_away(host: PluginHost, file_system: FileSystem) -> None:
    """Remove what a killed server has left half written."""
    folder, name = Path(host.data_folder), host.settings.dbfilename
    try:
        removed = Snapshots(folder, name, file_system).remove_leftovers()
        removed += remove_leftovers(folder, escape(name), file_system)
    except OSError as error:
        host.log.warning("leftovers_not_removed", folder=str(folder), error=str(error))
        return
    for path in removed:
        host.log.info("leftover_removed", path=str(path))
