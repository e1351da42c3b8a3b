# mypyc: interpreted
"""The plugin: its settings, and what it registers."""

import trio

from hypercache.plugin import Plugin, PluginHost
from hypercache_snapshot.tools import SnapshotTools


class SnapshotPlugin(Plugin):
    """Snapshots of all data, at one moment and without a fork."""

    tools = SnapshotTools

    async def run(self, host: PluginHost, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep_forever()
